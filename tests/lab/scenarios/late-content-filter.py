"""A content filter behind the queue that bounces spam, beside a milter before it that refuses the same spam in the dialogue.

late (Postfix with a pipe filter, as in its FILTER_README) accepts everything for its users and only then looks: what the filter
rejects is bounced to the forged sender. early has the same filter as a milter: the client gets the refusal at the end of data.
"""

from cast import HEARD, REFUSED, WROTE, Cast, bounced, count
from letters import NOTE

OWN = {"networks": ["192.0.2.0/24"], "domains": ["campus.example"]}
LATE, EARLY = "192.0.2.25", "192.0.2.26"
SERVERS = {
    LATE: {"name": "late.campus.example", "lists": {"backscatterer.org": True}, "why": "accepts spam, then bounces it to forged senders"},
    EARLY: {"name": "early.campus.example", "lists": {"backscatterer.org": False}, "why": "refuses spam at the end of data"},
}
LAYERS = {"postfix": ["postfix", "python3-milter"]}

SPAM = bounced(True, "spam with a forged sender, which the filter behind the queue rejects: bounced")
MISTAKEN = bounced(False, "a genuine letter that the filter takes for spam: its sender is told")
FILTER = """\
#!/bin/sh
# FILTER_README, simple filter: EX_UNAVAILABLE (69) makes Postfix bounce.
cat >/tmp/filter.$$ || exit 75
trap "rm -f /tmp/filter.$$" 0
grep -q 'free of charge' /tmp/filter.$$ && { echo "Message content rejected: spam score 17.3"; exit 69; }
exec /usr/sbin/sendmail -G -i "$@" </tmp/filter.$$
"""
MILTER = """\
import Milter
class Filter(Milter.Base):
    def envfrom(self, *_):
        self.spam = False
        return Milter.CONTINUE
    def body(self, chunk):
        self.spam |= b'free of charge' in chunk
        return Milter.CONTINUE
    def eom(self):
        if not self.spam:
            return Milter.ACCEPT
        self.setreply('550', '5.7.1', 'Message content rejected: spam score 17.3')
        return Milter.REJECT
Milter.factory = Filter
Milter.runmilter('filter', 'inet:8891@127.0.0.1', 60)
"""


def play(lab):
    cast = Cast(lab, "campus.example")
    common = ["mydestination = campus.example, $myhostname, localhost", "myorigin = campus.example", "mynetworks = 127.0.0.0/8"]

    def late(root):
        (root / "usr/local/bin/filter").write_text(FILTER)
        (root / "usr/local/bin/filter").chmod(0o755)

    def early(root):
        (root / "usr/local/lib/filter.py").write_text(MILTER)

    lab.postfix("late", "campus.example", LATE, users=["info"], main=common, prepare=late, services=[
        "filter unix - n n - 10 pipe flags=Rq user=nobody null_sender= argv=/usr/local/bin/filter -f ${sender} -- ${recipient}",
        "25 inet n - n - - smtpd -o content_filter=filter:dummy"])
    lab.postfix("early", "campus.example", EARLY, users=["info"], prepare=early, start="python3 /usr/local/lib/filter.py & sleep 1",
                main=[*common, "smtpd_milters = inet:127.0.0.1:8891"])
    lab.capture()
    quote = f"> and the first order is free of charge\nWhat did they mean by that?\n{NOTE}"
    for n, (sender, bot) in enumerate((("sales@bystander.example", 0), ("team@shop.example", 1), ("boats@harbour.example", 2),
                                       ("mail@freemail.example", 3))):
        cast.spam(bot, LATE, SPAM, sender, "info")
        cast.spam((bot + 1) % 5, EARLY, REFUSED, sender, "info")
    for server in (LATE, EARLY):
        cast.spam(4, server, HEARD, "news@library.example", "info", text="A short spam that no filter knows.\n")
        cast.partner(server, cast.letter(WROTE, "orders", "info"))
    cast.partner(LATE, cast.letter(MISTAKEN, "office", "info", text=quote))
    cast.partner(EARLY, cast.letter({"forged": False, "why": "a genuine letter taken for spam, refused in the dialogue"}, "office", "info",
                                    text=quote))
    lab.settle(quiet=3)


def check(truth):
    got = count(truth)
    assert {key[0] for key in got} == {LATE}, got
    assert sum(n for key, n in got.items() if key[2] == "yes") == 4 and sum(got.values()) == 5, got
