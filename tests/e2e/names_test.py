#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A party by its name, live: a machine reaches it where the configured resolver
says it is, over TLS and under that name, and nowhere before it has asked.
"""
import os
import shutil
import socket
import ssl
import struct
import tempfile
import threading

from lib import ADDR, POLICIES, Gate, Net, Report, need_live

NAME = "firmware.example"
PORT = 4443
PATIENCE = 5
PARTIES = """
  resolver:
    name: Name server of the platform
    role: infrastructure
    address: [%s/32]
    ports: [udp/53]
  firmware:
    name: Firmware of the maker
    role: software-update
    dns: %s
    ports: [tcp/%d]
    tls: {names: [%s], mode: end-to-end}
""" % (ADDR["wan"], NAME, PORT, NAME)
RULES = """
  ask-name:
    direction: out
    party: resolver
    match: {dns.query: {name: %s, type: A}}
    limits: [60 messages per hour]
  name-told:
    direction: in
    party: resolver
    match: {dns.answer: {name: %s}}
    answers: [ask-name]
  firmware-out:
    direction: out
    party: firmware
    match: {opaque: {}}
    limits: [1 MiB per day]
  firmware-in:
    direction: in
    party: firmware
    match: {opaque: {}}
""" % (NAME, NAME)
CEILINGS = """
  names:
    vm: [mdma]
    direction: any
    party: {role: [infrastructure]}
    match: [{dns.query: {}}, {dns.answer: {}}]
  firmware:
    vm: [mdma]
    direction: any
    party: {role: [software-update]}
    match: {opaque: {}}
"""


def extend(path, **parts):
    with open(path, "r+", encoding="utf-8") as f:
        text = f.read()
        for key, more in parts.items():
            text = text.replace("\n%s:" % key, "\n%s:%s" % (
                key, more.rstrip()), 1)
        f.seek(0)
        f.write(text)


def policies():
    """The testbed's, where the metering machine may fetch firmware too."""
    to = os.path.join(tempfile.mkdtemp(prefix="metergate-e2e-names-"), "set")
    shutil.copytree(POLICIES, to)
    extend(os.path.join(to, "mdma.yaml"), parties=PARTIES, allow=RULES)
    extend(os.path.join(to, "baseline.yaml"), ceiling=CEILINGS)
    return to


def question():
    labels = b"".join(bytes([len(x)]) + x.encode() for x in NAME.split("."))
    return labels + b"\0\0\1\0\1"


def resolver(net):
    """Answers each question: it is here, for no time at all."""
    s = net.socket("wan", kind=socket.SOCK_DGRAM)
    s.bind((ADDR["wan"], 53))

    def serve():
        while True:
            try:
                asked, who = s.recvfrom(512)
            except OSError:
                return
            s.sendto(asked[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + asked[12:] +
                     b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4" +
                     socket.inet_aton(ADDR["wan"]), who)

    s.settimeout(None)
    threading.Thread(target=serve, daemon=True).start()


def ask(net):
    s = net.socket("mdma", kind=socket.SOCK_DGRAM)
    s.settimeout(PATIENCE)
    s.sendto(struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0) + question(),
             (ADDR["wan"], 53))
    try:
        return s.recv(512)[-4:] == socket.inet_aton(ADDR["wan"])
    except OSError:
        return False
    finally:
        s.close()


def hello(name):
    """The first flight of a client for that name, None: plain text."""
    if name is None:
        return b"GET /firmware HTTP/1.1\r\nHost: %s\r\n\r\n" % NAME.encode()
    sent = ssl.MemoryBIO()
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).wrap_bio(
        ssl.MemoryBIO(), sent, server_hostname=name)
    try:
        c.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return sent.read()


class Try:
    """A connection to the firmware server, and what it gets."""

    def __init__(self, net, server, say):
        self.opened, self.got = False, b""
        c = net.socket("mdma")
        c.settimeout(PATIENCE)
        try:
            c.connect((ADDR["wan"], PORT))
            self.opened = True
            s, _ = server.accept()
            s.settimeout(PATIENCE / 5)
            c.sendall(say)
            while len(self.got) < len(say):
                more = s.recv(4096)
                if not more:
                    break
                self.got += more
            s.close()
        except OSError:
            pass
        c.close()
        self.whole = self.got == say


def run(report, net):
    server = net.listener("wan", PORT, ADDR["wan"])
    resolver(net)
    t = Try(net, server, hello(NAME))
    report.check("nobody is there before the name was asked for",
                 "it was opened" if t.opened else "")
    report.check("the name is asked for and told", "" if ask(net) else "no")
    t = Try(net, server, hello(NAME))
    report.check("its hello arrives at that address",
                 "" if t.whole else "opened: %s" % t.opened)
    for why, say in (("another name's hello", hello("other.example")),
                     ("plain text", hello(None))):
        t = Try(net, server, say)
        report.check(why + " does not",
                     "it did" if t.got else
                     "" if t.opened else "it was not opened")
    server.close()


def main():
    report = Report()
    need_live(report)
    dir_ = policies()
    with Net() as net:
        net.neighbours()
        with Gate(net, policies=dir_, resolver=ADDR["wan"]) as gate:
            run(report, net)
            gate.stop()
            told = {r["metergate"].get("reason") for r in gate.records()
                    if r["event_type"] == "violation"}
    shutil.rmtree(os.path.dirname(dir_))
    report.expect("each refusal is in the audit",
                  told == {"unknown-party", "party-identity"},
                  sorted(told, key=str))
    report.done()


if __name__ == "__main__":
    main()
