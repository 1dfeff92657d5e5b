"""A real Exim: its configuration. Its log is only kept, the truth comes from the scripts."""

import os
import re

LAYER = "exim"
STARTED = "daemon started"
START = "exec exim4 -bdf -q5s"

MAIN = """\
log_file_path = syslog
syslog_timestamp = no
syslog_duplication = no
log_selector = -queue_run
ignore_bounce_errors_after = 0s
host_lookup =
rfc1413_query_timeout = 0s
tls_advertise_hosts =
message_size_limit = 5M
"""
LOCAL = """\
begin transports
smtp:
  driver = smtp
mailbox:
  driver = appendfile
  file = /var/mail/$local_part_data
  group = mail
  mode = 0660
"""


def configure(root, hostname, main, acl, routers, transports=""):
    """Parts of exim4.conf as texts; acl: the statements of the one at RCPT."""
    path = root / "etc/exim4/exim4.conf"
    path.write_text(f"primary_hostname = {hostname}\n{MAIN}{main}acl_smtp_rcpt = rcpt\n"
                    f"begin acl\nrcpt:\n{acl}begin routers\n{routers}{LOCAL}{transports}"
                    "begin retry\n* * F,1h,8s\n")
    os.chmod(path, 0o644)


def queued(_lines):
    return set()   # waiting for quiet is enough: nothing in these scenarios waits for a retry


def parse(lines):
    started = next(text for _, _, text in lines if STARTED in text)
    return {"software": "Exim " + re.search(r"exim ([\d.]+) daemon", started)[1]}
