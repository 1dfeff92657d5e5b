"""A Postfix with aliases to outside addresses: passing on a notice is no fault, bouncing what the target refuses is.

Mail to alumni of campus.example goes on to their mailboxes elsewhere, with its sender unchanged. A notice that came in
for one of them is passed on: not made here. Spam that is passed on and refused there, at RCPT or after DATA, comes back
as a bounce from us to the forged sender.
"""

from cast import Cast, count

OWN = {"networks": ["192.0.2.0/24"], "domains": ["campus.example"]}
FORWARDER = "192.0.2.25"
SERVERS = {
    FORWARDER: {"name": "mx.campus.example", "lists": {"backscatterer.org": True},
                "why": "bounces to forged senders what the targets of its forwarding refuse"},
}
LAYERS = {"postfix": ["postfix"]}

ALIASES = {"anna": "anna@library.example", "bert": "bert@bakery.example", "cleo": "cleo@freemail.example"}


def passed(name, **story):
    return {"passed_to": ALIASES[name], "fate": "delivered", **story}


WROTE = passed("anna", forged=False, why="the real sender wrote this to somebody whose mail is forwarded")
TOLD = passed("anna", forged=False, kind="bounce", why="a notice from outside, passed on: made elsewhere")
TOLD_REFUSED = passed("bert", forged=False, kind="bounce", fate="dropped",
                      why="a notice from outside, passed on and refused by the target")
SPAM_TAKEN = passed("anna", forged=True, why="spam, passed on; the target takes it")
SPAM_RCPT = passed("bert", forged=True, answers=["bounce"], fate="bounced",
                   why="spam, passed on; the target refuses it at RCPT")
SPAM_DATA = passed("cleo", forged=True, answers=["bounce"], fate="bounced",
                   why="spam, passed on; the target refuses its content")
GENUINE_DATA = passed("cleo", forged=False, answers=["bounce"], fate="bounced",
                      why="a genuine letter, passed on; the target refuses its content")
REFUSED = {"forged": True, "why": "spam refused at RCPT: the spammer's own problem"}


def play(lab):
    cast = Cast(lab, "campus.example")
    aliases = ", ".join(f"{{{name}@campus.example = {target}}}" for name, target in ALIASES.items())
    lab.postfix("mx", "campus.example", FORWARDER, users=["info"], main=[
        "mydestination = campus.example, $myhostname, localhost", "myorigin = campus.example", "mynetworks = 127.0.0.0/8",
        f"virtual_alias_maps = inline:{{ {aliases} }}"])
    lab.capture()
    cast.partner(FORWARDER, cast.letter(WROTE, "orders", "anna"))
    cast.partner(FORWARDER, cast.notice(TOLD, "anna"))
    cast.partner(FORWARDER, cast.notice(TOLD_REFUSED, "bert"))
    cast.spam(0, FORWARDER, SPAM_TAKEN, "news@shop.example", "anna")
    cast.spam(1, FORWARDER, SPAM_RCPT, "sales@bystander.example", "bert")
    cast.spam(2, FORWARDER, SPAM_DATA, "returns@shop.example", "cleo")
    cast.spam(3, FORWARDER, SPAM_DATA, "boats@harbour.example", "cleo")
    cast.spam(4, FORWARDER, REFUSED, "sales@shop.example", "nemo")
    cast.partner(FORWARDER, cast.letter(GENUINE_DATA, "office", "cleo"))
    lab.settle(quiet=4)


def check(truth):
    got = count(truth)
    wanted = {(FORWARDER, "bounce", "yes", "accepted"): 2, (FORWARDER, "bounce", "yes", "rejected"): 1,
              (FORWARDER, "bounce", "no", "accepted"): 1}
    assert got == wanted, f"{got} instead of {wanted}"
    passed_on = [row["kind"] for row in truth["transactions"] if row["provenance"] == "forwarded"]
    assert sorted(passed_on) == ["bounce"] * 2 + ["ordinary"] * 6, passed_on
