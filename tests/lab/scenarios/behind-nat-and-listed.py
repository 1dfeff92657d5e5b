"""Two servers with private addresses behind NAT: one sends backscatter; one is clean, but its public address is listed.

The world sees edge as 198.51.100.9 and clean as 198.51.100.10; the capture is inside and has the private ones. edge
takes any recipient and bounces. clean refuses unknown users; only the mailbox of a user who is over quota makes it
bounce, to genuine senders, and their servers refuse that as from a listed address, which they name.
"""

from cast import HEARD, MISTYPED, REFUSED, Cast, bounced, count

OWN = {"networks": ["10.20.30.0/24"], "domains": ["campus.example"]}
EDGE, CLEAN, STORE = "10.20.30.25", "10.20.30.26", "10.20.30.40"
PUBLIC_EDGE, PUBLIC_CLEAN = "198.51.100.9", "198.51.100.10"
SECTIONS = {"server edge": {"addresses": EDGE, "public": PUBLIC_EDGE}, "server clean": {"addresses": CLEAN, "public": PUBLIC_CLEAN}}
SERVERS = {
    EDGE: {"name": "edge", "lists": {"backscatterer.org": True}, "why": "takes any recipient, then bounces to forged senders"},
    CLEAN: {"name": "clean", "lists": {"backscatterer.org": "listed"},
            "why": "listed, as others say, but what it sends goes to those who wrote"},
}
LAYERS = {"postfix": ["postfix"]}

SPAM = bounced(True, "spam with a forged sender to nobody: bounced")
FULL = bounced(False, "genuine mail to a mailbox that is full; the sender's server refuses the bounce of a listed host")


def play(lab):
    cast = Cast(lab, "campus.example", victims=("accept", "unknown-user", "listed-null", "listed-data"))
    lab.host("store", STORE)
    lab.sink("store", STORE, "store.campus.example", "mailbox-full", "info@campus.example", "jobs@campus.example")
    lab.nat({PUBLIC_EDGE: EDGE, PUBLIC_CLEAN: CLEAN})
    common = ["relay_domains = campus.example", f"relay_transport = smtp:[{STORE}]", "myorigin = campus.example",
              "mynetworks = 127.0.0.0/8"]
    lab.postfix("edge", "campus.example", EDGE, main=common)
    lab.postfix("clean", "campus.example", CLEAN, main=[
        *common, "relay_recipient_maps = inline:{ {info@campus.example = x}, {full@campus.example = x} }"])
    lab.capture()
    cast.spam(0, PUBLIC_EDGE, SPAM, "sales@bystander.example", "admin")
    cast.spam(1, PUBLIC_EDGE, SPAM, "boats@harbour.example", "root")
    cast.spam(2, PUBLIC_EDGE, HEARD, "news@shop.example", "info")
    cast.spam(3, PUBLIC_CLEAN, REFUSED, "sales@bystander.example", "admin")
    cast.partner(PUBLIC_CLEAN, cast.letter(MISTYPED, "orders", "inof"))
    lab.send("v-listed-null", **cast.job("203.0.113.66", PUBLIC_CLEAN, [cast.letter(FULL, "hops@brewery.example", "full")],
                                         "mx.victims-f.example"))
    lab.send("v-listed-data", **cast.job("203.0.113.170", PUBLIC_CLEAN, [cast.letter(FULL, "oil@garage.example", "full")],
                                         "mx.victims-h.example"))
    lab.settle(quiet=3)


def check(truth):
    assert sum(bool(row.get("names_list")) for row in truth["transactions"]) == 2
    assert all(row["src_ip"].startswith("10.") or row["dest_ip"].startswith("10.") for row in truth["transactions"])
    assert {key[:3] for key in count(truth)} == {(EDGE, "bounce", "yes"), (CLEAN, "bounce", "no")}, count(truth)
