#!/usr/bin/env python3
"""Every event of every sample capture against schema/events.schema.json, and the order of the stream (TAP)."""
import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema

ROOT = Path(__file__).resolve().parent.parent
BOUNCETAP = Path(os.environ.get("BUILD", ROOT / "build")) / "bouncetap"
IDS = {"session": "session_id", "transaction": "transaction_id", "finding": "finding_id", "refusal": "refusal_id"}
SHOWN = 5


def events_of(pcap):
    config = pcap.with_suffix(".conf")
    own = ["--config", config] if config.exists() else ["--guess-own"]
    run = subprocess.run([BOUNCETAP, "audit", *own, "--events", "-", pcap], capture_output=True, check=False)
    if run.returncode:
        raise RuntimeError(f"exit status {run.returncode}: {run.stderr.decode(errors='replace')}")
    return [json.loads(line) for line in run.stdout.decode("utf-8", "strict").splitlines()]


def misfits(validators, event):
    """Errors of the one part of the schema that this event's type has: shorter than those of oneOf."""
    validator = validators.get(event.get("event_type"))
    if not validator:
        return [f"event_type {event.get('event_type')!r} is unknown"]
    return [f"{event['event_type']}: {'/'.join(map(str, error.absolute_path))}: {error.message}" for error in validator.iter_errors(event)]


def out_of_order(events):
    """Ordered by end; within one type, equal ends by id."""
    wrong = [f"{b['event_type']} {b['ended']} after {a['ended']}" for a, b in zip(events, events[1:]) if a["ended"] > b["ended"]]
    for kind, key in IDS.items():
        keys = [(event["ended"], event[key]) for event in events if event["event_type"] == kind]
        if keys != sorted(keys):
            wrong.append(f"{kind} events with equal ends are not ordered by {key}")
        if len(keys) != len({key for _, key in keys}):
            wrong.append(f"a {key} is there twice")
    return wrong


def main():
    schema = json.loads((ROOT / "schema/events.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft7Validator.check_schema(schema)
    validators = {name: jsonschema.Draft7Validator({"$ref": f"#/definitions/{name}", "definitions": schema["definitions"]})
                  for name in ("session", "transaction", "finding", "risk", "refusal", "capture")}
    pcaps = sorted((ROOT / "samples/pcaps").glob("*.pcap"))
    failed = 0
    print(f"1..{2 * len(pcaps) + 1}")
    print(f"{'ok' if pcaps else 'not ok'} 1 - there are samples")
    for number, pcap in enumerate(pcaps):
        try:
            events = events_of(pcap)
            errors = [error for event in events for error in misfits(validators, event)]
            order = out_of_order(events)
        except (RuntimeError, ValueError) as error:
            events, errors, order = [], [str(error)], [str(error)]
        for offset, (what, wrong) in enumerate(((f"{len(events)} events fit the schema", errors), ("events are in order", order))):
            failed += bool(wrong)
            print(f"{'not ok' if wrong else 'ok'} {2 * number + offset + 2} - {pcap.stem}: {what}")
            for line in wrong[:SHOWN]:
                print(f"#   {line}")
    return 1 if failed or not pcaps else 0


if __name__ == "__main__":
    sys.exit(main())
