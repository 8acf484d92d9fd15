# SPDX-License-Identifier: Apache-2.0
"""Is anything forbidden among the packets that arrived? Two judges: the
octets themselves, which are marked, and tshark, which shares no code with
the gateway, on every stream and datagram that any receiver could put
together (receivers.py) as well as on the packets as they are."""
import os
import shutil
import subprocess
import tempfile

import evasions
import receivers
from packets import (ACK, PSH, SYN, TCP, UDP, ether, ip4, tcp, udp,
                     write_pcap)

MARK = [(evasions.FORBIDDEN * 2)[i:i + 4] for i in range(4)]
FIELDS = ["frame.number", "ip.src", "c1222.cmd", "c1222.read.table",
          "c1222.write.table", "c1222.procedure.num", "c1222.err"]
ALL_READ = {0, 61, 62, 63}


def marked(octets):
    return any(m in octets for m in MARK)


def side_of(frame):
    """Who sent a frame of the scripts: by its MAC address."""
    return evasions.GUEST if frame[6:12] == evasions.MAC[evasions.GUEST] \
        else evasions.WAN


def whole_messages(octets, allowed, partial):
    """Is it one allowed message after another?"""
    while octets:
        if partial and any(m.startswith(octets) for m in allowed):
            return True
        for m in allowed:
            if octets.startswith(m):
                octets = octets[len(m):]
                break
        else:
            return False
    return True


def trimmed(frame):
    """The frame without what lies behind its packet: nobody reads that, and
    no IP stack forwards it."""
    ip = receivers.network(frame)
    if ip is None:
        return frame
    at = frame.find(ip[1]) if ip[1] else -1
    return frame[:at + len(ip[1])] if at >= 0 else frame


def judge(case, frames, oracle=None):
    """What is wrong with the frames that arrived at the case's receiver."""
    wrong = []
    frames = [trimmed(f) for f in frames]
    for f in frames:
        if marked(f):
            wrong.append("a forbidden packet left: " + f.hex())
        ip = receivers.network(f)
        if ip is None:
            if f[12:14] not in (b"\x08\x06",):
                wrong.append("no IP: " + f[:40].hex())
            continue
        src, dst = (ip[1][12:16], ip[1][16:20]) if ip[0] == 4 else \
            (ip[1][8:24], ip[1][24:40])
        if src not in evasions.PARTIES or dst not in evasions.PARTIES:
            wrong.append("a stranger's packet left: " + f.hex())
    streams, others = receivers.everything(frames)
    for octets in streams | others:
        if marked(octets):
            wrong.append("some receiver reads " + octets.hex())
    taken, datagrams = receivers.plain(frames)
    for s in taken:
        if not whole_messages(s, case.allowed, case.partial):
            wrong.append("not only whole allowed messages: " + s.hex())
    for d in datagrams:
        if d not in case.allowed:
            wrong.append("not an allowed datagram: " + d.hex())
    if case.want == "pass":
        if taken != ({case.stream} if case.stream else set()):
            wrong.append("the stream did not arrive: %s" %
                         [s.hex() for s in taken])
        if datagrams != case.datagrams:
            wrong.append("the datagram did not arrive")
    if oracle:
        oracle.add(case.name, streams, others)
        oracle.raw(case.name, frames)
    return wrong


class Oracle:
    """Collects what receivers could read and has tshark decode it at once."""

    def __init__(self):
        self.packets, self.names, self.raw_packets = [], [], []

    @staticmethod
    def there():
        return shutil.which("tshark") is not None

    def source(self, name):
        self.names.append(name)
        n = len(self.names) - 1
        return bytes([10, 64 | n >> 16, n >> 8 & 255, n & 255])

    def frame(self, packet):
        us = len(self.packets) * 1000
        self.packets.append((us, ether(bytes(6), bytes(6), 0x0800, packet)))

    def add(self, name, streams, others):
        dst = bytes([10, 128, 0, 1])
        for octets in sorted(streams):
            src = self.source(name)
            self.frame(ip4(src, dst, TCP, tcp(src, dst, 1153, 1153, 0, 0,
                                              SYN)))
            self.frame(ip4(dst, src, TCP, tcp(dst, src, 1153, 1153, 0, 1,
                                              SYN | ACK)))
            for at in range(0, len(octets), 1400):
                data = octets[at:at + 1400]
                self.frame(ip4(src, dst, TCP, tcp(
                    src, dst, 1153, 1153, 1 + at, 1, ACK | PSH, data)))
        for octets in sorted(others):
            src = self.source(name)
            if len(octets) < 60000:
                self.frame(ip4(src, dst, UDP, udp(src, dst, 1153, 1153,
                                                  octets)))

    def raw(self, name, frames):
        for f in frames:
            self.raw_packets.append((len(self.raw_packets) * 1000, f, name))

    def decode(self, path, options):
        args = ["tshark", "-r", path, "-n", "-T", "fields", "-E",
                "occurrence=a", "-E", "aggregator=,"]
        for o in ["c1222.baseoid:2.16.124.113620.1.22.0"] + options:
            args += ["-o", o]
        for f in FIELDS:
            args += ["-e", f]
        done = subprocess.run(args, capture_output=True, check=False)
        if done.returncode != 0:
            raise RuntimeError("tshark: " + done.stderr.decode().strip())
        return [line.split("\t")
                for line in done.stdout.decode().splitlines()]

    def verdicts(self, tables=ALL_READ):
        """[(case, what)] of everything forbidden that tshark sees; and how
        many services it saw at all."""
        wrong, seen = [], 0
        with tempfile.TemporaryDirectory() as work:
            path = os.path.join(work, "streams.pcap")
            write_pcap(path, self.packets)
            for row in self.decode(path, []):
                name = self.name_of(row[1])
                seen += bool(row[2])
                wrong += [(name, w) for w in bad(row, tables)]
            path = os.path.join(work, "raw.pcap")
            write_pcap(path, [p[:2] for p in self.raw_packets])
            for options in ([], ["tcp.reassemble_out_of_order:TRUE"],
                            ["tcp.check_checksum:TRUE"]):
                for row in self.decode(path, options):
                    name = self.raw_packets[int(row[0]) - 1][2]
                    wrong += [(name, w) for w in bad(row, tables)]
        return wrong, seen

    def name_of(self, text):
        if not text:
            return "?"
        a = [int(x) for x in text.split(",")[0].split(".")]
        n = (a[1] & 63) << 16 | a[2] << 8 | a[3]
        return self.names[n] if a[1] & 64 and n < len(self.names) else "?"


def decoded(row):
    """Does the line show a service, or a response to one?"""
    return bool(row[2] or row[6])


def numbers(text):
    return [int(x, 0) for x in text.split(",") if x]


def bad(row, tables):
    """What a line of tshark's says that no policy of the tests grants."""
    _, _, cmd, read, write, procedure, _ = row
    out = ["service %#x" % c for c in numbers(cmd) if 0x40 <= c <= 0x4F]
    out += ["read of table %d" % t for t in numbers(read) if t not in tables]
    out += ["write of table %d" % t for t in numbers(write)]
    out += ["procedure %d" % p for p in numbers(procedure)]
    return out
