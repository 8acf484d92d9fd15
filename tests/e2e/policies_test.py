#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the courier tells of the policies in force, and a customer's file that
comes over HTTP: the list is that of metergatectl, labels are those that polc
works out, pictures are XML without anything from outside; a file waits for the
panel, the portal guest and the operator may propose one and nobody else, and
whoever proposes without end fills neither the log nor anybody's time."""
import hashlib
import json
import os
import socket
import subprocess
import xml.etree.ElementTree as ET

from lib import ADDR, POLICIES, Gate, Net, Report, inside, need_live, program
from signed import Signed

PORT = 8480
CUSTOMER = """polc: 1
kind: customer
id: org.example.home
serial: %d
title: What we chose
"""
GATEWAY = """  gateway:
    name: The gateway of this meter
    role: infrastructure
    address: [10.20.0.254/32]
    ports: [tcp/8480]
"""
ASKS = """  asks-gateway:
    direction: out
    party: gateway
    match: {http.request: {method: [GET, PUT], path: /v1/**}}
  proposes: # a body that is no oBIX is nothing that the gate reads
    direction: out
    party: gateway
    match: {opaque: {}}
    limits: [1 MiB per day]
  gateway-answers:
    direction: in
    party: gateway
    match: {http.response: {}}
    answers: [asks-gateway]
"""
YES = "consent:\n  com.example.testbed.mdma/send-registers: granted\n"
NO = "restrict:\n  none-of-it:\n    vm: mdma\n    block: true\n"


def talk(s, request):
    s.settimeout(40)
    try:
        s.sendall(request)
        octets = b""
        while True:
            more = s.recv(65536)
            if not more:
                break
            octets += more
    except OSError as e:
        return 0, str(e).encode()
    finally:
        s.close()
    head, _, body = octets.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]) if b" " in head else 0, body


def request(method, path, body=b""):
    return (b"%s %s HTTP/1.1\r\nHost: m\r\nConnection: close\r\n"
            b"Content-Length: %d\r\n\r\n" % (method, path.encode(),
                                             len(body)) + body)


def operator(gate, method, path, body=b""):
    s = socket.socket(socket.AF_UNIX)
    s.connect(os.path.join(gate.work, "run", "metrics"))
    return talk(s, request(method, path, body))


def guest(net, name, method, path, body=b""):
    """(0, why) where it is not let in."""
    with inside(net.ns(name)):
        s = socket.socket()
    s.settimeout(3)
    try:
        s.connect((ADDR["gw"], PORT))
    except OSError as e:
        s.close()
        return 0, str(e).encode()
    return talk(s, request(method, path, body))


def domain(net, method, path):
    """From the driver domain itself, which is no guest."""
    return guest(net, "gw", method, path)


def listed(gate):
    status, body = operator(gate, b"GET", "/v1/policies")
    return (json.loads(body)["policies"] if status == 200 else
            "%d %r" % (status, body))


def lists(report, gate):
    mine = listed(gate)
    his = [r for r in gate.ask("policies")[1:] if r["state"] == "in force"]
    report.check("the list is that of metergatectl", "" if isinstance(
        mine, list) and [(p["id"], p["layer"], p["serial"], p["sha-256"],
                          p["signed_with"]) for p in mine] ==
                 [(p["policy"], p["kind"], p["serial"], p["digest"],
                   p.get("signed_with")) for p in his] else
                 "%s, %s" % (mine, his))
    # Of the file as it lies there: sha256sum compares it.
    with open(os.path.join(POLICIES, "library.yaml"), "rb") as f:
        want = hashlib.sha256(f.read()).hexdigest()
    got = [p.get("libraries") for p in his if p["kind"] == "binding"]
    report.expect("the binding's library is told",
                  got and got[0] and got[0][0]["sha256"] == want, got)
    rows = [(p["compiled_with"], [(x["id"], x["serial"], x["sha-256"])
                                  for x in p["libraries"]]) for p in mine]
    report.expect("as the list tells it",
                  rows == [(len(r), [(x["id"], x["serial"], x["sha256"])
                                     for x in r])
                           for r in [p.get("libraries", []) for p in his]],
                  rows)
    files = set()
    for name in os.listdir(gate.policies):
        with open(os.path.join(gate.policies, name), "rb") as f:
            files.add(hashlib.sha256(f.read()).hexdigest())
    report.check("and each file", "" if {p["file-sha-256"] for p in mine} ==
                 files else "%s, %s" % (mine, files))
    notes = [r["metergate"].get("detail", "") for r in gate.records()
             if r["event_type"] == "policy"]
    report.expect("which its record binds, with all that is in it",
                  all(any(n == "%s serial %d is the file with SHA-256 %s" % (
                      p["id"], p["serial"], p["file-sha-256"])
                      for n in notes) for p in mine),
                  notes)
    vendors = {p["machine"]: p["vendor"] for p in mine
               if p["layer"] == "vendor"}
    report.expect("each vendor is named", vendors.get("mdma") == "mdma-vendor",
                  vendors)
    return [p for p in mine if p["layer"] == "vendor"]


def same(ours, polc):
    """What both say, of each recipient that is outside."""
    keys = ("operator", "role", "identity", "sealed", "modifiers", "spacing-s",
            "statements", "appliances")
    pick = [{k: r[k] for k in keys} for r in polc["recipients"]
            if r["role"] not in ("household", "vm")]
    mine = [{k: r[k] for k in keys} for r in ours["recipients"]]
    by = lambda r: r["operator"]
    return sorted(mine, key=by) == sorted(pick, key=by)


def labels(report, gate, sources, vendors, carried):
    wrong = []
    for p in vendors:
        status, body = operator(gate, b"GET", p["label"]["json"])
        label = json.loads(body) if status == 200 else {}
        text = subprocess.run(
            [program("polc"), "label", "--json",
             os.path.join(sources, p["machine"] + ".yaml")], check=True,
            capture_output=True, text=True).stdout
        if label.get("from") != ("image" if carried else "gateway") or \
                label["policy"]["sha-256"] != p["sha-256"] or \
                not same(label, json.loads(text.splitlines()[0])):
            wrong.append("%s: %s, %s" % (p["id"], label, text))
        status, body = operator(gate, b"GET", p["label"]["svg"])
        try:
            names = {x.tag.split("}")[1] for x in ET.fromstring(body).iter()}
        except ET.ParseError as e:
            names = {str(e)}
        if status != 200 or names - {"svg", "title", "desc", "style", "rect",
                                     "text", "path"} or b"url(" in body:
            wrong.append("%s: %d %s" % (p["id"], status, names))
    report.check("labels are those that polc works out, %s" % (
        "carried by the images" if carried else "where no image has one"),
                 "; ".join(wrong) or (
                     "" if len(vendors) > 1 else "only %s" % vendors))


def who_may(report, gate, net):
    got = [guest(net, "portal", b"GET", "/v1/policies"),
           guest(net, "mdma", b"GET", "/v1/policies"),
           domain(net, b"GET", "/v1/policies"),
           domain(net, b"PUT", "/v1/customer")]
    report.expect("nobody but the portal guest is answered at its address",
                  [s for s, _ in got][1:] == [0, 0, 0], got)
    report.expect("the portal guest is",
                  got[0][0] == 200 and
                  json.loads(got[0][1])["policies"] == listed(gate),
                  got[0])


def proposals(report, gate, net):
    put = lambda text: operator(gate, b"PUT", "/v1/customer", text.encode())
    status, body = put(CUSTOMER % 1 + YES)
    got = json.loads(body or b"{}")
    waits = {r["policy"]: r for r in gate.ask("policies")[1:]
             if r["state"] == "staged"}
    wait = waits.get("org.example.home", {})
    report.expect("a proposed file waits for the panel",
                  status == 202 and got["state"] == "pending" and
                  got["code"] == wait.get("code") and
                  any("no answer -> granted" in x for x in got["changes"]) and
                  "panel" in got["confirm"],
                  (status, body, waits))
    report.expect("and is not in force",
                  "org.example.home" not in [p["id"] for p in listed(gate)],
                  listed(gate))
    panel = gate.ask("confirm " + got.get("code", "0"), sock="panel",
                     timeout=60)
    report.expect("the panel's word brings it into force, and into the list",
                  panel[0]["ok"] and
                  "org.example.home" in [p["id"] for p in listed(gate)],
                  panel)
    bad = [put(CUSTOMER % 9 + "allow:\n  x: {}\n"),
           put("\u00ff\u0000" * 60000), put(CUSTOMER % 1 + NO)]
    report.expect("a bad file is refused, and it is said where",
                  [s for s, _ in bad] == [422] * 3 and
                  b"customer.yaml:6:" in bad[0][1] and
                  b"error[P" in bad[1][1] and b"of this serial" in bad[2][1],
                  bad)
    before = len(gate.records())
    many = [put(CUSTOMER % 9 + "x: y\n")[0] for _ in range(12)]
    after = len(gate.records())
    report.check("who proposes without end is told to wait, and fills no log",
                 "" if set(many[4:]) == {429} and after - before < 40 else
                 "%s, %d records" % (many, after - before))
    status, body = guest(net, "portal", b"PUT", "/v1/customer",
                         (CUSTOMER % 9 + "x: y\n").encode())
    report.expect("and takes nothing of what the portal may", status == 422,
                  (status, body))
    text = [r for r in gate.records() if "proposed over HTTP" in
            json.dumps(r)]
    report.check("each that was looked at is recorded, and by whom",
                 "" if len(text) == 10 and "by the portal" in
                 json.dumps(text[0]) and "by the operator" in
                 json.dumps(text[1]) else "%d: %s" % (len(text), text[:2]))


def main():
    report = Report()
    need_live(report)
    with Net() as net, Signed() as signed:
        net.neighbours()
        signed.edit("portal", ("  metering:\n", GATEWAY + "  metering:\n"),
                    ("allow:\n", "allow:\n" + ASKS))
        signed.edit("baseline", ("    party: {role: [infrastructure]}\n"
                                 "    match: {opaque: {}}",
                                 "    party: {role: [infrastructure]}\n"
                                 "    match: [{opaque: {}}, "
                                 "{http.any: {}}]"))
        for name in ("baseline", "mdma", "dr", "portal", "binding"):
            signed.deliver(name, signed.policies)
        with Gate(net, policies=signed.policies, signatures="required",
                  platform_key=signed.platform_key, listen=ADDR["gw"],
                  portal="portal") as gate:
            vendors = lists(report, gate)
            labels(report, gate, signed.src, vendors, True)
            who_may(report, gate, net)
            status, body = guest(net, "portal", b"PUT", "/v1/customer",
                                 (CUSTOMER % 0 + YES).encode())
            report.expect("it may propose, and hears what is wrong with it",
                          status == 422 and b"P3113" in body, (status, body))
            proposals(report, gate, net)
        with Gate(net) as gate:
            labels(report, gate, POLICIES, [
                p for p in listed(gate) if p["layer"] == "vendor"], False)
            status, body = operator(gate, b"PUT", "/v1/customer", b"x")
            report.expect("without signatures there is nothing to propose",
                          status == 422 and b"signatures are off" in body,
                          (status, body))
    report.done()


main()
