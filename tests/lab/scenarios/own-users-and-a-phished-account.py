"""Innocent, with guilty twins: a Postfix that reports to its own users, and to strangers for whom spammers write as its users.

Users authenticate on 587, from a desk and from outside; what they mistype, what is delayed and receipts that they asked for
go to their mailboxes on the store behind. Then one account is phished and one PC infected: both send in the name of
strangers, and the bounces go to these. The server took no mail from an unknown outsider; still the strangers never wrote.
"""

from cast import BOTS, SENT, WROTE, Cast, bounced, count
from letters import NOTE

OWN = {"networks": ["192.0.2.0/24"], "domains": ["campus.example"]}
MX, STORE, DESK, PC = "192.0.2.25", "192.0.2.40", "192.0.2.101", "192.0.2.102"
SERVERS = {MX: {"name": "mx.campus.example", "lists": {"backscatterer.org": True},
                "why": "bounces to strangers in whose name a phished account and an infected PC send"}}
LAYERS = {"postfix": ["postfix", "dovecot-core"]}

TYPO = bounced(False, "our own authenticated user mistyped: the notice goes to his mailbox")
LATE = {"forged": False, "answers": ["delay-notice"], "why": "our own user's mail waits: he is told"}
ASKED = {"forged": False, "answers": ["success-notice"], "why": "our own user asked for a receipt"}
PHISHED = bounced(True, "spam by a phished account in the name of a stranger")
INFECTED = bounced(True, "spam by an infected PC inside in the name of a stranger")

DOVECOT = """\
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain
passdb {
  driver = static
  args = password=correct-horse
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup
}
service auth {
  unix_listener /var/spool/postfix/private/auth {
    mode = 0666
  }
}
"""


def prepare(root):
    (root / "etc/dovecot/dovecot.conf").unlink()
    (root / "etc/dovecot/dovecot.conf").write_text(DOVECOT)


def play(lab):
    cast = Cast(lab, "campus.example", own_names={"store.campus.example": STORE}, victims=("accept", "unknown-user", "greylist"),
                servers={"greylist": {"patience": 3}, "partner": {"lacks": ["DSN"]}})
    lab.host("store", STORE)
    lab.host("desk", DESK)
    lab.host("pc", PC)
    lab.sink("store", STORE, "store.campus.example", "unknown-user", "info@campus.example", "ruth@campus.example",
             "omar@campus.example")
    lab.postfix("mx", "campus.example", MX, prepare=prepare, start="dovecot", main=[
        "relay_domains = campus.example", f"relay_transport = smtp:[{STORE}]", "myorigin = campus.example",
        "relay_recipient_maps = inline:{ {info@campus.example = x}, {ruth@campus.example = x}, {omar@campus.example = x} }",
        f"mynetworks = 127.0.0.0/8, {PC}/32", "smtpd_sasl_type = dovecot", "smtpd_sasl_path = private/auth",
        "delay_warning_time = 3s", "confirm_delay_cleared = no", "queue_run_delay = 3s", "minimal_backoff_time = 3s",
        "maximal_backoff_time = 3s"],
        services=["submission inet n - n - - smtpd -o smtpd_sasl_auth_enable=yes "
                  "-o smtpd_relay_restrictions=permit_sasl_authenticated,reject"])
    lab.capture()

    def user(host, source, name, story, *recipients, headers="", sender=None, **more):
        letter = cast.post.letter(story, sender or f"{name}@campus.example", list(recipients), "minutes", NOTE,
                                  f"{host}.campus.example", headers=headers, **more)
        lab.send(host, **cast.job(source, MX, [letter], f"{host}.campus.example", port=587, auth=[name, "correct-horse"]))

    user("desk", DESK, "ruth", SENT, "orders@partner.example")
    user("desk", DESK, "ruth", TYPO, "odrers@partner.example")
    user("desk", DESK, "ruth", TYPO, "sales@bystander.example", "boats@harbour.example")
    user("bigmail", "198.19.60.11", "omar", SENT, "office@partner.example")       # from a hotel
    user("bigmail", "198.19.60.11", "omar", TYPO, "k.laen@bigmail.example")
    user("desk", DESK, "omar", ASKED, "orders@partner.example", rcpt_params="NOTIFY=SUCCESS,FAILURE")
    user("desk", DESK, "omar", LATE, "garden@florist.example")
    cast.partner(MX, cast.letter(WROTE, "orders", "info"))

    user("bots", BOTS[0], "info", PHISHED, "a.smith@harbour.example", sender="press@bystander.example")
    user("bots", BOTS[0], "info", PHISHED, "b.jones@harbour.example", sender="quay@bakery.example")
    cast.spam(PC, MX, INFECTED, "team@shop.example", "c.brown@harbour.example", host="pc")
    cast.spam(PC, MX, INFECTED, "dock@harbour.example", "d.white@bakery.example", host="pc")
    lab.settle(quiet=4, timeout=60)


def check(truth):
    got = count(truth, "bounce", "delay-notice", "success-notice")
    inside = {key[1] for key in got if key[2] is None}
    assert inside == {"bounce", "delay-notice", "success-notice"}, got
    assert sum(n for key, n in got.items() if key[2] == "yes") == 4, got
    assert not any(row["exposure"] == "can-backscatter" for row in truth["transactions"]), "nobody from outside was answered"
