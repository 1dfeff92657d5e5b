#!/usr/bin/python3
"""What "make bench-top" calls: CPU that bouncetop takes on a large store: nobody writing, and a commit every fifth of a second.

    tests/bench/top.py [--build DIR]      SIZE=small (default: 1 million transactions) or SIZE=full (10 million, some 5 GB) in the environment

Nothing passes or fails by its figures; the goals stand beside them.
"""
import argparse
import os
import pathlib
import pty
import select
import shutil
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import top_store  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
MANY = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) "


def fill(store, transactions):
    """A week of mail: each tenth transaction has a finding behind it; 20 servers."""
    db = top_store.open_store(store)
    db.execute("PRAGMA synchronous = OFF")
    step = 7 * top_store.DAY // transactions
    begin = top_store.NOW_US - 7 * top_store.DAY
    db.execute("DELETE FROM v.server")
    for server in range(1, 21):
        top_store.insert(db, "v.server", id=server, name=f"mx{server}.campus.example", address=f"192.0.2.{server}", public_address=f"192.0.2.{server}", sends_only=0)
    for table in ("v.finding", "v.finding_hour", "v.finding_reason", "transactions", "recipients", "sessions", "capture"):
        db.execute(f"DELETE FROM {table}")
    db.execute(MANY + "INSERT INTO sessions (id, batch_seq, run_id, session_id, src_ip, src_port, dest_ip, dest_port, started_us, ended_us, end_reason, outcome, banner, helo,"
               " vrfy_count, tls, client_isn, server_isn, bytes_toserver, bytes_toclient, unseen_bytes, packets, transaction_count, complete, notes)"
               " SELECT i, 1, 1, randomblob(16), '198.51.100.7', 40000, '192.0.2.1', 25, ?2 + i * ?3, ?2 + i * ?3 + 900000, 'fin', 'mail', 'mx1.campus.example ESMTP Postfix',"
               " 'mail.example.net', 0, 'none', 1, 1, 5000, 700, 0, 30, 1, 1, '' FROM n", [transactions, begin, step])
    db.execute(MANY + "INSERT INTO transactions (id, batch_seq, run_id, session_id, session_started_us, ordinal, src_ip, src_port, dest_ip, dest_port, started_us, ended_us, tls,"
               " mail_from, mail_from_id, null_sender, mail_code, rcpt_count, rcpt_accepted, outcome, code, reply, queue_id, mail_us, steps, complete, notes)"
               " SELECT i, 1, 1, randomblob(16), ?2 + i * ?3, 1, '198.51.100.7', 40000, '192.0.2.1', 25, ?2 + i * ?3, ?2 + i * ?3 + 900000, 'none', 'someone' || i || '@example.net',"
               " i, 0, 250, 1, 1, 'accepted', 250, 'Ok: queued as 4ABC' || i, '4ABC' || i, ?2 + i * ?3, 'c MAIL 0' || char(10) || 's 250 100', 1, '' FROM n",
               [transactions, begin, step])
    db.execute(MANY + "INSERT INTO recipients (transaction_rowid, n, address, address_id, address_class, code) SELECT i, 0, 'user' || i || '@campus.example', i, 0, 250 FROM n",
               [transactions])
    db.execute(MANY + "INSERT INTO v.finding (id, finding_id, server_id, address, public_address, kind, misdirected, exposure, tier, sender, recipient, recipient_domain, recipient_id,"
               " attempts, first_us, last_us, revision, settled, origin_ip, cause_rowid, cause_matched_by, root_rowid, root_code, root_reply, cause_class, digest)"
               " SELECT i * 1000, printf('%032x.1:0', i), 1 + i % 20, '192.0.2.' || (1 + i % 20), '192.0.2.' || (1 + i % 20), 'bounce', 'yes', 'can-backscatter', 'clear', 'null',"
               " 'person' || i || '@example.net', 'example.net', i, 1, ?2 + i * 10 * ?3, ?2 + i * 10 * ?3, 1, 1, '198.51.100.7', i * 10 - 5, 'queue-id', i * 10 - 2, 550,"
               " 'User unknown', 'user-unknown', 0 FROM n", [transactions // 10, begin, step])
    db.execute("INSERT INTO v.finding_reason SELECT id, 0, 'unrelated-origin', 'for', 'strong', 'the origin has nothing to do with the server that takes the bounce' FROM v.finding")
    for minute in range(7 * 1440):
        top_store.insert(db, "capture", run_id=1, interface="span0", start_us=begin + minute * top_store.MINUTE, end_us=begin + (minute + 1) * top_store.MINUTE - 1, packets=1000)
    db.commit()
    return db


class Watched:
    """bouncetop in a terminal that takes whatever it writes."""

    def __init__(self, program, *args):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(program, [str(program), *args], {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"})
        self.written = 0

    def cpu_s(self):
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as f:
            words = f.read().rsplit(")", 1)[1].split()
        return (int(words[11]) + int(words[12])) / TICKS

    def take(self, seconds):
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if select.select([self.fd], [], [], left)[0]:
                try:
                    self.written += len(os.read(self.fd, 65536))
                except OSError:     # it ended
                    return

    def close(self):
        os.write(self.fd, b"q")
        self.take(0.5)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


def idle(program, store, screen, seconds=20):
    w = Watched(program, "--store", store, "--now", top_store.NOW, "--screen", screen)
    w.take(3)
    before, written = w.cpu_s(), w.written
    w.take(seconds)
    used, bytes_written = w.cpu_s() - before, w.written - written
    w.close()
    return 100 * used / seconds, bytes_written


def busy(program, store, db, screen, refreshes=50):
    w = Watched(program, "--store", store, "--now", top_store.NOW, "--screen", screen, "--delay", "0.2")
    w.take(3)
    before = w.cpu_s()
    for n in range(refreshes):
        db.execute("UPDATE v.risk SET mails = mails + 1")
        db.execute("UPDATE v.finding SET attempts = attempts + 1 WHERE id = (SELECT max(id) FROM v.finding)")
        db.commit()
        w.take(0.2)
    used = w.cpu_s() - before
    w.close()
    return 1000 * used / refreshes


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build"))
    build = options.parse_args().build.resolve()
    transactions = {"small": 10**6, "full": 10**7}[os.environ.get("SIZE", "small")]
    store = build / "bench" / "top-store"
    shutil.rmtree(store, ignore_errors=True)
    store.mkdir(parents=True)
    top_store.build(str(store), str(build), findings=0)
    db = fill(str(store), transactions)
    print(f"{transactions} transactions, {transactions // 10} findings, facts.db {os.path.getsize(store / 'facts.db') >> 20} MiB")
    print(f"{'screen':<10}{'a refresh':>12}  (goal <= 50 ms){'idle':>10}  (goal < 1 %){'written, idle':>16}")
    for screen in ("servers", "events", "ladder", "lists", "sensor"):
        refresh = busy(str(build / "bouncetop"), str(store), db, screen)
        percent, written = idle(str(build / "bouncetop"), str(store), screen)
        print(f"{screen:<10}{refresh:>9.1f} ms{'':>16}{percent:>9.2f} %{'':>14}{written:>14} B", flush=True)
    db.close()
    shutil.rmtree(store)


if __name__ == "__main__":
    main()
