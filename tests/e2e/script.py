# SPDX-License-Identifier: Apache-2.0
"""Scripts of packets by which a sender tries to let its receiver read what
the gateway did not.

Both ends are scripted: what they send does not depend on what arrives, so
that one script is a capture for metergate-replay and a play for the live
gateway. Each case is played outwards (the machine leaks a write of table 28)
and inwards (somebody writes table 54); FORBIDDEN marks the octets of both.
The policy is tests/e2e/evasion.

A case wants "pass" (an ordinary receiver reads exactly the allowed messages:
the oddity is harmless) or "stop" (what is forbidden is never seen; why names
reasons of which the gateway gives at least one). "any" leaves the reason
open: the packet may die on its way without the gateway's doing.
"""
import random
import struct

import c1222
from packets import (ACK, FRAGMENT, MF, PSH, SYN, TCP, UDP, ether, fragment6,
                     ip4, ip6, tcp, timestamps, udp)

FORBIDDEN = b"\xf5\x5e\xc8\x37"
GUEST, WAN = "mdma", "wan"
GW = {GUEST: bytes.fromhex("02000a14008a"), WAN: bytes.fromhex("02000a140081")}
MAC = {GUEST: bytes.fromhex("02000a14000a"), WAN: bytes.fromhex("02000a140001")}


def v6(tail):
    return bytes.fromhex("fd000020") + bytes(10) + struct.pack(">H", tail)


ADDR = {4: {GUEST: bytes([10, 20, 0, 10]), WAN: bytes([10, 20, 0, 1])},
        6: {GUEST: v6(0x10), WAN: v6(1)}}
STRANGER = bytes([203, 0, 113, 9])
TITLE = {GUEST: c1222.METER, WAN: c1222.HEADEND}
PARTIES = set(ADDR[4].values()) | set(ADDR[6].values())
SPACE = 48  # octets of services in A and F


class Case:
    """One script: packets is a list of (after_us, side, frame)."""

    def __init__(self, row, number, sender):
        self.name, self.source, self.want, self.why = row[:4]
        self.name += ", outwards" if sender == GUEST else ", inwards"
        self.sender = sender
        self.receiver = WAN if sender == GUEST else GUEST
        self.number, self.packets, self.inv = number, [], number * 64
        self.stream, self.datagrams = b"", set()  # of "pass"
        self.allowed = []  # messages that may be seen
        self.partial = False  # the last of them not to its end

    # messages ---------------------------------------------------------------

    def header(self, pdus):
        self.inv += 1
        return c1222.apdu(TITLE[self.receiver], TITLE[self.sender], self.inv,
                          pdus)

    def allow(self, reads=False):
        """An allowed message. One of reads has no octet that could be
        another's without making it a forbidden one."""
        if self.sender == GUEST and not reads:
            title = bytes([0x47]) + bytes(range(0x10, 0x23))
            m = self.header([c1222.resolve(title)] * 2)
        else:
            m = self.header([c1222.read(t) for t in (0, 61, 62, 63) * 3])
        self.allowed.append(m)
        return m

    def forbid(self, space=SPACE):
        """A forbidden one, as long as an allowed one; its first 30 octets
        differ from it in the invocation id only."""
        table = 28 if self.sender == GUEST else 54  # of no fixed size
        n = space - 7
        return self.header([c1222.write(table, (FORBIDDEN * n)[:n])])

    def pair(self, reads=False):
        a = self.allow(reads)
        self.inv -= 1
        f = self.forbid()
        assert len(a) == len(f) and a[:30] == f[:30] and a[30] != f[30]
        return a, f

    # packets ----------------------------------------------------------------

    def frame(self, frame, side=None, after=2000):
        self.packets.append((after, side or self.sender, frame))

    def link(self, packet, side=None, after=2000, kind=None):
        side = side or self.sender
        if kind is None:
            kind = 0x86DD if packet[0] >> 4 == 6 else 0x0800
        self.frame(ether(MAC[side], GW[side], kind, packet), side, after)

    def net(self, proto, body, side=None, fam=4, after=2000, **how):
        side = side or self.sender
        src = how.pop("src", ADDR[fam][side])
        dst = how.pop("dst", ADDR[fam][other(side)])
        if fam == 4:
            how.setdefault("ident", self.number * 32 +
                           len(self.packets) & 0xFFFF)
            self.link(ip4(src, dst, proto, body, **how), side, after)
        else:
            self.link(ip6(src, dst, proto, body, **how), side, after)

    def ends(self, side=None, fam=4):
        side = side or self.sender
        return ADDR[fam][side], ADDR[fam][other(side)]

    def udp(self, payload, fam=4, sport=None, dport=1153, **how):
        src, dst = self.ends(fam=fam)
        return udp(how.pop("src", src), how.pop("dst", dst),
                   sport or self.port(), dport, payload, **how)

    def port(self):
        return 20000 + self.number

    def parts4(self, body, cuts, order=None, ident=None, proto=UDP, **how):
        """Send body in fragments cut at the given places."""
        ident = ident or 40000 + self.number
        edges = [0] + cuts + [len(body)]
        parts = list(zip(edges, edges[1:]))
        for i in order or range(len(parts)):
            at, end = parts[i]
            self.part4(body[at:end], at, end < len(body), ident, proto, **how)

    def part4(self, octets, at, more, ident=None, proto=UDP, **how):
        self.net(proto, octets, ident=ident or 40000 + self.number,
                 frag=at // 8 | (MF if more else 0), **how)

    def part6(self, octets, at, more, following=UDP, before=b"", first=None):
        frag = fragment6(following, at, more, 40000 + self.number, octets)
        self.net(FRAGMENT if first is None else first, before + frag, fam=6)


def other(side):
    return WAN if side == GUEST else GUEST


class Tcp:
    """A connection of the case's sender (client) to its receiver; places are
    those in the sender's stream."""

    def __init__(self, case, fam=4, stamps=False, isn=None, window=64240,
                 port=1153):
        self.c, self.fam, self.stamps = case, fam, stamps
        self.port = port
        rng = random.Random(case.number)
        self.isn = {case.sender: rng.getrandbits(32) if isn is None else isn,
                    case.receiver: rng.getrandbits(32)}
        self.window, self.clock = window, 1000
        self.heard = 1  # what the receiver acknowledges, as a place + 1

    def raw(self, side, seq, ack, flags, data=b"", after=2000, options=b"",
            ip=None, ports=None, **how):
        src, dst = self.c.ends(side, self.fam)
        sport, dport = self.c.port(), self.port
        if side == self.c.receiver:
            sport, dport = dport, sport
        if ports:
            sport, dport = ports
        if self.stamps and not options:
            self.clock += 1
            options = timestamps(self.clock, 0)
        how.setdefault("window", self.window)
        self.c.net(TCP, tcp(src, dst, sport, dport, seq, ack, flags, data,
                            options=options, **how), side, self.fam, after,
                   **(ip or {}))

    def send(self, at, data, flags=ACK | PSH, **how):
        """From the sender; at: place in its stream."""
        ack = self.isn[self.c.receiver] + 1 + how.pop("early_ack", 0)
        ack = how.pop("ack", ack)
        at += how.pop("far", 0)
        self.raw(self.c.sender, self.isn[self.c.sender] + 1 + at, ack, flags,
                 data, **how)

    def ack(self, at, **how):
        """From the receiver."""
        flags = how.pop("flags", ACK)
        self.raw(self.c.receiver, how.pop("seq", self.isn[self.c.receiver] + 1),
                 self.isn[self.c.sender] + 1 + at, flags, **how)

    def syn(self, **how):
        self.raw(self.c.sender, self.isn[self.c.sender], 0, SYN,
                 options=how.pop("options", self.start_options()), **how)

    def start_options(self):
        opts = b"\x02\x04\x05\xb4"
        if self.stamps:
            self.clock += 1
            opts += timestamps(self.clock, 0)
        return opts

    def syn_ack(self, **how):
        self.raw(self.c.receiver, self.isn[self.c.receiver],
                 self.isn[self.c.sender] + 1, SYN | ACK,
                 options=self.start_options(), **how)

    def open(self):
        self.syn()
        self.syn_ack()
        self.send(0, b"", ACK)
        return self


TABLE = []


def case(name, source, want, why=()):
    """Register a script: f(case, a, f); a: an allowed, f: a forbidden
    message of the same length and beginning."""
    def add(f):
        TABLE.append((name, source, want,
                      (why,) if isinstance(why, str) else tuple(why), f))
        return f
    return add


PTACEK = "Ptacek and Newsham 1998"
PAXSON = "Handley, Paxson and Kreibich 2001"
NOVAK = "Novak and Sturges 2007"
FRAGROUTE = "fragroute (Song 2002)"
INTANG = "INTANG (Wang et al. 2017)"
GENEVA = "Geneva (Bock et al. 2019)"
SYMTCP = "SymTCP (Wang et al. 2020)"
SNIFFJOKE = "SniffJoke (2008)"
DEAD = ("tcp-flow-denied", "tcp-closed", "denied", "no-grant")
LOST = ("fragment-overlap", "fragment-timeout", "fragment-limit",
        "fragment-header", "held-at-end", "any") + DEAD
