#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A machine that is refused again and again does not fill the log, and every
refusal is in it: as a record, or in the count of one. Also when the engine or
the scribe is killed in the middle of counting, or, some seconds later, all of
the daemon, with what its processes share.

usage: storm_test.py [MESSAGES]     (600)
"""
import os
import signal
import socket
import sys
import time

import c1222
from lib import ADDR, Gate, Net, Report, alive, need_live, until

PATIENCE = 20


def refused(i):
    """A write that no rule of mdma grants; each is another message."""
    return c1222.apdu(c1222.HEADEND, c1222.METER, (5 << 28) + i,
                      [c1222.write(28, b"\x55" * 8)])


def count(records):
    """Refusals of mdma: how many there were, how many records tell them."""
    mine = [r for r in records
            if r["event_type"] == "violation" and
            r["metergate"].get("guest") == "mdma" and
            r["metergate"].get("verdict") == "deny"]
    return (sum(r["metergate"].get("count", 1) for r in mine), len(mine))


def denied(gate):
    """As the engine that runs counts them."""
    return gate.guest("mdma").get("denied", 0)


def storm(net, gate, first, n, in_the_middle=None):
    """Sends n, waits until the engine has judged them; then, while they are
    only counted, something happens."""
    before = denied(gate)
    with net.socket("mdma", kind=socket.SOCK_DGRAM) as s:
        for i in range(n):
            s.sendto(refused(first + i), (ADDR["wan"], 1153))
            if i % 50 == 49:
                time.sleep(0.005)
        judged = until(lambda: denied(gate) - before >= n, PATIENCE)
    if not judged:
        return "judged %d of %d" % (denied(gate) - before, n)
    if in_the_middle:
        in_the_middle()
    return None


def killer(gate, name):
    def kill():
        pid = gate.processes()[name]
        os.kill(pid, signal.SIGKILL)
        until(lambda: not alive(pid), PATIENCE)
        until(lambda: gate.processes().get(name, pid) != pid and gate.ready(),
              PATIENCE)
    return kill


def all_killer(gate):
    def kill():
        time.sleep(4)  # what came in the last 3 s may be lost
        gate.kill_all()
        gate.start()
    return kill


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 600
    report = Report()
    need_live(report)
    with Net() as net, Gate(net) as gate:
        wrong, first = [], 0
        for what in (None, "engine[mdma]", "scribe", "engine[mdma]", "all"):
            got = storm(net, gate, first, n,
                        None if not what else all_killer(gate)
                        if what == "all" else killer(gate, what))
            wrong += [got] if got else []
            first += n
            time.sleep(1.2)
        report.check("all are judged", wrong)
        gate.stop()
        total, told = count(gate.records())
        report.check("every refusal is in the log",
                     total != 5 * n and "%d of %d" % (total, 5 * n))
        # A hundred in an hour, whoever dies meanwhile, and one count; the
        # daemon that was killed with all of it had none in memory only.
        report.check("the log is not filled with them",
                     told > 110 and "%d records" % told)
        report.note("%d refusals in %d records" % (total, told))
    report.done()


if __name__ == "__main__":
    sys.exit(main())
