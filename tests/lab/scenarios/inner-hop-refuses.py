"""A gateway that accepts, and four hops behind it that refuse: at MAIL, at RCPT, after DATA, and by LMTP for a full mailbox.

gw (Postfix) takes any recipient of four domains. What stands behind says no at different places, in the capture too, and
gw bounces: the root cause is always the inner hop's reply. gw2 (Exim) does the same and hands on by CHUNKING.
"""

from cast import HEARD, Cast, bounced, count
from hosts import exim

OWN = {"networks": ["192.0.2.0/24"], "domains": ["campus.example", "law.campus.example", "art.campus.example", "med.campus.example"]}
GW, GW2 = "192.0.2.25", "192.0.2.26"
HOPS = {"campus.example": ("192.0.2.40", "no-such-user"), "law.campus.example": ("192.0.2.41", "refuse-senders"),
        "art.campus.example": ("192.0.2.42", "refuse-spam"), "med.campus.example": ("192.0.2.43", "accept")}
LMTP = "192.0.2.43"
SERVERS = {address: {"name": name, "lists": {"backscatterer.org": True}, "why": "takes any recipient, bounces what its inner hops refuse"}
           for address, name in ((GW, "gw.campus.example"), (GW2, "gw2.campus.example"))}
LAYERS = {"postfix": ["postfix"], "exim": ["exim4-daemon-light"]}

SPAM = bounced(True, "spam with a forged sender, which an inner hop refuses: bounced")
FULL = bounced(True, "spam with a forged sender to a full mailbox: bounced")
FULL_GENUINE = bounced(False, "genuine mail to a full mailbox: its sender is told")
BOTH = bounced(True, "spam with a forged sender to a full mailbox and one that is not: bounced for one")
ROUTERS = "".join(f"to{n}:\n  driver = manualroute\n  domains = {domain}\n  route_list = * {hop} byname\n"
                  f"  transport = {'lmtp' if hop == LMTP else 'smtp'}\n  self = send\n"
                  for n, (domain, (hop, _)) in enumerate(HOPS.items()))
ROUTERS += "out:\n  driver = dnslookup\n  domains = !+local\n  transport = smtp\n"
BY_LMTP = "lmtp:\n  driver = smtp\n  protocol = lmtp\n  port = 24\n"


def play(lab):
    cast = Cast(lab, "campus.example")
    for n, (hop, behaviour) in enumerate(HOPS.values()):
        lab.host(f"hop{n}", hop)
        if hop == LMTP:
            lab.sink(f"hop{n}", hop, f"hop{n}.campus.example", behaviour, port=24, full=["info@med.campus.example"])
        else:
            lab.sink(f"hop{n}", hop, f"hop{n}.campus.example", behaviour, "info@campus.example")
    transports = ", ".join(f"{{{domain} = {'lmtp:inet:' + hop + ':24' if hop == LMTP else 'smtp:[' + hop + ']'}}}"
                           for domain, (hop, _) in HOPS.items())
    lab.postfix("gw", "campus.example", GW, main=[
        f"relay_domains = {', '.join(HOPS)}", f"transport_maps = inline:{{ {transports} }}", "myorigin = campus.example",
        "mynetworks = 127.0.0.0/8"])
    lab.server(exim, "gw2", "campus.example", GW2, main=f"domainlist local = {' : '.join(HOPS)}\n", routers=ROUTERS, transports=BY_LMTP,
               acl="  accept domains = +local\n  deny\n")
    lab.capture()
    for server, name in ((GW, "p"), (GW2, "e")):
        cast.spam(0, server, SPAM, f"sales.{name}@bystander.example", "jobs")
        cast.spam(1, server, SPAM, f"team.{name}@shop.example", "info@law.campus.example")
        cast.spam(2, server, SPAM, f"books.{name}@library.example", "info@art.campus.example")
        cast.spam(3, server, FULL, f"desk.{name}@bystander.example", "info@med.campus.example")
        cast.spam(4, server, FULL, f"boats.{name}@harbour.example", "info@med.campus.example")
        cast.spam(1, server, BOTH, f"menu.{name}@shop.example", "info@med.campus.example", "dean@med.campus.example")
        cast.partner(server, cast.letter(FULL_GENUINE, "orders" if server == GW else "office", "info@med.campus.example"))
        cast.spam(0, server, HEARD, f"news.{name}@shop.example", "dean@med.campus.example")
    lab.settle(quiet=5)


def check(truth):
    roots = {(row["src_ip"], root["code"], root.get("dest_ip")) for row in truth["transactions"] for root in row.get("root_cause") or []}
    assert len(roots) == 8, roots
    assert {key[2] for key in count(truth)} == {"yes", "no"}
