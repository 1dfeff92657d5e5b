#!/usr/bin/env python3
"""Real messages of several corpora, made into a capture: every one found, its kind right, its headers to the letter.

TAP on standard output, the misses by name as comments. Needs ../shared (corpora and eml2pcap.py), which is no part of this repository.
"""
import csv
import email
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
BOUNCETAP = Path(os.environ.get("BUILD", ROOT / "build")) / "bouncetap"
CONFIG = "[own]\nnetworks = 192.0.2.0/24\n[privacy]\nsubject = all\n"
HEADERS = {"from": "From", "reply_to": "Reply-To", "subject": "Subject", "message_id": "Message-ID", "in_reply_to": "In-Reply-To",
           "references": "References", "auto_submitted": "Auto-Submitted", "list_id": "List-Id"}
KEPT = 4096         # LIMIT_HEADER_VALUE: longer values are cut
# By label: the kinds that count as right, and the share that must be. A report of a delay may be called a failure: senders mix them up, too.
WANTED = {"bounce/failed": ({"bounce"}, 0.99), "bounce-nonstd/failed": ({"bounce"}, 0.99), "bounce/delayed": ({"bounce", "delay-notice"}, 0.99),
          "bounce-nonstd/delayed": ({"bounce", "delay-notice"}, 0.99), "autoreply": ({"autoreply"}, 1), "mdn": ({"read-receipt"}, 1),
          "arf": ({"feedback-report"}, 1), "challenge": ({"challenge"}, 1), "listadmin": ({"list-notice"}, 1),
          "virusnotice": ({"content-notice"}, 1), "ordinary": ({"ordinary"}, 1 - 1 / 1562)}


def audit(folder):
    """(truth rows, transactions by client address, port and server)."""
    pcap, truth, config, events = (folder / name for name in ("corpora.pcap", "truth.tsv", "bouncetap.conf", "events.json"))
    subprocess.run([sys.executable, SHARED / "tools/eml2pcap.py", "--labels", SHARED / "corpora/labels.tsv", "--out", pcap,
                    "--truth", truth], check=True, stderr=subprocess.DEVNULL)
    config.write_text(CONFIG)
    subprocess.run([BOUNCETAP, "audit", "--config", config, "--events", events, pcap], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    with truth.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    found = {}
    with events.open(encoding="utf-8") as lines:
        for event in map(json.loads, lines):
            if event["event_type"] == "transaction":
                found[event["src_ip"], event["src_port"], event["dest_ip"]] = event
    return rows, found


def key_of(row):
    return row["client_ip"], int(row["client_port"]), row["server_ip"]


def as_sent(path):
    """The message as eml2pcap.py puts it on the wire, without dot-stuffing."""
    raw = Path(path).read_bytes().replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if raw[:5] == b"From " and b"\n" in raw:
        raw = raw.split(b"\n", 1)[1]
    lines = raw.split(b"\n")
    if lines and lines[-1] == b"":
        lines.pop()
    return b"".join(line + b"\r\n" for line in lines)


def header(message, name):
    """The raw value as Python has it: unfolded, stripped, invalid UTF-8 replaced. None when the field is absent."""
    for key, value in message._headers:      # raw, unlike message[name]
        if key.lower() == name.lower():
            text = value.replace("\r\n", "").replace("\n", "").replace("\r", "").strip(" \t")
            return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return None


def bare_id(text):
    return text[1:-1] if text and text.startswith("<") and text.endswith(">") else text


def why_not_compared(message, value):
    if message.defects:
        return "Python reports " + ", ".join(sorted({type(d).__name__ for d in message.defects}))
    if value and len(value.encode()) > KEPT:
        return "longer than what is kept"
    return None


def compare_headers(rows, found):
    wrong, left_out, compared = [], Counter(), 0
    for row in rows:
        event = found.get(key_of(row))
        if not event:
            continue
        message = email.message_from_bytes(as_sent(row["file"]))
        for key, name in HEADERS.items():
            wanted = header(message, name)
            if reason := why_not_compared(message, wanted):
                left_out[reason] += 1
                continue
            if key == "message_id":
                wanted = bare_id(wanted)
            compared += 1
            if (wanted or "") != (event[key] or ""):
                wrong.append(f"{row['file']}: {name}: {wanted!r} is {event[key]!r}")
    return wrong, left_out, compared


def kinds_right(rows, found, label):
    """(ok, what is true, misses) for one label."""
    kinds, share = WANTED[label]
    chosen = [row for row in rows if row["label"] == label]
    wrong = []
    for row in chosen:
        event = found.get(key_of(row))
        if not event or event["kind"] not in kinds:
            wrong.append(f"{row['file']}: {event and event['kind']} ({event and event['kind_rule']})")
    return len(wrong) <= (1 - share) * len(chosen) + 1e-9, f"{len(chosen) - len(wrong)} of {len(chosen)} of {label} are {' or '.join(sorted(kinds))}", wrong


BOUNCE_PARSER = """use Mail::DeliveryStatus::BounceParser;
while (my $path = <STDIN>) {
    chomp $path;
    open(my $in, '<', $path) or die "$path: $!";
    my $bounce = eval { Mail::DeliveryStatus::BounceParser->new($in) };
    print $bounce && $bounce->is_bounce && $bounce->reports ? "1" : "0", "\\n";
}
"""


FLUFL = """import email, sys
from flufl.bounce import all_failures
for path in sys.stdin.read().splitlines():
    try:
        with open(path, "rb") as f:
            print(int(any(all_failures(email.message_from_bytes(f.read())))))
    except Exception:       # it stumbles over some of these messages
        print(0)
"""


def answers_of(command, rows):
    """One bool for each message, whose paths go to the command; None when it cannot be run."""
    run = subprocess.run(command, input="".join(row["file"] + "\n" for row in rows), capture_output=True, text=True, check=False)
    answers = run.stdout.split()
    return [a == "1" for a in answers] if len(answers) == len(rows) else None


def by_flufl(rows):
    """Where flufl.bounce finds an address that failed, for good or not yet. Debian's package is for Debian's Python."""
    return answers_of([sys.executable, "-c", FLUFL], rows) or answers_of(["/usr/bin/python3", "-c", FLUFL], rows)


def by_bounce_parser(rows):
    """Where Mail::DeliveryStatus::BounceParser finds such an address."""
    return answers_of(["perl", "-e", BOUNCE_PARSER], rows)


def compare_parsers(rows, found):
    """A table for people: what this and two known parsers take for a bounce, by label."""
    ours = [found[key_of(row)]["kind"] in ("bounce", "delay-notice") if key_of(row) in found else False for row in rows]
    columns = [(name, answers) for name, answers in (("bouncetap", ours), ("flufl.bounce", by_flufl(rows)), ("BounceParser", by_bounce_parser(rows)))
               if answers is not None]
    print("# called a bounce     " + "".join(f"{name:>14}" for name, _ in columns) + f"{'of':>8}")
    for label in sorted(WANTED):
        chosen = [i for i, row in enumerate(rows) if row["label"] == label]
        print(f"# {label:<20}" + "".join(f"{sum(answers[i] for i in chosen):>14}" for _, answers in columns) + f"{len(chosen):>8}")


def report(number, ok, what, misses):
    print(f"{'ok' if ok else 'not ok'} {number} - {what}")
    for miss in misses:
        print(f"#   {miss}")


def main():
    if not (SHARED / "corpora/labels.tsv").exists():
        print("1..0 # SKIP needs ../shared")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        rows, found = audit(Path(folder))
    lost = [row["file"] for row in rows if key_of(row) not in found]
    headers, left_out, compared = compare_headers(rows, found)
    results = [(not lost, f"every one of {len(rows)} messages is found", lost)]
    results += [kinds_right(rows, found, label) for label in WANTED]
    results.append((not headers, f"{compared} headers are as Python reads them", headers))
    print(f"1..{len(results)}")
    for number, (ok, what, misses) in enumerate(results, 1):
        report(number, ok, what, misses)
    compare_parsers(rows, found)
    for reason, count in left_out.most_common():
        print(f"# {count} headers not compared: {reason}")
    return 0 if all(ok for ok, _, _ in results) else 1


if __name__ == "__main__":
    sys.exit(main())
