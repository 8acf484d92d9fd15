#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Signed policies: who may sign what, serials that only rise, what stays in
force when a directory is refused, over a restart and over kill -9, and a
first start without anything good."""
import os
import shutil
import socket
import sys
import time

import c1222
import talk
from lib import ADDR, Gate, Net, Report, need_live, until
from signed import Signed


def answered(net, table=1, seconds=2):
    """Does the head end get the table?"""
    u = net.socket("wan", kind=socket.SOCK_DGRAM)
    u.bind((ADDR["wan"], 0))
    u.settimeout(seconds)
    m = talk.request((6 << 28) + int(time.monotonic() * 1000) % (1 << 28),
                     table)
    u.sendto(m, (ADDR["mdma"], 1153))
    try:
        return c1222.METER in u.recv(65536) and True
    except OSError:
        return False
    finally:
        u.close()


def passes(net):
    return bool(until(lambda: answered(net), 8))


def serial(gate, policy="com.example.testbed.mdma"):
    return [r["serial"] for r in gate.ask("policies")[1:]
            if r["policy"] == policy]


def refusals(gate):
    """What the audit says of policies that were refused."""
    return [r["metergate"].get("detail", "") for r in gate.records()
            if r["event_type"] == "policy" and
            r["metergate"].get("detail", "").startswith("refused")]


def bad_directories(report, net, gate, signed):
    """Each is refused with a line and a record, and changes nothing."""
    good = {}
    for n in os.listdir(gate.policies):
        with open(os.path.join(gate.policies, n), "rb") as f:
            good[n] = f.read()

    def vendor(n, **how):
        signed.serial("mdma", n)
        signed.deliver("mdma", gate.policies, **how)

    def other_contents():
        signed.edit("mdma", ("  bytes:\n", "  octets:\n"))
        vendor(5)
        signed.edit("mdma", ("  octets:\n", "  bytes:\n"))

    def source():
        shutil.copy(signed.path("mdma"), gate.policies)

    def cut():
        path = os.path.join(gate.policies, "mdma.polc")
        os.truncate(path, os.path.getsize(path) - 1)

    def another_meter():
        signed.edit("binding", ("SM0000001234", "SM0000009999"),
                    ("serial: 1", "serial: 2"))
        signed.deliver("binding", gate.policies)

    rows = (("not signed", lambda: vendor(6, unsigned=True), "not signed"),
            ("signed by a stranger", lambda: vendor(6, by="stranger"),
             "another key"),
            ("signed by another vendor", lambda: vendor(6, by="dr-vendor"),
             "mdma-vendor"),
            ("a vendor's signed by the platform",
             lambda: vendor(6, by="platform"), "mdma-vendor"),
            ("a baseline signed by a vendor", lambda: signed.deliver(
                "baseline", gate.policies, by="mdma-vendor"),
             "a key of the platform"),
            ("a lower serial", lambda: vendor(4), "serials only rise"),
            ("the same serial, other contents", other_contents,
             "another policy of this serial"),
            ("a source", source, "carries no signature"),
            ("an image that is cut", cut, "mdma.polc"),
            ("a binding of another meter", another_meter,
             "of meter SM0000009999"))
    for what, put, says in rows:
        put()
        before = len(refusals(gate))
        got = gate.ask("reload", timeout=60)[0]
        records = until(lambda: refusals(gate)[before:])
        report.check("refused: " + what, "" if got["ok"] is False and
                     says in got["error"] and "\n" not in got["error"] and
                     records and says in records[0] and
                     serial(gate) == [5] and passes(net) else
                     "%s, %s, serial %s" % (got, records, serial(gate)))
        for n in os.listdir(gate.policies):
            os.unlink(os.path.join(gate.policies, n))
        for n, octets in good.items():
            with open(os.path.join(gate.policies, n), "wb") as f:
                f.write(octets)
    signed.edit("binding", ("SM0000009999", "SM0000001234"),
                ("serial: 2", "serial: 1"))


def restarts(report, net, gate, signed):
    signed.serial("mdma", 6)
    signed.deliver("mdma", gate.policies, by="stranger")
    for how, end in (("stop", gate.stop), ("kill -9", gate.kill_all)):
        end()
        gate.start()
        report.check("after %s a bad directory leaves what was in force" % how,
                     "" if serial(gate) == [5] and passes(net) and
                     "stay in force" in gate.text() and refusals(gate) else
                     "serial %s: %s" % (serial(gate), gate.text()[-300:]))
    for name in os.listdir(gate.policies):
        os.unlink(os.path.join(gate.policies, name))
    gate.stop()
    gate.start()
    report.check("so does an empty one", "" if serial(gate) == [5] and
                 passes(net) else serial(gate))
    signed.deliver_all(gate.policies)
    got = gate.ask("reload", timeout=60)[0]
    report.check("and a good one comes into force", "" if got["ok"] and
                 serial(gate) == [6] else got)
    gate.kill_all()
    signed.serial("mdma", 5)
    signed.deliver("mdma", gate.policies)
    gate.start()
    report.check("serials are known after kill -9", "" if serial(gate) == [6]
                 and "serial 6 was here before" in gate.text() else
                 "serial %s" % serial(gate))


def first(report, net, signed):
    """Nothing was ever in force here."""
    shutil.rmtree(signed.policies)
    os.makedirs(signed.policies)
    signed.deliver_all(signed.policies)
    signed.deliver("mdma", signed.policies, by="stranger")
    with Gate(net, policies=signed.policies, **signed.conf()) as gate:
        report.check("a first start that is refused is closed",
                     "it answered" if answered(net) else
                     "" if until(lambda: refusals(gate)) and
                     not serial(gate) and
                     "nothing passes" in gate.text() else gate.text()[-300:])
        signed.deliver("mdma", gate.policies)
        got = gate.ask("reload", timeout=60)[0]
        report.check("a good directory opens it", "" if got["ok"] and
                     passes(net) else got)
    signed.deliver("binding", signed.policies, by="stranger")
    gate = Gate(net, policies=signed.policies, **signed.conf())
    gate.start(wait=False)
    try:
        code = gate.p.wait(30)
    finally:
        gate.stop()
    lines = [x for x in gate.text().splitlines() if "binding" in x]
    report.check("without a binding it ends, with one line", "" if code == 2
                 and len(lines) == 1 and "signed with another key" in lines[0]
                 else "%s: %s" % (code, gate.text()[-300:]))
    shutil.rmtree(gate.work, ignore_errors=True)


def main():
    report = Report()
    need_live(report)
    with Net() as net, Signed() as signed:
        net.neighbours()
        meter = talk.Meter(net)
        signed.serial("mdma", 5)
        signed.deliver_all(signed.policies)
        with Gate(net, policies=signed.policies, **signed.conf()) as gate:
            status = gate.ask("status")[0]
            keys = {r["policy"].split(".")[-1]: r.get("signed_with")
                    for r in gate.ask("policies")[1:]}
            report.check("signed policies are in force", "" if
                         status["signatures"] == "required" and passes(net) and
                         keys["mdma"] == signed.public("mdma-vendor") and
                         keys["baseline"] == signed.public("platform") else
                         "%s, %s" % (status, keys))
            bad_directories(report, net, gate, signed)
            restarts(report, net, gate, signed)
        first(report, net, signed)
        meter.stop()
    report.done()


if __name__ == "__main__":
    sys.exit(main())
