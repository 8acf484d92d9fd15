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
import time

import c1222peer
from lib import (PCAPS, ROOT, SHARED, Gate, Net, Report, Tap, export,
                 need_live, replay)
from packets import write_pcap

POLICY = os.path.join(ROOT, "tests", "policies", "metering")
KEYS = os.path.join(PCAPS, "keys.yaml")
# Of one run only: times and numbers that depend on them.
TIMES = {"timestamp", "flow_id", "pcap_cnt", "seq", "age", "detail", "reset",
         "window", "next", "first_ms_ago", "last_ms_ago"}
KINDS = {"decision", "violation", "anomaly", "flow"}


def timeless(value):
    if isinstance(value, dict):
        return {k: os.path.basename(v) if k == "file" else timeless(v)
                for k, v in value.items() if k not in TIMES}
    if isinstance(value, list):
        return [timeless(v) for v in value]
    return value


def likeness(r):
    """What those have in common that are counted together."""
    m = r.get("metergate", {})
    return str((r["event_type"], m.get("reason"), m.get("verdict"),
                m.get("guest"), m.get("party"), m.get("direction"),
                r.get("proto"),
                m.get("rule") if r["event_type"] == "decision" else ""))


def summed(records):
    """Of which rules' permissions the gateway told some as a count."""
    return {likeness(r) for r in records if r["event_type"] == "decision" and
            "count" in r["metergate"]}


def told(records, sums):
    """(events in order, counts of those that are alike, ends of flows).
    Live, only the first of a second is told in full, of refusals and of what
    rules in sums permit; flows end when the program does, in any order."""
    events, counts, ends = [], {}, []
    for r in records:
        # What neighbours say to each other is the kernels' own.
        if r["event_type"] not in KINDS or r.get("proto") == "IPv6-ICMP":
            continue
        # A bridge's copy to a port of nobody ends in the rules.
        if "dropped by the rules" in r.get("metergate", {}).get("detail", ""):
            continue
        row = timeless(r)
        if r["event_type"] == "flow" and r["flow"]["state"] != "new":
            ends.append(row)
        elif r["event_type"] in ("anomaly", "violation") or \
                likeness(r) in sums:
            k = likeness(r)
            n = r["metergate"].get("count", 1)
            full = counts.setdefault(k, [0, []])
            full[0] += n
            if "count" not in r["metergate"]:
                full[1].append(row)
        else:
            events.append(row)
    return events, counts, sorted(ends, key=str)


def captured(taps):
    frames = [(when // 1000, frame[14:]) for tap in taps
              for when, _, frame in tap.stop() if frame[12:14] in
              (b"\x08\x00", b"\x86\xdd")]
    return sorted(frames, key=lambda f: f[0])


def settle(gate):
    """Until the gateway has judged what was seen on the links."""
    before = None
    for _ in range(100):
        now = gate.guest("mdma").get("packets")
        if now == before:
            return
        before = now
        time.sleep(0.2)


def different(live, offline):
    """The first difference, or nothing."""
    for what, a, b in (("events", live[0], offline[0]),
                       ("ends of flows", live[2], offline[2])):
        for i in range(max(len(a), len(b))):
            x = a[i] if i < len(a) else None
            y = b[i] if i < len(b) else None
            if x != y:
                return "%s, number %d: live %s, replay %s" % (
                    what, i, short(x, y), short(y, x))
    for k in sorted(set(live[1]) | set(offline[1])):
        n, full = live[1].get(k, (0, []))
        m, each = offline[1].get(k, (0, []))
        if n != m:
            return "%s: live %d times, replay %d" % (k, n, m)
        for r in full:
            if r not in each:
                return "%s: live %s, replay %s" % (
                    k, short(r, each[0]), short(each[0], r))
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
        # Nobody routes multicast here; a bridge takes it to everybody, and
        # its sender's engine is asked once.
        play.play(c1222peer.events(capture),
                  multicast=net.mode == "bridged")
        play.close()
        frames = captured(taps)
        settle(gate)
        gate.stop()
        records = gate.records()
        sums = summed(records)
        live = told(records, sums)
        with tempfile.TemporaryDirectory() as work:
            path = os.path.join(work, "in.pcap")
            write_pcap(path, frames, 101)  # as the gateway counts
            audit = os.path.join(work, "audit.db")
            replay(path, gate.policies, audit, KEYS)
            offline = told(export(audit), sums)
    report.check("live as replayed: %s, %d records" % (
        name, sum(map(len, live))),
        different(live, offline) or (not live[0] and "nothing was said"))


def main():
    report = Report()
    need_live(report)
    wanted = [a for a in sys.argv[1:] if not a.startswith("--")]
    # The others are other machines' and take their time; http_test is live.
    captures = wanted or sorted(
        c for c in glob.glob(os.path.join(PCAPS, "gen_*.pcap"))
        if not os.path.basename(c).startswith(("gen_http_", "gen_net_")))
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
