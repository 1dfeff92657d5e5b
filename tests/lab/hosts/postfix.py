"""A real Postfix: its configuration, and what its log says of each message.

The log is read for the truth: which message came from which client, where it went with which reply, and which
message is the non-delivery notification of which.
"""

import re
from collections import defaultdict

LAYER = "postfix"
STARTED = "daemon started"
START = "exec postfix start-fg"
MAIN = """\
compatibility_level = 3.6
inet_protocols = ipv4
biff = no
smtpd_client_port_logging = yes
mailbox_command =
alias_maps =
"""


def configure(root, hostname, main, services=()):
    """main: lines of main.cf; services: entries of master.cf."""
    etc = root / "etc/postfix"
    (etc / "main.cf").write_text(f"{MAIN}myhostname = {hostname}\n" + "".join(f"{line}\n" for line in main))
    master = []
    for line in (root / "usr/share/postfix/master.cf.dist").read_text().splitlines():
        columns = line.split()
        if line[:1].isalpha() and len(columns) >= 8:
            columns[4] = "n"   # chroot: would need copies of the resolver's files in the spool
            line = " ".join(columns)
        master.append(line)
    master += services
    (etc / "master.cf").write_text("\n".join(master) + "\n")


CLIENT = r"\S+\[(?P<ip>[\da-f.:]+)\]:(?P<port>\d+)"
ID = r"(?P<id>[0-9A-F]{6,}): "
FORMS = {name: re.compile(form, re.S) for name, form in {
    "client": ID + "client=" + CLIENT,
    "message_id": ID + r"message-id=(?P<message_id>.*)",
    "sender": ID + r"from=<(?P<sender>[^>]*)>, size=",
    "delivery": ID + r"to=<(?P<to>[^>]*)>,(?: orig_to=<(?P<orig_to>[^>]*)>,)? relay=[^\s,\[]+(?:\[(?P<ip>[\da-f.:]+)\]:\d+)?, .*?"
                     r"dsn=[\d.]+, status=(?P<status>\w+) \((?P<text>.*)\)$",
    "notice": ID + r"sender (?P<what>non-delivery|delay|delivery status) notification: (?P<notice>[0-9A-F]+)",
    "removed": ID + r"removed$",
    "reject": r"(?P<id>NOQUEUE|[0-9A-F]{6,}): reject: (?P<stage>RCPT|END-OF-MESSAGE) from " + CLIENT + r": (?P<reply>.*?); "
              r"from=<(?P<sender>[^>]*)> to=<(?P<to>[^>]*)>",
    "disconnect": r"disconnect from " + CLIENT + r".* mail=(?:\d+/)?(?P<mails>\d+)",
}.items()}
NOTICE_KINDS = {"non-delivery": "bounce", "delay": "delay-notice", "delivery status": "success-notice"}


def matches(lines):
    for when, program, text in list(lines):
        for name, form in FORMS.items():
            if program.startswith("postfix") and (found := form.match(text)):
                yield when, name, found.groupdict()
                break


def queued(lines):
    """The messages that are still in the queue. The lines of one message may come in any order: several programs
    write them."""
    there, gone = set(), set()
    for _, name, found in matches(lines):
        if name in ("sender", "notice"):
            there.add(found["notice" if name == "notice" else "id"])
        elif name == "removed":
            gone.add(found["id"])
    return there - gone


class Connection:
    """What the log of the receiving server tells of one client connection: its transactions, in order."""

    def __init__(self):
        self.arrivals = []
        self.mails = None      # how many MAIL commands there were, known when it ended

    def arrival(self, when, queue_id, sender):
        """The transaction that a line speaks of: a refused RCPT may come before the message has an id."""
        last = self.arrivals[-1] if self.arrivals else None
        if last and last["sender"] == sender and last["id"] in (None, queue_id):
            last["id"] = queue_id
        else:
            last = {"time": when, "n": len(self.arrivals) + 1, "id": queue_id, "sender": sender, "refused": [], "refusal": None}
            self.arrivals.append(last)
        return last


def parse(lines):
    """Everything the truth needs of one server:

    software     what started
    messages     {queue id: {"ip" of the client, "sender", "message_id", "deliveries", "notice_of", "notice_kind"}}
    connections  {(ip, port) of the client: Connection}
    """
    messages = defaultdict(lambda: {"ip": None, "sender": None, "message_id": None, "deliveries": [],
                                    "notice_of": None, "notice_kind": None})
    connections = defaultdict(Connection)
    found_lines = list(matches(lines))
    for _, name, found in found_lines:
        if name in ("sender", "message_id"):
            messages[found["id"]][name] = found[name]
    for when, name, found in found_lines:
        if name in ("client", "reject", "disconnect"):
            connection = connections[found["ip"], int(found["port"])]
        if name == "client":
            messages[found["id"]]["ip"] = found["ip"]
            connection.arrival(when, found["id"], messages[found["id"]]["sender"])
        elif name == "reject":
            queue_id = None if found["id"] == "NOQUEUE" else found["id"]
            arrival = connection.arrival(when, queue_id, found["sender"])
            if found["stage"] == "RCPT":
                arrival["refused"].append({"address": found["to"], "reply": found["reply"]})
            else:
                arrival["refusal"] = found["reply"]
        elif name == "disconnect":
            connection.mails = int(found["mails"])
        elif name == "delivery":
            requeued = found["text"].startswith("forwarded as ") or (found["ip"] or "").startswith("127.")
            messages[found["id"]]["deliveries"].append({**found, "time": when, "inside": requeued})
        elif name == "notice":
            messages[found["notice"]].update(notice_of=found["id"], notice_kind=NOTICE_KINDS[found["what"]])
    started = [text for _, _, text in lines if text.startswith("daemon started")]
    return {"software": "Postfix " + re.search(r"version ([\d.]+)", started[0])[1], "messages": dict(messages),
            "connections": dict(connections)}
