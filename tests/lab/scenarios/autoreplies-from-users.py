"""Autoresponders that write as the user: vacation, procmail with formail, mailbot, in seven languages.

Their answers bear the user's own address as envelope sender, and most have no marker but Precedence or nothing at all. Each user
answers spammers' victims, one who exists and one who does not, and a genuine writer.
"""

from absences import ABSENCES, NAMES, encoded
from cast import TOLD, Cast, count

OWN = {"networks": ["192.0.2.0/24"], "domains": ["campus.example"]}
MX = "192.0.2.25"
SERVERS = {MX: {"name": "mx.campus.example", "lists": {"backscatterer.org": None},
                "why": "users' autoresponders answer forged senders, in the users' names"}}
LAYERS = {"postfix": ["postfix", "procmail", "vacation", "maildrop"]}
BUDGET_S = 180

AWAY = {"forged": True, "answers": ["autoreply"], "why": "spam to a user who is away: an autoresponder answers the forged sender"}
AWAY_GENUINE = {"forged": False, "answers": ["autoreply"], "why": "mail to a user who is away: an autoresponder answers"}
PITCH = "Hello, our warehouse is closing. Everything must go.\n"

PROCMAIL = """\
SHELL=/bin/sh
:0 Wc
* !^FROM_DAEMON
* !^X-Loop: {address}
| (formail -rt -A"Precedence: {precedence}" -I"Subject: {subject}" -A"X-Loop: {address}" \\
   -A"Content-Type: text/plain; charset=utf-8" -A"Content-Transfer-Encoding: 8bit"; cat {home}/away.txt) | /usr/sbin/sendmail -oi -t -f {address}
"""
MAILBOT = "exec mailbot -t {home}/away.txt -c utf-8 -s '{subject}' -A 'From: {address}' -d {home}/answered /usr/sbin/sendmail -oi -t -f {address}\n"


def vacation(user, address, home, subject, text):
    return f"/usr/bin/vacation {user}", {".vacation.msg": (
        f"Subject: {encoded(subject)}\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n{text}")}


def procmail(user, address, home, subject, text):
    precedence = "junk" if user[0] in "efp" else "bulk"
    return "/usr/bin/procmail -t", {"away.txt": text, ".procmailrc": PROCMAIL.format(
        address=address, home=home, subject=encoded(subject), precedence=precedence)}


def mailbot(user, address, home, subject, text):
    return f"/bin/sh {home}/answer", {"away.txt": text, "answer": MAILBOT.format(address=address, home=home, subject=subject.replace("'", "'\\''"))}


PROGRAMS = {"v": vacation, "p": procmail, "m": mailbot}


def play(lab):
    cast = Cast(lab, "campus.example")
    users = {f"{name}{letter}": (PROGRAMS[letter], *ABSENCES[language]) for language, name in NAMES.items() for letter in PROGRAMS}
    made = {user: program(user, f"{user}@campus.example", f"/home/{user}", subject, text)
            for user, (program, subject, text) in users.items()}
    commands = ", ".join(f"{{{user} = {command}}}" for user, (command, _) in made.items())
    lab.postfix("mx", "campus.example", MX, users=list(users), main=[
        "mydestination = campus.example, $myhostname, localhost", "myorigin = campus.example", "mynetworks = 127.0.0.0/8",
        f"mailbox_command_maps = inline:{{ {commands} }}"])
    for user, (command, files) in made.items():
        for name, text in files.items():
            lab.file("mx", f"/home/{user}/{name}", text, owner=user)
        if "vacation" in command:
            lab.run_as("mx", user, "vacation -i")
    lab.capture()
    domains = ("bystander", "shop", "library")
    for i, user in enumerate(users):
        cast.spam(i % 5, MX, AWAY, f"sales{i}@{domains[i % 3]}.example", user, text=PITCH)
        if i % 3 != 1:   # no DATA in the answer
            cast.spam((i + 1) % 5, MX, AWAY, f"boats{i}@harbour.example", user, text=PITCH)
    for i, user in enumerate(users):
        cast.partner(MX, cast.letter(AWAY_GENUINE, ("orders", "office", "desk")[i % 3], user, text="See you on Monday.\n"),
                     *([cast.notice({**TOLD, "why": "a notice from outside: no autoresponder answers it"}, user)] if i < 3 else []))
    lab.settle(quiet=4)


def check(truth):
    got = count(truth)
    assert sum(n for key, n in got.items() if key[1:3] == ("autoreply", "yes")) == 35, got
    assert sum(n for key, n in got.items() if key[1:3] == ("autoreply", "no")) == 21, got
