#!/usr/bin/env python3
"""Holds what bouncetap says about a capture against the truth file recorded with it (samples/README.md). Used by check_samples and check_lab;

    tests/conformance.py [--build DIR] [CAPTURE...]     prints a table of hits for each sample, their sums beside the goals, and every miss

Facts are gates: each must be right. Of the verdicts, tests/known-misses lists what bouncetap cannot tell yet, as `NAME: what: why`; `what` is a
problem in the words that are printed here, `*` in it stands for anything, `(12)` before it says how many such problems there are. They are
counted and printed as misses, and an entry that is missed less often than it says fails, so that the list can only shrink."""
import argparse, collections, glob, json, os, re, sqlite3, subprocess, sys, tempfile

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
KNOWN_MISSES = os.path.join(TOP, "tests/known-misses")
LIST_IDS = {"backscatterer.org": "backscatterer"}
FLAGGED, CLEAR = ("would-list", "listed"), ("clean", "watch", "not-covered", "listed-instead", "no risk event")
# What the truth leaves out of a row when it is null, false or empty.
ABSENT = {key: None for key in ("origin_ip", "helo", "size", "mail_params", "message_id", "queue_id", "code", "enhanced", "reply", "headers", "report", "steps",
                                "provenance", "misdirected", "exposure", "emitter", "originator", "names_list", "fate", "why", "cause")}
ABSENT.update(tls=False, silent=False, auth=False, finding=False, pushed_bounce=False, rcpt_to=[], root_cause=[])
CONNECTION = ("src_ip", "src_port", "dest_ip", "dest_port")


def load_truth(path):
    with open(path, encoding="utf-8") as f:
        truth = json.load(f)
    for key in ("transactions", "without_mail"):
        truth[key] = [{**ABSENT, **row} for row in truth.get(key, [])]
    for row in truth["transactions"]:
        if row["cause"]:
            row["cause"].setdefault("tls", False)
    return truth


def known_misses(capture):
    """What must be missed in a capture: {pattern: [how often, why]}."""
    found = {}
    with open(KNOWN_MISSES, encoding="utf-8") as f:
        for line in f:
            if line.strip() and not line.startswith("#"):
                name, rest = line.strip().split(": ", 1)
                what, why = rest.rsplit(": ", 1)
                times, what = re.fullmatch(r"(?:\((\d+)\) )?(.*)", what).groups()
                if name == capture:
                    found.setdefault(what, [0, why])[0] += int(times or 1)
    return found


class Tap:
    """Numbers and prints test results."""

    def __init__(self):
        self.n = 0

    def check(self, name, problems, remarks=()):
        self.n += 1
        print(("not ok" if problems else "ok") + " %d - %s" % (self.n, name))
        for p in [*problems, *remarks][:60]:
            print("#   " + str(p).replace("\n", "\n#   "))

    def end(self):
        print("1..%d" % self.n)


class Seen:
    """What `bouncetap audit` says about a capture: events by type, steps of transactions, the text that it prints."""

    def __init__(self, build, capture, config):
        with tempfile.TemporaryDirectory() as work:
            events, store = os.path.join(work, "events.json"), os.path.join(work, "store")
            os.mkdir(store)
            run = subprocess.run([os.path.join(build, "bouncetap"), "audit", "--config", config, "--store", store, "--events", events, capture],
                                 capture_output=True, text=True, timeout=300)
            if run.returncode:
                raise RuntimeError("audit %s: exit %d\n%s%s" % (capture, run.returncode, run.stdout, run.stderr))
            self.text = run.stdout
            self.of = collections.defaultdict(list)
            with open(events, encoding="utf-8") as f:
                for line in f:
                    event = json.loads(line)
                    self.of[event["event_type"]].append(event)
            with sqlite3.connect(os.path.join(store, "facts.db")) as facts:
                self.steps = {"%s.%d" % (session.hex(), n): [step.split() for step in (steps or "").splitlines()]
                              for session, n, steps in facts.execute("SELECT session_id, ordinal, steps FROM transactions")}


def connection(row):
    return tuple(row[k] for k in CONNECTION)


def key(row):
    """Recipients are a set: between real servers the truth has them in another order."""
    return connection(row) + (row["mail_from"], tuple(sorted(r["address"] for r in row["rcpt_to"])))


def words(row):
    """A transaction for people, without what differs from run to run."""
    rcpts = ", ".join(sorted(r["address"] for r in row["rcpt_to"]))
    return "%s > %s from %s to %s" % (row["src_ip"], row["dest_ip"], row["mail_from"], rcpts)


def differs(t, what, said, truth):
    return [] if said == truth else ["%s: %s %s, truth %s" % (words(t), what, said, truth)]


def bare(message_id):
    return message_id.strip("<>") if message_id else None


def line(value):
    return " ".join(value.split()) if value else None


# Facts: what was on the wire.

def parameter(params, name):
    """RFC 3461: the value of NOTIFY= or ORCPT= in the rest of a RCPT line."""
    found = re.search(r"(?:^|\s)%s=(\S+)" % name, params or "", re.I)
    return found and found[1]


def envelope_differs(t, e):
    problems = [p for field in ("direction", "origin_ip", "outcome", "code", "enhanced", "queue_id", "auth", "helo", "size")
                if field not in ("origin_ip", "helo", "size") or t[field] for p in differs(t, field, e[field], t[field])]
    if t["steps"]:
        problems += differs(t, "mail_params", e["mail_params"] or None, t["mail_params"])
        recipient = lambda r: (r["address"], r["code"], r["enhanced"], parameter(r.get("params"), "NOTIFY"), parameter(r.get("params"), "ORCPT"))
        seen = [(r["address"], r["code"], r["enhanced"], r["notify"], r["orcpt"]) for r in e["rcpt_to"]]
        problems += differs(t, "recipients", seen, [recipient(r) for r in t["rcpt_to"]])
    else:
        codes = lambda row: sorted((r["address"], r["code"], r["enhanced"]) for r in row["rcpt_to"])
        problems += differs(t, "recipients", codes(e), codes(t))
    return problems


def message_differs(t, e):
    problems = differs(t, "message_id", e["message_id"], bare(t["message_id"]))
    for name in ("from", "reply_to", "in_reply_to", "references", "auto_submitted", "list_id") if t["steps"] else ():
        problems += differs(t, name, line(e[name]), line((t["headers"] or {}).get(name)))
    subject = (t["headers"] or {}).get("subject")
    if t["steps"] and (e["subject"] is not None or t["mail_from"] == "<>" and subject):   # others keep it only when it tells something
        problems += differs(t, "subject", line(e["subject"]), subject)
    return problems


def report_differs(t, e):
    if not t["steps"]:
        return []
    if not t["report"] or not e["report"]:
        return differs(t, "report", e["report"] and "there", t["report"] and "there")
    problems = differs(t, "reporting_mta", line(e["report"]["reporting_mta"]), t["report"]["reporting_mta"])
    problems += differs(t, "report recipients", len(e["report"]["recipients"]), len(t["report"]["recipients"]))
    for said, real in zip(e["report"]["recipients"], t["report"]["recipients"]):
        for name in ("final", "original", "action", "status", "diagnostic"):
            problems += differs(t, name, line(said[name]), real.get(name))
    returned = t["report"]["returned"]
    if returned and not e["report"]["returned"]:
        problems += differs(t, "returned", None, "there")
    elif returned:
        problems += differs(t, "returned message_id", e["report"]["returned"]["message_id"], bare(returned["message_id"]))
        problems += differs(t, "returned from", line(e["report"]["returned"]["from"]), returned["from"])
    return problems


def steps_differ(t, steps):
    if not t["steps"]:
        return []
    said = {side: [word for who, word, _ in steps if who == side] for side in "cs"}
    while said["c"] and said["c"][-1] in ("RSET", "QUIT", "EHLO", "HELO"):   # what ended it
        said["c"].pop()
    said["c"] = [word for i, word in enumerate(said["c"]) if word != "." or said["c"][i - 1] != "BDAT"]
    return (differs(t, "commands", " ".join(said["c"]), t["steps"]["client"]) +
            differs(t, "replies", " ".join(said["s"][:len(t["steps"]["server"].split())]), t["steps"]["server"]))


# Verdicts.

def kind_differs(t, e):
    right = {t["kind"]}
    if t["kind"] not in ("ordinary", "callout", "call-ahead") and t["mail_from"] == "<>" and not t["message_id"]:
        right.add("automated-unknown")
    return [] if e["kind"] in right else ["%s: kind %s (%s), truth %s" % (words(t), e["kind"], e["kind_rule"], t["kind"])]


def cause_differs(t, finding, by_id):
    """The cause must be the very transaction; where only an envelope was seen, a cause is not required."""
    cause = by_id.get(finding["cause"]["transaction_id"]) if finding["cause"] else None
    if cause is None:
        return ["%s: no cause" % (words(t),)] if t["message_id"] else []
    if connection(cause) != connection(t["cause"]) or cause["mail_from"] != t["cause"]["mail_from"]:
        right = "%s > %s from %s" % tuple(t["cause"][key] for key in ("src_ip", "dest_ip", "mail_from"))
        return ["%s: cause %s, truth %s" % (words(t), words(cause), right)]
    return []


def root_differs(t, finding):
    root = finding["root_cause"]
    right = sorted({(r["code"], r["enhanced"]) for r in t["root_cause"]})
    return [] if root and (root["code"], root["enhanced"]) in right else \
        ["%s: root cause %s, truth %s" % (words(t), root and (root["code"], root["enhanced"]), right)]


def misdirected_differs(t, finding):
    """Never accuse an innocent; a guilty one is at least likely where there was a message to look at."""
    said = finding["misdirected"]
    wrong = said in ("yes", "likely") if t["misdirected"] == "no" else said == "no" or (t["message_id"] and said == "unknown")
    if said == "unknown" and t["cause"] and t["cause"]["tls"]:   # what caused it was encrypted
        return []
    return differs(t, "misdirected", said, t["misdirected"]) if wrong else []


def exposure_differs(t, finding):
    """Never acquit a server that answered an outsider; where a message was seen, say so."""
    said = finding["exposure"]
    return differs(t, "exposure", said, t["exposure"]) if said != t["exposure"] and (said == "no" or t["message_id"]) else []


def place_differs(t, finding, server):
    """server(address): the name that the configuration gives it, else the address."""
    said = finding["emitter"]["address"]
    problems = differs(t, "emitter", said, t["emitter"]) if t["emitter"] else []
    origin = finding["originator"]
    if t["originator"] != t["emitter"] and (origin is None or origin["server"] != server(t["originator"])):
        problems += differs(t, "originator", origin and origin["server"], server(t["originator"]))
    return problems


class Table:
    """Hits and problems of one sample, column by column."""

    FACTS = ("transactions", "sessions", "envelopes", "messages", "reports", "steps")
    VERDICTS = ("kind", "provenance", "finding", "place", "cause", "root", "misdirected", "exposure", "refusals", "lists")

    def __init__(self):
        self.total = dict.fromkeys(self.FACTS + self.VERDICTS, 0)
        self.problems = {name: [] for name in self.total}
        self.tally = collections.Counter()   # of what GOALS are about

    def add(self, column, problems):
        """The outcome of holding one thing against the truth."""
        self.total[column] += 1
        self.problems[column] += problems

    def missed(self, column):
        return len(self.problems[column])


def match(truth, seen):
    """Pairs of truth row and transaction event, and what has no partner on either side. What was encrypted is no transaction."""
    by_key = collections.defaultdict(list)
    for e in seen.of["transaction"]:
        by_key[key(e)].append(e)
    pairs, missing = [], []
    for t in truth["transactions"]:
        if not t["tls"]:
            found = by_key[key(t)]
            pairs.append((t, found.pop(0))) if found else missing.append(t)
    return pairs, missing, [e for rest in by_key.values() for e in rest]


def compare_sessions(table, truth, seen):
    sessions = {connection(e): e for e in seen.of["session"]}
    for row in truth["transactions"] + truth["without_mail"]:
        e = sessions.get(connection(row))
        if row["silent"]:   # not a byte from either side
            table.add("sessions", [] if e is None else ["%s: a session without a byte" % (connection(row),)])
        elif e is None:
            table.add("sessions", ["%s: no session" % (connection(row),)])
        else:
            table.add("sessions", [] if (e["tls"] == "starttls") == row["tls"] else ["%s: tls %s" % (connection(row), e["tls"])])


def compare_findings(table, truth, pairs, seen):
    names = {address: section.partition(" ")[2] for section, keys in truth["own"].get("sections", {}).items()
             for address in (keys["addresses"] if isinstance(keys["addresses"], list) else [keys["addresses"]])}
    by_id = {e["transaction_id"]: e for e in seen.of["transaction"]}
    findings = collections.defaultdict(list)
    for f in seen.of["finding"]:
        findings[f["finding_id"].rsplit(":", 1)[0]].append(f)
    for t, e in pairs:
        found = findings.get(e["transaction_id"], [])
        table.add("finding", differs(t, "finding", bool(found), t["finding"]))
        for f in found if t["finding"] else ():
            table.tally["truth " + t["misdirected"], f["misdirected"]] += 1
            table.add("place", place_differs(t, f, lambda address: names.get(address, address)))
            if t["cause"] and not t["cause"]["tls"]:
                table.add("cause", cause_differs(t, f, by_id))
            if t["root_cause"] and t["message_id"]:
                table.add("root", root_differs(t, f))
            table.add("misdirected", misdirected_differs(t, f))
            if t["exposure"] and not (t["cause"] and t["cause"]["tls"]):
                table.add("exposure", exposure_differs(t, f))


def compare_servers(table, truth, seen):
    status = {(e["address"], e["list"]): e["status"] for e in seen.of["risk"]}
    for s in truth["servers"]:
        for name, must in s["lists"].items():
            said = status.get((s.get("public", s["address"]), LIST_IDS.get(name, name)), "no risk event")
            if must is not None:
                right = said in {True: FLAGGED, False: CLEAR}.get(must, (must,))
                if must in (True, False):
                    table.tally["guilty" if must else "innocent", said in FLAGGED] += 1
                table.add("lists", [] if right else ["%s on %s: %s, truth %s" % (s["address"], name, said, must)])


def compare_refusals(table, truth, seen):
    """Refusals that name a blocklist, by connection and zone."""
    sessions = {e["session_id"]: connection(e) for e in seen.of["session"]}
    said = collections.Counter((sessions[e["session_id"]], e["zone"]) for e in seen.of["refusal"])
    for row in truth["transactions"] + truth["without_mail"]:
        if row["names_list"] and not row["tls"]:
            found = said[connection(row), row["names_list"]] > 0
            said[connection(row), row["names_list"]] -= found
            table.add("refusals", [] if found else ["%s > %s: no refusal that names %s" % (row["src_ip"], row["dest_ip"], row["names_list"])])
    table.problems["refusals"] += ["%s > %s: refusal by %s invented" % (key[0][0], key[0][2], key[1]) for key in said.elements()]


def compare(truth, seen):
    table = Table()
    pairs, missing, extra = match(truth, seen)
    for t in truth["transactions"]:
        table.add("transactions", ["missing: %s" % (key(t),)] if t in missing else [])
    table.problems["transactions"] += ["invented: %s" % (key(e),) for e in extra]
    compare_sessions(table, truth, seen)
    for t, e in pairs:
        table.add("envelopes", envelope_differs(t, e))
        table.add("messages", message_differs(t, e))
        table.add("reports", report_differs(t, e))
        table.add("steps", steps_differ(t, seen.steps[e["transaction_id"]]))
        table.add("kind", kind_differs(t, e))
        if t["provenance"]:
            table.add("provenance", differs(t, "provenance", e["provenance"], t["provenance"]))
    compare_findings(table, truth, pairs, seen)
    compare_refusals(table, truth, seen)
    compare_servers(table, truth, seen)
    return table


def take_known(problems, expected):
    """Splits problems into new ones and known misses; what is found is taken off `expected`."""
    new, met = [], []
    for problem in problems:
        for pattern, entry in expected.items():
            if entry[0] and re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), problem):
                entry[0] -= 1
                met.append("known miss: %s (%s)" % (problem, entry[1]))
                break
        else:
            new.append(problem)
    return new, met


def conform(tap, name, truth, seen):
    table = compare(truth, seen)
    for column in Table.FACTS:
        tap.check("%s: %s, %d" % (name, column, table.total[column]), table.problems[column])
    expected = known_misses(os.path.splitext(truth["capture"])[0])
    for column in Table.VERDICTS:
        new, met = take_known(table.problems[column], expected)
        tap.check("%s: %s, %d" % (name, column, table.total[column]) + (", %d known to be missed" % len(met) if met else ""), new, met)
    tap.check(name + ": what tests/known-misses lists is missed still", ["(%d) %s" % (n, what) for what, (n, _) in expected.items() if n])
    return table


def print_table(tables, prefix=""):
    """A line for each sample: how many of each were right."""
    columns = Table.FACTS + Table.VERDICTS
    rows = [("", *columns)] + [(name, *("%d/%d" % (t.total[c] - min(t.missed(c), t.total[c]), t.total[c]) if t.total[c] else "" for c in columns))
                               for name, t in tables.items()]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print(prefix + "  ".join([row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]))


def share(tables, column):
    """(right, of) over all samples."""
    of = sum(t.total[column] for t in tables.values())
    return of - sum(min(t.missed(column), t.total[column]) for t in tables.values()), of


def goals(tables):
    """What the verdicts must reach over all captures together: (what, n, of, reached)."""
    tally = sum((t.tally for t in tables.values()), collections.Counter())
    forged = {said: n for (truth, said), n in tally.items() if truth == "truth yes"}
    found, wronged = forged.get("yes", 0) + forged.get("likely", 0), tally["truth no", "yes"]
    least = lambda what, pair, percent: (what, *pair, 100 * pair[0] >= percent * pair[1])
    return [least("kind", share(tables, "kind"), 98),
            least("provenance", share(tables, "provenance"), 95), least("cause", share(tables, "cause"), 95), least("root cause", share(tables, "root"), 95),
            least("exposure", share(tables, "exposure"), 95),
            least("misdirected found at likely or better", (found, sum(forged.values())), 95),
            ("misdirected proved (yes)", forged.get("yes", 0), sum(forged.values()), True),
            ("genuine called yes", wronged, sum(n for (truth, _), n in tally.items() if truth == "truth no"), wronged == 0),
            ("genuine called likely", tally["truth no", "likely"], sum(n for (truth, _), n in tally.items() if truth == "truth no"),
             tally["truth no", "likely"] == 0),
            ("hosts flagged that the truth clears", tally["innocent", True], tally["innocent", True] + tally["innocent", False], not tally["innocent", True]),
            ("guilty hosts missed", tally["guilty", False], tally["guilty", True] + tally["guilty", False], not tally["guilty", False])]


def print_goals(tables, prefix=""):
    for what, n, of, reached in goals(tables):
        print(prefix + "%-40s %4d of %4d%s" % (what, n, of, "" if reached else "  MISSED"))


def main():
    parser = argparse.ArgumentParser(description="What bouncetap says about samples, beside the truth.")
    parser.add_argument("--build", default=os.path.join(TOP, "build"))
    parser.add_argument("capture", nargs="*", help="PATH.pcap with PATH.conf and PATH.truth.json beside it; none: samples/pcaps")
    args = parser.parse_args()
    tables = {}
    for capture in args.capture or sorted(glob.glob(os.path.join(TOP, "samples/pcaps/*.pcap"))):
        base = os.path.splitext(capture)[0]
        tables[os.path.basename(base)] = compare(load_truth(base + ".truth.json"), Seen(args.build, capture, base + ".conf"))
    print_table(tables)
    print_goals(tables)
    for name, table in tables.items():
        for column, problems in table.problems.items():
            for problem in problems:
                print("%s: %s%s" % (name, "FACT " if column in Table.FACTS else "", problem))
    return any(table.missed(column) for table in tables.values() for column in Table.FACTS)


if __name__ == "__main__":
    sys.exit(main())
