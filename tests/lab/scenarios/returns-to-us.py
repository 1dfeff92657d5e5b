"""Innocent: notices about our own mail come back, to signed senders (BATV), by an alumni address, by a .forward.

sig (Exim) signs its users' envelope senders as prvs=..., and takes notices for signed addresses only; spam's notices for
unsigned ones are refused. alumni (Postfix) passes all mail for former students on, by table and by .forward: notices among it are made
elsewhere.
"""

from cast import SENT, TOLD, WROTE, Cast, count
from hosts import exim
from letters import NOTE

OWN = {"networks": ["192.0.2.0/24"], "domains": ["campus.example", "alumni.campus.example"]}
SIG, ALUMNI = "192.0.2.25", "192.0.2.26"
SERVERS = {
    SIG: {"name": "sig.campus.example", "lists": {"backscatterer.org": False}, "why": "signs its senders, answers nobody"},
    ALUMNI: {"name": "alumni.campus.example", "lists": {"backscatterer.org": False}, "why": "passes on what others made"},
}
LAYERS = {"postfix": ["postfix"], "exim-heavy": ["exim4-daemon-heavy"]}

ALIASES = {"anna": "anna@library.example", "bert": "k.lane@bigmail.example"}
RETURNED = {**TOLD, "why": "a notice about our own user's mail, to his signed address"}
UNSIGNED = {"forged": True, "kind": "bounce", "why": "somebody's backscatter to an address of ours that we never sent from: refused"}
ACL = ("  deny senders = :\n    domains = +local\n    !condition = ${if eq{${prvscheck{$local_part@$domain}{lab}}}{}{no}{yes}}\n"
       "    message = This address does not send an unsigned reverse path\n"
       "  require domains = +local\n  require verify = recipient\n  accept\n")
ROUTERS = """\
out:
  driver = dnslookup
  domains = !+local
  transport = signed
signed:
  driver = redirect
  data = ${prvscheck{$local_part@$domain}{lab}}
users:
  driver = accept
  domains = +local
  check_local_user
  transport = mailbox
"""
SIGNED = "signed:\n  driver = smtp\n  return_path = ${if !eq{$return_path}{}{${prvs{$return_path}{lab}}}fail}\n"


def passed(name, story):
    return {**story, "passed_to": ALIASES[name]}


def play(lab):
    cast = Cast(lab, "campus.example")
    lab.server(exim, "sig", "campus.example", SIG, layer="exim-heavy", users=["ruth"], main="domainlist local = campus.example\n", routers=ROUTERS,
               transports=SIGNED, acl=ACL)
    table = ", ".join(f"{{{name}@alumni.campus.example = {target}}}" for name, target in ALIASES.items() if name != "bert")
    lab.postfix("alumni", "campus.example", ALUMNI, users=["bert"], main=[
        "mydestination = alumni.campus.example, localhost", "myorigin = campus.example", "mynetworks = 127.0.0.0/8",
        f"virtual_alias_maps = inline:{{ {table} }}"])
    lab.file("alumni", "/home/bert/.forward", f"{ALIASES['bert']}\n", owner="bert")
    lab.capture()
    for recipient in ("orders@partner.example", "gone@partner.example"):
        letter = cast.post.letter({**SENT, "passed_as": "any"}, "ruth@campus.example", [recipient], "minutes", NOTE, "sig.campus.example")
        lab.hand_in("sig", letter)
    lab.quiet(2)
    signed = next(raw["mail_from"] for raw in lab.received() if raw["mail_from"].startswith("prvs="))
    cast.partner(SIG, cast.notice(RETURNED, signed, about="ruth@campus.example"))
    cast.provider(SIG, cast.notice(UNSIGNED, "ruth"))
    cast.partner(SIG, cast.letter(WROTE, "orders", "ruth"))
    for name in ALIASES:
        cast.partner(ALUMNI, cast.notice(passed(name, {**TOLD, "why": "a notice from outside, passed on: made elsewhere"}),
                                         f"{name}@alumni.campus.example"))
        cast.partner(ALUMNI, cast.letter(passed(name, WROTE), "office", f"{name}@alumni.campus.example"))
    lab.settle(quiet=3)


def check(truth):
    assert not count(truth), count(truth)
    assert sum(row["kind"] == "bounce" and row["provenance"] == "forwarded" for row in truth["transactions"]) == 2
