"""The same organisation as in busy, mended: recipients are known to the backup, nobody asks, nobody is away; the queue empties.

What was bounced before the fix to a server that greylists is still in mx2's queue and leaves in the first minutes. See busy_hour.py.
"""

import time

from busy_hour import CLEAN, GATE, LAYERS, MX1, MX2, NAMES, OWN, SPAM, Hour
from cast import count

SERVERS = {
    MX1: {"name": NAMES[MX1], "lists": {"backscatterer.org": False}, "why": "mended"},
    MX2: {"name": NAMES[MX2], "lists": {"backscatterer.org": True}, "why": "mended, but bounces from before are still in its queue"},
    GATE: {"name": NAMES[GATE], "lists": {"backscatterer.org": False}, "why": "mended"},
    CLEAN: {"name": NAMES[CLEAN], "lists": {"backscatterer.org": False}, "why": "refuses unknown users at RCPT"},
}
BUDGET_S = 1200


def play(lab):
    hour = Hour(lab, mended=True, seconds=900, seed=2)
    hour.schedule()
    for number in range(3):
        hour.cast.spam(number, MX2, SPAM, f"garden{number}@florist.example", f"before{number}", text="Everything must go.\n")
    time.sleep(2)
    hour.mend_backup()
    lab.quiet(1.5)
    lab.capture("tcp")
    hour.play()


def check(truth):
    got = count(truth)
    assert set(got) == {(MX2, "bounce", "yes", "rejected")}, got
    assert any(row["outcome"] == "accepted" and row["kind"] == "bounce" and row["src_ip"] == MX2 for row in truth["transactions"])
