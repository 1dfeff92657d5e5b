"""Encrypted mail: a Postfix that takes and sends by STARTTLS where it can; most of what it does wrong cannot be seen.

mx2 takes any recipient for a store that speaks no TLS and bounces. Bots and victims with and without TLS meet in all four ways. What
TLS hides stands in the truth (`tls`), and the keys of all encrypted sessions in the .keylog file beside the capture.
"""

from cast import HEARD, WROTE, Cast, bounced, count

OWN = {"networks": ["192.0.2.0/24"], "domains": ["campus.example"]}
MX2, STORE = "192.0.2.26", "192.0.2.40"
SERVERS = {MX2: {"name": "mx2.campus.example", "lists": {"backscatterer.org": True}, "why": "takes any recipient, then bounces to forged senders"}}
LAYERS = {"postfix": ["postfix", "openssl"]}

SPAM = bounced(True, "spam with a forged sender to nobody: bounced")
TYPO = bounced(False, "the real sender mistyped the recipient")


def play(lab):
    pem = lab.certificate("mx.victims-a.example")
    tls = {"tls": str(pem), "keylog": str(lab.keylog)}
    cast = Cast(lab, "campus.example", victims=("accept", "unknown-user", "no-such-user"),
                servers={"accept": tls, "no-such-user": tls, "partner": tls})
    lab.host("store", STORE)
    lab.sink("store", STORE, "store.campus.example", "unknown-user", "info@campus.example")

    def prepare(root):
        (root / "etc/postfix/mx2.pem").write_text(lab.certificate("mx2.campus.example").read_text())

    lab.postfix("mx2", "campus.example", MX2, prepare=prepare, main=[
        "relay_domains = campus.example", f"relay_transport = smtp:[{STORE}]", "myorigin = campus.example", "mynetworks = 127.0.0.0/8",
        "smtp_tls_security_level = may", "smtpd_tls_security_level = may", "smtpd_tls_chain_files = /etc/postfix/mx2.pem"])
    lab.capture()
    encrypted = {"tls": str(lab.keylog)}
    for session, name in ((encrypted, "t"), ({}, "c")):
        cast.spam(0, MX2, SPAM, f"sales.{name}@bystander.example", "jobs", **session)
        cast.spam(1, MX2, SPAM, f"boats.{name}@harbour.example", "admin", **session)
        cast.spam(2, MX2, SPAM, f"grapes.{name}@winery.example", "root", **session)
        cast.spam(3, MX2, HEARD, f"news.{name}@shop.example", "info", **session)
        cast.partner(MX2, cast.letter(TYPO, "orders", f"inof{name}"), cast.letter(WROTE, "office", "info"), **session)
    lab.settle(quiet=3)


def check(truth):
    ways = {(row["tls"], (row["cause"] or {}).get("tls")) for row in truth["transactions"] if row["finding"]}
    assert ways == {(True, True), (True, False), (False, True), (False, False)}, ways
    assert sum(n for key, n in count(truth).items() if key[2] == "yes") == 6
