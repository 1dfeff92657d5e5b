"""Frames and captures: TCP connections over IPv4 and Ethernet, as a tap would hand them out."""

import struct

SYN, FIN, RST, PUSH, ACK, URG = 2, 1, 4, 8, 16, 32
LARGEST = 65000  # payload of one frame: offloading cards hand such frames to a tap

ETHERNET = b"\x02\0\0\0\0\1\x02\0\0\0\0\2\x08\0"
PCAP_HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)


def address(text):
    return bytes(int(part) for part in text.split("."))


def frame(src, sport, dst, dport, seq, ack, flags, payload=b""):
    tcp = struct.pack(">HHIIBBHHH", sport, dport, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, 5 << 4, flags, 65535, 0, 0)
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40 + len(payload), 1, 0, 64, 6, 0, src, dst)
    return ETHERNET + ip + tcp + payload


def record(t_us, data):
    return struct.pack("<IIII", t_us // 1000000, t_us % 1000000, len(data), len(data)) + data


class Connection:
    """One TCP connection: each side acknowledges all that the other has sent. Its frames are kept until take()."""

    def __init__(self, client, cport, server, t_us, sport=25, mss=1460, step_us=200, isn=(1000, 5000)):
        self.ends = {"c": (client, cport), "s": (server, sport)}
        self.sent = {"c": isn[0], "s": isn[1]}
        self.t_us, self.mss, self.step_us = t_us, mss, step_us
        self.frames = []

    def _send(self, who, flags, payload=b""):
        other = "s" if who == "c" else "c"
        src, dst = self.ends[who], self.ends[other]
        ack = self.sent[other] if flags & ACK else 0
        self.frames.append((self.t_us, frame(*src, *dst, self.sent[who], ack, flags, payload)))
        self.sent[who] = (self.sent[who] + len(payload) + bool(flags & (SYN | FIN))) & 0xFFFFFFFF
        self.t_us += self.step_us

    def open(self):
        self._send("c", SYN)
        self._send("s", SYN | ACK)
        self._send("c", ACK)

    def say(self, who, data):
        view = memoryview(data)
        for at in range(0, len(data), self.mss):
            self._send(who, ACK | PUSH, bytes(view[at:at + self.mss]))

    def close(self, first="c", reset=False):
        if reset:
            self._send(first, RST | ACK)
            return
        self._send(first, FIN | ACK)
        self._send("s" if first == "c" else "c", FIN | ACK)
        self._send(first, ACK)

    def take(self):
        frames, self.frames = self.frames, []
        return frames
