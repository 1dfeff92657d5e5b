"""Victims that refuse a bouncing Postfix and name the blocklist that it is on: in the banner, at MAIL, at RCPT, after DATA.

mx2 takes any recipient and bounces; it is on ips.backscatterer.org, and each of four victims' servers says so at
another place. They say nothing about the mail itself: the same refusal meets a correct bounce.
"""

from cast import HEARD, Cast, bounced, count

OWN = {"networks": ["192.0.2.0/24"], "domains": ["campus.example"]}
MX2, STORE = "192.0.2.26", "192.0.2.40"
SERVERS = {MX2: {"name": "mx2.campus.example", "lists": {"backscatterer.org": "listed"},
                 "why": "takes any recipient, then bounces to forged senders; is listed for it"}}
LAYERS = {"postfix": ["postfix"]}

SPAM = bounced(True, "spam with a forged sender to nobody: bounced")
TYPO = bounced(False, "the real sender mistyped the recipient; his server refuses the bounce all the same")
VICTIMS = ("accept", "unknown-user", "listed-banner", "listed-null", "listed-rcpt", "listed-data")


def play(lab):
    cast = Cast(lab, "campus.example", own_names={"store.campus.example": STORE}, victims=VICTIMS)
    lab.host("store", STORE)
    lab.sink("store", STORE, "store.campus.example", "unknown-user", "info@campus.example")
    lab.postfix("mx2", "campus.example", MX2, main=[
        "relay_domains = campus.example", f"relay_transport = smtp:[{STORE}]", "myorigin = campus.example", "mynetworks = 127.0.0.0/8",
        "smtp_skip_5xx_greeting = no"])   # a refused greeting is final, or the bounce would wait in the queue for days
    lab.capture()
    for n, domain in enumerate(("clinic", "brewery", "theatre", "garage", "bystander", "harbour")):
        cast.spam(n % 5, MX2, SPAM, f"sales@{domain}.example", f"user{n}")
    cast.spam(2, MX2, SPAM, "desk@clinic.example", "jobs")
    lab.send("v-listed-null", **cast.job("203.0.113.66", MX2, [cast.letter(TYPO, "hops@brewery.example", "inof")], "mx.victims-f.example"))
    cast.spam(4, MX2, HEARD, "bar@theatre.example", "info")
    lab.settle(quiet=3)


def check(truth):
    assert len({row["dest_ip"] for row in truth["transactions"] if row["names_list"]}) == 3
    assert len([row for row in truth["without_mail"] if row["names_list"]]) == 2, truth["without_mail"]
    assert sum(n for key, n in count(truth).items() if key[2] == "yes") == 5
