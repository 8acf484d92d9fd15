#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What rules drop before the queue is told like what engines refuse: by why,
in the counters of the guest, and in the metrics."""
import re
import socket
import subprocess
import sys

from lib import ADDR, Gate, Net, Report, inside, need_live, program, until
from packets import UDP, ether, ip4, udp

OWN, OTHER = "02000a14000a", "02000a14000b"
N = 7
PATIENCE = 20


def frame(mac, src):
    a, b = socket.inet_aton(src), socket.inet_aton(ADDR["wan"])
    return ether(bytes.fromhex(mac), b"\xff" * 6, 0x0800,
                 ip4(a, b, UDP, udp(a, b, 999, 7, b"spoofed")))


def refusals(gate, guest, word):
    """(reason, packets in all) of what why says with that word in it."""
    found = [r["event"]["metergate"] for r in gate.ask("why " + guest)[1:]
             if word in r["event"]["metergate"].get("detail", "")]
    return {(m["reason"], sum(x["count"] for x in found)) for m in found}


def metric(gate, guest):
    for r in gate.ask("metrics"):
        for line in str(r).split("\\n"):
            m = re.match('metergate_rules_dropped_total{guest=\\\\*"%s\\\\*",'
                         'reason=\\\\*"spoofed-source\\\\*"} ([0-9]+)' % guest,
                         line)
            if m:
                return int(m.group(1))
    return 0


def main():
    report = Report()
    need_live(report)
    with Net() as net, Gate(net) as gate:
        with inside(net.ns("mdma")):
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            s.bind(("eth0", 3))
        for _ in range(N):
            s.send(frame(OTHER, ADDR["mdma"]))
            s.send(frame(OWN, "203.0.113.77"))
        s.close()
        want = {("spoofed-source", N)}
        for what in ("spoofed-mac", "spoofed-source"):
            until(lambda: refusals(gate, "mdma", "(%s)" % what) == want,
                  PATIENCE)
            got = refusals(gate, "mdma", "(%s)" % what)
            report.expect("why says what the rules dropped: %s" % what,
                          got == want, got)
        report.check("of the others it says nothing of that",
                     refusals(gate, "dr", "(spoofed") or
                     refusals(gate, "portal", "(spoofed"))
        until(lambda: gate.guest("mdma")["rules_dropped"].get(
            "spoofed-source") == 2 * N, PATIENCE)
        got = gate.guest("mdma")["rules_dropped"]
        report.check("so do the counters: %s" % got,
                     "" if got.get("spoofed-source") == 2 * N else "not so")
        got = metric(gate, "mdma")
        report.expect("and the metrics", got == 2 * N, got)
        text = subprocess.run(
            [program("metergatectl"), "-s", gate.work + "/run/control", "why",
             "mdma"], capture_output=True, text=True, check=False).stdout
        report.expect("for people",
                      "before the queue (spoofed-mac)" in text and
                      "%d alike" % N in text,
                      text[:400])
    report.done()


if __name__ == "__main__":
    sys.exit(main())
