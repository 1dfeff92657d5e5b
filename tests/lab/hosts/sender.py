"""A scripted SMTP client: one session, read as JSON from standard input, its record printed as JSON.

    {"source", "server", "port": 25, "helo", "hello": "EHLO", "quit": true,
     "mails": [{"mail_from" ("" = null sender), "rcpt_to": [...], "text"}]}
With "quit" false it just closes, as much spam software does. Every time is the moment a command left or its
reply came, in seconds of the clock that also stamps the capture.
"""

import email
import json
import re
import socket
import sys
import time

# Postfix and sink.py; Exim; Sendmail and OpenSMTPD.
QUEUE_ID = re.compile(r"^250 (?:.*queued as (\S+)|OK id=(\S+)|2\.0\.0 (\S+) Message accepted for delivery)")


class Client:
    def __init__(self, job):
        self.socket = socket.create_connection((job["server"], job["port"]), timeout=20, source_address=(job["source"], 0))
        self.replies = self.socket.makefile("r", encoding="utf-8", errors="replace", newline="\n")

    def reply(self):
        """The last line of a reply: "250 2.1.0 Ok"."""
        while (line := self.replies.readline())[3:4] == "-":
            pass
        if not line:
            raise ConnectionError("the server closed the connection")
        return line.rstrip("\r\n")

    def command(self, line):
        self.socket.sendall(line.encode() + b"\r\n")
        return self.reply()

    def mail(self, mail):
        """One transaction, from MAIL to the reply that decides."""
        done = {"mail_from": mail["mail_from"] or "<>", "rcpt_to": [], "message_id": None, "queue_id": None,
                "mail_time": time.time(), "data_time": None, "data_end_time": None, "final": None}
        done["mail_reply"] = self.command(f"MAIL FROM:<{mail['mail_from']}>")
        if done["mail_reply"].startswith("2"):
            done["rcpt_to"] = [{"address": address, "reply": self.command(f"RCPT TO:<{address}>")}
                               for address in mail["rcpt_to"]]
        if not any(rcpt["reply"].startswith("2") for rcpt in done["rcpt_to"]):
            done["reply_time"] = time.time()
            self.command("RSET")
            return done
        done["message_id"] = email.message_from_string(mail["text"])["Message-ID"]
        done["data_time"] = time.time()
        if not self.command("DATA").startswith("354"):
            raise ConnectionError("DATA was refused")
        lines = ("." + line if line.startswith(".") else line for line in mail["text"].splitlines())
        self.socket.sendall("\r\n".join([*lines, ".", ""]).encode())
        done["data_end_time"] = time.time()
        done["final"] = self.reply()
        done["reply_time"] = time.time()
        if found := QUEUE_ID.search(done["final"]):
            done["queue_id"] = found[found.lastindex]
        return done


def main():
    job = json.load(sys.stdin)
    client = Client(job)
    src, dest = client.socket.getsockname(), client.socket.getpeername()
    common = {"src_ip": src[0], "src_port": src[1], "dest_ip": dest[0], "dest_port": dest[1], "helo": job["helo"]}
    banner = client.reply()
    client.command(f"{job['hello']} {job['helo']}")
    transactions = [{**common, "n": n, **client.mail(mail)} for n, mail in enumerate(job["mails"], 1)]
    if job["quit"]:
        client.command("QUIT")
    client.socket.close()
    json.dump({"banner": banner, "transactions": transactions}, sys.stdout)


if __name__ == "__main__":
    main()
