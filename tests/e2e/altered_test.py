#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The log was altered while the gateway was down: what is recorded since goes
to another beside it, and that is what readers are given, and told of. The
altered one stays as it is."""
import hashlib
import json
import os
import sys

import talk
from lib import Gate, Net, Report, export, need_live, until

PAGE = 4096
ORIGIN = "meter-1.example/audit"
BACK = 20


def ask(gate, path, *how):
    return gate.fetch(path, "-m", "3", *how)


def records(gate, query=""):
    return [json.loads(x) for x in ask(gate, "/v1/audit" + query).splitlines()]


def events(gate, last):
    """[(id, event, data)] to a reader who saw that one last."""
    text = ask(gate, "/v1/audit?follow=0", "-H", "Accept: text/event-stream",
               "-H", "Last-Event-ID: %s" % last)
    found = []
    for block in text.split("\n\n"):
        fields = dict(x.split(": ", 1) for x in block.splitlines())
        if "data" in fields:
            found.append((fields.get("id"), fields.get("event"),
                          json.loads(fields["data"])))
    return found


def origin(gate):
    return json.loads(ask(gate, "/v1/status"))["audit"]["origin"]


def load(net, n):
    meter = talk.Meter(net)
    asker = talk.Asker(net, "udp", (1,), every=0.01)
    until(lambda: asker.answered >= n, BACK)
    asker.stop()
    meter.stop()
    return asker.answered >= n


def alter(path):
    """One octet of every page but the first."""
    with open(path, "r+b") as f:
        for at in range(PAGE + 3000, os.path.getsize(path), PAGE):
            f.seek(at)
            was = f.read(1)[0]
            f.seek(at)
            f.write(bytes([was ^ 0x5a]))


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def main():
    report = Report()
    need_live(report)
    with Net() as net, Gate(net) as gate:
        net.neighbours()
        report.expect("before: the log is the one that was asked for",
                      load(net, 100) and origin(gate) == ORIGIN, origin(gate))
        old = records(gate)
        gate.stop()
        alter(gate.audit)
        was = digest(gate.audit)
        gate.start()
        report.expect("what passes then is recorded elsewhere", load(net, 30),
                      gate.text()[-400:])
        got = origin(gate)
        report.expect("status names the log", got == ORIGIN + "/recovery-1",
                      got)
        got = ask(gate, "/v1/checkpoint").split("\n")[0]
        report.expect("so does the checkpoint", got == ORIGIN + "/recovery-1",
                      got)
        got = records(gate, "?origin=" + ORIGIN)
        report.expect("who wants the old one is refused",
                      len(got) == 1 and
                      "another origin" in got[0].get("error", ""),
                      got[:2])
        seen = events(gate, len(old) - 1)
        report.expect("who read the old one is told, and begins anew",
                      len(seen) > 30 and seen[0] == (None, "log",
                      {"origin": ORIGIN + "/recovery-1", "first": 0}) and
                      [x[0] for x in seen[1:]] ==
                      ["recovery-1/%d" % i for i in range(len(seen) - 1)],
                      seen[:2])
        seen = events(gate, "recovery-1/4")
        report.expect("who read this one goes on",
                      seen and seen[0][0] == "recovery-1/5", seen[:2])
        got = records(gate)
        gate.stop()
        new = export(gate.audit + ".recovery-1")
        report.expect("what is shown is what is recorded: %d" % len(got),
                      len(got) > 30 and got == new[:len(got)] and
                      got[0] != old[0],
                      (got[:1], new[:1]))
        report.check("the old log is left as it is", digest(gate.audit) != was)
    report.done()


if __name__ == "__main__":
    sys.exit(main())
