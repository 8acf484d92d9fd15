# SPDX-License-Identifier: Apache-2.0
"""The testbed of what the kernel makes of the rules: a socket on every host,
somebody who reads the queues in the gateway's place, and the rows of a test."""
import os
import re
import select
import socket
import struct
import subprocess
import threading

from lib import ADDR, ADDR6, BUILD, Net, Report, inside, until

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
ALL = [(s, d, f) for s, d in PAIRS for f in ("IPv4", "IPv6")]


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


# --- rows --------------------------------------------------------------------


def equal(what, got, want):
    if isinstance(got, list) and isinstance(want, list):
        wrong = "too much: %s, missing: %s" % (
            [x for x in got if x not in want],
            [x for x in want if x not in got])
    else:
        wrong = "got %s, wanted %s" % (got, want)
    report.expect(what, got == want, wrong)


def holds(what, true, otherwise):
    """otherwise: what to say when it is not, even if there is nothing."""
    report.expect(what, true, str(otherwise) or "it does not")
