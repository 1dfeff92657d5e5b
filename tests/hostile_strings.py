"""The texts of tests/hostile_strings, and a store whose facts hold each of them in every field that comes from the wire."""
import os
import re
import sqlite3
import subprocess

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "hostile_strings")


def unescape(text):
    return re.sub(rb"\\(?:x([0-9a-f]{2})|(.))", lambda m: bytes([int(m[1], 16)]) if m[1] else m[2], text.encode("ascii"))


def strings():
    out = []
    with open(PATH, encoding="ascii") as f:
        for line in f.read().split("\n"):
            if not line or line.startswith("#"):
                continue
            times = re.match(r"([0-9]+)\* ", line)
            out.append(unescape(line[times.end():]) * int(times[1]) if times else unescape(line))
    return out


# ---- a store ----

OWN = "192.0.2.0/24"
NOW = "2026-11-22T12:00:00Z"
START_US = 1795258800 * 10**6   # 2026-11-21 11:00 UTC

# Text columns that hold what the sensor chose, not what it was told; addresses and lists of words are set below.
OURS = {"end_reason", "outcome", "helo_verb", "tls", "tls_version", "tls_records", "tls_histogram", "notes", "src_ip", "dest_ip", "steps", "phrases", "report_type",
        "spam", "spf", "dkim", "dmarc", "received", "content_type", "app_proto", "proxy", "xclient", "xforward"}


def from_the_wire(db, table, text):
    """Each text column of a table that strangers fill."""
    return {row[1]: text for row in db.execute(f"PRAGMA table_info({table})") if row[2] == "TEXT" and row[1] not in OURS}


def insert(db, table, values):
    marks = ", ".join("CAST(? AS TEXT)" if isinstance(v, bytes) and k != "session_id" else "?" for k, v in values.items())
    return db.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", list(values.values())).lastrowid


def add_mail(db, n, text, outbound):
    """A session with one mail; outbound: a bounce that answers the inbound one of the same n."""
    at = START_US + n * 60 * 10**6 + (5 * 10**6 if outbound else 0)
    own, other = "192.0.2.25", f"{'203.0.113' if outbound else '198.51.100'}.{n % 250 + 1}"
    victim, user = 10**6 + n, 2 * 10**6 + n
    common = {"batch_seq": 2, "run_id": 1, "session_id": (2 * n + outbound).to_bytes(16, "big"), "src_ip": own if outbound else other, "src_port": 40000,
              "dest_ip": other if outbound else own, "dest_port": 25, "started_us": at, "ended_us": at + 10**6, "tls": "none", "complete": 1, "notes": "", "auth": 0}
    session = {**from_the_wire(db, "sessions", text), **common, "end_reason": "fin", "outcome": "mail", "helo_verb": "EHLO", "vrfy_count": 0, "client_isn": n + 1,
               "server_isn": n + 1, "bytes_toserver": 1, "bytes_toclient": 1, "unseen_bytes": 0, "packets": 1, "transaction_count": 1, "banner_code": 220,
               "refusal_code": 554 if outbound and n % 2 else None}
    insert(db, "sessions", session)
    mail = {**from_the_wire(db, "transactions", text), **common, "session_started_us": at, "ordinal": 1, "null_sender": int(outbound),
            "mail_from_id": 1 if outbound else victim, "mail_from_class": 1 if outbound else 0, "mail_code": 250, "rcpt_count": 1, "rcpt_accepted": 1,
            "outcome": "accepted", "code": 250, "mail_us": at, "data_end_us": at + 1, "reply_us": at + 2, "size_bytes": 9, "bytes_seen": 9, "mail_from_inner_id": None,
            "steps": "c MAIL 0\ns 250 1\nc RCPT 2\ns 250 3\nc DATA 4\ns 354 5\ns 250 6"}
    row = insert(db, "transactions", mail)
    insert(db, "recipients", {**from_the_wire(db, "recipients", text), "transaction_rowid": row, "n": 0, "address_id": victim if outbound else user,
                              "address_class": 0, "code": 250})
    insert(db, "messages", {**from_the_wire(db, "messages", text), "transaction_rowid": row, "message_id_hash": 4 * n + outbound, "markers": 0, "headers_complete": 1,
                            "notes": "", "content_type": "multipart/report" if outbound else "text/plain", "from_id": 3, "from_class": 4 if outbound else 0})
    if outbound:
        insert(db, "reports", {**from_the_wire(db, "reports", text), "transaction_rowid": row, "report_type": "delivery-status", "in_multipart_report": 1,
                               "recipient_total": 1})
        insert(db, "report_recipients", {**from_the_wire(db, "report_recipients", text), "transaction_rowid": row, "n": 0, "final_id": user, "action": "failed"})
        insert(db, "returned", {**from_the_wire(db, "returned", text), "transaction_rowid": row, "message_id_hash": 4 * n, "return_path_id": victim, "spf": "fail",
                                "dkim": "none", "spam": "yes"})


def write_store(store, sensor, capture):
    """The facts of a capture, and a forged mail with the bounce that answers it for each text. To be analyzed with OWN and NOW."""
    subprocess.run([sensor, "-r", capture, "--store", store], check=True, stderr=subprocess.DEVNULL, timeout=120)
    db = sqlite3.connect(os.path.join(store, "facts.db"))
    for n, text in enumerate(strings()):
        add_mail(db, n, text, False)
        add_mail(db, n, text, True)
    db.execute("INSERT INTO batch (committed_us, session_rowid, transaction_rowid) SELECT ?, (SELECT max(id) FROM sessions), (SELECT max(id) FROM transactions)",
               [START_US])
    db.execute("UPDATE sensor_run SET sensor = CAST(? AS TEXT), interfaces = CAST(? AS TEXT)", [b"<b>\x1b[1m", b"=eth0"])
    db.commit()
    db.close()
