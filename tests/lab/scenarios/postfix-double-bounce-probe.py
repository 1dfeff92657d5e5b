"""Postfix: one asks about senders (double-bounce@ probes, repeated), one asks its own primary about recipients.

gate has reject_unverified_sender: it probes the servers of forged senders, which accept, refuse with 550 or say
nothing; without an answer in time it defers the mail and probes again. front has reject_unverified_recipient
towards its own primary: the same dialogue, innocent.
"""

from cast import Cast, count

OWN = {"networks": ["192.0.2.0/24"], "domains": ["campus.example"]}
GATE, FRONT, PRIMARY = "192.0.2.25", "192.0.2.28", "192.0.2.40"
SERVERS = {
    GATE: {"name": "gate.campus.example", "lists": {"backscatterer.org": True}, "why": "asks about forged senders"},
    FRONT: {"name": "front.campus.example", "lists": {"backscatterer.org": False},
            "why": "asks its own primary, refuses unknown users at RCPT"},
}
LAYERS = {"postfix": ["postfix"]}

ASKED = {"forged": True, "answers": ["callout"], "why": "spam: our server asks the forged sender's server about him"}
ASKED_GENUINE = {"forged": False, "answers": ["callout"], "why": "our server asks about the sender, who really wrote"}
REFUSED = {"forged": True, "why": "spam refused at RCPT without asking anybody outside"}
WROTE = {"forged": False, "why": "the real sender wrote this"}
TOLD = {"forged": False, "kind": "bounce", "why": "a notice from outside: no probe, no answer"}


def play(lab):
    cast = Cast(lab, "campus.example")
    lab.host("primary", PRIMARY)
    lab.sink("primary", PRIMARY, "primary.campus.example", "unknown-user", "info@campus.example")
    verify = ["address_verify_map =", "address_verify_negative_cache = no", "address_verify_poll_delay = 1s",
              "myorigin = campus.example", "mynetworks = 127.0.0.0/8", "smtp_helo_timeout = 4s"]
    lab.postfix("gate", "campus.example", GATE, users=["info"], main=[
        *verify, "mydestination = campus.example, $myhostname, localhost",
        "smtpd_recipient_restrictions = reject_unauth_destination, reject_unlisted_recipient, reject_unverified_sender"])
    lab.postfix("front", "campus.example", FRONT, main=[
        *verify, "relay_domains = campus.example", f"relay_transport = smtp:[{PRIMARY}]",
        "unverified_recipient_reject_code = 550",
        "smtpd_recipient_restrictions = reject_unauth_destination, reject_unverified_recipient"])
    lab.capture()
    cast.spam(0, GATE, ASKED, "sales@bystander.example", "info")
    cast.spam(1, GATE, ASKED, "boats@harbour.example", "info")
    cast.spam(1, GATE, REFUSED, "boats@shop.example", "nemo")
    cast.spam(2, GATE, ASKED, "tours@museum.example", "info")
    cast.partner(GATE, cast.letter(ASKED_GENUINE, "orders", "info"))
    cast.partner(GATE, cast.notice(TOLD, "info"))

    cast.spam(0, FRONT, REFUSED, "news@shop.example", "contact")
    cast.partner(FRONT, cast.letter(WROTE, "office", "info"))
    lab.settle(quiet=5)


def check(truth):
    got = count(truth, "call-ahead")
    wanted = {
        (GATE, "callout", "yes", "aborted"): 1, (GATE, "callout", "yes", "rejected"): 1,
        (GATE, "callout", "no", "aborted"): 1,
    }
    assert {key: n for key, n in got.items() if key[0] == GATE} == wanted, f"{got} instead of {wanted}"
    assert {key[1] for key in got if key[0] == FRONT} == {"call-ahead"}, got
    probes = [row for row in truth["transactions"] if row["kind"] == "callout"]
    assert len(probes) > 3, "no probe was repeated"
    assert truth["without_mail"]
