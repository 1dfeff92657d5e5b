"""A Postfix backup MX that takes any recipient and bounces what the primary refuses.

mx2 has relay_domains and no list of recipients, so it says 250 to everything. mx1 knows its users and refuses
the rest with 550 5.1.1; mx2 then has to tell the sender, who for spam is a bystander: backscatter. mx1 never
bounces to the outside. One victim server takes the bounces, another refuses them with 5.1.1 (no DATA on the
wire), and one sender is genuine and only mistyped: same defect, but nobody was harmed.
"""

from letters import NOTE, PITCH, Post

OWN = {"networks": ["192.0.2.0/24"], "domains": ["campus.example"]}
MX1, MX2, DESK = "192.0.2.25", "192.0.2.26", "192.0.2.101"
SERVERS = {
    MX1: {"name": "mx1.campus.example", "lists": {"backscatterer.org": False},
          "why": "refuses unknown users at RCPT; its own notices stay inside"},
    MX2: {"name": "mx2.campus.example", "lists": {"backscatterer.org": True},
          "why": "takes any recipient, then bounces to forged senders"},
}
LAYERS = {"postfix": ["postfix"]}

VICTIM_TAKES, VICTIM_REFUSES, PARTNER = "198.51.100.25", "203.0.113.25", "198.19.40.25"
TAKES = ("bystander.example", "shop.example", "library.example", "clinic.example")
REFUSES = ("harbour.example", "museum.example", "bakery.example")
BURST = 6
BOTS = [f"198.18.{net}.{host}" for net, host in ((10, 7), (23, 114), (31, 80), (47, 201), (58, 33))]
SWARM = [f"198.18.{100 + i}.{10 + 13 * i}" for i in range(BURST)]
USERS = ("info", "helpdesk", "archive")

SPAM = {"forged": True, "answers": ["bounce"], "why": "spam with a forged sender, who never wrote to us"}
PROBE = {"forged": True, "why": "spam refused at RCPT: the spammer's own problem"}
HEARD = {"forged": True, "why": "spam with a forged sender to a user who exists: delivered, no answer"}
WROTE = {"forged": False, "why": "the real sender wrote this"}
TYPO = {"forged": False, "answers": ["bounce"], "why": "the real sender mistyped the recipient: the bounce goes to who caused it"}
TOLD = {"forged": False, "kind": "bounce", "why": "a null-sender notice from outside: must not be answered"}

def hosts(lab):
    names = {"mx1.campus.example": MX1, "mx2.campus.example": MX2, "desk.campus.example": DESK,
             "mail.partner.example": PARTNER, "mx.victims-a.example": VICTIM_TAKES,
             "mx.victims-b.example": VICTIM_REFUSES}
    mx = {"campus.example": [(10, "mx1.campus.example"), (20, "mx2.campus.example")],
          "partner.example": [(10, "mail.partner.example")]}
    mx |= {domain: [(10, "mx.victims-a.example")] for domain in TAKES}
    mx |= {domain: [(10, "mx.victims-b.example")] for domain in REFUSES}
    lab.dns(names, mx)
    lab.outside_host("bots", *BOTS, *SWARM)
    lab.outside_host("partner", PARTNER)
    lab.outside_host("victim-a", VICTIM_TAKES)
    lab.outside_host("victim-b", VICTIM_REFUSES)
    lab.host("desk", DESK)
    lab.sink("partner", PARTNER, "mail.partner.example", "unknown-user",
             "orders@partner.example", "office@partner.example")
    lab.sink("victim-a", VICTIM_TAKES, "mx.victims-a.example", "accept")
    lab.sink("victim-b", VICTIM_REFUSES, "mx.victims-b.example", "unknown-user")
    lab.postfix("mx1", "campus.example", MX1, users=USERS, main=[
        "mydestination = campus.example, $myhostname, localhost",
        "myorigin = campus.example",
        f"mynetworks = 127.0.0.0/8, {DESK}/32",
    ], services=["submission inet n - n - - smtpd -o smtpd_relay_restrictions=permit_mynetworks,reject"])
    lab.postfix("mx2", "campus.example", MX2, main=[
        "relay_domains = campus.example",   # and no relay_recipient_maps: this is the defect
        "mynetworks = 127.0.0.0/8",
    ])


def play(lab):
    hosts(lab)
    post = Post()

    def bot(source, server, *mails, hello="EHLO", bye=False):
        octets = source.split(".")
        return {"source": source, "server": server, "port": 25, "helo": f"dsl-{'-'.join(octets)}.access.example",
                "hello": hello, "quit": bye, "mails": list(mails)}

    def spam(story, sender, *recipients):
        return post.letter(story, sender, [f"{name}@campus.example" for name in recipients],
                           "Closing sale, first order free", PITCH, "mailer.access.example")

    def partner(server, *mails):
        lab.send("partner", source=PARTNER, server=server, port=25, helo="mail.partner.example", hello="EHLO", quit=True,
                 mails=list(mails))

    def letter(story, recipient, body=NOTE):
        return post.letter(story, "orders@partner.example", [f"{recipient}@campus.example"], "minutes", body,
                           "mail.partner.example")

    lab.capture()

    # An ordinary morning.
    partner(MX1, letter(WROTE, "info"))
    lab.send("desk", source=DESK, server=MX1, port=587, helo="desk.campus.example", hello="EHLO", quit=True, mails=[
        post.letter(WROTE, "info@campus.example", ["orders@partner.example"], "Re: minutes", NOTE, "desk.campus.example")])
    partner(MX2, letter(WROTE, "archive", NOTE * 60))   # several segments
    def user(story, recipient, subject):
        lab.hand_in("mx1", post.letter(story, "helpdesk@campus.example", [recipient], subject, NOTE, "mx1.campus.example"))

    user({"forged": False, "why": "a user of the server wrote it, on the server"}, "office@partner.example", "ticket closed")
    user({"forged": False, "answers": ["bounce"], "why": "our own user mistyped: the notice goes to his mailbox on mx1"},
         "offcie@partner.example", "ticket reopened")

    # Spam through the backup MX, whose bounces go to bystanders.
    lab.send("bots", **bot(BOTS[0], MX2, spam(SPAM, "sales@bystander.example", "jobs"), bye=True))
    lab.send("bots", **bot(BOTS[1], MX2, spam(SPAM, "tickets@museum.example", "webmaster2"), hello="HELO"))
    lab.send("bots", **bot(BOTS[2], MX2, spam(SPAM, "returns@shop.example", "admin1", "admin2")))
    lab.send("bots", **bot(BOTS[3], MX2, spam(SPAM, "desk@library.example", "info", "sales")))
    lab.send("bots", **bot(BOTS[4], MX2, spam(HEARD, "news@clinic.example", "info")))

    # The same spam at the primary: refused, nobody is bothered.
    lab.send("bots", **bot(BOTS[0], MX1, spam(PROBE, "sales@bystander.example", "contact")))
    lab.send("bots", **bot(BOTS[1], MX1, spam(PROBE, "tickets@museum.example", "admin3", "admin4"),
                           spam(HEARD, "tickets@museum.example", "helpdesk"), bye=True))
    lab.send("bots", **bot(BOTS[2], MX2, post.letter(
        {"forged": True, "why": "refused to relay to the outside"}, "returns@shop.example", ["someone@bakery.example"],
        "Closing sale", PITCH, "mailer.access.example")))

    # A run from many hosts at once, half of the forged senders at a server that refuses the bounces.
    victims = ("orders@bystander.example", "boats@harbour.example", "team@shop.example", "bread@bakery.example",
               "books@library.example", "tours@museum.example")
    run = [bot(source, MX2, spam(SPAM, victim, f"user{i}"))
           for i, (source, victim) in enumerate(zip(SWARM, victims, strict=True))]
    run[0]["mails"].append(spam(SPAM, "noreply@harbour.example", "user90"))   # two in one connection
    lab.send_together("bots", run)

    # Genuine mail with a typo: at the backup the sender gets a bounce, at the primary his own server tells him.
    partner(MX2, letter(TYPO, "hlepdesk"))
    partner(MX1, letter({"forged": False, "why": "mistyped, refused at RCPT: his own server tells him"}, "inof"))
    # Notices from outside, to a user and to nobody.
    partner(MX1, post.notice(TOLD, "info@campus.example"))
    partner(MX2, post.notice(TOLD, "former@campus.example"))

    lab.settle()


def check(truth):
    rows = truth["transactions"]
    findings = [row for row in rows if row["finding"]]
    got = {
        "findings": len(findings),
        "misdirected": sum(row["misdirected"] == "yes" for row in findings),
        "without data": sum(row["message_id"] is None for row in findings),
        "emitters": {row["src_ip"] for row in findings},
        "stayed inside": len(truth["stayed_inside"]),
        "dropped": sum(row["direction"] == "inbound" and row["fate"] == "dropped" for row in rows),
    }
    wanted = {"findings": 12, "misdirected": 11, "without data": 5, "emitters": {MX2}, "stayed inside": 1, "dropped": 1}
    assert got == wanted, f"{got} instead of {wanted}"
