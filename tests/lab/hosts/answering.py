"""A program that answers mail, as many do: answering.py HOW ADDRESS, the mail on standard input; runs on a real server as a user's mailbox.

What each writes follows programs of its kind: headers, markers and words, not their code. The sender's address is believed.
"""

import email
import email.utils
import os
import subprocess
import sys

HEAD = "From: {who}\nTo: {to}\nDate: {date}\nMIME-Version: 1.0\n"
PLAIN = "Content-Type: text/plain; charset=utf-8\n\n"
ANSWERS = {   # HOW: (envelope sender: null or own, text)
    "receipt": ("<>", """\
Subject: Read: {subject}
In-Reply-To: {id}
References: {id}
Content-Type: multipart/report; report-type=disposition-notification; boundary="lab"

--lab
Content-Type: text/plain

Your message to {address} was displayed on {date}.
This is no guarantee that it was understood.

--lab
Content-Type: message/disposition-notification

Reporting-UA: desk.campus.example; Mail 4.1
Final-Recipient: rfc822;{address}
Original-Message-ID: {id}
Disposition: automatic-action/MDN-sent-automatically; displayed

--lab--
"""),
    "challenge": ("<>", """\
Subject: Please confirm your message
In-Reply-To: {id}
Auto-Submitted: auto-replied
Precedence: bulk
X-Delivery-Agent: TMDA/1.1.12 (Macallan)
Reply-To: campus-confirm+1795330000.4711.a1b2c3@campus.example
""" + PLAIN + """\
This message was created automatically by mail delivery software (TMDA).

Your message to {address} is being held because your address was not recognized.
To release it, please reply to this message. You only have to do so once.
"""),
    "boxtrapper": ("own", """\
Subject: Your email requires verification verify#kJ2mQ7x
X-Boxtrapper: kJ2mQ7x
In-Reply-To: {id}
Precedence: auto_reply
""" + PLAIN + """\
The message you sent requires that you verify that you are a real live human being and not a spam source.
To complete this verification, simply reply to this message and leave the subject line intact.
"""),
    "osticket": ("own", """\
Subject: Support Ticket Opened [#482913]
X-Auto-Response-Suppress: DR, RN, OOF, AutoReply
X-Autoreply: yes
Auto-Submitted: auto-replied
In-Reply-To: {id}
X-Mailer: osTicket Mailer
""" + PLAIN + """\
A request for support has been created and assigned #482913. A representative will follow-up with you as soon as possible.
"""),
    "rt": ("<>", """\
Subject: [campus.example #1482] AutoReply: {subject}
RT-Ticket: campus.example #1482
Managed-BY: RT 5.0.3 (http://www.bestpractical.com/rt/)
RT-Originator: {to}
Auto-Submitted: auto-replied
Precedence: bulk
X-RT-Loop-Prevention: campus.example
In-Reply-To: {id}
""" + PLAIN + """\
Greetings,

This message has been automatically generated in response to the creation of a trouble ticket regarding "{subject}".
There is no need to reply to this message right now. Your ticket has been assigned an ID of [campus.example #1482].
"""),
    "otrs": ("own", """\
Subject: [Ticket#2026112210000017] RE: {subject}
X-Mailer: OTRS Mail Service (6.0.36)
X-Powered-By: OTRS (https://otrs.com/)
X-OTRS-Loop: yes
Precedence: bulk
Auto-Submitted: auto-generated
In-Reply-To: {id}
""" + PLAIN + """\
This is a demo text which is send to every inquiry.
Your request has been registered under the number 2026112210000017.
"""),
    "quarantine": ("own", """\
Subject: Message you sent blocked by our bulk email filter
""" + PLAIN + """\
Your message to: {address}
was blocked by our Spam Firewall. The email you sent with the following subject has NOT BEEN DELIVERED:

Subject: {subject}
"""),
    "scanner": ("<>", """\
Subject: Warning: E-mail viruses detected
Auto-Submitted: auto-generated
X-Campus-MailScanner: generated
""" + PLAIN + """\
Our virus detector has just been triggered by a message you sent:-
  To: {address}
  Subject: {subject}
Any infected parts of the message (invoice.exe) have not been delivered.
"""),
    "oof": ("<>", """\
Subject: Automatic reply: {subject}
In-Reply-To: {id}
References: {id}
Auto-Submitted: auto-generated
X-Auto-Response-Suppress: All
X-MS-Exchange-Inbox-Rules-Loop: {address}
X-MS-Exchange-Parent-Message-Id: {id}
""" + PLAIN + """\
I am travelling this week and will be slow to answer.
"""),
    "qmail": ("<>", """\
Subject: failure notice

Hi. This is the qmail-send program at mail.campus.example.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<{address}>:
Sorry, no mailbox here by that name. (#5.1.1)

--- Below this line is a copy of the message.

Return-Path: <{to}>
"""),
    "daemon": ("own", """\
Subject: DELIVERY FAILURE: User {address} not listed in Domino Directory
X-Mailer: Lotus Notes SMTP MTA
""" + PLAIN + """\
Your message

  Subject: {subject}

was not delivered to:

  {address}

because:

  User {address} not listed in Domino Directory
"""),
}


def main():
    how, address = sys.argv[1:]
    data = sys.stdin.read()
    mail = email.message_from_string(data)
    sender = os.environ["SENDER"]
    if not sender or (mail["Auto-Submitted"] or "no").lower() != "no":
        return
    envelope, text = ANSWERS[how]
    who = {"daemon": "MAILER-DAEMON@campus.example", "qmail": "MAILER-DAEMON@mail.campus.example"}.get(how, address)
    answer = (HEAD + text).format(who=who, to=sender, date=email.utils.formatdate(), id=mail["Message-ID"], subject=mail["Subject"], address=address)
    if how == "qmail":
        answer += data
    subprocess.run(["/usr/sbin/sendmail", "-i", "-f", "" if envelope == "<>" else who, sender], input=answer, text=True, check=True)


if __name__ == "__main__":
    main()
