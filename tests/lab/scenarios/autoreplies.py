"""Autoresponders behind a Postfix: vacation, procmail with formail, pigeonhole's sieve; to writers and to forged senders.

Three users are away, each with another program. sieve sends from the null sender and marks its mail; vacation and
procmail send from the user's own address, and what they write looks much like a person's. None answers a notice.
"""

from cast import Cast, count

OWN = {"networks": ["192.0.2.0/24"], "domains": ["campus.example"]}
MX = "192.0.2.25"
SERVERS = {MX: {"name": "mx.campus.example", "lists": {"backscatterer.org": True},
                "why": "users' autoresponders answer forged senders"}}
LAYERS = {"postfix": ["postfix", "procmail", "vacation", "dovecot-core", "dovecot-sieve"]}

AWAY = {"forged": True, "answers": ["autoreply"],
        "why": "spam to a user who is away: an autoresponder answers the forged sender"}
AWAY_GENUINE = {"forged": False, "answers": ["autoreply"], "why": "mail to a user who is away: an autoresponder answers"}
WROTE = {"forged": False, "why": "the real sender wrote this"}
REFUSED = {"forged": True, "why": "spam refused at RCPT: the spammer's own problem"}
TOLD = {"forged": False, "kind": "bounce", "why": "a notice from outside: no autoresponder answers it"}

FILES = {
    "vera": {".vacation.msg": "Subject: away from my mail (was: $SUBJECT)\nPrecedence: bulk\n\n"
                              "I am on vacation until the end of the month.\n"},
    "paul": {".procmailrc": """\
SHELL=/bin/sh
SENDMAIL=/usr/sbin/sendmail
:0 Wc
* !^FROM_DAEMON
* !^X-Loop: paul@campus.example
| (formail -rt -A"Precedence: junk" -A"X-Loop: paul@campus.example"; echo "I am out of office this week.") | $SENDMAIL -oi -t
""",},
    "sina": {".dovecot.sieve": """\
require ["vacation"];
vacation :days 7 :addresses ["sina@campus.example"] "I am on leave and will answer next month.";
"""},
}
DOVECOT = """\
mail_location = maildir:~/Maildir
postmaster_address = postmaster@campus.example
ssl = no
protocol lda {
  mail_plugins = sieve
}
plugin {
  sieve = ~/.dovecot.sieve
}
"""
LDA = "/usr/local/bin/deliver-by-dovecot"   # in main.cf $SENDER would be one of its own parameters
COMMANDS = {
    "vera": "/usr/bin/vacation vera",
    "paul": "/usr/bin/procmail -t",
    "sina": f"/bin/sh {LDA}",
}


def prepare(lab):
    lab.file("mx", "/etc/dovecot/dovecot.conf", DOVECOT)
    lab.file("mx", LDA, 'exec /usr/lib/dovecot/dovecot-lda -f "$SENDER" -a "$RECIPIENT"\n')
    for user, files in FILES.items():
        for name, text in files.items():
            lab.file("mx", f"/home/{user}/{name}", text, owner=user)
    lab.run_as("mx", "vera", "vacation -i")


def play(lab):
    cast = Cast(lab, "campus.example")
    commands = ", ".join(f"{{{user} = {command}}}" for user, command in COMMANDS.items())
    lab.postfix("mx", "campus.example", MX, users=["info", *COMMANDS], main=[
        "mydestination = campus.example, $myhostname, localhost", "myorigin = campus.example", "mynetworks = 127.0.0.0/8",
        f"mailbox_command_maps = inline:{{ {commands} }}"])
    prepare(lab)
    lab.capture()
    for i, user in enumerate(COMMANDS):
        cast.spam(i, MX, AWAY, f"sales{i}@bystander.example", user)
        cast.spam(i + 1, MX, AWAY, f"boats{i}@harbour.example", user)
        cast.partner(MX, cast.letter(AWAY_GENUINE, ("orders", "office", "desk")[i], user))
        cast.partner(MX, cast.notice(TOLD, user))
    cast.partner(MX, cast.letter(WROTE, "orders", "info"))
    cast.spam(4, MX, REFUSED, "sales@shop.example", "nemo")
    lab.settle(quiet=4)


def check(truth):
    got = count(truth)
    wanted = {(MX, "autoreply", "yes", "accepted"): 3, (MX, "autoreply", "yes", "rejected"): 3,
              (MX, "autoreply", "no", "accepted"): 3}
    assert got == wanted, f"{got} instead of {wanted}"
    senders = {row["mail_from"] for row in truth["transactions"] if row["finding"]}
    assert senders == {"<>", "vera@campus.example", "paul@campus.example"}, senders
