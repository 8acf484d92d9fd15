#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the kernel makes of the rules: loaded in the testbed's gateway without
the gateway, with and without somebody who reads the queues.

Frames are written octet by octet at the guests' and the uplink's end; what
arrives is seen by sockets at the other end."""
import os
import re
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback

from bed import (ADDR6, ALL, GUESTS, HOSTS, IFACE, MAC, PORT, QUEUE, QUIET,
                 TOOL, Bed, addr, equal, holds, mac, report)
from lib import ADDR, ROOT, Tap, inside, until
from packets import UDP, ether, ip4, udp
from rules_frames import arp, datagram, gateway_mac, icmp6, neighbours, spoofed
from rules_offload import offload


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
