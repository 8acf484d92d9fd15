#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""HTTP and oBIX live: pages, event streams and histories of any length come
through a gateway that reads them; what no rule grants does not, however deep
it stands, and HTTP is read on a port where other octets may pass unread.
"""
import hashlib
import socket
import threading
import time
from datetime import datetime, timezone

from lib import ADDR, Gate, Net, Report, need_live

PORT = 8080
PATIENCE = 10
SUPER = 65536  # octets that may come as one packet, and share one verdict
FILTER = b"<obj is='obix:HistoryFilter'><int name='limit' null='true'/></obj>"
VOLT = b"<real name='u' unit='obix:units/volt' val='231'/>"


def record(i, unit=b"kilowatt_hour"):
    when = datetime.fromtimestamp(1760000400 + 900 * i, timezone.utc)
    return b"<obj><abstime name='timestamp' val='%s'/><real name='value' " \
        b"unit='obix:units/%s' val='0.%03d'/></obj>" % (
            when.strftime("%Y-%m-%dT%H:%M:%SZ").encode(), unit, i % 1000)


def history(n, at=None):
    """n records; with one of voltages at a place."""
    rows = [record(i, b"volt" if i == at else b"kilowatt_hour")
            for i in range(n)]
    return b"<obj is='obix:HistoryQueryOut'><list name='data'>%s</list>" \
        b"</obj>" % b"".join(rows)


def answer(body, kind=b"text/xml"):
    return b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n" \
        b"\r\n%s" % (kind, len(body), body)


class Exchange:
    """A screen asks the portal; what it got, and whether that was all."""

    def __init__(self, net, ask, say, pause=0.0, leave=0):
        """leave: octets of the head, behind which the client waits for 100
        Continue as curl does, a second, and then goes on without."""
        ls = net.listener("portal", PORT, ADDR["portal"])
        c = net.socket("lan")
        c.settimeout(PATIENCE)
        self.got, self.times, self.why = b"", [], None
        try:
            c.connect((ADDR["portal"], PORT))
            s, _ = ls.accept()
        finally:
            ls.close()
        s.settimeout(PATIENCE)
        server = threading.Thread(target=self.serve, args=(s, ask, say, pause))
        server.start()
        want = sum(map(len, say))
        try:
            if leave:
                c.sendall(ask[:leave])
                time.sleep(1)
            c.sendall(ask[leave:])
            while len(self.got) < want:
                more = c.recv(65536)
                if not more:
                    break
                self.got += more
                self.times.append((time.monotonic(), len(self.got)))
        except OSError as why:
            self.why = why
        c.close()
        server.join()
        self.whole = self.got == b"".join(say)

    @staticmethod
    def serve(s, ask, say, pause):
        try:
            got = b""
            while len(got) < len(ask):
                more = s.recv(65536)
                if not more:
                    return
                got += more
            for part in say:
                s.sendall(part)
                time.sleep(pause)
        except OSError:
            pass
        finally:
            s.close()


def get(path):
    return b"GET %s HTTP/1.1\r\nHost: portal\r\n\r\n" % path


def query():
    return b"POST /obix/history/energy/query HTTP/1.1\r\nHost: portal\r\n" \
        b"Content-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s" % (
            len(FILTER), FILTER)


def events(n):
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" \
        b"Transfer-Encoding: chunked\r\n\r\n"
    data = b"data: %032d\n\n"
    return [head] + [b"%x\r\n%s\r\n" % (len(data % i), data % i)
                     for i in range(n)]


def run(report, net):
    page = hashlib.shake_256(b"page").hexdigest(50000).encode()
    x = Exchange(net, get(b"/today"), [answer(page, b"text/html")])
    report.check("a page of %d octets" % len(page),
                 "" if x.whole else "%d octets, %s" % (len(x.got), x.why))
    x = Exchange(net, query(), [answer(history(16000))])
    report.check("a history of %d octets" % len(x.got),
                 "" if x.whole and len(x.got) > 1 << 20 else
                 "%d octets, %s" % (len(x.got), x.why))
    head, body = query().split(b"\r\n\r\n")
    head += b"\r\nExpect: 100-continue\r\n\r\n"
    x = Exchange(net, head + body, [b"HTTP/1.1 100 Continue\r\n\r\n",
                                    answer(history(20))], leave=len(head))
    report.check("a request that waits for leave to go on",
                 "" if x.whole else "%d octets, %s" % (len(x.got), x.why))
    say = events(10)
    x = Exchange(net, get(b"/events"), say, pause=0.1)
    took = [b - a for (a, _), (b, _) in zip(x.times, x.times[1:])]
    report.check("events come as they are sent",
                 "" if x.whole and len(took) > 5 and max(took) < 1 else
                 "%d octets, %s, %s" % (len(x.got), took, x.why))
    refusals(report, net)


def refusals(report, net):
    for n, at in ((40, 3), (3000, 2500), (8000, 7999)):
        say = answer(history(n, at))
        x = Exchange(net, query(), [say])
        place = say.index(b"obix:units/volt")
        report.check(
            "a voltage in record %d of %d" % (at, n),
            "all of it arrived" if x.whole else
            "it arrived" if b"units/volt" in x.got else
            "only %d octets of %d before it" % (len(x.got), place)
            if len(x.got) < place - 3 * SUPER else "")
    x = Exchange(net, get(b"/volts"), [answer(VOLT, b"text/html")])
    report.check("an object that calls itself a page",
                 "it arrived" if b"volt" in x.got else "" if
                 b"<err " in x.got else "no answer")
    x = Exchange(net, b"GET /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"
                 b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                 [answer(b"<html/>", b"text/html")])
    report.check("HTTP that has two readings, where sealed octets may pass",
                 "it was answered" if x.got else "")
    x = Exchange(net, b"\x17\x03\x03sealed, as far as anybody can tell",
                 [b"\x17\x03\x03" + bytes(20000)])
    report.check("sealed octets pass beside it",
                 "" if x.whole else "%d octets, %s" % (len(x.got), x.why))


def main():
    report = Report()
    need_live(report)
    with Net() as net:
        net.neighbours()
        with Gate(net) as gate:
            run(report, net)
            gate.stop()
            told = [(r["metergate"].get("reason"), r["metergate"].get("op"))
                    for r in gate.records()
                    if r["event_type"] in ("violation", "anomaly")]
    want = {("no-grant", "history-query-response"), ("two-readings", None)}
    report.expect("each refusal is in the audit", want <= set(told),
                  sorted(set(told), key=str))
    report.done()


if __name__ == "__main__":
    socket.setdefaulttimeout(PATIENCE)
    main()
