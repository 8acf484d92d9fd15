#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How much memory the gateway takes when each of three machines has as many
connections as it may have, each of which said something: all processes
together, pages that they share counted once.

usage: memory_test.py [FLOWS]       of each machine (4096)

The aim is 16 MiB, which is reported; the test fails at 36.
"""
import resource
import socket
import sys
from multiprocessing import Pipe, Process

import c1222
import talk
from lib import ADDR, Gate, Net, Report, need_live, until

AIM, MOST = 16.0, 36.0  # MiB; the ledger of each guest is kept twice
BATCH = 64
# client, server, port: the connections of one machine
WAYS = (("dr", "wan", 8080), ("portal", "lan", 8080), ("wan", "mdma", 1153))


def pairs(net, client, server, port, n):
    """n connections, as (client's socket, server's socket)."""
    listener = net.listener(server, port, ADDR[server])
    found = []
    while len(found) < n:
        batch = []
        for _ in range(min(BATCH, n - len(found))):
            s = net.socket(client)
            s.settimeout(10)
            s.connect((ADDR[server], port))
            batch.append(s)
        for s in batch:
            t, _ = listener.accept()
            t.settimeout(10)
            found.append((s, t))
    listener.close()
    # In the order of the clients, as answers belong to questions.
    by_name = {t.getpeername(): t for _, t in found}
    return [(s, by_name[s.getsockname()]) for s, _ in found]


def exchange(s, t, ask, answer):
    s.sendall(ask)
    got = t.recv(4096)
    t.sendall(answer)
    return got == ask and s.recv(4096) == answer


def read_identity(images, i):
    ask = talk.request(1000 + i, 1)
    return ask, c1222.apdu(c1222.HEADEND, c1222.METER, 100000 + i,
                           [c1222.answer(images[1])], answers=1000 + i,
                           control=0x82)


def talk_on(way, connections):
    """How many of them did not say what they were to say."""
    images, bad = talk.tables(), 0
    for i, (s, t) in enumerate(connections):
        ask, answer = read_identity(images, i) if way[2] == 1153 else \
            (b"opaque %06d" % i, b"sealed %06d" % i)
        try:
            bad += not exchange(s, t, ask, answer)
        except OSError:
            bad += 1
    return bad


def parts(gate):
    """{process: (MiB of its own, its share of what is shared)}."""
    found = {}
    for name, pid in gate.processes().items():
        with open("/proc/%d/smaps_rollup" % pid, encoding="utf-8") as f:
            rows = {x.split(":")[0]: int(x.split()[1]) for x in f
                    if x.split()[-1] == "kB"}
        own = rows["Private_Clean"] + rows["Private_Dirty"]
        found[name] = (own / 1024, (rows["Pss"] - own) / 1024)
    return found


def total(gate):
    return sum(a + b for a, b in parts(gate).values())


def machine(net, way, flows, pipe):
    """A process for each, as descriptors are limited; ends with the pipe."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    connections = pairs(net, *way, flows)
    pipe.send(talk_on(way, connections))
    pipe.recv()


def main():
    report = Report()
    need_live(report)
    flows = int(sys.argv[1]) if len(sys.argv) > 1 else 4096
    with Net() as net:
        net.neighbours()
        with Gate(net, max_flows=flows) as gate:
            report.note("before the first packet: %.1f MiB" % total(gate))
            pipes = []
            for way in WAYS:
                ours, theirs = Pipe()
                Process(target=machine, args=(net, way, flows, theirs),
                        daemon=True).start()
                theirs.close()
                pipes.append(ours)
            for way, pipe in zip(WAYS, pipes):
                bad = pipe.recv()
                report.check("%d connections of %s to %s say something" % (
                    flows, way[0], way[1]), bad and "%d do not" % bad)
            now = until(lambda: [g["flows_now"] for g in
                                 gate.ask("guests")[1:]] == [flows] * 3)
            report.expect("every machine has as many flows as it may have",
                          now, gate.ask("guests")[1:])
            sizes = parts(gate)
            for name, (own, shared) in sizes.items():
                report.note("%-14s %5.2f MiB of its own, %5.2f of what is "
                            "shared" % (name, own, shared))
            size = sum(a + b for a, b in sizes.values())
            report.check("all processes: %.1f MiB (the aim is %.0f)" % (
                size, AIM), "more than %.0f" % MOST if size > MOST else "")
            for pipe in pipes:
                pipe.send(None)
    report.done()


if __name__ == "__main__":
    main()
