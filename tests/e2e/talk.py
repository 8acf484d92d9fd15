# SPDX-License-Identifier: Apache-2.0
"""Traffic that policy allows, kept up by threads: a meter that answers reads
of its tables and a head end that asks, over UDP and TCP; an opaque stream of
datagrams for the other machines. Each counts what was asked, what was
answered and how long it took."""
import json
import os
import random
import socket
import threading
import time

import c1222
from lib import ADDR, PCAPS

BUFFER = 65536


def tables():
    with open(os.path.join(PCAPS, "meter_A_tables.json"),
              encoding="utf-8") as f:
        return {int(n): bytes.fromhex(t["hex"])
                for n, t in json.load(f)["tables"].items()}


def request(inv, *which):
    return c1222.apdu(c1222.METER, c1222.HEADEND, inv,
                      [c1222.read(t) for t in which])


def parse(message):
    """(invocation id, tables) of a request made above, or None."""
    try:
        at = message.index(b"\xa8\x06\x02\x04") + 4
        inv = int.from_bytes(message[at:at + 4], "big")
        at = message.index(b"\xbe", at + 4)  # not in the number itself
        at = message.index(b"\x81", at) + 2
        found, at = [], at + 1
        while at < len(message):
            n = message[at]
            pdu = message[at + 1:at + 1 + n]
            if pdu[0] != 0x30:
                return None
            found.append(int.from_bytes(pdu[1:3], "big"))
            at += 1 + n
        return inv, found
    except (ValueError, IndexError):
        return None


class Thread(threading.Thread):
    def __init__(self):
        super().__init__(daemon=True)
        self.stopping = False

    def stop(self):
        self.stopping = True
        self.join(30)


class Meter(Thread):
    """Answers reads on UDP and TCP port 1153."""

    def __init__(self, net, host="mdma", cut=lambda data: [data],
                 nagle=False):
        super().__init__()
        self.images, self.cut, self.nagle = tables(), cut, nagle
        self.inv, self.lock = 1 << 24, threading.Lock()
        self.udp = net.socket(host, kind=socket.SOCK_DGRAM)
        self.udp.bind((ADDR[host], 1153))
        self.udp.settimeout(0.1)
        self.tcp = net.listener(host, 1153, ADDR[host])
        self.tcp.settimeout(0.1)
        self.others = []
        self.start()
        for f in (self.accept,):
            t = threading.Thread(target=f, daemon=True)
            t.start()
            self.others.append(t)

    def stop(self):
        super().stop()
        for t in self.others:
            t.join(30)
        self.udp.close()
        self.tcp.close()

    def answer(self, message):
        asked = parse(message)
        if asked is None:
            return None
        with self.lock:
            self.inv += 1
            inv = self.inv
        return c1222.apdu(c1222.HEADEND, c1222.METER, inv,
                          [c1222.answer(self.images[t]) for t in asked[1]],
                          answers=asked[0], control=0x82)

    def run(self):
        while not self.stopping:
            try:
                m, who = self.udp.recvfrom(BUFFER)
                reply = self.answer(m)
                if reply:
                    self.udp.sendto(reply, who)
            except OSError:
                continue

    def accept(self):
        while not self.stopping:
            try:
                s, _ = self.tcp.accept()
            except OSError:
                continue
            threading.Thread(target=self.serve, args=(s,),
                             daemon=True).start()

    def serve(self, s):
        s.settimeout(0.5)
        if not self.nagle:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = b""
        while not self.stopping:
            try:
                more = s.recv(BUFFER)
            except TimeoutError:
                continue
            except OSError:
                break
            if not more:
                break
            messages, stream = c1222.cut(stream + more)
            try:
                for m in messages:
                    reply = self.answer(m)
                    for piece in self.cut(reply) if reply else ():
                        s.sendall(piece)
            except OSError:
                break
        s.close()


class Asker(Thread):
    """A head end that reads one table again and again; UDP: no answer within
    patience is a loss, nothing is asked again. TCP: a connection that breaks
    is opened again."""

    def __init__(self, net, over="udp", which=(1,), every=0.0, patience=1.0,
                 host="wan", meter="mdma", cut=lambda data: [data]):
        super().__init__()
        self.net, self.over, self.which, self.every = net, over, which, every
        self.patience, self.host, self.meter = patience, host, meter
        self.cut = cut
        self.asked = self.answered = self.broken = 0
        self.why = ""
        self.times, self.last, self.longest_gap = [], time.monotonic(), 0.0
        self.inv = (1 << 28) + random.getrandbits(24)
        self.s, self.stream = None, b""
        self.start()

    def note(self, begin):
        now = time.monotonic()
        self.answered += 1
        self.times.append(now - begin)
        self.longest_gap = max(self.longest_gap, now - self.last)
        self.last = now

    def run(self):
        while not self.stopping:
            self.inv += 1
            self.asked += 1
            m = request(self.inv & 0x7FFFFFFF, *self.which)
            begin = time.monotonic()
            try:
                if self.over == "udp":
                    self.ask_udp(m, begin)
                else:
                    self.ask_tcp(m, begin)
            except OSError as why:
                self.broken += 1
                self.why = "%s after %.1f s" % (why or type(why).__name__,
                                                time.monotonic() - begin)
                self.close()
                time.sleep(0.02)
            if self.every:
                time.sleep(self.every)
        self.close()

    def close(self):
        if self.s:
            self.s.close()
        self.s, self.stream = None, b""

    def ask_udp(self, m, begin):
        if not self.s:
            self.s = self.net.socket(self.host, kind=socket.SOCK_DGRAM)
            self.s.bind((ADDR[self.host], 0))
        self.s.sendto(m, (ADDR[self.meter], 1153))
        want = b"\xa4\x06\x02\x04" + m[m.index(b"\xa8\x06\x02\x04") + 4:][:4]
        end = begin + self.patience
        while True:
            self.s.settimeout(max(0.001, end - time.monotonic()))
            got = self.s.recv(BUFFER)
            if want in got:
                self.note(begin)
                return

    def ask_tcp(self, m, begin):
        if not self.s:
            self.s = self.net.socket(self.host)
            self.s.settimeout(self.patience)
            self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.s.connect((ADDR[self.meter], 1153))
        self.s.settimeout(self.patience)
        for piece in self.cut(m):
            self.s.sendall(piece)
        while True:
            messages, self.stream = c1222.cut(self.stream)
            if messages:
                self.note(begin)
                return
            more = self.s.recv(BUFFER)
            if not more:
                raise ConnectionResetError
            self.stream += more

    @property
    def lost(self):
        return self.asked - self.answered

    def percentile(self, p):
        times = sorted(self.times)
        return times[min(len(times) - 1, int(len(times) * p))] if times \
            else float("inf")


class Echo(Thread):
    """Opaque datagrams from a machine to a server and back, one at a time."""

    def __init__(self, net, host, server, port=8080, every=0.0, patience=1.0):
        super().__init__()
        self.asked = self.answered = 0
        self.times, self.longest_gap = [], 0.0
        self.every = every
        self.server = net.socket(server, kind=socket.SOCK_DGRAM)
        self.server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.server.bind((ADDR[server], port))
        self.server.settimeout(0.1)
        self.client = net.socket(host, kind=socket.SOCK_DGRAM)
        self.client.bind((ADDR[host], 0))
        self.client.settimeout(patience)
        self.where = (ADDR[server], port)
        self.closing = False
        self.start()
        self.helper = threading.Thread(target=self.serve, daemon=True)
        self.helper.start()

    def serve(self):
        while not self.closing:
            try:
                m, who = self.server.recvfrom(BUFFER)
                self.server.sendto(m, who)
            except OSError:
                continue

    def run(self):
        last = time.monotonic()
        while not self.stopping:
            self.asked += 1
            m = b"opaque %12d" % self.asked
            begin = time.monotonic()
            try:
                self.client.sendto(m, self.where)
                while self.client.recv(BUFFER) != m:
                    pass
                now = time.monotonic()
                self.answered += 1
                self.times.append(now - begin)
                self.longest_gap = max(self.longest_gap, now - last)
                last = now
            except OSError:
                pass
            if self.every:
                time.sleep(self.every)

    def stop(self):
        super().stop()  # the last answer still comes
        self.closing = True
        self.helper.join(30)
        self.client.close()
        self.server.close()

    lost = Asker.lost
    percentile = Asker.percentile


def greeted(c, s):
    """Both ends say something that nobody reads: until they have, the kernel
    carries nothing."""
    for a, b in ((c, s), (s, c)):
        a.sendall(bytes(20))
        got = b""
        while len(got) < 20:
            more = b.recv(20 - len(got))
            if not more:
                raise OSError("closed")
            got += more


def anywhere(rng):
    """A cut of a write into pieces at random places."""
    def cut(data):
        n = rng.choice((0, 0, 1, 1, 2, 5))
        edges = sorted(rng.sample(range(1, len(data)),
                                  min(n, len(data) - 1)))
        return [data[a:b] for a, b in zip([0] + edges, edges + [len(data)])]
    return cut
