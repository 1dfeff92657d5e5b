"""Holds a store to what the servers in its sessions took (sessions.py)."""

import json
import re
import sqlite3

TOKEN = re.compile(r"t\d{7}q")

# Texts of a transaction that came from its mail; recipients are those that were accepted.
ROWS = """
SELECT t.src_ip || ':' || t.src_port AS src, t.ordinal, t.outcome, t.notes, coalesce(t.mail_from, '') AS mail_from,
       coalesce((SELECT group_concat(address, ' ') FROM recipients WHERE transaction_rowid = t.id AND code BETWEEN 200 AND 299), '') AS rcpts,
       coalesce(m.message_id, '') || ' ' || coalesce(m.from_header, '') || ' ' || coalesce(m.subject, '') || ' ' || coalesce(m.to_header, '')
         || ' ' || coalesce(m.in_reply_to, '') || ' ' || coalesce(m.reference_ids, '') || ' ' || coalesce(m.sender, '') || ' ' || coalesce(m.reply_to, '') AS headers
FROM transactions t LEFT JOIN messages m ON m.transaction_rowid = t.id
ORDER BY t.session_id, t.ordinal"""


def truths(path):
    with open(path, encoding="ascii") as f:
        return {t["src"]: t for t in map(json.loads, f)}


def rows_of(store):
    db = sqlite3.connect(f"file:{store}/facts.db?mode=ro", uri=True)
    db.row_factory = sqlite3.Row
    found = {}
    for row in db.execute(ROWS):
        found.setdefault(row["src"], []).append(row)
    sessions = {f"{ip}:{port}" for ip, port in db.execute("SELECT src_ip, src_port FROM sessions")}
    db.close()
    return found, sessions


def tokens(*texts):
    return set(TOKEN.findall(" ".join(texts)))


def said(row):
    return f"#{row['ordinal']} {row['outcome']} <{row['mail_from'][:40]}> {sorted(tokens(row['rcpts'], row['headers']))} {row['notes']}"


def fits(row, mail):
    """Is this mail what the row tells of? Refused recipients may stand in any row: they have no mail to belong to."""
    return tokens(row["mail_from"], row["rcpts"]) <= set(mail["envelope"]) and tokens(row["headers"]) <= set(mail["content"])


def is_mixed(row, mails):
    """Headers of a mail, with the sender of another. Text that the server took for no mail may stand anywhere."""
    known = tokens(row["headers"]) & {t for m in mails for t in m["content"]}
    sender = tokens(row["mail_from"])
    return len(known | sender) > 1 and not any(known <= set(m["content"]) and sender <= set(m["envelope"]) for m in mails)


def session_problems(truth, rows):
    """What a second observer would not say of this session."""
    problems, mails = [], truth["mails"]
    left = [m for m in mails if m["outcome"] == "accepted"]
    for row in rows:
        if is_mixed(row, mails) and (row["outcome"] == "accepted" or truth["kind"] != "noise_session"):
            problems.append("mails mixed up: " + said(row))
        elif row["outcome"] == "accepted":
            taken = [m for m in left if fits(row, m)]
            if taken:
                left.remove(taken[0])
            else:
                problems.append("acceptance invented: " + said(row))
    if truth["exact"]:
        problems += exact_problems(mails, rows)
    return problems


def exact_problems(mails, rows):
    if len(mails) != len(rows):
        return [f"{len(mails)} mails were sent, {len(rows)} are told: " + "; ".join(map(said, rows))[:300]]
    return [f"mail {n} was {mail['outcome']}, told: {said(row)}" for n, (mail, row) in enumerate(zip(mails, rows), 1)
            if mail["outcome"] and mail["outcome"] != row["outcome"]]


def check(truth_path, store):
    """(problems, share of all accepted mails that were told as such)."""
    rows, sessions = rows_of(store)
    problems, accepted, told = [], 0, 0
    for src, truth in truths(truth_path).items():
        if src not in sessions:
            problems.append(f"{src} ({truth['kind']}): no session")
        mine = rows.get(src, [])
        problems += [f"{src} ({truth['kind']}): {p}" for p in session_problems(truth, mine)]
        accepted += sum(m["outcome"] == "accepted" for m in truth["mails"])
        told += sum(r["outcome"] == "accepted" for r in mine)
    return problems, (told / accepted if accepted else 1.0)
