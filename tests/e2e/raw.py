# SPDX-License-Identifier: Apache-2.0
"""Plays scripts of packets (script.py) from both ends of the testbed, with
sockets below the kernel's own stack, which is deaf there, and gathers what
arrives at each end."""
import socket
import time

import evasions
import receivers
from lib import ETH_P_ALL, Tap, inside
from packets import TCP, UDP

SIDES = (evasions.GUEST, evasions.WAN)


class Player:
    def __init__(self, net, keep=True):
        self.send, self.tap, self.done = {}, {}, []
        self.bridged = net.mode == "bridged"
        net.neighbours()
        for side in SIDES:
            net.deaf(side)
            with inside(net.ns(side)):
                s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
                s.bind(("eth0", ETH_P_ALL))
                s.setsockopt(socket.SOL_SOCKET, 32, 1 << 24)  # SNDBUFFORCE
            self.send[side] = s
            if keep:
                self.tap[side] = Tap(net, side)

    def play(self, case, rest=0.03):
        """Frames longer than the link's are left out and told."""
        begin = time.time_ns()
        left_out = 0
        for after, side, frame in case.packets:
            time.sleep(after / 4e6)
            if self.bridged and frame[:6] == evasions.GW[side]:
                frame = evasions.MAC[case.receiver if side == case.sender
                                     else case.sender] + frame[6:]
            try:
                self.send[side].send(frame)
            except OSError:
                left_out += 1
        time.sleep(rest)
        if self.tap:
            self.done.append((case, begin, time.time_ns()))
        return left_out

    def stop(self):
        """{number of the case: frames at its receiver}."""
        frames = {s: t.stop() for s, t in self.tap.items()}
        found = {c.number: [] for c, _, _ in self.done}
        numbers = set(found)
        for side in frames:
            windows = [(c, b, e) for c, b, e in self.done
                       if c.receiver == side]
            at = 0
            for when, _, frame in frames[side]:
                if of_the_gateway(frame):
                    continue
                n = number_of(frame)
                if n not in numbers:
                    while at < len(windows) - 1 and windows[at][2] < when:
                        at += 1
                    n = windows[at][0].number if windows else None
                elif not any(c.number == n for c, _, _ in windows):
                    continue  # what its receiver sent, at its sender
                if n is not None:
                    found[n].append(frame)
        for s in self.send.values():
            s.close()
        return found


def of_the_gateway(frame):
    """Address resolution and the like, between neighbours."""
    if frame[12:14] == b"\x08\x06":
        return True
    ip = receivers.network(frame)
    if ip is None:
        return False
    if ip[0] == 6:
        own = ip[1][8:10] == b"\xfe\x80" or ip[1][8:24] == evasions.v6(0xFE)
        proto, body, _ = receivers.headers6(ip[1][40:], ip[1][6])
        return own and proto == 58 and len(body) > 0 and \
            130 <= body[0] <= 143
    return ip[1][12:16] == bytes([10, 20, 0, 254]) and ip[1][9] in (1, 2)


def number_of(frame):
    """Which case a frame belongs to: by its ports, or its fragment's id."""
    for d in receivers.datagrams([frame], "first"):
        if d.proto in (TCP, UDP) and len(d.payload) >= 8:
            ports = (int.from_bytes(d.payload[:2], "big"),
                     int.from_bytes(d.payload[2:4], "big"))
            for p in ports:
                if p > 20000:
                    return p - 20000
    ip = receivers.network(frame)
    if ip and ip[0] == 4 and int.from_bytes(ip[1][6:8], "big") & 0x3FFF:
        return int.from_bytes(ip[1][4:6], "big") - 40000
    if ip and ip[0] == 6 and ip[1][6] == 44 and len(ip[1]) >= 48:
        return int.from_bytes(ip[1][44:48], "big") - 40000
    return None
