#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Nothing passes that is not recorded, and nothing that was recorded is lost,
whichever process is killed at whatever moment: every answer of the meter that
arrived outside has its record, alone or counted in one; every record that a
reader was ever given is in the log at the end, the same; and the log is whole.

usage: recorded_test.py [KILLS]     (16; soak: 200)
"""
import os
import random
import signal
import sys
import time

import recorded
import talk
from lib import Gate, Net, Report, Tap, need_live, until
from stream import Reader

BACK = 20  # seconds for a service to be back, on any machine
KINDS = ("scribe", "courier", "engine[mdma]", "gate[mdma]")


def kill(gate, kind, rng):
    """Gives what is wrong with the coming back."""
    pid = gate.processes().get(kind)
    if not pid:
        return "%s is not there" % kind
    time.sleep(rng.random() * 0.2)
    os.kill(pid, signal.SIGKILL)
    if not until(lambda: gate.processes().get(kind, pid) != pid and
                 gate.ready(), BACK):
        return "%s does not come back" % kind
    return ""


def moves(askers):
    before = [a.answered for a in askers]
    return until(lambda: all(a.answered > b + 1
                             for a, b in zip(askers, before)), BACK, 0.005)


def judge(report, gate, frames, reader, rounds):
    out, lines = recorded.unrecorded(report, gate, frames)
    report.expect("answers arrived", len(out) > 5 * rounds, len(out))
    report.expect("a reader was given records", len(reader.lines) > rounds,
                  len(reader.lines))
    other = [n for n, x in reader.lines.items()
             if n >= len(lines) or lines[n] != x]
    report.check("what a reader was given is in the log", other[:5])
    report.check("none was given twice", reader.doubled)
    recorded.whole(report, gate)


def main():
    report = Report()
    need_live(report)
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 16
    rng = random.Random(rounds)
    with Net() as net:
        net.neighbours()
        with Gate(net) as gate:
            reader = Reader(gate, 0)
            tap = Tap(net, "wan")
            meter = talk.Meter(net)
            askers = [talk.Asker(net, "udp", (t,), every=0.002, patience=0.25)
                      for t in (1, 0, 63)]
            wrong = ""
            for i in range(rounds):
                wrong = wrong or kill(gate, KINDS[i % len(KINDS)], rng)
                if not wrong and not moves(askers):
                    wrong = "nothing moves after kill %d" % i
            report.check("%d kills, and traffic moves after each" % rounds,
                         wrong)
            for a in askers:
                a.stop()
            meter.stop()
            until(lambda: reader.next > 0, BACK)
            time.sleep(0.5)
            frames = tap.stop()
            reader.stopping = True
            gate.stop()  # what is in the rings is written
            judge(report, gate, frames, reader, rounds)
    report.done()


main()
