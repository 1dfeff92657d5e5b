"""Receipts and delay notices of a Postfix to the outside: asked for by the sender himself, or by who forged his address.

relay takes mail for a store that is slow to answer (greylisting) and tells senders when their mail waits. Whoever asks for a
receipt by NOTIFY=SUCCESS gets one, since the store speaks no DSN. clean is the same without delay notices, and nobody
forged a sender there.
"""

from cast import Cast, count

OWN = {"networks": ["192.0.2.0/24"], "domains": ["campus.example"]}
RELAY, CLEAN, STORE, SLOW = "192.0.2.25", "192.0.2.26", "192.0.2.40", "192.0.2.41"
SERVERS = {
    RELAY: {"name": "relay.campus.example", "lists": {"backscatterer.org": True},
            "why": "sends delay notices and receipts to forged senders"},
    CLEAN: {"name": "clean.campus.example", "lists": {"backscatterer.org": False},
            "why": "sends receipts only, to senders who asked for them"},
}
LAYERS = {"postfix": ["postfix"]}

SLOWLY = {"forged": False, "answers": ["delay-notice"], "why": "genuine mail that waits: its sender is told"}
SLOWLY_FORGED = {"forged": True, "answers": ["delay-notice"], "why": "spam that waits: the forged sender is told"}
# The receipt was asked for, so no word on whether the server could do harm by it.
RECEIPT = {"forged": False, "answers": ["success-notice"], "exposure": None, "why": "the real sender asked for a receipt"}
RECEIPT_FORGED = {"forged": True, "answers": ["success-notice"], "why": "spam that asks for a receipt in the name of a stranger"}


def play(lab):
    cast = Cast(lab, "campus.example")
    lab.host("store", STORE)
    lab.host("slow", SLOW)
    lab.sink("store", STORE, "store.campus.example", "accept", lacks=["DSN"])
    lab.sink("slow", SLOW, "slow.campus.example", "greylist", patience=3)
    for name, address, extra in (("relay", RELAY, ["delay_warning_time = 3s", "confirm_delay_cleared = no"]), ("clean", CLEAN, [])):
        lab.postfix(name, "campus.example", address, main=[
            "relay_domains = campus.example, slow.campus.example", "myorigin = campus.example", "mynetworks = 127.0.0.0/8",
            f"transport_maps = inline:{{ {{campus.example = smtp:[{STORE}]}}, {{slow.campus.example = smtp:[{SLOW}]}} }}",
            "queue_run_delay = 3s", "minimal_backoff_time = 3s", "maximal_backoff_time = 3s", *extra])
    lab.capture()
    asks = {"rcpt_params": "NOTIFY=SUCCESS,FAILURE", "params": "RET=HDRS ENVID=QQ314159"}
    cast.partner(RELAY, cast.letter(SLOWLY, "orders", "info@slow.campus.example"))
    cast.spam(0, RELAY, SLOWLY_FORGED, "sales@bystander.example", "info@slow.campus.example")
    cast.spam(1, RELAY, SLOWLY_FORGED, "boats@harbour.example", "jobs@slow.campus.example")
    cast.partner(RELAY, cast.letter(RECEIPT, "office", "info", **asks))
    for bot, sender in ((2, "team@shop.example"), (3, "pier@harbour.example")):
        job = cast.spam_job(bot, RELAY, RECEIPT_FORGED, sender, "info")
        job["mails"][0] |= asks
        lab.send("bots", **job)
    cast.partner(CLEAN, cast.letter(RECEIPT, "desk", "info", **asks), cast.letter(RECEIPT, "orders", "jobs", **asks))
    cast.provider(CLEAN, cast.letter(RECEIPT, "k.lane@bigmail.example", "info", **asks))
    lab.settle(quiet=4, timeout=60)


def check(truth):
    got = count(truth)
    assert sum(n for key, n in got.items() if key[1:3] == ("delay-notice", "yes")) == 2, got
    assert sum(n for key, n in got.items() if key[1:3] == ("success-notice", "yes")) == 2, got
