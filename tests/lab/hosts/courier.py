"""A real Courier: its configuration. Its log is only kept, the truth comes from the scripts."""

import subprocess

LAYER = "courier"
STARTED = "courier is up"
START = ("mkdir -p /run/courier/authdaemon; chown -R courier: /run/courier; authdaemond start; courierfilter start; courier start; "
         f"esmtpd start; sleep 1; logger '{STARTED}'; exec sleep infinity")
ESMTPD = """
BOFHCHECKDNS=0
TARPIT=0
TCPDOPTS="-stderrlogger=/usr/sbin/courierlogger -nodnslookup -noidentlookup"
"""


def configure(root, hostname, locals, domains=(), routes=()):
    """locals: domains of users on it; domains: more whose mail it takes; routes: lines of esmtproutes."""
    etc = root / "etc/courier"
    for name, lines in {"me": [hostname], "defaultdomain": [hostname], "dsnfrom": [f"mailer-daemon@{hostname}"], "locals": ["localhost", *locals],
                        "esmtpacceptmailfor.dir/lab": [*locals, *domains], "esmtproutes": routes, "bofh": ["opt BOFHCHECKDNS=0"],
                        "queuetime": ["20s"], "retryalpha": ["2s"], "retrybeta": ["2s"], "retrygamma": ["2s"]}.items():
        (etc / name).write_text("".join(f"{line}\n" for line in lines))
    (etc / "esmtpd").write_text((etc / "esmtpd").read_text() + ESMTPD)
    subprocess.run(["chroot", root, "sh", "-c", "makesmtpaccess; makeacceptmailfor; makealiases"], check=True)


def queued(_lines):
    return set()


def parse(_lines):
    return {"software": "Courier"}
