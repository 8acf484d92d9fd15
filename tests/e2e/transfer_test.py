#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Long transfers through the gate never stall, and arrive whole: the same
octets, none twice, none missing. Both directions; opaque streams under a
budget of octets, and C12.22 messages one after another; with and without
loss on either side of the gate, small segments, senders that write one octet
or half a message at a time with Nagle's algorithm on, receivers that close
their window.

usage: transfer_test.py [--long] [--offload] [--open] [NAME...]
A stall is STALL seconds without an octet, which ends the transfer; long before
that, the longest gap between two octets that arrive is judged (GAP, GAP_LOST).
"""
import hashlib
import os
import random
import socket
import sys
import threading
import time

import c1222
from lib import ADDR, HERE, Gate, Net, Relay, Report, need_live

STALL = 60.0
# Without loss nothing need wait: the gateway acknowledges what it holds after
# 20 ms and asks a closed window again after 0.2 s, a sender's probe comes after
# 0.2 s, then twice as late each time. Seconds are a slow machine's.
GAP = 3.0
# With a loss of 1 in 100 a lost segment's repeat is lost too once in 100, and
# so on: each time the timer doubles, from 0.2 s (RFC 6298; Linux): after five
# in a row 0.2 * (1 + 2 + 4 + 8 + 16) = 6.2 s are gone. The chance of that is
# 1e-10 for a loss, some 1e-6 in the 1e4 losses of all transfers; twice, because
# both ends of the gateway have such timers, one behind the other.
GAP_LOST = 2 * 6.2
MIB = 1 << 20
CONTEXT = bytes.fromhex("a1090607607c86f7540116")  # may stand first


def noise(size, seed):
    """Octets that are no protocol of anybody's."""
    return random.Random(seed).randbytes(size)


def messages(size, outwards):
    """Allowed messages one after another, at least size octets. The largest
    packet there is holds less of them than the gateway judges at once: 1024
    messages, 4096 services."""
    out, n, inv = [], 0, 1 << 28
    while n < size:
        inv += 1
        if outwards:
            title = bytes([0x47]) + bytes(0x10 + (inv + i) % 0x60
                                          for i in range(19))
            pdus = [c1222.resolve(title)] * (inv % 20 + 1)
            m = c1222.apdu(c1222.HEADEND, c1222.METER, inv, pdus)
        else:
            m = c1222.apdu(c1222.METER, c1222.HEADEND, inv,
                           [c1222.read_part((0, 61, 62, 63)[inv % 4], 0, 4)] *
                           3)
            m = c1222.tlv(0x60, CONTEXT + m[2:])
        out.append(m)
        n += len(m)
    return out


class Receiver(threading.Thread):
    """Reads everything; counts, and hashes."""

    def __init__(self, s, sleepy):
        super().__init__(daemon=True)
        self.s, self.sleepy = s, sleepy
        self.n, self.hash, self.why = 0, hashlib.sha256(), None
        self.gap = 0.0  # the longest between two reads
        self.s.settimeout(STALL)
        self.start()

    def run(self):
        naps, last = 0, time.monotonic()
        try:
            while True:
                if self.sleepy and self.n > naps * 200000:
                    naps += 1
                    time.sleep(0.4)  # the window closes meanwhile
                    last = time.monotonic()
                got = self.s.recv(4096 if self.sleepy else 1 << 17)
                now = time.monotonic()
                self.gap = max(self.gap, now - last)
                last = now
                if not got:
                    return
                self.n += len(got)
                self.hash.update(got)
        except OSError as why:
            self.why = why


def send(s, pieces, hashed):
    sent = 0
    s.settimeout(STALL)
    try:
        for piece in pieces:
            s.sendall(piece)
            hashed.update(piece)
            sent += len(piece)
        s.shutdown(socket.SHUT_WR)
    except OSError as why:
        return sent, why
    return sent, None


def halves(parts):
    for m in parts:
        cut = len(m) // 2
        yield m[:cut]
        yield m[cut:]


def octets(parts):
    for m in parts:
        for i in range(len(m)):
            yield m[i:i + 1]


class Transfer:
    def __init__(self, name, kind, outwards, size, write=None, mss=0,
                 sleepy=False, nagle=False):
        self.name, self.kind, self.outwards = name, kind, outwards
        self.size, self.write, self.mss = size, write, mss
        self.sleepy, self.nagle = sleepy, nagle

    def pieces(self):
        if self.kind == "opaque":
            data = noise(self.size, len(self.name))
            parts = [data[i:i + 65536] for i in range(0, len(data), 65536)]
        else:
            parts = messages(self.size, self.outwards)
            if not self.write:
                # as a program with a buffer writes: across messages
                data = b"".join(parts)
                parts = [data[i:i + 7000] for i in range(0, len(data), 7000)]
        return self.write(parts) if self.write else parts

    def run(self, net, bound):
        """What went wrong, or nothing; how long it took; and the longest gap,
        which is at most bound."""
        host, port = ("dr", 8080) if self.kind == "opaque" else ("mdma", 1153)
        sender, receiver = (host, "wan") if self.outwards else ("wan", host)
        options = []
        if self.mss:
            options.append((socket.IPPROTO_TCP, socket.TCP_MAXSEG, self.mss))
        if self.sleepy:
            options.append((socket.SOL_SOCKET, socket.SO_RCVBUF, 16384))
        # The machine calls the other side for opaque streams, and for
        # messages whoever has them.
        server = "wan" if self.kind == "opaque" else receiver
        client = receiver if server == sender else sender
        if self.kind == "opaque" and client == "wan":
            client = host
        ls = net.listener(server, port, ADDR[server], options=options)
        c = net.socket(client)
        for o in options:
            c.setsockopt(*o)
        c.settimeout(STALL)
        begin = time.monotonic()
        try:
            c.connect((ADDR[server], port))
            s, _ = ls.accept()
        except OSError as why:
            return "no connection: %s" % why, 0, 0
        finally:
            ls.close()
        ends = {client: c, server: s}
        if not self.nagle:
            ends[sender].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        r = Receiver(ends[receiver], self.sleepy)
        hashed = hashlib.sha256()
        sent, why = send(ends[sender], self.pieces(), hashed)
        r.join(2 * STALL)
        took = time.monotonic() - begin
        for e in ends.values():
            e.close()
        if why or r.why:
            return "after %d octets sent and %d read: %s" % (
                sent, r.n, why or r.why), took, r.gap
        if sent != r.n or hashed.digest() != r.hash.digest():
            return "sent %d octets, others arrived: %d" % (
                sent, r.n), took, r.gap
        return "" if r.gap <= bound else "nothing came for %.1f s" % r.gap, \
            took, r.gap


def plan(long):
    m = MIB if long else MIB // 16
    out = []
    for kind in ("opaque", "c1222"):
        for outwards in (True, False):
            way = ", outwards" if outwards else ", inwards"
            k = kind + way

            def add(text, size, k=k, kind=kind, outwards=outwards, **how):
                out.append(Transfer("%s: %s" % (k, text), kind, outwards,
                                    int(size), **how))
            big = {"opaque": 50 * m, "c1222": 4 * m}[kind]
            add("in one go", big)
            add("segments of 536", big / 4, mss=536)
            add("closed windows", 2 * m, sleepy=True)
            small = MIB if long else MIB // 64
            add("half a message at a time, Nagle", small, write=halves,
                nagle=True)
            add("one octet at a time, Nagle", small / (1 if long else 4),
                write=octets, nagle=True)
    return out


# (name, relays: host -> impairments)
WIRES = [("no loss", {}),
         ("1 % loss on the machine's side",
          {"mdma": ("ab.loss=1", "ba.loss=1"),
           "dr": ("ab.loss=1", "ba.loss=1")}),
         ("1 % loss on the outside", {"wan": ("ab.loss=1", "ba.loss=1")})]


def main():
    report = Report()
    options = [a for a in sys.argv[1:] if a.startswith("--")]
    wanted = [a for a in sys.argv[1:] if not a.startswith("--")]
    if "--open" not in options:
        need_live(report)
    for wire, relays in WIRES:
        todo = [t for t in plan("--long" in options) if not wanted or
                any(w in t.name + ", " + wire for w in wanted)]
        if relays and "--long" not in options and not wanted:
            # the short form: what is most likely to stall
            todo = [t for t in todo if "536" in t.name or "half" in t.name]
        if not todo:
            continue
        with Net() as net:
            for host, what in relays.items():
                Relay(net, host, *what)
            if "--open" in options:
                run(report, net, todo, wire, relays)
            else:
                with Gate(net, os.path.join(HERE, "evasion"),
                          offload=str("--offload" in options).lower()):
                    run(report, net, todo, wire, relays)
    report.done()


def run(report, net, todo, wire, lossy):
    for t in todo:
        wrong, took, gap = t.run(net, GAP_LOST if lossy else GAP)
        report.check("%s, %s: %.1f MiB/s, longest gap %.2f s" % (
            t.name, wire, t.size / MIB / max(took, 1e-3), gap), wrong)


if __name__ == "__main__":
    main()
