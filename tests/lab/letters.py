"""What the scripted senders write."""

import time

PITCH = """\
Dear customer,

our warehouse is closing and everything must go. Answer within 48 hours and
the first order is free of charge. No risk, no obligation.

To be taken off this list answer with the word remove.
"""
NOTE = """\
Good morning,

please find the minutes of the meeting below. The next one is on the first
Monday of the month, same room, same time.

.. and bring the key, please.

Kind regards
"""
NOTICE = """\
From: MAILER-DAEMON@mail.partner.example
To: {to}
Subject: Undelivered Mail Returned to Sender
Date: {date}
Message-ID: {message_id}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="lab"

--lab
Content-Type: text/plain; charset=us-ascii

Your message could not be delivered.

--lab
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.partner.example

Final-Recipient: rfc822; former@partner.example
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 user unknown

--lab
Content-Type: text/rfc822-headers

From: {to}
To: former@partner.example
Subject: minutes

--lab--
"""


def date():
    return time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime())


class Post:
    """Letters with running numbers as Message-IDs, so that each is known again wherever it turns up."""

    def __init__(self):
        self.count = 0

    def message_id(self, host):
        """Its form is what hosts/describe.py looks for."""
        self.count += 1
        return f"<lab.{self.count:02}.{int(time.time())}@{host}>"

    def letter(self, story, sender, recipients, subject, body, host, headers="", **parameters):
        """headers: more lines of them; parameters: "params" and "rcpt_params" of hosts/sender.py."""
        text = (f"From: {sender}\nTo: {', '.join(recipients)}\nSubject: {subject}\nDate: {date()}\n"
                f"Message-ID: {self.message_id(host)}\n{headers}MIME-Version: 1.0\n"
                f"Content-Type: text/plain; charset={'us-ascii' if body.isascii() else 'utf-8'}\n\n{body}")
        return {"mail_from": sender, "rcpt_to": recipients, "text": text, "story": story, **parameters}

    def notice(self, story, recipient, about=None):
        """about: whose mail it returns, when not the recipient's."""
        text = NOTICE.format(to=about or recipient, date=date(), message_id=self.message_id("mail.partner.example"))
        return {"mail_from": "", "rcpt_to": [recipient], "text": text, "story": story, "params": f"SIZE={len(text)}"}
