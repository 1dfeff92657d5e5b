"""A host with the real TCP of Linux, and a peer that sends whatever it likes: the host speaks SMTP and writes down what it received.

    peer (raw frames, tcpdump) --- router --- host            each in a network namespace of its own; ends when this process does

Run in new mount, process and network namespaces (check_hostile_tcp does), so that nothing outlives it. The peer's address belongs to nobody: what
arrives for it is answered by the case alone.
"""

import json
import os
import select
import socket
import struct
import subprocess
import sys
import time

PEER, HOST = "198.51.100.7", "192.0.2.25"
FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = 1, 2, 4, 8, 16, 32, 64, 128
HERE = os.path.dirname(os.path.abspath(__file__))
REPLY_S, QUIET_S = 2.0, 0.02


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def set_up():
    """The three namespaces; answers (our interface's MAC, the router's)."""
    subprocess.run(["mount", "-t", "tmpfs", "hostile", "/run"], check=True)
    os.makedirs("/run/netns")
    for name in ("hostile-router", "hostile-host"):
        ip("netns", "add", name)
    ip("link", "add", "wire0", "type", "veth", "peer", "name", "r0", "netns", "hostile-router")
    ip("-n", "hostile-router", "link", "add", "r1", "type", "veth", "peer", "name", "h0", "netns", "hostile-host")
    macs = {}
    for where, device, address in (("", "wire0", None), ("hostile-router", "r0", "198.51.100.1/24"), ("hostile-router", "r1", "192.0.2.1/24"),
                                   ("hostile-host", "h0", HOST + "/24")):
        inside = ["-n", where] if where else []
        if address:
            ip(*inside, "address", "add", address, "dev", device)
        enter = ["ip", "netns", "exec", where] if where else []
        subprocess.run([*enter, "sh", "-c", f"echo 1 >/proc/sys/net/ipv6/conf/{device}/disable_ipv6"], check=True)
        subprocess.run([*enter, "ethtool", "-K", device, "tx", "off", "tso", "off", "gso", "off", "gro", "off"], check=True, capture_output=True)
        ip(*inside, "link", "set", device, "up")
        told = subprocess.run(["ip", "-j", *inside, "link", "show", device], check=True, capture_output=True).stdout
        macs[device] = bytes.fromhex(json.loads(told)[0]["address"].replace(":", ""))
    subprocess.run(["ip", "netns", "exec", "hostile-router", "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"], check=True)
    ip("-n", "hostile-router", "neighbor", "add", PEER, "lladdr", macs["wire0"].hex(":"), "dev", "r0", "nud", "permanent")
    ip("-n", "hostile-host", "route", "add", "default", "via", "192.0.2.1")
    ip("-n", "hostile-host", "link", "set", "lo", "up")
    return macs["wire0"], macs["r0"]


# ---- packets ----

def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip_header(length, ttl=64, options=b"", number=1, fragment=0, wrong=False):
    options += b"\0" * (-len(options) % 4)
    size = 20 + len(options)
    head = struct.pack(">BBHHHBBH4s4s", 0x40 | size // 4, 0, size + length, number, fragment, ttl, 6, 0, socket.inet_aton(PEER), socket.inet_aton(HOST))
    sum_ = checksum(head + options) ^ (0x5555 if wrong else 0)
    return head[:10] + struct.pack(">H", sum_) + head[12:] + options


def tcp_segment(sport, dport, seq, ack, flags, data=b"", window=65535, urgent=0, options=b"", offset=None, reserved=0, wrong=False):
    options += b"\0" * (-len(options) % 4)
    words = (20 + len(options)) // 4 if offset is None else offset
    head = struct.pack(">HHIIBBHHH", sport, dport, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, words << 4 | reserved, flags, window, 0, urgent) + options
    pseudo = socket.inet_aton(PEER) + socket.inet_aton(HOST) + struct.pack(">BBH", 0, 6, len(head) + len(data))
    sum_ = checksum(pseudo + head + data) ^ (0x5555 if wrong else 0)
    return head[:16] + struct.pack(">H", sum_) + head[18:] + data


class Closed(Exception):
    """The host has reset the connection."""


class Peer:
    """Our side of one connection, as server (sport 25) or client. `sent` is what we count as sent, `heard` what the host has."""

    def __init__(self, wire, number, isn=None, timestamps=False, port=25):
        self.wire, self.number = wire, number
        self.client = True
        self.here, self.there = 20000 + number, port
        self.isn = 1000003 * number + 77 if isn is None else isn
        self.sent, self.heard = self.isn, 0
        self.timestamps, self.clock, self.echo = timestamps, 1_000_000, 0
        self.text = b""        # what the host said and was not looked at yet

    # -- sending --

    def options(self, clock=None):
        if not self.timestamps:
            return b""
        return b"\1\1\x08\x0a" + struct.pack(">II", self.clock if clock is None else clock, self.echo)

    def segment(self, data=b"", at=0, flags=ACK | PSH, ack=None, **more):
        """A TCP segment `at` bytes from where we stand."""
        more.setdefault("options", self.options())
        return tcp_segment(self.here, self.there, self.sent + at, self.heard if ack is None else ack, flags, data, **more)

    def put(self, data=b"", at=0, flags=ACK | PSH, ack=None, ip=None, **more):
        """One segment; what we count as sent stays."""
        segment = self.segment(data, at, flags, ack, **more)
        self.wire.send(ip_header(len(segment), **(ip or {})) + segment)
        self.clock += 1

    def say(self, data, **more):
        self.put(data, **more)
        self.sent += len(data)

    def fragments(self, pieces, data, **more):
        """The segment with data as IP fragments: (from, to[, other bytes]) within the TCP segment, in that order."""
        segment = self.segment(data, **more)
        for begin, end, *other in pieces:
            part = other[0] if other else segment[begin:end]
            self.wire.send(ip_header(len(part), number=0x4000 + self.number, fragment=(begin // 8) | (0x2000 if end < len(segment) else 0)) + part)

    # -- receiving --

    def listen(self, seconds, until=None):
        """Takes what the host sends, acknowledges nothing. True: until(flags) held."""
        end = time.monotonic() + seconds
        while True:
            packet = self.wire.receive(self, max(0, end - time.monotonic()))
            if packet is None:
                return False
            seq, ack, flags, data, options = packet
            if flags & RST:
                raise Closed()
            if flags & SYN:
                self.heard = seq + 1
            elif seq == self.heard & 0xFFFFFFFF:
                self.heard += len(data) + bool(flags & FIN)
                self.text += data
            at = options.find(b"\x08\x0a")
            if at >= 0:
                self.echo = struct.unpack_from(">I", options, at + 2)[0]
            if until and until(flags):
                return True

    def open(self, data=b"", options=b""):
        stamp = b"\1\1\x08\x0a" + struct.pack(">II", self.clock, 0) if self.timestamps else b""
        self.put(data, flags=SYN, ack=0, options=b"\2\4" + struct.pack(">H", 1460) + stamp + options)
        if not self.listen(REPLY_S, lambda flags: flags & SYN):
            raise TimeoutError("no SYN/ACK")
        self.sent += 1
        self.put(flags=ACK)

    def accept(self):
        """The host's SYN; it is not answered."""
        self.client = False
        if not self.listen(REPLY_S, lambda flags: flags & SYN):
            raise TimeoutError("no SYN")

    def hear(self, word):
        """Waits for a line with word in it, and acknowledges it."""
        end = time.monotonic() + REPLY_S
        while word not in self.text or not self.text.endswith(b"\n"):
            if time.monotonic() > end:
                raise TimeoutError(f"no {word!r} in {self.text!r}")
            self.listen(min(0.2, max(0.01, end - time.monotonic())), lambda flags: self.text.endswith(b"\n"))
        said, self.text = self.text, b""
        self.put(flags=ACK)
        return said

    def command(self, line, reply=b"250"):
        self.say(line + b"\r\n")
        return self.hear(reply)

    def quiet(self):
        """Time for the host to take what was sent."""
        self.listen(QUIET_S)

    def close(self):
        self.say(b"", flags=FIN | ACK)
        self.sent += 1
        self.listen(0.3, lambda flags: flags & FIN)
        self.put(flags=ACK)


class Wire:
    """The frames on our interface."""

    def __init__(self, ours, router):
        self.head = router + ours + b"\x08\x00"
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
        self.socket.bind(("wire0", 0x0800))

    def send(self, packet):
        self.socket.send(self.head + packet)

    def receive(self, peer, seconds):
        """(seq, ack, flags, data, options) of the next segment for that peer; None: none came."""
        end = time.monotonic() + seconds
        while True:
            ready, _, _ = select.select([self.socket], [], [], max(0, end - time.monotonic()))
            if not ready:
                return None
            frame, (_, _, kind, *_) = self.socket.recvfrom(65535)
            if kind == socket.PACKET_OUTGOING or frame[23] != 6 or frame[30:34] != socket.inet_aton(PEER):
                continue
            header = (frame[14] & 15) * 4
            tcp = frame[14 + header:14 + struct.unpack_from(">H", frame, 16)[0]]
            sport, dport, seq, ack, offset, flags = struct.unpack_from(">HHIIBB", tcp)
            if (sport, dport) == (peer.there, peer.here):
                return seq, ack, flags, tcp[(offset >> 4) * 4:], tcp[20:(offset >> 4) * 4]


# ---- the host ----

class Host:
    """The program in the host's namespace: a server on port 25, and a client that connects when it is told to."""

    def __init__(self):
        self.process = subprocess.Popen(["ip", "netns", "exec", "hostile-host", sys.executable, "-B", __file__], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        self.process.stdout.readline()

    def connect(self, port):
        """From that port to port 25 of the peer."""
        self.process.stdin.write(b"%d\n" % port)
        self.process.stdin.flush()

    def stop(self):
        """What each connection received: {the peer's port: [truth, ...]}; for those that the host made, its own port."""
        self.process.stdin.close()
        told = json.loads(self.process.stdout.read())
        self.process.wait()
        return told


def serve(connection, peer, told):
    """The server of a session; what it took is told."""
    import server as model
    s = model.Server(model.Policy(keywords=()))
    received = bytearray()
    connection.settimeout(20)
    try:
        connection.sendall(s.banner())
        while True:
            data = connection.recv(65536)
            received += data
            if not data:
                break
            reply = s.feed(data)
            if reply:
                connection.sendall(reply)
            if s.closed:
                connection.shutdown(socket.SHUT_WR)
    except OSError:
        pass
    connection.close()
    told.setdefault(str(peer), []).append({
        "received": received.decode("latin-1"),
        "mails": [{"sender": m.sender.decode("latin-1"), "rcpts": [[a.decode("latin-1"), c] for a, c in m.rcpts], "accepted": m.is_accepted(),
                   "data": m.data.decode("latin-1")} for m in s.mails]})


COMMANDS = (b"EHLO host.example.org", b"MAIL FROM:<m@host.example.org>", b"RCPT TO:<r@peer.example.net>", b"DATA",
            b"Message-ID: <m@host.example.org>\r\n\r\ntext\r\n.", b"QUIT")


def send_mail(port, told):
    """A client that goes on as long as it is answered; the replies that it read are told."""
    replies, buffered = [], b""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    connection.settimeout(6)
    try:
        connection.bind((HOST, port))
        connection.connect((PEER, 25))
        for command in (None,) + COMMANDS:
            if command:
                connection.sendall(command + b"\r\n")
            while b"\n" not in buffered:
                data = connection.recv(65536)
                if not data:
                    raise OSError("closed")
                buffered += data
            line, _, buffered = buffered.partition(b"\n")
            replies.append(line.decode("latin-1").rstrip("\r"))
    except OSError:
        pass
    connection.close()
    told.setdefault(str(port), []).append({"replies": replies})


def host():
    import threading
    told, threads = {}, []
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((HOST, 25))
    listener.listen(64)

    def start(work, *arguments):
        threads.append(threading.Thread(target=work, args=(*arguments, told), daemon=True))
        threads[-1].start()

    print("ready", flush=True)
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if listener in ready:
            connection, (_, port) = listener.accept()
            start(serve, connection, port)
        if sys.stdin in ready:
            line = sys.stdin.readline()
            if not line:
                break
            start(send_mail, int(line))
    for thread in threads:
        thread.join(0.5)
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    host()
