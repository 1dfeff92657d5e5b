"""A real OpenSMTPD: its configuration. Its log is only kept, the truth comes from the scripts."""

import os
import re

LAYER = "opensmtpd"
STARTED = "starting"
START = "exec smtpd -F"


def configure(root, hostname, main):
    """main: smtpd.conf as a text."""
    path = root / "etc/smtpd.conf"
    path.write_text(main)
    os.chmod(path, 0o644)
    (root / "etc/mailname").write_text(f"{hostname}\n")
    (root / "etc/aliases").write_text("")


def queued(_lines):
    return set()


def parse(lines):
    started = next(text for _, _, text in lines if STARTED in text)
    return {"software": re.search(r"OpenSMTPD [\w.]+", started)[0]}
