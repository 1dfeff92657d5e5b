"""A real Sendmail: its configuration. Its log is only kept, the truth comes from the scripts."""

import os
import re
import subprocess

LAYER = "sendmail"
STARTED = "starting daemon"
START = "exec sendmail-mta -bD -q5s"
MAIN = """\
include(`/usr/share/sendmail/cf/m4/cf.m4')dnl
OSTYPE(`debian')dnl
DOMAIN(`debian-mta')dnl
define(`confTO_IDENT', `0s')dnl
FEATURE(`access_db')dnl
FEATURE(`mailertable')dnl
DAEMON_OPTIONS(`Family=inet, Name=MTA-v4, Port=smtp')dnl
MAILER_DEFINITIONS
MAILER(`local')dnl
MAILER(`smtp')dnl
"""


def configure(root, hostname, domains, access=(), mailertable=()):
    """domains: whose mail it takes; access, mailertable: lines of those tables."""
    mail = root / "etc/mail"
    (mail / "sendmail.mc").write_text(MAIN)
    (mail / "local-host-names").write_text("".join(f"{domain}\n" for domain in (hostname, *domains)))
    (mail / "access").write_text("".join(f"{line}\n" for line in access))
    (mail / "mailertable").write_text("".join(f"{line}\n" for line in mailertable))
    (mail / "aliases").write_text("postmaster: root\n")
    subprocess.run(["chroot", root, "sh", "-ec", "cd /etc/mail; m4 sendmail.mc >sendmail.cf; makemap hash aliases </dev/null;"
                    "for table in access mailertable; do makemap hash $table <$table; done; mkdir -p /run/sendmail/mta"],
                   check=True)
    os.chmod(mail / "sendmail.cf", 0o644)


def queued(_lines):
    return set()


def parse(lines):
    started = next(text for _, _, text in lines if STARTED in text)
    return {"software": "Sendmail " + re.search(r"\(([\w./]+)\)", started)[1]}
