"""What senders and sinks write down about a message, by Python's email package: names, headers, report."""

import email
import re

LETTERS = re.compile(rb"<lab\.[^>\s]+>")   # Message-IDs of scripted senders
QMAIL = "--- Below this line is a copy of the message.\n"   # the separator of qmail's bounces, which are plain text
HEADERS = ("From", "Reply-To", "Subject", "In-Reply-To", "References", "Auto-Submitted", "List-Id")


def line(value):
    """A header value on one line, every run of blanks one blank."""
    return None if value is None else " ".join(str(value).split())


def header(message, name):
    """The value as it stands on the wire; Python's own would be another where bytes are not ASCII."""
    raw = next((value for key, value in message.raw_items() if key.lower() == name.lower()), None)
    return raw and line(raw.encode("ascii", "surrogateescape").decode("utf-8", "replace"))


def of_type(value):
    """"rfc822; a@b.example" -> "a@b.example"."""
    return None if value is None else line(str(value).partition(";")[2])


def groups_of(part):
    """The groups of fields of a message/delivery-status part, empty ones left out."""
    return [group for group in part.get_payload() if group.keys()]


def report(message):
    found = {"reporting_mta": None, "recipients": [], "returned": None}
    for part in message.walk():
        kind = part.get_content_type()
        if kind == "message/delivery-status":
            about, *recipients = groups_of(part)
            if about["Final-Recipient"]:   # dovecot-lda has no blank line between the two
                recipients.insert(0, about)
            found["reporting_mta"] = of_type(about["Reporting-MTA"])
            found["recipients"] = [
                {"final": of_type(group["Final-Recipient"]), "original": of_type(group["Original-Recipient"]),
                 "action": line(group["Action"]), "status": line(group["Status"]),
                 "diagnostic": of_type(group["Diagnostic-Code"])} for group in recipients]
        elif kind == "message/disposition-notification":
            found["reporting_mta"] = line(groups_of(part)[0]["Reporting-UA"])
            found["recipients"] = [{"final": of_type(group["Final-Recipient"]), "disposition": line(group["Disposition"])}
                                   for group in groups_of(part)]
        elif kind in ("message/rfc822", "text/rfc822-headers") and part is not message and found["returned"] is None:
            inner = part.get_payload(0) if kind == "message/rfc822" else email.message_from_string(part.get_payload())
            found["returned"] = {"message_id": header(inner, "Message-ID"), "from": header(inner, "From")}
        elif kind == "text/plain" and QMAIL in (text := str(part.get_payload())):
            inner = email.message_from_string(text.partition(QMAIL)[2].lstrip("\n"))
            found["returned"] = {"message_id": header(inner, "Message-ID"), "from": header(inner, "From")}
    return found if found["recipients"] or message.get_content_type() == "text/plain" and found["returned"] else None


def message(data):
    """data: the message as bytes, dots of the transport removed or not."""
    parsed = email.message_from_bytes(data.replace(b"\r\n", b"\n"))
    headers = {name.lower().replace("-", "_"): header(parsed, name) for name in HEADERS if parsed[name] is not None}
    return {"message_id": header(parsed, "Message-ID"), "headers": headers, "report": report(parsed),
            "quotes": sorted({name.decode() for name in LETTERS.findall(data)})}
