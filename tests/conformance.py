"""Holds what bouncetap says about a capture against the truth file recorded with it (samples/README.md). Used by check_samples and check_lab.

tests/known-misses lists what it cannot tell yet, as `NAME: what: why`; `what` is a problem in the words that are printed here. They
are counted and printed as misses, and an entry that is missed no longer fails, so that the list cannot rot."""
import json, os, subprocess

LIST_IDS = {"backscatterer.org": "backscatterer"}
KNOWN_MISSES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "known-misses")


def known_misses(capture):
    """What must be missed in a capture: {problem: [how often, why]}."""
    found = {}
    with open(KNOWN_MISSES, encoding="utf-8") as f:
        for line in f:
            if line.strip() and not line.startswith("#"):
                name, rest = line.strip().split(": ", 1)
                what, why = rest.rsplit(": ", 1)
                if name == capture:
                    found.setdefault(what, [0, why])[0] += 1
    return found


class Tap:
    """Numbers and prints test results."""

    def __init__(self):
        self.n = 0
        self.expected = {}     # known misses that are still to come

    def check(self, name, problems):
        self.n += 1
        problems, met = [str(p) for p in problems], []
        for what, (times, why) in self.expected.items():
            while times and what in problems:
                problems.remove(what)
                met.append("known miss: %s (%s)" % (what, why))
                times -= 1
            self.expected[what][0] = times
        name += " (%d known to be missed)" % len(met) if met else ""
        print(("not ok" if problems else "ok") + " %d - %s" % (self.n, name))
        for p in (problems + met)[:40]:
            print("#   " + str(p).replace("\n", "\n#   "))

    def end(self):
        print("1..%d" % self.n)


def audit(build, capture, config, work):
    """Events of `bouncetap audit`, and the text that it prints."""
    events = os.path.join(work, "events.json")
    run = subprocess.run([os.path.join(build, "bouncetap"), "audit", "--config", config, "--events", events, capture],
                         capture_output=True, text=True, timeout=300)
    if run.returncode:
        raise RuntimeError("audit %s: exit %d\n%s%s" % (capture, run.returncode, run.stdout, run.stderr))
    with open(events, encoding="utf-8") as f:
        return [json.loads(line) for line in f], run.stdout


def connection(row):
    return tuple(row[k] for k in ("src_ip", "src_port", "dest_ip", "dest_port"))


def key(row):
    """Recipients are a set: between real servers the truth has them in another order."""
    return connection(row) + (row["mail_from"], tuple(sorted(r["address"] for r in row["rcpt_to"])))


def words(row):
    """A transaction for people, without what differs from run to run."""
    rcpts = ", ".join(sorted(r["address"] for r in row["rcpt_to"]))
    return "%s > %s from %s to %s" % (row["src_ip"], row["dest_ip"], row["mail_from"], rcpts)


def bare(message_id):
    return message_id.strip("<>") if message_id else None


def match(truth, events):
    """Pairs of truth row and transaction event, and what has no partner on either side."""
    seen = {}
    for e in events:
        if e["event_type"] == "transaction":
            seen.setdefault(key(e), []).append(e)
    pairs, missing = [], []
    for t in truth["transactions"]:
        found = seen.get(key(t))
        if found:
            pairs.append((t, found.pop(0)))
        else:
            missing.append(t)
    return pairs, missing, [e for rest in seen.values() for e in rest]


def facts_differ(t, e):
    problems = []
    for field in ("direction", "outcome", "code", "enhanced", "queue_id"):
        if t[field] != e[field]:
            problems.append("%s is %r, truth %r" % (field, e[field], t[field]))
    if bare(t["message_id"]) != e["message_id"]:
        problems.append("message_id is %r, truth %r" % (e["message_id"], t["message_id"]))
    codes = lambda row: sorted((r["address"], r["code"], r["enhanced"]) for r in row["rcpt_to"])
    if codes(t) != codes(e):
        problems.append("recipients are %r, truth %r" % (codes(e), codes(t)))
    return ["%s: %s" % (words(t), p) for p in problems]


def kind_differs(t, e):
    right = {t["kind"]}
    if t["kind"] not in ("ordinary", "callout", "call-ahead") and t["mail_from"] == "<>" and not t["message_id"]:
        right.add("automated-unknown")
    return [] if e["kind"] in right else ["%s: kind %s (%s), truth %s" % (words(t), e["kind"], e["kind_rule"], t["kind"])]


def provenance_differs(t, e):
    return ["%s: provenance %s, truth %s" % (words(t), e["provenance"], t["provenance"])] if t["provenance"] and e["provenance"] != t["provenance"] else []


def cause_differs(t, e, finding, by_id):
    """The cause must be the very transaction; where only an envelope was seen, a cause is not required."""
    cause = by_id.get(finding["cause"]["transaction_id"]) if finding["cause"] else None
    if cause is None:
        return ["%s: no cause" % (words(t),)] if t["message_id"] else []
    if connection(cause) != connection(t["cause"]) or cause["mail_from"] != t["cause"]["mail_from"]:
        return ["%s: cause %s, truth %s" % (words(t), words(cause), t["cause"])]
    return []


def root_differs(t, finding):
    root = finding["root_cause"]
    if not t["root_cause"] or not t["message_id"]:
        return []
    right = [(r["code"], r["enhanced"]) for r in t["root_cause"]]
    if root is None or (root["code"], root["enhanced"]) not in right:
        return ["%s: root cause %s, truth %s" % (words(t), root, right)]
    return []


def misdirected_differs(t, finding):
    """Never accuse an innocent; a guilty one is at least likely where there was a message to look at."""
    said = finding["misdirected"]
    if t["misdirected"] == "no" and said in ("yes", "likely"):
        return ["%s: misdirected %s, truth no" % (words(t), said)]
    if t["misdirected"] == "yes" and (said == "no" or (t["message_id"] and said not in ("yes", "likely"))):
        return ["%s: misdirected %s, truth yes" % (words(t), said)]
    return []


def exposure_differs(t, finding):
    """Never acquit a server that answered an outsider; where a message was seen, say so."""
    said = finding["exposure"]
    if said != t["exposure"] and (said == "no" or t["message_id"]):
        return ["%s: exposure %s, truth %s" % (words(t), said, t["exposure"])]
    return []


def servers_differ(truth, events):
    problems = []
    status = {(e["address"], e["list"]): e["status"] for e in events if e["event_type"] == "risk"}
    for s in truth["servers"]:
        for name, must in s["lists"].items():
            said = status.get((s["address"], LIST_IDS.get(name, name)), "no risk event")
            if (said in ("would-list", "listed")) != must:
                problems.append("%s on %s: %s, truth %s" % (s["address"], name, said, "flagged" if must else "clear"))
    return problems


def conform(tap, name, truth, events):
    pairs, missing, extra = match(truth, events)
    tap.expected = known_misses(os.path.splitext(truth["capture"])[0])
    by_id = {e["transaction_id"]: e for e in events if e["event_type"] == "transaction"}
    findings = {}
    for f in events:
        if f["event_type"] == "finding":
            findings.setdefault(f["finding_id"].rsplit(":", 1)[0], []).append(f)
    tap.check(name + ": every transaction is found, none is invented", [key(m) for m in missing] + [key(x) for x in extra])
    tap.check(name + ": envelopes and replies", [p for t, e in pairs for p in facts_differ(t, e)])
    tap.check(name + ": kinds", [p for t, e in pairs for p in kind_differs(t, e)])
    tap.check(name + ": provenance", [p for t, e in pairs for p in provenance_differs(t, e)])
    wrong = ["%s: finding %s, truth %s" % (words(t), e["transaction_id"] in findings, t["finding"]) for t, e in pairs
             if (e["transaction_id"] in findings) != bool(t["finding"])]
    tap.check(name + ": findings are the mails that servers made for strangers", wrong)
    judged = [(t, e, f) for t, e in pairs if t["finding"] for f in findings.get(e["transaction_id"], [])]
    tap.check(name + ": causes", [p for t, e, f in judged for p in cause_differs(t, e, f, by_id)])
    tap.check(name + ": root causes", [p for t, e, f in judged for p in root_differs(t, f)])
    tap.check(name + ": misdirected", [p for t, e, f in judged for p in misdirected_differs(t, f)])
    tap.check(name + ": exposure", [p for t, e, f in judged for p in exposure_differs(t, f)])
    tap.check(name + ": servers on lists", servers_differ(truth, events))
    left = [what for what, (times, _) in tap.expected.items() if times]
    tap.expected = {}
    tap.check(name + ": what tests/known-misses lists is missed still", left)
