#!/usr/bin/env python3
"""Sessions from a grammar, with what the server in them took: a capture on standard output, the truth as JSON lines in a file.

    sessions.py --truth FILE [--seed N] [--first N] [--count N] [--step N] [--budget BYTES]

Session n is a function of seed and n alone. The first ones go through every field of FIELDS in every size of SIZES; then come ends of data,
odd replies, orders, structures, noise and mutations in turn. A token of each mail ("t0000001q") stands in all of its parts, so that mails that
were mixed up show. "exact" in the truth: each mail must be told as it was; else doubt is allowed, but no acceptance that was not there.
"""

import argparse
import json
import random
import sys
from dataclasses import dataclass

import server as model
from wire import LARGEST, PCAP_HEADER, Connection, record

SIZES = (0, 1, 998, 4096, 65536, 1 << 20)
START_US = 1_700_000_000_000_000
HEADERS = ("From", "To", "Subject", "Date", "Message-ID", "Reply-To", "In-Reply-To", "References", "Sender", "Return-Path", "Received",
           "Auto-Submitted", "Precedence", "List-Id", "X-Auto-Response-Suppress", "X-Failed-Recipients", "X-Mailer", "Content-Type",
           "Content-Transfer-Encoding", "X-Loop", "Authentication-Results", "Received-SPF", "DKIM-Signature", "X-Spam-Status", "X-Unknown")
MESSAGE_FIELDS = ("Reporting-MTA", "Received-From-MTA", "Arrival-Date", "Original-Envelope-Id", "X-Postfix-Queue-ID")
REPORT = MESSAGE_FIELDS + ("Final-Recipient", "Original-Recipient", "Action", "Status", "Diagnostic-Code", "Remote-MTA", "Last-Attempt-Date")
RETURNED = ("Message-ID", "From", "To", "Subject", "Received", "Received-SPF", "Authentication-Results", "DKIM-Signature", "X-Spam-Flag")
COMMANDS = ("helo", "mail-path", "mail-params", "mail-word", "rcpt-path", "rcpt-params", "rcpt-orcpt", "verb", "xclient", "xforward", "auth",
            "proxy", "vrfy", "bdat-size")
REPLIES = ("banner", "keywords", "keyword-lines", "mail-reply", "rcpt-reply", "data-reply", "end-reply", "quit-reply", "enhanced")
PARTS = ("boundary", "boundary-line", "preamble", "part-header", "text-line", "header-name", "fold", "header-start", "report-name", "base64",
         "quoted")
FIELDS = ([("command", f) for f in COMMANDS] + [("reply", f) for f in REPLIES] + [("header", f) for f in HEADERS]
          + [("report", f) for f in REPORT] + [("returned", f) for f in RETURNED] + [("part", f) for f in PARTS])
PLAIN_FIELDS = len(FIELDS) * len(SIZES)   # sessions with letters in a field; as many follow with something else


# ---- bytes ----

def fill_letters(_rng, n):
    return (b"abcdefghijklmnopqrstuvwxyz0123456789" * (n // 36 + 1))[:n]


def fill_bytes(rng, n):
    """Anything but line ends."""
    block = bytes(rng.choice([b for b in range(256) if b not in (10, 13)]) for _ in range(min(n, 4096)))
    return (block * (n // max(len(block), 1) + 1))[:n]


def fill_of(chars):
    return lambda _rng, n: (chars * (n // len(chars) + 1))[:n]


FILLS = {
    "letters": fill_letters, "bytes": fill_bytes, "nul": fill_of(b"\0"), "8-bit": fill_of(b"\xff\xfe\x80\xc3"),
    "utf-8": fill_of("grün€😀".encode()), "spaces": fill_of(b" \t"), "angles": fill_of(b"<"), "quotes": fill_of(b'"\\'),
    "comments": fill_of(b"("), "lists": fill_of(b"a@b,;"), "words": fill_of(b"=?utf-8?B?"), "dots": fill_of(b"."), "dashes": fill_of(b"--"),
    "cr": fill_of(b"x\r"), "digits": fill_of(b"250 "), "escapes": fill_of(b"\x1b[2J\x07"), "address": fill_of(b"a@b.example <c@d.example> "),
}


# ---- one session ----

class Session:
    """A client and a server that talk; what each says goes into the capture at once."""

    def __init__(self, number, rng, policy, mss=1460, reset=False):
        client = bytes((10, 1 + (number >> 16), number >> 8 & 255, number & 255))
        self.tcp = Connection(client, 1024 + number % 60000, bytes((192, 0, 2, 25)), START_US + number * 20_000, mss=mss, step_us=50,
                              sport=24 if policy.lmtp else 25, isn=(rng.randrange(1 << 32), rng.randrange(1 << 32)))
        self.number, self.server = number, model.Server(policy)
        self.exact = True
        self.made = 0
        self.reset = reset

    def token(self):
        self.made += 1
        return b"t%06d%dq" % (self.number, self.made % 10)

    def start(self, client=b""):
        self.tcp.open()
        self.tcp.say("c", client)
        self.tcp.say("s", self.server.banner())

    def send(self, data):
        """Some bytes, and what the server says when it has them."""
        self.tcp.say("c", data)
        self.tcp.say("s", self.server.feed(data))

    def stop(self):
        self.tcp.close("s" if self.server.closed else "c", self.reset)

    def truth(self, kind):
        ip, port = self.tcp.ends["c"]
        return {"src": f"{'.'.join(map(str, ip))}:{port}", "kind": kind, "exact": self.exact,
                "mails": [mail_truth(m) for m in self.server.mails]}


def mail_truth(mail):
    refused = [code for _, code in mail.rcpts if code and code >= 400]
    codes = [code for code in mail.end_codes if code]
    if mail.is_accepted():
        outcome = "accepted"
    elif (mail.mail_code or 0) >= 400 or (codes and all(code >= 400 for code in codes)) or (mail.rcpts and len(refused) == len(mail.rcpts)):
        outcome = "rejected"
    else:
        outcome = None
    return {"outcome": outcome, "envelope": sorted(t.decode() for t in mail.envelope()),
            "content": sorted(t.decode() for t in mail.content())}


def simple_message(token, *lines):
    return b"\r\n".join((b"From: <%s@example.org>" % token, b"To: <r%s@example.net>" % token, b"Subject: %s" % token,
                         b"Message-ID: <%s@example.org>" % token, b"") + lines + (b"",))


def simple_mail(s, message=None, token=None, sender=None):
    """A mail as it should be, one command at a time."""
    token = token or s.token()
    s.send(b"MAIL FROM:<%s@example.org>\r\n" % token if sender is None else b"MAIL FROM:<%s>\r\n" % sender)
    s.send(b"RCPT TO:<r%s@example.net>\r\n" % token)
    s.send(b"DATA\r\n")
    if s.server.mode == "body":
        s.send((simple_message(token, b"text") if message is None else message) + b".\r\n")


def simple_start(s, hello=b"EHLO client.example.org\r\n", **more):
    s.start(**more)
    s.send(hello)


# ---- fields ----

def fields(usual, given):
    """Header fields; the given ones replace those of the same name, or are added."""
    names = {name.lower() for name, _ in given}
    return b"".join(n + b": " + v + b"\r\n" for n, v in [f for f in usual if f[0].lower() not in names] + list(given))


def bounce(token, header=(), report=(), returned=(), boundary=b"=_part", extra=None):
    """A report as Postfix writes it."""
    line, extra = b"--" + boundary, extra or {}
    per_message = {f.encode() for f in MESSAGE_FIELDS}
    return b"\r\n".join((
        fields([(b"From", b"MAILER-DAEMON@mx.example.org"), (b"To", b"<%s@example.org>" % token), (b"Subject", b"Undelivered Mail " + token),
                (b"Message-ID", b"<%s@mx.example.org>" % token), (b"Auto-Submitted", b"auto-replied"),
                (b"Content-Type", b'multipart/report; report-type=delivery-status; boundary="%s"' % boundary)], header)
        + extra.get("outer", b""),
        extra.get("preamble", b"This is a MIME-encapsulated message."), line,
        b"Content-Type: text/plain" + extra.get("part", b""), b"", extra.get("text", b"I'm sorry to have to inform you that your message could not"),
        line, b"Content-Type: message/delivery-status", b"",
        fields([(b"Reporting-MTA", b"dns; mx.example.org"), (b"X-Postfix-Queue-ID", b"4AB3C00001")], [f for f in report if f[0] in per_message]),
        fields([(b"Final-Recipient", b"rfc822; r%s@example.net" % token), (b"Action", b"failed"), (b"Status", b"5.1.1"),
                (b"Diagnostic-Code", b"smtp; 550 5.1.1 unknown")], [f for f in report if f[0] not in per_message]),
        line, b"Content-Type: message/rfc822", b"",
        fields([(b"Received", b"from a.example (b.example [192.0.2.1]) by mx.example.org with ESMTP id 4AB3C; Mon, 1 Jan 2024 00:00:00 +0000"),
                (b"From", b"<someone@example.com>"), (b"Message-ID", b"<original@example.com>")], returned),
        b"the text that came back", line + b"--", b""))


def part_message(token, name, value):
    if name == "boundary":
        return bounce(token, boundary=value)
    return bounce(token, extra={
        "boundary-line": {"text": b"--" + value + b"\r\n--=_part" + value + b"\r\n--=_part-" + value},
        "preamble": {"preamble": value}, "part-header": {"part": b"; charset=" + value}, "text-line": {"text": value},
        "header-name": {"outer": value.replace(b":", b"") + b"b: x\r\n"},
        "fold": {"outer": b"References: <a@b>\r\n" + b"\r\n".join(b" " + value[i:i + 60] for i in range(0, len(value), 60)) + b"\r\n"},
        "header-start": {"outer": value + b"\r\n"},
        "report-name": {"text": b"--=_part\r\nContent-Type: message/delivery-status\r\n\r\n" + value + b": x\r\n"},
        "base64": {"part": b"\r\nContent-Transfer-Encoding: base64", "text": value},
        "quoted": {"part": b"\r\nContent-Transfer-Encoding: quoted-printable", "text": value + b"="},
    }[name])


def field_message(token, group, name, value):
    if group == "part":
        return part_message(token, name, value)
    return bounce(token, **{group: [(name.encode(), value)]})


def field_reply(policy, name, value):
    verb = {"banner": "BANNER", "keywords": "EHLO", "keyword-lines": "EHLO", "mail-reply": "MAIL", "rcpt-reply": "RCPT", "data-reply": "DATA",
            "end-reply": "END", "quit-reply": "QUIT", "enhanced": "RCPT"}[name]
    text = {"enhanced": b"5.1." + value + b" x", "keyword-lines": b"\n".join([value[:40]] * (len(value) // 40))}.get(name, value)
    policy.styles[verb] = [lambda code, _usual: model.plain(code, text.replace(b"\r", b"?"))]


def field_session(s, group, name, value):
    """A session with that value in that field, and a plain mail behind it."""
    token = s.token()

    def command(field, usual, given):
        return given if group == "command" and name == field else usual

    if group == "reply":
        field_reply(s.server.policy, name, value)
    s.start(client=command("proxy", b"", b"PROXY TCP4 " + value[:200] + b"\r\n"))
    s.send(command("helo", b"EHLO client.example.org", b"EHLO " + value) + b"\r\n")
    for field, lines in {"verb": [value], "xclient": [b"XCLIENT ADDR=" + value], "xforward": [b"XFORWARD NAME=" + value] * 3,
                         "vrfy": [b"VRFY " + value], "auth": [b"AUTH LOGIN", value, b"AUTH PLAIN " + value]}.items():
        for line in command(field, [], lines):
            s.send(line + b"\r\n")
    if s.server.closed:
        return
    path = command("mail-path", b"<%s@example.org>" % token, b"<" + token + value + b"@example.org>")
    s.send(b"MAIL FROM" + command("mail-word", b"", value[:2000]) + b":" + (path if group in ("command", "reply") else b"<>")
           + command("mail-params", b"", b" ENVID=" + value) + b"\r\n")
    s.send(b"RCPT TO:" + command("rcpt-path", b"<r%s@example.net>" % token, b"<r" + token + value + b"@example.net>")
           + command("rcpt-params", b"", b" NOTIFY=" + value) + command("rcpt-orcpt", b"", b" ORCPT=rfc822;" + value) + b"\r\n")
    if group == "command" and name == "bdat-size":
        s.exact = False
        s.send(b"BDAT 5" + value + b" LAST\r\nabcde")
    else:
        s.send(b"DATA\r\n")
        if s.server.mode == "body":
            s.send((simple_message(token, b"text") if group in ("command", "reply") else field_message(token, group, name, value)) + b".\r\n")
    if not s.server.closed:
        simple_mail(s)
        s.send(b"QUIT\r\n")


# ---- ends of data ----

DOUBTFUL = (b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\n.\r", b"\r\n..\r\n", b"\r\n.\0\r\n", b"\r\r\n.\r\r\n", b"\r\n.\x85\r\n",
            b"\r\n.\r\n")


def end_session(s, rng):
    """A doubtful end in the body, commands behind it, and a server that takes it or does not."""
    doubtful = rng.choice(DOUBTFUL)
    a, b = s.token(), s.token()
    second = b"MAIL FROM:<%s@example.org>\r\nRCPT TO:<r%s@example.net>\r\nDATA\r\n" % (b, b) + simple_message(b, b"second")
    behind = rng.choice([b"", b"text\r\n", second, b"RSET\r\n", b"QUIT\r\n", b"." + b"x" * rng.choice([10, 20000]) + b"\r\n"])
    simple_start(s)
    s.send(b"MAIL FROM:<%s@example.org>\r\n" % a)
    s.send(b"RCPT TO:<r%s@example.net>\r\n" % a)
    s.send(b"DATA\r\n")
    body = simple_message(a, b"first").rstrip(b"\r\n") + doubtful
    s.exact = doubtful not in (b"\r.\r", b"\n.\r", b"\r\n.\r") and not behind.startswith(b".")
    for piece in [body + behind] if rng.random() < 0.5 else [body, behind]:
        if not s.server.closed:
            s.send(piece)
    for line in (b"\r\n.\r\n", b"NOOP\r\n"):
        if not s.server.closed:
            s.send(line)
    if not s.server.closed and s.server.mode == "command":
        simple_mail(s)
        s.send(b"QUIT\r\n")


# ---- odd replies ----

def no_reply(text):
    return lambda code, usual: (text, None)


def other_code(number):
    return lambda code, usual: model.plain(number, usual)


def lines(n):
    return lambda code, usual: model.plain(code, b"\n".join([usual] * n))


def mixed(first):
    """Lines with different codes: clients go by the last."""
    return lambda code, usual: (b"%03d-%s\r\n%03d %s\r\n" % (first, usual, code, usual), code)


def again(code, usual):
    sent, read = model.plain(code, usual)
    return sent * 2, read


STYLES = {
    "no-code": no_reply(b"ok, go ahead\r\n"), "negative": no_reply(b"-250 ok\r\n"), "dotted-4": no_reply(b"4.7.0 try again later\r\n"),
    "dotted-2": no_reply(b"2.0.0 ok\r\n"), "tls": no_reply(b"\x15\x03\x01\x00\x02\x02\x0a"), "tls-line": no_reply(b"\x16\x03\x01\x02\x00\x01\r\n"),
    "four-digits": no_reply(b"2500 ok\r\n"), "two-digits": no_reply(b"25 ok\r\n"), "empty": no_reply(b"\r\n"), "nul": no_reply(b"\0\0\0\r\n"),
    "html": no_reply(b"<html>HTTP/1.1 400 Bad Request</html>\r\n"),
    # clients take the next reply for it
    "silence": lambda code, usual: (b"", code), "open": lambda code, usual: (b"%03d-never ends\r\n" % code, code),
    "no-end": lambda code, usual: (b"%03d %s" % (code, usual), code),
    "400": other_code(400), "472": other_code(472), "000": other_code(0), "099": other_code(99), "199": other_code(199), "600": other_code(600),
    "999": other_code(999), "299": other_code(299), "354": other_code(354), "334": other_code(334), "221": other_code(221), "220": other_code(220),
    "421": other_code(421), "503": other_code(503), "554": other_code(554), "250": other_code(250),
    "code-only": lambda code, usual: (b"%03d\r\n" % code, code), "lf": lambda code, usual: (b"%03d %s\n" % (code, usual), code),
    "tab": lambda code, usual: (b"%03d\t%s\r\n" % (code, usual), code), "1000-lines": lines(1000), "3-lines": lines(3), "mixed-550": mixed(550),
    "mixed-250": mixed(250), "twice": again,
}
# With these each mail must be told as it was: the server says what it means.
PLAIN_STYLES = ("400", "472", "code-only", "lf", "1000-lines", "3-lines", "299", "503", "554")


def reply_session(s, rng):
    verb = rng.choice(["BANNER", "EHLO", "MAIL", "RCPT", "DATA", "END", "RSET", "QUIT", "NOOP"])
    name = rng.choice(sorted(STYLES))
    s.server.policy.styles[verb] = [STYLES[name]] * rng.randrange(1, 3)
    s.exact = name in PLAIN_STYLES and not (verb == "DATA" and name == "299")
    simple_start(s)
    pipelined = rng.random() < 0.3
    for _ in range(3):
        if s.server.closed:
            return
        if rng.random() < 0.2:
            s.send(rng.choice([b"RSET\r\n", b"NOOP\r\n"]))
        token = s.token()
        if pipelined:
            s.send(b"MAIL FROM:<%s@example.org>\r\nRCPT TO:<r%s@example.net>\r\nDATA\r\n" % (token, token))
            if s.server.mode == "body":
                s.send(simple_message(token) + b".\r\n")
        else:
            simple_mail(s, token=token)
    if not s.server.closed:
        s.send(b"QUIT\r\n")


# ---- order ----

def envelope(token):
    return b"MAIL FROM:<%s@example.org>\r\nRCPT TO:<r%s@example.net>\r\n" % (token, token)


def whole(token):
    return envelope(token) + b"DATA\r\n" + simple_message(token) + b".\r\n"


def early_talker(s, rng, a, b):
    talk = b"EHLO c.example\r\n" + whole(a) + whole(b) + b"QUIT\r\n"
    s.tcp.open()
    s.tcp.say("c", talk)
    s.tcp.say("s", s.server.banner() + s.server.feed(talk))


def burst(s, rng, a, b):
    s.start()
    s.send(b"EHLO c.example\r\n" + whole(a) + whole(b) + b"QUIT\r\n")


def replies_first(s, rng, a, b):
    talk = b"EHLO c.example\r\n" + whole(a)
    s.tcp.open()
    s.tcp.say("s", s.server.banner() + s.server.feed(talk))
    s.tcp.say("c", talk)


def false_chunk(s, rng, a, b):
    """BDAT with another size than the bytes behind it."""
    simple_start(s)
    s.send(envelope(a))
    text = simple_message(a, b"MAIL FROM:<%s@example.org>" % b)
    n = rng.choice([rng.randrange(len(text)), len(text) + rng.randrange(1, 500), 10 ** rng.randrange(9, 18)])
    s.send(b"BDAT %d LAST\r\n" % n + text)
    s.send(b"RSET\r\n" + envelope(b) + b"DATA\r\n")
    s.send(simple_message(b) + b".\r\n")


def starttls_in_clear(s, rng, a, b):
    s.server.policy.codes["CLEAR"] = [1]
    simple_start(s)
    s.send(b"STARTTLS\r\n" + (envelope(a) if rng.random() < 0.5 else b""))
    simple_mail(s, token=b)


def nested(s, rng, a, b):
    simple_start(s)
    s.send(envelope(a) + envelope(b) + b"DATA\r\n")
    s.send(simple_message(a) + b".\r\n")
    simple_mail(s)


def two_datas(s, rng, a, b):
    simple_start(s)
    s.send(envelope(a) + b"DATA\r\nDATA\r\n" + simple_message(a) + b".\r\n")
    simple_mail(s, token=b)


def mails_in_a_pipeline(s, rng, a, b):
    simple_start(s)
    s.send(b"".join(whole(t) for t in [a, b] + [s.token() for _ in range(rng.randrange(8))]))


def half_a_line(s, rng, a, b):
    simple_start(s)
    simple_mail(s, token=a)
    s.send(b"MAIL FROM:<%s@ex" % b)


def commands_after_quit(s, rng, a, b):
    simple_start(s)
    simple_mail(s, token=a)
    s.send(b"QUIT\r\n" + whole(b))


def refused_then_data(s, rng, a, b):
    s.server.policy.codes["RCPT"] = [550, None]
    simple_start(s)
    s.send(whole(a))
    simple_mail(s, token=b)


def lmtp(s, rng, a, b):
    simple_start(s, b"LHLO c.example\r\n")
    s.server.policy.codes["END"] = [rng.choice([250, 550, 450]) for _ in range(4)]
    s.send(envelope(a) + b"RCPT TO:<s%s@example.net>\r\nDATA\r\n" % a)
    s.send(simple_message(a) + b".\r\n")
    simple_mail(s, token=b)


def mail_for_a_password(s, rng, a, b):
    simple_start(s)
    s.send(b"AUTH LOGIN\r\n")
    s.send(b"MAIL FROM:<%s@example.org>\r\n" % a)
    simple_mail(s, token=b)


def unsolicited(s, rng, a, b):
    simple_start(s)
    s.tcp.say("s", rng.choice([b"250 2.0.0 Ok: queued\r\n", b"354 go on\r\n", b"550 no\r\n", b"220 again\r\n"]))
    simple_mail(s, token=a)
    simple_mail(s, token=b)


def end_in_pieces(s, rng, a, b):
    s.server.policy.codes["END"] = [rng.choice([250, 450, 554]), rng.choice([250, 550])]
    simple_start(s)
    for t in (a, b):
        s.send(envelope(t) + b"DATA\r\n")
        for piece in (simple_message(t) + b".", b"\r", b"\n"):
            s.send(piece)


ORDERS = (early_talker, burst, replies_first, false_chunk, starttls_in_clear, nested, two_datas, mails_in_a_pipeline, half_a_line,
          commands_after_quit, refused_then_data, lmtp, mail_for_a_password, unsolicited, end_in_pieces)


def order_session(s, rng):
    s.exact = False
    rng.choice(ORDERS)(s, rng, s.token(), s.token())


# ---- structures ----

def many_parts(a, n):
    return bounce(a, extra={"text": b"\r\n".join([b"--=_part\r\nContent-Type: text/plain\r\n\r\nx"] * n)})


def nested_parts(a, n):
    return b"".join((b"From: MAILER-DAEMON\r\nMessage-ID: <%s@x>\r\n" % a,
                     *(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (i, i) for i in range(n)), b"\r\ntext\r\n"))


def many_headers(a, n):
    return b"Message-ID: <%s@x>\r\n" % a + b"".join(b"X-H%d: x\r\n" % i for i in range(n)) + \
        b"".join(b"%s: %d\r\n" % (h.encode(), i) for i in range(n // 25) for h in HEADERS) + b"\r\nx\r\n"


def many_received(a, n):
    return b"".join(b"Received: from h%d (h [192.0.2.%d]) by x%d with SMTP id %d for <a@b>;\r\n\tMon, 1 Jan 2024 00:00:00 +0000\r\n"
                    % (i, i % 256, i, i) for i in range(n)) + simple_message(a)


def many_groups(a, n):
    group = b"\r\nFinal-Recipient: rfc822; u%d@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; " + b"5" * 300 + b"\r\n"
    return bounce(a, extra={"text": b"--=_part\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n"
                            + b"".join(group % i for i in range(n))})


def long_references(a, n):
    return b"References: " + b"\r\n ".join(b"<%d@example.com>" % i for i in range(n)) + b"\r\n" + simple_message(a)


def digest(a, n):
    return b"Message-ID: <%s@x>\r\nAuto-Submitted: auto-generated\r\nContent-Type: multipart/digest; boundary=d\r\n" % a + \
        b"".join(b"\r\n--d\r\n\r\nMessage-ID: <inner%d@x>\r\nSubject: x\r\n\r\nx" % i for i in range(n)) + b"\r\n--d--\r\n"


def returned_fields(a, n):
    return bounce(a, returned=[(h.encode(), b"v%d" % i) for i in range(n // 9) for h in RETURNED])


MESSAGES = (many_parts, nested_parts, many_headers, many_received, many_groups, long_references, digest, returned_fields)


def structure_session(s, rng):
    """Much of one thing."""
    a, n = s.token(), rng.choice([70, 300, 3000])
    message, what = None, rng.choice([*MESSAGES, b"NOOP\r\n", b"EHLO x.example\r\n", b"XYZZY\r\n", "mails", "recipients"])
    simple_start(s)
    if callable(what):
        message = what(a, n)
    elif what == "mails":
        s.exact = False    # all have the same token
        for _ in range(min(n, 300)):
            s.send(b"MAIL FROM:<%s@example.org>\r\nRSET\r\n" % a)
    elif what != "recipients":
        for _ in range(min(n, 300)):
            s.send(what)
        s.send(what * n)
    if what == "recipients":
        s.send(b"MAIL FROM:<%s@example.org>\r\n" % a)
        s.send(b"".join(b"RCPT TO:<r%s-%d@example.net>\r\n" % (a, i) for i in range(n)))
        s.send(b"DATA\r\n")
        s.send(simple_message(a) + b".\r\n")
    else:
        simple_mail(s, message, token=a, sender=b"" if message and rng.random() < 0.7 else None)
    simple_mail(s)
    s.send(b"QUIT\r\n")


# ---- noise ----

def noise_session(s, rng):
    """Pieces of dialogues in any order; the server makes of them what it can."""
    s.exact = False
    s.server.policy.codes = {verb: [rng.choice([None, None, 250, 450, 550, 354, 421]) for _ in range(4)]
                             for verb in ("MAIL", "RCPT", "DATA", "END", "EHLO") if rng.random() < 0.5}
    simple_start(s)
    for _ in range(rng.randrange(5, 60)):
        if s.server.closed:
            return
        t = b"t%06d%dq" % (s.number, rng.randrange(10))
        end = rng.choice([b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b"", b"\r\r\n"])
        s.send(b"".join(rng.choice([
            b"MAIL FROM:<%s@example.org>" % t, b"MAIL FROM:<>", b"RCPT TO:<r%s@example.net>" % t, b"RCPT TO:<r%s@example.net>" % t, b"DATA",
            b"DATA", b".", b"\r\n.", b"BDAT %d" % rng.randrange(40), b"BDAT %d LAST" % rng.randrange(40), b"RSET", b"EHLO x", b"HELO x",
            b"Message-ID: <%s@example.org>\r\n" % t, b"NOOP", b"AUTH LOGIN", b"Subject: %s\r\n\r\n" % t, b"..",
            b"QUIT" if rng.random() < 0.1 else b"HELP", fill_bytes(rng, rng.randrange(80)), b"\x16\x03\x01\x00\x10" + bytes(16), b"250 ok",
            b"STARTTLS" if rng.random() < 0.1 else b"VRFY x"]) + end for _ in range(rng.randrange(1, 5))))


def mutate(rng, data):
    """Some bytes changed, taken out, put in or doubled."""
    data = bytearray(data)
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(data)) if data else 0
        what = rng.randrange(4)
        if what == 0 and data:
            data[at] = rng.choice([0, 10, 13, 32, 46, 58, 60, 62, 255, rng.randrange(256)])
        elif what == 1:
            del data[at:at + rng.randrange(1, 4)]
        elif what == 2:
            data[at:at] = rng.choice([b"\r", b"\n", b"\r\n", b".", b"\0", b"<", b">", b"\r\n.\r\n", b" "])
        else:
            data[at:at] = data[at:at + rng.randrange(1, 30)]
    return bytes(data)


def mutation_session(s, rng):
    s.exact = False
    if rng.random() < 0.5:
        s.server.policy.codes = {"END": [550, 250], "RCPT": [None, 550]}
    simple_start(s)
    for t in (s.token(), s.token()):
        pieces = [b"MAIL FROM:<%s@example.org>\r\n" % t, b"RCPT TO:<r%s@example.net>\r\n" % t, b"DATA\r\n",
                  simple_message(t, b"one", b"..two") + b".\r\n", b"RSET\r\n"]
        if rng.random() < 0.4:
            pieces = [b"".join(pieces)]
        for piece in pieces:
            if not s.server.closed:
                s.send(mutate(rng, piece) if rng.random() < 0.5 else piece)
    if not s.server.closed:
        s.send(b"\r\n.\r\nQUIT\r\n")


KINDS = (end_session, reply_session, order_session, structure_session, noise_session, mutation_session)


@dataclass
class Options:
    seed: int
    budget: int      # largest field


def field_kind(number, o, rng):
    """Which field, how many bytes of what: every one in turn, then any."""
    if number < 2 * PLAIN_FIELDS:
        group, name = FIELDS[number % len(FIELDS)]
        size = SIZES[number // len(FIELDS) % len(SIZES)]
    else:
        group, name = rng.choice(FIELDS)
        size = rng.choice([rng.randrange(20), rng.randrange(1000), rng.randrange(5000), rng.randrange(20000), 2047, 2048, 2049, 4095, 4097, 16383,
                           16384, 16385])
    fill = "letters" if number < PLAIN_FIELDS else rng.choice(sorted(FILLS))
    return group, name, min(size, o.budget), fill


def make_session(number, o):
    """Frames and truth of one session."""
    rng = random.Random(o.seed * 1_000_003 + number)
    policy = model.Policy()
    mss, reset = rng.choice([1460, 1460, 1460, 536, 60000, 60000]), rng.random() < 0.1
    if number < 2 * PLAIN_FIELDS or number % 7 == 0:
        group, name, size, fill = field_kind(number, o, rng)
        s = Session(number, rng, policy, LARGEST if size > 4096 else mss, reset)
        s.exact = number < 2 * PLAIN_FIELDS and (fill == "letters" and size <= 998 or group in ("header", "report", "returned"))
        field_session(s, group, name, FILLS[fill](rng, size))
        kind = f"{group} {name} {size} {fill}"
    else:
        make = KINDS[number % len(KINDS)]
        policy.bare_lf = rng.random() > 0.1
        policy.ends = tuple(["crlf.crlf"] + (rng.sample(sorted(model.ENDS), rng.randrange(1, 4)) if rng.random() < 0.3 else []))
        policy.lmtp = make is order_session and rng.random() < 0.1
        s = Session(number, rng, policy, rng.choice([1, 7]) if make in (mutation_session, noise_session) and rng.random() < 0.1 else mss, reset)
        make(s, rng)
        s.exact = s.exact and policy.bare_lf and (len(policy.ends) == 1 or make is end_session)
        kind = make.__name__
    s.stop()
    return s.tcp.take(), s.truth(kind)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--truth", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--step", type=int, default=1)
    parser.add_argument("--budget", type=int, default=1 << 20)
    args = parser.parse_args()
    out = sys.stdout.buffer
    out.write(PCAP_HEADER)
    with open(args.truth, "w", encoding="ascii") as truth:
        for number in range(args.first, args.first + args.count * args.step, args.step):
            frames, said = make_session(number, Options(args.seed, args.budget))
            for t_us, data in frames:
                out.write(record(t_us, data))
            truth.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    main()
