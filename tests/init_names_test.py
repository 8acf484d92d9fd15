#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""polc init of captures in which a name server is asked: a party is known by
its name where the answers and every hello of TLS agree, and by its address
where they do not. The draft lets its own capture pass, and the same party at
another address that the name server gave; nobody else."""
import json
import os
import re
import struct
import subprocess
import sys
import tempfile

os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, "tests")
from gen_net import (A, CLOUD, DATA, HANDSHAKE, HOSTS, NEW, TIPS, Capture,  # noqa: E402
                     Stream, client, name, query, record)

POLC = os.path.abspath(os.path.join(os.environ.get("BUILD", "build"), "bin", "polc"))
REPLAY = os.path.abspath(os.path.join(os.environ.get("BUILD", "build"), "bin", "metergate-replay"))
GUEST = "tips=10.20.0.21"
ELSE = {"moved": ("203.0.113.77", "020000000001"), "second": ("203.0.113.78", "020000000001")}
rc = 0


def said(ok, what, why=""):
    global rc
    print(("ok " if ok else "not ok ") + what + (": " + why if why and not ok else ""))
    rc |= not ok


def addresses(number, what, hosts, ttl):
    """An answer that gives the name these addresses."""
    m = struct.pack(">HHHHHH", number, 0x8180, 1, len(hosts), 0, 0) + \
        name(what) + struct.pack(">HH", A, 1)
    for host in hosts:
        data = bytes(map(int, ({**HOSTS, **ELSE})[host][0].split(".")))
        m += struct.pack(">HHHIH", 0xC00C, A, 1, ttl, 4) + data
    return m


class Talk:
    """What the agent does, in a capture of its own."""

    def __init__(self):
        self.cap = Capture({**HOSTS, **ELSE})
        self.number = 0

    def ask(self, *hosts, what=CLOUD, ttl=300, server="resolver"):
        self.number += 1
        port = self.cap.next_port()
        self.cap.udp("agent", server, port, 53, query(self.number, what))
        self.cap.udp(server, "agent", 53, port, addresses(self.number, what, hosts, ttl))

    def tls(self, host, sni=CLOUD):
        data = record(DATA, bytes(range(256)))
        s = Stream(self.cap, host, 443)
        s.say(0, record(HANDSHAKE, client(sni), 0x0301))
        s.say(1, record(HANDSHAKE, NEW) + data)
        s.say(0, data)
        s.close()

    def clear(self, host):
        s = Stream(self.cap, host, 443)
        s.say(0, b"GET /tips HTTP/1.1\r\nHost: cloud.tips.example\r\n\r\n")

    def wait(self, s):
        self.cap.wait(s)


def usual(host="cloud"):
    t = Talk()
    t.ask(host)
    t.tls(host)
    t.wait(20)
    t.tls(host)
    return t


def drafted(tmp, talk, what):
    """The draft of a capture, which must let all of it pass."""
    pcap, out = os.path.join(tmp, "c.pcap"), os.path.join(tmp, "draft.yaml")
    talk.cap.write(pcap)
    r = subprocess.run([POLC, "init", "--from", pcap, "-g", GUEST, "-o", out],
                       capture_output=True, text=True, timeout=60)
    said(r.returncode == 0, what + ": a draft", r.stderr)
    with open(out, encoding="utf-8") as f:
        text = f.read()
    said(refused(tmp, out, pcap) == {}, what + ": it lets its capture pass",
         str(refused(tmp, out, pcap)))
    r = subprocess.run([POLC, "test", out], capture_output=True, text=True, timeout=60)
    said(r.returncode == 0 and " 0 failed" in r.stdout, what + ": its tests pass",
         r.stdout + r.stderr)
    return text


def refused(tmp, policy, talk):
    """What a replay refuses of it: how often, by reason."""
    pcap = talk
    if isinstance(talk, Talk):
        pcap = os.path.join(tmp, "other.pcap")
        talk.cap.write(pcap)
    r = subprocess.run([POLC, "replay", "-q", "-g", GUEST, policy, pcap],
                       capture_output=True, text=True, timeout=60)
    return {k: int(n) for n, k in re.findall(r" (\d+) ([a-z]+-[a-z-]+)", r.stdout)}


def parties(text):
    """Their DNS names, and their addresses, of TLS on port 443."""
    block = text[text.index("\nparties:"):text.index("\nallow:")]
    return (re.findall(r"^    dns: (\S+) ", block, re.M),
            re.findall(r"^    address: \['(\S+)/32'\]", block, re.M))


with tempfile.TemporaryDirectory() as tmp:
    draft = os.path.join(tmp, "draft.yaml")
    text = drafted(tmp, usual(), "a name")
    said(parties(text) == ([CLOUD], ["10.20.0.53"]), "its party is known by it", text)
    said("    tls: {names: ['%s'], mode: end-to-end}" % CLOUD in text,
         "and by what its hellos ask for", text)
    said("metergated.conf: resolver: 10.20.0.53" in text, "it says who has to be the resolver")
    r = subprocess.run([POLC, "init", "--json", "--from", os.path.join(tmp, "c.pcap"), "-g", GUEST],
                       capture_output=True, text=True, timeout=60)
    said(json.loads(r.stdout)["resolver"] == "10.20.0.53", "and to programs", r.stdout)
    said(refused(tmp, draft, usual("moved")) == {},
         "the same party elsewhere, as the name server says, passes")
    t = usual()
    t.tls("moved")
    said(refused(tmp, draft, t).get("unknown-party", 0) >= 1,
         "who has that name without the name server is refused", str(refused(tmp, draft, t)))
    t = Talk()
    t.ask("cloud", server="spare")
    t.tls("cloud")
    got = refused(tmp, draft, t)
    said(got.get("other-resolver", 0) + got.get("unknown-party", 0) >= 2,
         "another name server makes no party", str(got))
    t = usual()
    t.tls("cloud", TIPS)
    t.clear("cloud")
    said(refused(tmp, draft, t).get("party-identity", 0) == 2,
         "at that address nothing else is said", str(refused(tmp, draft, t)))
    t = usual()
    t.wait(400)
    t.tls("cloud")
    said(refused(tmp, draft, t).get("unknown-party", 0) >= 1,
         "after its time the name stands for nobody", str(refused(tmp, draft, t)))
    r = subprocess.run([REPLAY, "-p", tmp, "-g", GUEST, os.path.join(tmp, "c.pcap")],
                       capture_output=True, text=True, timeout=60)
    said(r.returncode == 0 and '"unknown-party"' not in r.stdout,
         "metergate-replay takes the one name server as well", r.stderr)

    t = Talk()
    t.ask("cloud", "second")
    t.tls("cloud")
    t.tls("second")
    t.ask("moved")
    t.tls("moved")
    said(parties(drafted(tmp, t, "three addresses")) == ([CLOUD], ["10.20.0.53"]),
         "of one name are one party")

    t = usual()
    t.ask("site", what=TIPS)
    t.tls("site", TIPS)
    said(parties(drafted(tmp, t, "two names")) == ([CLOUD, TIPS], ["10.20.0.53"]),
         "are two parties")

    t = usual()
    t.tls("cloud", TIPS)
    text = drafted(tmp, t, "a hello that asks for another")
    said(parties(text) == ([], ["10.20.0.53", HOSTS["cloud"][0]]), "the address stays", text)
    said("# Its name in DNS, but not in every hello of TLS: %s" % CLOUD in text,
         "and the name is told", text)

    t = usual()
    t.clear("cloud")
    said(parties(drafted(tmp, t, "something in clear")) ==
         ([], ["10.20.0.53", HOSTS["cloud"][0]]), "as well")

    t = usual()
    t.ask("cloud", what=TIPS)
    t.tls("cloud", TIPS)
    said(parties(drafted(tmp, t, "two names of one address")) ==
         ([], ["10.20.0.53", HOSTS["cloud"][0]]), "are told apart by nobody")

    t = Talk()
    t.tls("cloud")
    t.ask("cloud")
    t.tls("cloud")
    said(parties(drafted(tmp, t, "one before the answer")) ==
         ([CLOUD], [HOSTS["cloud"][0], "10.20.0.53"]), "is by its address, beside")

    t = usual()
    t.ask("site", what=TIPS, server="spare")
    t.tls("site", TIPS)
    text = drafted(tmp, t, "two name servers")
    said(parties(text)[0] == [] and "several name servers" in text,
         "make no names: a gateway has one", text)
sys.exit(rc)
