#!/usr/bin/env python3
"""Real sessions in a flood of SYNs from random addresses: a capture on standard output.

    flood.py --syns N [--sessions N] [--rate SYNS_A_SECOND]

Half of the sessions begin while the flood lasts, half of them after it. Servers take half a second to greet.
"""

import argparse
import heapq
import random
import struct
import sys

from wire import ETHERNET, PCAP_HEADER, Connection, record

START_US = 1_700_000_000_000_000
SERVER = bytes((192, 0, 2, 25))
GREETING_US = 500_000


def session(n, at_us):
    """Frames of the n-th session; one of three is refused."""
    tcp = Connection(bytes((10, 1, n >> 8, n & 255)), 2000 + n, SERVER, at_us, step_us=20_000, isn=(n * 65537 + 1, n * 257 + 1))
    tcp.open()
    tcp.t_us += GREETING_US
    name = b"u%05d" % n
    for who, text in (("s", b"220 mx.example.net ESMTP\r\n"), ("c", b"EHLO client.example.org\r\n"), ("s", b"250 mx.example.net\r\n"),
                      ("c", b"MAIL FROM:<%s@example.org>\r\n" % name), ("s", b"250 ok\r\n"), ("c", b"RCPT TO:<%s@example.net>\r\n" % name),
                      ("s", b"550 5.1.1 unknown\r\n" if n % 3 == 0 else b"250 ok\r\n")):
        tcp.say(who, text)
    if n % 3:
        for who, text in (("c", b"DATA\r\n"), ("s", b"354 go on\r\n"), ("c", b"Message-ID: <%s@example.org>\r\n\r\ntext\r\n.\r\n" % name),
                          ("s", b"250 2.0.0 Ok: queued as 4AB3C%05d\r\n" % n)):
            tcp.say(who, text)
    tcp.say("c", b"QUIT\r\n")
    tcp.say("s", b"221 bye\r\n")
    tcp.close()
    return tcp.take()


def sessions(count, flood_us):
    frames = []
    for n in range(count):
        share = n / count * 2
        frames += session(n, START_US + int(flood_us * share if share < 1 else flood_us + (share - 1) * 10_000_000))
    return sorted(frames, key=lambda f: f[0])


def flood(count, rate, rng):
    """(time, record): times in blocks, since a record is all that differs."""
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 40, 1, 0, 64, 6, 0)
    for first in range(0, count, 1000):
        t_us = START_US + first * 1_000_000 // rate
        head = struct.pack("<IIII", t_us // 1_000_000, t_us % 1_000_000, 54, 54) + ETHERNET + ip
        noise = rng.randbytes(10 * min(1000, count - first))
        yield t_us, b"".join(head + noise[i:i + 4] + SERVER + noise[i + 4:i + 6] + b"\0\x19" + noise[i + 6:i + 10] + b"\0\0\0\0\x50\x02\xff\xff\0\0\0\0"
                             for i in range(0, len(noise), 10))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--syns", type=int, default=1_000_000)
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--rate", type=int, default=200_000)
    args = parser.parse_args()
    real = ((t_us, record(t_us, data)) for t_us, data in sessions(args.sessions, args.syns * 1_000_000 // args.rate))
    out = sys.stdout.buffer
    out.write(PCAP_HEADER)
    for _, data in heapq.merge(flood(args.syns, args.rate, random.Random(1)), real, key=lambda f: f[0]):
        out.write(data)


if __name__ == "__main__":
    main()
