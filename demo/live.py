#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The demo, second form: a meter in network namespaces. The gateway runs
between three guests and the head end; a head end reads what it may and what it
may not; tshark says what was on the outside link.

Everything it writes is under build/demo/live. Needs root and the kernel's
queue; without them it says so."""
import os
import shutil
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "e2e"))

import c1222  # noqa: E402
import talk  # noqa: E402
from lib import (ADDR, BUILD, PCAPS, Gate, Net, Recorder, Report,  # noqa: E402
                 need_live, program, until)

OUT = os.path.join(BUILD, "demo", "live")
NAMES = {0: "general configuration", 1: "identity", 23: "registers",
         25: "month's end", 27: "what is shown on the display",
         28: "power at this moment", 42: "passwords", 45: "keys",
         64: "load profile"}


def title(text):
    print("\n== " + text, flush=True)


class HeadEnd:
    """Asks over UDP and tells what came back."""

    def __init__(self, net):
        self.s = net.socket("wan", kind=socket.SOCK_DGRAM)
        self.s.bind((ADDR["wan"], 1153))
        self.s.settimeout(1.0)
        self.inv = 100

    def ask(self, table):
        self.inv += 1
        self.s.sendto(talk.request(self.inv, table), (ADDR["mdma"], 1153))
        try:
            got = self.s.recv(65536)
            if c1222.refused(got):
                return "refused: code %d, said by the gateway" % got[-1]
            return "%d octets came back" % len(got)
        except socket.timeout:
            return "no answer"


def ask_in_pieces(net, tables, size):
    """The same over TCP, cut into pieces of so many octets."""
    s = net.socket("wan")
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s.settimeout(5.0)
    got = 0
    try:
        s.connect((ADDR["mdma"], 1153))
        for inv, table in enumerate(tables, 1 << 16):
            message = talk.request(inv, table)
            for i in range(0, len(message), size):
                s.sendall(message[i:i + size])
                time.sleep(0.002)
            data = s.recv(65536)
            if not data:
                return "%d answers, then the connection was closed" % got
            if c1222.refused(data):
                return "%d answers, then code %d and the end, said by the " \
                    "gateway" % (got, data[-1])
            got += 1
    except (BrokenPipeError, ConnectionResetError):
        return "%d answers, then a reset" % got
    except socket.timeout:
        return "%d answers, then nothing" % got
    finally:
        s.close()
    return "%d answers" % got


def ctl(gate, *what):
    subprocess.run([program("metergatectl"), "--socket",
                    os.path.join(gate.work, "run", "control"), *what],
                   check=False)


def decoded(capture):
    """Table numbers in requests and answers on the outside, as tshark reads
    them, and by how many messages."""
    out = subprocess.run(
        ["tshark", "-r", capture, "-Y", "c1222", "-T", "fields", "-e",
         "ip.src", "-e", "c1222.read.table"], capture_output=True, text=True,
        check=False).stdout
    asked, answered = {}, 0
    for line in out.splitlines():
        src, _, table = line.partition("\t")
        if src == ADDR["wan"]:
            for t in filter(None, table.split(",")):
                asked[int(t, 0)] = asked.get(int(t, 0), 0) + 1
        elif src == ADDR["mdma"]:
            answered += 1
    return asked, answered


def conversation(net, gate):
    title("The head end reads over UDP")
    head = HeadEnd(net)
    for table in (1, 23, 23, 25, 25, 28, 42):
        print("  table %-3d %-24s %s" % (table, NAMES[table],
                                         head.ask(table)))
    title("The same over TCP, three octets at a time")
    print("  allowed only:          " + ask_in_pieces(net, [0, 1], 3))
    print("  allowed, then keys:    " + ask_in_pieces(net, [0, 45, 1], 3))
    title("A stranger, and a guest that borrows another's address")
    s = net.socket("wan", kind=socket.SOCK_DGRAM)
    s.bind(("203.0.113.9", 0))
    s.sendto(talk.request(7, 1), (ADDR["mdma"], 1153))
    net.run("dr", "ip", "addr", "add", ADDR["mdma"] + "/32", "dev", "eth0")
    s = net.socket("dr", kind=socket.SOCK_DGRAM)
    s.bind((ADDR["mdma"], 1153))
    s.sendto(talk.request(8, 1), (ADDR["wan"], 1153))
    seen = until(lambda: any(r.get("metergate", {}).get("reason") ==
                             "spoofed-source" for r in gate.records()), 10,
                 0.5)
    print("  the borrowed address: dropped before the queue, " +
          ("counted and audited" if seen else "not audited within 10 s"))
    title("metergatectl guests")
    ctl(gate, "guests")
    title("metergatectl why mdma: refused, and what would have passed")
    ctl(gate, "why", "mdma")
    title("metergatectl budgets mdma")
    ctl(gate, "budgets", "mdma")


def verdict(report, inside, outside, audit):
    title("What was on the wires, decoded by tshark")
    asked, _ = decoded(outside)
    _, left = decoded(outside)
    heard, _ = decoded(inside)
    print("  asked from outside:    tables " +
          ", ".join(str(t) for t in sorted(asked)))
    print("  reached the meter:     tables " +
          ", ".join(str(t) for t in sorted(heard)))
    print("  answers that left:     %d" % left)
    report.check("nothing forbidden reached the meter",
                 set(heard) - {0, 1, 23, 25})
    report.check("something allowed did", not heard)
    title("The audit")
    subprocess.run([program("metergate-audit"), "verify", audit], check=False)
    print("  %s" % audit)


def main():
    report = Report()
    need_live(report)
    shutil.rmtree(OUT, ignore_errors=True)
    os.makedirs(os.path.join(OUT, "gate"))
    outside = os.path.join(OUT, "outside.pcap")
    inside = os.path.join(OUT, "inside.pcap")
    title("Three guests, a gateway and a head end in network namespaces")
    with Net(prefix="demo") as net:
        net.neighbours()
        both = [Recorder(net, "wan", outside, which="inout"),
                Recorder(net, "mdma", inside, which="in")]
        with Gate(net, work=os.path.join(OUT, "gate")) as gate:
            meter = talk.Meter(net)
            ctl(gate, "status")
            conversation(net, gate)
            meter.stop()
        for r in both:
            r.stop()
        verdict(report, inside, outside, gate.audit)
    print("\ncaptures and the gateway's files: " + OUT)
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
