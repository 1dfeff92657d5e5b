#!/usr/bin/env python3
"""Captures of much of one thing, made while they are read: giants.py SHAPE --bytes N [--each N] [--mss N] on standard output.

--bytes of it in all, in connections of --each bytes (default: one connection). giants.py --list names the shapes.
"""

import argparse
import itertools
import sys

from wire import LARGEST, PCAP_HEADER, Connection, record

START_US = 1_700_000_000_000_000
BLOCK = 1 << 20


def repeated(text, size):
    """Bytes of text again and again, in pieces, cut at size."""
    block = text * max(1, BLOCK // len(text))
    while size > 0:
        yield block[:size]
        size -= len(block)


class Talk:
    """A dialogue that is written down as it goes."""

    def __init__(self, n, mss):
        self.tcp = Connection(bytes((10, 1 + (n >> 16), n >> 8 & 255, n & 255)), 1024 + n % 60000, bytes((192, 0, 2, 25)),
                              START_US + n * 10_000, mss=mss, step_us=5, isn=(n * 7919 + 4_000_000_000, n * 104729))
        self.tcp.open()

    def c(self, data):
        self.tcp.say("c", data)
        return self.tcp.take()

    def s(self, data):
        self.tcp.say("s", data)
        return self.tcp.take()

    def begin(self, sender=b"<a@example.org>", hello=b"EHLO c.example.org"):
        yield self.s(b"220 mx.example.net ESMTP\r\n")
        yield self.c(hello + b"\r\n")
        yield self.s(b"250-mx.example.net\r\n250 CHUNKING\r\n")
        yield self.c(b"MAIL FROM:" + sender + b"\r\n")
        yield self.s(b"250 ok\r\n")

    def data(self, sender=b"<a@example.org>"):
        yield from self.begin(sender)
        yield self.c(b"RCPT TO:<b@example.net>\r\n")
        yield self.s(b"250 ok\r\n")
        yield self.c(b"DATA\r\n")
        yield self.s(b"354 go on\r\n")

    def end(self):
        yield self.c(b"\r\n.\r\n")
        yield self.s(b"250 2.0.0 Ok: queued as 4AB3C00001\r\n")
        yield self.c(b"QUIT\r\n")
        yield self.s(b"221 bye\r\n")
        self.tcp.close()
        yield self.tcp.take()


REPORT = (b"From: MAILER-DAEMON@example.org\r\nAuto-Submitted: auto-replied\r\nMessage-ID: <giant@example.org>\r\n"
          b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n--b\r\n')
HEAD = b"From: <a@example.org>\r\nMessage-ID: <giant@example.org>\r\n"
TLS = b"\x17\x03\x03\x40\x00" + bytes(0x4000)


def message(head, text, sender=b"<a@example.org>"):
    """A mail that is head, and then text again and again."""
    def shape(talk, size):
        yield from talk.data(sender)
        yield talk.c(head)
        for piece in repeated(text, size):
            yield talk.c(piece)
        yield from talk.end()
    return shape


def report(part, text):
    return message(REPORT + part, text, b"<>")


def commands(line, reply, each=512):
    """Commands in bursts, and their replies."""
    def shape(talk, size):
        yield from talk.begin()
        for _ in range(max(1, size // (len(line) * each))):
            yield talk.c(line * each)
            yield talk.s(reply * each)
        yield talk.c(b"DATA\r\n")
        yield talk.s(b"354 go on\r\n")
        yield talk.c(HEAD)
        yield from talk.end()
    return shape


def from_client(head, text):
    def shape(talk, size):
        yield from talk.begin()
        yield talk.c(head)
        for piece in repeated(text, size):
            yield talk.c(piece)
        talk.tcp.close()
        yield talk.tcp.take()
    return shape


def from_server(pending, text):
    """Commands that wait, and then the server talks."""
    def shape(talk, size):
        yield from talk.begin()
        yield talk.c(pending)
        for piece in repeated(text, size):
            yield talk.s(piece)
        talk.tcp.close("s")
        yield talk.tcp.take()
    return shape


def chunks(chunk):
    def shape(talk, size):
        yield from talk.begin()
        yield talk.c(b"RCPT TO:<b@example.net>\r\n")
        yield talk.s(b"250 ok\r\n")
        for _ in range(max(1, size // chunk // 64)):
            yield talk.c((b"BDAT %d\r\n" % chunk + b"x" * chunk) * 64)
            yield talk.s(b"250 ok\r\n" * 64)
        yield talk.c(b"BDAT 0 LAST\r\n")
        yield talk.s(b"250 ok\r\n")
        talk.tcp.close()
        yield talk.tcp.take()
    return shape


def encrypted(talk, size):
    yield from talk.begin()
    yield talk.c(b"STARTTLS\r\n")
    yield talk.s(b"220 go\r\n")
    for i, piece in enumerate(repeated(TLS, size)):
        yield (talk.s if i % 4 == 3 else talk.c)(piece)
    talk.tcp.close()
    yield talk.tcp.take()


def nested_parts(talk, size):
    """A container in a container in a container."""
    yield from talk.data(b"<>")
    yield talk.c(HEAD)
    for i in itertools.count():
        piece = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (j, j) for j in range(1000 * i, 1000 * (i + 1)))
        yield talk.c(piece)
        size -= len(piece)
        if size <= 0:
            break
    yield from talk.end()


def one_sided(talk, size):
    """The server is not captured."""
    line = b"RCPT TO:<recipient@example.net>\r\n"
    yield talk.c(b"EHLO c.example.org\r\nMAIL FROM:<a@example.org>\r\n")
    for _ in range(max(1, size // (len(line) * 512))):
        yield talk.c(line * 512)
    talk.tcp.close()
    yield talk.tcp.take()


def lost_replies(talk, size):
    """Each reply is acknowledged, none is captured."""
    line = b"RCPT TO:<recipient@example.net>\r\n"
    yield from talk.begin()
    for _ in range(max(1, size // (len(line) * 256))):
        yield talk.c(line * 256)
        talk.tcp.sent["s"] += 8 * 256
    talk.tcp.close()
    yield talk.tcp.take()


SHAPES = {
    "line": message(HEAD + b"\r\n", b"x"),
    "short-lines": message(HEAD + b"\r\n", b"x\r\n"),
    "empty-lines": message(HEAD + b"\r\n", b"\r\n"),
    "dots": message(HEAD + b"\r\n", b"..\r\n"),
    "dot-lines": message(HEAD + b"\r\n", b".x\r\n"),
    "doubtful-ends": message(HEAD + b"\r\n", b"\n.\n"),
    "dots-alone": message(HEAD + b"\r\n", b"."),
    "cr": message(HEAD + b"\r\n", b"\r"),
    "nul": message(HEAD + b"\r\n", b"\0"),
    "header-line": message(HEAD + b"Subject: ", b"x"),
    "header-name": message(HEAD, b"x"),
    "headers": message(HEAD, b"X-A: b\r\n"),
    "known-headers": message(HEAD, b"Subject: b\r\nFrom: <c@d>\r\nReferences: <a@b>\r\nReceived: from a by b; c\r\nDKIM-Signature: d=x\r\n"),
    "folded-header": message(HEAD + b"References: <a@b>\r\n", b" <a@b>\r\n"),
    "received": message(b"", b"Received: from a (b [192.0.2.1]) by c with SMTP id d for <e@f>;\r\n Mon, 1 Jan 2024 00:00:00 +0000\r\n"),
    "nested-parts": nested_parts,
    "parts": report(b"", b"Content-Type: text/plain\r\n\r\nx\r\n--b\r\n"),
    "boundary-like": report(b"\r\n", b"--b-\r\n"),
    "text": report(b"Content-Type: text/plain\r\n\r\n", b"your message could not be delivered. "),
    "text-lines": report(b"Content-Type: text/plain\r\n\r\n", b"mail delivery failed\r\n"),
    "base64": report(b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n", b"eW91ciBtZXNzYWdl\r\n"),
    "quoted-printable": report(b"Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n", b"a=20b=\r\n"),
    "groups": report(b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\n",
                     b"Final-Recipient: rfc822; a@b\r\nAction: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 no\r\n\r\n"),
    "returned-headers": report(b"Content-Type: message/rfc822\r\n\r\n", b"Received: from a by b; c\r\nDKIM-Signature: v=1; d=example.org\r\n"),
    "chunks": chunks(1000),
    "small-chunks": chunks(1),
    "recipients": commands(b"RCPT TO:<recipient@example.net>\r\n", b"250 2.1.5 ok\r\n"),
    "refused-recipients": commands(b"RCPT TO:<recipient@example.net>\r\n", b"550 5.1.1 unknown\r\n"),
    "pending-recipients": from_client(b"", b"RCPT TO:<recipient@example.net>\r\n"),
    "lost-replies": lost_replies,
    "one-sided": one_sided,
    "mails": commands(b"MAIL FROM:<a@example.org>\r\nRSET\r\n", b"250 ok\r\n250 ok\r\n", 256),
    "nested-mails": commands(b"MAIL FROM:<b@example.org>\r\nRCPT TO:<c@example.net>\r\n", b"503 nested\r\n250 ok\r\n", 256),
    "unknown-commands": commands(b"XYZZY\r\n", b"500 what\r\n"),
    "hellos": commands(b"EHLO c.example.org\r\n", b"250-mx.example.net\r\n250 SIZE\r\n"),
    "vrfy": commands(b"VRFY a\r\n", b"252 perhaps\r\n"),
    "command-line": from_client(b"NOOP ", b"x"),
    "empty-commands": from_client(b"", b"\r\n"),
    "reply-line": from_server(b"NOOP\r\n", b"2"),
    "reply-lines": from_server(b"NOOP\r\n", b"250-and more\r\n"),
    "odd-lines": from_server(b"NOOP\r\n" * 4000, b"ok\r\n"),
    "354-to-recipients": from_server(b"RCPT TO:<recipient@example.net>\r\n" * 4000, b"354 go\r\n"),
    "unasked-replies": from_server(b"", b"250 ok\r\n"),
    "encrypted": encrypted,
}


def capture(shape, total, each, mss):
    yield PCAP_HEADER
    for n in range(max(1, total // each)):
        for frames in SHAPES[shape](Talk(n, mss), each):
            yield b"".join(record(t_us, data) for t_us, data in frames)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("shape", nargs="?", choices=sorted(SHAPES))
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--bytes", type=int, default=BLOCK)
    parser.add_argument("--each", type=int)
    parser.add_argument("--mss", type=int, default=LARGEST)
    args = parser.parse_args()
    if args.list or not args.shape:
        print("\n".join(SHAPES))
        return
    try:
        for piece in capture(args.shape, args.bytes, args.each or args.bytes, args.mss):
            sys.stdout.buffer.write(piece)
    except BrokenPipeError:
        sys.stderr.close()


if __name__ == "__main__":
    main()
