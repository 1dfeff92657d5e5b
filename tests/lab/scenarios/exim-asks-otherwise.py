"""Exim: callouts about the From of a mail, the postmaster of a domain, made-up addresses; and before a refusal.

heads asks about header senders behind the data, so the mail is refused when the answer is no. masters asks about the sender and the
postmaster of his domain. made asks about an address that it made up, and no more where the server takes everything. early asks about the sender
before it looks whether the recipient exists.
"""

from cast import Cast, count
from hosts import exim

OWN = {"networks": ["192.0.2.0/24"], "domains": ["campus.example"]}
HEADS, MASTERS, MADE, EARLY = "192.0.2.25", "192.0.2.26", "192.0.2.27", "192.0.2.28"
SERVERS = {
    HEADS: {"name": "heads.campus.example", "lists": {"backscatterer.org": True}, "why": "asks about forged header senders"},
    MASTERS: {"name": "masters.campus.example", "lists": {"backscatterer.org": True}, "why": "asks about forged senders and their postmasters"},
    MADE: {"name": "made.campus.example", "lists": {"backscatterer.org": True}, "why": "asks the servers of forged senders about made-up addresses"},
    EARLY: {"name": "early.campus.example", "lists": {"backscatterer.org": True}, "why": "asks about forged senders of what it refuses"},
}
LAYERS = {"exim": ["exim4-daemon-light"]}

ASKED = {"forged": True, "answers": ["callout"], "why": "spam: our server asks a server of the forged sender's domain"}
ASKED_GENUINE = {"forged": False, "answers": ["callout"], "why": "our server asks about the sender, who really wrote"}

DOMAINS = "domainlist local = campus.example\n"
USERS = "users:\n  driver = accept\n  domains = +local\n  check_local_user\n  transport = mailbox\n"
OUT = "out:\n  driver = dnslookup\n  domains = !+local\n  transport = smtp\n"
OURS, KNOWN, SENDER = "  require domains = +local\n", "  require verify = recipient\n", "  require verify = sender/callout=3s,defer_ok,no_cache"


def hosts(lab):
    for name, address, acl in (("masters", MASTERS, f"{OURS}{KNOWN}{SENDER},postmaster\n"), ("made", MADE, f"{OURS}{KNOWN}{SENDER},random\n"),
                               ("early", EARLY, f"{OURS}{SENDER}\n{KNOWN}")):
        lab.server(exim, name, "campus.example", address, users=["info"], main=DOMAINS, routers=USERS + OUT, acl=f"{acl}  accept\n")
    lab.server(exim, "heads", "campus.example", HEADS, users=["info"], main=f"{DOMAINS}acl_smtp_data = data\n", routers=USERS + OUT,
               acl=f"{OURS}{KNOWN}  accept\ndata:\n  require verify = header_sender/callout=3s,defer_ok,no_cache\n  accept\n")


def play(lab):
    cast = Cast(lab, "campus.example", victims=("accept", "unknown-user"))
    hosts(lab)
    lab.capture()
    for n, (sender, author) in enumerate((("news@shop.example", "sales@bystander.example"), ("tours@library.example", "boats@harbour.example"))):
        job = cast.spam_job(n, HEADS, ASKED, sender, "info")
        lab.send("bots", **{**job, "mails": [{**mail, "text": mail["text"].replace(f"From: {sender}", f"From: {author}")} for mail in job["mails"]]})
    cast.partner(HEADS, cast.letter(ASKED_GENUINE, "orders", "info"))
    for n, sender in enumerate(("team@shop.example", "crew@harbour.example", "books@library.example")):
        for server, name, recipient in ((MASTERS, "p", "info"), (MADE, "r", "info"), (EARLY, "e", "nemo")):
            lab.send("bots", **cast.spam_job(n, server, ASKED, f"{name}.{sender}", recipient))
    cast.partner(MASTERS, cast.letter(ASKED_GENUINE, "office", "info"))
    lab.settle(quiet=4)


def check(truth):
    got = count(truth)
    assert {key[0]: key[2] for key in got if key[1] == "callout" and key[2] == "yes"}.keys() == {HEADS, MASTERS, MADE, EARLY}, got
    assert sum(n for key, n in got.items() if key[:3] == (MASTERS, "callout", "yes")) == 6, got
