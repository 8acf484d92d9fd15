#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Another program changes what the gateway put into the kernel: the gateway
notices within seconds, closes, and opens again when all is as it must be."""
from bed import Bed
from lib import Gate, Report, need_live, until

PAIR = [("mdma", "gw")]
report = Report()


def told(gate, text, n=1):
    """The log says it n times."""
    return until(lambda: gate.text().count(text) >= n, 20)


def tamper(bed, gate, what, text, *cmd):
    ready = gate.text().count("metergated: ready")
    bed.run("gw", *cmd)
    report.expect("%s: %s is noticed" % (bed.mode, what), told(gate, text),
                  gate.text()[-300:])
    told(gate, "metergated: ready", ready + 1)
    done = bed.tool("loaded", check=False)
    report.expect("%s: %s is put right" % (bed.mode, what),
                  len(bed.passes(PAIR)) == 2,
                  "nothing passes; " + gate.text()[-300:])
    # The queues of this tool have other numbers; what is counted is the same.
    report.check("%s: after %s, the rules are whole" % (bed.mode, what),
                 done.stderr)


def bridge_setting(bed, gate):
    key = "net/bridge/bridge-nf-call-iptables"
    ready = gate.text().count("metergated: ready")
    bed.gw_file(key, 0)
    report.expect("bridged: a bridge that passes the queues is noticed",
                  told(gate, "everything stays closed"), gate.text()[-300:])
    got = bed.passes(PAIR + [("portal", "mdma"), ("wan", "mdma")])
    report.check("bridged: and closed", got)
    bed.gw_file(key, 1)
    told(gate, "metergated: ready", ready + 1)
    report.expect("bridged: and open when it is as it must be",
                  len(bed.passes(PAIR)) == 2, gate.text()[-300:])


def main():
    need_live(report)
    for mode in ("routed", "bridged"):
        with Bed(mode) as bed, Gate(bed) as gate:
            tamper(bed, gate, "a flush", "table mangle: 0 rules", "iptables",
                   "-t", "mangle", "-F")
            if mode == "routed":
                tamper(bed, gate, "a rule in front", "not the first in "
                       "FORWARD", "iptables", "-I", "FORWARD", "-j", "ACCEPT")
            else:
                bridge_setting(bed, gate)
    report.done()


main()
