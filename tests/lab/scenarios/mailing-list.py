"""A mailing list (mlmmj): posts with VERP senders and their returns are innocent, confirmations to forged subscribers are not.

Members' posts go out once for each member, from list+bounces-N-...; what comes back goes to the list's bounce address and is
swallowed. Whoever writes to club+subscribe is asked to confirm: spammers do so in strangers' names. A post by somebody who is
no member is answered, too.
"""

from cast import Cast, count
from letters import NOTE

OWN = {"networks": ["192.0.2.0/24"], "domains": ["campus.example", "lists.campus.example"]}
LISTS = "192.0.2.25"
SERVERS = {LISTS: {"name": "lists.campus.example", "lists": {"backscatterer.org": None},
                   "why": "asks forged subscribers to confirm, from an address of the list, not the null sender"}}
LAYERS = {"postfix": ["postfix", "mlmmj"]}

POST = {"forged": False, "passed": True, "why": "a member's post, distributed by the list"}
RETURN = {"forged": False, "kind": "bounce", "why": "a notice about a post, to the list's own bounce address"}
JOIN = {"forged": False, "answers": ["list-notice"], "why": "somebody really wants to subscribe: he is asked to confirm"}
JOIN_FORGED = {"forged": True, "answers": ["list-notice"], "why": "a spammer subscribes a stranger: he is asked to confirm"}
NO_MEMBER = {"forged": True, "answers": ["list-notice"], "why": "spam to the list in a stranger's name: he is told that it is for members"}

MEMBERS = ("orders@partner.example", "office@partner.example", "k.lane@bigmail.example", "sam77@bigmail.example", "gone@partner.example")
RECEIVE = "/usr/bin/mlmmj-receive -F -L /var/spool/mlmmj/club"


def prepare(root):
    import shutil
    spool = root / "var/spool/mlmmj/club"
    for name in ("incoming", "queue/discarded", "archive", "text", "subconf", "unsubconf", "bounce", "control", "moderation", "requeue",
                 "subscribers.d", "digesters.d", "nomailsubs.d"):
        (spool / name).mkdir(parents=True)
    shutil.copytree(root / "usr/share/mlmmj/text.skel/en", spool / "text", dirs_exist_ok=True)
    (spool / "index").write_text("0\n")
    (spool / "control/listaddress").write_text("club@lists.campus.example\n")
    (spool / "control/owner").write_text("info@campus.example\n")
    for name in ("subonlypost", "smtponly"):
        (spool / "control" / name).write_text("")
    for member in MEMBERS:
        with open(spool / "subscribers.d" / member[0], "a", encoding="ascii") as file:
            file.write(f"{member}\n")


def play(lab):
    cast = Cast(lab, "lists.campus.example")
    lab.postfix("lists", "campus.example", LISTS, users=["mlm"], prepare=prepare,
                start="chown -R mlm: /var/spool/mlmmj", main=[
                    "mydestination = lists.campus.example, localhost", "myorigin = lists.campus.example", "mynetworks = 127.0.0.0/8",
                    "recipient_delimiter = +", "transport_maps = inline:{ {club@lists.campus.example = mlmmj:} }",
                    "local_recipient_maps = inline:{ {club@lists.campus.example = x}, {club = x} }", "mlmmj_destination_recipient_limit = 1"],
                services=[f"mlmmj unix - n n - - pipe flags=ORhu user=mlm argv={RECEIVE}"])
    lab.capture()
    cast.partner(LISTS, cast.letter(POST, "orders", "club", subject="next meeting"))
    cast.provider(LISTS, cast.letter(POST, "k.lane@bigmail.example", "club", subject="Re: next meeting", text=NOTE))
    lab.quiet()
    cast.partner(LISTS, cast.notice(RETURN, "club+bounces-1-gone=partner.example"))
    cast.partner(LISTS, cast.letter(JOIN, "desk", "club+subscribe", subject="subscribe", text="please\n"))
    for bot, sender in enumerate(("sales@bystander.example", "boats@harbour.example", "team@shop.example", "mail@freemail.example")):
        cast.spam(bot, LISTS, JOIN_FORGED, sender, "club+subscribe")
    cast.spam(4, LISTS, NO_MEMBER, "books@library.example", "club")
    lab.settle(quiet=5)


def check(truth):
    got = count(truth)
    assert sum(n for key, n in got.items() if key[1:3] == ("list-notice", "yes")) == 5, got
    posts = [row for row in truth["transactions"] if row["direction"] == "outbound" and row["mail_from"].startswith("club+bounces-")]
    assert len(posts) >= 8, posts
