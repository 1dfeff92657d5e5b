"""A DNS resolver that lies as it is told: for each zone a function from the labels in front of it and the type to a reply.

A reply is bytes that replace everything behind the header's id, None for silence, or Answer. UDP and TCP on the same port of 127.0.0.1.
"""
import random
import socket
import struct
import threading
import time

A, CNAME, PTR, TXT, AAAA = 1, 5, 12, 16, 28
NOERROR, SERVFAIL, NXDOMAIN, REFUSED = 0, 2, 3, 5


def name(text):
    return b"".join(bytes([len(label)]) + label.encode() for label in text.split(".") if label) + b"\0"


def record(owner, kind, data, length=None):
    return owner + struct.pack(">HHIH", kind, 1, 60, len(data) if length is None else length) + data


def address(*texts, owner=b"\xc0\x0c"):
    return b"".join(record(owner, A, socket.inet_aton(t)) for t in texts)


def text(data, owner=b"\xc0\x0c"):
    parts = [data[i:i + 255] for i in range(0, len(data), 255)] or [b""]
    return record(owner, TXT, b"".join(bytes([len(p)]) + p for p in parts))


class Answer:
    """records: the answer section as bytes, count of them; delay in seconds; truncated: TC over UDP, all of it over TCP (tcp=False: never)."""

    def __init__(self, records=b"", count=None, rcode=NOERROR, delay=0, truncated=False, tcp=True, question=None, cut=None):
        self.records, self.count, self.rcode, self.delay = records, count, rcode, delay
        self.truncated, self.tcp, self.question, self.cut = truncated, tcp, question, cut


def addresses(*texts, **more):
    return Answer(address(*texts), len(texts), **more)


NO_NAME = Answer(rcode=NXDOMAIN, count=0)


class Responder:
    def __init__(self, zones, default=NO_NAME):
        self.zones, self.default, self.asked, self.lock = zones, default, [], threading.Lock()
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.port = self.udp.getsockname()[1]
        self.tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.tcp.bind(("127.0.0.1", self.port))
        self.tcp.listen(50)
        for work in (self.serve_udp, self.serve_tcp):
            threading.Thread(target=work, daemon=True).start()

    def parse(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode("latin1").lower())
            at += 1 + query[at]
        return ".".join(labels), struct.unpack(">H", query[at + 1:at + 3])[0], query[12:at + 5]

    def reply(self, query, over_tcp):
        qname, kind, question = self.parse(query)
        with self.lock:
            self.asked.append((time.monotonic(), qname, kind))
        zone = next((z for z in self.zones if qname == z or qname.endswith("." + z)), None)
        answer = self.zones[zone](qname[:-len(zone) - 1], kind) if zone is not None else self.default
        if isinstance(answer, bytes):
            return 0, query[:2] + answer
        if answer is None:
            return 0, None
        question = answer.question or question
        if answer.truncated and not over_tcp:
            return answer.delay, query[:2] + struct.pack(">HHHHH", 0x8380 | answer.rcode, 1, 0, 0, 0) + question
        if over_tcp and not answer.tcp:
            return 0, None
        count = answer.count if answer.count is not None else 1
        packet = query[:2] + struct.pack(">HHHHH", 0x8180 | answer.rcode, 1, count, 0, 0) + question + answer.records
        return answer.delay, packet[:answer.cut] if answer.cut else packet

    def send_udp(self, delay, packet, peer):
        time.sleep(delay)
        if packet:
            self.udp.sendto(packet[:65000], peer)

    def serve_udp(self):
        while True:
            query, peer = self.udp.recvfrom(4096)
            threading.Thread(target=self.send_udp, args=(*self.reply(query, False), peer), daemon=True).start()

    def talk(self, connection):
        try:
            while True:
                head = connection.recv(2, socket.MSG_WAITALL)
                if len(head) < 2:
                    return
                delay, packet = self.reply(connection.recv(struct.unpack(">H", head)[0], socket.MSG_WAITALL), True)
                time.sleep(delay)
                if packet:
                    connection.sendall(struct.pack(">H", len(packet)) + packet)
        except OSError:
            pass

    def serve_tcp(self):
        while True:
            connection, _ = self.tcp.accept()
            threading.Thread(target=self.talk, args=(connection,), daemon=True).start()


def noise(n):
    return random.Random(n).randbytes(n)
