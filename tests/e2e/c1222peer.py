# SPDX-License-Identifier: Apache-2.0
"""Scripted C12.22 clients and servers: what was said in a capture is said
again between two hosts of the testbed, over real sockets and in the
capture's order. Ports are kept; addresses become those of the two hosts.

A host waits for what the other is to hear before it goes on, but not for
ever: the gateway may have refused it."""
import errno
import socket
import struct
import time

import c1222
import receivers
from lib import ADDR
from packets import FIN, RST, SYN, TCP, UDP, read_pcap

METER, PORT = bytes([10, 20, 0, 10]), 1153
LOST = 0.05  # seconds after which something was refused
OPENS = 2.0


class Event:
    """kind: open, data, fin, reset (TCP) or datagram; by_meter: who."""

    def __init__(self, kind, flow, by_meter, data=b""):
        self.kind, self.flow, self.by_meter = kind, flow, by_meter
        self.data = data


class Flow:
    def __init__(self, key, meter_port, other_port):
        self.key, self.meter_port, self.other_port = key, meter_port, \
            other_port
        self.group = None  # a multicast address that the meter sent to
        self.next = {}


def from_meter(src, dst, sport, dport):
    """Is the sender the machine behind the gateway? In captures of other
    people it is whoever has the port of C12.22, the receiver if both do."""
    if METER in (src, dst):
        return src == METER
    return sport == PORT and dport != PORT


def events(path):
    """What happens in a capture, in its order."""
    out, flows = [], {}
    for d in receivers.datagrams([f for _, f in read_pcap(path)], "first"):
        if d.proto not in (TCP, UDP) or len(d.payload) < 8:
            continue
        sport, dport = struct.unpack_from(">HH", d.payload)
        meter = from_meter(d.src, d.dst, sport, dport)
        ends = ((d.src, sport), (d.dst, dport))
        key = (d.proto, ends if meter else ends[::-1])
        if key not in flows:
            flows[key] = Flow(key, *((sport, dport) if meter else
                                     (dport, sport)))
        f = flows[key]
        if d.proto == UDP:
            if meter and d.dst[0] >> 4 == 14:
                f.group = socket.inet_ntoa(d.dst)
            out.append(Event("datagram", f, meter, d.payload[8:]))
            continue
        tcp_events(receivers.Segment(d), f, meter, out)
    return out


def tcp_events(seg, f, meter, out):
    if seg.flags & SYN:
        f.next[meter] = seg.seq + 1
        if not f.next.get(not meter):
            out.append(Event("open", f, meter))
        return
    if meter not in f.next:
        if not f.next:  # the capture began later
            out.append(Event("open", f, f.meter_port != PORT))
        f.next[meter] = seg.seq
    new = (seg.seq + len(seg.data) - f.next[meter]) & 0xFFFFFFFF
    if seg.data and 0 < new <= len(seg.data):
        out.append(Event("data", f, meter, seg.data[-new:]))
        f.next[meter] = seg.seq + len(seg.data)
    if seg.flags & RST:
        out.append(Event("reset", f, meter))
    elif seg.flags & FIN:
        out.append(Event("fin", f, meter))


class Ends:
    """Two connected sockets, by_meter -> socket, and what each sent."""

    def __init__(self, socks):
        self.socks, self.sent = socks, {True: b"", False: b""}
        self.heard = {True: b"", False: b""}
        self.dead = False

    def close(self):
        for s in self.socks.values():
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                         struct.pack("ii", 1, 0))
            s.close()


class Play:
    """Plays events between meter and other (names of hosts). cut gives the
    pieces in which a sender writes; nagle leaves Nagle's algorithm on."""

    def __init__(self, net, meter="mdma", other="wan", cut=lambda data: [data],
                 nagle=False, pause=0.0, options=()):
        self.net, self.host = net, {True: meter, False: other}
        self.cut, self.nagle, self.pause = cut, nagle, pause
        self.options = options
        self.conns, self.udp, self.listeners = {}, {}, {}
        self.refused = []  # events that were not heard

    def play(self, todo, multicast=True):
        for e in todo:
            if e.kind == "datagram":
                if multicast or not e.flow.group:
                    self.datagram(e)
            elif e.kind == "open":
                self.open(e)
            elif e.flow in self.conns:
                getattr(self, e.kind)(e)

    def port(self, flow, meter):
        return flow.meter_port if meter else flow.other_port

    def bound(self, kind, flow, meter):
        s = self.net.socket(self.host[meter], kind=kind)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for level, option, value in self.options:
            s.setsockopt(level, option, value)
        s.bind((ADDR[self.host[meter]], self.port(flow, meter)))
        return s

    # datagrams ------------------------------------------------------------------

    def datagram_socket(self, flow, meter):
        key = (meter, self.port(flow, meter))
        if key not in self.udp:
            if key[1] == 0:  # no socket of the kernel's sends from port 0
                return None
            s = self.bound(socket.SOCK_DGRAM, flow, meter)
            s.settimeout(LOST)
            s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 4)
            self.udp[key] = s
        return self.udp[key]

    def datagram(self, e):
        sender = self.datagram_socket(e.flow, e.by_meter)
        hearer = self.datagram_socket(e.flow, not e.by_meter)
        if sender is None or hearer is None:
            return
        where = e.flow.group or ADDR[self.host[not e.by_meter]]
        try:
            sender.sendto(e.data, (where, self.port(e.flow, not e.by_meter)))
        except OSError as why:
            if why.errno != errno.ECONNREFUSED:
                raise
        if e.flow.group:
            time.sleep(0.02)
            return
        try:
            while hearer.recv(65536) != e.data:
                pass
        except OSError:
            self.refused.append(e)

    # connections ------------------------------------------------------------------

    def open(self, e):
        server = not e.by_meter
        key = (server, self.port(e.flow, server))
        if key not in self.listeners:
            s = self.bound(socket.SOCK_STREAM, e.flow, server)
            s.listen(64)
            s.settimeout(OPENS)
            self.listeners[key] = s
        client = self.bound(socket.SOCK_STREAM, e.flow, e.by_meter)
        client.settimeout(OPENS)
        try:
            client.connect((ADDR[self.host[server]], key[1]))
            accepted, _ = self.listeners[key].accept()
        except OSError:
            client.close()
            self.refused.append(e)
            return
        ends = Ends({e.by_meter: client, server: accepted})
        for s in ends.socks.values():
            s.settimeout(LOST)
            if not self.nagle:
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.conns[e.flow] = ends

    def hear(self, ends, meter):
        """Reads at meter's end until all is there that was sent."""
        want = len(ends.sent[not meter])
        s = ends.socks[meter]
        while len(ends.heard[meter]) < want:
            try:
                got = s.recv(65536)
            except OSError as why:
                ends.dead = ends.dead or not isinstance(why, TimeoutError)
                return False
            if not got:
                return False
            ends.heard[meter] += got
        return True

    def data(self, e):
        ends = self.conns[e.flow]
        if ends.dead:
            return
        s = ends.socks[e.by_meter]
        for piece in self.cut(e.data):
            try:
                s.sendall(piece)
            except OSError:
                ends.dead = True
                self.refused.append(e)
                return
            ends.sent[e.by_meter] += piece
            if self.pause:
                time.sleep(self.pause)
        # Half a message may wait at the gateway for its other half.
        if c1222.cut(ends.sent[e.by_meter])[1]:
            time.sleep(0.003)
        elif not self.hear(ends, not e.by_meter):
            self.refused.append(e)

    def fin(self, e):
        ends = self.conns[e.flow]
        try:
            ends.socks[e.by_meter].shutdown(socket.SHUT_WR)
        except OSError:
            ends.dead = True
        time.sleep(0.003)

    def reset(self, e):
        self.conns.pop(e.flow).close()
        time.sleep(0.003)

    def streams(self):
        """[(sent, heard)] of each direction of each connection."""
        return [(c.sent[m], c.heard[not m]) for c in self.conns.values()
                for m in (True, False)]

    def close(self):
        for c in self.conns.values():
            c.close()
        for s in list(self.listeners.values()) + list(self.udp.values()):
            s.close()
