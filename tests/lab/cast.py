"""Who plays outside in most scenarios: hosts that send spam, those who write and are written to, victims' servers.

Every host has an address in a network of its own, as in the world; so evidence from networks can be told from chance.
"""

from letters import NOTE, PITCH, Post

# CHANCE is there already, see fresh.py.

BOTS = ["198.18.10.7", "198.18.23.114", "198.18.31.80", "198.18.47.201", "198.18.58.33"]
PARTNER = "198.19.40.25"
PROVIDER_OUT = ["198.19.60.11", "198.19.61.34"]   # a big provider sends from here and receives elsewhere
PROVIDER_IN = "198.51.100.90"
VICTIMS = {   # behaviour of hosts/sink.py: address, host name, domains
    "accept": ("198.51.100.25", "mx.victims-a.example", ("bystander.example", "shop.example", "library.example")),
    "unknown-user": ("203.0.113.25", "mx.victims-b.example", ("harbour.example", "bakery.example")),
    "refuse-null": ("203.0.113.90", "mx.victims-m.example", ("orchard.example",)),
    "refuse-content": ("203.0.113.140", "mx.victims-d.example", ("freemail.example",)),
    "silent": ("203.0.113.200", "mx.victims-c.example", ("museum.example",)),
    "no-such-user": ("198.51.100.60", "mx.victims-l.example", ("winery.example",)),
    "listed-banner": ("198.51.100.130", "mx.victims-e.example", ("clinic.example",)),
    "listed-null": ("203.0.113.66", "mx.victims-f.example", ("brewery.example",)),
    "listed-rcpt": ("198.51.100.170", "mx.victims-g.example", ("theatre.example",)),
    "listed-data": ("203.0.113.170", "mx.victims-h.example", ("garage.example",)),
    "unsigned": ("198.51.100.210", "mx.victims-i.example", ("tailor.example",)),
    "greylist": ("203.0.113.230", "mx.victims-j.example", ("florist.example",)),
}
USUAL = ("accept", "unknown-user", "refuse-content", "silent")

# Stories that most scenarios tell.
REFUSED = {"forged": True, "why": "spam refused in the dialogue: the spammer's own problem"}
HEARD = {"forged": True, "why": "spam with a forged sender to a user who exists: delivered, no answer"}
WROTE = {"forged": False, "why": "the real sender wrote this"}
MISTYPED = {"forged": False, "why": "mistyped and refused in the dialogue: his own server tells him"}
TOLD = {"forged": False, "kind": "bounce", "why": "a notice from outside: must not be answered"}
SENT = {"forged": False, "why": "our own user wrote this"}


def bounced(forged, why, **more):
    return {"forged": forged, "answers": ["bounce"], "fate": "bounced", "why": why, **more}


class Cast:
    """Makes the hosts; then sends as they do, to users of one domain of ours."""

    def __init__(self, lab, domain, own_names=(), own_mx=(), victims=USUAL, txt=(), servers=None,
                 writers=("orders", "office", "desk")):
        """victims: keys of VICTIMS; writers: the partner's users; servers: {behaviour or "partner": more for its hosts/sink.py}."""
        self.lab, self.domain, self.post = lab, domain, Post()
        there = {behaviour: VICTIMS[behaviour] for behaviour in victims}
        names = {name: address for address, name, _ in there.values()}
        names |= {"mail.partner.example": PARTNER, "mx.bigmail.example": PROVIDER_IN}
        mx = {victim: [(10, name)] for _, name, domains in there.values() for victim in domains}
        mx |= {"partner.example": [(10, "mail.partner.example")], "bigmail.example": [(10, "mx.bigmail.example")]}
        lab.dns(names | dict(own_names), mx | dict(own_mx), dict(txt))
        lab.outside_host("bots", *BOTS)
        for behaviour, (address, name, _) in there.items():
            host = f"v-{behaviour}"[:13]
            lab.outside_host(host, address)
            lab.sink(host, address, name, behaviour, **(servers or {}).get(behaviour, {}))
        lab.outside_host("partner", PARTNER)
        lab.sink("partner", PARTNER, "mail.partner.example", "unknown-user",
                 *(f"{user}@partner.example" for user in writers), **(servers or {}).get("partner", {}))
        lab.outside_host("bigmail", *PROVIDER_OUT, PROVIDER_IN)
        lab.sink("bigmail", PROVIDER_IN, "mx.bigmail.example", "unknown-user",
                 *(f"{user}@bigmail.example" for user in ("k.lane", "m.weber", "sam77")))

    def swarm(self, size):
        """More hosts that send spam, each in a network of its own; their addresses."""
        addresses = [f"198.18.{100 + i}.{10 + 7 * i % 200}" for i in range(size)]
        self.lab.outside_host("swarm", *addresses)
        return addresses

    def to(self, recipients):
        return [name if "@" in name else f"{name}@{self.domain}" for name in recipients]

    def job(self, source, server, mails, helo, **session):
        return {"source": source, "server": server, "port": 25, "hello": "EHLO", "quit": True, "helo": helo, "mails": mails, **session}

    def spam_job(self, bot, server, story, sender, *recipients, text=PITCH, params=None, **session):
        source = BOTS[bot] if isinstance(bot, int) else bot
        mail = self.post.letter(story, sender, self.to(recipients), "Closing sale", text, "mailer.access.example", params=params)
        helo = f"dsl-{source.replace('.', '-').replace(':', '-')}.access.example"
        return self.job(source, server, [mail], helo, **{"quit": source[-1] in "02468", **session})

    def spam(self, bot, server, story, sender, *recipients, host="bots", **session):
        """bot: its number or address."""
        for turn in range(CHANCE.repeats()):
            self.lab.send(host, **self.spam_job(bot, server, story, CHANCE.sender(sender, turn), *recipients, **session))

    def letter(self, story, sender, *recipients, text=NOTE, subject="minutes", **more):
        sender = sender if "@" in sender else f"{sender}@partner.example"
        return self.post.letter(story, sender, self.to(recipients), subject, text, f"mail.{sender.rpartition('@')[2]}", **more)

    def notice(self, story, recipient, **more):
        return self.post.notice(story, *self.to([recipient]), **more)

    def partner(self, server, *mails, **session):
        self.lab.send("partner", **self.job(PARTNER, server, list(mails), "mail.partner.example", **session))

    def provider(self, server, *mails, out=0, **session):
        self.lab.send("bigmail", **self.job(PROVIDER_OUT[out], server, list(mails), f"out{out + 1}.bigmail.example", **session))


def count(truth, *kinds):
    """{(server, kind, misdirected, outcome): how many} of the findings, and of the kinds that are none."""
    result = {}
    for row in truth["transactions"]:
        if row["finding"] or row["kind"] in kinds:
            key = (row["src_ip"], row["kind"], row["misdirected"], row["outcome"])
            result[key] = result.get(key, 0) + 1
    return result
