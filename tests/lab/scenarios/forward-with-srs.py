"""Forwarding with rewritten senders (SRS): bounces of dead targets go back by way of us, to who wrote or was forged.

fwd rewrites the sender of what it passes on to SRS0=... at itself (postsrsd). When a target refuses, it bounces to its
own SRS address, undoes the rewriting and sends the bounce to the original sender: backscatter when he was forged.
A notice that comes in from outside for an SRS address is undone and passed on: made elsewhere, no fault.
"""

from cast import TOLD, Cast, count

OWN = {"networks": ["192.0.2.0/24"], "domains": ["campus.example", "fwd.campus.example"]}
FORWARDER = "192.0.2.25"
SERVERS = {FORWARDER: {"name": "fwd.campus.example", "lists": {"backscatterer.org": True},
                       "why": "bounces to forged senders what the targets of its forwarding refuse"}}
LAYERS = {"postfix": ["postfix", "postsrsd"]}

ALIASES = {"anna": "anna@library.example", "bert": "bert@bakery.example", "cleo": "cleo@freemail.example"}
SRSD = ("exec postsrsd -D -4 -f 10001 -r 10002 -d fwd.campus.example -s /etc/postsrsd.secret -a = -Xcampus.example "
        "-u postsrsd -c /var/lib/postsrsd -p /run/postsrsd.pid -t 60")


def passed(name, forged, why, **more):
    return {"passed_to": ALIASES[name], "forged": forged, "why": why, **more}


TAKEN = passed("anna", False, "the real sender wrote this to somebody whose mail is forwarded")
SPAM_TAKEN = passed("anna", True, "spam, passed on; the target takes it")
SPAM_DEAD = passed("bert", True, "spam, passed on; the target refuses it at RCPT", answers=["bounce"])
DEAD = passed("bert", False, "a genuine letter, passed on; the target refuses it at RCPT", answers=["bounce"])
SPAM_DATA = passed("cleo", True, "spam, passed on; the target refuses its content", answers=["bounce"])


def play(lab):
    cast = Cast(lab, "campus.example", own_names={"fwd.campus.example": FORWARDER})
    aliases = ", ".join(f"{{{name}@campus.example = {target}}}" for name, target in ALIASES.items())

    def prepare(root):
        (root / "etc/postsrsd.secret").write_text("k3Jq9vX2mL8pRt5w\n")
        (root / "var/lib/postsrsd").mkdir(exist_ok=True)

    lab.postfix("fwd", "campus.example", FORWARDER, users=["info"], prepare=prepare, start=SRSD.replace("exec ", ""), main=[
        "mydestination = campus.example, $myhostname, localhost", "myorigin = campus.example", "mynetworks = 127.0.0.0/8",
        f"virtual_alias_maps = inline:{{ {aliases} }}", "local_recipient_maps = unix:passwd.byname, tcp:127.0.0.1:10002",
        "sender_canonical_maps = tcp:127.0.0.1:10001", "sender_canonical_classes = envelope_sender",
        "recipient_canonical_maps = tcp:127.0.0.1:10002", "recipient_canonical_classes = envelope_recipient, header_recipient"])
    lab.capture()
    cast.partner(FORWARDER, cast.letter(TAKEN, "orders", "anna"))
    cast.spam(0, FORWARDER, SPAM_TAKEN, "news@shop.example", "anna")
    cast.spam(1, FORWARDER, SPAM_DEAD, "sales@bystander.example", "bert")
    cast.spam(2, FORWARDER, SPAM_DEAD, "boats@harbour.example", "bert")
    cast.spam(3, FORWARDER, SPAM_DATA, "returns@shop.example", "cleo")
    cast.partner(FORWARDER, cast.letter(DEAD, "office", "bert"))
    # The target took it, could not deliver and tells the address that it was given.
    forwarded = next(line for _, _, line in lab.logs[FORWARDER].lines if "from=<SRS0=" in line and "partner.example" in line)
    srs = forwarded.partition("from=<")[2].partition(">")[0]
    returned = {**TOLD, "passed_to": "orders@partner.example", "why": "a notice from the target of a forwarding, passed back"}
    lab.send("v-accept", **cast.job("198.51.100.25", FORWARDER, [cast.post.notice(returned, srs)], "mx.victims-a.example"))
    lab.settle(quiet=3)


def check(truth):
    got = count(truth)
    assert sum(n for key, n in got.items() if key[2] == "yes") == 3, got
    senders = [row["mail_from"] for row in truth["transactions"] if row["direction"] == "outbound"]
    assert any(sender.startswith("SRS0=") for sender in senders), senders
    passed_back = [row for row in truth["transactions"] if row["kind"] == "bounce" and row["provenance"] == "forwarded"]
    assert len(passed_back) == 1, passed_back
