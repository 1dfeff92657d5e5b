"""amavis behind the queue of a Postfix: banned attachments and viruses are bounced to whoever is named as sender.

edge hands all mail to amavisd-new after accepting it; what that finds is rejected by a report from "Content-filter at ...", with the
null sender. Viruses that are known to forge senders make no notice.
"""

from cast import HEARD, TOLD, WROTE, Cast, bounced, count

OWN = {"networks": ["192.0.2.0/24"], "domains": ["campus.example"]}
EDGE = "192.0.2.25"
SERVERS = {EDGE: {"name": "edge.campus.example", "lists": {"backscatterer.org": True}, "why": "its content filter bounces to forged senders"}}
LAYERS = {"amavis": ["postfix", "amavisd-new"]}
BUDGET_S = 240

BANNED = bounced(True, "spam with a banned attachment and a forged sender: the content filter bounces it")
BANNED_GENUINE = bounced(False, "a genuine letter with a banned attachment: its sender is told")
VIRUS = bounced(True, "a virus in a stranger's name: the content filter bounces it")
FAKER = {"forged": True, "fate": "dropped", "why": "a virus that is known to forge senders: dropped"}

AMAVIS = r"""use strict;
$myhostname = 'edge.campus.example'; $mydomain = 'campus.example';
@local_domains_maps = (["campus.example"]);
$final_virus_destiny = D_BOUNCE; $final_banned_destiny = D_BOUNCE; $final_bad_header_destiny = D_PASS;
@bypass_spam_checks_maps = (1);
@bypass_virus_checks_maps = (0);
@viruses_that_fake_sender_maps = (new_RE([qr'Worm'i => 1], [qr'.' => 0]));
@av_scanners = (['lab', '/usr/local/bin/scan', '{}', [0], [1], qr/FOUND (\S+)/]);
@av_scanners_backup = ();
$virus_quarantine_to = $banned_quarantine_to = undef;
$virus_admin = undef;
$enable_db = 0; $max_servers = 2;
$forward_method = 'smtp:[127.0.0.1]:10025'; $notify_method = $forward_method;
1;
"""
SCAN = """\
#!/bin/sh
grep -rqs 'INFECT-MACRO' "$@" && { echo "FOUND Macro.Test"; exit 1; }
grep -rqs 'INFECT-WORM' "$@" && { echo "FOUND Worm.Test"; exit 1; }
exit 0
"""


def prepare(root):
    (root / "etc/amavis/conf.d/50-user").write_text(AMAVIS)
    (root / "usr/local/bin/scan").write_text(SCAN)
    (root / "usr/local/bin/scan").chmod(0o755)


def attached(mail, name, content="TVqQAAMAAAAEAAAA//8AALgAAAAA"):
    """The letter with a file in it."""
    head, _, body = mail["text"].partition("\n\n")
    head = head.replace("Content-Type: text/plain; charset=us-ascii", 'Content-Type: multipart/mixed; boundary="lab-part"')
    parts = (f"--lab-part\nContent-Type: text/plain\n\n{body}\n--lab-part\nContent-Type: application/octet-stream; name=\"{name}\"\n"
             f"Content-Disposition: attachment; filename=\"{name}\"\nContent-Transfer-Encoding: 7bit\n\n{content}\n--lab-part--\n")
    return {**mail, "text": f"{head}\n\n{parts}"}


def play(lab):
    cast = Cast(lab, "campus.example")
    lab.postfix("edge", "campus.example", EDGE, layer="amavis", users=["info"], prepare=prepare, start="amavisd start & sleep 6", main=[
        "mydestination = campus.example, localhost", "myorigin = campus.example", "mynetworks = 127.0.0.0/8",
        "content_filter = smtp:[127.0.0.1]:10024"], services=[
            "127.0.0.1:10025 inet n - n - - smtpd -o content_filter= -o smtpd_recipient_restrictions=permit_mynetworks,reject"])
    lab.capture()

    def infected(bot, story, sender, name, content="TVqQAAMAAAAEAAAA//8AALgAAAAA"):
        job = cast.spam_job(bot, EDGE, story, sender, "info", text="See the attached invoice.\n")
        job["mails"] = [attached(mail, name, content) for mail in job["mails"]]
        lab.send("bots", **job)

    infected(0, BANNED, "sales@bystander.example", "invoice.pdf.exe")
    infected(1, BANNED, "boats@harbour.example", "invoice.scr")
    infected(2, VIRUS, "team@shop.example", "letter.txt", "INFECT-MACRO")
    infected(3, VIRUS, "mail@freemail.example", "letter.txt", "INFECT-MACRO")
    infected(4, FAKER, "books@library.example", "letter.txt", "INFECT-WORM")
    cast.partner(EDGE, attached(cast.letter(BANNED_GENUINE, "orders", "info"), "setup.exe"), cast.letter(WROTE, "office", "info"))
    cast.partner(EDGE, cast.notice({**TOLD, "fate": "delivered"}, "info"))
    cast.spam(0, EDGE, HEARD, "news@shop.example", "info")
    lab.settle(quiet=6, timeout=60)


def check(truth):
    got = count(truth)
    assert sum(n for key, n in got.items() if key[2] == "yes") == 4 and sum(got.values()) == 5, got
