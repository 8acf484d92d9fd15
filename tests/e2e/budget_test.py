#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Budgets are exact: four connections of one machine race for the last unit
of a budget and exactly one wins; what was used stays used when the engine, or
the whole daemon, is killed in between.

usage: budget_test.py [ROUNDS]      (3)

The budget is tests/e2e/policies' "1 reading per month" of table 25.
"""
import os
import signal
import socket
import sys
import threading
import time

import c1222
import talk
from lib import ADDR, Gate, Net, Report, need_live, until

RIVALS = 4
LOST = 1.0


class Rival:
    """A head end's connection to the meter, and the meter's end of it."""

    def __init__(self, net, listener, number):
        self.number = number
        self.client = net.socket("wan")
        self.client.settimeout(10)
        self.client.connect((ADDR["mdma"], 1153))
        self.server, _ = listener.accept()
        for s in (self.client, self.server):
            s.settimeout(10)
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.inv = (2 << 28) + number * 256
        self.got = False

    def ask(self, table=25):
        """True when the question arrived."""
        self.inv += 1
        m = talk.request(self.inv, table)
        self.client.sendall(m)
        got = b""
        while len(got) < len(m):
            got += self.server.recv(4096)
        return got == m

    def answer(self, image):
        m = c1222.apdu(c1222.HEADEND, c1222.METER, self.inv,
                       [c1222.answer(image)], answers=self.inv, control=0x82)
        try:
            self.server.sendall(m)
        except OSError:
            pass
        return m

    def hear(self, m):
        got = b""
        self.client.settimeout(LOST)
        try:
            while len(got) < len(m):
                more = self.client.recv(4096)
                if not more:
                    break
                got += more
        except OSError:
            pass
        self.got = got == m
        return got

    def close(self):
        self.client.close()
        self.server.close()


def race(net, listener, image, offset):
    """How many of the rivals' answers arrive; and whether something arrived
    that is none."""
    rivals = [Rival(net, listener, offset + i) for i in range(RIVALS)]
    asked = [r.ask() for r in rivals]
    gate = threading.Barrier(RIVALS)
    heard = []

    def run(r):
        gate.wait()
        m = r.answer(image)
        heard.append((r.hear(m), m))

    threads = [threading.Thread(target=run, args=(r,)) for r in rivals]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for r in rivals:
        r.close()
    part = [g for g, m in heard
            if g and g != m and not c1222.refused(g)]
    return sum(r.got for r in rivals), all(asked), part


def one_round(report, net, n):
    image = talk.tables()[25]
    with Gate(net) as gate:
        ls = net.listener("mdma", 1153, ADDR["mdma"])
        won, asked, part = race(net, ls, image, 0)
        report.check("round %d: of %d rivals one wins" % (n, RIVALS),
                     "" if won == 1 and asked and not part else
                     "%d won, asked %s, partly %s" % (won, asked, part))
        os.kill(gate.processes()["engine[mdma]"], signal.SIGKILL)
        after(report, net, ls, image, "round %d: nothing is refunded "
              "when the engine is killed" % n, 8)
        gate.kill_all()
        gate.start()
        after(report, net, ls, image, "round %d: nothing is refunded "
              "when the daemon is killed" % n, 16)
        gate.stop()
        gate.start()
        after(report, net, ls, image, "round %d: nor when it is started "
              "again" % n, 24)
        ls.close()


def served(net, ls, number):
    """Does a question get through again?"""
    try:
        r = Rival(net, ls, number)
        r.client.settimeout(2)
        r.server.settimeout(2)
        ok = r.ask(0)
        r.close()
        return ok
    except OSError:
        return False


def after(report, net, ls, image, what, offset):
    ls.settimeout(2)
    number = [100 + offset * 8]

    def again():
        number[0] += 1
        return served(net, ls, number[0])

    if not until(again, 30, 0.1):
        report.check(what, "service did not come back")
        return
    won, asked, part = race(net, ls, image, offset)
    report.check(what, "" if won == 0 and asked and not part else
                 "%d more answers arrived, asked %s, partly %s" % (
                     won, asked, part))


def main():
    report = Report()
    need_live(report)
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    with Net() as net:
        for n in range(1, rounds + 1):
            one_round(report, net, n)
            time.sleep(0.1)
    report.done()


if __name__ == "__main__":
    main()
