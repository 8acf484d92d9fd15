#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The portal reads the audit through its own policy: a path needs a grant of
the request, and a query, which is content that goes out, one of so many octets
of body and of opaque ones, too. Who resumes by Last-Event-ID needs no query. A
reader that closes its side is cut off (docs/audit.md)."""
import os
import shutil
import socket
import tempfile

from lib import ADDR, POLICIES, Gate, Net, Report, need_live, until

PORT = 8480
PARTY = """  meter:
    name: The meter's own services
    role: infrastructure
    address: [%s/32]
    ports: [tcp/%d]
""" % (ADDR["gw"], PORT)
ASKED = """  records-asked:
    direction: out
    party: meter
    match: {http.request: {method: [GET], path: /v1/**%s}}
"""
DARK = """  records-asked-by-query:
    direction: out
    party: meter
    match: {opaque: {}}
    limits: [64 KiB per day]
"""
GIVEN = """  records-given:
    direction: in
    party: meter
    match: {http.response: {}}
    answers: [records-asked]
"""
report = Report()
check = report.expect


def policies(to, body, dark):
    shutil.copytree(POLICIES, to)
    path = os.path.join(to, "portal.yaml")
    with open(path, encoding="utf-8") as f:
        text = f.read()
    text = text.replace("\nallow:\n", PARTY + "\nallow:\n" + ASKED % body +
                        (DARK if dark else "") + GIVEN)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    path = os.path.join(to, "baseline.yaml")
    with open(path, encoding="utf-8") as f:
        text = f.read()
    text = text.replace("    party: {role: [infrastructure]}\n"
                        "    match: {opaque: {}}",
                        "    party: {role: [infrastructure]}\n"
                        "    match: [{opaque: {}}, {http.any: {}}]")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return to


def asks(net, target, *fields):
    done = net.run("portal", "curl", "-s", "-m", "4", "-o", "/dev/null", "-w",
                   "%{http_code}", *fields,
                   "http://%s:%d%s" % (ADDR["gw"], PORT, target), check=False,
                   capture_output=True, text=True)
    return done.stdout


ROWS = (
    # what is granted, octets of body, opaque ones, is a query answered
    ("the path alone", ", body: 0 B", False, False),
    ("octets of body without opaque", ", body: 64 B", False, False),
    ("opaque without octets of body", ", body: 0 B", True, False),
    ("both", ", body: 64 B", True, True),
    ("any body, and opaque", "", True, True),
)


def half_closed(net):
    """It closes its side behind the question: as the close of a reader."""
    s = net.socket("portal")
    s.settimeout(8)
    s.connect((ADDR["gw"], PORT))
    s.sendall(b"GET /v1/audit HTTP/1.1\r\nHost: m\r\n"
              b"Accept: text/event-stream\r\n\r\n")
    got = s.recv(4096)
    s.shutdown(socket.SHUT_WR)
    try:
        while True:
            more = s.recv(4096)
            if not more:
                break
            got += more
    except socket.timeout:
        return None
    except OSError:
        pass
    s.close()
    return got


def main():
    need_live(report)
    with Net() as net, tempfile.TemporaryDirectory() as work:
        os.chmod(work, 0o755)
        net.neighbours()
        for i, (what, body, dark, query) in enumerate(ROWS):
            with Gate(net, policies(os.path.join(work, str(i)), body, dark),
                      listen=ADDR["gw"], portal="portal") as gate:
                got = asks(net, "/v1/status")
                check("%s: a path is answered" % what, got == "200",
                      got + gate.text()[-300:])
                got = asks(net, "/v1/audit?last=1")
                check("%s: a query is %s" % (
                    what, "answered" if query else "refused"),
                      got == "200" if query else got in ("000", "403"), got)
                if what == "the path alone":
                    got = asks(net, "/v1/audit", "-H",
                               "Accept: text/event-stream", "-H",
                               "Last-Event-ID: 0")
                    check("who says what it saw last needs no query",
                          got == "200", got)
                    got = half_closed(net)
                    check("a reader that closes its side is cut off",
                          got is not None and b"200 OK" in got and
                          b"id: 0" in got, str(got)[:200])
                    check("and the others are answered",
                          until(lambda: asks(net, "/v1/status") == "200"))
    report.done()


if __name__ == "__main__":
    main()
