#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A message of a guest, or a limit that it exceeds, costs it all its grants for
a while: nothing of it passes any more, not over connections that there were,
and not what the kernel carried. Nobody else's traffic is touched, restarts and
reloads change nothing, and it ends by the operator's word or by itself. Each
step is in the audit and shown.

usage: quarantine_test.py
"""
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import c1222
import talk
from lib import ADDR, POLICIES, Gate, Net, Report, need_live, program, until

DENY = """
deny:
  never-asks-for-secrets:
    direction: out
    match: {c1222.read-request: {table: [42]}}
    severity: critical
    exceed: quarantine 1 h
"""
SHORT = 8  # seconds, of the limit's


def policies(where):
    to = os.path.join(where, "policies")
    shutil.copytree(POLICIES, to)
    with open(os.path.join(to, "mdma.yaml"), "a", encoding="utf-8") as f:
        f.write(DENY)
    path = os.path.join(to, "dr.yaml")
    with open(path, encoding="utf-8") as f:
        text = f.read()
    before = "party: trickle\n    match: {opaque: {}}\n    limits: [4 MiB per day]"
    head, tail = text.split(before, 1)
    with open(path, "w", encoding="utf-8") as f:
        f.write(head + before.replace("4 MiB", "16 KiB") +
                "\n    exceed: quarantine %d s" % SHORT + tail)
    return to


def answered(net, seconds=2):
    """Does the head end get table 1?"""
    u = net.socket("wan", kind=socket.SOCK_DGRAM)
    u.bind((ADDR["wan"], 0))
    u.settimeout(seconds)
    m = talk.request((6 << 28) + int(time.monotonic() * 1000) % (1 << 28), 1)
    u.sendto(m, (ADDR["mdma"], 1153))
    try:
        return talk.tables()[1] in u.recv(65536)
    except OSError:
        return False
    finally:
        u.close()


def left(gate, guest):
    return gate.guest(guest).get("quarantine_left_s", -1)


def tool(gate, *args):
    p = subprocess.run([program("metergatectl"), "-s", gate.work +
                        "/run/control"] + list(args), capture_output=True,
                       text=True, check=False)
    return p.returncode, p.stdout + p.stderr


def told(gate, guest, kind, words):
    """The records of a guest of one type whose text has the words."""
    return [r for r in gate.records() if r["event_type"] == kind and
            r["metergate"].get("guest") == guest and
            words in r["metergate"].get("detail", "")]


def by_message(report, net, gate):
    meter = talk.Meter(net)
    tcp = net.socket("wan")
    tcp.settimeout(4)
    tcp.connect((ADDR["mdma"], 1153))
    tcp.sendall(talk.request(77, 1))
    before = bool(tcp.recv(65536)) and until(lambda: answered(net), 8)
    u = net.socket("mdma", kind=socket.SOCK_DGRAM)
    u.bind((ADDR["mdma"], 0))
    u.sendto(c1222.apdu(c1222.HEADEND, c1222.METER, 7, [c1222.read(42)]),
             (ADDR["wan"], 1153))
    began = until(lambda: left(gate, "mdma") > 0)
    report.check("a message begins it", "" if before and began and
                 3500 < left(gate, "mdma") <= 3600 else
                 "%s, %s" % (before, gate.guest("mdma")))
    try:
        got = tcp.recv(65536)
    except ConnectionResetError:
        got = b""
    except OSError as why:
        got = why
    report.expect("a connection of before is reset, without another word",
                  got == b"", got)
    tcp.close()
    s = net.socket("wan")
    s.settimeout(2)
    try:
        s.connect((ADDR["mdma"], 1153))
        opened = True
    except OSError:
        opened = False
    s.close()
    report.check("nothing new is answered or opened", "it is" if
                 opened or answered(net) else "")
    echo = talk.Echo(net, "dr", "wan", every=0.02)
    until(lambda: echo.answered > 5)
    echo.stop()
    report.expect("another guest goes on",
                  echo.answered > 5 and left(gate, "dr") == 0, echo.answered)
    why = until(lambda: told(gate, "mdma", "violation", "deny rule"))
    begin = until(lambda: told(gate, "mdma", "anomaly", "quarantine: nothing "
                               "but floors for 3600 s"))
    later = [r for r in gate.records() if r["event_type"] == "violation" and
             r["metergate"].get("reason") == "quarantined"]
    report.check("the audit has what began it, that it did, and what it cost",
                 "" if len(why) == 1 and len(begin) == 1 and later and
                 why[0]["metergate"]["rule"] == "never-asks-for-secrets" and
                 why[0]["metergate"]["severity"] == "critical" and
                 begin[0]["metergate"]["severity"] == "high" and
                 why[0]["metergate"]["seq"] < begin[0]["metergate"]["seq"]
                 else "%s, %s, %s" % (why, begin, later))
    text = tool(gate, "guests")[1], tool(gate, "why", "mdma")[1]
    report.expect("metergatectl shows it",
                  "quarantine" in text[0] and "quarantined" in text[1], text)
    got = {r["notice"]: r for r in gate.ask("notices")[1:]}
    report.expect("so do the notices",
                  3000 < got.get("quarantine", {}).get("left_s", 0) <= 3600
                  and got["quarantine"]["guest"] == "mdma" and
                  any(r["notice"] == "refusal" and
                      r["event"]["metergate"].get("severity") == "critical"
                      for r in gate.ask("notices")[1:]) and
                  "quarantine  mdma" in tool(gate, "notices")[1],
                  got)
    return meter


def it_stays(report, net, gate):
    wrong = []
    for what, do in (
            ("an engine that was killed", lambda: os.kill(
                gate.processes()["engine[mdma]"], signal.SIGKILL)),
            ("a reload", lambda: gate.ask("reload", timeout=60)),
            ("a restart", lambda: (gate.stop(), gate.start())),
            ("kill -9 of all", lambda: (gate.kill_all(), gate.start()))):
        do()
        until(gate.ready, 30, 0.1)
        until(lambda: left(gate, "mdma") > 0)
        if not 3000 < left(gate, "mdma") <= 3600 or answered(net):
            wrong.append("%s ends it: %s" % (what, left(gate, "mdma")))
    report.check("no restart and no reload ends it", "; ".join(wrong))


def by_hand(report, net, gate):
    code, text = tool(gate, "release", "mdma")
    passes = until(lambda: answered(net), 8)
    report.check("the operator ends it", "" if code == 0 and passes and
                 until(lambda: left(gate, "mdma") == 0) else
                 "%s%s, %s" % (text, passes, left(gate, "mdma")))
    by = until(lambda: told(gate, "mdma", "maintenance",
                            "quarantine ended by uid"))
    over = until(lambda: told(gate, "mdma", "anomaly", "quarantine is over"))
    report.check("the audit has who, and that it is over", "" if len(by) == 1
                 and len(over) == 1 and by[0]["metergate"]["seq"] <
                 over[0]["metergate"]["seq"] else "%s, %s" % (by, over))
    code, text = tool(gate, "release", "mdma")
    report.expect("which it is only once",
                  code == 1 and "in no quarantine" in text, text)


def taken(s, octets):
    n = 0
    while n < octets:
        more = s.recv(octets - n)
        if not more:
            raise OSError("closed")
        n += len(more)


def pump(c, s, octets, both=False):
    """How many of these arrive; both: and so many the other way."""
    for got in range(0, octets, 16384):
        try:
            c.sendall(bytes(16384))
            taken(s, 16384)
            if both:
                s.sendall(bytes(16384))
                taken(c, 16384)
        except OSError:
            return got
    return octets


def carried(gate, guest):
    return [f for f in gate.ask("flows " + guest)[1:] if f["offload"]]


def by_limit(report, net, gate):
    """What the kernel carries ends, too."""
    c, s = net.connected("dr", "wan", 8080, 4)
    talk.greeted(c, s)
    # So far, both ways, that a reset where it was given away is none of it.
    sent = until(lambda: pump(c, s, 1 << 20, True) and carried(gate, "dr") and
                 pump(c, s, 1 << 18, True) and carried(gate, "dr"))
    report.expect("the kernel carries a stream", sent, gate.ask("flows dr"))
    a, b = net.connected("dr", "wan", 8081, 4)
    begin = time.monotonic()
    n = pump(a, b, 1 << 17)
    began = until(lambda: left(gate, "dr") > 0)
    time.sleep(0.5)
    report.check("a limit that is exceeded begins it", "" if began and
                 n < 16384 else "%d octets, %s" % (n, gate.guest("dr")))
    late = pump(c, s, 1 << 20, True)
    report.check("and the kernel's stream has ended", "" if late == 0 else
                 "%d octets" % late)
    still = left(gate, "dr")
    over = until(lambda: told(gate, "dr", "anomaly", "quarantine is over"),
                 SHORT + 10, 0.2)
    took = time.monotonic() - begin
    for x in (a, b, c, s):
        x.close()
    c, s = net.connected("dr", "wan", 8080, 4)
    passes = pump(c, s, 16384)
    report.check("it is over by itself, when its time is", "" if still > 0 and
                 len(over) == 1 and took >= SHORT - 1 and passes == 16384 and
                 left(gate, "dr") == 0 and not told(
                     gate, "dr", "maintenance", "ended by") else
                 "%s, %s, %.1f s, %d" % (still, over, took, passes))
    c.close()
    s.close()


def main():
    report = Report()
    need_live(report)
    where = tempfile.mkdtemp(prefix="metergate-quarantine-")
    os.chmod(where, 0o755)
    try:
        with Net() as net, Gate(
                net, policies=policies(where), offload="true") as gate:
            net.neighbours()
            meter = by_message(report, net, gate)
            it_stays(report, net, gate)
            by_hand(report, net, gate)
            by_limit(report, net, gate)
            meter.stop()
    finally:
        shutil.rmtree(where, ignore_errors=True)
    report.done()


if __name__ == "__main__":
    sys.exit(main())
