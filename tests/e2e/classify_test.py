#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The gateway with `classify: true`: under its sandbox it names connections by
their octets, where it lists them and at their end in the audit; and it passes
and refuses what it does without."""
import os
import subprocess
import sys
import tempfile

from lib import Gate, Net, Report, need_live, program, until

PATIENCE = 20
SSH = b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"


def talk(net):
    """What nobody reads, granted to the portal; and what the meter refuses:
    (the first arrived, the second did not)."""
    s, t = net.connected("portal", "lan", 8080)
    s.sendall(SSH)
    t.sendall(SSH)
    good = t.recv(100) == SSH and s.recv(100) == SSH
    a, b = net.connected("wan", "mdma", 1153)
    a.sendall(SSH)
    b.settimeout(2)
    try:
        bad = b.recv(100) == SSH
    except OSError:
        bad = False
    return good, bad, (s, t, a, b)


def guesses(gate, guest):
    return {(f.get("app_guess"), f.get("app_confidence"))
            for f in gate.ask("flows " + guest)[1:] if f["proto"] == 6}


def closed(gate):
    """What the audit says of connections that ended."""
    p = subprocess.run([program("metergate-audit"), "show", "--json",
                        gate.audit], capture_output=True, text=True,
                       check=False)
    return [x for x in p.stdout.splitlines() if '"closed"' in x]


def main():
    report = Report()
    need_live(report)
    was = None
    for on in ("false", "true"):
        with tempfile.TemporaryDirectory() as work, Net() as net:
            os.chmod(work, 0o755)
            with Gate(net, work=work, classify=on) as gate:
                good, bad, sockets = talk(net)
                report.check("classify: %s: what is granted arrives" % on,
                             "" if good else "it does not")
                report.check("classify: %s: what is refused does not" % on,
                             "it does" if bad else "")
                was = was or (good, bad)
                report.expect("classify: %s: as without" % on,
                              (good, bad) == was, (good, bad))
                want = {("SSH", "octets")} if on == "true" else {(None, None)}
                got = until(lambda: guesses(gate, "portal") == want, PATIENCE)
                report.expect("classify: %s: the list of flows" % on, got,
                              guesses(gate, "portal"))
                text = subprocess.run(
                    [program("metergatectl"), "-s", gate.work + "/run/control",
                     "flows", "portal"], capture_output=True, text=True,
                    check=False).stdout
                report.expect("classify: %s: for people" % on,
                              ("(SSH)" in text) == (on == "true"), text)
                for s in sockets:
                    s.close()
            ends = closed(gate)
            named = [x for x in ends if '"app_guess":"SSH"' in x and
                     '"app_confidence":"octets"' in x]
            report.expect("classify: %s: the audit of their ends" % on,
                          ends and bool(named) == (on == "true"), ends[:2])
            refused = [x for x in named if '"dest_port":1153' in x]
            report.expect("classify: %s: also of what was refused" % on,
                          bool(refused) == (on == "true"), named)
    report.done()


if __name__ == "__main__":
    sys.exit(main())
