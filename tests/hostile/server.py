"""A mail server that is fed bytes and answers with bytes. What it took is the truth that the sensor is held to.

It is written from RFC 5321 and shares nothing with the sensor. A policy makes it lenient, or makes it answer in odd ways."""

import re
from dataclasses import dataclass, field

TOKEN = re.compile(rb"t\d{7}q")
KEPT = 1 << 21  # of a message, for its tokens

# What may end the data besides CRLF . CRLF, by name (SMTP smuggling: what servers were seen to take).
ENDS = {"crlf.crlf": b"\r\n.\r\n", "lf.lf": b"\n.\n", "lf.crlf": b"\n.\r\n", "crlf.lf": b"\r\n.\n", "cr.cr": b"\r.\r"}


@dataclass
class Policy:
    bare_lf: bool = True                        # commands may end with LF alone
    ends: tuple = ("crlf.crlf",)
    codes: dict = field(default_factory=dict)   # verb -> list of codes, taken in turn; then the usual one
    styles: dict = field(default_factory=dict)  # verb -> list of styles, in the same way
    lmtp: bool = False
    chunking: bool = True
    keywords: tuple = (b"PIPELINING", b"SIZE 10240000", b"8BITMIME", b"CHUNKING")


@dataclass
class Mail:
    sender: bytes
    mail_code: int | None
    rcpts: list = field(default_factory=list)   # (argument, code)
    data: bytearray = field(default_factory=bytearray)
    size: int = 0
    end_codes: list = field(default_factory=list)

    def take(self, chunk):
        self.size += len(chunk)
        self.data += chunk[:KEPT - len(self.data)]

    def is_accepted(self):
        positive = [code for _, code in self.rcpts if code and code // 100 == 2]
        return bool(positive) and any(code and code // 100 == 2 for code in self.end_codes)

    def envelope(self):
        return set(TOKEN.findall(b" ".join([self.sender, *(argument for argument, _ in self.rcpts)])))

    def content(self):
        return set(TOKEN.findall(self.data))


def plain(code, text):
    """RFC 5321 4.2.1; text may have several lines. A style: (code, text) -> what is sent, the code as a client reads it (None: it is no reply)."""
    lines = text.split(b"\n")
    return b"".join(b"%03d%s%s\r\n" % (code, b" " if i + 1 == len(lines) else b"-", line) for i, line in enumerate(lines)), code


class Server:
    """feed() the client's bytes; it answers with those of the server."""

    def __init__(self, policy):
        self.policy = policy
        self.mails, self.mail = [], None
        self.refused = None    # a mail whose MAIL was: what follows belongs to it
        self.buffer, self.mode = bytearray(), "command"
        self.left, self.last = 0, False
        self.out = bytearray()
        self.taken = {}        # verb -> replies given
        self.closed = False

    def banner(self):
        self._reply("BANNER", 220, b"mx.example.net ESMTP")
        return self._flush()

    def feed(self, data):
        self.buffer += data
        while self.buffer and not self.closed:
            before = len(self.buffer), self.mode
            getattr(self, "_" + self.mode)()
            if (len(self.buffer), self.mode) == before:
                break
        return self._flush()

    def _flush(self):
        out, self.out = bytes(self.out), bytearray()
        return out

    def _reply(self, verb, code, text):
        """Answers the code that a client reads in what was sent; None: it is no reply."""
        n = self.taken.get(verb, 0)
        self.taken[verb] = n + 1
        codes, styles = self.policy.codes.get(verb, ()), self.policy.styles.get(verb, ())
        if n < len(codes) and codes[n]:
            code = codes[n]
        style = styles[n] if n < len(styles) and styles[n] else plain
        sent, read = style(code, text)
        self.out += sent
        if read == 421:
            self.closed = True
        return read

    # ---- commands ----

    def _command(self):
        end = self.buffer.find(b"\n" if self.policy.bare_lf else b"\r\n")
        if end < 0:
            return
        line = bytes(self.buffer[:end])
        del self.buffer[:end + (1 if self.policy.bare_lf else 2)]
        self._line(line.rstrip(b"\r") if self.policy.bare_lf else line)

    def _line(self, line):
        verb, _, argument = line.strip(b" \t").partition(b" ")
        verb = verb.upper()
        known = {b"HELO": self._hello, b"EHLO": self._hello, b"LHLO": self._hello, b"MAIL": self._mail, b"RCPT": self._rcpt,
                 b"DATA": self._data, b"BDAT": self._bdat, b"RSET": self._rset, b"QUIT": self._quit, b"NOOP": self._noop,
                 b"STARTTLS": self._starttls, b"AUTH": self._auth}
        known.get(verb, self._unknown)(verb, argument.strip(b" \t"))

    def _unknown(self, _verb, _argument):
        self._reply("UNKNOWN", 500, b"5.5.2 command not recognized")

    def _noop(self, _verb, _argument):
        self._reply("NOOP", 250, b"2.0.0 ok")

    def _hello(self, verb, _argument):
        self._close()
        if verb == b"HELO":
            self._reply("HELO", 250, b"mx.example.net")
            return
        self._reply("EHLO", 250, b"\n".join((b"mx.example.net",) + self.policy.keywords))

    def _close(self):
        self.mail = self.refused = None

    def _mail(self, _verb, argument):
        if not argument.upper().startswith(b"FROM"):
            self._unknown(None, None)
            return
        if self.mail:
            self._reply("NESTED", 503, b"5.5.1 nested MAIL command")
            return
        self._close()
        mail = Mail(argument, None)
        self.mails.append(mail)
        mail.mail_code = self._reply("MAIL", 250, b"2.1.0 ok")
        if mail.mail_code is None or mail.mail_code // 100 == 2:
            self.mail = mail
        else:
            self.refused = mail

    def _rcpt(self, _verb, argument):
        if not argument.upper().startswith(b"TO"):
            self._unknown(None, None)
            return
        if not self.mail:
            code = self._reply("EARLY", 503, b"5.5.1 need MAIL command")
            if self.refused:
                self.refused.rcpts.append((argument, code))
            return
        self.mail.rcpts.append((argument, self._reply("RCPT", 250, b"2.1.5 ok")))

    def _data(self, _verb, argument):
        if argument:
            self._reply("UNKNOWN", 501, b"5.5.4 syntax")
            return
        if not self.mail:
            self._reply("EARLY", 503, b"5.5.1 need RCPT command")
            return
        if not any(code is None or code // 100 == 2 for _, code in self.mail.rcpts):
            self._reply("EARLY", 554, b"5.5.1 no valid recipients")
            return
        code = self._reply("DATA", 354, b"go on")
        if code is None or code // 100 == 3:
            self.mode = "body"
            self.buffer[:0] = b"\r\n"    # a dot in front is one at the start of a line

    def _body(self):
        found = [(self.buffer.find(ENDS[name]), len(ENDS[name])) for name in self.policy.ends]
        found = sorted((at, -length) for at, length in found if at >= 0)
        if not found:
            keep = 4
            self.mail.take(self.buffer[:-keep])
            del self.buffer[:-keep]
            return
        at, length = found[0][0], -found[0][1]
        self.mail.take(self.buffer[:at])
        del self.buffer[:at + length]
        self.mode = "command"
        self._end_of_data()

    def _end_of_data(self):
        accepted = [a for a, code in self.mail.rcpts if code is None or code // 100 == 2]
        for _ in range(len(accepted) if self.policy.lmtp else 1):
            self.mail.end_codes.append(self._reply("END", 250, b"2.0.0 Ok: queued as 4AB3C%05d" % len(self.mails)))
        self._close()

    def _bdat(self, _verb, argument):
        match = re.fullmatch(rb"(\d{1,18})(\s+LAST)?", argument, re.I)
        if not self.policy.chunking or not match:
            self._unknown(None, None)
            return
        self.left, self.last, self.mode = int(match[1]), bool(match[2]), "chunk"
        if self.left == 0:
            self._chunk_end()

    def _chunk(self):
        used = min(self.left, len(self.buffer))
        if self.mail or self.refused:
            (self.mail or self.refused).take(self.buffer[:used])
        del self.buffer[:used]
        self.left -= used
        if self.left == 0:
            self._chunk_end()

    def _chunk_end(self):
        self.mode = "command"
        if not self.mail or not any(code is None or code // 100 == 2 for _, code in self.mail.rcpts):
            self._reply("EARLY", 503, b"5.5.1 need RCPT command")
        elif self.last:
            self._end_of_data()
        else:
            self._reply("BDAT", 250, b"2.0.0 chunk")

    def _rset(self, _verb, _argument):
        self._close()
        self._reply("RSET", 250, b"2.0.0 ok")

    def _quit(self, _verb, _argument):
        self._close()
        self._reply("QUIT", 221, b"2.0.0 bye")
        self.closed = True

    def _starttls(self, _verb, _argument):
        if self._reply("STARTTLS", 220, b"2.0.0 go ahead") == 220 and not self.policy.codes.get("CLEAR"):
            self.closed = True     # what comes now is encrypted, or noise

    def _auth(self, _verb, argument):
        if b" " in argument:
            self._reply("AUTH", 235, b"2.7.0 ok")
        elif self._reply("CHALLENGE", 334, b"") == 334:
            self.mode = "secret"

    def _secret(self):
        end = self.buffer.find(b"\n")
        if end < 0:
            return
        del self.buffer[:end + 1]
        self.mode = "command"
        self._reply("AUTH", 235, b"2.7.0 ok")
