"""Backscatter over IPv6, and across families: mail comes by one, the bounce leaves by the other.

mx2 has an address of each family and is one server to the configuration. Victims have IPv6 only, IPv4 only and both. A list of IPv4
addresses says nothing about the other one.
"""

from cast import HEARD, bounced, count
from letters import NOTE, PITCH, Post

IPV6 = True
OWN = {"networks": ["192.0.2.0/24", "2001:db8:25::/64"], "domains": ["campus.example"]}
MX2, MX2_6, STORE, STORE_6 = "192.0.2.26", "2001:db8:25::26", "192.0.2.40", "2001:db8:25::40"
SECTIONS = {"server mx2": {"addresses": [MX2, MX2_6]}}
SERVERS = {
    MX2: {"name": "mx2.campus.example", "lists": {"backscatterer.org": True}, "why": "takes any recipient, then bounces to forged senders"},
    MX2_6: {"name": "mx2.campus.example", "lists": {"backscatterer.org": "not-covered"}, "why": "the same by IPv6, which the list does not have"},
}
LAYERS = {"postfix": ["postfix"]}
BOT, BOT_6, PARTNER_6, PARTNER = "198.18.10.7", "2001:db8:b0:7::9", "2001:db8:c0:1::25", "198.19.40.25"
A_6, B, C, C_6 = "2001:db8:a0::25", "203.0.113.25", "198.51.100.25", "2001:db8:a2::25"

SPAM = bounced(True, "spam with a forged sender to nobody: bounced")
TYPO = bounced(False, "the real sender mistyped the recipient")


def play(lab):
    post = Post()
    lab.dns({"mx.victims-a.example": A_6, "mx.victims-b.example": B, "mx.victims-c.example": [C, C_6],
             "mail.partner.example": [PARTNER, PARTNER_6]},
            {"bystander.example": [(10, "mx.victims-a.example")], "harbour.example": [(10, "mx.victims-b.example")],
             "shop.example": [(10, "mx.victims-c.example")], "partner.example": [(10, "mail.partner.example")]})
    lab.outside_host("bots", BOT, BOT_6)
    lab.outside_host("partner", PARTNER, PARTNER_6)
    for name, addresses, behaviour in (("a", [A_6], "accept"), ("b", [B], "unknown-user"), ("c", [C, C_6], "accept")):
        lab.outside_host(f"victim-{name}", *addresses)
        for address in addresses:
            lab.sink(f"victim-{name}", address, f"mx.victims-{name}.example", behaviour)
    for address in (PARTNER, PARTNER_6):
        lab.sink("partner", address, "mail.partner.example", "unknown-user", "orders@partner.example")
    lab.host("store", STORE, STORE_6)
    lab.sink("store", STORE_6, "store.campus.example", "unknown-user", "info@campus.example")
    lab.postfix("mx2", "campus.example", MX2, also=[MX2_6], main=[
        "inet_protocols = all", "smtp_address_preference = ipv6", "relay_domains = campus.example", f"relay_transport = smtp:[{STORE_6}]",
        "myorigin = campus.example", "mynetworks = 127.0.0.0/8"])
    lab.capture()

    def send(host, source, server, *mails):
        lab.send(host, source=source, server=server, port=25, helo=f"{host}.access.example", hello="EHLO", quit=True, mails=list(mails))

    def spam(story, sender, recipient):
        return post.letter(story, sender, [f"{recipient}@campus.example"], "Closing sale", PITCH, "mailer.access.example")

    for source, server, sign in ((BOT, MX2, "4"), (BOT_6, MX2_6, "6")):
        for sender in ("sales@bystander.example", "boats@harbour.example", "team@shop.example"):
            send("bots", source, server, spam(SPAM, f"{sign}{sender}", f"user{sign}"))
        send("bots", source, server, spam(HEARD, "news@shop.example", "info"))
    letter = post.letter(TYPO, "orders@partner.example", ["inof@campus.example"], "minutes", NOTE, "mail.partner.example")
    send("partner", PARTNER_6, MX2_6, letter)
    lab.settle(quiet=3)


def check(truth):
    families = {(":" in row["src_ip"], ":" in row["cause"]["src_ip"]) for row in truth["transactions"] if row["finding"]}
    assert len(families) == 4, families
    assert sum(n for key, n in count(truth).items() if key[2] == "yes") == 6
