#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Allowed and forbidden traffic at once, over bad wires on both sides of the
gate: real connections cut at every place, scripts of evasions, datagrams. The
outside and the inside link are recorded at the gateway and judged: nothing
forbidden is on them, and what is allowed gets through.

usage: mixed_test.py [SECONDS [SEED]]      (10; soak: 600)
"""
import os
import random
import socket
import sys
import threading
import time

import c1222
import evasions
import raw
import talk
from lib import (ADDR, HERE, Gate, Net, Recorder, Relay, Report, need_live,
                 until)
from sieve import forbidden

WIRE = ("ab.loss=1", "ba.loss=1", "ab.dup=1", "ba.dup=1", "ab.reorder=3",
        "ba.reorder=3", "ab.corrupt=0.5", "ba.corrupt=0.5")
READ = {0, 61, 62, 63}
CLEAN = 1 << 30  # in the invocation id: nothing forbidden is near
STALL = 60


class Mixer(talk.Thread):
    """A machine (or the head end) that says allowed and forbidden things in
    one connection after another, cut at every place in turn."""

    def __init__(self, net, outwards, seed):
        super().__init__()
        self.net, self.outwards = net, outwards
        self.rng = random.Random(seed)
        self.said = self.heard = self.tried = self.broken = 0
        self.inv = seed << 20
        self.at = 0  # where the next message is cut
        self.me, self.you = ("mdma", "wan") if outwards else ("wan", "mdma")
        self.start()

    def allowed(self, clean):
        self.inv += 1
        inv = self.inv | (CLEAN if clean else 0)
        if self.outwards:
            return c1222.apdu(c1222.HEADEND, c1222.METER, inv, [
                c1222.resolve(bytes([0x47, 0x11, 0x22]))] * 2)
        return c1222.apdu(c1222.METER, c1222.HEADEND, inv, [
            c1222.read(t) for t in (0, 61)])

    def wrong(self):
        self.inv += 1
        ends = (c1222.HEADEND, c1222.METER)
        table = 28
        if not self.outwards:
            ends, table = ends[::-1], 54
        return c1222.apdu(*ends, self.inv, [
            c1222.write(table, evasions.FORBIDDEN * self.rng.randrange(1, 20))
        ])

    def cut(self, m):
        self.at += 1
        kind = self.at % 4
        if kind == 0:
            return [m[i:i + 1] for i in range(len(m))]
        if kind == 1:
            return [m]
        cut = 1 + self.at % (len(m) - 1)
        return [m[:cut], m[cut:]]

    def datagram(self):
        u = self.net.socket(self.me, kind=socket.SOCK_DGRAM)
        u.bind((ADDR[self.me], 0))
        u.sendto(self.wrong(), (ADDR[self.you], 1153))
        # in fragments of the kernel's own
        u.sendto(self.wrong()[:40] + bytes(3000), (ADDR[self.you], 1153))
        u.close()

    def run(self):
        while not self.stopping:
            for f in (self.clean, self.dirty, self.datagram):
                try:
                    f()
                except OSError:
                    self.broken += 1

    def connect(self):
        s = self.net.socket(self.me)
        s.settimeout(STALL)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY,
                     self.rng.randrange(2))
        try:
            s.connect((ADDR[self.you], 1153))
        except OSError:
            s.close()
            raise
        return s

    def clean(self):
        """Allowed messages only: all of them arrive."""
        with self.connect() as s:
            n = self.rng.randrange(1, 12)
            for _ in range(n):
                for piece in self.cut(self.allowed(True)):
                    s.sendall(piece)
            s.shutdown(socket.SHUT_WR)
            s.recv(1)  # the other end closes when it has read all
            self.said += n

    def dirty(self):
        """Allowed ones, a forbidden one, and more behind it."""
        with self.connect() as s:
            s.settimeout(3)
            for _ in range(self.rng.randrange(5)):
                for piece in self.cut(self.allowed(False)):
                    s.sendall(piece)
            self.tried += 1
            m = self.wrong()
            if self.rng.random() < 0.5:
                m = self.allowed(False) + m
            for piece in self.cut(m):
                s.sendall(piece)
            s.sendall(self.wrong())
            s.recv(1)


class Sink(talk.Thread):
    """Takes what the mixers send; counts clean messages that arrived."""

    def __init__(self, net, host):
        super().__init__()
        self.ls = net.listener(host, 1153, ADDR[host])
        self.ls.settimeout(0.1)
        self.messages, self.odd, self.marked = 0, 0, 0
        self.start()

    def run(self):
        while not self.stopping:
            try:
                s, _ = self.ls.accept()
            except OSError:
                continue
            threading.Thread(target=self.take, args=(s,),
                             daemon=True).start()
        self.ls.close()

    def take(self, s):
        s.settimeout(STALL)
        stream = b""
        try:
            while True:
                got = s.recv(65536)
                if not got:
                    break
                stream += got
        except OSError:
            pass
        s.close()
        messages, rest = c1222.cut(stream)
        for m in messages:
            at = m.find(b"\xa8\x06\x02\x04")
            self.messages += at > 0 and bool(m[at + 4] & 0x40)
        self.odd += bool(rest) and rest[0] != 0x60
        self.marked += evasions.FORBIDDEN in stream


def scripts(net, player, seconds, seed):
    """Plays the table and scripts by chance, again and again."""
    rng, played = random.Random(seed), 0
    table = evasions.cases()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if rng.random() < 0.5:
            c = rng.choice(table)
        else:
            c = evasions.shuffled(rng.getrandbits(30),
                                  rng.choice(raw.SIDES),
                                  1000 + played % 18000)
        player.play(c, 0)
        played += 1
    return played


def main():
    report = Report()
    need_live(report)
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    with Net() as net:
        Relay(net, "mdma", "seed=%d" % seed, *WIRE)
        Relay(net, "wan", "seed=%d" % (seed + 1), *WIRE)
        with Gate(net, os.path.join(HERE, "evasion")) as gate:
            run(report, net, gate, seconds, seed)
    report.done()


def run(report, net, gate, seconds, seed):
    paths = {"outside": ("up0", os.path.join(gate.work, "outside.pcap")),
             "inside": ("vif1.0", os.path.join(gate.work, "inside.pcap"))}
    recorders = {k: Recorder(net, "gw", path, iface=iface, which="out")
                 for k, (iface, path) in paths.items()}
    player = raw.Player(net, keep=False)
    sinks = [Sink(net, "wan"), Sink(net, "mdma")]
    mixers = [Mixer(net, out, seed * 8 + i * 2 + out)
              for i in range(2) for out in (True, False)]
    played = scripts(net, player, seconds, seed)
    for t in mixers:
        t.stop()
    time.sleep(1)
    for t in sinks:
        t.stop()
    player.stop()
    lost = {k: r.stop() for k, r in recorders.items()}
    report.note("%d scripts, %d connections, %d of %d messages arrived, "
                "tcpdump lost %s" % (
                    played, sum(m.tried for m in mixers),
                    sum(s.messages for s in sinks),
                    sum(m.said for m in mixers), lost))
    for k, (_, path) in paths.items():
        forbidden(report, "mixed: nothing forbidden on the %s link" % k, path,
                  {"read": READ}, lost[k])
    report.check("mixed: no receiver read any of it", "%d did" % sum(
        s.marked for s in sinks) if any(s.marked for s in sinks) else "")
    arrived = sum(s.messages for s in sinks)
    report.check("mixed: what is allowed gets through",
                 "" if arrived >= sum(m.said for m in mixers) > 20 else
                 "%d of %d messages" % (arrived, sum(m.said for m in mixers)))
    if not until(gate.ready, 5):
        report.check("mixed: the gateway is whole", str(gate.ask("status")))
    starts = sum(r["starts"] - 1 for r in gate.ask("status")[1:])
    report.check("mixed: no process died", "%d did" % starts if starts
                 else "")


if __name__ == "__main__":
    main()
