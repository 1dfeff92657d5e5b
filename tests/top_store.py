"""A store with the same rows each time, for screens that are compared: six servers of every status, a day of answers, one with a full ladder. What the
programs make of a capture serves as the empty form; verdicts are written by hand, so that the screens do not change when rules do."""
import os
import sqlite3
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CAPTURE = os.path.join(TOP, "samples/pcaps/postfix-backup-mx")
NOW = "2026-11-20T14:30:00Z"
NOW_US = 1795185000 * 10**6
SECOND, MINUTE, HOUR, DAY = 10**6, 60 * 10**6, 3600 * 10**6, 86400 * 10**6

SERVERS = [  # id, name, address, public, software, list status
    (11, "mx1.campus.example", "192.0.2.25", "192.0.2.25", "Postfix", "would-list"),
    (12, "mx2", "192.0.2.26", "192.0.2.26", "Exim", "watch"),
    (13, "lists", "10.1.1.9", "203.0.113.9", "Sendmail", "listed"),
    (14, "smarthost", "192.0.2.40", "192.0.2.40", None, "listed-instead"),
    (15, "2001:db8:25::25", "2001:db8:25::25", "2001:db8:25::25", "OpenSMTPD", "not-covered"),
    (16, "бэкап-日本", "192.0.2.60", "192.0.2.60", "Microsoft Exchange", "clean"),
]
KINDS = [("bounce", "yes", "can-backscatter"), ("bounce", "likely", "can-backscatter"), ("autoreply", "unknown", "can-backscatter"), ("callout", "yes", "can-backscatter"),
         ("bounce", "no", "no"), ("content-notice", "likely", "can-backscatter"), ("automated-unknown", "unknown", "unknown"), ("ticket", "no", "no")]
DOMAINS = ["bystander.example", "shop.example", "münchen.example", "a-rather-long-name-of-a-domain.department.university.example", "harbour.example"]
CLASSES = [("user-unknown", 550, "5.1.1", "User unknown in virtual mailbox table"), ("mailbox-full", 552, "5.2.2", "Quota exceeded (mailbox for user is full)"),
           ("content", 554, "5.7.1", "Message rejected as spam by Content Filtering"), (None, None, None, None)]


def insert(db, table, **values):
    """A row; what is not given and may not be NULL is 0 or empty."""
    schema, _, name = table.rpartition(".")
    for _, column, kind, notnull, default, key in db.execute(f"PRAGMA {schema + '.' if schema else ''}table_info({name})"):
        if notnull and default is None and column not in values and not (key and kind == "INTEGER"):
            values[column] = 0 if kind == "INTEGER" else b"" if kind == "BLOB" else ""
    return db.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})", list(values.values())).lastrowid


def transaction(db, rowid, src, dest, at, mail_from, rcpt, steps, direction, **more):
    insert(db, "transactions", id=rowid, batch_seq=1, run_id=1, session_id=rowid.to_bytes(16, "big"), session_started_us=at, ordinal=1, src_ip=src, src_port=40000 + rowid,
           dest_ip=dest, dest_port=25, started_us=at, ended_us=at + SECOND, tls="none", mail_from=mail_from, null_sender=int(mail_from == "<>"), rcpt_count=1,
           rcpt_accepted=1, mail_code=250, mail_reply="2.1.0 Ok", mail_us=at, steps=steps, complete=1, notes="", **more)
    insert(db, "recipients", transaction_rowid=rowid, n=0, address=rcpt, address_id=rowid, address_class=0, code=250 if more["outcome"] == "accepted" else more["code"],
           enhanced=None if more["outcome"] == "accepted" else more["enhanced"], reply="2.1.5 Ok" if more["outcome"] == "accepted" else more["reply"])
    insert(db, "v.transaction_verdict", transaction_rowid=rowid, direction=direction, kind="bounce" if mail_from == "<>" else "ordinary", kind_rule="x", tier="clear")


def ladder(db, at):
    """Accepted from outside, refused by the hop behind, bounced to who never wrote. Answers the rowids of cause, root cause and answer."""
    envelope = "c MAIL 0\ns 250 4000\nc RCPT 5000\ns 250 9000\nc DATA 10000\ns 354 12000\nc . 30000\ns 250 41000"
    transaction(db, 901, "198.51.100.7", "192.0.2.25", at, "victim@bystander.example", "no.such.user@campus.example", envelope, "inbound", outcome="accepted",
                code=250, enhanced="2.0.0", reply="Ok: queued as 4ABC123", size_bytes=2148, mail_params="SIZE=2148 BODY=8BITMIME")
    transaction(db, 902, "192.0.2.25", "10.1.1.7", at + 80000, "victim@bystander.example", "no.such.user@campus.example", "c MAIL 0\ns 250 900\nc RCPT 1100\ns 550 2400",
                "internal", outcome="rejected", code=550, enhanced="5.1.1", reply="<no.such.user@campus.example>: Recipient address rejected: User unknown")
    transaction(db, 903, "192.0.2.25", "203.0.113.77", at + 3 * SECOND, "<>", "victim@bystander.example", envelope, "outbound", outcome="accepted", code=250,
                enhanced="2.0.0", reply="Ok: queued as 日本", size_bytes=4410, mail_params="SIZE=4410")
    return 901, 902, 903


def finding(db, n, at, **more):
    """A finding of the n-th sort."""
    kind, misdirected, exposure = KINDS[n % len(KINDS)]
    cause_class, code, enhanced, reply = CLASSES[n % len(CLASSES)]
    server = SERVERS[n % 3]
    domain = DOMAINS[n % len(DOMAINS)]
    values = {"id": (1000 + n) * 100, "finding_id": f"{1000 + n:032x}.1:0", "server_id": server[0], "address": server[2], "public_address": server[3], "kind": kind,
              "misdirected": misdirected, "exposure": exposure, "tier": "clear", "sender": "null", "recipient": f"person{n}@{domain}", "recipient_domain": domain,
              "recipient_id": n, "attempts": 1 + n % 3, "first_us": at, "last_us": at + n % 3 * MINUTE, "revision": 1, "settled": int(n % 2 == 0), "cause_class": cause_class,
              "origin_ip": f"198.51.100.{n % 200 + 1}", "root_code": code, "root_enhanced": enhanced, "root_reply": reply, **more}
    row = insert(db, "v.finding", **values)
    for i, (rule, sign, strength, text) in enumerate([
            ("unrelated-origin", "for", "strong", "the original came from 198.51.100.7, which has nothing to do with the server that takes the answer"),
            ("forged-by-auth", "for", "medium", "SPF of bystander.example fails for 198.51.100.7"),
            ("correspondence", "against", "weak", "mail went both ways with that network on two earlier days")]):
        insert(db, "v.finding_reason", finding_rowid=row, n=i, rule=rule, sign=sign, strength=strength, text=text)
    return row


def fill(db, findings):
    for n, (rowid, name, address, public, software, status) in enumerate(SERVERS):
        insert(db, "v.server", id=rowid, name=name, address=address, public_address=public, sends_only=int(name == "smarthost"), software=software)
        counts = status in ("would-list", "watch", "listed")
        insert(db, "v.risk", server_id=rowid, address=public, list="backscatterer", status=status, mails=40 - 10 * n if counts else 0, attempts=55 - 10 * n if counts else 0,
               domains=4 - n if counts else 0, first_us=NOW_US - 3 * DAY if counts else None, last_us=NOW_US - n * HOUR if counts else None,
               expires_us=NOW_US + 28 * DAY - n * HOUR if counts else None, margin=None if status == "not-covered" else -39 if counts else 1)
        insert(db, "v.risk_reason", server_id=rowid, address=public, list="backscatterer", n=0, text=f"counts: {40 - 10 * n} bounce" if counts else "nothing counts")
        for hour in range(24):
            for direction in ("inbound", "outbound"):
                insert(db, "v.own_coverage", server_id=rowid, direction=direction, hour_us=NOW_US // HOUR * HOUR - hour * HOUR, sessions=100 + n, encrypted=10 * n,
                       one_sided=0, incomplete=n)
                insert(db, "v.own_mail_hour", server_id=rowid, hour_us=NOW_US // HOUR * HOUR - hour * HOUR, direction=direction, transactions=200 + hour, accepted=150,
                       rejected=50, answering=3)
    for n in range(findings):
        finding(db, n, NOW_US - (findings - n) * 23 * MINUTE)
    cause, root, answer = ladder(db, NOW_US - 5 * MINUTE)
    last = finding(db, 8 * 3 * 4 * 5, NOW_US - 5 * MINUTE, cause_rowid=cause, cause_matched_by="queue-id", cause_delay_ms=2959, root_rowid=root, root_code=550,
                   root_enhanced="5.1.1", root_reply="<no.such.user@campus.example>: Recipient address rejected: User unknown", recipient="victim@bystander.example",
                   origin_ip="198.51.100.7", originator_server_id=11, originator_how="wire", cause_class="user-unknown", attempts=1)
    insert(db, "v.finding_attempt", finding_rowid=last, transaction_rowid=answer, recipient_n=0)
    for minute in range(60):
        insert(db, "capture", run_id=1, interface="span0", start_us=NOW_US - minute * MINUTE, end_us=NOW_US - minute * MINUTE + MINUTE - 1, packets=1000 + 37 * minute % 300,
               bytes=700000, kernel_drops=3 if minute == 7 else 0, unseen_bytes=14600 if minute == 7 else 0, flows=40, sessions=38, encrypted_sessions=6)
    insert(db, "sensor_run", id=1, sensor="local", version="0.1", started_us=NOW_US - 2 * DAY, interfaces="span0")
    insert(db, "sessions", id=1, batch_seq=1, run_id=1, session_id=bytes(16), src_ip="198.51.100.7", dest_ip="192.0.2.25", started_us=NOW_US - DAY,
           ended_us=NOW_US - 3 * SECOND, end_reason="fin", outcome="mail", tls="none")
    db.execute("UPDATE batch SET committed_us = ?", [NOW_US - 2 * SECOND])
    db.execute("UPDATE v.meta SET now_us = ?, last_us = ?", [NOW_US, NOW_US - 3 * SECOND])


def open_store(path):
    db = sqlite3.connect(f"file:{path}/facts.db?mode=rw", uri=True, timeout=30)
    db.execute("ATTACH ? AS v", [f"{path}/verdicts.db"])
    return db


def build(path, programs, findings=60):
    """programs: the build directory."""
    subprocess.run([os.path.join(programs, "bouncetapd"), "--config", CAPTURE + ".conf", "-r", CAPTURE + ".pcap", "--store", path], check=True, stderr=subprocess.DEVNULL)
    subprocess.run([os.path.join(programs, "bouncetap"), "analyze", "--config", CAPTURE + ".conf", "--store", path, "--now", "last"], check=True, stderr=subprocess.DEVNULL)
    db = open_store(path)
    for schema, kept in (("main", {"meta", "batch"}), ("v", {"meta"})):
        for (table,) in db.execute(f"SELECT name FROM {schema}.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").fetchall():
            if table not in kept:
                db.execute(f"DELETE FROM {schema}.{table}")
    db.execute("DELETE FROM batch WHERE seq > 1")
    db.execute("UPDATE v.meta SET analyzed_seq = 1")
    fill(db, findings)
    db.commit()
    db.close()
