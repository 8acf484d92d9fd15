#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A machine whose table of flows is full gets new connections all the same:
what is over or was never opened makes room for them, and what is in use stays.

usage: room_test.py
"""
import socket
import struct
import subprocess
import sys
import time

import talk
from lib import ADDR, HERE, PATIENCE, Gate, Net, Report, need_live, until

FLOWS = 64  # of the table
RATE = 1000  # frames of a flood in a second
AFTER = 5.0  # what was reset is remembered for so long
PORT = 8080
OWN = 800  # the ports of this script; what floods has those from 1024 on


class Caller:
    """Connections of the machine to a server of ours, from ports of OWN."""

    def __init__(self, net):
        self.net, self.port = net, OWN
        self.ls = net.listener("wan", PORT, ADDR["wan"])

    def socket(self):
        s = self.net.socket("dr")
        while True:
            self.port = OWN + (self.port + 1 - OWN) % 200
            try:
                s.bind((ADDR["dr"], self.port))
                break
            except OSError:
                pass  # of one that goes on
        s.settimeout(PATIENCE)
        return s

    def call(self):
        """(its end, the server's) of a connection that has carried something,
        or None: the gateway has no room for it."""
        c, s = self.socket(), None
        c.settimeout(1.5)
        self.ls.settimeout(1.5)
        try:
            c.connect((ADDR["wan"], PORT))
            c.settimeout(PATIENCE)
            while not s or s.getpeername() != c.getsockname():
                s, _ = self.ls.accept()
            s.settimeout(PATIENCE)
            if talks(c, s):
                return c, s
        except OSError:
            pass
        c.close()
        return None


def talks(c, s):
    c.sendall(b"\0opaque")
    return s.recv(100) == b"\0opaque"


def reset(c, s):
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.close()
    s.close()


def close(c, s):
    """The server first, so that it is not the machine's port that waits."""
    s.shutdown(socket.SHUT_WR)
    c.recv(1)
    c.close()
    s.recv(1)
    s.close()


def fill(report, caller, name, end):
    """FLOWS connections that end like that; then a new one: what is wrong,
    and after how long there was room."""
    made = 0
    for _ in range(FLOWS):
        pair = caller.call()
        if pair:
            end(*pair)
            made += 1
    begin = time.monotonic()
    pair = until(caller.call, AFTER + PATIENCE)
    took = time.monotonic() - begin
    if pair:
        close(*pair)
    report.expect("%d connections %s: there is room again after %.1f s"
                  % (made, name, took),
                  pair and made == FLOWS,
                  "no room" if not pair else "only %d were made" % made)


def flood(net, kind, seconds, rate):
    return net.start("dr", sys.executable, HERE + "/flood.py", kind,
                     str(seconds), str(rate), stdout=subprocess.PIPE,
                     text=True)


def during(report, net, gate, caller, kind, old, echo):
    """While the machine floods, the connections there are go on, and new ones
    are let in: most, since one that takes longer to open than the flood needs
    to fill the table makes room itself."""
    before, lost = gate.guest("dr"), echo.lost
    p = flood(net, kind, 3, RATE)
    tried = wrong = broken = 0
    while p.poll() is None:
        tried += 1
        pair = caller.call()
        if pair:
            close(*pair)
        wrong += not pair
        try:
            broken += not talks(*old)
        except OSError:
            broken += 1
    sent = int(p.stdout.read().split()[0])
    after = gate.guest("dr")
    flows = after["flows"] - before["flows"]
    report.check("%s: %d frames, %d flows: what is in use goes on" % (
        kind, sent, flows), "%d times not, %d datagrams lost" % (
            broken, echo.lost - lost) if broken or echo.lost > lost
        else "" if tried > 3 and flows > 4 * FLOWS else
        "%d tried, %d flows" % (tried, flows))
    report.check("%s: and %d of %d new connections get in" % (
        kind, tried - wrong, tried), "too few" if wrong > tried / 2 else "")
    report.expect("%s: in a table of %d" % (kind, FLOWS),
                  after["flows_now"] <= FLOWS, after)


def ignore(net, but):
    """The far end answers nothing of a flood."""
    for rule in (["tcp", "--syn", "--sport", "1024:65535", "-j", "DROP"],
                 ["udp", "--sport", str(but), "-j", "ACCEPT"],
                 ["udp", "-j", "DROP"]):
        net.run("wan", "iptables", "-A", "INPUT", "-p", *rule)


def main():
    report = Report()
    need_live(report)
    with Net() as net:
        net.neighbours()
        with Gate(net, max_flows=FLOWS) as gate:
            caller = Caller(net)
            fill(report, caller, "that were closed", close)
            fill(report, caller, "that were reset", reset)
            time.sleep(AFTER)
            old = caller.call()
            echo = talk.Echo(net, "dr", "wan", every=0.01, patience=PATIENCE)
            until(lambda: echo.answered > 3)
            ignore(net, echo.client.getsockname()[1])
            for kind in ("syn", "flows"):
                during(report, net, gate, caller, kind, old, echo)
            echo.stop()
            drops = gate.guest("dr")["drops"]
            report.note("drops: %s" % drops)
    report.done()


if __name__ == "__main__":
    main()
