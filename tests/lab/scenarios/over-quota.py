"""Full mailboxes: one Postfix learns of them from dovecot's LMTP after accepting and bounces, the other asks before and refuses.

The users' quota is real, their mailboxes are filled by their first mail. late delivers by LMTP on its own host, so the refusal (552) is
in no capture. early asks dovecot's quota-status policy service at RCPT.
"""

from cast import HEARD, Cast, bounced, count

OWN = {"networks": ["192.0.2.0/24"], "domains": ["campus.example"]}
LATE, EARLY = "192.0.2.25", "192.0.2.26"
SERVERS = {
    LATE: {"name": "late.campus.example", "lists": {"backscatterer.org": True}, "why": "bounces spam to full mailboxes to forged senders"},
    EARLY: {"name": "early.campus.example", "lists": {"backscatterer.org": False}, "why": "refuses mail to full mailboxes at RCPT"},
}
LAYERS = {"postfix": ["postfix", "dovecot-core", "dovecot-lmtpd"]}

FULL = bounced(True, "spam with a forged sender to a full mailbox: bounced")
FULL_GENUINE = bounced(False, "genuine mail to a full mailbox: its sender is told")
FILLS = {"forged": False, "why": "the letter that fills the mailbox"}
DOVECOT = """\
protocols = lmtp
ssl = no
mail_location = maildir:/srv/mail/%u
mail_uid = mail
mail_gid = mail
first_valid_uid = 1
first_valid_gid = 1
postmaster_address = postmaster@campus.example
auth_username_format = %n
mail_plugins = quota
passdb {
  driver = static
  args = nopassword=y
}
userdb {
  driver = static
  args = uid=mail gid=mail home=/srv/mail/%u
}
protocol lmtp {
  mail_plugins = quota
}
service lmtp {
  unix_listener /var/spool/postfix/private/dovecot-lmtp {
    mode = 0666
  }
}
service quota-status {
  executable = quota-status -p postfix
  inet_listener {
    address = 127.0.0.1
    port = 12340
  }
  client_limit = 1
}
plugin {
  quota = maildir:User quota
  quota_rule = *:storage=4K
  quota_grace = 0
  quota_exceeded_message = Quota exceeded (mailbox for user is full)
  quota_status_success = DUNNO
  quota_status_nouser = DUNNO
  quota_status_overquota = "552 5.2.2 Mailbox is full"
}
"""


def prepare(root):
    (root / "etc/dovecot/dovecot.conf").unlink()
    (root / "etc/dovecot/dovecot.conf").write_text(DOVECOT)


def play(lab):
    cast = Cast(lab, "campus.example")
    start = "mkdir -p /srv/mail; chown mail: /srv/mail; dovecot"
    users = ", ".join(f"{{{user}@campus.example = x}}" for user in ("info", "vera"))
    common = ["mydestination = localhost", "virtual_mailbox_domains = campus.example", f"virtual_mailbox_maps = inline:{{ {users} }}",
              "virtual_transport = lmtp:unix:private/dovecot-lmtp", "myorigin = campus.example", "mynetworks = 127.0.0.0/8"]
    lab.postfix("late", "campus.example", LATE, prepare=prepare, start=start, main=common)
    lab.postfix("early", "campus.example", EARLY, prepare=prepare, start=start, main=[
        *common, "smtpd_recipient_restrictions = reject_unauth_destination, reject_unlisted_recipient, check_policy_service inet:127.0.0.1:12340"])
    lab.capture()
    for server, name in ((LATE, "l"), (EARLY, "e")):
        late = server == LATE
        cast.partner(server, cast.letter(FILLS, "orders", "vera", text="All of the minutes.\n" * 150))
        lab.quiet(1.5)
        refused = {"why": "to a full mailbox, refused at RCPT"}
        cast.spam(0, server, FULL if late else {"forged": True, **refused}, f"sales.{name}@bystander.example", "vera", params="SIZE=800")
        cast.spam(1, server, FULL if late else {"forged": True, **refused}, f"boats.{name}@harbour.example", "vera", params="SIZE=800")
        cast.spam(2, server, HEARD, f"news.{name}@shop.example", "info")
        cast.partner(server, cast.letter(FULL_GENUINE if late else {"forged": False, **refused}, "office", "vera", params="SIZE=800"))
    lab.settle(quiet=3)


def check(truth):
    got = count(truth)
    assert {key[0] for key in got} == {LATE} and sum(got.values()) == 3, got
