"""OpenSMTPD and Sendmail that take any recipient for a backend and bounce what it refuses.

OpenSMTPD reports in multipart/mixed, without Auto-Submitted, and puts several mails into one connection, so that a
refused one is followed by the next. Both hand a notice to nobody on to the backend, and drop it when that refuses.
"""

from cast import Cast, count
from hosts import opensmtpd, sendmail

OWN = {"networks": ["192.0.2.0/24"], "domains": ["campus.example"]}
SMTPD, SM, BACKEND = "192.0.2.25", "192.0.2.26", "192.0.2.40"
SERVERS = {
    SMTPD: {"name": "smtpd.campus.example", "lists": {"backscatterer.org": True},
            "why": "takes any recipient, then bounces to forged senders"},
    SM: {"name": "sm.campus.example", "lists": {"backscatterer.org": True},
         "why": "takes any recipient, then bounces to forged senders"},
}
LAYERS = {"opensmtpd": ["opensmtpd"], "sendmail": ["sendmail-bin", "sendmail-cf", "m4"]}

SPAM = {"forged": True, "answers": ["bounce"], "fate": "bounced", "why": "spam with a forged sender to nobody: bounced"}
TYPO = {"forged": False, "answers": ["bounce"], "fate": "bounced", "why": "the real sender mistyped the recipient"}
HEARD = {"forged": True, "why": "spam with a forged sender to a user who exists: delivered, no answer"}
WROTE = {"forged": False, "why": "the real sender wrote this"}
LEFT = {"forged": False, "kind": "bounce", "fate": "dropped", "why": "a notice to nobody: must not be answered"}

SMTPD_CONF = """\
listen on 0.0.0.0
action "inside" relay host smtp://192.0.2.40
action "out" relay
match from any for domain "campus.example" action "inside"
match from local for any action "out"
"""


def play(lab):
    cast = Cast(lab, "campus.example")
    lab.host("backend", BACKEND)
    lab.sink("backend", BACKEND, "backend.campus.example", "unknown-user", "info@campus.example")
    lab.server(opensmtpd, "smtpd", "campus.example", SMTPD, main=SMTPD_CONF)
    lab.server(sendmail, "sm", "campus.example", SM, domains=[], access=["To:campus.example RELAY"],
               mailertable=[f"campus.example esmtp:[{BACKEND}]"])
    lab.capture()
    for server, suffix in ((SMTPD, ""), (SM, "2")):
        cast.spam(0, server, SPAM, f"sales{suffix}@bystander.example", "jobs")
        cast.spam(1, server, SPAM, f"boats{suffix}@harbour.example", "sales")
        cast.spam(2, server, SPAM, f"returns{suffix}@shop.example", "info", "admin1", "admin2")
        cast.spam(3, server, HEARD, f"news{suffix}@library.example", "info")
    cast.partner(SMTPD, cast.letter(TYPO, "orders", "inof"))
    cast.partner(SM, cast.letter(TYPO, "office", "inof"), cast.letter(WROTE, "orders", "info"))
    cast.partner(SM, cast.notice(LEFT, "former"))
    cast.partner(SMTPD, cast.notice(LEFT, "former"))
    lab.settle(quiet=7, timeout=45)


def check(truth):
    got = count(truth)
    wanted = {(server, "bounce", *rest): n for server in (SMTPD, SM)
              for rest, n in ((("yes", "accepted"), 2), (("yes", "rejected"), 1), (("no", "accepted"), 1))}
    assert got == wanted, f"{got} instead of {wanted}"
