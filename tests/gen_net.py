#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make tests/pcaps/gen_net_*.pcap: what an agent says to servers of names,
time and addresses, to routers and over TLS, and what its policy (tests/policies/services)
or the dissector refuses.
The resolver that is configured is 10.20.0.53.

usage: gen_net.py DIRECTORY

Standard library only.
"""
import os
import struct
import sys

from gen_frames import Capture

HOSTS = {
    "agent": ("10.20.0.21", "02000a140015"),
    "resolver": ("10.20.0.53", "020000000053"),
    "spare": ("198.51.100.53", "020000000053"),
    "clock": ("10.20.0.123", "020000000123"),
    "leases": ("10.20.0.67", "020000000067"),
    "router": ("10.20.0.1", "020000000001"),
    "site": ("198.51.100.80", "020000000001"),
    "cloud": ("198.51.100.90", "020000000001"),
    "stranger": ("203.0.113.9", "020000000001"),
}


class Stream:
    """A connection of the agent."""

    def __init__(self, cap, server, port):
        self.cap, self.ends = cap, ("agent", server)
        self.ports = (cap.next_port(), port)
        self.seq = [1000, 5000]
        self.send(0, 0x02)
        self.send(1, 0x12)
        self.send(0, 0x10)

    def send(self, who, flags, data=b""):
        self.cap.tcp(self.ends[who], self.ends[1 - who],
                     (self.ports[who], self.ports[1 - who]), self.seq[who],
                     self.seq[1 - who] if flags & 0x10 else 0, flags, data)
        self.seq[who] += len(data) + bool(flags & 0x03)

    def say(self, who, data):
        self.send(who, 0x18, data)
        self.send(1 - who, 0x10)

    def close(self):
        self.send(0, 0x11)
        self.send(1, 0x11)
        self.send(0, 0x10)


# --- DNS -----------------------------------------------------------------

A, TXT, AAAA, AXFR = 1, 16, 28, 252


def name(text):
    return b"".join(bytes([len(p)]) + p.encode()
                    for p in text.split(".")) + b"\0"


def query(number, what, kind=A, flags=0x0100, more=b""):
    return struct.pack(">HHHHHH", number, flags, 1, 0, 0, bool(more)) + \
        name(what) + struct.pack(">HH", kind, 1) + more


def answer(number, what, records=(), kind=A, flags=0x8180):
    m = struct.pack(">HHHHHH", number, flags, 1, len(records), 0, 0) + \
        name(what) + struct.pack(">HH", kind, 1)
    for data in records:
        m += struct.pack(">HHHIH", 0xC00C, kind, 1, 300, len(data)) + data
    return m


OPT = b"\0" + struct.pack(">HHIH", 41, 1232, 0, 0)
TIPS = "tips.example"
ADDRESS = bytes([198, 51, 100, 80])


def names(folder):
    c = Capture(HOSTS)

    def ask(m, to="resolver", dport=53, sport=0):
        sport = sport or c.next_port()
        c.udp("agent", to, sport, dport, m)
        return sport

    def told(m, port, by="resolver", sport=53):
        c.udp(by, "agent", sport, port, m)

    # a question and its answer; both families over one port; no such name
    told(answer(1, TIPS, [ADDRESS]), ask(query(1, TIPS)))
    port = ask(query(2, TIPS))
    ask(query(3, TIPS, AAAA, more=OPT), sport=port)
    told(answer(3, TIPS, [b"\x20\1\x0d\xb8" + bytes(11) + b"\1"], AAAA), port)
    told(answer(2, TIPS, [ADDRESS]), port)
    told(answer(4, "www." + TIPS, flags=0x8183), ask(query(4, "www." + TIPS)))
    # the question comes back in capitals, as some ask it
    told(answer(5, TIPS, [ADDRESS]), ask(query(5, TIPS.upper())))
    # answers: twice, to another number, name, port; late; to nobody
    port = ask(query(6, TIPS))
    told(answer(7, TIPS, [ADDRESS]), port)
    told(answer(6, "www." + TIPS, [ADDRESS]), port)
    told(answer(6, TIPS, [ADDRESS]), port + 100)
    told(answer(6, TIPS, [ADDRESS]), port, "stranger")
    told(answer(6, TIPS, [ADDRESS]), port)
    told(answer(6, TIPS, [ADDRESS]), port)
    port = ask(query(8, TIPS))
    c.wait(40)
    told(answer(8, TIPS, [ADDRESS]), port)
    # what policy refuses: another name, another type; and its answer
    told(answer(9, "tracker.example", [ADDRESS]),
         ask(query(9, "tracker.example")))
    ask(query(10, TIPS, TXT))
    # asked of somebody else: granted, were it the resolver; and unknown
    ask(query(11, TIPS), "spare")
    ask(query(12, TIPS), "stranger")
    # on another port
    ask(query(13, TIPS), dport=5300)
    ask(query(14, TIPS), dport=5353)
    # what is refused as it stands
    ask(query(15, "a" * 40 + "." + "b c" + ".tips.example"))
    ask(query(16, TIPS, AXFR))
    ask(query(17, TIPS, flags=0x2900))
    ask(query(18, TIPS) + b"behind")
    ask(query(19, TIPS)[:-2])
    ask(b"nothing of DNS on its port")
    ask(b"")
    told(answer(20, TIPS, [b"five!"]), ask(query(20, TIPS)))
    # over TCP: a length in front; two questions at once; in pieces
    s = Stream(c, "resolver", 53)
    two = [query(21, TIPS), query(22, TIPS, AAAA)]
    s.say(0, b"".join(struct.pack(">H", len(m)) + m for m in two))
    m = answer(21, TIPS, [ADDRESS] * 100)
    m = struct.pack(">H", len(m)) + m
    for i in range(0, len(m), 700):
        s.say(1, m[i:i + 700])
    m = answer(22, TIPS, [], AAAA)
    s.say(1, struct.pack(">H", len(m)) + m)
    s.close()
    s = Stream(c, "resolver", 53)
    s.say(0, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    c.write(os.path.join(folder, "gen_net_dns.pcap"))


# --- NTP -----------------------------------------------------------------

CLIENT, SERVER = 3, 4


def ntp(mode, stamp, origin=0, version=4, stratum=2, more=b""):
    return struct.pack(">BBbb", version << 3 | mode,
                       stratum if mode == SERVER else 0, 6, -20) + \
        bytes(20) + struct.pack(">QQQ", origin, 0, stamp) + more


def extension(kind, octets):
    return struct.pack(">HH", kind, 4 + len(octets)) + octets


NTS = extension(0x0104, bytes(32)) + extension(0x0204, bytes(96)) + \
    extension(0x0404, bytes(40))


def clock(folder):
    c = Capture(HOSTS)

    def ask(m, sport=0, dport=123, to="clock"):
        sport = sport or c.next_port()
        c.udp("agent", to, sport, dport, m)
        return sport

    def told(m, port, by="clock", sport=123):
        c.udp(by, "agent", sport, port, m)

    # from a port of its own and from that of NTP; version 3; NTS
    told(ntp(SERVER, 100, 1), ask(ntp(CLIENT, 1)))
    told(ntp(SERVER, 200, 2), ask(ntp(CLIENT, 2), 123))
    told(ntp(SERVER, 300, 3, 3), ask(ntp(CLIENT, 3, version=3)))
    told(ntp(SERVER, 400, 4, more=NTS), ask(ntp(CLIENT, 4, more=NTS)))
    # with a MAC; a kiss of death
    told(ntp(SERVER, 500, 5, more=bytes(20)),
         ask(ntp(CLIENT, 5, more=bytes(20))))
    told(ntp(SERVER, 0, 6, stratum=0), ask(ntp(CLIENT, 6)))
    # nobody asked that: another time stamp, twice, late
    port = ask(ntp(CLIENT, 7))
    told(ntp(SERVER, 700, 8), port)
    told(ntp(SERVER, 700, 7), port)
    told(ntp(SERVER, 701, 7), port)
    port = ask(ntp(CLIENT, 9))
    c.wait(40)
    told(ntp(SERVER, 900, 9), port)
    # other modes: symmetric, broadcast, control (read variables), monlist
    for m in (ntp(1, 10), ntp(5, 10), b"\x16\x02\0\1" + bytes(8),
              b"\x17\0\x03\x2a" + bytes(4)):
        ask(m)
    # older; a time stamp of zero; longer; shorter; not NTP
    ask(ntp(CLIENT, 11, version=2))
    ask(ntp(CLIENT, 0))
    ask(ntp(CLIENT, 12, more=b"exfiltrated, sixteen or more octets"))
    ask(ntp(CLIENT, 13)[:40])
    ask(b"meter readings of today, as text on a port that is let pass")
    # to somebody else, and where nobody expects it
    ask(ntp(CLIENT, 14), to="stranger")
    ask(ntp(CLIENT, 15), dport=1123)
    # more than its policy grants in an hour
    for i in range(20):
        ask(ntp(CLIENT, 100 + i))
    c.write(os.path.join(folder, "gen_net_ntp.pcap"))


# --- DHCP ----------------------------------------------------------------

DISCOVER, OFFER, REQUEST, ACK, NAK, RELEASE, FORCE = 1, 2, 3, 5, 6, 7, 9


def dhcp(kind, number, options=b"", op=None, ciaddr="agent", server=b"",
         sname=b"", end=b"\xff"):
    op = op or (2 if kind in (OFFER, ACK, NAK) else 1)
    own = bytes(map(int, HOSTS[ciaddr][0].split(".")))
    m = struct.pack(">BBBBIHH", op, 1, 6, 0, number, 0, 0) + own + \
        (own if op == 2 else bytes(4)) + bytes(8) + \
        bytes.fromhex(HOSTS["agent"][1]) + bytes(10) + \
        sname.ljust(64, b"\0") + bytes(128)
    m += b"\x63\x82\x53\x63\x35\1" + bytes([kind]) + options + end
    return m.ljust(300, b"\0")


def option(code, octets):
    return bytes([code, len(octets)]) + octets


LEASE = option(54, bytes([10, 20, 0, 67])) + option(51, struct.pack(
    ">I", 3600)) + option(1, bytes([255, 255, 255, 0])) + option(
    3, bytes([10, 20, 0, 1])) + option(6, bytes([10, 20, 0, 53]))


def leases(folder):
    c = Capture(HOSTS)

    def ask(m, sport=68, dport=67, to="leases"):
        c.wait(1)
        c.udp("agent", to, sport, dport, m)

    def told(m, by="leases", sport=67, dport=68):
        c.udp(by, "agent", sport, dport, m)

    # renewed; the same answer again; refused by the server; given back
    ask(dhcp(REQUEST, 1, option(55, b"\1\3\6") + option(12, b"tips")))
    told(dhcp(ACK, 1, LEASE))
    told(dhcp(ACK, 1, LEASE))
    ask(dhcp(REQUEST, 2))
    told(dhcp(NAK, 2, option(54, bytes([10, 20, 0, 67])) +
              option(56, b"no such address")))
    ask(dhcp(RELEASE, 3, option(54, bytes([10, 20, 0, 67]))))
    # answers to nothing; of a stranger; a server that begins (RFC 3203)
    told(dhcp(ACK, 4, LEASE))
    ask(dhcp(REQUEST, 5))
    told(dhcp(ACK, 5, LEASE), by="stranger")
    told(dhcp(FORCE, 5, LEASE, op=2))
    told(dhcp(ACK, 5, LEASE + option(252, b"http://198.51.100.9/wpad.dat")))
    # the machine is no server, whatever the port
    ask(dhcp(ACK, 6, LEASE), sport=67, dport=68)
    ask(dhcp(ACK, 7, LEASE))
    # text in the field of names, an option of no table, twice, behind the end
    ask(dhcp(REQUEST, 8, sname=b"readings: 1 2 3"))
    ask(dhcp(REQUEST, 9, option(43, b"readings: 1 2 3")))
    ask(dhcp(REQUEST, 10, option(12, b"a") + option(12, b"b")))
    ask(dhcp(REQUEST, 11, end=b"\xffreadings"))
    ask(dhcp(REQUEST, 12, end=b""))
    ask(dhcp(REQUEST, 13)[:236])
    ask(b"meter readings of today, as text on a port that is let pass")
    # on other ports, to somebody else
    ask(dhcp(REQUEST, 14), sport=40000)
    ask(dhcp(REQUEST, 15), to="stranger")
    ask(dhcp(REQUEST, 16), sport=40000, dport=9000)
    c.write(os.path.join(folder, "gen_net_dhcp.pcap"))


# --- TLS -----------------------------------------------------------------

CCS, ALERT, HANDSHAKE, DATA = 20, 21, 22, 23


def record(kind, octets, version=0x0303):
    return struct.pack(">BHH", kind, version, len(octets)) + octets


def hello(kind, extensions, version=0x0303, suites=b"\0\4\x13\1\x13\2"):
    m = struct.pack(">H", version) + b"\x5a" * 32 + b"\x20" + bytes(32) + \
        (suites + b"\1\0" if kind == 1 else b"\x13\1\0") + \
        struct.pack(">H", len(extensions)) + extensions
    return struct.pack(">I", kind << 24 | len(m)) + m


WEB = b"\2h2\x08http/1.1"


def client(host, versions=b"\3\4\3\3", speaks=WEB, more=b""):
    host = host.encode()
    sni = struct.pack(">HHHBH", 0, len(host) + 5, len(host) + 3, 0,
                      len(host)) + host
    alpn = struct.pack(">HHH", 16, len(speaks) + 2, len(speaks)) + speaks
    listed = struct.pack(">HHB", 43, len(versions) + 1,
                         len(versions)) + versions if versions else b""
    return hello(1, sni + alpn + listed + more)


NEW = hello(2, b"\0\x2b\0\2\3\4")
OLD = hello(2, b"")


# of 1.2: the server's last message in clear, the client's key, the end
DONE, KEY = b"\x0e\0\0\0", b"\x10\0\0\4" + bytes(4)
FINISHED = record(CCS, b"\1") + record(HANDSHAKE, bytes(range(40)))


def sealed(folder):
    c = Capture(HOSTS)

    def talk(*said, to="site", port=443):
        s = Stream(c, to, port)
        for who, octets in said:
            s.say(who, octets)
        return s

    data = record(DATA, bytes(range(256)) * 4)
    # 1.3 and 1.2; a hello in two records, cut elsewhere
    talk((0, record(HANDSHAKE, client(TIPS), 0x0301)),
         (1, record(HANDSHAKE, NEW) + record(CCS, b"\1") + data),
         (0, record(CCS, b"\1") + data), (1, data * 8)).close()
    talk((0, record(HANDSHAKE, client(TIPS, b""), 0x0301)),
         (1, record(HANDSHAKE, OLD) + record(HANDSHAKE, DONE)),
         (0, record(HANDSHAKE, KEY) + FINISHED), (1, FINISHED), (0, data),
         (1, data)).close()
    m = client(TIPS)
    m = record(HANDSHAKE, m[:60], 0x0301) + record(HANDSHAKE, m[60:], 0x0301)
    talk((0, m[:3]), (0, m[3:80]), (0, m[80:]),
         (1, record(HANDSHAKE, NEW) + data)).close()
    # a name that policy refuses
    talk((0, record(HANDSHAKE, client("upload." + TIPS), 0x0301)))
    # no hello; older than TLS; another answer; a name that is none
    talk((0, data))
    talk((0, b"\x80\x2e\1\3\1\0\x15\0\0\0\x10" + bytes(36)))
    talk((0, record(HANDSHAKE, client(TIPS), 0x0300)))
    talk((0, b"SSH-2.0-OpenSSH_9.2\r\n"))
    talk((0, record(HANDSHAKE, client(TIPS), 0x0301)),
         (1, b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    talk((0, record(HANDSHAKE, client("198.51.100.80"), 0x0301)))
    # records no more
    talk((0, record(HANDSHAKE, client(TIPS), 0x0301)),
         (1, record(HANDSHAKE, NEW)), (0, b"and now in clear: 1 2 3"))
    # the protocol that the server chooses: offered, and not
    for chosen in (b"\2h2", b"\2h3"):
        chosen = struct.pack(">HHH", 16, len(chosen) + 2, len(chosen)) + chosen
        talk((0, record(HANDSHAKE, client(TIPS, b""), 0x0301)),
             (1, record(HANDSHAKE, hello(2, chosen))))
    # to somebody else
    talk((0, record(HANDSHAKE, client(TIPS), 0x0301)), to="stranger")
    # text in an extension that is unknown, in padding, and in a key
    for more in (b"\x12\x34\0\4text", b"\0\x15\0\4text",
                 b"\0\x33\0\x0a\0\x08\0\x1d\0\4text"):
        talk((0, record(HANDSHAKE, client(TIPS, more=more), 0x0301)))
    # another hello in clear behind the first; a heartbeat
    for what in (record(HANDSHAKE, client("other." + TIPS)),
                 record(24, b"\1\0\4text")):
        talk((0, record(HANDSHAKE, client(TIPS, b""), 0x0301)),
             (1, record(HANDSHAKE, OLD) + record(HANDSHAKE, DONE)), (0, what))
    c.write(os.path.join(folder, "gen_net_tls.pcap"))


# --- a party by its name ---------------------------------------------------

CLOUD = "cloud." + TIPS


def alias(number, ttl):
    """An answer with another name for it, and that one's address."""
    pool = name("pool.hoster.example")
    m = struct.pack(">HHHHHH", number, 0x8180, 1, 2, 0, 0) + name(CLOUD) + \
        struct.pack(">HH", A, 1)
    m += struct.pack(">HHHIH", 0xC00C, 5, 1, 86400, len(pool)) + pool
    return m + pool + struct.pack(">HHIH", A, 1, ttl, 4) + \
        bytes([198, 51, 100, 90])


def by_name(folder):
    c = Capture(HOSTS)
    data = record(DATA, bytes(range(256)) * 2)

    def ask(number, ttl, by="resolver"):
        port = c.next_port()
        c.udp("agent", "resolver", port, 53, query(number, CLOUD))
        c.udp(by, "agent", 53, port, alias(number, ttl))

    def talk(*said):
        s = Stream(c, "cloud", 443)
        for who, octets in said:
            s.say(who, octets)
        return s

    # nobody has said who that is; and somebody else who says it says nothing
    talk()
    ask(1, 120, "stranger")
    talk()
    # the resolver has
    ask(2, 120)
    s = talk((0, record(HANDSHAKE, client(CLOUD), 0x0301)),
             (1, record(HANDSHAKE, NEW) + data), (0, data))
    # at that address, under another name, and under none; and in clear
    talk((0, record(HANDSHAKE, client(TIPS), 0x0301)))
    talk((0, record(HANDSHAKE, hello(1, b"\0\x2b\0\3\2\3\4"), 0x0301)))
    talk((0, b"PUT /use HTTP/1.1\r\nHost: cloud.tips.example\r\n\r\n"))
    # what it may not speak there, alone or beside the others
    talk((0, record(HANDSHAKE, client(CLOUD, speaks=b"\4imap"), 0x0301)))
    talk((0, record(HANDSHAKE, client(CLOUD, speaks=WEB + b"\4imap"), 0x0301)))
    # after its time: what is open goes on, nothing new is opened
    c.wait(130)
    s.say(0, data)
    talk()
    # an answer for no time at all is good for a minute
    ask(3, 0)
    c.wait(50)
    s.say(0, data)
    talk((0, record(HANDSHAKE, client(CLOUD), 0x0301))).close()
    c.wait(20)
    talk()
    s.close()
    c.write(os.path.join(folder, "gen_net_names.pcap"))


# --- ICMP ----------------------------------------------------------------

ECHO, ECHO_REPLY, UNREACHABLE, QUENCH, REDIRECT, EXCEEDED = 8, 0, 3, 4, 5, 11


def pings(folder):
    c = Capture(HOSTS)

    def echo(kind, number, data=bytes(32), src="agent", dst="router"):
        c.wait(1)
        c.icmp(src, dst, kind, 0, struct.pack(">HH", 7, number) + data)

    def reply(number, data=bytes(32), by="router"):
        echo(ECHO_REPLY, number, data, by, "agent")

    def quoted():
        """The packet sent last, as far as an error brings it back."""
        return bytes(4) + c.packets[-1][1][14:14 + 28]

    # asked and answered, twice; a large one
    for i in range(2):
        echo(ECHO, i)
        reply(i)
    echo(ECHO, 2, bytes(1200))
    reply(2, bytes(1200))
    # an answer to nothing; what somebody else asks
    reply(3, by="clock")
    echo(ECHO, 4, src="stranger", dst="agent")
    # to a stranger; more than is granted in an hour
    echo(ECHO, 5, dst="stranger")
    for i in range(6):
        echo(ECHO, 10 + i, bytes(1200))
    # an error for a packet that was sent, and for one that was not
    c.udp("agent", "clock", c.next_port(), 123, ntp(CLIENT, 1))
    m = quoted()
    c.icmp("clock", "agent", UNREACHABLE, 3, m)
    c.icmp("router", "agent", EXCEEDED, 0, m)
    c.icmp("router", "agent", EXCEEDED, 0, m[:24] + b"\1\2\3\4" + m[28:])
    # what no host needs: time stamp, mask, information, redirect, quench,
    # an advertisement of a router, a type of no table, codes of none
    for kind, code, rest in (
            (13, 0, bytes(16)), (17, 0, bytes(8)), (15, 0, bytes(4)),
            (REDIRECT, 1, bytes([10, 20, 0, 9]) + m[4:]), (QUENCH, 0, m),
            (9, 0, b"\1\2\0\x3c" + bytes(8)), (42, 0, bytes(4)),
            (ECHO, 1, bytes(8)), (UNREACHABLE, 99, m), (ECHO, 0, b"\0\7")):
        c.icmp("router", "agent", kind, code, rest)
    for kind in (13, 17, REDIRECT):
        c.icmp("agent", "router", kind, 0, bytes(16))
    c.write(os.path.join(folder, "gen_net_icmp.pcap"))


def main():
    if len(sys.argv) != 2:
        print(__doc__.split("\n\n")[1], file=sys.stderr)
        return 2
    names(sys.argv[1])
    clock(sys.argv[1])
    leases(sys.argv[1])
    sealed(sys.argv[1])
    by_name(sys.argv[1])
    pings(sys.argv[1])
    return 0


if __name__ == "__main__":
    sys.exit(main())
