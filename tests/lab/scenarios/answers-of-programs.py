"""Programs that answer whoever is named as sender: receipts, challenges, tickets, notices about content, odd bounces.

Behind one Postfix eleven mailboxes answer as programs of their kind do (hosts/answering.py): read receipts sent without asking,
TMDA and BoxTrapper, osTicket, RT and OTRS, a quarantine and a virus scanner, an Exchange-like absence, a qmail-like and a
Domino-like bounce. Half of them write from the null sender. Each answers a victim who exists, one who does not, and a writer.
"""

from pathlib import Path

from cast import HEARD, TOLD, WROTE, Cast, count

OWN = {"networks": ["192.0.2.0/24"], "domains": ["campus.example"]}
MX = "192.0.2.25"
SERVERS = {MX: {"name": "mx.campus.example", "lists": {"backscatterer.org": True}, "why": "programs on it answer forged senders"}}
LAYERS = {"postfix": ["postfix"]}

KINDS = {"receipt": "read-receipt", "challenge": "challenge", "boxtrapper": "challenge", "osticket": "ticket", "rt": "ticket",
         "otrs": "ticket", "quarantine": "content-notice", "scanner": "content-notice", "oof": "autoreply", "qmail": "bounce",
         "daemon": "bounce"}
PROGRAM = Path(__file__).parent.parent / "hosts/answering.py"


def play(lab):
    cast = Cast(lab, "campus.example", writers=("orders", *(f"writer.{how}" for how in KINDS)))
    users = {f"{how}box": how for how in KINDS}
    commands = ", ".join(f"{{{user} = python3 /usr/local/lib/answering.py {how} {user}@campus.example}}" for user, how in users.items())
    lab.postfix("mx", "campus.example", MX, users=["info", *users], main=[
        "mydestination = campus.example, $myhostname, localhost", "myorigin = campus.example", "mynetworks = 127.0.0.0/8",
        f"mailbox_command_maps = inline:{{ {commands} }}"])
    lab.file("mx", "/usr/local/lib/answering.py", PROGRAM.read_text())
    lab.capture()
    for i, (user, how) in enumerate(users.items()):
        kind = KINDS[how]
        forged = {"forged": True, "answers": [kind], "why": f"spam: a program answers the forged sender ({kind})"}
        genuine = {"forged": False, "answers": [kind], "why": f"the real sender is answered by a program ({kind})"}
        cast.spam(i % 5, MX, forged, f"sales{i}@{('bystander', 'shop', 'library')[i % 3]}.example", user)
        cast.spam((i + 1) % 5, MX, forged, f"boats{i}@harbour.example", user)
        if i % 3 == 0:
            cast.spam((i + 2) % 5, MX, forged, f"mail{i}@freemail.example", user)
        mails = [cast.letter(genuine, f"writer.{how}", user)]
        cast.partner(MX, *mails, cast.notice({**TOLD, "why": "a notice from outside: the program does not answer it"}, user))
    cast.partner(MX, cast.letter(WROTE, "orders", "info"))
    cast.spam(0, MX, HEARD, "news@shop.example", "info")
    lab.settle(quiet=4)


def check(truth):
    got = count(truth)
    assert {key[1] for key in got} == set(KINDS.values()), got
    assert sum(n for key, n in got.items() if key[2] == "yes") == 26, got
