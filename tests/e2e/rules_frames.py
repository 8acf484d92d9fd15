# SPDX-License-Identifier: Apache-2.0
"""Frames of the tests of the rules, written octet by octet: from who is not who
it says, and what neighbours say to each other."""
import struct

from bed import ADDR6, MAC, PORT, QUIET, STRANGER, STRANGER6, addr, mac
from lib import ADDR
from packets import (HOP, ICMP6, UDP, checksum, ether, extension, icmp, ip4,
                     ip6, pseudo, udp)


def datagram(src, dst, marker, v6):
    a, b = addr(src), addr(dst)
    u = udp(a, b, 999, PORT, marker)
    return ip6(a, b, UDP, u) if v6 else ip4(a, b, UDP, u)


def gateway_mac(bed, host):
    """The next hop of a frame to anywhere: routed, the gateway's end."""
    if bed.mode == "bridged":
        return mac("wan")
    return mac(MAC[host][:-2] + "%02x" % (int(MAC[host][-2:], 16) | 0x80))


def spoofed(bed):
    """(name, reason, guest, sender, frame, marker); the frames go to wan, or
    from wan to a guest."""
    rows = []

    def row(what, why, guest, sender, sender_mac, src, dst, to=None):
        m = bed.marker()
        v6 = ":" in src
        rows.append((what, why, guest, sender, ether(
            mac(sender_mac), mac(to) if to else gateway_mac(bed, sender),
            0x86dd if v6 else 0x0800, datagram(src, dst, m, v6)), m))

    for a, wan, stranger in ((ADDR, ADDR["wan"], STRANGER),
                             (ADDR6, ADDR6["wan"], STRANGER6)):
        f = "IPv6" if a is ADDR6 else "IPv4"
        row(f + ", another's MAC", "spoofed-mac", "mdma", "mdma", "dr",
            a["mdma"], wan)
        row(f + ", another's address", "spoofed-source", "mdma", "mdma",
            "mdma", a["dr"], wan)
        row(f + ", a stranger's address", "spoofed-source", "mdma", "mdma",
            "mdma", stranger, wan)
        row(f + ", the receiver's own", "spoofed-source", "mdma", "mdma",
            "mdma", wan, wan)
        row(f + ", a guest's address from the uplink", "spoofed-uplink", "dr",
            "wan", "wan", a["dr"], a["mdma"],
            "mdma" if bed.mode == "bridged" else None)
    row("another's link-local address", "spoofed-source", "mdma", "mdma",
        "mdma", "fe80::aff:fe14:b", ADDR6["wan"])
    row("the unspecified address", "spoofed-source", "mdma", "mdma", "mdma",
        "::", ADDR6["wan"])
    row("the address of the loop", "spoofed-source", "mdma", "mdma", "mdma",
        "127.0.0.1", ADDR["wan"])
    return rows


def arp(op, sha, spa, tha, tpa, form=b"\0\1\x08\0\6\4"):
    return form + struct.pack(">H", op) + sha + addr(spa) + tha + addr(tpa)


def icmp6(src, dst, kind, rest, body, hops=255, head=b""):
    a, b = addr(src), addr(dst)
    p = icmp(kind, 0, rest, body)
    p = p[:2] + b"\0\0" + p[4:]
    p = p[:2] + struct.pack(">H", checksum(
        pseudo(a, b, ICMP6, len(p)) + p)) + p[4:]
    if head:
        return ip6(a, b, HOP, head + p, hops)
    return ip6(a, b, ICMP6, p, hops)


def labelled(packet, word):
    """Class and flow label of an IPv6 header."""
    return struct.pack(">I", 0x60000000 | word) + packet[4:]


def neighbours(bed):
    """(name, reason or None when it is to pass, frame) from mdma. What only
    others on a bridge would hear has a reason there alone."""
    every, own, gw = b"\xff" * 6, mac("mdma"), "fe80::1"
    rows, four = [], bytes(4)
    bridge = bed.mode == "bridged"
    here = "02:00:0a:14:00:fe" if bridge else None
    here = mac(here) if here else gateway_mac(bed, "mdma")

    def ar(what, why, payload, to=every, src=own):
        rows.append((what, why, ether(src, to, 0x0806, payload)))

    def nd(what, why, packet, to=None):
        rows.append((what, why, ether(own, to or bytes.fromhex(
            "3333ff0000fe"), 0x86dd, packet)))

    ar("ARP for its own address", None,
       arp(1, own, ADDR["mdma"], bytes(6), ADDR["gw"]))
    ar("ARP, is my address free?", None,
       arp(1, own, "0.0.0.0", bytes(6), ADDR["mdma"]))
    ar("ARP, another's address", "arp",
       arp(2, own, ADDR["dr"], mac("dr"), ADDR["gw"]))
    ar("ARP, announcing the gateway's", "arp",
       arp(1, own, ADDR["gw"], bytes(6), ADDR["gw"]))
    ar("ARP, another's MAC inside", "arp",
       arp(2, mac("dr"), ADDR["mdma"], mac("wan"), ADDR["gw"]))
    ar("ARP, asking whether another's is free", "arp",
       arp(1, own, "0.0.0.0", bytes(6), ADDR["dr"]))
    ar("ARP of another operation", "arp",
       arp(3, own, ADDR["mdma"], bytes(6), ADDR["gw"]))
    ask = arp(1, own, ADDR["mdma"], bytes(6), ADDR["gw"])
    ar("ARP, filled up to the shortest frame", None, ask + bytes(18))
    ar("ARP, an octet in what fills it up", "arp",
       ask + bytes(17) + b"x")
    ar("ARP, another in front of that", "arp", ask + b"x" + bytes(17))
    ar("ARP, a text behind it", "arp", ask + b"secret" * 240)
    ar("ARP, zeros behind it", "arp", ask + bytes(30))
    ar("ARP, telling everybody", None,
       arp(1, own, ADDR["mdma"], bytes(6), ADDR["mdma"]))
    ar("ARP, telling everybody by an answer", None,
       arp(2, own, ADDR["mdma"], every, ADDR["mdma"]))
    ar("ARP, asking one that is known", None, ask, to=here)
    ar("ARP, the same with its MAC inside", None,
       arp(1, own, ADDR["mdma"], here, ADDR["gw"]), to=here)
    ar("ARP, answering one that asked", None,
       arp(2, own, ADDR["mdma"], here, ADDR["gw"]), to=here)
    for what, frame in (
            ("asking with a text as MAC", dict(payload=arp(
                1, own, ADDR["mdma"], b"secret", ADDR["gw"]))),
            ("answering one that did not ask", dict(payload=arp(
                2, own, ADDR["mdma"], mac("portal"), STRANGER),
                to=mac("portal"))),
            ("answering to another MAC", dict(payload=arp(
                2, own, ADDR["mdma"], b"secret", ADDR["gw"]), to=here)),
            ("answering everybody", dict(payload=arp(
                2, own, ADDR["mdma"], b"secret", ADDR["gw"])))):
        ar("ARP, " + what, "arp" if bridge else None, **frame)

    a, ask = ADDR6["mdma"], "ff02::1:ff00:fe"
    opt, opt2 = b"\1\1" + own, b"\2\1" + own
    target, solicited = addr(ADDR6["gw"]), b"\x60\0\0\0"
    nd("ND, asking with its MAC", None, icmp6(a, ask, 135, four, target + opt))
    nd("ND, asking without option", None, icmp6(a, ask, 135, four, target))
    nd("ND, asking from its link-local address", None,
       icmp6("fe80::aff:fe14:a", ask, 135, four, target + opt))
    nd("ND, is my address free?", None,
       icmp6("::", ask, 135, four, addr(a)))
    nd("ND, the same with a nonce", None,
       icmp6("::", ask, 135, four, addr(a) + b"\x0e\1nonce!"))
    nd("ND, telling its address", None,
       icmp6(a, ADDR6["gw"], 136, solicited, addr(a) + opt2), here)
    nd("ND, telling it to everybody", None,
       icmp6(a, "ff02::1", 136, b"\x20\0\0\0", addr(a) + opt2),
       bytes.fromhex("333300000001"))
    nd("ND, asking one that is known", None,
       icmp6(a, ADDR6["gw"], 135, four, target + opt), here)
    for what, packet in (
            ("asking with a text in what is reserved", icmp6(
                a, ask, 135, b"text", target + opt)),
            ("asking with one bit there", icmp6(
                a, ask, 135, b"\0\0\0\1", target)),
            ("whether it is free, with a text there", icmp6(
                "::", ask, 135, b"text", addr(a))),
            ("telling with one bit there", icmp6(
                a, "ff02::1", 136, b"\x20\0\0\1", addr(a) + opt2)),
            ("telling with a text there", icmp6(
                a, "ff02::1", 136, b"\x20ext", addr(a) + opt2)),
            ("asking with a label", labelled(icmp6(
                a, ask, 135, four, target + opt), 0x12345)),
            ("asking with a class", labelled(icmp6(
                a, ask, 135, four, target + opt), 0xfc << 20)),
            ("asking with a text as option", icmp6(
                a, ask, 135, four, target + b"\x0e\1secret")),
            ("telling with a text as option", icmp6(
                a, "ff02::1", 136, four, addr(a) + b"\2\1secret"))):
        nd("ND, " + what, "nd", packet)
    for what, to, packet in (
            ("asking a group that is none", "3333ff0000fe", icmp6(
                a, "ff02::6d65", 135, four, target + opt)),
            ("telling one that did not ask", "02000a140080", icmp6(
                a, STRANGER6, 136, solicited, addr(a) + opt2)),
            ("telling everybody at a MAC", "02ec2e7ec2e7", icmp6(
                a, "ff02::1", 136, b"\x20\0\0\0", addr(a) + opt2))):
        if bridge:
            nd("ND, " + what, "nd", packet, bytes.fromhex(to))
    # No news, since it may have known it before the rules were loaded.
    if bridge:
        ar("ARP, asking one alone that nobody knows", QUIET, arp(
            1, own, ADDR["mdma"], bytes(6), ADDR["gw"]), to=b"\x02ecret")
        nd("ND, asking one alone that nobody knows", QUIET, icmp6(
            a, ADDR6["gw"], 135, four, target + opt), b"\x02ecret")
    nd("ND, asking with another's MAC", "nd",
       icmp6(a, ask, 135, four, target + b"\1\1" + mac("dr")))
    nd("ND, asking with two options", "nd",
       icmp6(a, ask, 135, four, target + opt + opt))
    nd("ND, asking from another's address", "spoofed-source",
       icmp6(ADDR6["dr"], ask, 135, four, target + opt))
    nd("ND, is another's address free?", "nd",
       icmp6("::", ask, 135, four, addr(ADDR6["dr"])))
    nd("ND, telling another's address", "nd",
       icmp6(a, ADDR6["gw"], 136, solicited, addr(ADDR6["dr"]) + opt2))
    nd("ND, telling to be a router", "nd",
       icmp6(a, ADDR6["gw"], 136, b"\xe0\0\0\0", addr(a) + opt2))
    nd("ND, from further away", "nd",
       icmp6(a, ask, 135, four, target + opt, hops=64))
    nd("ND, behind an extension header", "nd",
       icmp6(a, ask, 135, four, target + opt, head=extension(ICMP6)))
    nd("a router's advertisement", "router",
       icmp6("fe80::aff:fe14:a", "ff02::1", 134, b"\x40\0\x07\x08", bytes(8)))
    nd("a redirect", "router",
       icmp6("fe80::aff:fe14:a", gw, 137, four, bytes(32)))
    nd("asking for routers", "chatter",
       icmp6("fe80::aff:fe14:a", "ff02::2", 133, four, b""))
    nd("listening to a group", "chatter",
       icmp6("fe80::aff:fe14:a", "ff02::16", 143, four, bytes(4), hops=1,
             head=b"\x3a\0\5\2\0\0\1\0"))
    return rows
