"""Courier: what its users forward to dead addresses is bounced, several bounces in one connection; relayed mail it drops instead.

cour takes mail for its users, whose .courier files send it on; what the targets refuse goes to the senders, forged or not. Courier keeps
the connection to a victim's server open, so bounces follow each other in it, and leaves no Auto-Submitted. It drops bounces of
mail that it only relays (BOFHSUPPRESSBACKSCATTER, its default), so coubk is innocent though it takes any recipient.
"""

from cast import Cast, count
from hosts import courier

OWN = {"networks": ["192.0.2.0/24"], "domains": ["campus.example", "law.campus.example"]}
COUR, COUBK, STORE = "192.0.2.25", "192.0.2.26", "192.0.2.40"
SERVERS = {
    COUR: {"name": "cour.campus.example", "lists": {"backscatterer.org": True},
           "why": "bounces to forged senders what the targets of its forwarding refuse"},
    COUBK: {"name": "coubk.campus.example", "lists": {"backscatterer.org": False}, "why": "takes any recipient, but drops the bounces"},
}
LAYERS = {"courier": ["courier-mta", "courier-authdaemon"]}

TARGETS = {"bert": "bert@bakery.example", "cleo": "cleo@freemail.example", "anna": "anna@library.example"}


def passed(name, forged, why, **more):
    return {"passed_to": TARGETS[name], "forged": forged, "why": why, **more}


DEAD = passed("bert", True, "spam, passed on; the target refuses it at RCPT", answers=["bounce"], fate="bounced")
CONTENT = passed("cleo", True, "spam, passed on; the target refuses its content", answers=["bounce"], fate="bounced")
GENUINE = passed("bert", False, "a genuine letter, passed on; the target refuses it", answers=["bounce"], fate="bounced")
TAKEN = passed("anna", False, "a genuine letter, passed on; the target takes it")
DROPPED = {"forged": True, "fate": "dropped", "why": "spam to nobody, relayed and refused inside: Courier drops the bounce"}


def play(lab):
    cast = Cast(lab, "campus.example", own_names={"store.campus.example": STORE})
    lab.host("store", STORE)
    lab.sink("store", STORE, "store.campus.example", "unknown-user", "info@law.campus.example")
    lab.server(courier, "cour", "campus.example", COUR, users=list(TARGETS), locals=["campus.example"])
    for name, target in TARGETS.items():
        lab.file("cour", f"/home/{name}/.courier", f"! {target}\n", owner=name)
    lab.server(courier, "coubk", "campus.example", COUBK, locals=[], domains=["law.campus.example"],
               routes=[f"law.campus.example: {STORE}"])
    lab.capture()
    cast.spam(0, COUR, DEAD, "sales@bystander.example", "bert")
    cast.spam(1, COUR, DEAD, "team@shop.example", "bert")
    cast.spam(2, COUR, DEAD, "boats@harbour.example", "bert")
    cast.spam(3, COUR, CONTENT, "books@library.example", "cleo")
    cast.spam(4, COUR, CONTENT, "crew@harbour.example", "cleo")
    cast.partner(COUR, cast.letter(TAKEN, "orders", "anna"), cast.letter(GENUINE, "office", "bert"))
    cast.spam(0, COUBK, DROPPED, "desk@bystander.example", "jobs@law.campus.example")
    cast.spam(1, COUBK, DROPPED, "pier@harbour.example", "admin@law.campus.example")
    lab.settle(quiet=8, timeout=60)
    lab.quiet(60, timeout=90)   # it keeps connections open


def check(truth):
    got = count(truth)
    assert {key[0] for key in got} == {COUR}, got
    assert sum(n for key, n in got.items() if key[2] == "yes") == 5, got
    assert max(row["n"] for row in truth["transactions"] if row["direction"] == "outbound") > 1, "no connection was used twice"
