"""Autoresponders that send from the null sender: Pigeonhole's sieve behind a Postfix and Exim's vacation, in seven languages.

They are what RFC 3834 asks for, marked as automatic replies, once for each sender; yet they answer spam as well, and its forged
senders never wrote. Neither answers notices or lists.
"""

from absences import ABSENCES, NAMES, encoded
from cast import TOLD, Cast, count
from hosts import exim

OWN = {"networks": ["192.0.2.0/24"], "domains": ["campus.example", "law.campus.example"]}
MX, MX2 = "192.0.2.25", "192.0.2.26"
SERVERS = {address: {"name": name, "lists": {"backscatterer.org": True}, "why": "users' autoresponders answer forged senders"}
           for address, name in ((MX, "mx.campus.example"), (MX2, "mx.law.campus.example"))}
LAYERS = {"postfix": ["postfix", "dovecot-core", "dovecot-sieve"], "exim": ["exim4-daemon-light"]}

AWAY = {"forged": True, "answers": ["autoreply"], "why": "spam to a user who is away: an autoresponder answers the forged sender"}
AWAY_GENUINE = {"forged": False, "answers": ["autoreply"], "why": "mail to a user who is away: an autoresponder answers"}
LIST = {"forged": False, "why": "mail of a list to a user who is away: not answered"}
PITCH = "Hello, our warehouse is closing. Everything must go.\n"

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
LDA = "/usr/local/bin/deliver-by-dovecot"
SIEVE = 'require ["vacation"];\nvacation :days 7 :subject "{subject}" "{text}";\n'
ROUTERS = """\
away:
  driver = accept
  domains = +local
  local_parts = dsearch;/etc/away
  condition = ${if and{{def:sender_address}{!def:h_list-id:}{!match{$h_auto-submitted:}{auto-}}}}
  unseen
  transport = away
users:
  driver = accept
  domains = +local
  check_local_user
  transport = mailbox
out:
  driver = dnslookup
  domains = !+local
  transport = smtp
"""
TRANSPORT = """\
away:
  driver = autoreply
  to = $sender_address
  from = $local_part_data@law.campus.example
  subject = ${readfile{/etc/away-subject/$local_part_data}{}}
  headers = Content-Type: text/plain; charset=utf-8\\nContent-Transfer-Encoding: 8bit
  file = /etc/away/$local_part_data
"""


def exim_files(root):
    for name in ("away", "away-subject"):
        (root / "etc" / name).mkdir()
    for language, name in NAMES.items():
        subject, text = ABSENCES[language]
        (root / "etc/away" / name).write_text(text)
        (root / "etc/away-subject" / name).write_text(encoded(subject))


def play(lab):
    cast = Cast(lab, "campus.example")
    users = list(NAMES.values())
    lab.postfix("mx", "campus.example", MX, users=users, main=[
        "mydestination = campus.example, $myhostname, localhost", "myorigin = campus.example", "mynetworks = 127.0.0.0/8",
        f"mailbox_command = /bin/sh {LDA}"])
    lab.file("mx", "/etc/dovecot/dovecot.conf", DOVECOT)
    lab.file("mx", LDA, 'exec /usr/lib/dovecot/dovecot-lda -f "$SENDER" -a "$RECIPIENT"\n')
    for language, name in NAMES.items():
        subject, text = ABSENCES[language]
        lab.file("mx", f"/home/{name}/.dovecot.sieve", SIEVE.format(subject=subject, text=text), owner=name)
    lab.server(exim, "mx2", "law.campus.example", MX2, users=users, prepare=exim_files, routers=ROUTERS, transports=TRANSPORT,
               main="domainlist local = law.campus.example\n", acl="  require domains = +local\n  require verify = recipient\n  accept\n")
    lab.capture()
    for server, domain, sign in ((MX, "campus.example", "s"), (MX2, "law.campus.example", "x")):
        for i, name in enumerate(users):
            user = f"{name}@{domain}"
            cast.spam(i % 5, server, AWAY, f"sales.{sign}{i}@{('bystander', 'shop', 'library')[i % 3]}.example", user, text=PITCH)
            cast.spam((i + 1) % 5, server, AWAY, f"boats.{sign}{i}@{('bakery', 'harbour')[i % 2]}.example", user, text=PITCH)
            if i % 2:
                cast.spam((i + 2) % 5, server, AWAY, f"mail.{sign}{i}@freemail.example", user, text=PITCH)
            cast.partner(server, cast.letter(AWAY_GENUINE, ("orders", "office", "desk")[i % 3], user, text="See you on Monday.\n"))
        user = f"{users[0]}@{domain}"
        cast.partner(server, cast.notice({**TOLD, "why": "a notice from outside: no autoresponder answers it"}, user),
                     cast.letter(LIST, "office", user, headers="List-Id: <club.partner.example>\nPrecedence: list\n"))
    lab.settle(quiet=5)


def check(truth):
    got = count(truth)
    assert sum(n for key, n in got.items() if key[1:3] == ("autoreply", "yes")) == 34, got
    assert {row["mail_from"] for row in truth["transactions"] if row["finding"]} == {"<>"}
