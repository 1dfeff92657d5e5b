"""A busy quarter of an hour of an organisation with four servers: backup MX, callouts, absences and a dead alias, amid ordinary mail.

See busy_hour.py. busy-after-the-fix has the same servers a little later, mended.
"""

from busy_hour import CLEAN, GATE, LAYERS, MX1, MX2, NAMES, OWN, Hour
from cast import count

SERVERS = {
    MX1: {"name": NAMES[MX1], "lists": {"backscatterer.org": True}, "why": "users' autoresponders answer forged senders; a dead alias bounces"},
    MX2: {"name": NAMES[MX2], "lists": {"backscatterer.org": True}, "why": "takes any recipient, then bounces to forged senders"},
    GATE: {"name": NAMES[GATE], "lists": {"backscatterer.org": True}, "why": "asks about forged senders"},
    CLEAN: {"name": NAMES[CLEAN], "lists": {"backscatterer.org": False}, "why": "refuses unknown users at RCPT"},
}
BUDGET_S = 1200


def play(lab):
    hour = Hour(lab, mended=False, seconds=900, seed=1)
    hour.schedule()
    lab.capture("tcp")
    hour.play()


def check(truth):
    got = count(truth)
    kinds = {(key[0], key[1]) for key in got if key[2] == "yes"}
    assert kinds == {(MX1, "autoreply"), (MX1, "bounce"), (MX2, "bounce"), (GATE, "callout")}, got
