"""The truth about a capture: every SMTP transaction in it, what it was, and what caused it.

Sources: what the scripted senders did and why (the scenario's stories), what the sinks were sent, what the own
servers logged. Not the capture, and no part of bouncetap. samples/README.md describes the result.

With TRUTH = "logs" real servers may talk to each other, and their logs say what was whose answer (Postfix only).
With TRUTH = "scripts" every connection has a scripted end, and the stories say more, so that any software will do:
    "answers"  the kinds of mail that a server must make because of this one; none if it is not there
    "fate"     what becomes of it once it was accepted
    "passed_to"  the outside address that it is forwarded to
"""

import datetime
import ipaddress
import json
import re
import struct

MAIL_PORTS = (25, 587)


class Mismatch(Exception):
    """Records, log and capture do not tell one story."""


def iso(seconds):
    if seconds is None:
        return None
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def code_of(reply):
    """"550 5.1.1 text" -> (550, "5.1.1")."""
    found = re.match(r"(\d{3})[ -](?:([245]\.\d{1,3}\.\d{1,3}) )?", reply)
    return int(found[1]), found[2]


def deciding(raw):
    """The reply that decides a transaction, as in DESIGN.md 6; None when the client left without one."""
    if not raw["mail_reply"].startswith("2"):
        return raw["mail_reply"]
    if any(rcpt["reply"].startswith("2") for rcpt in raw["rcpt_to"]):
        return raw["final"]
    return raw["rcpt_to"][-1]["reply"] if raw["rcpt_to"] else None


class Builder:
    def __init__(self, scenario, sessions, received, logs):
        self.own = [ipaddress.ip_network(net) for net in scenario.OWN["networks"]]
        self.domains = scenario.OWN["domains"]
        self.sessions = sessions
        self.received = received
        self.logs = logs
        self.inbound = {}      # (server, queue id) -> transaction

    def is_own(self, address):
        return any(ipaddress.ip_address(address) in net for net in self.own)

    def direction(self, src, dest):
        words = {(True, True): "internal", (True, False): "outbound", (False, True): "inbound"}
        return words[self.is_own(src), self.is_own(dest)]

    def transaction(self, raw, **verdict):
        """The keys of the truth, from the record of a sender or a sink."""
        rcpts = []
        for rcpt in raw["rcpt_to"]:
            code, enhanced = code_of(rcpt["reply"])
            rcpts.append({"address": rcpt["address"], "code": code, "enhanced": enhanced})
        reply = deciding(raw)
        code, enhanced = code_of(reply) if reply else (None, None)
        outcome = "aborted" if code is None else "accepted" if code // 100 == 2 else "rejected"
        result = {key: raw[key] for key in ("src_ip", "src_port", "dest_ip", "dest_port", "n")}
        result["direction"] = self.direction(raw["src_ip"], raw["dest_ip"])
        result |= {"mail_time": iso(raw["mail_time"]), "mail_from": raw["mail_from"], "rcpt_to": rcpts,
                   "message_id": raw["message_id"], "queue_id": raw["queue_id"],
                   "outcome": outcome, "code": code, "enhanced": enhanced, "reply": reply,
                   "kind": "ordinary", "provenance": None, "finding": False, "misdirected": None, "exposure": None,
                   "fate": None, "why": None, "cause": None, "root_cause": None}
        return result | verdict

    def fate(self, server, queue_id):
        """What became of an accepted message: a word for each thing that happened to a recipient."""
        messages = self.logs[server]["messages"]
        words = set()
        for delivery in messages[queue_id]["deliveries"]:
            if delivery["status"] == "sent":
                words.add("delivered")
            elif delivery["status"] == "bounced":
                noticed = any(message["notice_of"] == queue_id for message in messages.values())
                words.add("bounced" if noticed else "dropped")
        return "+".join(sorted(words)) or None

    def accepted_fate(self, raw):
        return self.fate(raw["dest_ip"], raw["queue_id"])

    def from_senders(self):
        for session in self.sessions:
            for raw in session["transactions"]:
                story = raw["story"]
                result = self.transaction(raw, kind=story.get("kind", "ordinary"), why=story["why"])
                if raw["queue_id"]:
                    key = (raw["dest_ip"], raw["queue_id"])
                    if key in self.inbound:
                        raise Mismatch(f"queue id {key} was used twice")
                    self.inbound[key] = (raw, result)
                    result["fate"] = self.accepted_fate(raw)
                else:
                    result["fate"] = "refused"
                yield result

    def inner(self):
        """(receiving server, client address, client port, transaction) of all mail between own servers."""
        for server, log in self.logs.items():
            for (ip, port), connection in log["connections"].items():
                if ip not in self.logs:
                    continue
                if connection.mails != len(connection.arrivals):
                    raise Mismatch(f"{server} logged {len(connection.arrivals)} of {connection.mails} from {ip}:{port}")
                for arrival in connection.arrivals:
                    yield server, ip, port, arrival

    def from_logs(self):
        """Nothing is scripted at either end of mail between own servers: the receiving one's log tells."""
        for server, ip, port, arrival in self.inner():
            message = self.logs[server]["messages"][arrival["id"]] if arrival["id"] else None
            raw = {"src_ip": ip, "src_port": port, "dest_ip": server, "dest_port": 25, "n": arrival["n"],
                   "mail_time": arrival["time"], "mail_from": arrival["sender"] or "<>", "mail_reply": "250 2.1.0 Ok",
                   "rcpt_to": self.taken(server, ip, arrival) + arrival["refused"], "queue_id": arrival["id"],
                   "message_id": message and message["message_id"],
                   "final": message and f"250 2.0.0 Ok: queued as {arrival['id']}"}
            yield self.transaction(raw, kind="ordinary" if arrival["sender"] else "bounce",
                                   fate=self.fate(server, arrival["id"]) if message else "refused",
                                   why="handed on by a server of ours")

    def taken(self, server, ip, arrival):
        """The recipients that were accepted; only the sending server's log has them beside the reply."""
        return [{"address": delivery["to"], "reply": "250 2.1.5 Ok"}
                for message in self.logs[ip]["messages"].values() for delivery in message["deliveries"]
                if arrival["id"] and delivery["ip"] == server and delivery["text"].endswith(f"queued as {arrival['id']}")]

    def source(self, raw):
        """The own server's message that a sink was sent: (queue id, message)."""
        addresses = {rcpt["address"] for rcpt in raw["rcpt_to"]}
        decided = raw["queue_id"] or deciding(raw) or raw["mail_reply"]
        found = [(queue_id, message) for queue_id, message in self.logs[raw["src_ip"]]["messages"].items()
                 if any(delivery["to"] in addresses and delivery["ip"] == raw["dest_ip"] and decided in delivery["text"]
                        for delivery in message["deliveries"])]
        if len(found) != 1:
            raise Mismatch(f"{len(found)} messages of {raw['src_ip']} fit what the sink got: {raw}")
        return found[0]

    def root_causes(self, relay, parent, mail_from):
        """The inner refusals of a message, by the log of the server that said them."""
        failed = {(delivery["ip"], delivery["to"]) for delivery in parent["deliveries"] if delivery["status"] == "bounced"}
        for server, ip, port, arrival in self.inner():
            for rcpt in arrival["refused"]:
                if ip == relay and (server, rcpt["address"]) in failed and (arrival["sender"] or "<>") == mail_from:
                    code, enhanced = code_of(rcpt["reply"])
                    yield {"src_ip": ip, "src_port": port, "dest_ip": server, "dest_port": 25, "n": arrival["n"],
                           "rcpt_to": rcpt["address"], "code": code, "enhanced": enhanced, "reply": rcpt["reply"]}

    def answer(self, raw, message):
        """What a server of ours made by itself and sent out: to whom, because of what."""
        server = raw["src_ip"]
        try:
            arrived, cause = self.inbound[server, message["notice_of"]]
        except KeyError:
            raise Mismatch(f"nothing scripted caused {raw}") from None
        parent = self.logs[server]["messages"][message["notice_of"]]
        roots = list(self.root_causes(server, parent, arrived["mail_from"]))
        if not roots:
            raise Mismatch(f"no inner refusal for {raw}")
        forged = arrived["story"]["forged"]
        keys = ("src_ip", "src_port", "dest_ip", "dest_port", "n", "mail_from", "message_id", "queue_id")
        return {
            "kind": message["kind"], "provenance": "generated", "misdirected": "yes" if forged else "no",
            "finding": not any(rcpt["address"].rpartition("@")[2] in self.domains for rcpt in raw["rcpt_to"]),
            "exposure": "can-backscatter" if cause["direction"] == "inbound" else "no", "why": arrived["story"]["why"],
            "cause": {**{key: cause[key] for key in keys},
                      "rcpt_to": [rcpt["address"] for rcpt in cause["rcpt_to"] if rcpt["code"] // 100 == 2],
                      "delay_ms": round((raw["mail_time"] - arrived["reply_time"]) * 1000, 3)},
            "root_cause": roots}

    def from_sinks(self):
        for raw in self.received:
            _, message = self.source(raw)
            if message["notice_of"]:
                verdict = self.answer(raw, message)
            elif message["submitted"]:
                verdict = {"provenance": "generated", "why": "a user of the server wrote it, on the server"}
            elif message["ip"] in self.logs:
                verdict = {"provenance": "relayed-own", "why": "another server of ours wrote it"}
            elif self.is_own(message["ip"]):
                verdict = {"why": "a user wrote it, on an own host that is no server"}
            else:
                verdict = {"provenance": "forwarded", "why": "came from outside"}
            yield self.transaction(raw, **verdict)

    def stayed_inside(self):
        """Notices that went to a mailbox on the same server: they must not be found on the wire."""
        for server, log in self.logs.items():
            for queue_id, message in log["messages"].items():
                for delivery in message["deliveries"]:
                    if message["notice_of"] and delivery["ip"] is None:
                        yield {"server": server, "kind": message["kind"], "queue_id": queue_id,
                               "rcpt_to": delivery["to"], "answers": message["notice_of"]}


class ScriptedBuilder(Builder):
    """Every connection has a scripted end. An answer is matched to its cause by the Message-ID of the letter that it
    quotes, or by its recipient: scenarios use each sender's address once for mail that gets an answer."""

    def __init__(self, scenario, sessions, received, logs):
        super().__init__(scenario, sessions, received, logs)
        self.letters = [raw for session in sessions for raw in session["transactions"]]
        self.rows = {}         # id(letter) -> its transaction in the truth

    def accepted_fate(self, raw):
        return raw["story"].get("fate", "delivered")

    def from_senders(self):
        for raw, row in zip(self.letters, super().from_senders(), strict=True):
            self.rows[id(raw)] = row
            yield row

    def letter_of(self, raw):
        """The letter that a server of ours passed on, or None. Refused before DATA it has no name, only an envelope."""
        addresses = {rcpt["address"] for rcpt in raw["rcpt_to"]}
        for letter in self.letters:
            passed_to = letter["story"].get("passed_to") in addresses and letter["mail_from"] == raw["mail_from"]
            if raw["message_id"]:
                passed_to = letter["message_id"] == raw["message_id"]
            if passed_to and letter["mail_time"] <= raw["mail_time"]:
                return letter
        return None

    def answered(self, raw):
        """The letter because of which a server made this mail or asked this question."""
        quoted = [letter for letter in self.letters if letter["message_id"] in raw["quotes"]]
        addresses = {rcpt["address"] for rcpt in raw["rcpt_to"]}
        domains = {address.rpartition("@")[2] for address in addresses}
        until = [letter for letter in self.letters if letter["story"].get("answers")
                 and letter["dest_ip"] == raw["src_ip"] and letter["mail_time"] <= raw["mail_time"]]
        waiting = [letter for letter in until if raw["mail_time"] <= letter["reply_time"]]
        for fits in (quoted, [letter for letter in until if letter["mail_from"] in addresses],
                     [letter for letter in waiting if letter["mail_from"].rpartition("@")[2] in domains]):
            if len(fits) == 1:
                return fits[0]
            if fits:
                raise Mismatch(f"{len(fits)} letters fit {raw}")
        raise Mismatch(f"nothing scripted caused {raw}")

    def kind_of_answer(self, raw, letter):
        kinds = letter["story"].get("answers", [])
        fits = [kind for kind in kinds if kind != "callout" or raw["data_end_time"] is None]
        if len(fits) != 1:
            raise Mismatch(f"answers {kinds} to {letter}, got {raw}")
        return fits[0]

    def root_causes(self, relay, letter):
        """What the next hop said to the recipients, or after DATA to all of them."""
        for raw in self.received:
            if (raw["src_ip"], raw["mail_from"]) != (relay, letter["mail_from"]) or raw["mail_time"] < letter["mail_time"]:
                continue
            for rcpt in raw["rcpt_to"]:
                reply = raw["final"] or "" if rcpt["reply"].startswith("2") else rcpt["reply"]
                if reply[:1] in ("4", "5"):
                    code, enhanced = code_of(reply)
                    yield {**{key: raw[key] for key in ("src_ip", "src_port", "dest_ip", "dest_port", "n")},
                           "rcpt_to": rcpt["address"], "code": code, "enhanced": enhanced, "reply": reply}

    def answer(self, raw):
        letter = self.answered(raw)
        row, story, kind = self.rows[id(letter)], letter["story"], self.kind_of_answer(raw, letter)
        outside = not any(rcpt["address"].rpartition("@")[2] in self.domains for rcpt in raw["rcpt_to"])
        keys = ("src_ip", "src_port", "dest_ip", "dest_port", "n", "mail_from", "message_id", "queue_id")
        rcpts = [rcpt["address"] for rcpt in row["rcpt_to"] if kind == "callout" or rcpt["code"] // 100 == 2]
        return {"kind": kind, "provenance": "generated", "finding": outside, "why": story["why"],
                "misdirected": "yes" if story["forged"] else "no",
                "exposure": "can-backscatter" if row["direction"] == "inbound" else "no",
                "cause": {**{key: row[key] for key in keys}, "rcpt_to": rcpts,
                          "delay_ms": round((raw["mail_time"] - letter["reply_time"]) * 1000, 3)},
                "root_cause": [] if kind == "callout" else list(self.root_causes(raw["src_ip"], letter))}

    def inner_hop(self, raw):
        """Between our servers: a letter handed on once it was taken, or a question about a recipient while one waits."""
        addresses = {rcpt["address"] for rcpt in raw["rcpt_to"]}
        for letter in self.letters:
            same = letter["dest_ip"] == raw["src_ip"] and letter["mail_from"] == raw["mail_from"]
            if (same and letter["queue_id"] and letter["data_time"] <= raw["mail_time"]
                    and addresses <= {rcpt["address"] for rcpt in letter["rcpt_to"]}):
                return {"kind": letter["story"].get("kind", "ordinary"), "why": "handed on by a server of ours"}
        return {"kind": "call-ahead", "why": "asks our own next hop about a recipient"}

    def from_sinks(self):
        seen = set()
        for raw in sorted(self.received, key=lambda raw: raw["mail_time"]):
            letter = self.letter_of(raw)
            if self.is_own(raw["dest_ip"]):
                verdict = self.inner_hop(raw)
            elif letter:
                verdict = {"kind": letter["story"].get("kind", "ordinary"), "why": letter["story"]["why"],
                           "provenance": "relayed-own" if self.is_own(letter["src_ip"]) else "forwarded"}
            else:
                verdict = self.answer(raw)
            result = self.transaction(raw, **verdict)
            if result["finding"]:   # attempts of one mail are one finding
                mail = (raw["src_ip"], result["kind"], result["cause"]["message_id"] or result["cause"]["mail_from"],
                        *sorted(rcpt["address"] for rcpt in raw["rcpt_to"]))
                result["finding"] = mail not in seen
                seen.add(mail)
            yield result

    def stayed_inside(self):
        return []


def build(name, scenario, sessions, received, logs):
    scripted = getattr(scenario, "TRUTH", "logs") == "scripts"
    no_mail = [raw for raw in received if not raw.pop("transaction", True)]
    received = [raw for raw in received if raw not in no_mail]
    builder = (ScriptedBuilder if scripted else Builder)(scenario, sessions, received, logs)
    transactions = [*builder.from_senders(), *([] if scripted else builder.from_logs()), *builder.from_sinks()]
    transactions.sort(key=lambda row: row["mail_time"])
    servers = [{"address": address, "software": logs[address]["software"], **words}
               for address, words in scenario.SERVERS.items()]
    return {"capture": f"{name}.pcap", "shows": scenario.__doc__.splitlines()[0], "own": scenario.OWN,
            "servers": servers, "transactions": transactions, "without_mail": no_mail,
            "stayed_inside": list(builder.stayed_inside())}


def to_text(truth):
    """JSON with a line for each key of each row: short enough to read, and a diff shows what changed."""
    def compact(value):
        return json.dumps(value, ensure_ascii=False)

    def block(value):
        if not (isinstance(value, list) and value and isinstance(value[0], dict)):
            return compact(value)
        rows = [",\n".join(f"   {compact(key)}: {compact(field)}" for key, field in row.items()) for row in value]
        return "[\n  {\n" + "\n  },\n  {\n".join(rows) + "\n  }\n ]"

    return "{\n" + ",\n".join(f" {compact(key)}: {block(value)}" for key, value in truth.items()) + "\n}\n"


def connections(pcap):
    """The 4-tuples of every SYN to a mail port, read straight from the file (Ethernet, IPv4)."""
    data = pcap.read_bytes()
    if data[:4] != b"\xd4\xc3\xb2\xa1" or struct.unpack("<I", data[20:24]) != (1,):
        raise Mismatch("not a little-endian Ethernet pcap")
    found, at = set(), 24
    while at < len(data):
        length = struct.unpack("<I", data[at + 8:at + 12])[0]
        frame = data[at + 16:at + 16 + length]
        at += 16 + length
        if frame[12:14] != b"\x08\x00" or frame[23] != 6:
            continue
        tcp = frame[14 + (frame[14] & 15) * 4:]
        src_port, dest_port = struct.unpack(">HH", tcp[:4])
        if tcp[13] & 0x12 == 2 and dest_port in MAIL_PORTS:
            src, dest = (str(ipaddress.ip_address(frame[field:field + 4])) for field in (26, 30))
            found.add((src, src_port, dest, dest_port))
    return found


def check(truth, pcap, scenario):
    """The three sources must agree, the servers get what the scenario says, and the scenario has its own wishes."""
    told = {(row["src_ip"], row["src_port"], row["dest_ip"], row["dest_port"])
            for row in truth["transactions"] + truth["without_mail"]}
    if told != (seen := connections(pcap)):
        raise Mismatch(f"only in the capture: {sorted(seen - told)}; only in the records: {sorted(told - seen)}")
    for server in truth["servers"]:
        guilty = any(row["src_ip"] == server["address"] and row["misdirected"] == "yes" for row in truth["transactions"])
        if guilty != any(server["lists"].values()):
            raise Mismatch(f"{server['address']} sent misdirected mail: {guilty}, expected otherwise")
    scenario.check(truth)
