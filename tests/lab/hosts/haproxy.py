"""A real HAProxy in front of mail servers: its configuration, and which connection of it belongs to which of a client."""

import re
import shlex

LAYER = "haproxy"
STARTED = "haproxy is up"
START = f"haproxy -D -f /etc/haproxy/lab.cfg; logger -t lab {shlex.quote(STARTED)}; exec sleep infinity"
CONFIG = """\
global
  log /dev/log local0
  maxconn 200
defaults
  mode tcp
  log global
  option log-separate-errors
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  log-format "joined %ci %cp %bi %bp %si %sp"
"""


def configure(root, _hostname, bind, servers):
    """servers: {port on bind: (address, "send-proxy" or "send-proxy-v2")}."""
    text = CONFIG
    for port, (server, words) in servers.items():
        text += f"listen smtp{port}\n  bind {bind}:{port}\n  server mx {server}:25 {words}\n"
    (root / "etc/haproxy/lab.cfg").write_text(text)


def queued(_lines):
    return set()


def parse(lines):
    joined = [match.groups() for _, _, text in lines if (match := re.match(r"joined (\S+) (\d+) (\S+) (\d+) (\S+) (\d+)", text))]
    return {"software": "HAProxy", "proxied": {
        (ci, int(cp)): {"src_ip": bi, "src_port": int(bp), "dest_ip": si, "dest_port": int(sp)} for ci, cp, bi, bp, si, sp in joined}}
