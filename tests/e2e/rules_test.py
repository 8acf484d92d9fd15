#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the kernel makes of the rules: loaded in the testbed's gateway without
the gateway, with and without somebody who reads the queues.

Frames are written octet by octet at the guests' and the uplink's end; what
arrives is seen by sockets at the other end."""
import os
import re
import select
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback

from lib import (ADDR, ADDR6, BUILD, HERE, ROOT, Net, Report, Tap, inside,
                 until)
from packets import (HOP, ICMP6, UDP, checksum, ether, extension, icmp, ip4,
                     ip6, pseudo, udp)

TOOL = os.path.join(BUILD, "e2e", "rules_load")
QUEUE = {"mdma": 11, "dr": 12, "portal": 13}
MAC = {"mdma": "02:00:0a:14:00:0a", "dr": "02:00:0a:14:00:0b",
       "portal": "02:00:0a:14:00:0c", "wan": "02:00:0a:14:00:01"}
IFACE = {"mdma": "vif1.0", "dr": "vif2.0", "portal": "vif3.0"}
HOSTS = ("mdma", "dr", "portal", "wan", "lan", "gw")
GUESTS = ("mdma", "dr", "portal")
ADDR6 = dict(ADDR6, gw="fd00:20::fe")
STRANGER, STRANGER6 = "203.0.113.77", "fd00:203::77"
PORT = 7
PAIRS = [("mdma", "wan"), ("wan", "mdma"), ("mdma", "dr"), ("mdma", "gw"),
         ("gw", "mdma"), ("portal", "lan"), ("lan", "portal")]
QUIET = "dropped, and no news"
report = Report()


def mac(name):
    return bytes.fromhex(MAC.get(name, name).replace(":", ""))


def addr(text):
    return socket.inet_pton(socket.AF_INET6 if ":" in text else
                            socket.AF_INET, text)


# --- somebody who reads a queue ----------------------------------------------


class Reader:
    """Accepts everything on one queue, with a mark; keeps what it saw."""

    def __init__(self, net, queue, mark=None):
        self.queue, self.mark, self.seen, self.octets = queue, mark, [], 0
        self.stopping = False
        self.s = net.socket("gw", socket.AF_NETLINK, socket.SOCK_RAW, 12)
        self.s.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # RCVBUFFORCE
        self.s.bind((0, 0))
        self.ask(2, self.attr(1, struct.pack(">BxH", 1, 0)))  # bind
        self.ask(2, self.attr(2, struct.pack(">IB", 0xffff, 2)) +
                 self.attr(3, struct.pack(">I", 8192)) +
                 self.attr(4, struct.pack(">I", 4)) +
                 self.attr(5, struct.pack(">I", 4)))  # GSO
        self.s.settimeout(0.1)
        self.thread = threading.Thread(target=self.loop, daemon=True)
        self.thread.start()

    @staticmethod
    def attr(kind, value):
        return struct.pack("=HH", len(value) + 4, kind) + value + \
            bytes(-len(value) % 4)

    def send(self, kind, attrs, flags):
        body = struct.pack(">BBH", 0, 0, self.queue) + attrs
        self.s.send(struct.pack("=IHHII", len(body) + 16, 3 << 8 | kind,
                                flags, 0, 0) + body)

    def ask(self, kind, attrs):
        self.send(kind, attrs, 5)
        answer = self.s.recv(65536)
        code = struct.unpack("=i", answer[16:20])[0]
        if code:
            raise OSError(-code, "queue %d" % self.queue)

    def loop(self):
        while not self.stopping:
            try:
                data = self.s.recv(1 << 18)
            except (socket.timeout, TimeoutError):
                continue
            except OSError:
                return
            self.packet(data)

    def packet(self, data):
        attrs, at = {}, 20
        while at + 4 <= len(data):
            size, kind = struct.unpack("=HH", data[at:at + 4])
            if size < 4:
                break
            attrs[kind & 0x3fff] = data[at + 4:at + size]
            at += (size + 3) & ~3
        if 1 not in attrs:
            return
        self.seen.append(attrs.get(10, b""))
        self.octets += len(attrs.get(10, b""))
        mark = self.mark(self) if callable(self.mark) else self.mark
        more = b"" if mark is None else self.attr(3, struct.pack(">I", mark))
        self.send(1, self.attr(2, struct.pack(">I", 1) + attrs[1][:4]) +
                  more, 1)

    def saw(self, marker):
        return any(marker in p for p in self.seen)

    def stop(self):
        self.stopping = True
        self.thread.join()
        self.s.close()


# --- the testbed -------------------------------------------------------------


class Bed(Net):
    """With a socket on port 7 of every host, which remembers what came."""

    def __enter__(self):
        super().__enter__()
        self.number, self.readers = 0, {}
        self.got = {h: [] for h in HOSTS}
        self.socks = {}
        for h in HOSTS:
            for family in (socket.AF_INET, socket.AF_INET6):
                s = self.socket(h, family, socket.SOCK_DGRAM)
                if family == socket.AF_INET6:
                    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                s.bind(("", PORT))
                s.setblocking(False)
                self.socks[h, family] = s
        self.raw = {}
        for h in HOSTS[:-1]:
            with inside(self.ns(h)):
                self.raw[h] = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                                            0)
                self.raw[h].bind(("eth0", 3))
        self.ending = False
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *what):
        self.ending = True
        self.unread()
        self.thread.join()
        super().__exit__(*what)

    def listen(self):
        by = {s: h for (h, _), s in self.socks.items()}
        while not self.ending:
            for s in select.select(list(by), [], [], 0.1)[0]:
                try:
                    self.got[by[s]].append(s.recv(65536))
                except OSError:
                    pass

    def read(self, *guests, mark=None):
        for g in guests or GUESTS:
            self.readers[g] = Reader(self, QUEUE[g], mark)

    def unread(self):
        for r in self.readers.values():
            r.stop()
        self.readers = {}

    def marker(self):
        self.number += 1
        return b"probe-%06d-" % self.number

    def send(self, src, dst, v6, marker):
        family = socket.AF_INET6 if v6 else socket.AF_INET
        to = (ADDR6 if v6 else ADDR)[dst]
        try:
            self.socks[src, family].sendto(marker, (to, PORT))
        except OSError as e:
            return str(e)
        return None

    def passes(self, pairs=None, families=(False, True)):
        """Those of the pairs between which a datagram arrives."""
        sent = []
        for src, dst in pairs or PAIRS:
            for v6 in families:
                m = self.marker()
                self.send(src, dst, v6, m)
                sent.append(((src, dst, "IPv6" if v6 else "IPv4"), dst, m))
        until(lambda: all(m in self.got[d] for _, d, m in sent), 0.8)
        return [what for what, d, m in sent if m in self.got[d]]

    def frame(self, host, octets):
        self.raw[host].send(octets)

    def tool(self, verb, *more, check=True, uplinks=("up0", "lan0")):
        args = [TOOL, verb] + [x for u in uplinks for x in ("-u", u)]
        if self.mode == "bridged":
            args.append("-B")
        for g in GUESTS:
            args += ["-g", "%s,%s,%s,%d,%s,%s" % (
                g, IFACE[g], MAC[g], QUEUE[g], ADDR[g], ADDR6[g])]
        return self.run("gw", *args, *more, check=check, text=True,
                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def drops(self):
        out = {}
        for line in self.tool("drops").stdout.splitlines():
            why, guest, packets, _ = line.split(" ")
            out[why, guest] = int(packets)
        return out

    def ruleset(self):
        """Without what changes by itself, and without chains that came with
        a table and stay empty."""
        lines = []
        for cmd in (["iptables-save"], ["ip6tables-save"],
                    ["nft", "-nn", "list", "tables"]):
            text = self.run("gw", *cmd, text=True, stdout=subprocess.PIPE,
                            stderr=-3).stdout
            lines += [cmd[0] + " " + re.sub(r"\[\d+:\d+\]", "", line)
                      for line in text.splitlines()
                      if not re.match(r"#|:[A-Z]+ ACCEPT|table ip6? ", line)]
        for family in ("arp", "bridge"):
            text = self.run("gw", "nft", "-nn", "list", "table", family,
                            "metergate", text=True, check=False, stdout=-1,
                            stderr=-3).stdout
            text = re.sub(r"elements = \{[^}]*\}", "", text)
            text = re.sub(r"packets \d+ bytes \d+", "", text)
            lines += [x for x in text.splitlines() if x.strip()]
        return sorted(lines)

    def gw_file(self, path, value=None):
        with inside(self.ns("gw")):
            with open("/proc/sys/" + path, encoding="utf-8") as f:
                old = f.read().strip()
            if value is not None:
                with open("/proc/sys/" + path, "w", encoding="utf-8") as f:
                    f.write(str(value))
        return old


def equal(what, got, want):
    if isinstance(got, list) and isinstance(want, list):
        wrong = "too much: %s, missing: %s" % (
            [x for x in got if x not in want],
            [x for x in want if x not in got])
    else:
        wrong = "got %s, wanted %s" % (got, want)
    report.check(what, None if got == want else wrong)


def holds(what, true, otherwise):
    """otherwise: what to say when it is not, even if there is nothing."""
    report.check(what, None if true else str(otherwise) or "it does not")


# --- parts -------------------------------------------------------------------

ALL = [(s, d, f) for s, d in PAIRS for f in ("IPv4", "IPv6")]


def others(bed):
    """Rules of somebody else, that must stay as they are."""
    for cmd in ("iptables -A FORWARD -m comment --comment theirs -j ACCEPT",
                "iptables -t raw -A PREROUTING -m comment --comment theirs",
                "ip6tables -t mangle -A POSTROUTING -m comment --comment it",
                "iptables -t filter -N MINE",
                "iptables -A INPUT -j MINE",
                "iptables -A INPUT -m conntrack --ctstate ESTABLISHED",
                "nft add table arp theirs",
                "nft add table bridge theirs",
                "nft add chain arp theirs in { type filter hook input "
                "priority 5 ; }"):
        bed.run("gw", *cmd.split(" "))


def nobody_reads(bed, name):
    equal(name + ": without a reader nothing of a guest passes",
          bed.passes(), [])
    equal(name + ": what has no guest on either side is left alone",
          len(bed.passes([("wan", "lan"), ("lan", "wan"), ("wan", "gw")])), 6)
    text = bed.run("gw", "iptables-save", "-c", text=True,
                   stdout=subprocess.PIPE).stdout
    idle = [line for line in text.splitlines()
            if "NFQUEUE" in line and line.startswith("[0:") and
            re.search("SEND|RECEIVE", line) and
            re.search("vif1.0|10.20.0.10", line) and
            "! --physdev-is-bridged" not in line]
    equal(name + ": it ended in the queues", idle, [])


def somebody_reads(bed, name):
    bed.read()
    equal(name + ": with readers everything bound passes", bed.passes(), ALL)
    m = bed.marker()
    bed.send("mdma", "dr", False, m)
    until(lambda: m in bed.got["dr"], 2)
    equal(name + ": between two guests both are asked, nobody else",
          [g for g in GUESTS if bed.readers[g].saw(m)], ["mdma", "dr"])
    bed.unread()
    for one, other in (("mdma", "dr"), ("dr", "mdma")):
        bed.read(one)
        equal("%s: one of two readers is not enough (%s)" % (name, one),
              bed.passes([("mdma", "dr")]), [])
        bed.unread()


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


def counted(bed, frames):
    """Sends them; what the drop counters grew by."""
    before = bed.drops()
    for host, frame in frames:
        bed.frame(host, frame)
    time.sleep(0.15)
    after = bed.drops()
    return {k: after[k] - before.get(k, 0) for k in after
            if after[k] != before.get(k, 0)}


def spoofing(bed, name):
    bed.read()
    # Everybody knows everybody before frames are counted.
    bed.passes()
    for what, why, guest, sender, frame, m in spoofed(bed):
        grew = counted(bed, [(sender, frame)])
        seen = [h for h in HOSTS if any(m in x for x in bed.got[h])]
        asked = [g for g in GUESTS if bed.readers[g].saw(m)]
        # A bridge drops a frame with another port's MAC before.
        holds("%s: spoofed: %s" % (name, what),
              grew.get((why, guest)) == 1 and not seen and not asked,
              "counted %s, arrived at %s, asked %s" % (grew, seen, asked))
    m = bed.marker()
    bed.frame("mdma", ether(mac("mdma"), gateway_mac(bed, "mdma"), 0x0800,
                            datagram(ADDR["mdma"], ADDR["wan"], m, False)))
    until(lambda: m in bed.got["wan"], 2)
    equal(name + ": the same frame with its own words passes",
          m in bed.got["wan"], True)
    for what, why, frame in neighbours(bed):
        tap = Tap(bed, "wan")
        grew = counted(bed, [("mdma", frame)])
        mine = {k: v for k, v in grew.items() if k[1] == "mdma"}
        want = {(why, "mdma"): 1} if why not in (None, QUIET) else {}
        equal("%s: %s" % (name, what), mine, want)
        # Routed, it ends here; on a bridge, others hear what is asked of all.
        out = [f for _, _, f in tap.stop() if f == frame]
        heard = not why and bed.mode == "bridged" and frame[0] & 1
        equal("%s: %s: outside" % (name, what), len(out), 1 if heard else 0)
        if not why:
            time.sleep(0.7)  # questions are few
    bed.unread()


def floods(bed, name):
    own = mac("mdma")
    frame = ether(own, bytes.fromhex("3333ff0000fe"), 0x86dd, icmp6(
        ADDR6["mdma"], "ff02::1:ff00:fe", 135, bytes(4),
        addr(ADDR6["gw"]) + b"\1\1" + own))
    grew = counted(bed, [("mdma", frame)] * 400)
    holds(name + ": neighbour discovery has a rate",
          grew.get(("nd", "mdma"), 0) > 250, str(grew))
    if bed.mode != "bridged":
        return
    frame = ether(own, b"\xff" * 6, 0x0806,
                  arp(1, own, ADDR["mdma"], bytes(6), ADDR["wan"]))
    grew = counted(bed, [("mdma", frame)] * 400)
    holds(name + ": ARP on a bridge has a rate",
          grew.get(("arp", "mdma"), 0) > 250, str(grew))


def escapes(bed, name):
    """What a guest can tell others on a bridge by what no policy judges: a
    listener outside counts for ten seconds, with the burst before them."""
    own, every, rows = mac("mdma"), b"\xff" * 6, {}
    tap = Tap(bed, "wan")
    end, n = time.monotonic() + 10, 0
    while time.monotonic() < end:
        n += 1
        host = struct.pack(">I", 0x0a000000 + n)
        bed.frame("mdma", ether(own, every, 0x0806, b"\0\1\x08\0\6\4\0\1" +
                                own + addr(ADDR["mdma"]) + bytes(6) + host))
        bed.frame("mdma", ether(
            own, b"\x33\x33\xff" + host[1:], 0x86dd, icmp6(
                ADDR6["mdma"], "ff02::1:ff%02x:%02x%02x" % tuple(host[1:]),
                135, bytes(4), bytes(12) + host + b"\1\1" + own)))
        for to in (mac("wan"), b"\x02ecret"):
            bed.frame("mdma", ether(own, to, 0x0806, arp(
                2, own, ADDR["mdma"], to, ADDR["wan"])))
            bed.frame("mdma", ether(own, to, 0x86dd, icmp6(
                ADDR6["mdma"], ADDR6["wan"], 136, b"\x60\0\0\0",
                addr(ADDR6["mdma"]) + b"\2\1" + own)))
        time.sleep(0.01)
    for _, _, frame in tap.stop():
        kind = "ARP %d" % frame[21] if frame[12:14] == b"\x08\x06" else \
            "ND %d" % frame[54] if frame[12:14] == b"\x86\xdd" else "other"
        if frame[6:12] == own:
            rows[kind] = rows.get(kind, 0) + 1
    holds("%s: in 10 s of %d tries of each kind, questions get out at 1 a "
          "second and answers at 2, with bursts of 10 and 20: %s" %
          (name, n, rows),
          n > 200 and all(5 <= rows.get(k, 0) <= most for k, most in
                          (("ARP 1", 21), ("ND 135", 21), ("ARP 2", 41),
                           ("ND 136", 41))) and rows.get("other", 0) == 0,
          rows)


def everyday(bed, name):
    """What a machine's own kernel asks and tells, with nothing dropped."""
    bed.read()
    bed.tool("apply")
    for h in HOSTS:
        bed.run(h, "ip", "neigh", "flush", "all")
        bed.run(h, "ip", "-6", "neigh", "flush", "all")
    before = bed.drops()
    pairs = [("mdma", "wan"), ("wan", "dr"), ("mdma", "gw"), ("gw", "dr")]
    want = [(s, d, f) for s, d in pairs for f in ("IPv4", "IPv6")]
    equal(name + ": neighbours find each other anew", bed.passes(pairs), want)
    near = ADDR["wan"] if bed.mode == "bridged" else ADDR["gw"]
    near6 = ADDR6["wan"] if bed.mode == "bridged" else ADDR6["gw"]
    tap = Tap(bed, "mdma", which="both")
    for to in (near, near6):
        # Asks it alone (NUD_PROBE), as when nothing was heard for long.
        bed.run("mdma", "ip", "neigh", "change", to, "dev", "eth0", "nud",
                "probe")
    found = until(lambda: all("REACHABLE" in bed.run(
        "mdma", "ip", "neigh", "get", to, "dev", "eth0", text=True,
        stdout=subprocess.PIPE).stdout for to in (near, near6)), 4)
    holds(name + ": one that is known answers when asked alone", found,
          bed.run("mdma", "ip", "neigh", text=True,
                  stdout=subprocess.PIPE).stdout)
    # Is it free, and it is mine: as when an address comes to an interface.
    own = "net/ipv%d/conf/eth0/%s"
    with inside(bed.ns("mdma")):
        for key, value in ((own % (4, "arp_notify"), 1),
                           (own % (6, "accept_dad"), 1),
                           (own % (6, "ndisc_notify"), 1)):
            with open("/proc/sys/" + key, "w", encoding="utf-8") as f:
                f.write(str(value))
    bed.run("mdma", "ip", "addr", "del", ADDR["mdma"] + "/32", "dev", "eth0")
    bed.run("mdma", "ip", "addr", "add", ADDR["mdma"] + "/32", "dev", "eth0")
    bed.run("mdma", "ip", "addr", "del", ADDR6["mdma"] + "/128", "dev",
            "eth0")
    bed.run("mdma", "ip", "addr", "add", ADDR6["mdma"] + "/128", "dev",
            "eth0")
    settled = until(lambda: "tentative" not in bed.run(
        "mdma", "ip", "-6", "addr", text=True,
        stdout=subprocess.PIPE).stdout, 5)
    holds(name + ": an address comes, and is free", settled, "tentative")
    asked = [f for _, out, f in tap.stop() if out and
             f[12:14] == b"\x86\xdd" and f[22:38] == bytes(16) and
             f[54] == 135]
    holds(name + ": which was asked", asked, "no question")
    after = bed.drops()
    grew = {k: after[k] - before.get(k, 0) for k in after
            if after[k] != before.get(k, 0) and k[0] in ("arp", "nd")}
    equal(name + ": and nothing of that was dropped", grew, {})
    routes(bed)
    bed.unread()


def routes(bed):
    """Which went with the address."""
    more = (["via", ADDR["gw"]], ["via", ADDR6["gw"]]) \
        if bed.mode == "routed" else ([], [])
    if bed.mode == "routed":
        bed.run("mdma", "ip", "route", "replace", ADDR["gw"], "dev", "eth0",
                "src", ADDR["mdma"])
        bed.run("mdma", "ip", "-6", "route", "replace", ADDR6["gw"], "dev",
                "eth0", "src", ADDR6["mdma"])
    for v, src, via in (("-4", ADDR, more[0]), ("-6", ADDR6, more[1])):
        bed.run("mdma", "ip", v, "route", "replace", "default", *via, "dev",
                "eth0", "src", src["mdma"])


def ports(bed, name):
    """What is not IP, on a bridge."""
    bed.read()
    own, wan = mac("mdma"), mac("wan")
    inner = datagram(ADDR["mdma"], ADDR["wan"], b"tagged", False)
    for what, why, guest, host, frame in (
            ("a local experiment", "not-ip", "mdma", "mdma",
             ether(own, wan, 0x88b5, b"secret" * 10)),
            ("a tagged frame", "not-ip", "mdma", "mdma",
             ether(own, wan, 0x8100, b"\0\5\x08\0" + inner)),
            ("a spanning tree's frame", "not-ip", "mdma", "mdma",
             own[:0] + bytes.fromhex("0180c2000000") + own + b"\0\x26" +
             bytes(38)),
            ("a frame of 802.3", "not-ip", "mdma", "mdma",
             wan + own + b"\0\x40" + bytes(64)),
            ("not IP, to a guest", "not-ip", "mdma", "wan",
             ether(wan, own, 0x88b5, b"secret" * 10)),
            ("a guest's MAC from the uplink", "spoofed-uplink", "dr", "wan",
             ether(mac("dr"), own, 0x0800,
                   datagram(ADDR["wan"], ADDR["mdma"], b"x", False))),
            ("ARP from the uplink for a guest's address", "arp", "dr", "wan",
             ether(wan, own, 0x0806,
                   arp(2, wan, ADDR["dr"], own, ADDR["mdma"]))),
            ("ND from the uplink for a guest's address", "spoofed-uplink",
             "dr", "wan", ether(wan, own, 0x86dd, icmp6(
                 ADDR6["wan"], ADDR6["mdma"], 136, b"\x60\0\0\0",
                 addr(ADDR6["dr"]) + b"\2\1" + wan)))):
        grew = counted(bed, [(host, frame)])
        holds("%s: %s" % (name, what),
              grew.get((why, guest), 0) >= 1, str(grew))
    bed.unread()


def loading(bed, name):
    first = bed.ruleset()
    bed.tool("apply")
    equal(name + ": loading twice is loading once", bed.ruleset(), first)
    bed.tool("update")
    equal(name + ": so is replacing", bed.ruleset(), first)
    bed.tool("apply", "-o", "100000")
    bed.tool("apply")
    equal(name + ": nothing of another configuration stays", bed.ruleset(),
          first)


def tampering(bed, name):
    """Another program flushes, deletes or goes in front: it is noticed, and
    loading again puts it right."""
    first = bed.ruleset()
    equal(name + ": what was loaded is there",
          bed.tool("loaded").returncode, 0)
    own = "bridge" if bed.mode == "bridged" else "arp"
    for what, cmd, undo in (
            ("a flush of the system's chain", "iptables -F FORWARD", None),
            ("a flush of ours", "ip6tables -t mangle -F MG-SEND", None),
            ("one rule less", "iptables -t raw -D MG-S0 1", None),
            ("a rule in front", "iptables -I FORWARD -j ACCEPT",
             "iptables -D FORWARD -j ACCEPT"),
            ("a flush of the table of links", "nft flush table %s metergate" %
             own, None),
            ("its end", "nft delete table %s metergate" % own, None)):
        bed.run("gw", *cmd.split(" "))
        done = bed.tool("loaded", check=False)
        holds("%s: noticed: %s" % (name, what),
              done.returncode == 1 and "rules of" in done.stderr, done.stderr)
        bed.tool("update")
        equal("%s: put right: %s" % (name, what),
              bed.tool("loaded", check=False).stderr, "")
        if undo:
            bed.run("gw", *undo.split(" "))
    bed.run("gw", "iptables", "-A", "FORWARD", "-m", "comment", "--comment",
            "theirs", "-j", "ACCEPT")  # which the first flush took
    equal(name + ": all as before", bed.ruleset(), first)


def closing(bed, name):
    bed.tool("close")
    bed.read()
    equal(name + ": closed, nothing passes", bed.passes(), [])
    holds(name + ": and it is counted",
          any(k[0] == "closed" for k in bed.drops()), str(bed.drops()))
    bed.tool("apply")
    # Neighbours that were asked in vain are asked again after a second.
    until(lambda: bed.passes() == ALL, 3)
    equal(name + ": open again", bed.passes(), ALL)
    bed.unread()


def failing(bed, name):
    """One of the programs fails: what is left is closed."""
    with tempfile.TemporaryDirectory() as d:
        real, fake = os.path.join(d, "real"), os.path.join(d, "fake")
        multi = os.path.realpath("/usr/sbin/ip6tables-restore")
        subprocess.run(["cp", multi, real], check=True)
        with open(fake, "w", encoding="utf-8") as f:
            f.write("""#!/bin/bash
if [[ $0 == *ip6tables-restore ]]; then
	text=$(cat)
	[[ $text =~ $FAIL ]] && { echo 'a made-up failure' >&2; exit 4; }
	exec -a "$0" %s "$@" <<<"$text"
fi
exec -a "$0" %s "$@"
""" % (real, real))
        os.chmod(fake, 0o755)

        # The tools get a clean environment, so the pattern is written in.
        def attempt(pattern):
            with open(fake, encoding="utf-8") as f:
                text = re.sub(r"=~ \S+ \]\]", "=~ %s ]]" % pattern, f.read())
            with open(fake, "w", encoding="utf-8") as f:
                f.write(text)
            return bed.run(
                "gw", "unshare", "-m", "sh", "-c",
                "mount --bind %s %s && exec \"$@\"" % (fake, multi), "-",
                TOOL, "apply", "-u", "up0", "-u", "lan0",
                *(["-B"] if bed.mode == "bridged" else []),
                *[x for g in GUESTS for x in ("-g", "%s,%s,%s,%d,%s,%s" % (
                    g, IFACE[g], MAC[g], QUEUE[g], ADDR[g], ADDR6[g]))],
                check=False, text=True, stdout=-1, stderr=-1)

        bed.read()
        done = attempt("u32")
        holds(name + ": a family that fails is told",
              done.returncode == 1 and "rules of IPv6" in done.stderr and
              "a made-up failure" in done.stderr and
              "NOT CLOSED" not in done.stderr, done.stderr)
        equal(name + ": and everything is closed", bed.passes(), [])
        done = attempt("MG-")
        holds(name + ": so is it when not even that is possible",
              done.returncode == 1 and "NOT CLOSED" in done.stderr, done.stderr)
        bed.unread()
    bed.tool("apply")


def elsewhere(bed, name):
    bed.tool("apply", uplinks=("up0",))
    bed.read()
    bed.passes([("portal", "wan"), ("wan", "portal")])
    before = bed.drops()
    equal(name + ": no way but the uplinks",
          bed.passes([("portal", "lan"), ("lan", "portal")]), [])
    after = bed.drops()
    holds(name + ": and it is counted",
          after.get(("no-uplink", "portal"), 0) -
          before.get(("no-uplink", "portal"), 0) >= 4, after)
    equal(name + ": the uplink still works",
          len(bed.passes([("portal", "wan")])), 2)
    bed.unread()
    bed.tool("apply")


def conntrack(bed, name):
    """A flood of connections leaves the host's table alone."""
    bed.read()
    before = int(bed.gw_file("net/netfilter/nf_conntrack_count"))
    a, b = addr(ADDR["mdma"]), addr(ADDR["wan"])
    for i in range(1500):
        bed.frame("mdma", ether(mac("mdma"), gateway_mac(bed, "mdma"), 0x0800,
                                ip4(a, b, UDP, udp(a, b, 2000 + i, 9, b"x"))))
    until(lambda: len(bed.readers["mdma"].seen) >= 1500, 5)
    after = int(bed.gw_file("net/netfilter/nf_conntrack_count"))
    holds(name + ": connections of guests are not tracked",
          after - before < 100, "%d entries" % (after - before))
    bed.unread()


CRAFTED = 0x10000000


def crafted(bed, name):
    """A gate's own segments pass on their way out of the driver domain, to its
    own guest and to the outside. To another guest they go through that one's
    queue; and nothing passes else that carries their mark."""
    for v6 in (False, True):
        a = ADDR6 if v6 else ADDR
        f, last = name + (", IPv6" if v6 else ", IPv4"), [b""]
        s = bed.socket("gw", socket.AF_INET6 if v6 else socket.AF_INET,
                       socket.SOCK_RAW, 255)
        if v6:  # IPV6_HDRINCL
            s.setsockopt(socket.IPPROTO_IPV6, 36, 1)

        def out(src, dst, s=s, a=a, v6=v6, last=last):
            m = last[0] = bed.marker()
            s.sendto(datagram(a[src], a[dst], m, v6), (a[dst], 0))
            until(lambda: m in bed.got[dst], 0.5)
            return m in bed.got[dst]

        equal(f + ": without the mark, not to a guest", out("wan", "mdma"),
              False)
        s.setsockopt(socket.SOL_SOCKET, 36, CRAFTED)  # SO_MARK
        equal(f + ": of no gate, not to a guest", out("wan", "mdma"), False)
        gate = CRAFTED | GUESTS.index("mdma") + 1
        s.setsockopt(socket.SOL_SOCKET, 36, gate)
        equal(f + ": crafted, in the peer's name to the guest",
              out("wan", "mdma"), True)
        equal(f + ": crafted, in another guest's name to the guest",
              out("dr", "mdma"), True)
        equal(f + ": crafted, to another guest: nobody asks its engine",
              out("mdma", "dr"), False)
        bed.read("dr")
        equal(f + ": and when it is asked, it passes", out("mdma", "dr"),
              True)
        equal(f + ": once", sum(last[0] in p for p in bed.readers["dr"].seen),
              1)
        bed.unread()
        equal(f + ": crafted, in the guest's name to the peer",
              out("mdma", "wan"), True)
        equal(f + ": crafted, in the guest's name to this domain",
              out("mdma", "gw"), True)
        s.close()
    bed.read("mdma", mark=gate)
    equal(name + ": the mark helps no packet that is forwarded",
          bed.passes([("mdma", "dr")]), [])
    bed.unread()


def groups(bed, name):
    """What the driver domain says to everybody on a link."""
    group = "224.0.0.251"
    s = bed.socket("gw", socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    s.setsockopt(socket.SOL_SOCKET, 25,
                 b"br0" if bed.mode == "bridged" else b"vif1.0")
    bed.socks["mdma", socket.AF_INET].setsockopt(
        socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
        struct.pack("=4s4si", addr(group), bytes(4), 2))
    sent = []
    for to in (group, "255.255.255.255"):
        sent.append(bed.marker())
        s.sendto(sent[-1], (to, PORT))
    time.sleep(0.3)
    equal(name + ": groups and broadcasts do not get around the queue",
          [m for m in sent if m in bed.got["mdma"]], [])
    if bed.mode == "bridged":
        flooded(bed, name)
        to_many(bed, name)
    s.close()


def to_many(bed, name):
    """One packet of a guest to everybody: its queue is asked once, that of
    each guest who is to get it once; all of them must agree."""
    mdns = bytes.fromhex("01005e0000fb")
    for what, to, dst, v6 in (
            ("a group", mdns, "224.0.0.251", False),
            ("everybody", b"\xff" * 6, "255.255.255.255", False),
            ("everybody's MAC, one address", b"\xff" * 6, ADDR["dr"], False),
            ("a group of IPv6", bytes.fromhex("3333000000fb"), "ff02::fb",
             True)):
        src = ADDR6["mdma"] if v6 else ADDR["mdma"]

        def say(to=to, src=src, dst=dst, v6=v6):
            m = bed.marker()
            tap = Tap(bed, "wan", which="in")
            bed.frame("mdma", ether(mac("mdma"), to,
                                    0x86dd if v6 else 0x0800,
                                    datagram(src, dst, m, v6)))
            time.sleep(0.3)
            return m, sum(m in f for _, _, f in tap.stop())

        m, outside = say()
        equal("%s: to %s, nobody reads: nothing of it goes out" % (
            name, what), outside, 0)
        bed.read()
        m, outside = say()
        equal("%s: to %s: asked once each, and out once" % (name, what),
              ([sum(m in p for p in bed.readers[g].seen) for g in GUESTS],
               outside), ([1, 1, 1], 1))
        bed.unread()
        bed.read("dr")
        m, outside = say()
        equal("%s: to %s: without its sender's engine nobody gets it" % (
            name, what), (bed.readers["dr"].saw(m), outside), (False, 0))
        bed.unread()


def flooded(bed, name):
    """What comes to a guest's port and is not meant for it; no news."""
    own = mac("wan")
    bed.read("mdma")
    bed.passes([("wan", "mdma")])
    before = len(bed.readers["mdma"].seen)
    for what, frame in (
            ("a frame for a MAC that nobody has", ether(
                own, mac("02:00:0a:14:00:77"), 0x0800,
                datagram(ADDR["wan"], ADDR["mdma"], b"flood", False))),
            ("ARP for another's address", ether(
                own, b"\xff" * 6, 0x0806,
                arp(1, own, ADDR["wan"], bytes(6), ADDR["lan"]))),
            ("ND for another's address", ether(
                own, bytes.fromhex("3333ff000020"), 0x86dd, icmp6(
                    ADDR6["wan"], "ff02::1:ff00:20", 135, bytes(4),
                    addr(ADDR6["lan"]) + b"\1\1" + own))),
            ("a group's member", ether(
                own, bytes.fromhex("333300000016"), 0x86dd, icmp6(
                    "fe80::aff:fe14:1", "ff02::16", 143, bytes(4), bytes(4),
                    hops=1, head=b"\x3a\0\5\2\0\0\1\0"))),
            ("a router's advertisement", ether(
                own, bytes.fromhex("333300000001"), 0x86dd, icmp6(
                    "fe80::aff:fe14:1", "ff02::1", 134,
                    b"\x40\0\x07\x08", bytes(8))))):
        grew = counted(bed, [("wan", frame)] * 50)
        # The guest's own words about the group that it joined above.
        grew.pop(("chatter", "mdma"), None)
        holds("%s: %s is no news to a guest" % (name, what),
              not grew and len(bed.readers["mdma"].seen) == before,
              "%s, %d queued" % (grew, len(bed.readers["mdma"].seen) -
                                 before))
    grew = counted(bed, [("wan", ether(
        own, bytes.fromhex("3333ff000010"), 0x86dd, icmp6(
            ADDR6["wan"], "ff02::1:ff00:10", 135, bytes(4),
            addr(ADDR6["mdma"]) + b"\1\1" + own)))])
    equal(name + ": ND for its own address comes to it", grew, {})
    bed.unread()


# --- offload -----------------------------------------------------------------

GENERATION, BOUND = 0x00700000, 200000
CLASS1, REFUSED = GENERATION | 1 << 16, GENERATION | 15 << 16


def one_way(bed, src, dst, port, count, size, gap=0.0):
    """Datagrams of one connection; how many arrived."""
    s = bed.socket(src, socket.AF_INET, socket.SOCK_DGRAM)
    r = bed.socket(dst, socket.AF_INET, socket.SOCK_DGRAM)
    r.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)
    r.bind(("", port))
    r.settimeout(0.4)
    s.connect((ADDR[dst], port))
    for i in range(count):
        s.send(struct.pack(">I", i) + bytes(size - 4))
        time.sleep(gap)
    n = 0
    try:
        while True:
            r.recv(65536)
            n += 1
    except (socket.timeout, TimeoutError):
        pass
    s.close()
    r.close()
    return n


def offload_udp(bed, name):
    size, count = 1000, 400
    bed.read(mark=CLASS1)
    arrived = one_way(bed, "mdma", "wan", 5001, count, size, 0.001)
    queued = [p for p in bed.readers["mdma"].seen if len(p) == size + 28]
    carried = (arrived - len(queued)) * (size + 28)
    equal(name + ": everything arrives", arrived, count)
    holds(name + ": most is carried, never more than the bound",
          BOUND * 0.9 < carried and carried + size + 28 <= BOUND,
          "%d octets carried, bound %d" % (carried, BOUND))
    order = [struct.unpack(">I", p[28:32])[0] for p in queued]
    holds(name + ": then the queue sees it again",
          order and order[-1] == count - 1, str(order[-3:]))
    bed.unread()


def offload_tcp(bed, name):
    """Super-packets: what was not queued is within the bound."""
    bed.read(mark=CLASS1)
    total = 3000000
    r = bed.listener("wan", 5002)
    s = bed.socket("mdma")
    s.settimeout(10)
    s.connect((ADDR["wan"], 5002))
    t, _ = r.accept()
    thread = threading.Thread(target=lambda: s.sendall(bytes(total)) or
                              s.shutdown(1))
    thread.start()
    got = 0
    while True:
        data = t.recv(1 << 18)
        if not data:
            break
        got += len(data)
    thread.join()
    for x in (s, t, r):
        x.close()
    seen = sum(max(len(p) - 52, 0) for p in bed.readers["mdma"].seen)
    equal(name + ": a transfer arrives", got, total)
    holds(name + ": of it no more than the bound was carried",
          0 < got - seen <= BOUND,
          "%d octets of %d were not queued" % (got - seen, got))
    bed.unread()


def end_of(bed, reset):
    """What the queue sees of a carried connection: until one end closes or
    resets it, and from then on."""
    bed.read(mark=lambda r: CLASS1 if len(r.seen) < 2 else None)
    r = bed.listener("wan", 5007)
    c = bed.socket("mdma")
    c.settimeout(5)
    c.connect((ADDR["wan"], 5007))
    s, _ = r.accept()
    s.settimeout(5)
    for x, y in 3 * ((c, s), (s, c)):
        x.sendall(b"carried")
        y.recv(7)
    seen = bed.readers["mdma"].seen
    before = len(seen)
    if reset:
        c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                     struct.pack("ii", 1, 0))
        c.close()
    else:
        c.shutdown(socket.SHUT_WR)
        s.recv(1)
        s.sendall(b"the last")
        c.recv(8)
        s.close()
        c.recv(1)
        c.close()
    until(lambda: sum(p[33] & 5 != 0 for p in seen) >= (1 if reset else 2), 3)
    s.close()
    r.close()
    after = list(seen[before:])
    bed.unread()
    return before, after


def offload_end(bed, name):
    """Whoever keeps a table of connections learns which are over."""
    before, after = end_of(bed, False)
    holds(name + ": a carried connection is not queued until it ends",
          before <= 2, "%d packets" % before)
    equal(name + ": each end's FIN is queued",
          [p[12:16] for p in after if p[33] & 1],
          [socket.inet_aton(ADDR[g]) for g in ("mdma", "wan")])
    holds(name + ": and what comes between them",
          any(p.endswith(b"the last") for p in after), str(after))
    before, after = end_of(bed, True)
    holds(name + ": a reset of a carried connection is queued",
          before <= 2 and sum(p[33] & 4 != 0 for p in after) == 1,
          "%d before, %s" % (before, after))


def offload(bed, name):
    bed.gw_file("net/netfilter/nf_conntrack_acct", 1)
    bed.tool("apply", "-o", str(BOUND))
    equal(name + ": what is bound passes", len(bed.passes() or bed.passes()),
          0)
    bed.read()
    equal(name + ": with readers", bed.passes(), ALL)
    bed.unread()
    offload_udp(bed, name)
    offload_tcp(bed, name)
    offload_end(bed, name)
    # Two guests are two opinions: never carried.
    bed.read(mark=CLASS1)
    arrived = one_way(bed, "mdma", "dr", 5003, 50, 500, 0.002)
    for g in ("mdma", "dr"):
        equal("%s: between guests every packet is asked about (%s)" % (
            name, g), sum(len(p) == 528 for p in bed.readers[g].seen),
              arrived)
    equal(name + ": and arrives", arrived, 50)
    bed.unread()
    # The queue's word about a refused connection is kept too.
    bed.read(mark=lambda r: REFUSED)
    arrived = one_way(bed, "mdma", "wan", 5004, 50, 500, 0.002)
    seen = sum(len(p) == 528 for p in bed.readers["mdma"].seen)
    bed.unread()
    holds(name + ": a refused connection is dropped in the kernel",
          arrived == seen and seen < 50 and
          bed.drops().get(("refused-flow", "mdma")) == 50 - seen,
          "%d arrived, %d queued, %s" % (arrived, seen, bed.drops()))
    # Marks of another start mean nothing.
    bed.read(mark=0x00800000 | 1 << 16)
    arrived = one_way(bed, "mdma", "wan", 5005, 50, 500, 0.002)
    equal(name + ": another generation's mark carries nothing",
          sum(len(p) == 528 for p in bed.readers["mdma"].seen), arrived)
    bed.unread()
    # A connection that is older than the accounting has no sum.
    bed.gw_file("net/netfilter/nf_conntrack_acct", 0)
    bed.read(mark=CLASS1)
    arrived = one_way(bed, "mdma", "wan", 5006, 50, 500, 0.002)
    equal(name + ": without a sum nothing is carried",
          sum(len(p) == 528 for p in bed.readers["mdma"].seen), arrived)
    bed.unread()
    done = bed.tool("check", "-o", "1", check=False)
    holds(name + ": the host's accounting is asked for",
          done.returncode == 1 and
          "sysctl -w net.netfilter.nf_conntrack_acct=1" in done.stderr,
          done.stderr)
    bed.tool("apply")


# --- the host ----------------------------------------------------------------


def host(bed, name):
    keys = ["net/bridge/bridge-nf-call-iptables",
            "net/bridge/bridge-nf-call-ip6tables"] \
        if bed.mode == "bridged" else ["net/ipv4/ip_forward",
                                       "net/ipv6/conf/all/forwarding"]
    equal(name + ": the host is as it must be", bed.tool("check").returncode,
          0)
    for key in keys:
        bed.gw_file(key, 0)
        done = bed.tool("check", check=False)
        holds("%s: %s is asked for" % (name, key),
              done.returncode == 1 and
              "sysctl -w %s=1" % key.replace("/", ".") in done.stderr,
              done.stderr)
        equal(name + ": and not set silently", bed.gw_file(key), "0")
        bed.gw_file(key, 1)


def misplaced(bed, name):
    """A guest's interface in a bridge where it should be routed, or the
    reverse: no queue would see it."""
    bed.read()
    if bed.mode == "routed":
        why = "bridged"
        for cmd in ("ip link add odd0 type bridge", "ip link set odd0 up",
                    "ip link set vif1.0 master odd0",
                    "ip link set up0 master odd0"):
            bed.run("gw", *cmd.split(" "))
    else:
        why = "not-bridged"
        for cmd in ("ip link set vif1.0 nomaster",
                    "ip route replace 10.20.0.10 dev vif1.0",
                    "sysctl -qw net.ipv4.ip_forward=1"):
            bed.run("gw", *cmd.split(" "))
    time.sleep(0.2)
    before = bed.drops()
    own, every = mac("mdma"), b"\xff" * 6
    for to in (every, mac("wan"), gateway_mac(bed, "mdma"),
               bytes.fromhex(bed.run("gw", "cat",
                                     "/sys/class/net/vif1.0/address",
                                     text=True, stdout=subprocess.PIPE)
                             .stdout.strip().replace(":", ""))):
        bed.frame("mdma", ether(own, to, 0x0800, datagram(
            ADDR["mdma"], ADDR["wan"], b"misplaced", False)))
        bed.frame("mdma", ether(own, to, 0x86dd, datagram(
            ADDR6["mdma"], ADDR6["wan"], b"misplaced", True)))
    equal(name + ": nothing passes a misplaced interface",
          bed.passes([("mdma", "wan"), ("wan", "mdma"), ("mdma", "gw")]), [])
    equal(name + ": nor what knows the way", [
        h for h in HOSTS if b"misplaced" in bed.got[h]], [])
    holds(name + ": and it is counted", bed.drops().get((why, "mdma"), 0) >
          before.get((why, "mdma"), 0), bed.drops())
    bed.unread()
    if bed.mode == "routed":
        bed.run("gw", "ip", "link", "set", "vif1.0", "nomaster")
        bed.run("gw", "ip", "link", "set", "up0", "nomaster")
        bed.run("gw", "ip", "link", "del", "odd0")
    else:
        bed.run("gw", "ip", "route", "del", "10.20.0.10", "dev", "vif1.0")
        bed.run("gw", "ip", "link", "set", "vif1.0", "master", "br0")
        bed.run("gw", "ip", "route", "replace", "10.20.0.10", "dev", "br0",
                "src", ADDR["gw"])
        bed.gw_file("net/ipv4/ip_forward", 0)


def removing(bed, name, before):
    bed.tool("remove")
    equal(name + ": taken away, others' rules are as before", bed.ruleset(),
          before)
    equal(name + ": and everything passes", bed.passes(), ALL)
    bed.tool("remove")
    equal(name + ": twice does no harm", bed.ruleset(), before)


def whole(mode):
    with Bed(mode) as bed:
        equal(mode + ": without rules everything passes",
              bed.passes() and bed.passes(), ALL)
        others(bed)
        bed.tool("apply")
        bed.tool("remove")  # tables that iptables made stay, empty
        before = bed.ruleset()
        bed.tool("apply")
        nobody_reads(bed, mode)
        somebody_reads(bed, mode)
        crafted(bed, mode)
        groups(bed, mode)
        spoofing(bed, mode)
        everyday(bed, mode)
        floods(bed, mode)
        if mode == "bridged":
            escapes(bed, mode)
        if mode == "bridged":
            ports(bed, mode)
        loading(bed, mode)
        tampering(bed, mode)
        closing(bed, mode)
        failing(bed, mode)
        elsewhere(bed, mode)
        conntrack(bed, mode)
        misplaced(bed, mode)
        host(bed, mode)
        offload(bed, mode + ", offload")
        removing(bed, mode, before)


def nft_texts():
    """This kernel may have no queue of nft; everything else of the golden
    texts is read by nft and by the kernel."""
    folder = os.path.join(ROOT, "enforcer", "daemon", "testdata")
    bad = []
    for name in sorted(os.listdir(folder)):
        if ".nft" not in name:
            continue
        with open(os.path.join(folder, name), encoding="utf-8") as f:
            text = re.sub(r"queue num \d+", "drop", f.read())
        done = subprocess.run(["unshare", "-n", "nft", "-f", "-"], input=text,
                              text=True, check=False, stderr=subprocess.PIPE)
        if done.returncode:
            bad.append("%s: %s" % (name, done.stderr[:200]))
    report.check("nft reads the texts of its backend", bad)


def need():
    why = None
    if os.geteuid() != 0:
        why = "network namespaces need root"
    elif not os.path.exists(TOOL):
        why = None
        report.check("rules_load is built", TOOL)
        report.done()
    elif subprocess.run(["unshare", "-n", "true"], check=False,
                        stderr=-3).returncode:
        why = "no network namespaces here"
    else:
        done = subprocess.run([TOOL, "choose"], text=True, check=False,
                              stdout=-1, stderr=-1)
        if done.returncode:
            why = "no backend works here: " + done.stderr.strip()
        elif done.stdout.strip() != "iptables":
            why = "the backend here is " + done.stdout.strip()
    if why:
        report.skip("rules: " + why)
        report.done()


if __name__ == "__main__":
    need()
    nft_texts()
    # Most of the time is waiting for what does not come: both at once.
    with tempfile.TemporaryFile("w+") as said:
        child = os.fork()
        if child == 0:
            sys.stdout.flush()
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
            try:
                whole("bridged")
            except BaseException:  # pylint: disable=broad-except
                traceback.print_exc()
                report.failed += 1
            os._exit(1 if report.failed else 0)
        try:
            whole("routed")
        finally:
            status = os.waitpid(child, 0)[1]
            said.seek(0)
            print(said.read(), end="")
    holds("both kinds ran to their end", status in (0, 256), status)
    sys.exit(1 if report.failed or status else 0)
