#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Between two guests both engines judge, also what a gate makes: what one
gate delivers or repeats passes the other guest's queue. The portal may hear
one reading of the metering machine a month; the meter's own engine would let
it say more, and owns half of each answer when the rest comes.

usage: between_test.py [--bridged]      (both, one after the other)
"""
import fcntl
import os
import re
import shutil
import socket
import struct
import sys
import tempfile
import time

import c1222
import talk
from lib import ADDR, ADDR6, IFACE, POLICIES, Gate, Net, Report, Tap, \
    need_live, until
from packets import ACK, PSH, TCP, ip4, ip6, tcp

PORTAL = b"\x47\x05"  # a title of its own
HALF = 103  # octets of an answer's first write
REST = 0.2  # seconds until the second; acknowledged by the gate before
QUIET = 3.0  # seconds in which the gate would have repeated several times
STALL = 20.0
LOST = 1.2  # seconds
CRAFTED = 0x10000000


def strict_policies():
    """tests/e2e/policies, but the portal hears one reading a month."""
    where = tempfile.mkdtemp(prefix="metergate-between-")
    to = os.path.join(where, "policies")
    shutil.copytree(POLICIES, to)
    path = os.path.join(to, "portal.yaml")
    with open(path, encoding="utf-8") as f:
        text = f.read()
    rule = "    answers: [ask-registers]\n"
    if text.count(rule) != 1:
        raise RuntimeError("portal.yaml: where is hear-registers?")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text.replace(rule, rule +
                             "    limits: [1 reading per month]\n"))
    return where, to


class Pair:
    """The portal's connection to the metering machine."""

    def __init__(self, net, v6=False):
        a = ADDR6 if v6 else ADDR
        with net.listener("mdma", 1153, a["mdma"]) as ls:
            self.portal = net.socket("portal", socket.AF_INET6 if v6 else
                                     socket.AF_INET)
            self.portal.settimeout(STALL)
            self.portal.connect((a["mdma"], 1153))
            self.mdma, _ = ls.accept()
        self.mdma.settimeout(STALL)
        self.image = talk.tables()[23]

    def ask(self, inv):
        m = c1222.apdu(c1222.METER, PORTAL, inv, [c1222.read(23)])
        self.portal.sendall(m)
        return read(self.mdma, len(m)) == m

    def answer(self, inv):
        return c1222.apdu(PORTAL, c1222.METER, inv + (1 << 24),
                          [c1222.answer(self.image)], answers=inv,
                          control=0x82)

    def close(self):
        self.portal.close()
        self.mdma.close()


def read(s, n):
    got = b""
    try:
        while len(got) < n:
            more = s.recv(n - len(got))
            if not more:
                break
            got += more
    except OSError:
        pass
    return got


def pending(s):
    """Octets that were sent and not acknowledged."""
    return struct.unpack("i", fcntl.ioctl(s, 0x5411, bytes(4)))[0]  # TIOCOUTQ


def in_two(s, m):
    """True when both writes were taken."""
    try:
        s.sendall(m[:HALF])
        time.sleep(REST)
        s.sendall(m[HALF:])
    except OSError:
        return False
    return True


def refused(gate, guest):
    return [r["event"]["metergate"] for r in gate.ask("why " + guest)[1:]]


def crafted_by(gate, guest):
    """Segments that its gate made, of the metrics."""
    for r in gate.ask("metrics"):
        m = re.search('metergate_crafted_total{guest=\\\\*"%s\\\\*"} ([0-9]+)' %
                      guest, str(r))
        if m:
            return int(m.group(1))
    raise RuntimeError("no such counter")


def second_engine(report, name, net, gate, v6):
    """The first reading passes, the second is refused by the portal's."""
    pair = Pair(net, v6)
    # PSH, in the order of writes: what was not judged is nobody's.
    inv = (3 << 28) + (v6 << 20)
    report.check(name + ": a question is heard", not pair.ask(inv))
    m = pair.answer(inv)
    in_two(pair.mdma, m)
    got = read(pair.portal, len(m))
    report.check(name + ": the first answer arrives, in two writes",
                 "" if got == m else "%d of %d" % (len(got), len(m)))
    report.check(name + ": the second question is heard",
                 not pair.ask(inv + 1))
    crafted = crafted_by(gate, "mdma")
    tap = Tap(net, "portal")
    m = pair.answer(inv + 1)
    # What the two answers do not share: behind the id of the second.
    part = m[m.index((inv + 1 + (1 << 24)).to_bytes(4, "big")):]
    in_two(pair.mdma, m)
    time.sleep(QUIET)
    frames = [f for _, _, f in tap.stop()]
    report.check(name + ": nothing of the second arrives",
                 [f.hex() for f in frames if part[:16] in f or
                  part[-16:] in f])
    pair.portal.settimeout(1)
    got = read(pair.portal, 65536)
    # That it was refused the asker may be told.
    report.check(name + ": nor is it read",
                 got.hex() if got and not c1222.refused(got) else "")
    made = crafted_by(gate, "mdma") - crafted
    report.check(name + ": the meter's gate did make something for it",
                 "" if made else "nothing")
    why = [w for w in refused(gate, "portal")
           if w["reason"] == "limit-exceeded"]
    report.check(name + ": the portal's engine refused it", not why)
    before = crafted_by(gate, "mdma")
    time.sleep(QUIET)
    after = crafted_by(gate, "mdma")
    report.check(name + ": and the meter's gate has stopped repeating it",
                 "" if after == before else "%d more" % (after - before))
    pair.mdma.settimeout(1)
    try:
        pair.mdma.recv(1)
        wrong = "it ended in order"
    except ConnectionResetError:
        wrong = ""
    except OSError as e:
        wrong = repr(e)
    report.check(name + ": its sender is reset", wrong)
    pair.close()


def halves(report, name, net):
    """Half a message at a time, with Nagle's algorithm: the second half waits
    for the first one's acknowledgement, which is the gate's to make."""
    pair = Pair(net)
    n, begin, wrong = 20, time.monotonic(), ""
    for i in range(n):
        inv = (4 << 28) + i
        if not pair.ask(inv):
            wrong = "question %d is lost" % i
            break
        m = pair.answer(inv)
        pair.mdma.sendall(m[:HALF])
        pair.mdma.sendall(m[HALF:])
        if read(pair.portal, len(m)) != m:
            wrong = "answer %d is lost" % i
            break
    pair.close()
    took = time.monotonic() - begin
    report.check("%s: %d answers in halves, %.1f s" % (name, n, took),
                 wrong or (took > STALL and "stalled"))


def repeats(report, name, net, gate):
    """What its own gate took over, and the portal's link lost: that gate's
    repeats pass the portal's queue, and arrive."""
    pair = Pair(net)
    inv = 5 << 28
    asked = pair.ask(inv)
    m = pair.answer(inv)
    before = crafted_by(gate, "mdma")
    loss = ["iptables", "-I", "INPUT", "-p", "tcp", "-j", "DROP"]
    net.run("portal", *loss)
    sent = in_two(pair.mdma, m)
    time.sleep(LOST)
    net.run("portal", *["-D" if w == "-I" else w for w in loss])
    told = pending(pair.mdma)
    got = read(pair.portal, len(m))
    report.check(name + ": what was lost behind both gates arrives",
                 "" if asked and sent and got == m else
                 "%d of %d" % (len(got), len(m)))
    made = crafted_by(gate, "mdma") - before
    report.check(name + ": it was the meter's gate that repeated it",
                 "" if made >= 3 and told < HALF else
                 "%d segments made, %d octets with the sender" % (made, told))
    pair.close()


def hostile(report, name, net, gate):
    """What a gate whose engine was taken over can be asked to send: segments
    in its guest's name to another guest, with its own mark."""
    pair = Pair(net)
    number = [g["guest"] for g in gate.ask("guests")[1:]].index("mdma") + 1
    sport, dport = 1153, pair.portal.getsockname()[1]
    for v6 in (False, True):
        a = ADDR6 if v6 else ADDR
        family = socket.AF_INET6 if v6 else socket.AF_INET
        src, dst = (socket.inet_pton(family, a[w]) for w in
                    ("mdma", "portal"))
        word = b"nobody judged this" + (b" 6" if v6 else b" 4")
        head = ip6 if v6 else ip4
        with net.socket("gw", family, socket.SOCK_RAW, 255) as s:
            if v6:
                s.setsockopt(socket.IPPROTO_IPV6, 36, 1)  # IPV6_HDRINCL
            s.setsockopt(socket.SOL_SOCKET, 36, CRAFTED | number)  # SO_MARK
            tap = Tap(net, "portal")
            out = Tap(net, "gw", IFACE["portal"], "out")
            before = gate.guest("portal")
            for _ in range(5):
                s.sendto(head(src, dst, TCP, tcp(src, dst, sport, dport, 1, 1,
                                                 ACK | PSH, word)),
                         (a["portal"], 0))
            until(lambda b=before: gate.guest("portal")["dropped"] -
                  b["dropped"] >= 5, 5)
            seen = [f for _, _, f in tap.stop() + out.stop() if word in f]
        after = gate.guest("portal")
        what = name + (", IPv6" if v6 else ", IPv4")
        report.check(what + ": what another gate makes does not arrive", seen)
        report.expect(what + ": the portal's engine judged it",
                      after["dropped"] - before["dropped"] >= 5,
                      (before, after))
    pair.close()


def bed(report, mode):
    where, policies = strict_policies()
    with Net(mode) as net:
        with Gate(net, policies) as gate:
            second_engine(report, mode, net, gate, False)
        with Gate(net, policies) as gate:
            second_engine(report, mode + ", IPv6", net, gate, True)
            hostile(report, mode, net, gate)
        with Gate(net) as gate:
            halves(report, mode, net)
            repeats(report, mode, net, gate)
        with Gate(net, offload="true") as gate:
            halves(report, mode + ", offload", net)
    shutil.rmtree(where)


def main():
    report = Report()
    need_live(report)
    modes = ["bridged"] if "--bridged" in sys.argv else ["routed", "bridged"]
    for mode in modes:
        bed(report, mode)
    report.done()


if __name__ == "__main__":
    main()
