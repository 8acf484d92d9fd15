#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""While the gateway was down somebody who has not the log's key added a record
that says that the oldest ones are pruned. The gateway signs what it finds, but
it says so, withdraws that record and removes nothing, then or later."""
import glob
import os
import re
import subprocess
import sys
import time

import talk
from lib import BUILD, Gate, Net, Report, auditor, need_live, until

FORGE = os.path.join(BUILD, "e2e", "forge")
ORIGIN = "meter-1.example/audit"
BEFORE = 512  # records, of which the forger wants to be rid
RECORDS = BEFORE + 6 * 256  # the last bundles are never moved out
EACH = 20     # tables of a question: a record for each
PATIENCE = 60


def size(gate):
    found = re.search(r"^metergate_audit_records (\d+)$",
                      gate.fetch("/metrics"), re.MULTILINE)
    return int(found.group(1)) if found else 0


def load(net, gate, more):
    """Records come; are there so many more?"""
    meter = talk.Meter(net)
    first = size(gate)
    asker = talk.Asker(net, "udp", (1,) * EACH, patience=5.0)
    done = until(lambda: size(gate) >= first + more, PATIENCE)
    asker.stop()
    meter.stop()
    return done


def forge(gate):
    """The number of the record; the files stay the gateway's."""
    done = subprocess.run([FORGE, gate.audit, ORIGIN, str(BEFORE)],
                          capture_output=True, text=True, check=True)
    own = os.stat(os.path.dirname(gate.audit))
    for name in glob.glob(gate.audit + "*"):
        os.chown(name, own.st_uid, own.st_gid)
    return int(done.stdout)


def segments(gate):
    return sorted(glob.glob(gate.audit + ".seg-*"))


def withdrawals(records):
    return [r["metergate"] for r in records
            if r["metergate"].get("audit", {}).get("withdrawn")]


def main():
    report = Report()
    need_live(report)
    check = report.expect
    check("forge is built", os.path.exists(FORGE), FORGE)
    with Net() as net, Gate(net) as gate:
        net.neighbours()
        check("records come", load(net, gate, RECORDS), size(gate))
        gate.stop()
        key = gate.audit + ".vkey"
        at = forge(gate)
        there = segments(gate)
        code, text = auditor("verify", "--key", key, gate.audit)
        check("a record is forged, %d, and segments are there" % at,
              code == 0 and there and "are to be removed" in text, text)
        before = len(gate.text())
        gate.start()
        said = gate.text()[before:]
        check("the gateway says which no checkpoint covered",
              "1 records, from %d on, had no checkpoint" % at in said and
              "say what is to be removed: it stays" in said, said)
        load(net, gate, 100)
        time.sleep(1.5)
        gate.stop()
        check("the segments stay", segments(gate) == there, segments(gate))
        got = withdrawals(gate.records())
        check("a record withdraws it", len(got) == 1 and
              got[0]["seq"] == at + 1 and
              got[0]["audit"]["withdrawn"] == 1, got)
        # A checkpoint covers it now.
        before = len(gate.text())
        gate.start()
        load(net, gate, 100)
        time.sleep(1.5)
        gate.stop()
        said = gate.text()[before:]
        check("they do at the next start, too", segments(gate) == there and
              "what is to be removed" not in said, said)
        code, text = auditor("verify", "--key", key, gate.audit)
        check("the log is whole, all of it, and names the record",
              code == 0 and "pruned" not in text and
              "to be removed" not in text and
              "records %d to %d had no checkpoint" % (at, at + 1) in text,
              text)
    report.done()


if __name__ == "__main__":
    sys.exit(main())
