"""Sieve that rejects what was accepted: dovecot behind a Postfix, by LMTP and as its delivery program; what comes looks like a receipt.

The users' scripts say reject, which Pigeonhole turns into a disposition notification (RFC 5429 2.1.2) from the null sender, by LMTP too; and one
mailbox is full, for which dovecot-lda writes a bounce of its own.
"""

from cast import HEARD, Cast, bounced, count

OWN = {"networks": ["192.0.2.0/24"], "domains": ["campus.example"]}
LMTP, LDA = "192.0.2.25", "192.0.2.26"
SERVERS = {
    LMTP: {"name": "lmtp.campus.example", "lists": {"backscatterer.org": True}, "why": "users' scripts reject spam to forged senders"},
    LDA: {"name": "lda.campus.example", "lists": {"backscatterer.org": True}, "why": "users' scripts and full mailboxes reject spam to forged senders"},
}
LAYERS = {"postfix": ["postfix", "dovecot-core", "dovecot-lmtpd", "dovecot-sieve"]}

REJECTED = bounced(True, "spam with a forged sender to a user whose script rejects it: the forged sender is told")
REJECTED_GENUINE = bounced(False, "genuine mail to a user whose script rejects it: its sender is told")
FULL = bounced(True, "spam with a forged sender to a full mailbox: the forged sender is told")
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
  mail_plugins = quota sieve
}
protocol lda {
  mail_plugins = quota sieve
}
service lmtp {
  unix_listener /var/spool/postfix/private/dovecot-lmtp {
    mode = 0666
  }
}
plugin {
  quota = maildir:User quota
  quota_rule = *:storage=4K
  quota_grace = 0
  sieve = file:/srv/sieve/%n.sieve
}
"""
SCRIPTS = {"rita": 'require "reject";\nreject "I do not want your mail.";\n',
           "rosa": 'require "reject";\nreject "Ich lese hier keine Post mehr.";\n'}


def prepare(root):
    (root / "etc/dovecot/dovecot.conf").unlink()
    (root / "etc/dovecot/dovecot.conf").write_text(DOVECOT)
    (root / "srv/sieve").mkdir(parents=True)
    for user, script in SCRIPTS.items():
        (root / f"srv/sieve/{user}.sieve").write_text(script)


def play(lab):
    cast = Cast(lab, "campus.example")
    users = ", ".join(f"{{{user}@campus.example = x}}" for user in ("info", "vera", *SCRIPTS))
    for name, address, transport in (("lmtp", LMTP, "lmtp:unix:private/dovecot-lmtp"), ("lda", LDA, "lda")):
        lab.postfix(name, "campus.example", address, prepare=prepare, start="mkdir -p /srv/mail; chown -R mail: /srv/mail /srv/sieve; dovecot", main=[
            "mydestination = localhost", "virtual_mailbox_domains = campus.example", f"virtual_mailbox_maps = inline:{{ {users} }}",
            f"virtual_transport = {transport}", "myorigin = campus.example", "mynetworks = 127.0.0.0/8", "lda_destination_recipient_limit = 1"],
            services=["lda unix - n n - - pipe flags=DRhu user=mail argv=/usr/lib/dovecot/dovecot-lda -f ${sender} -d ${recipient}"])
    lab.capture()
    for server, name in ((LMTP, "l"), (LDA, "d")):
        for n, user in enumerate(SCRIPTS):
            cast.spam(n, server, REJECTED, f"sales.{name}{n}@bystander.example", user)
            cast.spam(n + 1, server, REJECTED, f"boats.{name}{n}@harbour.example", user)
            cast.partner(server, cast.letter(REJECTED_GENUINE, ("orders", "office")[n], user))
        cast.spam(3, server, HEARD, f"news.{name}@shop.example", "info")
    cast.partner(LDA, cast.letter(FILLS, "orders", "vera", text="All of the minutes.\n" * 150))
    lab.quiet(1.5)
    cast.spam(4, LDA, FULL, "team@shop.example", "vera")
    lab.settle(quiet=4)


def check(truth):
    got = count(truth)
    assert {key[1] for key in got} == {"bounce"}, got
    assert sum(n for key, n in got.items() if key[2] == "yes") == 9 and sum(n for key, n in got.items() if key[2] == "no") == 4, got
