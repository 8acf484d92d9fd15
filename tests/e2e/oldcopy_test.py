#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counters that are put back as they were before something was used are
noticed: every budget counts as used up, the log and the audit say so. The
same where they are taken away, and where only the number beside them is.

usage: oldcopy_test.py
"""
import os
import shutil

import talk
from lib import Gate, Net, Report, need_live
from reload_test import use_up


def files(gate):
    at = os.path.join(gate.work, "state")
    return os.path.join(at, "mdma.state"), os.path.join(at, "mdma.begun")


def said(gate):
    return "every budget counts as used up" in gate.text()


def recorded(gate):
    return any("counters are lost" in str(r) for r in gate.ask("why mdma"))


def one(report, net, what, spoil):
    with Gate(net) as gate:
        meter = talk.Meter(net)
        state, begun = files(gate)
        gate.stop()
        shutil.copyfile(state, state + ".old")
        shutil.copyfile(begun, begun + ".old")
        gate.start()
        report.check("%s: after an end in order the budget is there" % what,
                     "" if use_up(net) and not said(gate) else
                     gate.text()[-400:])
        gate.stop()
        spoil(state, begun)
        gate.start()
        report.check("%s: nothing is left of the budget" % what,
                     "it was used again" if use_up(net) else "")
        report.check("%s: the log says so" % what,
                     "" if said(gate) else gate.text()[-400:])
        report.check("%s: so does the audit" % what,
                     "" if recorded(gate) else gate.ask("why mdma")[-3:])
        meter.stop()


def old_counters(state, begun):
    os.replace(state + ".old", state)


def old_number(state, begun):
    os.replace(begun + ".old", begun)


def no_counters(state, begun):
    os.unlink(state)


def main():
    report = Report()
    need_live(report)
    with Net() as net:
        one(report, net, "an old copy", old_counters)
        one(report, net, "an old number", old_number)
        one(report, net, "none", no_counters)
    report.done()


if __name__ == "__main__":
    main()
