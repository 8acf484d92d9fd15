# SPDX-License-Identifier: Apache-2.0
"""What a receiver could make of the packets that reached it.

Receivers differ: which of two overlapping octets they keep, whether they look
at checksums, options, time stamps, what a reset does to them. Everything any
of them could read is produced here, so that a gateway can be asked whether
any of it was forbidden. The overlap rules are those of the target-based
policies of intrusion detection (Shankar and Paxson 2003, Novak 2005): first,
last, Linux, BSD, BSD-right and the engulfing one of Vista.
"""
import struct

from packets import (DEST, FRAGMENT, HOP, ROUTING, RST, SYN, TCP, UDP,
                     URG, ACK, checksum, pseudo)

# new octets against old: (from, to) of both -> does the new one win?
RULES = {
    "first": lambda n, o: False,
    "last": lambda n, o: True,
    "bsd": lambda n, o: n[0] < o[0],
    "linux": lambda n, o: n[0] <= o[0],
    "bsd-right": lambda n, o: n[0] >= o[0],
    "vista": lambda n, o: n[0] <= o[0] and n[1] > o[1],
}

# Properties for which some receivers discard a packet.
DOUBTS = ("checksum", "ttl", "option", "no-ack", "old-time")


class Pieces:
    """Octets at places, by an overlap rule."""

    def __init__(self, rule):
        self.rule, self.at = RULES[rule], {}

    def put(self, offset, octets):
        me = (offset, offset + len(octets))
        for i, v in enumerate(octets):
            old = self.at.get(offset + i)
            if old is None or self.rule(me, old[1]):
                self.at[offset + i] = (v, me)

    def runs(self):
        """(offset, octets) of each run without a hole."""
        out, last = [], None
        for o in sorted(self.at):
            if last is not None and o == last + 1:
                out[-1][1].append(self.at[o][0])
            else:
                out.append((o, bytearray([self.at[o][0]])))
            last = o
        return [(o, bytes(b)) for o, b in out]


class Datagram:
    """One IP packet, whole: addresses, protocol, octets behind the headers,
    and for which properties a receiver might discard it."""

    def __init__(self, src, dst, proto, payload, doubts):
        self.src, self.dst, self.proto = src, dst, proto
        self.payload, self.doubts = payload, set(doubts)


def network(frame):
    """(version, octets of the IP packet) of an Ethernet frame, or None."""
    at = 12
    kind = frame[at:at + 2]
    while kind in (b"\x81\x00", b"\x88\xa8"):
        at += 4
        kind = frame[at:at + 2]
    body = frame[at + 2:]
    if body[:6] == b"\xaa\xaa\x03\x00\x00\x00":  # SNAP
        kind, body = body[6:8], body[8:]
    if kind == b"\x08\x00" and len(body) >= 20 and body[0] >> 4 == 4:
        total = struct.unpack_from(">H", body, 2)[0]
        return 4, body[:total if total >= 20 else len(body)]
    if kind == b"\x86\xdd" and len(body) >= 40 and body[0] >> 4 == 6:
        return 6, body[:40 + struct.unpack_from(">H", body, 4)[0]]
    return None


def headers6(body, proto):
    """Skip extension headers; (protocol, octets, fragment or None)."""
    frag = None
    for _ in range(12):
        if proto in (HOP, DEST, ROUTING) and len(body) >= 8:
            size = 8 + 8 * body[1]
            proto, body = body[0], body[size:]
        elif proto == FRAGMENT and len(body) >= 8:
            where, ident = struct.unpack_from(">HI", body, 2)
            if where & 0xFFF9:
                return body[0], body[8:], (where & 0xFFF8, where & 1, ident)
            proto, body = body[0], body[8:]
        else:
            break
    return proto, body, frag


def datagrams(frames, rule):
    """All IP packets in frames, put together by the rule; what misses parts
    is given as far as it goes."""
    out, parts = [], {}
    for frame in frames:
        ip = network(frame)
        if ip is None:
            continue
        version, octets = ip
        if version == 4:
            head = (octets[0] & 15) * 4
            ident, frag = struct.unpack_from(">HH", octets, 4)
            src, dst, proto = octets[12:16], octets[16:20], octets[9]
            doubts = [d for d, yes in (
                ("checksum", checksum(octets[:head]) != 0),
                ("ttl", octets[8] < 8), ("option", head > 20)) if yes]
            body = octets[head:]
            place = None
            if frag & 0x3FFF:
                place = ((frag & 0x1FFF) * 8, frag >> 13 & 1, ident)
        else:
            src, dst = octets[8:24], octets[24:40]
            doubts = ["ttl"] if octets[7] < 8 else []
            proto, body, place = headers6(octets[40:], octets[6])
        if place is None:
            out.append(Datagram(src, dst, proto, body, doubts))
            continue
        key = (src, dst, place[2])
        if key not in parts:
            whole = Datagram(src, dst, proto, b"", doubts)
            parts[key] = (whole, Pieces(rule))
            out.append(whole)
        parts[key][1].put(place[0], body)
        parts[key][0].doubts.update(doubts)
        if place[0] == 0:
            parts[key][0].proto = proto
    for whole, pieces in parts.values():
        runs = pieces.runs()
        whole.payload = runs[0][1] if runs and runs[0][0] == 0 else b""
        whole.rest = [b for o, b in runs if o]
        if version6(whole) and whole.payload:
            whole.proto, whole.payload, _ = headers6(whole.payload,
                                                     whole.proto)
    return out


def version6(d):
    return len(d.src) == 16


class Segment:
    def __init__(self, d):
        p = d.payload
        self.sport, self.dport, self.seq, self.ack, off, self.flags, \
            self.window, _, self.urgent = struct.unpack_from(">HHIIBBHHH", p)
        off = max(20, (off >> 4) * 4)
        options, self.data = p[20:off], p[off:]
        self.doubts = set(d.doubts)
        if checksum(pseudo(d.src, d.dst, TCP, len(p)) + p) != 0:
            self.doubts.add("checksum")
        if not self.flags & (ACK | RST | SYN):
            self.doubts.add("no-ack")
        self.time = None
        i = 0
        while i < len(options) and options[i] != 0:
            if options[i] == 1:
                i += 1
                continue
            n = options[i + 1] if i + 1 < len(options) else 0
            if n < 2:
                break
            if options[i] == 8 and n == 10 and i + 10 <= len(options):
                self.time = struct.unpack_from(">I", options, i + 2)[0]
            elif options[i] in (19, 29, 34, 254):
                self.doubts.add("option")
            i += n


class Stream:
    """One direction of a connection, at a receiver."""

    def __init__(self, base, rule):
        self.base, self.pieces, self.urgent = base, Pieces(rule), set()
        self.time = None

    def put(self, seg):
        at = seg.seq + (1 if seg.flags & SYN else 0) - self.base
        at = (at + 0x80000000 & 0xFFFFFFFF) - 0x80000000
        self.pieces.put(at, seg.data)
        if seg.flags & URG:
            self.urgent.update((at + seg.urgent - 1, at + seg.urgent))

    def reads(self):
        """Everything that could be taken for a stream: from the start, from
        behind each hole, and without urgent octets."""
        runs = self.pieces.runs()
        out = [b for _, b in runs]
        for o, b in runs:
            for u in self.urgent:
                if o <= u < o + len(b):
                    out.append(b[:u - o] + b[u - o + 1:])
        return out

    def start(self):
        for o, b in self.pieces.runs():
            if o <= 0 < o + len(b):
                return b[-o:]
        return b""


def connections(packets, rule, discards, reset):
    """Streams of all connections by one kind of receiver. discards: doubts
    for which it drops packets; reset: "ignore", "believe" (and take nothing
    more without a SYN) or "again" (and take what comes as a new one)."""
    now, done = {}, []
    for d in packets:
        if d.proto != TCP or len(d.payload) < 20:
            continue
        seg = Segment(d)
        key = (d.src, d.dst, seg.sport, seg.dport)
        s = now.get(key)
        if s and s != "closed" and seg.time is not None:
            if s.time is not None and (seg.time - s.time) & 0x80000000:
                seg.doubts.add("old-time")
            else:
                s.time = seg.time
        if seg.doubts & discards:
            continue
        if seg.flags & RST and reset != "ignore":
            now[key] = "closed" if reset == "believe" else None
            continue
        if seg.flags & SYN and (not s or s == "closed" or
                                s.base != (seg.seq + 1) & 0xFFFFFFFF):
            s = None
        if s == "closed":
            continue
        if s is None:
            base = seg.seq + (1 if seg.flags & SYN else 0)
            s = now[key] = Stream(base & 0xFFFFFFFF, rule)
            s.key = key
            s.time = seg.time
            done.append(s)
        if seg.data:
            s.put(seg)
    return done


def models():
    """Every kind of receiver: overlap rule, discarded doubts, resets."""
    kinds = [frozenset(), frozenset(DOUBTS)] + \
        [frozenset([d]) for d in DOUBTS]
    for rule in RULES:
        for discards in kinds:
            for reset in ("ignore", "believe", "again"):
                yield rule, discards, reset


def everything(frames):
    """(streams, datagrams): each distinct sequence of octets that any
    receiver could read from these frames. Datagrams: UDP payloads, and the
    octets of whatever else there is."""
    streams, others = set(), set()
    whole = {rule: datagrams(frames, rule) for rule in RULES}
    for rule, discards, reset in models():
        for s in connections(whole[rule], rule, discards, reset):
            streams.update(r for r in s.reads() if r)
    for packets in whole.values():
        for d in packets:
            if d.proto == UDP and len(d.payload) >= 8:
                others.add(d.payload[8:])
                size = struct.unpack_from(">H", d.payload, 4)[0]
                if 8 <= size < len(d.payload):
                    others.add(d.payload[8:size])
            elif d.proto != TCP or len(d.payload) < 20:
                others.add(d.payload)
            others.update(getattr(d, "rest", []))
    others.discard(b"")
    return streams, others


def plain(frames):
    """(streams, datagrams) as an ordinary receiver reads them, by every
    overlap rule: streams from their start."""
    streams, others = set(), set()
    for rule in RULES:
        packets = datagrams(frames, rule)
        for s in connections(packets, rule, frozenset(), "ignore"):
            streams.add(s.start())
        for d in packets:
            if d.proto == UDP and len(d.payload) >= 8:
                others.add(d.payload[8:])
    streams.discard(b"")
    return streams, others
