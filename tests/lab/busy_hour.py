"""An organisation in the middle of the day, with all that it does wrong, or after it was mended: who is there, and what comes and goes.

mx1 has the users, mx2 is its backup, gate serves the law school (Exim), clean the art school. What is wrong: mx2 takes any recipient, gate asks
the servers of all senders about them, users of mx1 are away and say so to everybody, an alias of mx1 points to a dead address.
"""

import concurrent.futures
import random
import time

from cast import HEARD, MISTYPED, REFUSED, SENT, TOLD, WROTE, Cast, bounced
from hosts import exim

OWN = {"networks": ["192.0.2.0/24"], "domains": ["campus.example", "law.campus.example", "art.campus.example"]}
MX1, MX2, GATE, CLEAN, DESK = "192.0.2.25", "192.0.2.26", "192.0.2.27", "192.0.2.29", "192.0.2.101"
NAMES = {MX1: "mx1.campus.example", MX2: "mx2.campus.example", GATE: "gate.campus.example", CLEAN: "clean.campus.example"}
LAYERS = {"postfix": ["postfix", "vacation", "dovecot-core", "dovecot-sieve"], "exim": ["exim4-daemon-light"]}
USERS = ("info", "ruth", "omar", "lena", "vera", "sina")
DEAD = "bert@bakery.example"

SPAM = bounced(True, "spam by way of the backup to nobody: it bounces to the forged sender")
TYPO = bounced(False, "the real sender mistyped the recipient, and came to the backup")
OWN_TYPO = {"forged": False, "answers": ["bounce"], "why": "our own user mistyped: the notice stays in his mailbox"}
ASKED = {"forged": True, "answers": ["callout"], "why": "spam: our server asks the forged sender's server about him"}
ASKED_GENUINE = {"forged": False, "answers": ["callout"], "why": "our server asks about the sender, who really wrote"}
AWAY = {"forged": True, "answers": ["autoreply"], "why": "spam to a user who is away: an autoresponder answers the forged sender"}
AWAY_GENUINE = {"forged": False, "answers": ["autoreply"], "why": "mail to a user who is away: an autoresponder answers"}
PASSED = {"passed_to": DEAD, **bounced(True, "spam to an alias of a dead address: it bounces to the forged sender")}

PITCH = "Our warehouse is closing. Everything must go.\n"
NOTE = "Please find the minutes below.\nSame room next month.\n"
VICTIMS = ("bystander", "shop", "library", "harbour", "bakery", "freemail")
AWAY_FILES = {
    "vera": {".vacation.msg": "Subject: away from my mail\nPrecedence: bulk\n\nI am on vacation until the end of the month.\n"},
    "sina": {".dovecot.sieve": 'require ["vacation"];\nvacation :days 7 :addresses ["sina@campus.example"] "I am on leave until December.";\n'},
}
DOVECOT = ("mail_location = maildir:~/Maildir\npostmaster_address = postmaster@campus.example\nssl = no\n"
           "protocol lda {\n  mail_plugins = sieve\n}\nplugin {\n  sieve = ~/.dovecot.sieve\n}\n")
DELIVER = 'exec /usr/lib/dovecot/dovecot-lda -f "$SENDER" -a "$RECIPIENT"\n'
KNOWN = "relay_recipient_maps = inline:{ " + ", ".join(f"{{{user}@campus.example = x}}" for user in USERS) + " }"
DOMAINS = "domainlist local = law.campus.example\n"
ROUTERS = ("users:\n  driver = accept\n  domains = +local\n  check_local_user\n  transport = mailbox\n"
           "out:\n  driver = dnslookup\n  domains = !+local\n  transport = smtp\n")


class Hour:
    """The servers, and a plan of what is sent when."""

    def __init__(self, lab, mended, seconds, seed):
        self.lab, self.mended, self.seconds = lab, mended, seconds
        self.random = random.Random(seed)
        self.plan = []       # (second, function)
        self.count = 0
        self.cast = Cast(lab, "campus.example", own_names={name: address for address, name in NAMES.items()},
                         own_mx={"campus.example": [(10, NAMES[MX1]), (20, NAMES[MX2])]},
                         victims=("accept", "unknown-user", "refuse-content", "greylist"), servers={"greylist": {"patience": 3}})
        self.hosts()

    def hosts(self):
        lab = self.lab
        lab.host("desk", DESK)
        aliases = "" if self.mended else f"virtual_alias_maps = inline:{{ {{bert@campus.example = {DEAD}}} }}"
        commands = "" if self.mended else ("mailbox_command_maps = inline:{ {vera = /usr/bin/vacation vera}, "
                                           "{sina = /bin/sh /usr/local/bin/deliver} }")
        lab.postfix("mx1", "campus.example", MX1, users=USERS, main=[
            "mydestination = campus.example, $myhostname, localhost", "myorigin = campus.example", f"mynetworks = 127.0.0.0/8, {DESK}/32",
            aliases, commands], services=["submission inet n - n - - smtpd -o smtpd_relay_restrictions=permit_mynetworks,reject"])
        lab.file("mx1", "/etc/dovecot/dovecot.conf", DOVECOT)
        lab.file("mx1", "/usr/local/bin/deliver", DELIVER)
        for user, files in AWAY_FILES.items():
            for name, text in files.items():
                lab.file("mx1", f"/home/{user}/{name}", text, owner=user)
        lab.run_as("mx1", "vera", "vacation -i")
        lab.postfix("mx2", "campus.example", MX2, main=[
            "relay_domains = campus.example", "mynetworks = 127.0.0.0/8", "queue_run_delay = 20s", "minimal_backoff_time = 40s",
            "maximal_backoff_time = 40s"])
        lab.postfix("clean", "campus.example", CLEAN, users=["info"], main=[
            "mydestination = art.campus.example, localhost", "myorigin = art.campus.example", "mynetworks = 127.0.0.0/8"])
        lab.server(exim, "gate", "campus.example", GATE, users=["info"], main=DOMAINS, routers=ROUTERS, acl=(
            "  require domains = +local\n  require verify = recipient\n"
            + ("" if self.mended else "  require verify = sender/callout=5s,defer_ok,no_cache\n") + "  accept\n"))

    def mend_backup(self):
        """What waits in its queue goes on leaving."""
        with open(self.lab.roots["mx2"] / "etc/postfix/main.cf", "a", encoding="ascii") as file:
            file.write(KNOWN + "\n")
        self.lab.run_in("mx2", "postfix reload")

    def often(self, times, function, *args):
        for _ in range(CHANCE.some(times)):
            self.count += 1
            self.plan.append((self.random.uniform(5, self.seconds - 15), lambda number=self.count: function(number, *args)))

    def victim(self, number):
        return f"{('sales', 'team', 'books', 'crew')[number % 4]}{number}@{VICTIMS[number % len(VICTIMS)]}.example"

    def spam(self, number, server, story, recipient):
        job = self.cast.spam_job(number % 5, server, story, self.victim(number), recipient.format(number), text=PITCH)
        self.lab.send("bots", pause=0, **job)

    def letter(self, number, server, story, recipient):
        sender = ("orders@partner.example", "office@partner.example", "k.lane@bigmail.example", "m.weber@bigmail.example")[number % 4]
        mail = self.cast.letter(story, sender, recipient, text=NOTE)
        if number % 4 < 2:
            self.cast.partner(server, mail)
        else:
            self.cast.provider(server, mail, out=number % 2)

    def notice(self, _number, server, story, recipient):
        self.cast.partner(server, self.cast.notice(story, recipient))

    def user(self, number, story, recipient):
        sender = ("ruth", "omar", "lena")[number % 3]
        mail = self.cast.post.letter(story, f"{sender}@campus.example", [recipient], "minutes", NOTE, "desk.campus.example")
        self.lab.send("desk", **self.cast.job(DESK, MX1, [mail], "desk.campus.example", port=587))

    def schedule(self):
        """What a day brings; mended is told by the stories, since the servers then do other things."""
        wrong = not self.mended
        for server, user in ((MX1, "ruth"), (MX1, "omar"), (CLEAN, "info@art.campus.example"), (MX2, "info")):
            self.often(5, self.letter, server, WROTE, user)
            self.often(3, self.spam, server, HEARD, user)
        self.often(10, self.spam, MX1, REFUSED, "user{}")
        self.often(8, self.spam, CLEAN, REFUSED, "user{}@art.campus.example")
        self.often(16, self.spam, MX2, SPAM if wrong else REFUSED, "user{}")
        self.often(2, self.letter, MX2, TYPO if wrong else MISTYPED, "inof")
        self.often(2, self.letter, MX1, MISTYPED, "inof")
        self.often(8, self.spam, GATE, ASKED if wrong else HEARD, "info@law.campus.example")
        self.often(3, self.letter, GATE, ASKED_GENUINE if wrong else WROTE, "info@law.campus.example")
        self.often(4, self.spam, GATE, REFUSED, "user{}@law.campus.example")
        for user in ("vera", "sina"):
            self.often(3, self.spam, MX1, AWAY if wrong else HEARD, user)
            self.plan.append((60 * len(user), lambda user=user: self.cast.partner(MX1, self.cast.letter(
                AWAY_GENUINE if wrong else WROTE, "desk", user, text=NOTE))))
        self.often(3, self.spam, MX1, PASSED if wrong else REFUSED, "bert")
        self.often(8, self.user, SENT, "orders@partner.example")
        self.often(2, self.user, OWN_TYPO, "ordres@partner.example")
        for recipient in ("ruth", "lena"):
            self.often(2, self.notice, MX1, TOLD, recipient)
        self.often(1, self.notice, MX2, {**TOLD, "fate": "dropped"} if wrong else {**TOLD, "why": "a notice to nobody, refused"}, "former")

    def play(self):
        start = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            jobs = []
            for second, function in sorted(self.plan, key=lambda item: item[0]):
                time.sleep(max(0, start + second - time.monotonic()))
                jobs.append(pool.submit(function))
            for job in jobs:
                job.result()
        time.sleep(max(0, start + self.seconds - time.monotonic()))
        self.lab.settle(quiet=4, timeout=120)
