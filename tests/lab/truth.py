"""The truth about a capture: every SMTP transaction in it, what it was, and what caused it.

Sources: what the scripted senders did and why (the scenario's stories), what the sinks were sent, what the own
servers logged. Not the capture, and no part of bouncetap. samples/README.md describes the result.

A story says of a letter
    "forged"     does its sender's address belong to somebody else?
    "why"        in words
    "kind"       what the letter itself is, if not ordinary
    "answers"    the kinds of mail that servers of ours must make because of it; none if it is not there
    "fate"       what becomes of it once it was accepted, where no log tells
    "passed_to"  the outside address that it is forwarded to; "passed_as": the sender with which
The record must agree: an answer that no story expects, and one that is expected and never came, fail.
"""

import datetime
import ipaddress
import json
import re
import struct
import typing

MAIL_PORTS = (24, 25, 465, 587, 2525)
CONNECTION = ("src_ip", "src_port", "dest_ip", "dest_port")
# Action of RFC 3464 2.3.3, Disposition of RFC 8098 3.2.6
KIND_OF_REPORT = {"failed": "bounce", "delayed": "delay-notice", "delivered": "success-notice", "relayed": "success-notice",
                  "expanded": "success-notice", "disposition": "read-receipt"}
NEAR_S = 2.0     # between a sink's reply and the line about it in the log of the server that got it


class Mismatch(Exception):
    """Records, log and capture do not tell one story."""


class Mail(typing.NamedTuple):
    """What a server sent: a letter, or what it made because of one."""
    letter: dict
    kind: str = None      # None: the letter itself
    maker: str = None     # address of the server that made the answer


def iso(seconds):
    if seconds is None:
        return None
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def code_of(reply):
    """"550 5.1.1 text" -> (550, "5.1.1")."""
    found = re.match(r"(\d{3})[ -](?:([245]\.\d{1,3}\.\d{1,3}) )?", reply)
    return int(found[1]), found[2]


def refused(reply):
    return (reply or "")[:1] in ("4", "5")


def kind_shown(rcpt):
    """Of a group of a report. Sieve's reject is a disposition notification (RFC 5429 2.1.2)."""
    rejected = (rcpt.get("disposition") or "").startswith("automatic-action") and "deleted" in rcpt["disposition"]
    return "bounce" if rejected else KIND_OF_REPORT[rcpt.get("action") or "disposition"]


def deciding(raw):
    """The reply that decides a transaction, as sensor/transaction.h has it; None when the client left without one."""
    if not raw["mail_reply"].startswith("2"):
        return raw["mail_reply"]
    if raw["final"] or any(rcpt["reply"].startswith("2") for rcpt in raw["rcpt_to"]):
        return raw["final"]
    return raw["rcpt_to"][-1]["reply"] if raw["rcpt_to"] else None


def addresses(raw):
    return {rcpt["address"] for rcpt in raw["rcpt_to"]}


class Builder:
    """raws are dicts with the keys that sender.py and sink.py write; of the lab this uses who is where, and when the capture began."""

    def __init__(self, scenario, sessions, handed_in, received, logs, lab):
        self.own = [ipaddress.ip_network(net) for net in scenario.OWN["networks"]]
        self.domains = set(scenario.OWN["domains"])
        self.tenants = [{"networks": [ipaddress.ip_network(net) for net in tenant.get("networks", ())],
                         "domains": set(tenant.get("domains", ()))} for tenant in getattr(scenario, "TENANTS", {}).values()]
        self.sessions, self.logs, self.inside, self.host_of, self.since = sessions, logs, lab.inside, lab.host_of, lab.since
        self.letters = [raw for session in sessions for raw in session["transactions"]] + handed_in
        self.by_name = {raw["name"]: raw for raw in self.letters}
        self.scripted = {raw.get("client", (raw["src_ip"], raw["src_port"])) for raw in self.letters if "src_port" in raw}
        self.sent = sorted([raw for raw in [*received, *self.inner()] if self.on_the_bridge(raw)],
                           key=lambda raw: raw["mail_time"])
        self.elsewhere = [raw for raw in received if not self.on_the_bridge(raw)]
        self.mails = {}        # id(raw) -> Mail
        self.used = set()      # lines of logs about a delivery, each told of one transaction

    # Who is who.

    def is_own(self, address):
        nets = self.own + [net for tenant in self.tenants for net in tenant["networks"]]
        return any(ipaddress.ip_address(address) in net for net in nets)

    def tenant(self, address):
        return next((n for n, tenant in enumerate(self.tenants)
                     if any(ipaddress.ip_address(address) in net for net in tenant["networks"])), None)

    def is_ours(self, address, server):
        """Is a mail address ours, seen from one of our servers?"""
        domain = address.rpartition("@")[2].lower()
        if (mine := self.tenant(server)) is not None:
            return domain in self.tenants[mine]["domains"] | self.domains
        return domain in self.domains.union(*(tenant["domains"] for tenant in self.tenants))

    def on_the_bridge(self, raw):
        return ("src_port" in raw and raw.get("mail_time", self.since) >= self.since
                and (raw["src_ip"] in self.inside or raw["dest_ip"] in self.inside))

    def same_host(self, one, other):
        return self.host_of.get(one, one) == self.host_of.get(other, other)

    def direction(self, raw):
        origin = raw.get("origin_ip") or raw["src_ip"]
        ours = (self.is_own(origin), self.is_own(raw["dest_ip"]))
        if ours == (True, True) and None not in (two := (self.tenant(origin), self.tenant(raw["dest_ip"]))) and two[0] != two[1]:
            return "outbound"
        return {(True, True): "internal", (True, False): "outbound", (False, True): "inbound"}.get(ours, "foreign")

    def arrives(self, raw):
        """From the world, or from another tenant."""
        return self.direction(raw) == "inbound" or self.direction(raw) == "outbound" and self.is_own(raw["dest_ip"])

    # What the logs say.

    def inner(self):
        """Mail of which neither end is scripted, by the log of the server that received it."""
        for server, log in self.logs.items():
            for (ip, port), connection in log.get("connections", {}).items():
                if (ip, port) in self.scripted or ipaddress.ip_address(ip).is_loopback:
                    continue
                if connection.mails != len(connection.arrivals):
                    raise Mismatch(f"{server} logged {len(connection.arrivals)} of {connection.mails} from {ip}:{port}")
                for arrival in connection.arrivals:
                    yield self.arrived(log, {"src_ip": ip, "src_port": port, "dest_ip": server, "dest_port": 25}, arrival)

    def arrived(self, log, where, arrival):
        message = log["messages"][arrival["id"]] if arrival["id"] else None
        taken = dict.fromkeys(delivery["orig_to"] or delivery["to"] for delivery in message["deliveries"]) if message else ()
        return {**where, "n": arrival["n"], "mail_time": arrival["time"], "mail_from": arrival["sender"] or "<>",
                "mail_reply": "250 2.1.0 Ok", "queue_id": arrival["id"], "message_id": message and message["message_id"],
                "rcpt_to": [{"address": address, "reply": "250 2.1.5 Ok"} for address in taken] + arrival["refused"],
                "final": message and (arrival["refusal"] or f"250 2.0.0 Ok: queued as {arrival['id']}"), "quotes": [],
                "logged": True}

    def source(self, raw):
        """The message, in the log of the server that sent it, that raw is a delivery of; None where no log tells."""
        messages = self.logs.get(raw["src_ip"], {}).get("messages", {})
        decided = raw["queue_id"] or deciding(raw) or raw["mail_reply"]
        if not messages:
            return None
        # A multi-line reply is one line in a log.
        words, after = decided.split("\n")[-1], raw.get("data_end_time") or raw["mail_time"]
        found = [(abs(delivery["time"] - after), (raw["src_ip"], queue_id, n), message)
                 for queue_id, message in messages.items() for n, delivery in enumerate(message["deliveries"])
                 if delivery["to"] in addresses(raw) and delivery["ip"] == raw["dest_ip"] and words in delivery["text"]
                 and (raw["src_ip"], queue_id, n) not in self.used]
        if not found:
            return None
        distance, key, message = min(found, key=lambda one: one[:2])
        if len({id(one[2]) for one in found}) > 1 and distance > NEAR_S:
            raise Mismatch(f"{len(found)} messages fit what the sink got: {raw}")
        self.used.add(key)
        return message

    def made(self, name):
        """Which of our servers made the message with this name, and because of which letter, as far as logs tell."""
        for server, log in self.logs.items():
            for message in log.get("messages", {}).values():
                if name and message["message_id"] == name and message["ip"] is None:
                    parent = log["messages"].get(message["notice_of"])
                    return server, message["notice_kind"], self.by_name.get(parent and parent["message_id"])
        return None, None, None

    def fate(self, raw):
        """What became of an accepted letter: a word for each thing that happened to a recipient."""
        if raw["queue_id"] is None:
            return "refused"
        messages = self.logs.get(raw["dest_ip"], {}).get("messages")
        if not messages or "fate" in raw["story"]:
            return raw["story"].get("fate", "delivered")
        words = set()
        for queue_id, message in messages.items():
            if message["message_id"] != raw["name"]:
                continue
            for delivery in message["deliveries"]:
                if delivery["status"] == "sent" and not delivery["inside"]:
                    words.add("delivered")
                elif delivery["status"] == "bounced":
                    words.add("bounced" if any(other["notice_of"] == queue_id for other in messages.values()) else "dropped")
        return "+".join(sorted(words)) or None

    # Which mail is it?

    def mail_of(self, raw):
        if id(raw) not in self.mails:
            self.mails[id(raw)] = self.find_mail(raw)
        return self.mails[id(raw)]

    def find_mail(self, raw):
        source = self.source(raw)
        name = source["message_id"] if source else raw["message_id"]
        if letter := self.by_name.get(name) or self.passed_on(raw, name):
            return Mail(letter)
        maker, kind, letter = self.made(name)
        letter = letter or self.answered(raw, name)
        kinds = letter["story"].get("answers", [])
        if kind is None:
            fits = [word for word in kinds if word != "callout" or name is None]
            if len(fits) != 1:
                raise Mismatch(f"answers {kinds} to {letter}, got {raw}")
            kind = fits[0]
        shown = {kind_shown(rcpt) for rcpt in (raw.get("report") or {}).get("recipients", ())}
        if kind not in kinds or shown - {kind}:
            raise Mismatch(f"{kind} in answer to {letter}, which says {kinds}: {raw}")
        return Mail(letter, kind, maker or letter["dest_ip"])

    def passed_on(self, raw, name):
        """Refused before DATA, and no log: by its envelope the letter that was handed on, the last of several with one story, or None."""
        if name:
            return None
        fits = []
        for letter in self.letters:
            story = letter["story"]
            to = addresses(letter) | {story.get("passed_to")}
            if (letter["queue_id"] and self.same_host(letter["dest_ip"], raw["src_ip"]) and addresses(raw) <= to
                    and raw["mail_from"] == story.get("passed_as", letter["mail_from"]) and letter["mail_time"] <= raw["mail_time"]):
                fits.append(letter)
        if any(letter["story"] != fits[0]["story"] for letter in fits):
            raise Mismatch(f"{len(fits)} letters fit {raw}")
        return fits[-1] if fits else None

    def answered(self, raw, name):
        """The letter because of which a server made this mail or asked this question."""
        twins = [other for other in self.sent if name and other["message_id"] == name]
        quotes = {quote for other in [raw, *twins] for quote in other["quotes"]}
        waiting_for = [letter for letter in self.letters if letter["story"].get("answers")
                       and letter["mail_time"] <= raw["mail_time"]]
        here = [letter for letter in waiting_for if self.same_host(letter["dest_ip"], raw["src_ip"])]
        writer = f"{raw['mail_from']} {(raw.get('headers') or {}).get('from')}"
        open_now = [letter for letter in here if raw["mail_time"] <= letter["reply_time"]]
        for fits in ([letter for letter in waiting_for if letter["name"] in quotes],
                     [letter for letter in here if letter["mail_from"] in addresses(raw)
                      and any(address in writer for address in addresses(letter))],
                     [letter for letter in here if letter["mail_from"] in addresses(raw)],
                     [letter for letter in open_now if (letter.get("headers") or {}).get("from") in addresses(raw)],
                     [letter for letter in waiting_for if letter["mail_from"] in addresses(raw)],
                     [letter for letter in open_now if letter["mail_from"].rpartition("@")[2]
                      in {address.rpartition("@")[2] for address in addresses(raw)}]):
            if len(fits) == 1:
                return fits[0]
            if fits:
                raise Mismatch(f"{len(fits)} letters fit {raw}")
        raise Mismatch(f"nothing scripted caused {raw}")

    # The rows.

    def row(self, raw, **verdict):
        """The keys of the truth, from the record of a sender or a sink."""
        rcpts = []
        for rcpt in raw["rcpt_to"]:
            code, enhanced = code_of(rcpt["reply"].split("\n")[-1])
            rcpts.append({"address": rcpt["address"], "code": code, "enhanced": enhanced} |
                         ({"params": rcpt["params"]} if rcpt.get("params") else {}))
        reply = deciding(raw)
        code, enhanced = code_of(reply.split("\n")[-1]) if reply else (None, None)
        outcome = "aborted" if code is None else "accepted" if code // 100 == 2 else "rejected"
        result = {key: raw[key] for key in (*CONNECTION, "n")}
        result |= {"direction": self.direction(raw), "origin_ip": raw.get("origin_ip"), "tls": raw.get("tls", False),
                   "auth": raw.get("auth", False), "helo": raw.get("helo"), "size": raw.get("size"), "mail_time": iso(raw["mail_time"]), "mail_from": raw["mail_from"],
                   "mail_params": raw.get("mail_params"), "rcpt_to": rcpts, "message_id": raw["message_id"],
                   "queue_id": raw["queue_id"] if outcome == "accepted" else None,
                   "outcome": outcome, "code": code, "enhanced": enhanced, "reply": reply,
                   "headers": raw.get("headers"), "report": raw.get("report"),
                   "steps": None if "logged" in raw else {"client": " ".join(raw["commands"]), "server": " ".join(raw["codes"])},
                   "kind": "ordinary", "provenance": None, "finding": False, "misdirected": None, "exposure": None,
                   "emitter": None, "originator": None, "names_list": raw.get("names_list"), "fate": None, "pushed_bounce": False,
                   "why": None, "cause": None, "root_cause": None}
        return result | verdict

    def from_senders(self):
        for raw in self.letters:
            if self.on_the_bridge(raw):
                yield self.row(raw, kind=raw["story"].get("kind", "ordinary"), why=raw["story"]["why"], fate=self.fate(raw))

    def sightings(self, mail):
        """Every transaction by which a server sent this mail, in order of time."""
        def key(one):
            return one and (id(one.letter), one.kind, one.maker)
        return [raw for raw in self.sent if key(self.mail_of(raw)) == key(mail)]

    def arrival(self, letter):
        """The transaction that brought a letter to us, where it crosses the captured network; None when it began here."""
        if self.on_the_bridge(letter):
            return letter
        return next((raw for raw in self.sightings(Mail(letter)) if self.arrives(raw)), None)

    def root_causes(self, mail):
        """The refusals that the maker of an answer met with the letter; temporary ones only when there were no others."""
        found = []
        for raw in self.sightings(Mail(mail.letter)):
            if not self.same_host(raw["src_ip"], mail.maker):
                continue
            for rcpt in raw["rcpt_to"]:
                reply = rcpt["reply"] if refused(rcpt["reply"]) else raw["final"] if refused(raw["final"]) else None
                if reply := raw["mail_reply"] if refused(raw["mail_reply"]) else reply:
                    code, enhanced = code_of(reply.split("\n")[-1])
                    found.append({**{key: raw[key] for key in (*CONNECTION, "n")}, "rcpt_to": rcpt["address"],
                                  "code": code, "enhanced": enhanced, "reply": reply})
        return [root for root in found if root["code"] >= 500] or found

    def letter_sent_on(self, raw, letter):
        story = letter["story"]
        verdict = {"kind": story.get("kind", "ordinary"), "why": story["why"]}
        if self.direction(raw) == "outbound":
            if "src_port" not in letter:
                own = self.same_host(letter["dest_ip"], raw["src_ip"])
                verdict["provenance"] = "generated" if own else "relayed-own"
            elif not self.is_own(letter["src_ip"]) and not letter.get("auth"):
                verdict["provenance"] = "forwarded"
            elif letter["src_ip"] in self.logs:
                verdict["provenance"] = "relayed-own"
        elif not self.is_own(raw["src_ip"]):
            verdict["why"] = f"by way of a server outside: {story['why']}"
        else:
            verdict["why"] = "handed on by a server of ours"
        return verdict

    def answer(self, raw, mail):
        letter, story = mail.letter, mail.letter["story"]
        verdict = {"kind": mail.kind, "why": story["why"]}
        if self.direction(raw) == "outbound":
            verdict["provenance"] = "generated" if self.same_host(raw["src_ip"], mail.maker) else "relayed-own"
        if all(self.is_ours(address, raw["src_ip"]) for address in addresses(raw)):
            return verdict
        siblings = [other for other in self.sightings(mail) if addresses(other) == addresses(raw)]
        edge = next((other for other in siblings if self.direction(other) == "outbound"), None)
        arrived = self.arrival(letter)
        exposure = "can-backscatter" if arrived and self.arrives(arrived) and not arrived.get("auth") else "no"
        if letter["mail_time"] < self.since:   # nobody can tell from the capture
            exposure = None
        return verdict | {
            "finding": raw is siblings[0], "misdirected": "yes" if story["forged"] else "no",
            "exposure": story.get("exposure", exposure),
            "emitter": edge and edge["src_ip"], "originator": mail.maker, "cause": arrived and self.cause(raw, arrived, mail.kind),
            "root_cause": [] if mail.kind == "callout" else self.root_causes(mail)}

    def cause(self, raw, arrived, kind):
        row = self.row(arrived)
        rcpts = [rcpt["address"] for rcpt in row["rcpt_to"] if kind == "callout" or rcpt["code"] // 100 == 2]
        replied = arrived.get("reply_time")
        return {**{key: row[key] for key in (*CONNECTION, "n", "mail_from", "message_id", "queue_id")}, "rcpt_to": rcpts,
                "tls": row["tls"], "delay_ms": replied and round((raw["mail_time"] - replied) * 1000, 3)}

    def was_pushed(self, raw, letter):
        """Did our refusal make a server outside send a bounce?"""
        return not self.is_own(raw["src_ip"]) and any(
            other["mail_from"] == "<>" and letter["name"] in other["quotes"] for other in self.elsewhere)

    def is_call_ahead(self, raw):
        """A question about a recipient, while somebody waits with mail for him: no message, and nothing was taken yet."""
        if raw["message_id"] or not self.is_own(raw["dest_ip"]) or self.passed_on(raw, None):
            return False
        waiting = [letter for letter in self.letters if self.same_host(letter["dest_ip"], raw["src_ip"])
                   and addresses(letter) & addresses(raw) and letter["mail_time"] <= raw["mail_time"]]
        return any(not letter["data_time"] or raw["mail_time"] < letter["data_time"] for letter in waiting)

    def from_servers(self):
        for raw in self.sent:
            if self.is_call_ahead(raw):
                self.mails[id(raw)] = None
        for raw in self.sent:
            mail = self.mails[id(raw)] if id(raw) in self.mails else self.mail_of(raw)
            if mail is None:
                yield self.row(raw, kind="call-ahead", why="asks our own next hop about a recipient")
            elif mail.kind is None:
                row = self.row(raw, **self.letter_sent_on(raw, mail.letter))
                row["pushed_bounce"] = row["outcome"] == "rejected" and self.was_pushed(raw, mail.letter)
                yield row
            else:
                yield self.row(raw, **self.answer(raw, mail))

    def stayed_inside(self):
        """Notices that went to a mailbox on the same server: they must not be found on the wire."""
        for server, log in self.logs.items():
            for queue_id, message in log.get("messages", {}).items():
                for delivery in message["deliveries"]:
                    if message["notice_of"] and delivery["ip"] is None and delivery["status"] == "sent":
                        yield {"server": server, "kind": message["notice_kind"], "queue_id": queue_id,
                               "rcpt_to": delivery["to"], "answers": message["notice_of"]}

    def unanswered(self):
        """What should have been answered and was not, as far as the wire or a log shows."""
        seen = {(id(mail.letter), mail.kind) for mail in self.mails.values() if mail}
        logs = [log["messages"] for log in self.logs.values() if "messages" in log]
        noticed = {log[message["notice_of"]]["message_id"] for log in logs for message in log.values() if message["notice_of"]}
        for letter in self.letters:
            for kind in letter["story"].get("answers", []):
                if (id(letter), kind) not in seen and letter["name"] not in noticed:
                    yield letter, kind


def build(name, scenario, sessions, handed_in, received, logs, lab):
    no_mail = [raw for raw in received if not raw.pop("transaction", True)]
    received = [raw for raw in received if raw not in no_mail]
    no_mail += [session["connection"] for session in sessions if not session["transactions"]]
    builder = Builder(scenario, sessions, handed_in, received, logs, lab)
    transactions = [*builder.from_senders(), *builder.from_servers()]
    transactions.sort(key=lambda row: row["mail_time"])
    public = {inner: outer for outer, inner in lab.public.items()}
    servers = [{"address": address, "public": public.get(address), **words,
                "software": logs[address]["software"] if address in logs else None}
               for address, words in scenario.SERVERS.items()]
    no_mail = [{key: raw.get(key) for key in (*CONNECTION, "tls", "silent", "names_list")} for raw in no_mail if builder.on_the_bridge(raw)]
    for letter, kind in builder.unanswered():
        if not any(raw["src_ip"] == letter["dest_ip"] for raw in no_mail):
            raise Mismatch(f"no {kind} came in answer to {letter}")
    own = {**scenario.OWN, **{key: getattr(scenario, key.upper()) for key in ("tenants", "sections") if hasattr(scenario, key.upper())}}
    return {"capture": f"{name}.pcap", "shows": scenario.__doc__.splitlines()[0], "own": own,
            "servers": servers, "transactions": transactions, "without_mail": no_mail,
            "stayed_inside": list(builder.stayed_inside())}


def to_text(truth):
    """JSON with a line for each key of each row, null, false and empty ones left out: a diff shows what changed."""
    def compact(value):
        return json.dumps(value, ensure_ascii=False)

    def block(value):
        if not (isinstance(value, list) and value and isinstance(value[0], dict)):
            return compact(value)
        rows = [",\n".join(f"   {compact(key)}: {compact(field)}" for key, field in row.items() if field not in (None, False, [], {}))
                for row in value]
        return "[\n  {\n" + "\n  },\n  {\n".join(rows) + "\n  }\n ]"

    return "{\n" + ",\n".join(f" {compact(key)}: {block(value)}" for key, value in truth.items()) + "\n}\n"


def connections(pcap):
    """The 4-tuples of every SYN to a mail port, read straight from the file (Ethernet, IPv4 and IPv6 without extension headers)."""
    data = pcap.read_bytes()
    if data[:4] != b"\xd4\xc3\xb2\xa1" or struct.unpack("<I", data[20:24]) != (1,):
        raise Mismatch("not a little-endian Ethernet pcap")
    found, at = set(), 24
    while at < len(data):
        length = struct.unpack("<I", data[at + 8:at + 12])[0]
        frame = data[at + 16:at + 16 + length]
        at += 16 + length
        if frame[12:14] == b"\x08\x00" and frame[23] == 6:
            tcp, size, fields = frame[14 + (frame[14] & 15) * 4:], 4, (26, 30)
        elif frame[12:14] == b"\x86\xdd" and frame[20] == 6:
            tcp, size, fields = frame[54:], 16, (22, 38)
        else:
            continue
        src_port, dest_port = struct.unpack(">HH", tcp[:4])
        if tcp[13] & 0x12 == 2 and dest_port in MAIL_PORTS:
            src, dest = (str(ipaddress.ip_address(frame[field:field + size])) for field in fields)
            found.add((src, src_port, dest, dest_port))
    return found


def check(truth, pcap, scenario):
    """The three sources must agree, the servers get what the scenario says, and the scenario has its own wishes."""
    told = {tuple(row[key] for key in CONNECTION) for row in truth["transactions"] + truth["without_mail"]}
    if told != (seen := connections(pcap)):
        raise Mismatch(f"only in the capture: {sorted(seen - told)}; only in the records: {sorted(told - seen)}")
    for server in truth["servers"]:
        guilty = any(row["emitter"] == server["address"] and row["misdirected"] == "yes" for row in truth["transactions"])
        if (not guilty) in server["lists"].values():   # None: no claim
            raise Mismatch(f"{server['address']} sent misdirected mail: {guilty}, expected otherwise")
    getattr(scenario, "check", lambda _: None)(truth)
