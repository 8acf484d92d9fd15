#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counters that are put back as they were before something was used are
noticed: every budget counts as used up, the log and the audit say so. The
same where only the number beside them is, and where all of the directory is
put back, which only the audit can tell. Counters that are taken away are made
again from the ledger.

usage: oldcopy_test.py
"""
import glob
import os
import shutil
import subprocess

import talk
from lib import BUILD, Gate, Net, Report, need_live, until
from reload_test import use_up


def files(gate):
    at = os.path.join(gate.work, "state")
    return os.path.join(at, "mdma.state"), os.path.join(at, "mdma.begun")


def said(gate):
    return "every budget counts as used up" in gate.text()


def recorded(gate):
    # A record is shown once it is durable.
    return any("counters are lost" in str(r) for r in gate.ask("why mdma"))


def one(report, net, what, spoil):
    with Gate(net) as gate:
        meter = talk.Meter(net)
        state, begun = files(gate)
        gate.stop()
        shutil.copyfile(state, state + ".old")
        shutil.copyfile(begun, begun + ".old")
        gate.start()
        report.expect("%s: after an end in order the budget is there" % what,
                      use_up(net) and not said(gate), gate.text()[-400:])
        gate.stop()
        spoil(state, begun)
        gate.start()
        report.check("%s: nothing is left of the budget" % what,
                     "it was used again" if use_up(net) else "")
        report.expect("%s: the log says so" % what, said(gate),
                      gate.text()[-400:])
        report.expect("%s: so does the audit" % what,
                      until(lambda: recorded(gate)), gate.ask("why mdma")[-3:])
        meter.stop()


def old_counters(state, begun):
    os.replace(state + ".old", state)


def old_number(state, begun):
    os.replace(begun + ".old", begun)


def no_counters(state, begun):
    os.unlink(state)


FORGE = os.path.join(BUILD, "e2e", "forge")
LEDGERS = ("ledger-0", "ledger-1")


def state(gate):
    return os.path.join(gate.work, "state")


def put_back(gate):
    shutil.rmtree(state(gate))
    os.rename(state(gate) + ".old", state(gate))


def put_back_and_hide(gate):
    """And of the records that tell of a newer one the copies go."""
    put_back(gate)
    subprocess.run([FORGE, gate.audit, "2"], check=True)
    own = os.stat(os.path.dirname(gate.audit))
    for name in glob.glob(gate.audit + "*"):
        os.chown(name, own.st_uid, own.st_gid)


def lose(gate):
    for name in LEDGERS:
        os.unlink(os.path.join(state(gate), name))


def tear(gate):
    for name in LEDGERS:
        with open(os.path.join(state(gate), name), "r+b") as f:
            f.seek(40)
            f.write(b"another one")


def ledger_told(gate):
    return "ledger found" in gate.text()


def ledger(report, net, what, spoil):
    """All guests' budgets are used up, and after that all is as it was."""
    with Gate(net) as gate:
        meter = talk.Meter(net)
        gate.stop()
        shutil.copytree(state(gate), state(gate) + ".old")
        gate.start()
        report.expect("%s: after an end in order the budget is there" % what,
                      use_up(net) and not ledger_told(gate),
                      gate.text()[-400:])
        gate.stop()
        spoil(gate)
        gate.start()
        report.check("%s: nothing is left of the budget" % what,
                     "it was used again" if use_up(net) else "")
        report.expect("%s: the log says so" % what,
                      ledger_told(gate) and said(gate), gate.text()[-400:])
        report.expect("%s: so does the audit" % what,
                      until(lambda: recorded(gate)), gate.ask("why mdma")[-3:])
        gate.stop()
        before = gate.text().count("ledger found")
        gate.start()
        report.expect("%s: and the next start finds nothing new" % what,
                      gate.text().count("ledger found") in (0, before) and
                      gate.ready(),
                      gate.text()[-400:])
        report.check("%s: but the budget is as used as it was" % what,
                     "it was used again" if use_up(net) else "")
        meter.stop()


def taken_away(report, net):
    """Of counters that are gone the ledger knows what was used."""
    with Gate(net) as gate:
        meter = talk.Meter(net)
        counters, _ = files(gate)
        report.expect("no counters: at first the budget is there", use_up(net),
                      gate.text()[-400:])
        gate.stop()
        no_counters(counters, None)
        gate.start()
        report.check("no counters: the budget is as used as it was",
                     "it was used again" if use_up(net) else "")
        report.expect("no counters: the log says where they are from",
                      "counters as the ledger has them" in gate.text(),
                      gate.text()[-400:])
        meter.stop()


def main():
    report = Report()
    need_live(report)
    with Net() as net:
        ledger(report, net, "the whole directory", put_back)
        ledger(report, net, "the copies of its records gone, too",
               put_back_and_hide)
        ledger(report, net, "no ledger", lose)
        ledger(report, net, "a ledger with a torn file", tear)
        one(report, net, "an old copy", old_counters)
        one(report, net, "an old number", old_number)
        taken_away(report, net)
    report.done()


if __name__ == "__main__":
    main()
