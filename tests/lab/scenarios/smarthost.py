"""What leaves by another host: an Exim's bounces by a Postfix smarthost, and a Postfix that sends by its second address.

relay takes any recipient for a store and bounces, but all that it sends goes by out, which never had mail from the world: out
would be listed, relay is to be mended. out's own notices go to our users. dual has two addresses: it receives on one
and sends by the other.
"""

from cast import HEARD, SENT, TOLD, Cast, bounced, count
from hosts import exim
from letters import NOTE

OWN = {"networks": ["192.0.2.0/24"], "domains": ["campus.example"]}
RELAY, OUT, DUAL_IN, DUAL_OUT, STORE = "192.0.2.25", "192.0.2.26", "192.0.2.27", "192.0.2.28", "192.0.2.40"
SECTIONS = {"server dual": {"addresses": [DUAL_IN, DUAL_OUT]}}
SERVERS = {
    RELAY: {"name": "relay.campus.example", "lists": {"backscatterer.org": False}, "why": "bounces, but never sends by itself"},
    OUT: {"name": "out.campus.example", "lists": {"backscatterer.org": True}, "why": "sends what relay bounces to forged senders"},
    DUAL_IN: {"name": "dual.campus.example", "lists": {"backscatterer.org": False}, "why": "receives here, sends by its other address"},
    DUAL_OUT: {"name": "dual.campus.example", "lists": {"backscatterer.org": True},
               "why": "takes any recipient on its other address, then bounces to forged senders"},
}
LAYERS = {"postfix": ["postfix"], "exim": ["exim4-daemon-light"]}

SPAM = bounced(True, "spam with a forged sender to nobody: bounced")
TYPO = bounced(False, "the real sender mistyped the recipient")
OWN_TYPO = bounced(False, "our own user mistyped: the smarthost's notice goes to his mailbox")
NOBODY = {**TOLD, "fate": "dropped", "why": "a notice to nobody: must not be answered"}
DOMAINS = "domainlist local = campus.example\n"
ROUTERS = (f"inside:\n  driver = manualroute\n  domains = +local\n  route_list = * {STORE} byname\n  transport = smtp\n  self = send\n"
           f"out:\n  driver = manualroute\n  domains = !+local\n  route_list = * {OUT} byname\n  transport = smtp\n")


def play(lab):
    cast = Cast(lab, "campus.example")
    lab.host("store", STORE)
    lab.sink("store", STORE, "store.campus.example", "unknown-user", "info@campus.example", "ruth@campus.example")
    lab.server(exim, "relay", "campus.example", RELAY, main=DOMAINS, routers=ROUTERS,
               acl=f"  accept domains = +local\n  accept hosts = {STORE}\n  deny\n")
    lab.postfix("out", "campus.example", OUT, main=[
        "mydestination =", "myorigin = campus.example", f"mynetworks = 127.0.0.0/8, {RELAY}/32, {STORE}/32",
        f"transport_maps = inline:{{ {{campus.example = smtp:[{STORE}]}} }}"])
    lab.postfix("dual", "campus.example", DUAL_IN, also=[DUAL_OUT], main=[
        "relay_domains = campus.example", f"relay_transport = smtp:[{STORE}]", "myorigin = campus.example",
        "mynetworks = 127.0.0.0/8", f"smtp_bind_address = {DUAL_OUT}"])
    lab.capture()
    for server, name in ((RELAY, "r"), (DUAL_IN, "d")):
        cast.spam(0, server, SPAM, f"sales.{name}@bystander.example", "jobs")
        cast.spam(1, server, SPAM, f"boats.{name}@harbour.example", "admin")
        cast.spam(2, server, SPAM, f"mail.{name}@freemail.example", "root")
        cast.spam(3, server, HEARD, f"news.{name}@shop.example", "info")
        cast.partner(server, cast.letter(TYPO, "orders" if server == RELAY else "office", "inof"), cast.notice(NOBODY, "former"))
    for story, recipient in ((SENT, "desk@partner.example"), (OWN_TYPO, "dsek@partner.example")):
        letter = cast.post.letter(story, "ruth@campus.example", [recipient], "minutes", NOTE, "store.campus.example")
        lab.send("store", **cast.job(STORE, OUT, [letter], "store.campus.example"))
    lab.settle(quiet=5)


def check(truth):
    places = {(row.get("emitter"), row.get("originator")) for row in truth["transactions"] if row["finding"]}
    assert places == {(OUT, RELAY), (DUAL_OUT, DUAL_IN)}, places
    assert {key[2] for key in count(truth)} == {"yes", "no"}
