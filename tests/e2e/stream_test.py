#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The audit over HTTP while the gateway works: what a reader gets is what the
log holds, line for line, from whatever number it began, whoever is killed
meanwhile."""
import json
import os
import random
import signal
import socket
import subprocess

from lib import ADDR, Gate, Net, Report, need_live, program, until
from stream import Reader

RECORDS = 25  # at least so many come during the test; alike ones are merged


def traffic(net, n):
    """Datagrams of a guest that its policy refuses and permits."""
    s = net.socket("dr", kind=socket.SOCK_DGRAM)
    for i in range(n):
        s.sendto(b"\0x%d" % i, (ADDR["wan"], 9 if i % 2 else 8080))
        s.sendto(b"\0x%d" % i, (ADDR["lan"], 1000 + i))
    s.close()


def compare(report, what, got, log, first):
    want = dict(enumerate(log[first:], first))
    missing = sorted(set(want) - set(got))
    other = [n for n in got if n in want and got[n] != want[n]]
    report.check(what, "%d missing, first %s; %d differ, first %s" %
                 (len(missing), missing[:1], len(other), other[:1])
                 if missing or other else "")


def proofs(report, gate):
    """What the courier gives, checked by who has only the log's public key."""
    key = gate.audit + ".vkey"
    for what, path in (
            ("inclusion", "/v1/proof/inclusion?index=3"),
            ("consistency", "/v1/proof/consistency?old=%s")):
        note = fetch(gate, "/v1/checkpoint")
        old = os.path.join(gate.work, "old.note")
        if "%s" in path:
            with open(old, "wb") as f:
                f.write(note)
            path = path % note.splitlines()[1].decode()
        proof = os.path.join(gate.work, "proof")
        with open(proof, "wb") as f:
            f.write(fetch(gate, path))
        done = subprocess.run(
            [program("metergate-audit"), "check-proof", "--key", key] +
            (["--old", old] if what == "consistency" else []) + [proof],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            check=False)
        report.check("a proof of %s holds" % what,
                     done.stdout if done.returncode else "")


def fetch(gate, path):
    """A whole answer, by a well-known client."""
    out = subprocess.run(
        ["curl", "-sS", "-f", "--max-time", "20", "--unix-socket",
         os.path.join(gate.work, "run", "metrics"), "http://meter" + path],
        check=True, stdout=subprocess.PIPE)
    return out.stdout


def plain(gate, query):
    return fetch(gate, "/v1/audit" + query).splitlines()


def main():
    report = Report()
    need_live(report)
    rng = random.Random(6)
    with Net() as net, Gate(net) as gate:
        # The wall clock's jumps would end nothing here.
        early = Reader(gate, 0)
        traffic(net, 10)
        late = Reader(gate, 5)
        for i in range(6):
            traffic(net, 5)
            who = ("courier", "scribe")[i % 2]
            pid = gate.processes()[who]
            os.kill(pid, signal.SIGKILL)
            until(lambda: gate.processes().get(who, pid) != pid, 30)
        until(gate.ready, 30)
        # Alike ones within a second are one record: it takes as long as it
        # takes until there are some.
        until(lambda: traffic(net, 2) or len(gate.lines()) >= RECORDS, 60,
              0.5)
        size = len(gate.lines())
        report.expect("there are records", size >= RECORDS, size)
        for r in (early, late):
            until(lambda: r.next >= size, 30)
            r.stopping = True
        part = rng.randrange(size)
        lines = plain(gate, "?from=%d" % part)
        whole = plain(gate, "")
        filtered = plain(gate, "?guest=dr&verdict=deny&limit=3")
        log = gate.lines()
        compare(report, "events from the start, through deaths", early.lines,
                log[:size], 0)
        compare(report, "events from a number", late.lines, log[:size], 5)
        report.check("none comes twice", early.doubled + late.doubled)
        report.expect("they were cut off, and came back",
                      early.connections > 1, early.connections)
        report.expect("NDJSON from a number is the log from there",
                      lines == log[part:part + len(lines)] and
                      len(lines) >= size - part,
                      (part, len(lines)))
        report.expect("NDJSON is what export writes",
                      whole == log[:len(whole)] and len(whole) >= size,
                      len(whole))
        proofs(report, gate)
        report.expect("a filter and a limit",
                      len(filtered) == 3 and
                      all(json.loads(x)["metergate"]["guest"] == "dr" and
                          json.loads(x)["metergate"]["verdict"] == "deny"
                          for x in filtered),
                      filtered)
    report.done()


main()
