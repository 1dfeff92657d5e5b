"""A scripted mail server, told what to be by one argument of JSON:

    {"address", "name", "record", "behaviour", "known": [recipients]; and, if wanted, "port", "zone", "patience", "lacks", "full",
     "tls", "keylog": see Server}

Answers on port 25 of the address and appends each transaction to the record as a line of JSON, with the keys of the
truth file; so, too, each connection that had none ("transaction": false). It keeps to the order of commands as a
real server does: after a refused MAIL there is no RCPT, after refused RCPTs no DATA, pipelined or not. It keeps no mail.
"""

import asyncio
import collections
import json
import re
import ssl
import sys
import time

import describe

LISTED = "Service unavailable; Client host [{ip}] blocked using {zone}"
# What is refused: stage, when, reply. {a} is the address in the command, {ip} the client, {id} differs each time.
BEHAVIOURS = {
    "accept": (None, None, None),
    "unknown-user": ("rcpt", "unknown", "550 5.1.1 <{a}>: Recipient address rejected: User unknown in virtual mailbox table"),
    "no-such-user": ("rcpt", "unknown", "550-5.1.1 The email account that you tried to reach does not exist.\n550 5.1.1 {id} - mx"),
    "mailbox-full": ("rcpt", "unknown", "552 5.2.2 <{a}>: user is over quota"),
    "refuse-null": ("mail", "null", "550 5.7.1 <>: Sender address rejected: we do not accept bounces"),
    "unsigned": ("rcpt", "null", "550 This address does not send an unsigned reverse path"),
    "silent": ("banner", "always", ""),   # takes the connection, never says a word
    "refuse-senders": ("mail", "always", "553 5.7.1 Sender address rejected: not from your network"),
    "refuse-banner": ("banner", "always", "554 5.7.1 No SMTP service here for your address"),
    "refuse-content": ("dot", "always", "550 5.7.1 Message content rejected"),
    "refuse-spam": ("dot", "always", "554 5.7.1 Spam message rejected; id={id}"),
    "greylist": ("rcpt", "new", "450 4.2.0 <{a}>: Recipient address rejected: Greylisted"),
    "listed-banner": ("banner", "always", f"554 5.7.1 {LISTED}; see http://www.backscatterer.org/?ip={{ip}}"),
    "listed-null": ("mail", "null", f"550 5.7.1 {LISTED}"),
    "listed-rcpt": ("rcpt", "always", f"554 5.7.1 {LISTED}; https://www.spamhaus.org/query/ip/{{ip}}"),
    "listed-data": ("dot", "always", "550 5.7.1 rejected because {ip} is in a black list at {zone}"),
}
PATH = re.compile(r"(?:FROM|TO):\s*<([^>]*)>\s*(.*)", re.I)
IDLE_S = 60
EXTENSIONS = ("PIPELINING", "SIZE 20480000", "ENHANCEDSTATUSCODES", "8BITMIME", "DSN", "SMTPUTF8", "CHUNKING")


class Session:
    """One connection."""

    def __init__(self, server, reader, writer):
        self.server = server
        self.reader = reader
        self.writer = writer
        self.count = 0
        self.helo = None
        self.encrypted = False
        self.spoke = False
        self.began = time.time()
        self.named = None     # the blocklist that a refusal named
        self.open = None      # the transaction that is under way
        self.accepted = False  # its MAIL was
        self.chunks = b""     # of BDAT
        self.where = {key: value for words, end in (("src_ip src_port", "peername"), ("dest_ip dest_port", "sockname"))
                      for key, value in zip(words.split(), writer.get_extra_info(end))}

    def reply(self, text):
        self.spoke = True
        self.writer.write(text.replace("\n", "\r\n").encode() + b"\r\n")
        if self.open:
            self.open["codes"].append(text[:3])

    def write(self, record):
        self.server.record.write(json.dumps(record) + "\n")

    def refusal(self, stage, address=""):
        """The reply by which this server refuses here, or None."""
        where, when, text = self.server.refuses
        if where != stage:
            return None
        sender = self.open and self.open["mail_from"]
        triple = (self.where["src_ip"], sender, address)
        met = {"always": True, "null": sender == "<>", "unknown": address not in self.server.known,
               "new": self.server.met[triple] < self.server.patience}[when]
        self.server.met[triple] += 1
        if not met:
            return None
        if "{zone}" in text:
            self.named = self.server.zone
            if self.open:
                self.open["names_list"] = self.named
        return text.format(a=address, ip=self.where["src_ip"], id=f"{int(time.time() * 1e6):x}",
                           zone=self.server.zone)

    def end(self):
        if self.open is None:
            return
        self.write(self.open)
        self.open, self.accepted = None, False

    def mail(self, line):
        self.count += 1   # nested ones too, as in a transaction_id
        if self.helo is None or self.accepted:
            return self.reply("503 5.5.1 Error: bad sequence of commands")
        self.end()
        address, params = PATH.search(line).groups()
        self.open = {**self.where, "n": self.count, "helo": self.helo, "tls": self.encrypted, "mail_from": address or "<>",
                     "mail_params": params or None, "mail_reply": None, "mail_time": time.time(), "rcpt_to": [],
                     "message_id": None, "headers": {}, "report": None, "queue_id": None, "quotes": [],
                     "commands": ["MAIL"], "codes": [], "data_end_time": None, "final": None}
        answer = self.refusal("mail") or "250 2.1.0 Ok"
        self.open["mail_reply"] = answer
        self.accepted = answer.startswith("2")
        return self.reply(answer)

    def rcpt(self, line):
        if self.open is None:
            return self.reply("503 5.5.1 Error: need MAIL command")
        address, params = PATH.search(line).groups()
        self.open["commands"].append("RCPT")
        if self.accepted:
            answer = self.refusal("rcpt", address) or "250 2.1.5 Ok"
        else:   # pipelined behind a refused MAIL: on the wire and so in the record
            answer = "503 5.5.1 Error: need MAIL command"
        self.open["rcpt_to"].append({"address": address, "params": params or None, "reply": answer})
        return self.reply(answer)

    def taken(self):
        return [rcpt for rcpt in self.open["rcpt_to"] if rcpt["reply"].startswith("2")] if self.accepted else []

    async def data(self):
        if self.open:
            self.open["commands"].append("DATA")
        if not self.accepted:
            return self.reply("503 5.5.1 Error: need MAIL command")
        if not self.taken():
            return self.reply("554 5.5.1 Error: no valid recipients")
        self.reply("354 End data with <CR><LF>.<CR><LF>")
        lines = []
        while (line := await self.reader.readline()) != b".\r\n":
            if not line:
                raise ConnectionError
            lines.append(line)
        self.open["commands"].append(".")
        self.open["size"] = sum(map(len, lines))
        self.text(b"".join(line[1:] if line.startswith(b"..") else line for line in lines))
        return self.dot()

    async def bdat(self, size, last):
        """A chunk comes whether it is welcome or not: the client sends it right behind the command."""
        self.chunks += await self.reader.readexactly(size)
        if self.open:
            self.open["commands"].append("BDAT")
        if not self.open or not self.taken():
            if self.open and last:
                self.text(self.chunks)
            return self.reply("554 5.5.1 Error: no valid recipients" if self.accepted else
                              "503 5.5.1 Error: need MAIL command")
        if not last:
            return self.reply(f"250 2.0.0 Ok: {size} bytes")
        self.open["size"] = len(self.chunks)
        self.text(self.chunks)
        return self.dot()

    def text(self, message):
        self.open |= describe.message(message)
        self.chunks = b""

    def dot(self):
        """The end of a message; LMTP answers for each recipient (RFC 2033 4.2)."""
        self.open["data_end_time"] = now = time.time()
        refused = self.refusal("dot")
        taken = f"250 2.0.0 Ok: queued as {int(now * 1e6):X}"
        if not self.server.lmtp:
            self.reply(refused or taken)
            self.open["final"] = refused or taken
        else:
            for rcpt in self.taken():
                full = rcpt["address"] in self.server.full
                rcpt["reply"] = (f"552 5.2.2 <{rcpt['address']}> Quota exceeded (mailbox for user is full)" if full
                                 else f"250 2.0.0 <{rcpt['address']}> {taken[10:]}")
                self.reply(rcpt["reply"])
                if self.open["final"] is None or not full:
                    self.open["final"] = rcpt["reply"]
        if self.open["final"].startswith("2"):
            self.open["queue_id"] = taken.rpartition(" ")[2]
        self.end()

    async def starttls(self):
        self.reply("220 2.0.0 Ready to start TLS")
        await self.writer.start_tls(self.server.tls)
        self.helo, self.encrypted = None, True

    def hello(self, verb, rest):
        self.end()
        self.helo = rest
        words = [self.server.name]
        if verb != "HELO":
            words += [word for word in EXTENSIONS if word.split()[0] not in self.server.lacks]
            words += ["STARTTLS"] if self.server.tls and not self.encrypted else []
        self.reply("\n".join([*(f"250-{word}" for word in words[:-1]), f"250 {words[-1]}"]))

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
            if verb in ("EHLO", "HELO", "LHLO"):
                self.hello(verb, rest)
            elif verb == "MAIL" and PATH.search(line):
                self.mail(line)
            elif verb == "RCPT" and PATH.search(line):
                self.rcpt(line)
            elif verb == "DATA":
                await self.data()
            elif verb == "BDAT":
                await self.bdat(int(rest.split()[0]), rest.upper().endswith(" LAST"))
            elif verb == "STARTTLS" and self.server.tls and not self.encrypted:
                await self.starttls()
            elif verb == "RSET":
                self.end()
                self.reply("250 2.0.0 Ok")
            elif verb == "NOOP":
                self.reply("250 2.0.0 Ok")
            elif verb == "QUIT":
                self.end()
                self.reply("221 2.0.0 Bye")
                break
            else:
                self.reply("502 5.5.2 Error: command not recognized")
            await self.writer.drain()

    async def run(self):
        try:
            await asyncio.wait_for(self.talk(), IDLE_S)
        except (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError, asyncio.TimeoutError):
            pass
        finally:
            self.end()
            if not self.count:
                self.write({"transaction": False, **self.where, "tls": self.encrypted, "silent": not self.spoke, "mail_time": self.began,
                            "names_list": self.named})
            self.writer.close()


class Server:
    def __init__(self, job):
        self.name = job["name"]
        self.record = open(job["record"], "a", encoding="utf-8", buffering=1)
        self.refuses = BEHAVIOURS[job["behaviour"]]
        self.known = set(job["known"])
        self.full = set(job.get("full", ()))     # mailboxes over quota, LMTP
        self.lmtp = "full" in job
        self.lacks = job.get("lacks", ())        # extensions that are not offered
        self.zone = job.get("zone", "ips.backscatterer.org")
        self.met = collections.Counter()
        self.patience = job.get("patience", 1)   # how often a greylisted sender must try
        self.tls = None
        if "tls" in job:
            self.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self.tls.load_cert_chain(job["tls"])
            self.tls.keylog_filename = job.get("keylog")

    async def serve(self, address, port):
        listener = await asyncio.start_server(lambda r, w: Session(self, r, w).run(), address, port, limit=1 << 20)
        print("ready", flush=True)
        await listener.serve_forever()


if __name__ == "__main__":
    description = json.loads(sys.argv[1])
    asyncio.run(Server(description).serve(description["address"], description.get("port", 25)))
