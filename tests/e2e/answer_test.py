#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is refused is answered at once, in the name of the end that was asked:
C12.22 over UDP and TCP with its code, HTTP with 403 or 429, oBIX with an err.
Agents that know nothing of a gateway (curl, Python's client) fail cleanly; the
end that was asked hears nothing of what was refused, and the audit says what
was answered. What is granted goes the whole way."""
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time

import c1222
from lib import ADDR, POLICIES, Gate, Net, Report, auditor, need_live

REFUSED, GRANTED = 24, 0  # tables, by tests/e2e/policies
ISC, BSY, DNR = 0x03, 0x06, 0x07
PATIENCE = 5
PORT = 8080
TEXT = b"asked for"  # by which what arrives is found again
SLOWLY = """
limits:
  slowly:
    on: {direction: in, party: household, match: {http.request: {path: /slow}}}
    limit: at least 1 h apart
"""


def code_of(told, to, by, inv):
    """The response code of what was told, or what it is instead."""
    for code in (ISC, BSY, DNR):
        if told == c1222.apdu(to, by, inv, [bytes([code])], answers=inv):
            return code
    return told.hex() or "nothing"


def receive(s):
    try:
        return s.recv(4096)
    except OSError as why:
        return b"" if isinstance(why, socket.timeout) else str(why).encode()


# --- C12.22 -------------------------------------------------------------------


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
        came = receive(s) if table == GRANTED else b""
        told = receive(c) if table == REFUSED else b""
        took = time.monotonic() - began
        came += receive(s) if table == REFUSED else b""
        return told, took, came
    finally:
        c.close()
        s.close()


def datagrams(report, net):
    told, took, came = ask(net, "wan", "mdma", c1222.METER, c1222.HEADEND,
                           0x11000001, REFUSED)
    got = code_of(told, c1222.HEADEND, c1222.METER, 0x11000001)
    report.check("the head end is told isc: %s, after %.0f ms" % (
        got, took * 1000), "" if got == ISC else "not so")
    report.check("the meter hears nothing of it", came.hex())
    told, took, came = ask(net, "mdma", "wan", c1222.HEADEND, c1222.METER,
                           0x11000002, REFUSED)
    got = code_of(told, c1222.METER, c1222.HEADEND, 0x11000002)
    report.check("so is the machine, of what it may not ask: %s" % got,
                 "" if got == ISC else "not so")
    report.check("the head end hears nothing of it", came.hex())
    _, _, came = ask(net, "wan", "mdma", c1222.METER, c1222.HEADEND,
                     0x11000003, GRANTED)
    report.check("what is granted arrives", "" if came else "it does not")


def until_end(s):
    """All that comes, and how it ends."""
    got = b""
    try:
        while True:
            more = s.recv(4096)
            if not more:
                return got, "end"
            got += more
    except socket.timeout:
        return got, "silence"
    except OSError as why:
        return got, type(why).__name__


def pair(net, client, server, port):
    """Both ends of a connection."""
    ls = net.listener(server, port, ADDR[server])
    c = net.socket(client)
    c.settimeout(PATIENCE)
    c.connect((ADDR[server], port))
    s, _ = ls.accept()
    s.settimeout(PATIENCE)
    ls.close()
    return c, s


def streams(report, net):
    """Over a connection; the answer's refusal reaches the one who asked."""
    c, s = pair(net, "wan", "mdma", c1222.PORT)
    c.sendall(c1222.apdu(c1222.METER, c1222.HEADEND, 0x11000011,
                         [c1222.read(REFUSED)]))
    told, end = until_end(c)
    got = code_of(told, c1222.HEADEND, c1222.METER, 0x11000011)
    report.check("over TCP the head end is told isc, then the end: %s, %s" % (
        got, end), "" if (got, end) == (ISC, "end") else "not so")
    came, end = until_end(s)
    report.check("the meter is reset and hears nothing of it: " + end,
                 came.hex() or ("" if end == "ConnectionResetError" else end))
    c.close()
    s.close()
    c, s = pair(net, "wan", "mdma", c1222.PORT)
    c.sendall(c1222.apdu(c1222.METER, c1222.HEADEND, 0x11000012,
                         [c1222.read(GRANTED)]))
    asked = s.recv(4096)
    # More than anybody may say, in answer to what was granted.
    s.sendall(c1222.apdu(c1222.HEADEND, c1222.METER, 0x11000012,
                         [c1222.table_data(TEXT)] * 2, answers=0x11000012))
    told, end = until_end(c)
    report.check("what answers nothing that was asked ends it", "" if asked and
                 TEXT not in told else "%s, %s" % (told.hex(), end))
    c.close()
    s.close()


# --- HTTP and oBIX --------------------------------------------------------------


class Server:
    """The portal's, for one connection after the other: what it was asked."""

    def __init__(self, net, name):
        self.ls = net.listener(name, PORT, ADDR[name])
        self.came, self.stopping = b"", False
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        while not self.stopping:
            try:
                s, _ = self.ls.accept()
            except OSError:
                continue
            s.settimeout(PATIENCE)
            try:
                while True:
                    got = s.recv(65536)
                    if not got:
                        break
                    self.came += got
                    s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
                              if b"\r\n\r\n" in got else b"")
            except OSError:
                pass
            s.close()

    def stop(self):
        self.stopping = True
        self.ls.close()
        self.thread.join()


def curl(net, *args):
    """Status, exit status and body."""
    done = net.run("lan", "curl", "-sS", "-m", str(PATIENCE), "-i", *args,
                   check=False, stdout=subprocess.PIPE,
                   stderr=subprocess.STDOUT)
    return done.returncode, done.stdout.decode(errors="replace")


def client(net, *requests):
    """(status, headers, body) of each, by Python's own client."""
    got = []
    c = http.client.HTTPConnection(ADDR["portal"], PORT, timeout=PATIENCE)
    for method, path, body in requests:
        if c.sock is None:
            c.sock = net.socket("lan")
            c.sock.settimeout(PATIENCE)
            c.sock.connect((ADDR["portal"], PORT))
        c.request(method, path, body)
        r = c.getresponse()
        got.append((r.status, dict(r.getheaders()), r.read()))
    c.close()
    return got


def web(report, net):
    url = "http://%s:%d" % (ADDR["portal"], PORT)
    server = Server(net, "portal")
    try:
        if shutil.which("curl"):
            rc, text = curl(net, "-X", "PUT", "--data-binary", TEXT.decode(),
                            url + "/page")
            report.expect("curl is told 403 and no more",
                          rc == 0 and text.startswith("HTTP/1.1 403 ") and
                          "Content-Length: 0" in text,
                          (rc, text))
            rc, text = curl(net, "-X", "DELETE", url + "/obix/point/")
            report.expect("curl is told of oBIX by an err",
                          rc == 0 and text.startswith("HTTP/1.1 200 ") and
                          '<err is="obix:PermissionErr"' in text,
                          (rc, text))
        else:
            report.note("SKIP: no curl")
        got = client(net, ("GET", "/slow", None), ("PUT", "/x", TEXT))
        report.expect("behind an answer, in the same connection: 200, 403",
                      [r[0] for r in got] == [200, 403], got)
        got = client(net, ("GET", "/slow", None))
        wait = int(got[0][1].get("Retry-After", "0"))
        report.expect("too soon: 429, again in %d s" % wait,
                      got[0][0] == 429 and 3500 < wait <= 3600, got)
        body = b"<real val='1' display='%s'/>" % TEXT
        got = client(net, ("POST", "/obix/point/set", body))
        report.expect("a write of oBIX: an err",
                      got[0][0] == 200 and
                      b'<err is="obix:PermissionErr"' in got[0][2],
                      got)
        got = client(net, ("GET", "/today", None))
        report.expect("what is granted arrives", got[0][2] == b"ok", got)
    finally:
        server.stop()
    report.expect("the portal heard of nothing that was refused",
                  server.came.count(b" /slow ") == 1 and
                  b" /today " in server.came and TEXT not in server.came and
                  b"DELETE" not in server.came,
                  server.came)
    return own(report, net)


def own(report, net):
    """The machine itself is told why, and where that is recorded."""
    c, s = pair(net, "portal", "lan", PORT)
    c.sendall(b"GET /" + TEXT.replace(b" ", b"-") +
              b" HTTP/1.1\r\nHost: lan\r\n\r\n")
    told, end = until_end(c)
    came, how = until_end(s)
    report.expect("a machine of ours is told the reason",
                  b" 403 " in told and b"no-grant" in told and end == "end",
                  (told, end))
    report.check("and the other end nothing", came or
                 ("" if how == "ConnectionResetError" else how))
    c.close()
    s.close()
    flow = re.search(rb"recorded as flow ([0-9]+)\n$", told)
    return flow.group(1).decode() if flow else "none"


def recorded(report, audit, flow):
    """What the machine was told finds the record of it, no other refusal."""
    rc, text = auditor("show", "--flow", flow, "--kind", "deny", audit)
    report.check("the flow that it was told finds the record", "" if
                 rc == 0 and text.count("\n") == 1 and "no-grant" in text and
                 TEXT.decode().replace(" ", "-") in text else
                 "flow %s: %d, %s" % (flow, rc, text))


def main():
    report = Report()
    need_live(report)
    work = tempfile.mkdtemp(prefix="metergate-e2e-")
    policies = os.path.join(work, "policies")
    shutil.copytree(POLICIES, policies)
    with open(os.path.join(policies, "portal.yaml"), "a",
              encoding="utf-8") as f:
        f.write(SLOWLY)
    try:
        with Net() as net:
            net.neighbours()
            with Gate(net, policies=policies) as gate:
                datagrams(report, net)
                streams(report, net)
                flow = web(report, net)
                gate.stop()
                recorded(report, gate.audit, flow)
                told = [r["metergate"].get("detail", "")
                        for r in gate.records()
                        if r["event_type"] == "violation"]
    finally:
        shutil.rmtree(work, ignore_errors=True)
    for name, least in (("isc", 3), ("403", 3), ("429", 1), ("obix err", 2)):
        n = sum(d.endswith("answered: " + name) for d in told)
        report.expect("the audit says who was answered %s: %d" % (name, n),
                      n >= least, json.dumps(told))
    report.done()


if __name__ == "__main__":
    main()
