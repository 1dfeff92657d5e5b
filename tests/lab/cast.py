"""Who plays outside in most scenarios: hosts that send spam, a partner who writes and is written to, victims' servers.

Every host has an address in a network of its own, as in the world; so evidence from networks can be told from chance.
"""

from letters import NOTE, PITCH

BOTS = [f"198.18.{net}.{host}" for net, host in ((10, 7), (23, 114), (31, 80), (47, 201), (58, 33))]
PARTNER = "198.19.40.25"
VICTIMS = {   # behaviour of hosts/sink.py: address, host name, domains
    "accept": ("198.51.100.25", "mx.victims-a.example", ("bystander.example", "shop.example", "library.example")),
    "unknown-user": ("203.0.113.25", "mx.victims-b.example", ("harbour.example", "bakery.example")),
    "refuse-content": ("203.0.113.140", "mx.victims-d.example", ("freemail.example",)),
    "silent": ("203.0.113.200", "mx.victims-c.example", ("museum.example",)),
}


class Cast:
    """Makes the hosts; then sends as they do, to users of one domain of ours."""

    def __init__(self, lab, post, domain, own_names=(), own_mx=(), partner_users=("orders", "office", "desk")):
        self.lab, self.post, self.domain = lab, post, domain
        names = {name: address for address, name, _ in VICTIMS.values()}
        mx = {victim: [(10, name)] for _, name, domains in VICTIMS.values() for victim in domains}
        lab.dns({"mail.partner.example": PARTNER, **names, **dict(own_names)},
                {"partner.example": [(10, "mail.partner.example")], **mx, **dict(own_mx)})
        lab.outside_host("bots", *BOTS)
        for behaviour, (address, name, _) in VICTIMS.items():
            host = f"v-{behaviour}"[:10]
            lab.outside_host(host, address)
            lab.sink(host, address, name, behaviour)
        lab.outside_host("partner", PARTNER)
        lab.sink("partner", PARTNER, "mail.partner.example", "unknown-user",
                 *(f"{user}@partner.example" for user in partner_users))

    def spam(self, bot, server, story, sender, *recipients):
        source = BOTS[bot]
        mail = self.post.letter(story, sender, [f"{name}@{self.domain}" for name in recipients], "Closing sale", PITCH,
                                "mailer.access.example")
        self.lab.send("bots", source=source, server=server, port=25, hello="EHLO", quit=bot % 2 == 0, mails=[mail],
                      helo=f"dsl-{source.replace('.', '-')}.access.example")

    def letter(self, story, sender, recipient):
        return self.post.letter(story, f"{sender}@partner.example", [f"{recipient}@{self.domain}"], "minutes", NOTE,
                                "mail.partner.example")

    def notice(self, story, recipient):
        return self.post.notice(story, f"{recipient}@{self.domain}")

    def partner(self, server, *mails):
        self.lab.send("partner", source=PARTNER, server=server, port=25, helo="mail.partner.example", hello="EHLO",
                      quit=True, mails=list(mails))


def count(truth, *kinds):
    """{(server, kind, misdirected, outcome): how many} of the findings, and of the kinds that are none."""
    result = {}
    for row in truth["transactions"]:
        if row["finding"] or row["kind"] in kinds:
            key = (row["src_ip"], row["kind"], row["misdirected"], row["outcome"])
            result[key] = result.get(key, 0) + 1
    return result
