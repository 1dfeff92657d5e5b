"""What can be understood in two ways in TCP and below: each case is a dialogue with the host of stack.py, told by what it does in between.

Where two texts compete they name LEFT and RIGHT: "RCPT TO:<left@...>" against "RCPT TO:<right@...>" with equal lengths, or 250 against 550.
The host shows which one counted. `agrees`: True, the sensor must come to the same; False, it cannot know and must say so; None, either.
"""

import struct
import time

from stack import ACK, CWR, ECE, FIN, PSH, RST, SYN, URG, Closed, Peer

LEFT, RIGHT = b"RCPT TO:<left@peer.example.net>\r\n", b"RCPT TO:<rght@peer.example.net>\r\n"
MAIL = b"MAIL FROM:<m@peer.example.org>"
MD5 = b"\x13\x12" + bytes(16) + b"\1\1"
SOURCE_ROUTE = b"\x83\x07\x04\xc0\x00\x02\x63\x00"

cases = []


def case(agrees=True, **how):
    """how: what the Peer is made with."""
    def note(function):
        cases.append((function.__name__.replace("_", " "), function, agrees, how))
        return function
    return note


def begin(p):
    p.open()
    p.hear(b"220")
    p.command(b"EHLO peer.example.org")
    p.command(MAIL)


def finish(p):
    """After the recipient: the mail, and the end."""
    p.command(b"DATA", b"354")
    p.command(b"Message-ID: <m@peer.example.org>\r\n\r\ntext\r\n.")
    p.command(b"QUIT", b"221")
    p.close()


def recipient(p, send):
    """A session in which the recipient is sent by send(p)."""
    begin(p)
    send(p)
    p.hear(b"250")
    finish(p)


# ---- overlaps ----

@case()
def the_same_segment_twice(p):
    def send(p):
        p.put(LEFT)
        p.say(LEFT)
    recipient(p, send)


@case(None)
def other_bytes_again_before_they_are_acknowledged(p):
    def send(p):
        p.put(LEFT)
        p.say(RIGHT)
    recipient(p, send)


@case()
def retransmission_with_more_data(p):
    def send(p):
        p.put(LEFT[:10])
        p.say(LEFT)
    recipient(p, send)


@case(False)
def retransmission_with_other_and_more_data(p):
    def send(p):
        p.put(LEFT[:14])
        p.say(RIGHT)
    recipient(p, send)


@case()
def segments_swapped(p):
    def send(p):
        p.put(LEFT[10:], at=10)
        p.put(LEFT[:10])
        p.sent += len(LEFT)
    recipient(p, send)


@case(False)
def held_bytes_sent_again_with_other_ones(p):
    def send(p):
        p.put(LEFT[9:], at=9)
        p.put(RIGHT[9:], at=9)
        p.put(LEFT[:9])
        p.sent += len(LEFT)
    recipient(p, send)


@case(False)
def held_bytes_covered_by_a_longer_segment(p):
    def send(p):
        p.put(LEFT[9:13], at=9)
        p.put(RIGHT[5:], at=5)
        p.put(LEFT[:5])
        p.sent += len(LEFT)
    recipient(p, send)


@case(False)
def held_bytes_sent_again_longer_from_the_same_place(p):
    def send(p):
        p.put(LEFT[9:13], at=9)
        p.put(RIGHT[9:], at=9)
        p.put(LEFT[:9])
        p.sent += len(LEFT)
    recipient(p, send)


@case(False)
def held_bytes_overlapped_in_front(p):
    def send(p):
        p.put(LEFT[11:], at=11)
        p.put(RIGHT[5:13], at=5)
        p.put(LEFT[:5])
        p.sent += len(LEFT)
    recipient(p, send)


@case(False)
def held_bytes_overlapped_behind(p):
    def send(p):
        p.put(LEFT[5:11], at=5)
        p.put(RIGHT[9:], at=9)
        p.put(LEFT[:5])
        p.sent += len(LEFT)
    recipient(p, send)


@case(False)
def held_bytes_overlapped_on_both_sides(p):
    def send(p):
        p.put(LEFT[9:11], at=9)
        p.put(LEFT[11:], at=11)
        p.put(RIGHT[5:20], at=5)
        p.put(LEFT[:5])
        p.sent += len(LEFT)
    recipient(p, send)


@case(False)
def hole_filled_with_a_segment_that_reaches_into_held_bytes(p):
    def send(p):
        p.put(LEFT[11:], at=11)
        p.put(RIGHT[:20])
        p.sent += len(LEFT)
    recipient(p, send)


@case(False)
def hole_filled_with_a_segment_that_covers_all(p):
    def send(p):
        p.put(LEFT[5:], at=5)
        p.put(RIGHT)
        p.sent += len(LEFT)
    recipient(p, send)


@case()
def old_bytes_with_other_ones_in_front_of_new(p):
    def send(p):
        p.put(b"X" * 20 + LEFT, at=-20)
        p.sent += len(LEFT)
    recipient(p, send)


@case()
def only_old_bytes_and_other_ones(p):
    def send(p):
        p.put(b"X" * 20, at=-20)
        p.quiet()
        p.say(LEFT)
    recipient(p, send)


@case()
def one_byte_a_segment(p):
    def send(p):
        for i in range(len(LEFT)):
            p.say(LEFT[i:i + 1])
    recipient(p, send)


@case()
def one_byte_a_segment_backwards(p):
    def send(p):
        for i in reversed(range(len(LEFT))):
            p.put(LEFT[i:i + 1], at=i)
        p.sent += len(LEFT)
    recipient(p, send)


@case()
def keep_alive_without_data(p):
    def send(p):
        p.put(at=-1, flags=ACK)
        p.quiet()
        p.say(LEFT)
    recipient(p, send)


@case()
def keep_alive_with_a_byte(p):
    def send(p):
        p.put(b"\0", at=-1, flags=ACK)
        p.quiet()
        p.say(LEFT)
    recipient(p, send)


@case(isn=0xFFFFFFF0)
def numbers_that_wrap(p):
    recipient(p, lambda p: p.say(LEFT))


@case(False, isn=0xFFFFFFFF - 60)
def numbers_that_wrap_inside_an_overlap(p):
    def send(p):
        p.put(LEFT[9:], at=9)
        p.put(RIGHT[5:], at=5)
        p.put(LEFT[:5])
        p.sent += len(LEFT)
    recipient(p, send)


# ---- segments that the host does not take, and then others in their place ----

def old_clock(p):
    return {"options": p.options(clock=10)}


UNTAKEN = {
    "with a wrong TCP checksum": lambda p: {"wrong": True},
    "with a wrong IP checksum": lambda p: {"ip": {"wrong": True}},
    "with a TTL that ends before the host": lambda p: {"ip": {"ttl": 1}},
    "without the ACK flag": lambda p: {"flags": PSH},
    "without any flag": lambda p: {"flags": 0},
    "that acknowledges what was never sent": lambda p: {"ack": p.heard + 5000},
    "that acknowledges what is long past": lambda p: {"ack": p.heard - 200_000},
    "with an old timestamp": old_clock,
    "with an MD5 signature": lambda p: {"options": MD5},
    "with a source route": lambda p: {"ip": {"options": SOURCE_ROUTE}},
    "with a header shorter than itself": lambda p: {"offset": 4},
    "with a header longer than the segment": lambda p: {"offset": 15},
    "with SYN": lambda p: {"flags": SYN | ACK | PSH, "at": -1},
    "with RST far away": lambda p: {"flags": RST | ACK, "at": 1 << 28},
    "out of the window": lambda p: {"at": 1 << 20},
}


def untaken(name, how, fake, real):
    def play(p):
        def send(p):
            p.put(fake, **how(p))
            p.quiet()
            p.say(real)
        recipient(p, send)
    play.__name__ = name
    case(None, timestamps="timestamp" in name)(play)


for _name, _how in UNTAKEN.items():
    untaken("bytes " + _name + ", then others", _how, LEFT, RIGHT)
for _name in ("with a wrong TCP checksum", "with a TTL that ends before the host", "without the ACK flag"):
    untaken("bytes " + _name + ", then fewer", UNTAKEN[_name], LEFT + LEFT, RIGHT)
    untaken("bytes " + _name + ", then more", UNTAKEN[_name], LEFT[:12], RIGHT)
    untaken("commands " + _name + " behind true ones", UNTAKEN[_name], RIGHT + b"DATA\r\nx\r\n.\r\n", RIGHT)


# ---- flags and options ----

@case(False)
def urgent_byte(p):
    def send(p):
        p.say(b"RCPT TO:<aleft@peer.example.net>\r\n", flags=ACK | PSH | URG, urgent=10)
    recipient(p, send)


@case()
def urgent_pointer_without_the_flag(p):
    recipient(p, lambda p: p.say(LEFT, urgent=10))


@case(False)
def urgent_pointer_beyond_the_segment(p):
    def send(p):
        p.say(LEFT[:10], flags=ACK | PSH | URG, urgent=12)
        p.quiet()
        p.say(LEFT[10:])
    begin(p)
    send(p)
    try:
        p.hear(b"250")
        finish(p)
    except TimeoutError:
        p.close()


@case()
def reserved_bits_and_congestion_flags(p):
    recipient(p, lambda p: p.say(LEFT, flags=ACK | PSH | ECE | CWR, reserved=0xE))


@case()
def no_push_flag(p):
    recipient(p, lambda p: p.say(LEFT, flags=ACK))


@case()
def option_of_length_zero(p):
    recipient(p, lambda p: p.say(LEFT, options=b"\x09\x00\x01\x01"))


@case()
def option_longer_than_the_header(p):
    recipient(p, lambda p: p.say(LEFT, options=b"\x09\x20\x01\x01"))


@case()
def forty_bytes_of_options(p):
    recipient(p, lambda p: p.say(LEFT, options=b"\1" * 40))


@case()
def options_of_ip(p):
    recipient(p, lambda p: p.say(LEFT, ip={"options": b"\1\1\1\1"}))


@case()
def window_of_zero(p):
    def send(p):
        p.put(flags=ACK, window=0)
        p.quiet()
        p.say(LEFT)
        p.quiet()
        p.put(flags=ACK)
    recipient(p, send)


# ---- SYN ----

@case()
def data_in_the_syn_and_others_behind_it(p):
    p.put(flags=SYN, ack=0, data=b"EHLO left\r\n")
    p.listen(0.5, lambda flags: flags & SYN)
    p.sent += 1
    p.put(flags=ACK)
    p.hear(b"220")
    p.command(b"EHLO rght")
    p.command(MAIL)
    p.command(LEFT.strip())
    finish(p)


@case()
def data_in_the_syn_and_the_same_behind_it(p):
    p.put(flags=SYN, ack=0, data=b"EHLO left\r\n")
    p.listen(0.5, lambda flags: flags & SYN)
    p.sent += 1
    p.put(flags=ACK)
    p.hear(b"220")
    p.command(b"EHLO left")
    p.command(MAIL)
    p.command(LEFT.strip())
    finish(p)


@case()
def data_in_a_syn_with_a_fast_open_cookie(p):
    p.put(flags=SYN, ack=0, data=b"EHLO left\r\n", options=b"\x22\x0a" + bytes(range(8)))
    p.listen(0.5, lambda flags: flags & SYN)
    p.sent += 1
    p.put(flags=ACK)
    p.hear(b"220")
    p.command(b"EHLO rght")
    p.command(MAIL)
    p.command(LEFT.strip())
    finish(p)


@case()
def the_same_syn_twice(p):
    p.put(flags=SYN, ack=0)
    p.quiet()
    p.open()
    p.hear(b"220")
    p.command(b"EHLO peer.example.org")
    p.command(MAIL)
    p.command(LEFT.strip())
    finish(p)


@case()
def syn_with_another_number_before_the_handshake_ends(p):
    p.put(flags=SYN, ack=0)
    p.listen(0.5, lambda flags: flags & SYN)
    p.put(at=5_000_000, flags=SYN, ack=0)
    p.quiet()
    p.sent += 1
    p.put(flags=ACK)
    p.hear(b"220")
    p.command(b"EHLO peer.example.org")
    p.command(MAIL)
    p.command(LEFT.strip())
    finish(p)


@case()
def syn_in_an_open_connection(p):
    def send(p):
        p.put(at=7_000_000, flags=SYN, ack=0)
        p.quiet()
        p.say(LEFT)
    recipient(p, send)


@case()
def syn_inside_the_window_of_an_open_connection(p):
    def send(p):
        p.put(at=100, flags=SYN, ack=0)
        p.quiet()
        p.say(LEFT)
    recipient(p, send)


@case()
def syn_with_fin(p):
    p.put(flags=SYN | FIN, ack=0)
    p.quiet()
    p.open()
    p.hear(b"220")
    p.command(b"EHLO peer.example.org")
    p.command(MAIL)
    p.command(LEFT.strip())
    finish(p)


@case(False)
def half_open_and_begun_again(p):
    """We have forgotten the connection: a new SYN, the challenge, our RST, the SYN again."""
    begin(p)
    p.say(LEFT)
    p.hear(b"250")
    old, p.sent = p.sent, p.sent + 9_000_000
    p.put(flags=SYN, ack=0)
    p.listen(0.2)
    old_heard = p.heard
    p.put(flags=RST, at=old_heard - p.sent, ack=0)    # not where it stands: obeyed by nobody
    new, p.sent = p.sent, old
    p.put(flags=RST, ack=0)
    p.quiet()
    p.sent = new
    p.open()
    p.hear(b"220")
    p.command(b"EHLO again.example.org")
    p.command(MAIL)
    p.command(RIGHT.strip())
    finish(p)


@case()
def ports_used_again_after_an_end(p):
    recipient(p, lambda p: p.say(LEFT))
    time.sleep(0.05)
    p.sent += 3_000_000
    p.text = b""
    recipient(p, lambda p: p.say(RIGHT))


# ---- FIN and RST ----

@case()
def fin_with_data(p):
    begin(p)
    p.command(LEFT.strip())
    p.command(b"DATA", b"354")
    p.command(b"Message-ID: <m@peer.example.org>\r\n\r\ntext\r\n.")
    p.say(b"QUIT\r\n", flags=FIN | ACK | PSH)
    p.sent += 1
    p.hear(b"221")


@case()
def fin_before_the_data_in_front_of_it(p):
    begin(p)
    p.command(LEFT.strip())
    p.put(at=6, flags=FIN | ACK)
    p.quiet()
    p.say(b"QUIT\r\n")
    p.sent += 1
    p.hear(b"221")


@case(False)
def data_behind_a_fin(p):
    begin(p)
    p.say(b"", flags=FIN | ACK)
    p.sent += 1
    p.quiet()
    try:
        p.say(LEFT)
        p.quiet()
    except Closed:
        pass


@case(False)
def data_in_place_of_a_fin(p):
    begin(p)
    p.put(flags=FIN | ACK)
    p.quiet()
    try:
        p.say(LEFT)
        p.quiet()
    except Closed:
        pass


def untaken_fin(name, how):
    def play(p):
        def send(p):
            p.put(**{"flags": FIN | ACK, **how(p)})
            p.quiet()
            p.say(LEFT)
        recipient(p, send)
    play.__name__ = name
    case(None, timestamps="timestamp" in name)(play)


untaken_fin("FIN with a wrong TCP checksum", lambda p: {"wrong": True})
untaken_fin("FIN with a TTL that ends before the host", lambda p: {"ip": {"ttl": 1}})
untaken_fin("FIN without the ACK flag", lambda p: {"flags": FIN})
untaken_fin("FIN out of the window", lambda p: {"at": 1 << 20})
untaken_fin("FIN with an old timestamp", old_clock)
untaken_fin("RST with a wrong TCP checksum", lambda p: {"flags": RST | ACK, "wrong": True})
untaken_fin("RST with a TTL that ends before the host", lambda p: {"flags": RST | ACK, "ip": {"ttl": 1}})
untaken_fin("RST inside the window, not where the host stands", lambda p: {"flags": RST | ACK, "at": 100})
untaken_fin("RST out of the window", lambda p: {"flags": RST | ACK, "at": 1 << 24})
untaken_fin("RST with old bytes' number", lambda p: {"flags": RST | ACK, "at": -10})


@case(False)
def rst_where_the_host_stands(p):
    begin(p)
    p.command(LEFT.strip())
    p.put(flags=RST | ACK)
    p.quiet()
    try:
        p.say(b"DATA\r\n")
        p.quiet()
    except Closed:
        pass


@case()
def rst_without_the_ack_flag_where_the_host_stands(p):
    begin(p)
    p.command(LEFT.strip())
    p.put(flags=RST, ack=0)
    p.quiet()


@case(False)
def rst_and_more_behind_it(p):
    """The host is gone; what a sensor sees then is said to nobody."""
    begin(p)
    p.command(LEFT.strip())
    p.put(flags=RST | ACK)
    p.quiet()
    for line in (b"DATA\r\n", b"Message-ID: <m@peer.example.org>\r\n\r\n.\r\n"):
        try:
            p.say(line)
            p.quiet()
        except Closed:
            pass


@case(False)
def hole_that_is_never_filled(p):
    begin(p)
    p.put(RIGHT, at=len(LEFT))
    p.quiet()
    p.put(flags=RST | ACK)


# ---- IP fragments ----

@case()
def fragments_in_order(p):
    def send(p):
        p.fragments([(0, 24), (24, 40), (40, 20 + len(LEFT))], LEFT)
        p.sent += len(LEFT)
    recipient(p, send)


@case()
def fragments_backwards(p):
    def send(p):
        p.fragments([(40, 20 + len(LEFT)), (24, 40), (0, 24)], LEFT)
        p.sent += len(LEFT)
    recipient(p, send)


@case()
def fragment_twice(p):
    def send(p):
        p.fragments([(0, 24), (24, 40), (24, 40), (40, 20 + len(LEFT))], LEFT)
        p.sent += len(LEFT)
    recipient(p, send)


@case()
def fragments_that_overlap_and_differ_then_the_segment(p):
    def send(p):
        p.fragments([(0, 24), (24, 40), (24, 40, b"X" * 16), (40, 20 + len(LEFT))], LEFT)
        p.quiet()
        p.say(RIGHT)
    recipient(p, send)


@case(False)
def fragments_that_overlap_in_part_then_the_segment(p):
    def send(p):
        p.fragments([(0, 32), (24, 40), (40, 20 + len(LEFT))], LEFT)
        p.quiet()
        p.say(RIGHT)
    recipient(p, send)


@case()
def fragment_that_never_comes_then_the_segment(p):
    def send(p):
        p.fragments([(0, 24), (40, 20 + len(LEFT))], LEFT)
        p.quiet()
        p.say(RIGHT)
    recipient(p, send)


# ---- the host as client: which reply did it read? ----

GOOD, BAD = b"250 2.0.0 Ok: queued as 4AB3C\r\n", b"550 5.7.1 refused by policy..\r\n"
REPLIES = (b"220 peer.example.net ESMTP\r\n", b"250 peer.example.net\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go on\r\n")


def answer(p, fake=None, how=None, real=BAD, handshake=None):
    """The host sends a mail; the reply to its end is `real`, and something else before it."""
    p.here, p.there, p.client = 25, 30000 + p.number, False
    p.wire.host.connect(p.there)
    p.accept()
    if handshake:
        handshake(p)
    else:
        p.put(flags=SYN | ACK, options=p.options() or b"\2\4\5\xb4")
        p.sent += 1
        p.listen(0.5, lambda flags: flags & ACK)
    for i, reply in enumerate(REPLIES):
        p.say(reply)
        p.text = b""
        p.listen(1, lambda flags, last=i == len(REPLIES) - 1: (b"\n.\r\n" if last else b"\n") in p.text)
    if fake:
        p.put(fake, **how(p))
        p.quiet()
    p.say(real)
    p.text = b""
    p.listen(1, lambda flags: b"QUIT" in p.text)
    p.say(b"221 bye\r\n")
    p.close()


def reply_case(name, how, fake=GOOD, real=BAD):
    def play(p):
        answer(p, fake, how, real)
    play.__name__ = name
    case(None, timestamps="timestamp" in name)(play)


for _name in ("with a wrong TCP checksum", "with a TTL that ends before the host", "without the ACK flag", "that acknowledges what was never sent",
              "with an old timestamp", "with an MD5 signature"):
    reply_case("reply " + _name + ", then another", UNTAKEN[_name])
reply_case("reply, then another in its place", lambda p: {}, GOOD, BAD)
reply_case("refusal with a wrong TCP checksum, then a reply", UNTAKEN["with a wrong TCP checksum"], BAD, GOOD)


@case()
def host_as_client(p):
    answer(p, real=GOOD)


@case()
def second_syn_ack_with_another_number(p):
    def handshake(p):
        p.put(flags=SYN | ACK)
        p.put(at=6_000_000, flags=SYN | ACK)
        p.sent += 1
        p.quiet()
    answer(p, handshake=handshake)


@case(False)
def syn_ack_that_acknowledges_something_else_first(p):
    def handshake(p):
        p.put(at=6_000_000, flags=SYN | ACK, ack=p.heard + 1000)
        try:
            p.quiet()
        except Closed:    # RFC 9293 3.10.7.3: that one is answered with RST
            pass
        p.put(flags=SYN | ACK)
        p.sent += 1
        p.quiet()
    answer(p, handshake=handshake)


@case()
def simultaneous_open(p):
    def handshake(p):
        p.put(flags=SYN, ack=0)
        p.quiet()
        p.sent += 1
        p.put(flags=ACK)
        p.quiet()
    answer(p, handshake=handshake)


@case(None)
def data_in_the_syn_ack(p):
    def handshake(p):
        p.put(REPLIES[0][:9], flags=SYN | ACK)
        p.sent += 1
        p.quiet()
    answer(p, handshake=handshake)


@case()
def rst_before_the_syn_ack_with_a_wrong_number(p):
    def handshake(p):
        p.put(flags=RST | ACK, ack=p.heard + 77)
        p.quiet()
        p.put(flags=SYN | ACK)
        p.sent += 1
        p.quiet()
    answer(p, handshake=handshake)
