#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A rule that says `notify` is told of, whether it permits or refuses: a
record of its own, which portal and operator can read, and nobody is thought
to lie because of it."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

import talk
from lib import ADDR, POLICIES, Gate, Net, Report, need_live, until

PORT = 8480
BACK = 20

PERMITS = """    match: {c1222.read-request: {table: [25]}}
"""
# More than the limit, from the first on.
LIMIT = "    limits: [1 reading per month]\n"
REFUSES = """    limits: [1 reading per month, 1 B per month]
    notify: [operator, vendor]
    severity: high
"""


# The portal may read what the courier has.
GATEWAY = """  gateway:
    name: The gateway of this meter
    role: infrastructure
    address: [10.20.0.254/32]
    ports: [tcp/8480]
"""
READS = """  asks-gateway:
    direction: out
    party: gateway
    match: {http.request: {method: [GET], path: /v1/**}}
  asks-in-a-query: # which nothing reads
    direction: out
    party: gateway
    match: {opaque: {}}
    limits: [1 MiB per day]
  gateway-answers:
    direction: in
    party: gateway
    match: [{http.response: {}}, {opaque: {}}]
    limits: [1 MiB per day]
"""
SEALED = """    party: {role: [infrastructure]}
    match: {opaque: {}}
"""
EDITS = {
    "mdma": ((PERMITS, PERMITS + "    notify: [portal]\n"), (LIMIT, REFUSES)),
    "portal": (("  metering:\n", GATEWAY + "  metering:\n"),
               ("allow:\n", "allow:\n" + READS)),
    "baseline": ((SEALED, SEALED.replace("{opaque: {}}", "[{opaque: {}}, "
                                         "{http.any: {}}]")),),
}


def policies():
    at = tempfile.mkdtemp(prefix="metergate-e2e-notify-")
    shutil.copytree(POLICIES, at, dirs_exist_ok=True)
    for name, edits in EDITS.items():
        name = os.path.join(at, name + ".yaml")
        with open(name, encoding="utf-8") as f:
            text = f.read()
        for old, new in edits:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        with open(name, "w", encoding="utf-8") as f:
            f.write(text)
    return at


def fetch(*how):
    done = subprocess.run(["curl", "-s", "-m", "10", *how],
                          capture_output=True, text=True, check=False)
    return [json.loads(x) for x in done.stdout.splitlines()]


def operator(gate, query):
    return fetch("--unix-socket", os.path.join(gate.work, "run", "metrics"),
                 "http://m/v1/audit?" + query)


def portal(net, query):
    out = net.run("portal", "curl", "-s", "-m", "10", "http://%s:%d/v1/audit?"
                  "%s" % (ADDR["gw"], PORT, query), capture_output=True,
                  text=True, check=False).stdout
    return [json.loads(x) for x in out.splitlines()]


def brief(records):
    return sorted((r["metergate"]["verdict"], r["metergate"]["notify"],
                   r["metergate"].get("count", 1)) for r in records
                  if r["event_type"] == "notification")


def main():
    report = Report()
    need_live(report)
    where = policies()
    with Net() as net, Gate(net, where, listen=ADDR["gw"],
                            portal="portal") as gate:
        net.neighbours()
        engine = gate.processes()["engine[mdma]"]
        meter = talk.Meter(net)
        asker = talk.Asker(net, "udp", (25,), every=0.05, patience=0.5)
        until(lambda: asker.asked > 5, BACK)
        want = [("allow", ["portal"], 1), ("deny", ["vendor", "operator"], 1)]
        until(lambda: len(brief(operator(gate, "kind=notification"))) == 2,
              BACK)
        asker.stop()
        meter.stop()
        got = brief(operator(gate, "kind=notification"))
        report.expect("the operator is told, by which rule's wish",
                      got == want, got or "nothing")
        got = brief(portal(net, "kind=notification"))
        report.expect("so is the portal", got == want, got or "nothing")
        got = [r for r in gate.ask("notices")
               if r.get("notice") == "refusal" and "send-month-end" in str(r)]
        report.check("notices have the refusal", not got and
                     gate.ask("notices"))
        report.check("the engine is the one that it was",
                     gate.processes().get("engine[mdma]") != engine and
                     gate.text()[-600:])
        gate.stop()
        # What was counted since is told at the end.
        got = brief(gate.records())
        all_told = {which: sum(n for v, _, n in got if v == which)
                    for which in ("allow", "deny")}
        report.check("the first of each, then their number: %s" % got,
                     len(got) != 4 or got[0] != want[0] or got[2] != want[1] or
                     all_told != dict.fromkeys(all_told, asker.asked) and
                     "of %d: %s" % (asker.asked, all_told))
        got = [r for r in gate.records() if r["metergate"].get("reason") in
               ("malformed", "engine-restart")]
        report.check("nobody is thought to lie", got)
    shutil.rmtree(where)
    report.done()


if __name__ == "__main__":
    sys.exit(main())
