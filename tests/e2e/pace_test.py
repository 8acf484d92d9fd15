#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A guest that makes more records than its share is held back: its packets
wait or are dropped, what passed is recorded, there is an alarm, and another
guest goes on."""
import json

import recorded
import talk
from lib import Gate, Net, Report, Tap, need_live, until

EACH = (1,) * 20  # tables of a question: a record for each
LONG = 180  # seconds until the bucket is used up, on any machine


def status(gate):
    """What each guest is shown as."""
    return {g["name"]: g
            for g in json.loads(gate.fetch("/v1/status"))["guests"]}


def main():
    report = Report()
    need_live(report)
    with Net() as net:
        net.neighbours()
        with Gate(net, audit_bound="32 MiB", audit_rate="1 KiB") as gate:
            tap = Tap(net, "wan")
            meter = talk.Meter(net)
            askers = [talk.Asker(net, "udp", EACH, patience=1.0)
                      for _ in range(4)]
            until(lambda: status(gate)["mdma"]["audit_used_percent"] >= 99,
                  LONG)
            now = status(gate)
            report.expect("it is held back",
                          now["mdma"]["audit_used_percent"] >= 99, now)
            report.expect("there is an alarm", now["mdma"]["audit_alarm"],
                          now["mdma"])
            report.check("of that guest only", [
                n for n, g in now.items() if n != "mdma" and g["audit_alarm"]])
            asked = sum(a.asked - a.answered for a in askers)
            report.check("its packets do not pass", "" if until(
                lambda: sum(a.asked - a.answered for a in askers) > asked + 20,
                20) else "no question is without an answer")
            for a in askers:
                a.stop()
            meter.stop()
            frames = tap.stop()
            report.expect("the gateway goes on", gate.ready(),
                          gate.text()[-300:])
            gate.stop()
            _, lines = recorded.unrecorded(report, gate, frames)
            told = [x for x in lines if b"four fifths" in x]
            report.expect("one record of it",
                          len(told) == 1 and b'"guest":"mdma"' in told[0],
                          told[:2])
            report.expect("the log says so",
                          gate.text().count("records of mdma come so "
                                            "fast") == 1,
                          gate.text()[-300:])
            recorded.whole(report, gate)
    report.done()


main()
