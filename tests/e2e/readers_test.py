#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A hundred readers of the audit during load: some read all, some slowly, some
never, some come and go, and beside them are some that speak HTTP badly. The
gate answers every question all the same and records each; every record that a
reader was given is the one of the log, none is left out and none comes twice,
from whatever number he went on; and scribe and courier stay within bounds.

usage: readers_test.py [SECONDS]     (8; soak: 60)
"""
import hashlib
import multiprocessing
import os
import random
import selectors
import socket
import sys
import time

import recorded
import talk
from lib import ADDR, Gate, Net, Report, Tap, inside, need_live, until

PORT = 8480
ALL, SLOW, NEVER, COMING = 55, 15, 20, 10  # a hundred
OPERATORS = 40  # of those, on the operator's socket
BAD = 12
PATIENCE = 5.0   # for an answer of the meter, on any machine
CATCH_UP = 120.0  # for readers to be where the log is, on any machine
ANON_KIB = 24 << 10  # of scribe or courier: heap and stack


class Reader:
    """Events from a number on; went on with where it was cut off."""

    def __init__(self, pool, first, unix, kind):
        self.pool, self.first, self.next = pool, first, first
        self.unix, self.kind = unix, kind
        self.digest, self.wrong, self.connections = hashlib.sha256(), "", 0
        self.due = 0.0
        self.open()

    def open(self):
        self.rest, self.head, self.text = b"", True, b""
        self.s = self.pool.connect(self.unix)
        self.connections += 1
        self.due = time.monotonic()
        ask = b"GET /v1/audit?from=%d HTTP/1.1\r\nHost: m\r\nAccept: " \
            b"text/event-stream\r\n" % self.first
        if self.next > self.first:
            ask += b"Last-Event-ID: %d\r\n" % (self.next - 1)
        self.s.sendall(ask + b"\r\n")
        self.s.setblocking(False)
        if self.kind == "all":
            self.pool.selector.register(self.s, selectors.EVENT_READ, self)

    def read(self, n):
        try:
            got = self.s.recv(n)
        except BlockingIOError:
            return
        except OSError:
            got = b""
        if not got:
            self.again()
            return
        self.rest += got
        if self.head and b"\r\n\r\n" in self.rest:
            head, self.rest = self.rest.split(b"\r\n\r\n", 1)
            self.head = False
            if b" 200 " not in head:
                self.wrong = self.wrong or repr(head[:80])
        while not self.head and self.chunk():
            pass

    def chunk(self):
        size, found, rest = self.rest.partition(b"\r\n")
        if not found:
            return False
        n = int(size, 16)
        if len(rest) < n + 2:
            return False
        self.text += rest[:n]
        self.rest = rest[n + 2:]
        while b"\n\n" in self.text:
            event, self.text = self.text.split(b"\n\n", 1)
            self.take(event)
        return True

    def take(self, event):
        rows = dict(x.split(b": ", 1) for x in event.split(b"\n")
                    if b": " in x)
        if b"id" not in rows:
            return
        if int(rows[b"id"]) != self.next:
            self.wrong = self.wrong or "%s came, not %d" % (
                rows[b"id"], self.next)
        self.digest.update(rows[b"data"] + b"\n")
        self.next += 1

    def again(self):
        if self.kind == "all":
            self.pool.selector.unregister(self.s)
        self.s.close()
        self.open()

    def leave(self):
        """Cut off in the middle of whatever comes, and back again."""
        self.again()


class Bad:
    """Who speaks HTTP badly, again and again."""

    WAYS = ("loris", "half", "huge", "garbage", "post", "gone")

    def __init__(self, pool, way, unix):
        self.pool, self.way, self.unix = pool, way, unix
        self.s, self.due, self.at, self.n = None, 0.0, 0, 0

    def turn(self, now):
        if now < self.due:
            return
        self.due = now + 0.25
        try:
            if not self.s:
                self.s = self.pool.connect(self.unix)
                self.s.setblocking(False)
                self.at, self.n = 0, self.n + 1
            getattr(self, self.way)()
        except BlockingIOError:
            pass
        except OSError:
            self.end()

    def end(self):
        if self.s:
            self.s.close()
        self.s = None

    def loris(self):
        text = b"GET /v1/audit HTTP/1.1\r\nHost: m\r\nX: " + b"a" * 9000
        self.s.send(text[self.at:self.at + 1])
        self.at += 1

    def half(self):
        if self.at == 0:
            self.s.send(b"GET /v1/audit?fr")
        self.at = 1
        self.s.recv(1)

    def huge(self):
        self.s.send(b"GET /v1/status HTTP/1.1\r\nX: " + b"a" * 65536)
        self.end()

    def garbage(self):
        self.s.send(os.urandom(700) + b"\r\n\r\n")
        self.end()

    def post(self):
        if self.at == 0:
            self.s.send(b"POST /v1/cosignature?size=1 HTTP/1.1\r\nHost: m\r\n"
                        b"Content-Length: 1000000000\r\n\r\n")
        self.at = 1
        self.s.send(b"x" * 4096)

    def gone(self):
        self.s.send(b"GET /metrics HTTP/1.1\r\nHost: m\r\n\r\n" * 8)
        self.end()


class Pool:
    def __init__(self, work, ns):
        self.work, self.ns = work, ns
        self.selector = selectors.DefaultSelector()

    def connect(self, unix):
        if unix:
            s = socket.socket(socket.AF_UNIX)
        else:
            with inside(self.ns):
                s = socket.socket()
        s.settimeout(10)
        while True:
            try:
                s.connect(os.path.join(self.work, "run", "metrics") if unix
                          else (ADDR["gw"], PORT))
                return s
            except (BlockingIOError, socket.timeout):
                time.sleep(0.01)

    def run(self, pipe):
        rng = random.Random(1)
        os.nice(5)
        kinds = ["all"] * ALL + ["slow"] * SLOW + ["never"] * NEVER + \
            ["coming"] * COMING
        rng.shuffle(kinds)
        readers = [Reader(self, 3 * i, i < OPERATORS,
                          "all" if k == "coming" else k)
                   for i, k in enumerate(kinds)]
        coming = [r for r, k in zip(readers, kinds) if k == "coming"]
        bad = [Bad(self, Bad.WAYS[i % len(Bad.WAYS)], i % 2)
               for i in range(BAD)]
        goal, leaves = None, 0.0
        pipe.send("there")
        while goal is None or any(r.kind == "all" and r.next < goal
                                  for r in readers):
            for key, _ in self.selector.select(0.02):
                key.data.read(65536)
            now = time.monotonic()
            for r in readers:
                if r.kind == "slow" and now > r.due:
                    r.due = now + 0.2
                    r.read(256)
            for b in bad:
                b.turn(now)
            if goal is None and now > leaves:
                leaves = now + 0.3
                rng.choice(coming).leave()
            if pipe.poll():
                goal = pipe.recv()
                if goal < 0:
                    break
        pipe.send([(r.kind, r.first, r.next, r.digest.hexdigest(), r.wrong,
                    r.connections) for r in readers] +
                  [sum(b.n for b in bad)])


def anonymous(pid):
    with open("/proc/%d/status" % pid, encoding="ascii") as f:
        for line in f:
            if line.startswith("RssAnon:"):
                return int(line.split()[1])
    return 0


def follow(gate, pids, seconds):
    most = {k: 0 for k in pids}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for kind, pid in pids.items():
            most[kind] = max(most[kind], anonymous(pid))
        time.sleep(0.25)
    return most


def told(report, readers, lines):
    wrong = []
    for kind, first, last, digest, why, _ in readers:
        text = b"".join(x + b"\n" for x in lines[first:last])
        if why or last > len(lines) or \
                hashlib.sha256(text).hexdigest() != digest:
            wrong.append("%s from %d to %d: %s" % (kind, first, last, why))
    report.check("what each reader was told is the log, none left out, none "
                 "twice", wrong[:3])
    by = lambda k: [r for r in readers if r[0] == k]
    report.note("%d readers to the end, %d slow ones had %d to %d records, %d "
                "connections" % (
                    len(by("all")), len(by("slow")),
                    min(r[2] - r[1] for r in by("slow")),
                    max(r[2] - r[1] for r in by("slow")),
                    sum(r[5] for r in readers)))
    report.check("who came back went on",
                 "" if sum(r[5] for r in by("all")) > ALL + 2 * COMING
                 else "they were not cut off")
    report.expect("slow ones were told some",
                  any(r[2] > r[1] for r in by("slow")), by("slow"))


def main():
    report = Report()
    need_live(report)
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 8.0
    with Net() as net:
        net.neighbours()
        with Gate(net, listen=ADDR["gw"], portal='"*"') as gate:
            meter = talk.Meter(net)
            here, there = multiprocessing.Pipe()
            readers = multiprocessing.Process(
                target=lambda: Pool(gate.work, net.ns("gw")).run(there),
                daemon=True)
            readers.start()
            here.recv()
            tap = Tap(net, "wan")
            pids = {k: p for k, p in gate.processes().items()}
            askers = [talk.Asker(net, "udp", (t,), every=0.002,
                                 patience=PATIENCE) for t in (1, 0, 63)]
            most = follow(gate, {k: pids[k] for k in ("scribe", "courier")},
                          seconds)
            for a in askers:
                a.stop()
            meter.stop()
            frames = tap.stop()
            # Every merged one has its record when its second is over.
            time.sleep(1.5)
            size = len(gate.lines())
            here.send(size)
            got = here.recv() if here.poll(CATCH_UP) else None
            report.check("readers come to the end of the log", "" if got
                         else "not to %d" % size)
            report.check("nobody had to be started again", "" if until(
                lambda: gate.processes() == pids, 2) else "%s, %s" % (
                    pids, gate.processes()))
            readers.kill()
            gate.stop()
            asked = sum(a.asked for a in askers)
            report.check("the gate let every answer through", "" if
                         sum(a.lost for a in askers) <= len(askers) and
                         asked > 20 * seconds else "%d of %d" % (
                             sum(a.lost for a in askers), asked))
            _, lines = recorded.unrecorded(report, gate, frames)
            report.expect("memory of scribe and courier is bounded",
                          max(most.values()) <= ANON_KIB, most)
            report.note("of their own: %s KiB; %d times it was asked badly" %
                        (most, got[-1] if got else 0))
            if got:
                told(report, got[:-1], lines)
            recorded.whole(report, gate)
    report.done()


main()
