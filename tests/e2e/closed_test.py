#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What closes the gateway stays closed: a disk that is full, a freeze with
connections that the kernel carries, a freeze before the daemon was killed; and
a courier that hangs is started again.

usage: closed_test.py
"""
import os
import signal
import subprocess
import time

import talk
from lib import Gate, Net, Report, need_live, until


def flows(echo, seconds=10):
    before = echo.answered
    return until(lambda: echo.answered > before + 5, seconds)


def state(gate):
    return gate.ask("status")[0]["state"]


def status_of(gate, path):
    """Of an answer over HTTP; 0: none came."""
    return int(subprocess.run(
        ["curl", "-s", "--max-time", "5", "-o", "/dev/null", "-w",
         "%{http_code}", "--unix-socket",
         os.path.join(gate.work, "run", "metrics"), "http://meter" + path],
        check=False, stdout=subprocess.PIPE, text=True).stdout or 0)


def full_disk(report, net, gate, small):
    echo = talk.Echo(net, "dr", "wan", every=0.002, patience=0.1)
    report.check("traffic flows", "" if flows(echo) else "it does not")
    fill = os.path.join(small, "fill")
    with open(fill, "wb", buffering=0) as f:
        try:
            while True:
                f.write(bytes(4096))
        except OSError:
            pass
    # Opaque exchanges say little: frozen by a request, it must record now.
    before = gate.ask("status")[0]["generation"]
    got = gate.ask("reload", timeout=60)
    report.expect("what cannot be recorded is not done",
                  not got[0]["ok"] and
                  gate.ask("status")[0]["generation"] == before,
                  got)
    closed = until(lambda: state(gate) == "closed: audit", 20)
    report.expect("a full disk is told", closed, state(gate))
    time.sleep(0.3)
    before = echo.answered
    time.sleep(1.5)
    report.check("then nothing passes", "" if echo.answered == before else
                 "%d answers" % (echo.answered - before))
    m = [r for r in gate.ask("metrics") if "metrics" in r][0]["metrics"]
    report.expect("the metrics say so", "\nmetergate_audit_closed 1\n" in m,
                  m[-400:])
    got = [status_of(gate, path) for path in
           ("/v1/checkpoint", "/v1/proof/inclusion?index=0", "/v1/tile/0/000.p/1",
            "/v1/status")]
    report.expect("and who reads the log is told to come again",
                  got == [503, 503, 503, 200], got)
    drops = gate.guest("dr")["drops"].get("audit-closed", 0)
    report.check("drops are counted", "" if drops else "none")
    os.unlink(fill)
    report.expect("with room again, all goes on",
                  flows(echo, 20) and until(lambda: state(gate) == "ready", 5),
                  state(gate))
    report.check("also for readers", "" if until(
        lambda: status_of(gate, "/v1/checkpoint") == 200, 10) else "503")
    echo.stop()
    time.sleep(0.5)
    got = gate.records()
    report.expect("nor is it later, and that is recorded",
                  "the reload was not done" in str(got) and
                  gate.ask("status")[0]["generation"] == 1,
                  gate.ask("status"))
    told = sum(r.get("metergate", {}).get("count", 0) for r in got
               if "audit-closed" in str(r))
    report.check("what was dropped is told as a sum", "" if
                 told >= drops else "%d of %d" % (told, drops))
    gate.kill_all()
    gate.start()
    report.check("an unclean end is told, with what may be missing", "" if
                 any("ms, at most" in str(r) and "may have none" in str(r)
                     for r in gate.records()[-40:]) else "it is not")


def rate(s, t, seconds):
    """Octets from s to t in so many seconds."""
    end, got = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        try:
            s.send(bytes(4096))
        except OSError:
            pass
        try:
            got += len(t.recv(1 << 16))
        except OSError:
            pass
    return got


def frozen(report, net, gate):
    c, s = net.connected("dr", "wan", 8080, 5)
    talk.greeted(c, s)
    c.settimeout(0.05)
    s.settimeout(0.05)
    report.check("a connection is carried", "" if until(
        lambda: rate(c, s, 0.2) and gate.guest("dr")["offloaded"] > 0)
        else "it is not")
    got = gate.ask("freeze dr", timeout=60)
    rate(c, s, 0.2)  # what was on its way
    n = rate(c, s, 2)
    report.check("freeze stops it at once", "" if n == 0 and
                 got[0].get("ok") else "%d octets, %s" % (n, got))
    for x in (c, s):
        x.close()


def still_frozen(report, net, gate):
    gate.kill_all()
    gate.start()
    report.check("a freeze outlives the daemon", "" if
                 gate.guest("dr")["frozen"] else "it is forgotten")
    echo = talk.Echo(net, "dr", "wan", every=0.01, patience=0.1)
    time.sleep(1)
    report.check("nothing of it passes", "" if not echo.answered and
                 echo.asked else "%d of %d" % (echo.answered, echo.asked))
    gate.ask("thaw dr")
    report.check("until it is thawed", "" if flows(echo) else "it is not")
    echo.stop()
    gate.kill_all()
    gate.start()
    report.check("which is kept, too", "" if
                 not gate.guest("dr")["frozen"] else "it is frozen")


def hanging_courier(report, gate):
    old = gate.processes()["courier"]
    os.kill(old, signal.SIGSTOP)
    report.check("a courier that hangs is started again", "" if until(
        lambda: gate.processes().get("courier", old) != old, 12) else
        "it is not")
    report.check("and ready", "" if until(gate.ready, 10) else "it is not")


def main():
    report = Report()
    need_live(report)
    with Net() as net:
        net.neighbours()
        with Gate(net, offload="true") as gate:
            frozen(report, net, gate)
            still_frozen(report, net, gate)
            hanging_courier(report, gate)
        gate = Gate(net)
        small = os.path.dirname(gate.audit)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m,mode=755",
                        "none", small], check=True)
        try:
            with gate:
                full_disk(report, net, gate, small)
        finally:
            gate.stop()
            subprocess.run(["umount", "-l", small], check=False)
    report.done()


if __name__ == "__main__":
    main()
