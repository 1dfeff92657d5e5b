"""A balancer in front that speaks the PROXY protocol, v1 to one Postfix and v2 to another: the client is in its header.

The balancer (a real HAProxy) stands before the tap: the capture has only its connections to the servers. mx refuses unknown
users, mx2 takes any and bounces; who wrote is told by the PROXY header alone.
"""

from cast import HEARD, MISTYPED, REFUSED, WROTE, Cast, bounced, count
from hosts import haproxy

OWN = {"networks": ["192.0.2.0/24", "198.51.100.0/28"], "domains": ["campus.example"]}
MX, MX2, STORE, BALANCER = "192.0.2.25", "192.0.2.26", "192.0.2.40", "198.51.100.5"
SERVERS = {
    MX: {"name": "mx.campus.example", "lists": {"backscatterer.org": False}, "why": "refuses unknown users at RCPT"},
    MX2: {"name": "mx2.campus.example", "lists": {"backscatterer.org": True}, "why": "takes any recipient, then bounces to forged senders"},
}
LAYERS = {"postfix": ["postfix"], "haproxy": ["haproxy"]}

SPAM = bounced(True, "spam with a forged sender to nobody: bounced")
TYPO = bounced(False, "the real sender mistyped the recipient")


def play(lab):
    cast = Cast(lab, "campus.example")
    lab.host("store", STORE)
    lab.sink("store", STORE, "store.campus.example", "unknown-user", "info@campus.example")
    common = ["relay_domains = campus.example", f"relay_transport = smtp:[{STORE}]", "myorigin = campus.example",
              "mynetworks = 127.0.0.0/8", "smtpd_upstream_proxy_protocol = haproxy"]
    lab.postfix("mx", "campus.example", MX, main=[*common, "relay_recipient_maps = inline:{ {info@campus.example = x} }"])
    lab.postfix("mx2", "campus.example", MX2, main=common)
    lab.server(haproxy, "balancer", "campus.example", BALANCER, outside=True,
               servers={25: (MX, "send-proxy"), 2525: (MX2, "send-proxy-v2")}, bind=BALANCER)
    lab.capture()
    v2 = {"port": 2525}
    cast.spam(0, BALANCER, REFUSED, "sales@bystander.example", "jobs")
    cast.partner(BALANCER, cast.letter(WROTE, "orders", "info"), cast.letter(MISTYPED, "office", "inof"))
    cast.spam(1, BALANCER, SPAM, "boats@harbour.example", "admin", **v2)
    cast.spam(2, BALANCER, SPAM, "team@shop.example", "jobs", **v2)
    cast.spam(3, BALANCER, HEARD, "news@shop.example", "info", **v2)
    cast.partner(BALANCER, cast.letter(TYPO, "office", "inof"), **v2)
    cast.provider(BALANCER, cast.letter(TYPO, "k.lane@bigmail.example", "imfo"), **v2)
    lab.settle(quiet=3)


def check(truth):
    arrived = [row for row in truth["transactions"] if row["direction"] == "inbound"]
    assert all(row.get("origin_ip") and row["src_ip"] == BALANCER for row in arrived), arrived
    assert sum(n for key, n in count(truth).items() if key[:3] == (MX2, "bounce", "yes")) == 2
