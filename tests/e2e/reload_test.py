#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reload under load: no packet that policy allows is lost, no counter starts
again, a policy that is wrong leaves the last good one in force. What the
kernel carries under the old policy comes back to be judged by the new one.

usage: reload_test.py [TIMES]     (8; soak: 100)
"""
import os
import re
import signal
import socket
import sys
import time

import talk
from lib import ADDR, Gate, Net, Report, need_live, until


def budgets(gate, guest):
    return {(r["budget"], r["party"]): r["used"]
            for r in gate.ask("budgets " + guest)[1:]}


def change(gate, n):
    """Another serial, so that each reload has something to do."""
    path = os.path.join(gate.policies, "mdma.yaml")
    with open(path, encoding="utf-8") as f:
        text = f.read()
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write(re.sub(r"^serial: .*", "serial: %d" % (n + 2), text, count=1,
                       flags=re.M))
    os.rename(path + ".new", path)


def use_up(net):
    """The month's end is read once; gives whether the answer arrived."""
    u = net.socket("wan", kind=socket.SOCK_DGRAM)
    u.bind((ADDR["wan"], 0))
    u.settimeout(1)
    m = talk.request((5 << 28) + int(time.monotonic() * 1000) % (1 << 28), 25)
    u.sendto(m, (ADDR["mdma"], 1153))
    try:
        return talk.tables()[25] in u.recv(65536)
    except OSError:
        return False
    finally:
        u.close()


def main():
    report = Report()
    need_live(report)
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    with Net() as net:
        net.neighbours()
        with Gate(net) as gate:
            run(report, net, gate, times)
        with Gate(net, offload="true") as gate:
            carried(report, net, gate)
    report.done()


def run(report, net, gate, times):
    meter = talk.Meter(net)
    report.check("a budget is used", "" if use_up(net) else
                 "the first reading did not arrive")
    load = {"udp": talk.Asker(net, "udp", patience=8),
            "tcp": talk.Asker(net, "tcp", (0, 63), patience=8),
            "dr": talk.Echo(net, "dr", "wan", patience=8),
            "portal": talk.Echo(net, "portal", "lan", patience=8)}
    time.sleep(0.3)
    wrong, back = [], []
    last = budgets(gate, "mdma")
    generation = gate.ask("status")[0]["generation"]
    for n in range(times):
        change(gate, n)
        got = gate.ask("reload", timeout=60)
        if not got or not got[0].get("ok"):
            wrong.append("%d: %s" % (n, got))
        time.sleep(0.05)
        now = budgets(gate, "mdma")
        back += ["%s: %d, then %d" % (k, v, now.get(k, -1))
                 for k, v in last.items() if now.get(k, -1) < v]
        last = now
    reached = gate.ask("status")[0]["generation"]
    report.check("%d reloads succeed" % times, "; ".join(wrong[:3]) or (
        "" if reached >= generation + times else
        "generation %d, then %d" % (generation, reached)))
    report.check("no counter goes back", "; ".join(back[:3]))
    bad_policy(report, gate, load)
    signal_during_one(report, gate)
    for t in load.values():
        t.stop()
    for name, t in load.items():
        report.check("reload: nothing of %s is lost, %d answers" % (
            name, t.answered), "" if not t.lost and
            not getattr(t, "broken", 0) and t.answered > times else
            "%d of %d lost, %d connections broken" % (
                t.lost, t.asked, getattr(t, "broken", 0)))
    report.check("what was used up stays used up",
                 "the month's end was read again" if use_up(net) else "")
    meter.stop()


def arrives(s, t, octets):
    """Of what is written to s, how much comes out of t within a second."""
    got = 0
    try:
        s.sendall(bytes(octets))
        while got < octets:
            more = len(t.recv(1 << 16))
            if not more:
                break
            got += more
    except OSError:
        pass
    return got


def carried(report, net, gate):
    """A connection of the machine dr, carried up to many times what is sent
    here."""
    c, s = net.connected("dr", "wan", 8080, 5)
    s.settimeout(1)
    talk.greeted(c, s)

    def see(octets=2000, times=200):
        """How many packets of so many small writes the engine sees."""
        before = gate.guest("dr")["packets"]
        n = sum(arrives(c, s, octets) for _ in range(times))
        time.sleep(0.1)
        return n == octets * times, gate.guest("dr")["packets"] - before

    see()
    report.check("a connection is carried", "" if until(
        lambda: gate.guest("dr")["offloaded"] > 0) else "it is not")
    whole, seen = see(times=20)
    report.check("then the engine sees none of it", "" if whole and
                 seen < 5 else "whole: %s, %d packets" % (whole, seen))
    before = gate.guest("dr")["offloaded"]
    got = gate.ask("reload", timeout=60)
    whole, seen = see(times=20)
    again = gate.guest("dr")["offloaded"] - before
    report.check("after a reload it is judged again, and nothing is lost",
                 "" if whole and seen and again and got[0].get("ok") else
                 "whole: %s, %d packets, %d times, %s" % (
                     whole, seen, again, got))
    see()
    whole, seen = see(times=20)
    report.check("then it is carried again", "" if whole and seen < 5 else
                 "whole: %s, %d packets" % (whole, seen))
    path = os.path.join(gate.policies, "dr.yaml")
    with open(path, encoding="utf-8") as f:
        good = f.read()
    with open(path, "w", encoding="utf-8") as f:
        f.write(good.replace("tcp/8080, ", "tcp/8082, "))
    got = gate.ask("reload", timeout=60)
    n = arrives(c, s, 2000)
    report.check("a policy that denies it ends it at once", "" if n == 0 and
                 got and got[0].get("ok") else "%d octets, %s" % (n, got))
    for x in (c, s):
        x.close()
    log = gate.text()
    report.check("no engine is killed for a mark of before",
                 log if "malformed" in log else "")


def serial(gate, policy="com.example.testbed.mdma"):
    return [r["serial"] for r in gate.ask("policies")[1:]
            if r["policy"] == policy]


def signal_during_one(report, gate):
    """While an engine is stopped a reload waits for it. What changes meanwhile,
    and is told by a signal, is in force in the end."""
    pid = gate.processes()["engine[dr]"]
    change(gate, 1000)
    os.kill(pid, signal.SIGSTOP)
    gate.p.send_signal(signal.SIGHUP)
    time.sleep(0.4)
    change(gate, 1001)
    before = serial(gate)
    gate.p.send_signal(signal.SIGHUP)
    until(lambda: "another follows" in gate.text(), 1)
    os.kill(pid, signal.SIGCONT)
    until(lambda: serial(gate) == [1003], 5)
    report.check("a signal during a reload is not lost", "" if
                 before != [1002] and serial(gate) == [1003] and
                 "another follows" in gate.text() else
                 "serial %s, then %s" % (before, serial(gate)))


def bad_policy(report, gate, load):
    path = os.path.join(gate.policies, "mdma.yaml")
    with open(path, encoding="utf-8") as f:
        good = f.read()
    before = gate.ask("status")[0]["generation"]
    for what, text in (
            ("a syntax error", good.replace("allow:", "allow: [", 1)),
            ("an unknown word", good.replace("direction: in", "direction: up",
                                             1)),
            ("a machine without its policy", good.replace(
                "id: com.example.testbed.mdma", "id: com.example.other", 1))):
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        got = gate.ask("reload", timeout=60)
        report.expect("a policy with %s is refused" % what,
                      got and got[0].get("ok") is False and
                      got[0].get("error"),
                      str(got))
    counts = {k: t.answered for k, t in load.items()}
    flows = until(lambda: all(t.answered > counts[k] + 5
                              for k, t in load.items()))
    after = gate.ask("status")[0]["generation"]
    report.check("the last good policy stays in force",
                 "" if flows and after == before else
                 "flows %s, generation %d, then %d" % (flows, before, after))
    with open(path, "w", encoding="utf-8") as f:
        f.write(good)


if __name__ == "__main__":
    main()
