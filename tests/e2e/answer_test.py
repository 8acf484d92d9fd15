#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A refused C12.22 request over UDP is answered at once, in the name of the
node that was asked, with the code for it; that node hears nothing of it, and
the audit says what was answered. What is granted goes the whole way."""
import socket
import time

import c1222
from lib import ADDR, Gate, Net, Report, need_live

REFUSED, GRANTED = 24, 0  # tables, by tests/e2e/policies
ISC = 0x03
PATIENCE = 5


def codes(told, asked_by, asked, inv):
    """The response codes of what was told, or what is wrong with it."""
    want = c1222.apdu(asked_by, asked, inv, [bytes([ISC])], answers=inv)
    if told == want:
        return [ISC]
    return told.hex() or "nothing"


def ask(net, client, server, called, calling, inv, table):
    """What comes back to the client within PATIENCE, how long it took, and
    what came to the server."""
    c = net.socket(client, kind=socket.SOCK_DGRAM)
    s = net.socket(server, kind=socket.SOCK_DGRAM)
    try:
        s.bind((ADDR[server], c1222.PORT))
        s.settimeout(0.5)
        c.settimeout(PATIENCE)
        c.connect((ADDR[server], c1222.PORT))
        began = time.monotonic()
        c.send(c1222.apdu(called, calling, inv, [c1222.read(table)]))
        came = b""
        if table == GRANTED:
            came = s.recv(4096)
        told = b""
        if table == REFUSED:
            try:
                told = c.recv(4096)
            except OSError:
                pass
        took = time.monotonic() - began
        if table == REFUSED:
            try:
                came = s.recv(4096)
            except OSError:
                pass
        return told, took, came
    finally:
        c.close()
        s.close()


def run(report, net):
    told, took, came = ask(net, "wan", "mdma", c1222.METER, c1222.HEADEND,
                           0x11000001, REFUSED)
    got = codes(told, c1222.HEADEND, c1222.METER, 0x11000001)
    report.check("the head end is told isc: %s, after %.0f ms" % (
        got, took * 1000), "" if got == [ISC] else "not so")
    report.check("the meter hears nothing of it", came.hex())
    told, took, came = ask(net, "mdma", "wan", c1222.HEADEND, c1222.METER,
                           0x11000002, REFUSED)
    got = codes(told, c1222.METER, c1222.HEADEND, 0x11000002)
    report.check("so is the machine, of what it may not ask: %s" % got,
                 "" if got == [ISC] else "not so")
    report.check("the head end hears nothing of it", came.hex())
    _, _, came = ask(net, "wan", "mdma", c1222.METER, c1222.HEADEND,
                     0x11000003, GRANTED)
    report.check("what is granted arrives", "" if came else "it does not")


def main():
    report = Report()
    need_live(report)
    with Net() as net:
        net.neighbours()
        with Gate(net) as gate:
            run(report, net)
            gate.stop()
            told = [r["metergate"].get("detail", "") for r in gate.records()
                    if r["event_type"] == "violation"]
    n = sum("answered: isc" in d for d in told)
    report.check("the audit says so", "" if n == 2 else told)
    report.done()


if __name__ == "__main__":
    main()
