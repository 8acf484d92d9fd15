#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One machine floods: frames of a kind, made beforehand, sent below the stack
as fast as told. Runs inside the machine's namespace.

usage: flood.py KIND SECONDS PER_SECOND
Prints how many frames were sent, and how many different ones.
KIND: syn udp fragment tiny flows stranger burst
PER_SECOND 0: as fast as possible
A burst has BURST frames at least, whatever the time.
"""
import random
import socket
import sys
import time

from packets import ACK, MF, PSH, SYN, TCP, UDP, ether, ip4, ip6, tcp, udp

ME, THERE = bytes([10, 20, 0, 11]), bytes([10, 20, 0, 1])
MAC, GW = bytes.fromhex("02000a14000b"), bytes.fromhex("02000a14008b")
ME6 = bytes.fromhex("fd000020") + bytes(11) + b"\x11"
THERE6 = bytes.fromhex("fd000020") + bytes(11) + b"\x01"
READY = 16384  # frames made beforehand
PORTS = 64000
FLOWS = 2 * PORTS  # addresses and ports: each port in IPv4 and in IPv6
BURST = 24000  # more than a queue holds


def frame(packet):
    return ether(MAC, GW, 0x0800, packet)


def make(kind, n, rng):
    port = 1024 + n % PORTS
    if kind == "syn":
        return frame(ip4(ME, THERE, TCP, tcp(
            ME, THERE, port, 8080, rng.getrandbits(32), 0, SYN)))
    if kind == "fragment":
        return frame(ip4(ME, THERE, UDP, udp(ME, THERE, port, 8080,
                                             bytes(48))[:48],
                         ident=n & 0xFFFF, frag=MF))
    if kind == "tiny":
        # of a connection that never began, and of one octet each
        return frame(ip4(ME, THERE, TCP, tcp(
            ME, THERE, 1024 + n % 16, 8080, n, 1, ACK | PSH, b"x")))
    if kind == "stranger":
        return frame(ip4(ME, bytes([203, 0, 113, 9]), UDP, udp(
            ME, bytes([203, 0, 113, 9]), port, 8080, b"out")))
    if kind == "flows" and n // PORTS % 2:
        return ether(MAC, GW, 0x86DD, ip6(ME6, THERE6, UDP, udp(
            ME6, THERE6, port, 8080, bytes(4))))
    if kind == "flows":
        return frame(ip4(ME, THERE, UDP, udp(
            ME, THERE, port, 8080, bytes(4))))
    size = 1200 if kind == "burst" else 24
    return frame(ip4(ME, THERE, UDP, udp(ME, THERE, 5000, 8080,
                                         rng.randbytes(size))))


def main():
    kind, seconds, rate = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
    rng = random.Random(kind)
    n = FLOWS if kind == "flows" else READY
    frames = [make(kind, i, rng) for i in range(n)]
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    s.bind(("eth0", 3))
    begin, sent = time.monotonic(), 0
    while True:
        for _ in range(64):
            s.send(frames[sent % n])
            sent += 1
        now = time.monotonic() - begin
        if now > seconds and (kind != "burst" or sent >= BURST):
            break
        if rate and sent > now * rate:
            time.sleep(sent / rate - now)
    print(sent, len(set(frames[:sent])))


if __name__ == "__main__":
    main()
