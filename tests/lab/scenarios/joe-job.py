"""A joe job: a swarm of hosts sends in one victim's name, and a Postfix and a Sendmail-like relay bounce it all to him.

The victim once wrote to us himself, and was answered, which acquits nobody of the flood. Another victim's server knows no
such user. mx1 is innocent in the same storm: it refuses the unknown users at RCPT.
"""

from cast import HEARD, REFUSED, SENT, WROTE, Cast, bounced, count
from letters import NOTE

OWN = {"networks": ["192.0.2.0/24"], "domains": ["campus.example"]}
MX1, MX2, STORE = "192.0.2.25", "192.0.2.26", "192.0.2.40"
SERVERS = {
    MX1: {"name": "mx1.campus.example", "lists": {"backscatterer.org": False}, "why": "refuses unknown users at RCPT"},
    MX2: {"name": "mx2.campus.example", "lists": {"backscatterer.org": True}, "why": "bounces a whole joe job to one victim"},
}
LAYERS = {"postfix": ["postfix"]}
SIZE = CHANCE.some(26)   # see fresh.py

JOE = bounced(True, "a joe job: one of many hosts writes to nobody in the victim's name: bounced")
PITCH = "Buy now.\nYou will not believe the price.\n"


def play(lab):
    cast = Cast(lab, "campus.example")
    lab.host("store", STORE)
    lab.sink("store", STORE, "store.campus.example", "unknown-user", "info@campus.example")
    common = ["relay_domains = campus.example", f"relay_transport = smtp:[{STORE}]", "myorigin = campus.example", "mynetworks = 127.0.0.0/8"]
    lab.postfix("mx1", "campus.example", MX1, main=[*common, "relay_recipient_maps = inline:{ {info@campus.example = x} }"])
    lab.postfix("mx2", "campus.example", MX2, main=common)
    swarm = cast.swarm(SIZE)
    lab.capture()
    lab.send("v-accept", **cast.job("198.51.100.25", MX1, [cast.letter(WROTE, "owner@shop.example", "info")], "mx.victims-a.example"))
    lab.hand_in("mx1", cast.post.letter(SENT, "info@campus.example", ["owner@shop.example"], "Re: minutes", NOTE, "mx1"))
    for start in range(0, SIZE, 4):   # four at a time
        lab.send_together("swarm", [
            cast.spam_job(swarm[i], MX2 if i % 3 else MX1, JOE if i % 3 else REFUSED, "owner@shop.example" if i % 4 else "captain@harbour.example",
                          f"user{i}", text=PITCH) for i in range(start, min(start + 4, SIZE))])
    cast.spam(0, MX2, HEARD, "owner@shop.example", "info", text=PITCH)
    lab.settle(quiet=3)


def check(truth):
    victims = {row["rcpt_to"][0]["address"] for row in truth["transactions"] if row["finding"]}
    assert victims == {"owner@shop.example", "captain@harbour.example"}, victims
    assert sum(count(truth).values()) == sum(1 for i in range(SIZE) if i % 3)
