#!/usr/bin/python3
"""Compares what bouncetap saw with what the generator wrote, field by field.

    bouncetap audit W1.pcap --own 192.0.2.0/24,2001:db8:1::/48 --events W1.events
    recall.py [--at-least PERCENT] [--brief] W1.pcap.truth.tsv W1.events

A transaction is right when all of its fields are. Exit status 1: less than 99.9 % of them are right, or more than 0.1 % were made up.
"""
import argparse
import collections
import csv
import datetime
import json
import sys

KINDS = {"mail": "ordinary", "dsn": "bounce", "vacation": "autoreply", "callout": "callout", "reject": "ordinary", "greylist": "ordinary"}
DIRECTIONS = {"in": "inbound", "out": "outbound"}
REFUSED = ("reject", "greylist", "callout")     # without data: the truth names the first recipient only
RECIPIENTS_KEPT = 100
DIFFERENCES_SHOWN = 10
MADE_UP_PERCENT = 0.1


class Row(collections.namedtuple("Row", "sid t0 dir own ipv cport mail_from kind msg rcpts nrcpt nok code size msgid ref_msgid bdat cause_sid")):
    """One line of truth."""

    def session_key(self):
        """When the session began, and its two numbers that are known: own address and client port."""
        host = 10 + int(self.own)
        address = f"192.0.2.{host}" if self.ipv == "v4" else f"2001:db8:1::{host:x}"
        seconds, micros = self.t0.split(".")
        started = datetime.datetime.fromtimestamp(int(seconds), datetime.timezone.utc)
        return f"{started:%Y-%m-%dT%H:%M:%S}.{micros}Z", address, int(self.cport)

    def recipients(self):
        """(address, code) of each recipient that the truth names."""
        if self.kind in REFUSED:
            return [(self.rcpts, int(self.code))]
        return [(address, int(code)) for address, code in (r.rsplit("=", 1) for r in self.rcpts.split(","))]


class Events:
    """What bouncetap printed."""

    def __init__(self, path):
        self.sessions, self.transactions, self.findings = {}, {}, {}
        keep = {"session": self.keep_session, "transaction": self.keep_transaction, "finding": self.keep_finding}
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                event = json.loads(line)
                keep.get(event["event_type"], lambda _: None)(event)

    def keep_session(self, event):
        for address in event["src_ip"], event["dest_ip"]:
            self.sessions[event["started"], address, event["src_port"]] = event

    def keep_transaction(self, event):
        self.transactions[event["transaction_id"]] = event

    def keep_finding(self, event):
        self.findings[event["finding_id"].split(":")[0]] = event


class Seen:
    """What the events hold about one line of truth; each part may be None."""

    def __init__(self, row, events):
        self.session = events.sessions.get(row.session_key())
        self.transaction = self.finding = None
        if self.session and row.kind != "starttls":
            self.id = f"{self.session['session_id']}.{int(row.msg) + 1}"
            self.transaction = events.transactions.get(self.id)
            self.finding = events.findings.get(self.id)

    def found(self, row):
        return self.session if row.kind == "starttls" else self.transaction


def recipients_seen(row, seen):
    got = [(r["address"], r["code"]) for r in seen.transaction["rcpt_to"]]
    if row.kind not in REFUSED:
        return got
    return got[:1] if len({code for _, code in got}) == 1 else got


def decided(row, seen):
    """A callout that is answered 250 ends without a deciding reply."""
    t = seen.transaction
    return t["rcpt_to"][0]["code"] if row.kind == "callout" and t["outcome"] == "aborted" and t["rcpt_to"] else t["code"]


def cause_wanted(row, events, sessions):
    """The mail that this one answers: the session of cause_sid, the transaction with that Message-ID."""
    session = events.sessions.get(sessions[row.cause_sid])
    return [session and session["session_id"], row.ref_msgid]


def cause_seen(seen):
    cause = seen.finding and seen.finding["cause"]
    return [cause["transaction_id"].split(".")[0], cause["message_id"]] if cause else None


# name, of which rows, what the truth says, what was seen
FIELDS = (
    ("found", lambda r: True, lambda r, *_: True, lambda r, s: bool(s.found(r))),
    ("direction", lambda r: True, lambda r, *_: DIRECTIONS[r.dir], lambda r, s: s.found(r)["direction"]),
    ("tls", lambda r: True, lambda r, *_: "starttls" if r.kind == "starttls" else "none", lambda r, s: s.found(r)["tls"]),
    ("mail_from", lambda r: r.kind != "starttls", lambda r, *_: r.mail_from, lambda r, s: s.transaction["mail_from"]),
    ("rcpt_to", lambda r: r.kind != "starttls", lambda r, *_: r.recipients()[:RECIPIENTS_KEPT], recipients_seen),
    ("rcpt_count", lambda r: r.kind != "starttls", lambda r, *_: int(r.nrcpt), lambda r, s: s.transaction["rcpt_count"]),
    ("accepted", lambda r: r.kind != "starttls", lambda r, *_: int(r.nok),
     lambda r, s: sum((t["code"] or 0) // 100 == 2 for t in s.transaction["rcpt_to"])),
    ("code", lambda r: r.kind != "starttls", lambda r, *_: int(r.code), decided),
    ("size", lambda r: int(r.size) > 0, lambda r, *_: int(r.size), lambda r, s: s.transaction["size"]),
    ("message_id", lambda r: r.msgid, lambda r, *_: r.msgid, lambda r, s: s.transaction["message_id"]),
    ("kind", lambda r: r.kind in KINDS, lambda r, *_: KINDS[r.kind], lambda r, s: s.transaction["kind"]),
    ("cause", lambda r: int(r.cause_sid) > 0, cause_wanted, lambda r, s: cause_seen(s)),
)


def read_truth(path):
    with open(path, encoding="utf-8", newline="") as lines:
        rows = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        if tuple(next(rows, ())) != Row._fields:
            sys.exit(f"{path}: not a truth file of this generator")
        return [Row(*row) for row in rows]


class Tally:
    """Rows with a field, and those of them that agree."""

    def __init__(self):
        self.right, self.total = 0, 0

    def add(self, agrees):
        self.right += agrees
        self.total += 1

    def percent(self):
        return 100 * self.right / self.total if self.total else 100.0


def compare(truth, events):
    """(tally by field, differences as (row, seen, field, wanted, got), transactions that the truth does not know)"""
    tallies = collections.defaultdict(Tally)
    differences = []
    known = set()
    sessions = {row.sid: row.session_key() for row in truth}
    for row in truth:
        seen = Seen(row, events)
        found = seen.found(row)
        wrong = len(differences)
        if seen.transaction:
            known.add(seen.id)
        for name, applies, wanted, got in FIELDS:
            if not applies(row):
                continue
            want, have = wanted(row, events, sessions), got(row, seen) if found or name == "found" else None
            tallies[name].add(want == have)
            if want != have and (found or name == "found"):
                differences.append((row, seen, name, want, have))
        tallies["all of them"].add(len(differences) == wrong)
    return tallies, differences, len(events.transactions.keys() - known)


def print_differences(differences):
    counts = collections.Counter((row.kind, name) for row, _, name, _, _ in differences)
    print("differences by kind and field: " + ", ".join(f"{kind} {name} {n}" for (kind, name), n in counts.most_common()))
    for row, seen, name, want, have in differences[:DIFFERENCES_SHOWN]:
        print(f"sid {row.sid} msg {row.msg} {row.dir} {row.kind} at {row.t0}: {name}")
        print(f"  truth {json.dumps(want)}\n  seen  {json.dumps(have)}")
        if seen.transaction:
            print(f"  in    {seen.id} {' '.join(seen.transaction['notes'])}")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--at-least", type=float, default=99.9, metavar="PERCENT")
    arguments.add_argument("--brief", action="store_true", help="one line when all is well")
    arguments.add_argument("truth")
    arguments.add_argument("events")
    options = arguments.parse_args()
    truth, events = read_truth(options.truth), Events(options.events)
    tallies, differences, made_up = compare(truth, events)
    whole = tallies["all of them"]
    well = whole.percent() >= options.at_least and made_up <= len(truth) * MADE_UP_PERCENT / 100
    if not (options.brief and well):
        for name in [field[0] for field in FIELDS] + ["all of them"]:
            tally = tallies[name]
            print(f"  {name:<12} {tally.right:>8} of {tally.total:>8}  {tally.percent():8.3f} %")
        if differences:
            print_differences(differences)
    else:
        print(f"recall {whole.percent():.3f} % of {whole.total} transactions")
    if made_up:
        print(f"{made_up} transactions that were never sent")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
