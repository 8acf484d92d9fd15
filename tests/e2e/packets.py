# SPDX-License-Identifier: Apache-2.0
"""Packets octet by octet, right or wrong on purpose, and capture files.

Addresses are octets (4 or 16), ports numbers. Whatever is computed (lengths,
checksums) can be given instead, so that it can be wrong.
"""
import struct

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = 1, 2, 4, 8, 16, 32, 64, 128
TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
HOP, ROUTING, FRAGMENT, DEST = 0, 43, 44, 60
DF, MF = 0x4000, 0x2000


def checksum(data):
    data += bytes(len(data) % 2)
    s = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    while s >> 16:
        s = (s & 0xFFFF) + (s >> 16)
    return ~s & 0xFFFF


def pseudo(src, dst, proto, size):
    if len(src) == 4:
        return src + dst + struct.pack(">BBH", 0, proto, size)
    return src + dst + struct.pack(">IHBB", size, 0, 0, proto)


def ether(src, dst, kind, payload):
    return dst + src + struct.pack(">H", kind) + payload


def ip4(src, dst, proto, payload, ident=1, ttl=64, frag=DF, options=b"",
        check=None, total=None, first=None):
    options += bytes(-len(options) % 4)
    head = 20 + len(options)
    if total is None:
        total = head + len(payload)
    if first is None:
        first = 0x40 | head // 4
    h = struct.pack(">BBHHHBBH", first, 0, total & 0xFFFF, ident, frag, ttl,
                    proto, 0) + src + dst + options
    if check is None:
        check = checksum(h)
    return h[:10] + struct.pack(">H", check) + h[12:] + payload


def ip6(src, dst, proto, payload, ttl=64, size=None):
    size = len(payload) if size is None else size
    return struct.pack(">IHBB", 0x60000000, size, proto, ttl) + src + dst + \
        payload


def extension(following, body=b""):
    """A hop-by-hop or destination header; padded."""
    body += b"\x01" + bytes([(-len(body) - 4) % 8]) + \
        bytes((-len(body) - 4) % 8)
    return bytes([following, (len(body) + 2) // 8 - 1]) + body


def fragment6(following, offset, more, ident, payload):
    return struct.pack(">BBHI", following, 0, offset | more, ident) + payload


def tcp(src, dst, sport, dport, seq, ack, flags, payload=b"", window=64240,
        options=b"", urgent=0, check=None, offset=None, reserved=0):
    options += b"\x01" * (-len(options) % 4)
    if offset is None:
        offset = 5 + len(options) // 4
    h = struct.pack(">HHIIBBHHH", sport, dport, seq & 0xFFFFFFFF,
                    ack & 0xFFFFFFFF, offset << 4 | reserved, flags, window,
                    0, urgent) + options
    right = checksum(pseudo(src, dst, TCP, len(h) + len(payload)) + h +
                     payload)
    if check == "bad":
        check = right ^ 0x5555
    if check is None:
        check = right
    return h[:16] + struct.pack(">H", check) + h[18:] + payload


def udp(src, dst, sport, dport, payload, check=None, size=None):
    size = 8 + len(payload) if size is None else size
    h = struct.pack(">HHHH", sport, dport, size, 0)
    right = checksum(pseudo(src, dst, UDP, 8 + len(payload)) + h +
                     payload) or 0xFFFF
    if check == "bad":
        check = right ^ 0x5555
    if check is None:
        check = right
    return h[:6] + struct.pack(">H", check) + payload


def icmp(kind, code, rest, payload):
    h = struct.pack(">BBH", kind, code, 0) + rest + payload
    return h[:2] + struct.pack(">H", checksum(h)) + h[4:]


def timestamps(value, echo):
    return struct.pack(">BBBBII", 1, 1, 8, 10, value & 0xFFFFFFFF, echo)


# --- capture files ------------------------------------------------------------------


def write_pcap(path, packets, link=1):
    """packets: (microseconds, octets)."""
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, link))
        for us, octets in packets:
            f.write(struct.pack("<IIII", us // 1000000, us % 1000000,
                                len(octets), len(octets)) + octets)


def read_pcap(path):
    """[(microseconds, octets)] of a pcap file with Ethernet frames; raw IP
    and cooked frames are given an Ethernet header."""
    with open(path, "rb") as f:
        data = f.read()
    if len(data) < 24:
        return []
    order = "<" if data[:1] in b"\xd4\x4d" else ">"
    nano = data[:4] in (b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d")
    link = struct.unpack_from(order + "I", data, 20)[0] & 0xFFFF
    at, out = 24, []
    while at + 16 <= len(data):
        s, sub, size, _ = struct.unpack_from(order + "IIII", data, at)
        octets = data[at + 16:at + 16 + size]
        if len(octets) < size:
            break  # somebody is still writing
        if link == 101:
            kind = b"\x86\xdd" if octets[:1] >= b"\x60" else b"\x08\x00"
            octets = bytes(12) + kind + octets
        elif link == 113:
            octets = bytes(12) + octets[14:]
        out.append((s * 1000000 + (sub // 1000 if nano else sub), octets))
        at += 16 + size
    return out
