# SPDX-License-Identifier: Apache-2.0
"""Evasions below: fragments, headers of IPv6, datagrams, tunnels, frames."""
from packets import (ACK, DEST, FRAGMENT, HOP, ICMP, PSH, ROUTING, SYN, TCP,
    UDP, extension, fragment6, icmp, ip4, ip6, tcp, udp)
from script import (ADDR, FRAGROUTE, GUEST, LOST, NOVAK, PAXSON, PTACEK,
    STRANGER, Tcp, case)
# --- IPv4 fragments -------------------------------------------------------------------


@case("forbidden in two fragments", PTACEK + ", 5.2", "stop",
      ("denied", "no-grant"))
def _(c, a, f):
    c.parts4(c.udp(f), [40])


@case("forbidden in fragments of 8 octets", FRAGROUTE + ", ip_frag 8", "stop",
      ("denied", "no-grant"))
def _(c, a, f):
    d = c.udp(f)
    c.parts4(d, list(range(8, len(d), 8)))


@case("forbidden fragments in reverse", FRAGROUTE + ", order reverse", "stop",
      ("denied", "no-grant"))
def _(c, a, f):
    d = c.udp(f)
    cuts = list(range(24, len(d), 24))
    c.parts4(d, cuts, list(range(len(cuts), -1, -1)))


def fragments(name, source, plan, why=LOST):
    """plan: (which, from, to) of the datagrams of a and f, both with the
    checksum of the datagram that would come of it for some receiver."""
    @case(name, source, "stop", why)
    def _(c, a, f):
        d = {"a": c.udp(a, check=0), "f": c.udp(f, check=0)}
        for which, at, end in plan:
            m = d[which]
            end = len(m) if end is None else end
            c.part4(m[at:end], at, end < len(m))


fragments("a fragment twice with other octets, first wins",
          "Shankar and Paxson 2003, first",
          [("f", 32, 64), ("a", 32, 64), ("a", 0, 32), ("a", 64, None),
           ("f", 64, None)])
fragments("a fragment twice with other octets, last wins",
          "Shankar and Paxson 2003, last",
          [("a", 32, 64), ("f", 32, 64), ("a", 64, None), ("f", 64, None),
           ("a", 0, 32)])
fragments("a fragment reaches back into another", "Teardrop (CERT 1997)",
          [("a", 0, 48), ("f", 32, None), ("a", 48, None)])
fragments("a fragment covers another", NOVAK + ", frag3 Linux",
          [("a", 40, 48), ("f", 32, 56), ("a", 0, 32), ("a", 56, None)])
fragments("the last fragment twice, of other lengths", PTACEK + ", 5.2",
          [("f", 0, 40), ("a", 64, None), ("f", 40, None)])
fragments("the first fragment comes again with other ports",
          "RFC 1858, 4; RFC 3128",
          [("a", 0, 32), ("f", 8, 40), ("a", 32, None), ("f", 40, None)])


@case("a header in tiny fragments", "RFC 1858, 3", "stop",
      ("fragment-header", "tcp-midstream") + LOST)
def _(c, a, f):
    src, dst = c.ends()
    seg = tcp(src, dst, c.port(), 1153, 1000, 0, SYN, b"")
    c.parts4(seg + f, [8, 16], proto=TCP)


@case("a segment's flags written over by a fragment", "RFC 3128", "stop",
      LOST + ("tcp-syn-data", "tcp-midstream"))
def _(c, a, f):
    src, dst = c.ends()
    seg = tcp(src, dst, c.port(), 1153, 1000, 0, ACK, f)
    syn = tcp(src, dst, c.port(), 1153, 1000, 0, SYN, b"")
    c.part4(syn[:16], 0, True, proto=TCP)
    c.part4(seg[8:], 8, False, proto=TCP)


@case("a whole larger than 65535 octets", "Ping of Death (CERT 1996)", "stop",
      LOST)
def _(c, a, f):
    c.part4(c.udp(f), 0, True)
    c.part4(f * 8, 65528, False)


@case("a forbidden segment in fragments", PTACEK + ", 5.2", "stop",
      ("denied", "no-grant"))
def _(c, a, f):
    t = Tcp(c).open()
    src, dst = c.ends()
    seg = tcp(src, dst, c.port(), 1153, t.isn[c.sender] + 1,
              t.isn[c.receiver] + 1, ACK | PSH, f)
    c.parts4(seg, [24, 64], proto=TCP)


@case("fragments that die on the way between others",
      PTACEK + ", 5.2; fragroute ip_chaff", "stop", LOST + ("low-ttl",))
def _(c, a, f):
    d, e = c.udp(a, check=0), c.udp(f, check=0)
    c.part4(e[:40], 0, True)
    c.part4(d[40:], 40, False, ttl=2)
    c.part4(e[40:], 40, False)


@case("the start alone", "RFC 815; " + PTACEK, "stop", LOST)
def _(c, a, f):
    c.part4(c.udp(f)[:80], 0, True)


@case("reserved fragment bit", "RFC 791; RFC 3514", "stop",
      ("bad-header", "any"))
def _(c, a, f):
    c.net(UDP, c.udp(f), frag=0x8000)


# --- IPv6 -----------------------------------------------------------------------------


@case("forbidden over IPv6", "yardstick", "stop", ("denied", "no-grant"))
def _(c, a, f):
    c.net(UDP, c.udp(f, 6), fam=6)


@case("forbidden in an atomic fragment", "RFC 6946; Gont 2013", "stop",
      ("denied", "no-grant"))
def _(c, a, f):
    c.part6(c.udp(f, 6), 0, 0)


@case("IPv6 fragments that overlap", "RFC 5722; Atlasis 2012", "stop", LOST)
def _(c, a, f):
    d, e = c.udp(a, 6), c.udp(f, 6)
    c.part6(e[:48], 0, 1)
    c.part6(d[32:], 32, 0)
    c.part6(e[48:], 48, 0)


@case("a first fragment without the whole header chain", "RFC 7112", "stop",
      LOST + ("bad-header", "ip-option"))
def _(c, a, f):
    d = extension(DEST, b"") + extension(UDP, b"") + c.udp(f, 6)
    c.part6(d[:8], 0, 1, following=DEST)
    c.part6(d[8:], 8, 0, following=DEST)


@case("extension headers behind the fragment header",
      "Atlasis 2012 (Black Hat)", "stop", LOST + ("ip-option",))
def _(c, a, f):
    d = extension(UDP, b"") + c.udp(f, 6)
    c.part6(d[:64], 0, 1, following=DEST)
    c.part6(d[64:], 64, 0, following=DEST)


@case("another next header in each fragment", "Atlasis 2012 (Black Hat)",
      "stop", LOST + ("unknown-protocol", "bad-header"))
def _(c, a, f):
    d = c.udp(f, 6)
    c.part6(d[:48], 0, 1, following=UDP)
    c.part6(d[48:], 48, 0, following=DEST)


@case("a fragment within a fragment", "Atlasis 2012 (Black Hat)", "stop",
      LOST + ("ip-option", "bad-header"))
def _(c, a, f):
    inner = fragment6(UDP, 0, 0, 7, c.udp(f, 6))
    c.part6(inner[:48], 0, 1, following=FRAGMENT)
    c.part6(inner[48:], 48, 0, following=FRAGMENT)


@case("a routing header of type 0", "RFC 5095", "stop", ("ip-option", "any"))
def _(c, a, f):
    route = bytes([UDP, 2, 0, 1]) + bytes(4) + ADDR[6][c.receiver]
    c.net(ROUTING, route + c.udp(f, 6), fam=6)


@case("a chain of many destination headers", "Gont and Liu 2014 (RFC 7113)",
      "stop", ("ip-option", "denied", "no-grant", "any"))
def _(c, a, f):
    body = c.udp(f, 6)
    chain = extension(UDP)
    for _ in range(8):
        chain = extension(DEST) + chain
    c.net(DEST, chain + body, fam=6)


@case("forbidden behind hop-by-hop and destination headers",
      "Atlasis 2012 (Black Hat)", "stop",
      ("denied", "no-grant", "ip-option", "any"))
def _(c, a, f):
    c.net(HOP, extension(DEST) + extension(UDP) + c.udp(f, 6), fam=6)


@case("a hop-by-hop header in the wrong place", "RFC 8200, 4.1", "stop",
      ("ip-option", "denied", "no-grant", "bad-header", "any"))
def _(c, a, f):
    c.net(DEST, extension(HOP) + extension(UDP) + c.udp(f, 6), fam=6)


@case("a forbidden segment over IPv6, in two", "Gont 2013", "stop",
      ("denied", "no-grant"))
def _(c, a, f):
    t = Tcp(c, 6).open()
    t.send(0, f[:33])
    t.send(33, f[33:])


@case("a datagram over IPv6 without a checksum", "RFC 8200, 8.1", "stop",
      ("bad-l4-checksum", "any"))
def _(c, a, f):
    c.net(UDP, c.udp(f, 6, check=0), fam=6)


@case("a mapped address on the wire", "Dodin and Hagino 2003", "stop",
      ("bad-header", "bad-address", "spoofed-source", "any"))
def _(c, a, f):
    src = bytes(10) + b"\xff\xff" + ADDR[4][c.sender]
    d = udp(src, ADDR[6][c.receiver], c.port(), 1153, f)
    c.net(UDP, d, fam=6, src=src)


# --- datagrams, tunnels, links -------------------------------------------------------------


@case("octets behind the datagram", PAXSON + ", 4.1", "stop",
      ("bad-header", "any"))
def _(c, a, f):
    c.net(UDP, c.udp(a, size=8 + len(a), check=0) + f)


@case("a datagram longer than its packet", PAXSON + ", 4.1", "stop",
      ("bad-header", "truncated", "any"))
def _(c, a, f):
    c.net(UDP, c.udp(f, size=200 + len(f), check=0))


@case("a datagram with a bad checksum", PTACEK + ", 5.1", "stop",
      ("bad-l4-checksum",))
def _(c, a, f):
    c.net(UDP, c.udp(f, check="bad"))


@case("octets behind the packet in its frame", "Ethernet padding; Arkin 2003",
      "pass")
def _(c, a, f):
    src, dst = c.ends()
    c.link(ip4(src, dst, UDP, c.udp(a)) + f)
    c.datagrams = {a}


@case("a packet in a packet", "RFC 2003; RFC 6169", "stop",
      ("unknown-protocol", "unknown-party", "no-grant", "any"))
def _(c, a, f):
    src, dst = c.ends()
    c.net(4, ip4(src, dst, UDP, c.udp(f)))


@case("IPv6 in IPv4", "RFC 6169", "stop",
      ("unknown-protocol", "unknown-party", "no-grant", "any"))
def _(c, a, f):
    src, dst = c.ends(fam=6)
    c.net(41, ip6(src, dst, UDP, c.udp(f, 6)))


@case("generic encapsulation", "RFC 2784", "stop",
      ("unknown-protocol", "unknown-party", "no-grant", "any"))
def _(c, a, f):
    src, dst = c.ends()
    c.net(47, b"\0\0\x08\0" + ip4(src, dst, UDP, c.udp(f)))


@case("octets in an echo", "Loki (Phrack 49, 1996)", "stop",
      ("no-grant", "unknown-party", "denied", "unknown-protocol", "any"))
def _(c, a, f):
    c.net(ICMP, icmp(8, 0, b"\0\1\0\1", f))


@case("octets in an error message", "RFC 5927; Loki", "stop",
      ("no-grant", "unknown-party", "denied", "unknown-protocol", "any"))
def _(c, a, f):
    src, dst = c.ends()
    c.net(ICMP, icmp(3, 3, bytes(4), ip4(dst, src, UDP, c.udp(f))))


@case("another port", PTACEK + ", 2", "stop",
      ("unknown-party", "no-grant", "any"))
def _(c, a, f):
    c.net(UDP, c.udp(f, sport=c.port(), dport=53))


@case("another protocol number", "RFC 3828 (UDP-Lite)", "stop",
      ("unknown-protocol", "unknown-party", "no-grant", "any"))
def _(c, a, f):
    c.net(136, c.udp(f))


@case("a stranger's address", "BCP 38", "stop",
      ("unknown-party", "spoofed-source", "no-grant", "bad-address",
       "unknown-guest", "any"))
def _(c, a, f):
    src, dst = c.ends()
    if c.sender == GUEST:
        c.net(UDP, udp(STRANGER, dst, c.port(), 1153, f), src=STRANGER)
    else:
        c.net(UDP, udp(STRANGER, dst, c.port(), 1153, f), src=STRANGER)


@case("a tag in the frame", "IEEE 802.1Q; Rouiller 2003", "stop",
      ("vlan-tagged", "any"))
def _(c, a, f):
    src, dst = c.ends()
    p = ip4(src, dst, UDP, c.udp(f))
    c.link(b"\x00\x05\x08\x00" + p, kind=0x8100)


@case("two tags in the frame", "IEEE 802.1ad; Rouiller 2003", "stop",
      ("vlan-tagged", "any"))
def _(c, a, f):
    src, dst = c.ends()
    p = ip4(src, dst, UDP, c.udp(f))
    c.link(b"\x00\x01\x81\x00\x00\x05\x08\x00" + p, kind=0x8100)


@case("LLC and SNAP instead of a type", "RFC 1042; Vidal 2021 (L2 bypass)",
      "stop", ("not-ip", "any"))
def _(c, a, f):
    src, dst = c.ends()
    p = b"\xaa\xaa\x03\x00\x00\x00\x08\x00" + ip4(src, dst, UDP, c.udp(f))
    c.link(p, kind=len(p))


@case("a datagram in another kind of frame", "IEEE 802 local experimental",
      "stop", ("not-ip", "any"))
def _(c, a, f):
    c.link(f, kind=0x88B5)
