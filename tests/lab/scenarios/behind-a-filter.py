"""All mail comes by a filter outside: what we refuse it must bounce (pushed bounce), what we accept and bounce is worse.

The filter (a real Postfix elsewhere, configured as upstream) hands on what comes for campus.example and lab.campus.example.
mx refuses unknown users, so the filter bounces to forged senders: none of it is seen here but our refusals. mx2 accepts
them and bounces itself. The origin of a mail stands only in the Received line that the filter wrote.
"""

from cast import HEARD, WROTE, Cast, bounced, count

OWN = {"networks": ["192.0.2.0/24"], "domains": ["campus.example", "lab.campus.example"], "upstreams": ["198.51.100.40/32"]}
MX, MX2, STORE, FILTER = "192.0.2.25", "192.0.2.26", "192.0.2.41", "198.51.100.40"
SERVERS = {
    MX: {"name": "mx.campus.example", "lists": {"backscatterer.org": False}, "why": "refuses; it is the filter that has to bounce"},
    MX2: {"name": "mx2.campus.example", "lists": {"backscatterer.org": True}, "why": "takes any recipient, then bounces to forged senders"},
}
LAYERS = {"postfix": ["postfix"]}

PUSHED = {"forged": True, "fate": "bounced", "why": "spam that we refuse to our filter, which has to bounce it to the forged sender"}
PUSHED_TYPO = {"forged": False, "fate": "bounced", "why": "a genuine typo that we refuse to our filter, which tells the sender"}
SPAM = bounced(True, "spam by way of our filter to nobody: we bounce it to the forged sender")
TYPO = bounced(False, "by way of our filter the real sender mistyped the recipient")


def play(lab):
    cast = Cast(lab, "campus.example")
    lab.host("store", STORE)
    lab.sink("store", STORE, "store.lab.campus.example", "unknown-user", "info@lab.campus.example")
    lab.postfix("mx", "campus.example", MX, users=["info"], main=[
        "mydestination = campus.example, localhost", "myorigin = campus.example", "mynetworks = 127.0.0.0/8"])
    lab.postfix("mx2", "campus.example", MX2, main=[
        "relay_domains = lab.campus.example", f"relay_transport = smtp:[{STORE}]", "myorigin = campus.example", "mynetworks = 127.0.0.0/8"])
    lab.postfix("filter", "guard.example", FILTER, outside=True, main=[
        "mydestination =", "myorigin = guard.example", "mynetworks = 127.0.0.0/8", "relay_domains = campus.example, lab.campus.example",
        f"transport_maps = inline:{{ {{campus.example = smtp:[{MX}]}}, {{lab.campus.example = smtp:[{MX2}]}} }}"])
    lab.capture()
    cast.partner(FILTER, cast.letter(WROTE, "orders", "info"), cast.letter(PUSHED_TYPO, "office", "inof"))
    cast.spam(0, FILTER, PUSHED, "sales@bystander.example", "jobs")
    cast.spam(1, FILTER, PUSHED, "team@shop.example", "admin")
    cast.spam(2, FILTER, HEARD, "news@shop.example", "info")
    cast.spam(0, FILTER, SPAM, "desk@bystander.example", "jobs@lab.campus.example")
    cast.spam(3, FILTER, SPAM, "boats@harbour.example", "admin@lab.campus.example")
    cast.partner(FILTER, cast.letter(TYPO, "desk", "inof@lab.campus.example"))
    cast.partner(FILTER, cast.letter(WROTE, "orders", "info@lab.campus.example"))
    lab.settle(quiet=3)


def check(truth):
    assert sum(row["pushed_bounce"] for row in truth["transactions"]) == 3
    assert {row["src_ip"] for row in truth["transactions"] if row["direction"] == "inbound"} == {FILTER}
    assert sum(n for key, n in count(truth).items() if key[:3] == (MX2, "bounce", "yes")) == 2
