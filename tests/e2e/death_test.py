#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What an engine that dies had not judged: it does not arrive, and it is
counted and told, all of it. What it died of does not end the next one, too:
that, and the connection it came by, is dropped for a while, and told."""
import os
import signal
import socket
import time

from lib import ADDR, Gate, Net, Report, need_live, until

PORT = 8080


def sender(net, port=0):
    s = net.socket("dr", kind=socket.SOCK_DGRAM)
    s.bind((ADDR["dr"], port))
    s.connect((ADDR["wan"], PORT))
    return s


def receiver(net):
    s = net.socket("wan", kind=socket.SOCK_DGRAM)
    s.bind((ADDR["wan"], PORT))
    s.settimeout(0.5)
    return s


def received(s):
    """All that waits there, and what comes within half a second of it."""
    got = []
    try:
        while True:
            got.append(s.recv(2048))
    except OSError:
        return got


def passes(s, r, text):
    """Whether it arrives: the engine judges, and the gate sends."""
    s.send(text)
    return text in received(r)


def again(gate, pid):
    """Another engine is there and ready."""
    return until(lambda: gate.processes().get("engine[dr]", pid) != pid and
                 gate.ready())


def told(gate, reason, detail):
    """How many packets the audit tells of."""
    n = 0
    for r in gate.records():
        m = r.get("metergate", {})
        if m.get("guest") == "dr" and m.get("reason") == reason and \
                detail in str(m.get("detail")):
            n += m.get("count") or 1
    return n


LEFT = 500


def left(report, net, gate):
    """An engine that is stopped, and then killed, has judged none of them."""
    r, s = receiver(net), sender(net)
    report.check("before: it passes", "" if passes(s, r, b"\0one") else
                 "nothing arrived")
    pid = gate.processes()["engine[dr]"]
    os.kill(pid, signal.SIGSTOP)
    for i in range(LEFT):
        s.send(b"\0n%d" % i)
    time.sleep(0.2)
    os.kill(pid, signal.SIGKILL)
    back = again(gate, pid)
    n = len(received(r))
    seen = gate.guest("dr")["left_dropped"]
    report.check("none of what waited for it arrives", n)
    report.check("all of it is counted", "" if back and seen == LEFT else
                 "%d of %d" % (seen, LEFT))
    report.check("afterwards it passes", "" if passes(s, r, b"\0two") else
                 "nothing arrived")
    for x in (r, s):
        x.close()


FILL = 10000  # verdicts; the ring between engine and gate holds 8192
POISON = b"\0what it dies of"


def poison(report, net, gate):
    """While the gate stands still, the engine has to wait for room: in the
    middle of one of these, when it is ended as by a fault of its own."""
    r, s, other, third = receiver(net), sender(net), sender(net), sender(net)
    report.check("before: the packet passes", "" if passes(s, r, POISON) else
                 "nothing arrived")
    found = gate.processes()
    os.kill(found["gate[dr]"], signal.SIGSTOP)
    for i in range(FILL):
        s.send(POISON)
        if i % 256 == 0:
            time.sleep(0.002)
    time.sleep(0.2)
    os.kill(found["engine[dr]"], signal.SIGSEGV)
    os.kill(found["gate[dr]"], signal.SIGCONT)
    back = again(gate, found["engine[dr]"])
    received(r)
    report.expect("another engine is there", back, gate.text()[-400:])
    report.check("the packet passes no more", passes(s, r, POISON))
    report.check("nor from another port", passes(other, r, POISON))
    report.check("nor others of its connection", passes(s, r, b"\0three"))
    report.check("others of the same machine do", "" if
                 passes(other, r, b"\0four") and
                 passes(third, r, b"\0five") else "they do not arrive")
    n = until(lambda: gate.guest("dr")["drops"].get("poison", 0) == 3)
    report.expect("they are counted", n, gate.guest("dr")["drops"])
    same = gate.processes()["engine[dr]"]
    for _ in range(100):
        s.send(POISON)
    time.sleep(0.2)
    report.check("and end no engine", "" if
                 gate.processes()["engine[dr]"] == same else "it was another")
    for x in (r, s, other, third):
        x.close()


def stands_still(report, gate):
    """The writer, as soon as it is there: nobody waits for it for long."""
    for n in range(4):
        old = gate.processes()["scribe"]
        os.kill(old, signal.SIGKILL)
        new = until(lambda: gate.processes().get("scribe", 0) not in (
            0, old) and gate.processes()["scribe"])
        os.kill(new, signal.SIGSTOP)
        report.check("a writer stands still, %d: the gateway answers" % n, ""
                     if gate.ask("status") else "it does not")
        report.expect("and has another one",
                      until(lambda: gate.processes().get("scribe",
                      0) not in (0, new) and gate.ready(), 60),
                      gate.text()[-300:])


def main():
    report = Report()
    need_live(report)
    with Net() as net:
        net.neighbours()
        with Gate(net) as gate:
            stands_still(report, gate)
            left(report, net, gate)
            before = gate.guest("dr")["left_dropped"]
            poison(report, net, gate)
            more = gate.guest("dr")["left_dropped"] - before
            report.expect("what it left then is counted, too", 0 < more < FILL,
                          more)
            gate.stop()
            n = told(gate, "engine-restart", "waited for an engine")
            report.check("all of it is told to the audit", "" if
                         n == LEFT + more else "%d of %d" % (n, LEFT + more))
            n = told(gate, "poison", "")
            report.check("and what was dropped for being like that packet",
                         "" if n == 103 else "%d of 103" % n)
    report.done()


if __name__ == "__main__":
    main()
