#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""On a bridge a gate sends what it repeats straight to where its receiver was
seen. Somebody else on the link who says to be the head end, in packets that
are all refused, is not sent what is repeated to the head end."""
import socket
import threading
import time

import c1222
import talk
from between_test import HALF, LOST, crafted_by, read
from lib import ADDR, ETH_P_ALL, Gate, Net, Report, Tap, inside, need_live
from packets import TCP, UDP, ether, ip4, udp

MAC = {"mdma": bytes.fromhex("02000a14000a"),
       "lan": bytes.fromhex("02000a140014")}
EVERY = 0.004
STALL = 20.0


class Claimer(threading.Thread):
    """The LAN host, in the head end's name, to the machine."""

    def __init__(self, net):
        super().__init__(daemon=True)
        self.sent, self.stopping = 0, False
        with inside(net.ns("lan")):
            self.s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self.s.bind(("eth0", ETH_P_ALL))
        a, b = (socket.inet_aton(ADDR[w]) for w in ("wan", "mdma"))
        self.frame = ether(MAC["lan"], MAC["mdma"], 0x0800,
                           ip4(a, b, UDP, udp(a, b, 999, 9, b"I am it")))
        self.start()

    def run(self):
        while not self.stopping:
            self.s.send(self.frame)
            self.sent += 1
            time.sleep(EVERY)

    def stop(self):
        self.stopping = True
        self.join()
        self.s.close()
        return self.sent


def exchange(net, gate):
    """The head end asks, the machine answers in two writes, and the head
    end's link loses all TCP meanwhile: (question heard, answer heard, the
    segments that the gate made)."""
    with net.listener("mdma", 1153, ADDR["mdma"]) as ls:
        client = net.socket("wan")
        client.settimeout(STALL)
        client.connect((ADDR["mdma"], 1153))
        meter, _ = ls.accept()
    meter.settimeout(STALL)
    inv = 6 << 28
    q = talk.request(inv, 1)
    client.sendall(q)
    asked = read(meter, len(q)) == q
    m = c1222.apdu(c1222.HEADEND, c1222.METER, inv + 1,
                   [c1222.answer(talk.tables()[1])], answers=inv,
                   control=0x82)
    half = min(HALF, len(m) // 2)
    before = crafted_by(gate, "mdma")
    loss = ["iptables", "-I", "INPUT", "-p", "tcp", "-j", "DROP"]
    net.run("wan", *loss)
    meter.sendall(m[:half])
    time.sleep(0.1)
    meter.sendall(m[half:])
    time.sleep(LOST)
    net.run("wan", *["-D" if w == "-I" else w for w in loss])
    got = read(client, len(m))
    made = crafted_by(gate, "mdma") - before
    client.close()
    meter.close()
    return asked, got == m, made


def main():
    report = Report()
    need_live(report)
    with Net("bridged") as net, Gate(net) as gate:
        report.check("the head end is known", not exchange(net, gate)[1])
        time.sleep(1.0)  # its end has gone by
        passed = gate.guest("mdma")["passed"]
        tap, heard = Tap(net, "lan"), Tap(net, "mdma")
        claimer = Claimer(net)
        time.sleep(1.0)
        between = gate.guest("mdma")["passed"] - passed
        asked, arrived, made = exchange(net, gate)
        sent = claimer.stop()
        claims = [f for _, _, f in heard.stop() if claimer.frame[14:] in f]
        frames = [f for _, _, f in tap.stop()]
        report.check("%d claims, all refused" % sent,
                     "" if sent > 100 and not claims and not between else
                     "%d arrived, %d passed" % (len(claims), between))
        report.check("the gate repeats: %d segments" % made,
                     "" if made >= 3 else "too few to tell")
        report.expect("what was lost arrives at the head end",
                      asked and arrived, (asked, arrived))
        report.check("and nothing of it at whoever claimed to be it",
                     [f.hex() for f in frames if len(f) > 23 and
                      f[12:14] == b"\x08\x00" and f[23] == TCP])
    report.done()


if __name__ == "__main__":
    main()
