"""Innocent: Postfix and Exim that refuse in the dialogue, unknown users at RCPT and spam after DATA; nothing ever bounces.

mx refuses unknown users at RCPT and content by header_checks at the end of DATA, mx2 (Exim) both by its ACLs. Whoever is
refused must tell the sender himself, so spam with forged senders harms nobody. Also: our users' mail goes out, one user
mistypes and is told inside, the victims' servers never hear from us.
"""

from cast import MISTYPED, REFUSED, SENT, TOLD, WROTE, Cast, count
from hosts import exim
from letters import NOTE

OWN = {"networks": ["192.0.2.0/24"], "domains": ["campus.example"]}
MX, MX2 = "192.0.2.25", "192.0.2.26"
SERVERS = {
    MX: {"name": "mx.campus.example", "lists": {"backscatterer.org": False}, "why": "refuses at RCPT and after DATA"},
    MX2: {"name": "mx2.campus.example", "lists": {"backscatterer.org": False}, "why": "refuses at RCPT and after DATA"},
}
LAYERS = {"postfix": ["postfix"], "exim": ["exim4-daemon-light"]}

TYPO = {"forged": False, "answers": ["bounce"], "why": "our own user mistyped: the notice stays in his mailbox"}
ACL = "  require domains = +local\n  require verify = recipient\n  accept\n"
ROUTERS = ("users:\n  driver = accept\n  domains = +local\n  check_local_user\n  transport = mailbox\n"
           "out:\n  driver = dnslookup\n  domains = !+local\n  transport = smtp\n")
ACL_DATA = ("scan:\n  deny condition = ${if match{$h_subject:}{Closing sale}}\n"
            "    message = This message looks like spam\n  accept\n")


def play(lab):
    cast = Cast(lab, "campus.example")
    lab.postfix("mx", "campus.example", MX, users=["info", "helpdesk"], main=[
        "mydestination = campus.example, $myhostname, localhost", "myorigin = campus.example", "mynetworks = 127.0.0.0/8",
        "header_checks = regexp:{ {/^Subject: Closing sale/ REJECT spam} }"])
    lab.server(exim, "mx2", "campus.example", MX2, users=["info"], routers=ROUTERS, acl=ACL + ACL_DATA,
               main="domainlist local = campus.example\nacl_smtp_data = scan\n")
    lab.capture()
    for server, name in ((MX, "a"), (MX2, "b")):
        cast.spam(0, server, REFUSED, f"sales.{name}@bystander.example", "jobs")
        cast.spam(1, server, REFUSED, f"boats.{name}@harbour.example", "jobs", "admin")
        cast.spam(2, server, REFUSED, f"news.{name}@shop.example", "info")
        cast.spam(3, server, REFUSED, f"pier.{name}@harbour.example", "info", "nemo")
        cast.spam(4, server, REFUSED, f"books.{name}@library.example", "someone@bakery.example")
        cast.partner(server, cast.letter(WROTE, "orders", "info"), cast.letter(MISTYPED, "office", "inof"))
        cast.provider(server, cast.letter(MISTYPED, "k.lane@bigmail.example", "inof"))
        cast.partner(server, cast.notice(TOLD, "info"), cast.notice({**TOLD, "why": "a notice to nobody, refused"}, "former"))
    lab.hand_in("mx", cast.post.letter(SENT, "helpdesk@campus.example", ["orders@partner.example"], "ticket closed", NOTE, "mx"))
    lab.hand_in("mx", cast.post.letter(TYPO, "helpdesk@campus.example", ["offcie@partner.example"], "ticket closed", NOTE, "mx"))
    lab.settle(quiet=3)


def check(truth):
    assert not count(truth), count(truth)
    refused = {row["steps"]["client"].split()[-1] for row in truth["transactions"] if row["fate"] == "refused"}
    assert refused == {"RCPT", "."}, refused
