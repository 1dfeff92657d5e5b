"""What stores hold, compared: facts as text without rowids, batch and run numbers. Stores that are compared have the same key, so that
addresses have the same hashes. Used by check_store, check_stress and check_workers."""
import sqlite3


def rows(path, sql):
    db = sqlite3.connect(f"file:{path}/facts.db?mode=ro", uri=True)
    try:
        db.text_factory = bytes
        return db.execute(sql).fetchall()
    finally:
        db.close()


NOT_FACTS = {"meta", "batch", "sensor_run", "sighting"}
NOT_COMPARED = {"id", "batch_seq", "run_id", "source_id", "transaction_rowid", "files", "fingerprint"}


def columns(path, table):
    return [r[1].decode() for r in rows(path, f"PRAGMA table_info({table})")]


def facts(path, without=("source",)):
    """Table -> sorted list of its rows; what hangs on a transaction is named by session and ordinal."""
    out = {}
    for (name,) in rows(path, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"):
        table = name.decode()
        if table in NOT_FACTS or table in without:
            continue
        have = columns(path, table)
        kept = [f"x.{c}" for c in have if c not in NOT_COMPARED]
        join = ""
        if "transaction_rowid" in have:
            join = "LEFT JOIN transactions t ON t.id = x.transaction_rowid"
            kept += ["t.session_id", "t.ordinal"]
        out[table] = sorted(map(repr, rows(path, f"SELECT {', '.join(kept)} FROM {table} x {join}")))
    return out


def assert_same_facts(got, want, what):
    for table in want:
        if got[table] == want[table]:
            continue
        extra = sorted(set(got[table]) - set(want[table]))
        missing = sorted(set(want[table]) - set(got[table]))
        raise AssertionError(f"{what}: {table}: {len(got[table])} rows, expected {len(want[table])}; {len(missing)} missing, "
                             f"{len(extra)} too many\n missing: {missing[:2]}\n too many: {extra[:2]}")


def assert_sound(path):
    """The database is whole, the batches follow each other, and each fact belongs to one of them."""
    assert rows(path, "PRAGMA integrity_check") == [(b"ok",)]
    batches = rows(path, "SELECT seq, session_rowid, transaction_rowid FROM batch ORDER BY seq")
    assert [b[0] for b in batches] == list(range(1, len(batches) + 1)), "batches are missing"
    for table, place in (("sessions", 1), ("transactions", 2)):
        for seq, n, least, most in rows(path, f"SELECT batch_seq, count(*), min(id), max(id) FROM {table} GROUP BY batch_seq"):
            assert 1 <= seq <= len(batches), f"{table}: batch {seq} was not committed"
            assert most <= batches[seq - 1][place], f"{table}: a row of batch {seq} is beyond its end"
            assert seq == 1 or least > batches[seq - 2][place], f"{table}: a row of batch {seq} is before its beginning"
    for child in ("recipients", "messages"):
        assert rows(path, f"SELECT count(*) FROM {child} WHERE transaction_rowid NOT IN (SELECT id FROM transactions)") == [(0,)]
    return len(batches)
