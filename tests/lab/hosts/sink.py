"""A scripted mail server: sink.py ADDRESS NAME RECORD BEHAVIOUR [KNOWN-RECIPIENT...]

Answers on port 25 of ADDRESS and appends each transaction to RECORD as a line of JSON, with the keys of the
truth file; so, too, each connection that had none ("transaction": false). It keeps to the order of commands as a
real server does: after a refused MAIL there is no RCPT, after refused RCPTs no DATA, pipelined or not. It keeps no mail.
"""

import asyncio
import json
import re
import sys
import time

# What is refused, where: (stage, reply). {a} is the address in the command.
BEHAVIOURS = {
    "accept": None,
    "unknown-user": ("rcpt", "550 5.1.1 <{a}>: Recipient address rejected: User unknown in virtual mailbox table"),
    "refuse-null": ("null", "550 5.7.1 <>: Sender address rejected: we do not accept bounces"),
    "silent": ("banner", ""),   # takes the connection, never says a word
    "refuse-banner": ("banner", "554 5.7.1 No SMTP service here for your address"),
    "refuse-content": ("dot", "550 5.7.1 Message content rejected"),
    "greylist": ("rcpt", "450 4.2.0 <{a}>: Recipient address rejected: Greylisted"),
}
QUOTED = re.compile(rb"<lab\.[^>\s]+>")   # Message-IDs of scripted senders
PATH = re.compile(r"(?:FROM|TO):\s*<([^>]*)>", re.I)
IDLE_S = 60


class Session:
    """One connection."""

    def __init__(self, server, reader, writer):
        self.server = server
        self.reader = reader
        self.writer = writer
        self.count = 0
        self.helo = None
        self.open = None      # the transaction that is under way
        self.accepted = False  # its MAIL was
        self.chunks = b""     # of BDAT

    def reply(self, text):
        self.writer.write(text.encode() + b"\r\n")

    def connection(self):
        peer, here = (self.writer.get_extra_info(key) for key in ("peername", "sockname"))
        return {"src_ip": peer[0], "src_port": peer[1], "dest_ip": here[0], "dest_port": here[1]}

    def write(self, record):
        self.server.record.write(json.dumps(record) + "\n")

    def refusal(self, stage, address=""):
        """The reply by which this server's behaviour refuses here, or None."""
        refuses = self.server.refuses
        if stage == "rcpt" and address in self.server.known:
            return None
        return refuses[1].format(a=address) if refuses and refuses[0] == stage else None

    def end(self, data_end=None, final=None):
        if self.open is None:
            return
        self.open["data_end_time"], self.open["final"] = data_end, final
        self.write(self.open)
        self.open, self.accepted = None, False

    def mail(self, line):
        self.count += 1   # nested ones too, as in a transaction_id
        if self.helo is None or self.accepted:
            return self.reply("503 5.5.1 Error: bad sequence of commands")
        self.end()
        address = PATH.search(line)[1]
        answer = (not address and self.refusal("null")) or "250 2.1.0 Ok"
        self.accepted = answer.startswith("2")
        self.open = {**self.connection(), "n": self.count, "helo": self.helo, "mail_from": address or "<>",
                     "mail_reply": answer, "mail_time": time.time(), "rcpt_to": [], "message_id": None, "queue_id": None,
                     "quotes": []}
        return self.reply(answer)

    def rcpt(self, line):
        if self.open is None:
            return self.reply("503 5.5.1 Error: need MAIL command")
        address = PATH.search(line)[1]
        if self.accepted:
            answer = self.refusal("rcpt", address) or "250 2.1.5 Ok"
        else:   # pipelined behind a refused MAIL: on the wire and so in the record
            answer = "503 5.5.1 Error: need MAIL command"
        self.open["rcpt_to"].append({"address": address, "reply": answer})
        return self.reply(answer)

    async def data(self):
        if not self.accepted:
            return self.reply("503 5.5.1 Error: need MAIL command")
        if not any(rcpt["reply"].startswith("2") for rcpt in self.open["rcpt_to"]):
            return self.reply("554 5.5.1 Error: no valid recipients")
        self.reply("354 End data with <CR><LF>.<CR><LF>")
        lines = []
        while (line := await self.reader.readline()) != b".\r\n":
            if not line:
                raise ConnectionError
            lines.append(line)
        self.text(b"".join(lines))
        return self.dot()

    async def bdat(self, size, last):
        """A chunk comes whether it is welcome or not: the client sends it right behind the command."""
        chunk = await self.reader.readexactly(size)
        self.chunks += chunk
        if not (self.accepted and any(rcpt["reply"].startswith("2") for rcpt in self.open["rcpt_to"])):
            if self.open and last:
                self.text(self.chunks)
            return self.reply("554 5.5.1 Error: no valid recipients" if self.accepted else
                              "503 5.5.1 Error: need MAIL command")
        if not last:
            return self.reply(f"250 2.0.0 Ok: {size} bytes")
        self.text(self.chunks)
        return self.dot()

    def text(self, message):
        """What the record has of a message: its name, and the names of our letters in it."""
        head = message.replace(b"\r\n", b"\n").partition(b"\n\n")[0]
        found = re.search(rb"^Message-ID:\s*(<[^>]+>)", head, re.I | re.M)
        self.open["message_id"] = found and found[1].decode()
        self.open["quotes"] = sorted({name.decode() for name in QUOTED.findall(message)})
        self.chunks = b""

    def dot(self):
        now = time.time()
        answer = self.refusal("dot")
        if answer is None:
            self.open["queue_id"] = f"{int(now * 1e6):X}"
            answer = f"250 2.0.0 Ok: queued as {self.open['queue_id']}"
        self.end(now, answer)
        return self.reply(answer)

    async def talk(self):
        banner = self.refusal("banner")
        if banner == "":
            await self.reader.read()
            return
        self.reply(banner or f"220 {self.server.name} ESMTP")
        while not banner and (line := await self.reader.readline()):
            line = line.decode("utf-8", "replace").rstrip("\r\n")
            verb, _, rest = line.partition(" ")
            verb = verb.upper()
            if verb in ("EHLO", "HELO"):
                self.end()
                self.helo = rest
                extensions = ("PIPELINING", "SIZE 20480000", "ENHANCEDSTATUSCODES", "8BITMIME", "CHUNKING")
                words = [self.server.name, *(extensions if verb == "EHLO" else ())]
                self.reply("\r\n".join([*(f"250-{word}" for word in words[:-1]), f"250 {words[-1]}"]))
            elif verb == "MAIL" and PATH.search(line):
                self.mail(line)
            elif verb == "RCPT" and PATH.search(line):
                self.rcpt(line)
            elif verb == "DATA":
                await self.data()
            elif verb == "BDAT":
                await self.bdat(int(rest.split()[0]), rest.upper().endswith(" LAST"))
            elif verb == "RSET":
                self.end()
                self.reply("250 2.0.0 Ok")
            elif verb == "NOOP":
                self.reply("250 2.0.0 Ok")
            elif verb == "QUIT":
                self.reply("221 2.0.0 Bye")
                break
            else:
                self.reply("502 5.5.2 Error: command not recognized")
            await self.writer.drain()

    async def run(self):
        try:
            await asyncio.wait_for(self.talk(), IDLE_S)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.TimeoutError):
            pass
        finally:
            self.end()
            if not self.count:
                self.write({"transaction": False, **self.connection(), "helo": self.helo})
            self.writer.close()


class Server:
    def __init__(self, name, record, behaviour, known):
        self.name = name
        self.record = open(record, "a", encoding="utf-8", buffering=1)
        self.refuses = BEHAVIOURS[behaviour]
        self.known = set(known)

    async def serve(self, address):
        listener = await asyncio.start_server(lambda r, w: Session(self, r, w).run(), address, 25)
        print("ready", flush=True)
        await listener.serve_forever()


if __name__ == "__main__":
    asyncio.run(Server(sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5:]).serve(sys.argv[1]))
