#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the gateway says live is what the replay says of the same packets: for
each capture of C12.22 its exchanges are played between a machine and the head
end; what both sent is captured in front of the gateway and replayed under the
same policy. Both audits, times and names of flows aside, must be equal.

usage: equality_test.py [--bridged] [CAPTURE...]
"""
import glob
import os
import sys
import tempfile

import c1222peer
from lib import (PCAPS, ROOT, SHARED, Gate, Net, Report, Tap, export,
                 need_live, replay)
from packets import write_pcap

POLICY = os.path.join(ROOT, "tests", "policies", "metering")
KEYS = os.path.join(PCAPS, "keys.yaml")
# Of one run only: times, numbers that depend on them, where a file lies.
TIMES = {"timestamp", "flow_id", "pcap_cnt", "seq", "age", "detail", "reset",
         "window", "next"}
KINDS = {"decision", "violation", "anomaly", "flow"}


def timeless(value):
    if isinstance(value, dict):
        return {k: os.path.basename(v) if k == "file" else timeless(v)
                for k, v in value.items() if k not in TIMES}
    if isinstance(value, list):
        return [timeless(v) for v in value]
    return value


def told(records):
    """Records that can be compared; flows that end are sorted, as they all
    end when the program does."""
    rows = [timeless(r) for r in records if r["event_type"] in KINDS]
    ends = [r for r in rows if r["event_type"] == "flow" and
            r["flow"]["state"] != "new"]
    return [r for r in rows if r not in ends], sorted(ends, key=str)


def captured(taps):
    frames = [(when // 1000, frame) for tap in taps
              for when, _, frame in tap.stop() if frame[12:14] in
              (b"\x08\x00", b"\x86\xdd")]
    return sorted(frames, key=lambda f: f[0])


def different(live, offline):
    """The first difference, or nothing."""
    for what, a, b in zip(("events", "ends of flows"), live, offline):
        for i in range(max(len(a), len(b))):
            x = a[i] if i < len(a) else None
            y = b[i] if i < len(b) else None
            if x != y:
                return "%s, number %d: live %s, replay %s" % (
                    what, i, short(x, y), short(y, x))
    return ""


def short(x, y):
    """Of two records, what differs in the first."""
    if not isinstance(x, dict) or not isinstance(y, dict):
        return str(x)[:300]
    return str({k: short(v, y.get(k)) for k, v in x.items()
                if v != y.get(k)})


def one(net, capture, report):
    name = os.path.splitext(os.path.basename(capture))[0]
    with Gate(net, POLICY, keys=KEYS) as gate:
        taps = [Tap(net, "mdma", which="out"), Tap(net, "wan", which="out")]
        play = c1222peer.Play(net)
        # Nobody routes multicast here.
        play.play(c1222peer.events(capture), net.mode == "bridged")
        play.close()
        frames = captured(taps)
        gate.stop()
        live = told(gate.records())
        with tempfile.TemporaryDirectory() as work:
            path = os.path.join(work, "in.pcap")
            write_pcap(path, frames)
            audit = os.path.join(work, "audit.db")
            replay(path, gate.policies, audit, KEYS)
            offline = told(export(audit))
    report.check("live as replayed: %s, %d records" % (
        name, sum(map(len, live))),
        different(live, offline) or (not live[0] and "nothing was said"))


def main():
    report = Report()
    need_live(report)
    wanted = [a for a in sys.argv[1:] if not a.startswith("--")]
    captures = wanted or sorted(glob.glob(os.path.join(PCAPS, "gen_*.pcap")))
    public = sorted(glob.glob(os.path.join(SHARED, "pcaps", "c1222",
                                           "c1222*.*cap")))
    if not public:
        report.skip("the public captures are not in " + SHARED)
    if not wanted:
        captures += public
    with Net("bridged" if "--bridged" in sys.argv else "routed") as net:
        net.neighbours()
        net.unoffload("mdma", "wan")
        for capture in captures:
            one(net, capture, report)
    report.done()


if __name__ == "__main__":
    main()
