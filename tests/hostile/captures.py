#!/usr/bin/env python3
"""Twenty small captures of different make, to be damaged: captures.py DIR writes some sessions as a tap of each kind would hand them out, and how
some samples begin, and prints their names."""

import subprocess
import sys
from pathlib import Path

HOSTILE = Path(__file__).resolve().parent
TOP = HOSTILE.parent.parent
sys.path.insert(0, str(TOP / "tests"))
import rewrap  # noqa: E402

VIEWS = ("plain", "nanoseconds", "big-endian", "pcapng", "qinq", "mpls-pseudowire", "pppoe", "gre-in-ip6", "erspan3-vxlan-qinq", "sll2", "ip6",
         "6-fragments", "vxlan-of-fragments")
SAMPLES = ("returns-to-us", "behind-nat-and-listed", "ipv6", "starttls", "proxy-protocol", "postfix-double-bounce-probe")
# a bounce with something in it, replies and ends of data in odd ways, structure, noise
SAMPLE_BYTES = 20000
SESSIONS = (620, 1001, 1005, 1006, 1008, 1012)


def sessions(path):
    """One capture of those sessions."""
    with open(path, "wb") as out:
        for i, number in enumerate(SESSIONS):
            made = subprocess.run([sys.executable, HOSTILE / "sessions.py", "--truth", "/dev/null", "--first", str(number), "--count", "1", "--budget", "300"],
                                  check=True, capture_output=True).stdout
            out.write(made if i == 0 else made[24:])


def beginning(capture):
    frames, left = [], SAMPLE_BYTES
    for frame in capture.frames:
        left -= len(frame.data) + 16
        if left < 0:
            break
        frames.append(frame)
    return capture._replace(frames=frames)


def write(path, capture):
    path.write_bytes(rewrap.pcap(capture, "<", False))
    print(path)


def main():
    where = Path(sys.argv[1])
    base = where / "base.pcap"
    sessions(base)
    for view in VIEWS:
        path = where / (view + ".pcap")
        rewrap.rewrap(rewrap.read(base), view, 1, path)
        print(path)
    short = rewrap.cut(rewrap.read(base), 64)
    write(where / "snaplen-64.pcap", short)
    for sample in SAMPLES:
        write(where / (sample + ".pcap"), beginning(rewrap.read(TOP / "samples/pcaps" / (sample + ".pcap"))))


if __name__ == "__main__":
    main()
