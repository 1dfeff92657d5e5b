"""A hoster's tenants: mail between them crosses a border, backscatter to the neighbour is backscatter.

Two tenants have a mail server each in the hoster's network. a takes any recipient and bounces; a spammer forges a user of b,
and the bounce goes next door. b refuses unknown users. Mail that a's and b's users really write is ordinary.
"""

from cast import HEARD, MISTYPED, SENT, Cast, bounced, count
from letters import NOTE

OWN = {"networks": ["192.0.2.0/24"], "domains": []}
TENANTS = {"atelier": {"networks": ["192.0.2.16/28"], "domains": ["atelier.example"]},
           "brasserie": {"networks": ["192.0.2.32/28"], "domains": ["brasserie.example"]}}
A, B, STORE = "192.0.2.20", "192.0.2.36", "192.0.2.21"
SERVERS = {
    A: {"name": "mx.atelier.example", "lists": {"backscatterer.org": True}, "why": "takes any recipient, then bounces to forged senders"},
    B: {"name": "mx.brasserie.example", "lists": {"backscatterer.org": False}, "why": "refuses unknown users at RCPT"},
}
LAYERS = {"postfix": ["postfix"]}

NEXT_DOOR = bounced(True, "spam in the name of a neighbour's user to nobody: the bounce goes next door")
SPAM = bounced(True, "spam with a forged sender to nobody: bounced")
TYPO = bounced(False, "a neighbour's user really wrote and mistyped: the bounce goes next door, rightly")


def play(lab):
    cast = Cast(lab, "atelier.example", own_names={"mxa.atelier.example": A, "mxb.brasserie.example": B},
                own_mx={"atelier.example": [(10, "mxa.atelier.example")], "brasserie.example": [(10, "mxb.brasserie.example")]})
    lab.host("store", STORE)
    lab.sink("store", STORE, "store.atelier.example", "unknown-user", "info@atelier.example")
    lab.postfix("mxa", "atelier.example", A, main=[
        "relay_domains = atelier.example", f"relay_transport = smtp:[{STORE}]", "myorigin = atelier.example", "mynetworks = 127.0.0.0/8"])
    lab.postfix("mxb", "brasserie.example", B, users=["chef", "bar"], main=[
        "mydestination = brasserie.example, localhost", "myorigin = brasserie.example", "mynetworks = 127.0.0.0/8"])
    lab.capture()
    cast.spam(0, A, SPAM, "sales@bystander.example", "jobs")
    cast.spam(1, A, NEXT_DOOR, "chef@brasserie.example", "admin")
    cast.spam(2, A, NEXT_DOOR, "nobody@brasserie.example", "root")
    cast.spam(3, A, HEARD, "news@shop.example", "info")

    def user(story, recipient):
        lab.hand_in("mxb", cast.post.letter(story, "bar@brasserie.example", [recipient], "menu", NOTE, "mxb.brasserie.example"))

    user(SENT, "info@atelier.example")
    user(TYPO, "inof@atelier.example")
    user(SENT, "orders@partner.example")
    cast.partner(B, cast.letter(MISTYPED, "orders", "waiter@brasserie.example"))
    lab.settle(quiet=3)


def check(truth):
    got = count(truth)
    assert sum(n for key, n in got.items() if key[:3] == (A, "bounce", "yes")) == 3, got
    assert sum(n for key, n in got.items() if key[:3] == (A, "bounce", "no")) == 1, got
