"""Exim: sender callouts (plain and random), bounces of unknown users by BDAT, an autoreply; and a call-ahead.

gate asks the sender's server about every sender, gate2 does so with a random address first: both list. mx3 takes any
recipient, bounces the unknown ones and answers for a user on holiday. front asks only its own next hop about
recipients and refuses at RCPT: innocent. The victims' servers accept, refuse with 550, or say nothing at all.
"""

from cast import Cast, count
from hosts import exim

OWN = {"networks": ["192.0.2.0/24"], "domains": ["campus.example"]}
GATE, GATE2, MX3, FRONT, BACKEND = "192.0.2.25", "192.0.2.26", "192.0.2.27", "192.0.2.28", "192.0.2.40"
SERVERS = {
    GATE: {"name": "gate.campus.example", "lists": {"backscatterer.org": True}, "why": "asks about forged senders"},
    GATE2: {"name": "gate2.campus.example", "lists": {"backscatterer.org": True},
            "why": "asks about forged senders, with a random address first"},
    MX3: {"name": "mx3.campus.example", "lists": {"backscatterer.org": True},
          "why": "takes any recipient, then bounces to forged senders; answers them for a user on holiday"},
    FRONT: {"name": "front.campus.example", "lists": {"backscatterer.org": False},
            "why": "asks its own next hop, refuses unknown users at RCPT"},
}
LAYERS = {"exim": ["exim4-daemon-light"]}

ASKED = {"forged": True, "answers": ["callout"], "why": "spam: our server asks the forged sender's server about him"}
ASKED_GENUINE = {"forged": False, "answers": ["callout"], "why": "our server asks about the sender, who really wrote"}
SPAM = {"forged": True, "answers": ["bounce"], "fate": "bounced", "why": "spam with a forged sender to nobody: bounced"}
TYPO = {"forged": False, "answers": ["bounce"], "fate": "bounced", "why": "the real sender mistyped the recipient"}
AWAY = {"forged": True, "answers": ["autoreply"], "why": "spam to a user on holiday, who answers the forged sender"}
AWAY_GENUINE = {"forged": False, "answers": ["autoreply"], "why": "mail to a user on holiday, who answers"}
REFUSED = {"forged": True, "why": "spam refused at RCPT without asking anybody outside"}
HEARD = {"forged": True, "why": "spam with a forged sender to a user who exists: delivered, no answer"}
WROTE = {"forged": False, "why": "the real sender wrote this"}
LEFT = {"forged": False, "kind": "bounce", "fate": "dropped", "why": "a notice to nobody: must not be answered"}
TOLD = {"forged": False, "kind": "bounce", "why": "a notice from outside: no callout, no answer"}

DOMAINS = "domainlist local = campus.example\n"
USERS_ROUTER = "users:\n  driver = accept\n  domains = +local\n  check_local_user\n  transport = mailbox\n"
OUT_ROUTER = "out:\n  driver = dnslookup\n  domains = !+local\n  transport = smtp\n"
VACATION_ROUTER = ("vacation:\n  driver = accept\n  domains = +local\n  local_parts = holiday\n  check_local_user\n"
                   "  condition = ${if def:sender_address}\n  unseen\n  transport = away\n")
VACATION = """\
away:
  driver = autoreply
  to = $sender_address
  from = holiday@campus.example
  subject = Re: $h_subject:
  text = I am on holiday until the end of the month.\\n
"""
ASK_ROUTER = ("inside:\n  driver = manualroute\n  domains = +local\n  route_list = * 192.0.2.40 byname\n"
              "  transport = smtp\n  self = send\n")


def gate(lab, name, address, callout):
    lab.server(exim, name, "campus.example", address, users=["info"], main=DOMAINS, routers=USERS_ROUTER + OUT_ROUTER, acl=(
        "  require domains = +local\n  require verify = recipient\n"
        f"  require verify = sender/callout=3s,defer_ok,no_cache{callout}\n  accept\n"))


def hosts(lab):
    lab.host("backend", BACKEND)
    lab.sink("backend", BACKEND, "backend.campus.example", "unknown-user", "info@campus.example")
    gate(lab, "gate", GATE, "")
    gate(lab, "gate2", GATE2, ",random")
    lab.server(exim, "mx3", "campus.example", MX3, users=["info", "holiday"], main=DOMAINS,
               routers=VACATION_ROUTER + USERS_ROUTER + OUT_ROUTER, transports=VACATION,
               acl="  accept domains = +local\n  deny\n")
    lab.server(exim, "front", "campus.example", FRONT, main=DOMAINS, routers=ASK_ROUTER + OUT_ROUTER, acl=(
        "  require domains = +local\n  require verify = recipient/callout=3s,no_cache\n  accept\n"))


def play(lab):
    cast = Cast(lab, "campus.example")
    hosts(lab)
    lab.capture()
    for server, suffix in ((GATE, ""), (GATE2, "2")):
        cast.spam(0, server, ASKED, f"sales{suffix}@bystander.example", "info")
        cast.spam(1, server, ASKED, f"boats{suffix}@harbour.example", "info")
        cast.spam(2, server, ASKED, f"tours{suffix}@museum.example", "info")
        cast.spam(3, server, REFUSED, "sales@shop.example", "nemo")
    cast.partner(GATE, cast.letter(ASKED_GENUINE, "orders", "info"))
    cast.partner(GATE2, cast.notice(TOLD, "info"))

    cast.spam(0, MX3, SPAM, "returns@shop.example", "jobs")
    cast.spam(1, MX3, SPAM, "crew@harbour.example", "sales", "info", "admin")
    cast.spam(2, MX3, AWAY, "desk@bystander.example", "holiday")
    cast.spam(3, MX3, AWAY, "pier@harbour.example", "holiday")
    cast.spam(4, MX3, HEARD, "news@shop.example", "info")
    cast.partner(MX3, cast.letter(TYPO, "office", "inof"))
    cast.partner(MX3, cast.letter(AWAY_GENUINE, "orders", "holiday"), cast.notice(LEFT, "former"))

    cast.spam(0, FRONT, REFUSED, "sales@shop.example", "contact")
    cast.partner(FRONT, cast.letter(WROTE, "office", "info"))
    lab.settle(quiet=5)


def check(truth):
    got = count(truth, "call-ahead")
    wanted = {        (GATE, "callout", "yes", "aborted"): 1, (GATE, "callout", "yes", "rejected"): 1,
        (GATE, "callout", "no", "aborted"): 1,
        (GATE2, "callout", "yes", "aborted"): 1, (GATE2, "callout", "yes", "rejected"): 2,
        (MX3, "bounce", "yes", "accepted"): 1, (MX3, "bounce", "yes", "rejected"): 1, (MX3, "bounce", "no", "accepted"): 1,
        (MX3, "autoreply", "yes", "accepted"): 1, (MX3, "autoreply", "yes", "rejected"): 1,
        (MX3, "autoreply", "no", "accepted"): 1,
        (FRONT, "call-ahead", None, "aborted"): 1, (FRONT, "call-ahead", None, "rejected"): 1,
    }
    assert got == wanted, f"{got} instead of {wanted}"
    assert len(truth["without_mail"]) == 2, truth["without_mail"]
