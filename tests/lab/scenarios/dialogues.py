"""How dialogues differ: pipelining refused midway, chunks, several mails in one connection, aborted ones, connections kept open.

Clients send all commands at once and are refused at MAIL, at one RCPT of three, at all of them and after the data; others send the
message in chunks, or leave after RCPT. mx2 bounces what its store refuses and keeps connections to the victims open
for the next bounce, whose servers refuse the null sender, the recipient or nothing.
"""

from cast import HEARD, MISTYPED, REFUSED, WROTE, Cast, bounced, count

OWN = {"networks": ["192.0.2.0/24"], "domains": ["campus.example"]}
MX, MX2, STORE = "192.0.2.25", "192.0.2.26", "192.0.2.40"
SERVERS = {
    MX: {"name": "mx.campus.example", "lists": {"backscatterer.org": False}, "why": "refuses in the dialogue"},
    MX2: {"name": "mx2.campus.example", "lists": {"backscatterer.org": True}, "why": "takes any recipient, then bounces to forged senders"},
}
LAYERS = {"postfix": ["postfix"]}

SPAM = bounced(True, "spam with a forged sender to nobody: bounced")
LEFT = {"forged": False, "kind": "callout", "why": "somebody asks us about a recipient of ours, and leaves"}
LONG = "A long letter, several segments of it.\n" * 120


def play(lab):
    cast = Cast(lab, "campus.example", victims=("accept", "unknown-user", "refuse-null", "refuse-content"))
    lab.host("store", STORE)
    lab.sink("store", STORE, "store.campus.example", "unknown-user", "info@campus.example")
    lab.postfix("mx", "campus.example", MX, users=["info", "jobs"], main=[
        "mydestination = campus.example, localhost", "myorigin = campus.example", "mynetworks = 127.0.0.0/8",
        "smtpd_sender_restrictions = check_sender_access inline:{ {spammer@shop.example = REJECT} }",
        "smtpd_delay_reject = no", "header_checks = regexp:{ {/^Subject: Closing sale/ REJECT spam} }"])
    lab.postfix("mx2", "campus.example", MX2, main=[
        "relay_domains = campus.example", f"relay_transport = smtp:[{STORE}]", "myorigin = campus.example", "mynetworks = 127.0.0.0/8",
        "smtp_connection_cache_destinations = " + ", ".join(
            f"{name}.example" for name in ("bystander", "shop", "library", "harbour", "bakery", "freemail", "orchard")),
        "smtp_connection_cache_time_limit = 20s", "default_destination_concurrency_limit = 1"])
    lab.capture()
    pipelined, chunked = {"pipelining": True}, {"chunking": 700}
    cast.spam(0, MX, REFUSED, "spammer@shop.example", "info", **pipelined)
    cast.spam(1, MX, REFUSED, "sales@bystander.example", "nemo", "noone", **pipelined)
    cast.spam(2, MX, REFUSED, "boats@harbour.example", "info", "nemo", "jobs", **pipelined)
    cast.spam(3, MX, REFUSED, "spammer@shop.example", "info", **pipelined, **chunked)
    cast.spam(4, MX, REFUSED, "sales@bystander.example", "nemo", **pipelined, **chunked)
    cast.partner(MX, cast.letter(WROTE, "orders", "info", text=LONG), cast.letter(MISTYPED, "office", "inof"),
                 cast.letter(WROTE, "desk", "info", "jobs"), **pipelined)
    cast.partner(MX, cast.letter(WROTE, "orders", "info", text=LONG), cast.letter(WROTE, "desk", "jobs"), **chunked)
    cast.partner(MX, cast.letter(WROTE, "office", "info", text=LONG, params="BODY=8BITMIME SIZE=5000"), pipelining=True, chunking=2000)
    stopped = [{**cast.letter(LEFT, "orders", name), "mail_from": "", "stop": True} for name in ("info", "nemo")]
    cast.partner(MX, *stopped, cast.letter(WROTE, "orders", "info"))

    senders = ("sales@bystander.example", "team@shop.example", "boats@harbour.example", "fruit@orchard.example",
               "mail@freemail.example", "books@library.example")
    for turn in range(2):
        lab.send_together("bots", [cast.spam_job(n % 5, MX2, SPAM, f"{turn}.{sender}", f"user{turn}{n}", pipelining=n % 2 == 0)
                                   for n, sender in enumerate(senders)])
    cast.spam(0, MX2, HEARD, "news@shop.example", "info", **chunked)
    lab.settle(quiet=3)
    lab.quiet(21, timeout=40)   # the connections that were kept open end


def check(truth):
    rows = truth["transactions"]
    assert max(row["n"] for row in rows if row["direction"] == "outbound") > 1, "no connection was used twice"
    dialogues = {row["steps"]["client"] for row in rows}
    assert dialogues >= {"MAIL RCPT DATA", "MAIL RCPT RCPT DATA", "MAIL RCPT BDAT BDAT BDAT", "MAIL RCPT"}, dialogues
    assert sum(n for key, n in count(truth).items() if key[2] == "yes") == 12
