#!/usr/bin/env python3
"""Another view of the traffic in a capture: wrapped, cut into other pieces, in another order, with parts missing.

    tests/rewrap.py [--seed N] VIEW IN.pcap OUT       --list names the views

IN is a classic pcap of Ethernet, microseconds, as tcpdump writes it on Linux. Nothing of the dialogue changes but what the view is about;
checksums of TCP are not made anew (the sensor does not look at them). The same seed gives the same file. tests/check_views says what the
sensor must make of each view.
"""
import argparse
import collections
import random
import re
import struct
import sys

MAIL_PORTS = (25, 465, 587, 2525, 24)
ETHERNET, RAW, NULL, SLL, LOOP, SLL2 = 1, 101, 0, 113, 108, 276
V4_IN_V6 = bytes.fromhex("20010db8b7a600000000ffff")     # the mapped addresses: 2001:db8:b7a6:0:0:ffff:a.b.c.d

Frame = collections.namedtuple("Frame", "time data wire")   # microseconds; captured bytes; bytes on the wire
Capture = collections.namedtuple("Capture", "frames linktype")


def read(path):
    with open(path, "rb") as f:
        data = f.read()
    magic, linktype = struct.unpack_from("<I16xI", data)
    if (magic, linktype) != (0xa1b2c3d4, ETHERNET):
        raise ValueError("%s: not a little-endian pcap of Ethernet in microseconds" % path)
    frames, at = [], 24
    while at < len(data):
        seconds, us, captured, wire = struct.unpack_from("<4I", data, at)
        frames.append(Frame(seconds * 1000000 + us, data[at + 16:at + 16 + captured], wire))
        at += 16 + captured
    return Capture(frames, linktype)


# ---- packets of IP in Ethernet ----

def ip_at(frame):
    """Version of the IP packet behind the Ethernet header, 0 for none."""
    return {b"\x08\x00": 4, b"\x86\xdd": 6}.get(frame.data[12:14], 0)


Segment = collections.namedtuple("Segment", "ethernet ip tcp payload")  # headers and bytes


def segment_of(frame):
    """The TCP segment in a frame, None for anything else."""
    version = ip_at(frame)
    if version == 4:
        header, end, protocol = (frame.data[14] & 15) * 4, struct.unpack_from(">H", frame.data, 16)[0], frame.data[23]
    elif version == 6:
        header, end, protocol = 40, struct.unpack_from(">H", frame.data, 18)[0] + 40, frame.data[20]
    if not version or protocol != 6:
        return None
    ip, rest = frame.data[14:14 + header], frame.data[14 + header:14 + end]
    options = (rest[12] >> 4) * 4
    return Segment(frame.data[:14], ip, rest[:options], rest[options:])


def ports_of(frame):
    s = segment_of(frame)
    return struct.unpack_from(">HH", s.tcp) if s else (0, 0)


def checksum(header):
    total = sum(struct.unpack(">%dH" % (len(header) // 2), header))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ip4_header(header, length, put=()):
    """The header with another length and checksum, and what else is to be put where."""
    h = bytearray(header)
    for at, value in ((2, length), *put, (10, 0)):
        struct.pack_into(">H", h, at, value)
    struct.pack_into(">H", h, 10, checksum(bytes(h)))
    return bytes(h)


def with_length(ip, length):
    """The IP header for `length` bytes behind it."""
    if ip[0] >> 4 == 4:
        return ip4_header(ip, len(ip) + length)
    return ip[:4] + struct.pack(">H", length) + ip[6:]


def framed(frame, data):
    return Frame(frame.time, data, len(data))


# ---- encapsulations: each takes an Ethernet frame or an IP packet (bytes) and gives one or the other ----

def version_of(packet):
    return packet[0] >> 4


def ethertype_of(packet):
    return b"\x08\x00" if version_of(packet) == 4 else b"\x86\xdd"


def goes_up(packet):
    """One of the two directions, so that a tunnel has two ends."""
    return packet[12:16] < packet[16:20] if version_of(packet) == 4 else packet[8:24] < packet[24:40]


MACS = (bytes.fromhex("020000000a01"), bytes.fromhex("020000000a02"))
TUNNEL = tuple(bytes((203, 0, 113, n)) for n in (1, 2))
SWITCHES = tuple(bytes((203, 0, 113, n)) for n in (10, 11))
COLLECTOR = bytes((203, 0, 113, 99))


def ethernet(ethertype, data):
    return MACS[0] + MACS[1] + ethertype + data


def outer_ip4(protocol, data, source, destination):
    header = struct.pack(">BBHHHBBH", 0x45, 0, 0, 0, 0x4000, 64, protocol, 0) + source + destination
    return ip4_header(header, 20 + len(data)) + data


def tunnel4(protocol, data, up):
    return outer_ip4(protocol, data, TUNNEL[not up], TUNNEL[up])


def tunnel6(protocol, data, up):
    ends = [bytes.fromhex("20010db8000000000000000000000e0%d" % i) for i in ((1, 2) if up else (2, 1))]
    return struct.pack(">IHBB", 0x60000000, len(data), protocol, 64) + ends[0] + ends[1] + data


def udp(port, data):
    return struct.pack(">HHHH", 49152 + sum(data[:40]) % 16384, port, 8 + len(data), 0) + data


def inner_up(frame):
    """Of a frame: the direction of the IP packet somewhere in it."""
    at = frame.find(b"\x08\x00\x45", 12)
    return goes_up(frame[at + 2:]) if at >= 0 else goes_up(frame[frame.index(b"\x86\xdd\x60", 12) + 2:])


def vlan(tag_type, number):
    return lambda frame: frame[:12] + struct.pack(">HH", tag_type, number) + frame[12:]


def mpls(labels):
    stack = b"".join(struct.pack(">I", (1000 + i) << 12 | (i == labels - 1) << 8 | 64) for i in range(labels))
    return lambda data: ethernet(b"\x88\x47", stack + data)


def pppoe(packet):
    protocol = b"\0\x21" if version_of(packet) == 4 else b"\0\x57"
    return ethernet(b"\x88\x64", b"\x11\0\0\7" + struct.pack(">H", len(packet) + 2) + protocol + packet)


def gre(packet):
    return tunnel4(47, b"\0\0" + ethertype_of(packet) + packet, goes_up(packet))


def gre_in_ip6(packet):
    """With checksum, key and sequence number."""
    return tunnel6(47, b"\xb0\0" + ethertype_of(packet) + b"\0\0\0\0" + b"\0\0\0\7" + b"\0\0\0\1" + packet, goes_up(packet))


def span(data, switch=0):
    """From a switch to the collector: both directions go the same way."""
    return outer_ip4(47, data, SWITCHES[switch], COLLECTOR)


def erspan1(frame):
    return span(b"\0\0\x88\xbe" + frame)


def erspan2(frame, switch=0):
    return span(b"\x10\0\x88\xbe" + b"\0\0\0\1" + b"\x10\5\x18\1\0\0\0\0" + frame, switch)


def erspan2_two_switches(frame):
    """Each direction is mirrored by another switch."""
    return erspan2(frame, inner_up(frame))


def erspan3(frame):
    """With the subheader of a platform."""
    return span(b"\x10\0\x22\xeb" + b"\0\0\0\1" + b"\x20\5\x18\1\0\0\0\0\0\0\0\1" + b"\0" * 8 + frame)


def vxlan(frame):
    return tunnel4(17, udp(4789, b"\x08\0\0\0\0\0\x64\0" + frame), inner_up(frame))


def geneve(packet):
    """With 8 bytes of options."""
    return tunnel6(17, udp(6081, b"\2\0" + ethertype_of(packet) + b"\0\0\x64\0" + b"\1\1\0\1\0\0\0\0" + packet), goes_up(packet))


def ip_in_ip4(packet):
    return tunnel4(4 if version_of(packet) == 4 else 41, packet, goes_up(packet))


def ip_in_ip6(packet):
    return tunnel6(4 if version_of(packet) == 4 else 41, packet, goes_up(packet))


# takes, gives, how
WRAPPERS = {
    "vlan": ("frame", "frame", vlan(0x8100, 5)),
    "service-vlan": ("frame", "frame", vlan(0x88a8, 6)),
    "mpls": ("ip", "frame", mpls(2)),
    "pseudowire": ("frame", "frame", mpls(3)),
    "pppoe": ("ip", "frame", pppoe),
    "gre": ("ip", "ip", gre),
    "gre-in-ip6": ("ip", "ip", gre_in_ip6),
    "erspan1": ("frame", "ip", erspan1),
    "erspan2": ("frame", "ip", erspan2),
    "erspan2-two-switches": ("frame", "ip", erspan2_two_switches),
    "erspan3": ("frame", "ip", erspan3),
    "vxlan": ("frame", "ip", vxlan),
    "geneve": ("ip", "ip", geneve),
    "ip-in-ip4": ("ip", "ip", ip_in_ip4),
    "ip-in-ip6": ("ip", "ip", ip_in_ip6),
}


def wrapped(capture, names):
    """Every IP packet in these wrappers, the innermost first; other frames stay as they are."""
    def one(frame):
        if not ip_at(frame):
            return frame
        kind, data = "frame", frame.data
        for name in [*names, None]:
            takes, gives, wrap = WRAPPERS[name] if name else ("frame", "frame", bytes)
            if kind == "frame" and takes == "ip":
                data = data[14:]
            elif kind == "ip" and takes == "frame":
                data = ethernet(ethertype_of(data), data)
            kind, data = gives, wrap(data)
        return framed(frame, data)
    return Capture([one(f) for f in capture.frames], ETHERNET)


def relinked(capture, linktype):
    """Another link layer; raw IP and loopback carry nothing but IP."""
    heads = {
        SLL: lambda f: struct.pack(">HHH", 0, 1, 6) + f.data[6:12] + b"\0\0" + f.data[12:14],
        SLL2: lambda f: f.data[12:14] + b"\0\0" + struct.pack(">IHBB", 2, 1, 0, 6) + f.data[6:12] + b"\0\0",
        RAW: lambda f: b"",
        NULL: lambda f: struct.pack("<I", 2 if ip_at(f) == 4 else 30),
        LOOP: lambda f: struct.pack(">I", 2 if ip_at(f) == 4 else 24),
    }
    only_ip = linktype in (RAW, NULL, LOOP)
    frames = [framed(f, heads[linktype](f) + f.data[14:]) for f in capture.frames if ip_at(f) or not only_ip]
    return Capture(frames, linktype)


# ---- addresses ----

def mapped(capture):
    """IPv4 becomes IPv6; what is not TCP is left out."""
    def one(frame):
        s = segment_of(frame)
        head = struct.pack(">IHBB", 0x60000000, len(s.tcp) + len(s.payload), 6, s.ip[8])
        addresses = b"".join(V4_IN_V6 + s.ip[at:at + 4] for at in (12, 16))
        return framed(frame, s.ethernet[:12] + b"\x86\xdd" + head + addresses + s.tcp + s.payload)
    return Capture([one(f) for f in capture.frames if segment_of(f)], capture.linktype)


def map_text(text):
    """Addresses and networks of IPv4 in a text (a configuration) as mapped() writes them."""
    def one(match):
        octets = [int(x) for x in match.group(1).split(".")]
        bits = "/%d" % (int(match.group(2)) + 96) if match.group(2) else ""
        return "2001:db8:b7a6:0:0:ffff:%x:%x" % (octets[0] << 8 | octets[1], octets[2] << 8 | octets[3]) + bits
    return re.sub(r"\b(\d+\.\d+\.\d+\.\d+)(?:/(\d+))?", one, text)


def unmap_text(text):
    """The addresses that the sensor prints, back to IPv4."""
    def one(match):
        high, low = (int(x or "0", 16) for x in match.groups())
        return "%d.%d.%d.%d" % (high >> 8, high & 255, low >> 8, low & 255)
    return re.sub(r"2001:db8:b7a6::ffff:([0-9a-f]+):([0-9a-f]+)", one, text)


# ---- other pieces ----

def fragmented(capture, rng):
    """Datagrams in random fragments of 8 to 200 bytes, in any order."""
    def pieces(body):
        at = 0
        while at < len(body):
            n = 8 * rng.randint(1, 25)
            yield at, body[at:at + n], at + n < len(body)
            at += n

    def fragment(s, number, at, piece, more):
        if s.ip[0] >> 4 == 4:
            return s.ethernet + ip4_header(s.ip, len(s.ip) + len(piece), ((4, number & 0xffff), (6, more << 13 | at >> 3))) + piece
        ip = bytearray(with_length(s.ip, 8 + len(piece)))
        ip[6] = 44
        return s.ethernet + bytes(ip) + struct.pack(">BBHI", 6, 0, at | more, number) + piece

    frames = []
    for number, frame in enumerate(capture.frames):
        s = segment_of(frame)
        if not s:
            frames.append(frame)
            continue
        parts = [fragment(s, number, *piece) for piece in pieces(s.tcp + s.payload)]
        rng.shuffle(parts)
        frames += [framed(frame, p) for p in parts]
    return Capture(frames, capture.linktype)


def resegmented(capture, mss):
    """As if the two ends had agreed on that segment size."""
    frames = []
    for frame in capture.frames:
        s = segment_of(frame)
        if not s or len(s.payload) <= mss:
            frames.append(frame)
            continue
        seq, flags = struct.unpack_from(">I", s.tcp, 4)[0], s.tcp[13]
        for at in range(0, len(s.payload), mss):
            piece = s.payload[at:at + mss]
            tcp = bytearray(s.tcp)
            struct.pack_into(">I", tcp, 4, (seq + at) & 0xffffffff)
            if at + mss < len(s.payload):
                tcp[13] = flags & ~9       # FIN and PSH stand on the last one
            frames.append(framed(frame, s.ethernet + with_length(s.ip, len(tcp) + len(piece)) + bytes(tcp) + piece))
    return Capture(frames, capture.linktype)


def cut(capture, snaplen):
    return Capture([f._replace(data=f.data[:snaplen]) for f in capture.frames], capture.linktype)


# ---- another order ----

def in_order(frames):
    return sorted(frames, key=lambda f: f.time)


def jittered(capture, rng, us):
    """Each packet late by up to so much."""
    return Capture(in_order(f._replace(time=f.time + rng.randrange(us)) for f in capture.frames), capture.linktype)


def to_server(frame):
    return ports_of(frame)[1] in MAIL_PORTS


def to_client(frame):
    return ports_of(frame)[0] in MAIL_PORTS


def delayed(capture, which, us):
    """One direction of the mail late by so much."""
    return Capture(in_order(f._replace(time=f.time + us) if which(f) else f for f in capture.frames), capture.linktype)


def mirrored(capture, rng):
    """Each packet a second time, from the port behind the router: another tag, one hop less, 1 us to 5 ms later."""
    frames = []
    for frame in capture.frames:
        frames.append(frame)
        if not segment_of(frame):
            continue
        copy = bytearray(frame.data)
        copy[22 if ip_at(frame) == 4 else 21] -= 1
        late = int(5000 ** rng.random())
        frames.append(framed(frame._replace(time=frame.time + late), vlan(0x8100, 77)(bytes(copy))))
    return Capture(in_order(frames), capture.linktype)


# ---- parts missing ----

def without(capture, gone):
    return Capture([f for f in capture.frames if not gone(f)], capture.linktype)


def joined(capture, share):
    """The first packets are missing."""
    return Capture(capture.frames[int(len(capture.frames) * share):], capture.linktype)


def lost(capture, rng, share):
    return without(capture, lambda f: rng.random() < share)


WRAPPED = {
    "vlan": ["vlan"],
    "qinq": ["vlan", "service-vlan"],
    "mpls": ["mpls"],
    "mpls-pseudowire": ["pseudowire"],
    "pppoe": ["pppoe"],
    "gre": ["gre"],
    "gre-in-ip6": ["gre-in-ip6"],
    "erspan1": ["erspan1"],
    "erspan2": ["erspan2"],
    "erspan2-two-switches": ["erspan2-two-switches"],
    "erspan3": ["erspan3"],
    "vxlan": ["vxlan"],
    "geneve": ["geneve"],
    "ip-in-ip4": ["ip-in-ip4"],
    "ip-in-ip6": ["ip-in-ip6"],
    "pppoe-qinq": ["pppoe", "vlan", "service-vlan"],
    "vxlan-vlan": ["vlan", "vxlan", "vlan"],
    "erspan3-vxlan-qinq": ["vlan", "service-vlan", "vxlan", "erspan3"],
    "geneve-gre-mpls": ["gre", "geneve", "mpls"],
    "pseudowire-erspan2": ["erspan2", "pseudowire"],
}

VIEWS = {
    "plain": lambda c, rng: c,
    **{name: lambda c, rng, names=names: wrapped(c, names) for name, names in WRAPPED.items()},
    "sll": lambda c, rng: relinked(c, SLL),
    "sll2": lambda c, rng: relinked(c, SLL2),
    "raw": lambda c, rng: relinked(c, RAW),
    "null": lambda c, rng: relinked(c, NULL),
    "loop": lambda c, rng: relinked(c, LOOP),
    "ip6": lambda c, rng: mapped(c),
    "6in4": lambda c, rng: wrapped(mapped(c), ["ip-in-ip4"]),
    "6-raw": lambda c, rng: relinked(mapped(c), RAW),
    "fragments": fragmented,
    "6-fragments": lambda c, rng: fragmented(mapped(c), rng),
    "vxlan-of-fragments": lambda c, rng: wrapped(fragmented(c, rng), ["vxlan"]),
    "mss-1": lambda c, rng: resegmented(c, 1),
    "mss-7": lambda c, rng: resegmented(c, 7),
    "mss-536": lambda c, rng: resegmented(c, 536),
    "jitter-3ms": lambda c, rng: jittered(c, rng, 3000),
    "mss-536-jitter-1ms": lambda c, rng: jittered(resegmented(c, 536), rng, 1000),
    "late-client-1ms": lambda c, rng: delayed(c, to_server, 1000),
    "late-client-5ms": lambda c, rng: delayed(c, to_server, 5000),
    "late-client-50ms": lambda c, rng: delayed(c, to_server, 50000),
    "late-server-1ms": lambda c, rng: delayed(c, to_client, 1000),
    "late-server-5ms": lambda c, rng: delayed(c, to_client, 5000),
    "late-server-50ms": lambda c, rng: delayed(c, to_client, 50000),
    "mirror": mirrored,
    "client-only": lambda c, rng: without(c, to_client),
    "server-only": lambda c, rng: without(c, to_server),
    "cut-96": lambda c, rng: cut(c, 96),
    "joined-10": lambda c, rng: joined(c, .1),
    "joined-50": lambda c, rng: joined(c, .5),
    "joined-any": lambda c, rng: joined(c, rng.random()),
    "lost-1": lambda c, rng: lost(c, rng, .01),
    "pcapng": lambda c, rng: c,
    "nanoseconds": lambda c, rng: c,
    "big-endian": lambda c, rng: c,
}


# ---- files ----

def pcap(capture, order, nanoseconds):
    magic, unit = (0xa1b23c4d, 1000) if nanoseconds else (0xa1b2c3d4, 1)
    parts = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262144, capture.linktype)]
    for f in capture.frames:
        parts.append(struct.pack(order + "4I", f.time // 1000000, f.time % 1000000 * unit, len(f.data), f.wire) + f.data)
    return b"".join(parts)


def block(kind, body):
    body += b"\0" * (-len(body) % 4)
    return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)


def pcapng(capture):
    """Two interfaces, of which the second counts nanoseconds; packets come from both in turn."""
    parts = [block(0x0a0d0d0a, struct.pack("<IHHq", 0x1a2b3c4d, 1, 0, -1)),
             block(1, struct.pack("<HHI", capture.linktype, 0, 0)),
             block(1, struct.pack("<HHI", capture.linktype, 0, 0) + struct.pack("<HHB3xHH", 9, 1, 9, 0, 0))]
    for i, f in enumerate(capture.frames):
        time = f.time * (1000 if i % 2 else 1)
        head = struct.pack("<5I", i % 2, time >> 32, time & 0xffffffff, len(f.data), f.wire)
        parts.append(block(6, head + f.data))
    return b"".join(parts)


def rewrap(capture, name, seed, path):
    """Writes the view; answers the capture in it."""
    out = VIEWS[name](capture, random.Random("%s %s" % (name, seed)))
    with open(path, "wb") as f:
        if name == "pcapng":
            f.write(pcapng(out))
        else:
            f.write(pcap(out, ">" if name == "big-endian" else "<", name == "nanoseconds"))
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("names", nargs="*", metavar="VIEW IN.pcap OUT")
    options = parser.parse_args()
    if options.list:
        print("\n".join(VIEWS))
        return 0
    if len(options.names) != 3 or options.names[0] not in VIEWS:
        parser.error("VIEW IN.pcap OUT; --list names the views")
    rewrap(read(options.names[1]), options.names[0], options.seed, options.names[2])
    return 0


if __name__ == "__main__":
    sys.exit(main())
