"""A scripted SMTP client: one session, read as JSON from standard input, its record printed as JSON.

    {"source", "server", "port": 25, "helo", "hello": "EHLO", "quit": true, "mails": [...]}
    more: "auth": [user, password], "pipelining", "chunking": bytes of a chunk, "tls": key log file or "", "pause": s between mails
    a mail: {"mail_from" ("" = null sender), "rcpt_to": [...], "text"},
    more: "params": "BODY=8BITMIME", "rcpt_params": "NOTIFY=NEVER", "stop": true = no message, leave it at the recipients

With "quit" false it just closes, as much spam software does. Every time is the moment a command left or its
reply came, in seconds of the clock that also stamps the capture.
"""

import base64
import json
import re
import socket
import ssl
import sys
import time

import describe

# Postfix and sink.py; Exim; Sendmail and OpenSMTPD; Courier.
QUEUE_ID = re.compile(r"^250 (?:.*queued as (\S+)|OK id=(\S+)|2\.0\.0 (\S+) Message accepted for delivery|Ok\. (\S+))")


class Client:
    def __init__(self, job):
        self.job = job
        self.socket = socket.create_connection((job["server"], job["port"]), timeout=30, source_address=(job["source"], 0))
        self.replies = self.socket.makefile("rb")

    def reply(self):
        """The last line of a reply: "250 2.1.0 Ok"."""
        while (line := self.replies.readline().decode("utf-8", "replace"))[3:4] == "-":
            pass
        if not line:
            raise ConnectionError("the server closed the connection")
        return line.rstrip("\r\n")

    def command(self, line):
        self.socket.sendall(line.encode() + b"\r\n")
        return self.reply()

    def hello(self):
        self.command(f"{self.job['hello']} {self.job['helo']}")
        if "tls" in self.job:
            self.command("STARTTLS")
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.keylog_filename = self.job["tls"] or None
            self.socket = context.wrap_socket(self.socket)
            self.replies = self.socket.makefile("rb")
            self.command(f"EHLO {self.job['helo']}")
        if "auth" in self.job:
            secret = base64.b64encode("\0".join(["", *self.job["auth"]]).encode()).decode()
            if not (answer := self.command(f"AUTH PLAIN {secret}")).startswith("235"):
                raise ConnectionError(f"AUTH: {answer}")

    def exchange(self, commands, done):
        """Sends commands, all at once when pipelining; their replies."""
        lines = [verb for verb, _ in commands]
        done["commands"] += lines
        if self.job.get("pipelining"):
            self.socket.sendall(b"".join(data for _, data in commands))
            replies = [self.reply() for _ in commands]
        else:
            replies = []
            for _, data in commands:
                self.socket.sendall(data)
                replies.append(self.reply())
        done["codes"] += [reply[:3] for reply in replies]
        return replies

    def chunks(self, text):
        """BDAT commands (RFC 3030), each with its bytes; none when the job does not ask for them."""
        size = self.job.get("chunking")
        parts = [text[at:at + size] for at in range(0, len(text), size)] if size else []
        return [("BDAT", f"BDAT {len(part)}{' LAST' * (part is parts[-1])}\r\n".encode() + part) for part in parts]

    def mail(self, mail):
        """One transaction, from MAIL to the reply that decides."""
        text = mail["text"].replace("\r\n", "\n").replace("\n", "\r\n").encode()
        told = describe.message(text)
        done = {"name": told["message_id"], "mail_from": mail["mail_from"] or "<>", "mail_params": mail.get("params"),
                "rcpt_to": [], "message_id": None, "headers": {}, "report": None,
                "queue_id": None, "commands": [], "codes": [], "mail_time": time.time(), "data_time": None,
                "data_end_time": None, "final": None}
        line = " ".join(filter(None, [f"MAIL FROM:<{mail['mail_from']}>", mail.get("params")]))
        envelope = [("MAIL", line.encode() + b"\r\n")] + [
            ("RCPT", " ".join(filter(None, [f"RCPT TO:<{address}>", mail.get("rcpt_params")])).encode() + b"\r\n")
            for address in mail["rcpt_to"]]
        chunks = self.chunks(text)
        data = [] if mail.get("stop") else chunks or [("DATA", b"DATA\r\n")]
        last = None
        if self.job.get("pipelining"):
            done["mail_reply"], *rcpts = self.exchange(envelope + data, done)
            last = rcpts[-1] if data else None
        else:
            done["mail_reply"], = self.exchange(envelope[:1], done)
            rcpts = self.exchange(envelope[1:], done) if done["mail_reply"].startswith("2") else []
        done["rcpt_to"] = [{"address": address, "params": mail.get("rcpt_params"), "reply": reply}
                           for address, reply in zip(mail["rcpt_to"], rcpts)]
        if data and last is None and any(reply.startswith("2") for reply in rcpts):
            done["data_time"] = time.time()
            last = self.exchange(data, done)[-1]
        ended = self.body(done, told, text, bool(chunks), last)
        done["reply_time"] = time.time()
        if found := QUEUE_ID.search(done["final"] or ""):
            done["queue_id"] = found[found.lastindex]
        if not ended:
            self.command("RSET")
        return done

    def body(self, done, told, text, chunked, last):
        """The message itself; last: the reply to DATA or to the chunk that has gone already. True: the mail has its end."""
        taken = any(rcpt["reply"].startswith("2") for rcpt in done["rcpt_to"])
        if last is not None and not chunked and last.startswith("354"):
            lines = ("." + line if line.startswith(".") else line for line in text.decode().splitlines())
            message = "\r\n".join([*lines, ".", ""]) if taken else ".\r\n"
            done["data_time"] = done["data_time"] or time.time()
            last, = self.exchange([(".", message.encode())], done)
            done["data_end_time"] = time.time()
        if taken:
            done["final"] = last
        if last is not None and (chunked or taken and done["data_end_time"]):
            done |= {key: told[key] for key in ("message_id", "headers", "report")}
            stuffed = 0 if chunked else len(re.findall(rb"^\.", text, re.M))   # RFC 5321 4.5.2
            done["size"] = len(text) + stuffed
            done["data_end_time"] = done["data_end_time"] or time.time()
        return taken and done["data_end_time"] is not None


def main():
    job = json.load(sys.stdin)
    client = Client(job)
    src, dest = client.socket.getsockname(), client.socket.getpeername()
    common = {"src_ip": src[0], "src_port": src[1], "dest_ip": dest[0], "dest_port": dest[1], "helo": job["helo"],
              "tls": "tls" in job, "auth": "auth" in job}
    banner = client.reply()
    if banner.startswith("220"):
        client.hello()
    transactions = []
    for n, mail in enumerate(job["mails"] if banner.startswith("220") else [], 1):
        if n > 1:
            time.sleep(job.get("pause", 0))
        transactions.append({**common, "n": n, **client.mail(mail)})
    if job["quit"]:
        client.command("QUIT")
    client.socket.close()
    json.dump({"connection": common, "banner": banner, "transactions": transactions}, sys.stdout)


if __name__ == "__main__":
    main()
