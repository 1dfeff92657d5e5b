"""A backup MX that accepts and bounces, but only to those who really wrote; its twin bounces spam, too, although SPF had failed.

mx-old takes any recipient, which is a defect, yet all its bounces go to the senders themselves: a partner who sends and
receives by one host, a big provider whose outgoing and incoming servers differ, a newsletter whose no-reply address refuses
the bounce, a sender who signs his envelope (BATV), one known from both directions. mx-spf checks SPF by a policy service,
which writes Received-SPF and refuses nothing: genuine senders passed, the forged ones had failed.
"""

from cast import PARTNER, PROVIDER_OUT, SENT, Cast, bounced, count
from letters import NOTE

OWN = {"networks": ["192.0.2.0/24"], "domains": ["campus.example"]}
OLD, SPF, STORE = "192.0.2.25", "192.0.2.26", "192.0.2.40"
SERVERS = {
    OLD: {"name": "mx-old.campus.example", "lists": {"backscatterer.org": False},
          "why": "takes any recipient, but only senders who wrote themselves got bounces"},
    SPF: {"name": "mx-spf.campus.example", "lists": {"backscatterer.org": True},
          "why": "bounces mail whose SPF check had failed"},
}
LAYERS = {"postfix": ["postfix", "postfix-policyd-spf-python"]}

TYPO = bounced(False, "the real sender mistyped the recipient")
BIG = bounced(False, "a user of a big provider, which sends and receives by different servers, mistyped the recipient")
NOREPLY = bounced(False, "a genuine newsletter to somebody who left; its no-reply address takes no bounces")
SIGNED = bounced(False, "the real sender, whose server signs envelopes (BATV), mistyped the recipient")
FAILED = bounced(True, "spam with a forged sender; SPF had failed, the server bounced nevertheless")

RELAY = ["relay_domains = campus.example", f"relay_transport = smtp:[{STORE}]", "myorigin = campus.example", "mynetworks = 127.0.0.0/8"]
POLICYD = "HELO_reject = False\nMail_From_reject = False\nPermError_reject = False\nTempError_Defer = False\ndebugLevel = 0\n"
RECORDS = {"partner.example": f"v=spf1 ip4:{PARTNER} -all",
           "bigmail.example": "v=spf1 " + " ".join(f"ip4:{address}" for address in PROVIDER_OUT) + " -all",
           "bystander.example": "v=spf1 ip4:198.51.100.25 -all", "harbour.example": "v=spf1 a:mx.victims-b.example ~all"}


def prepare(root):
    (root / "etc/postfix-policyd-spf-python/policyd-spf.conf").write_text(POLICYD)


def play(lab):
    cast = Cast(lab, "campus.example", own_names={"store.campus.example": STORE}, txt=RECORDS)
    lab.host("store", STORE)
    lab.sink("store", STORE, "store.campus.example", "unknown-user", "info@campus.example")
    lab.postfix("mx-old", "campus.example", OLD, main=RELAY)
    lab.postfix("mx-spf", "campus.example", SPF, prepare=prepare, main=[
        *RELAY, "policy_time_limit = 3600s",
        "smtpd_recipient_restrictions = reject_unauth_destination, check_policy_service unix:private/policyd-spf"],
        services=["policyd-spf unix - n n - 0 spawn user=nobody argv=/usr/bin/policyd-spf"])
    lab.capture()
    lab.hand_in("mx-old", cast.post.letter(SENT, "info@campus.example", ["desk@partner.example"], "minutes", NOTE, "mx-old"))
    cast.partner(OLD, cast.letter(TYPO, "desk", "inof"))
    cast.partner(OLD, cast.letter(SIGNED, "prvs=4512ab34cd=orders@partner.example", "ifno"))
    cast.provider(OLD, cast.letter(BIG, "k.lane@bigmail.example", "infos"))
    cast.provider(OLD, cast.letter(BIG, "m.weber@bigmail.example", "imfo"), out=1)
    cast.provider(OLD, cast.letter(NOREPLY, "no-reply@bigmail.example", "karen"), out=1)
    for sender, recipient in (("office", "inffo"), ("orders", "infoo")):
        cast.partner(SPF, cast.letter(TYPO, sender, recipient))
    cast.provider(SPF, cast.letter(BIG, "sam77@bigmail.example", "ino"))
    cast.spam(0, SPF, FAILED, "sales@bystander.example", "jobs")
    cast.spam(1, SPF, FAILED, "boats@harbour.example", "admin")
    cast.spam(2, SPF, FAILED, "k.lane@bigmail.example", "sales")
    lab.settle(quiet=3)


def check(truth):
    got = count(truth)
    assert sum(n for key, n in got.items() if key[:3] == (OLD, "bounce", "no")) == 5, got
    assert sum(n for key, n in got.items() if key[:3] == (SPF, "bounce", "yes")) == 3, got
    assert got[OLD, "bounce", "no", "rejected"] == 2, got     # no-reply, and BATV without its signature's server
