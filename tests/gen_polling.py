#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make a capture of any size of a head end that polls meters over C12.22.

usage: gen_polling.py --size 200M --out FILE.pcap [--seed N] [--guests N]

Rounds over the meters 10.20.0.10 and up (.71.1001 and up); in each, every
meter is polled once by the head end 10.20.0.1 (.71.1), over TCP (handshake,
requests, answers, acknowledgments, FIN) or UDP: its identity, clock and
registers, or the shape of its load profile and blocks of it. The tables are
those of tests/pcaps/meter_A_tables.json.

Each kind of poll of each meter is built once. For every use of it, times, IP
identifications, ports, sequence numbers and invocation ids are put in place;
checksums follow from sums made once. Memory does not grow with the size.
"""
import argparse
import json
import os
import random
import struct
import sys

START_US = 1700006400 * 1000000  # 2023-11-15 00:00:00 UTC
PORT = 1153
INV = 0x10000000  # invocation ids have four octets from the start
HEADEND = (bytes([10, 20, 0, 1]), bytes.fromhex("02000a140001"),
           bytes([0x47, 0x01]))
FIN, SYN, PSH, ACK = 1, 2, 8, 16
WINDOW = 64240

# pcap time; then from the IP identification to the checksum of TCP or UDP
TIME = struct.Struct("<II")
TCP = struct.Struct(">HIHQHHIIIH")
UDP = struct.Struct(">HIHQHHHH")
ID = struct.Struct(">I")


def tables():
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pcaps",
                        "meter_A_tables.json")
    with open(path, encoding="utf-8") as f:
        return {int(n): bytes.fromhex(t["hex"])
                for n, t in json.load(f)["tables"].items()}


# --- messages --------------------------------------------------------------------


def tlv(tag, content):
    n = len(content)
    if n < 0x80:
        size = bytes([n])
    elif n < 0x100:
        size = bytes([0x81, n])
    else:
        size = b"\x82" + struct.pack(">H", n)
    return bytes([tag]) + size + content


def apdu(called, calling, control, pdu, answer):
    """The message, and where the invocation ids are in it, the calling one
    last. They are zero here."""
    zero = tlv(0x02, bytes(4))
    head = tlv(0xA2, tlv(0x80, called))
    marks = []
    if answer:
        marks.append(len(head) + 4)
        head += tlv(0xA4, zero)
    head += tlv(0xA6, tlv(0x80, calling))
    marks.append(len(head) + 4)
    head += tlv(0xA8, zero)
    epsem = bytes([control]) + tlv(0, pdu)[1:]
    body = head + tlv(0xBE, tlv(0x28, tlv(0x81, epsem)))
    whole = tlv(0x60, body)
    return whole, [len(whole) - len(body) + m for m in marks]


class Read:
    """A read of a table, whole or by offset, and its answer."""

    def __init__(self, images, table, part=None):
        data = images[table]
        if part is None:
            self.ask = bytes([0x30]) + struct.pack(">H", table)
        else:
            offset, count = part
            self.ask = bytes([0x3F]) + struct.pack(">H", table) + \
                offset.to_bytes(3, "big") + struct.pack(">H", count)
            data = data[offset:offset + count]
        self.answer = b"\x00" + struct.pack(">H", len(data)) + data + \
            bytes([-sum(data) & 0xFF])


def polls(images):
    """Name, reads: what a head end asks in one go."""
    block = 408

    def read(*which):
        return [Read(images, t) for t in which]

    blocks = [Read(images, 64, (k * block, block)) for k in range(4)]
    return [
        read(52, 23),
        read(0, 1, 52, 23, 63),
        read(0, 61, 62, 63, 52) + blocks[-1:],
        read(0, 1, 61, 62, 63) + blocks,
    ]


# --- packets -----------------------------------------------------------------------


def words(data):
    """Sum of the 16 bit words; 2^16 is 1 in the sums of checksums, so wider
    numbers may be added to it as they are."""
    data += bytes(len(data) % 2)
    return sum(struct.unpack(">%dH" % (len(data) // 2), data))


def quad(a, b):
    return int.from_bytes(a + b, "big")


class Poll:
    """One kind of poll of one meter, ready to be used again and again."""

    def __init__(self, meter, reads, over_tcp):
        self.buf = bytearray()
        self.packets = []  # what to put in place, one tuple per packet
        self.ends = {True: HEADEND, False: meter}
        self.sent = {True: 0, False: 0}
        self.us = 0
        self.exchanges = len(reads)
        self.tcp = over_tcp
        if over_tcp:
            self.session(reads)
        else:
            for k, r in enumerate(reads):
                self.exchange(k, r)

    def session(self, reads):
        self.add(True, 400, flags=SYN)
        self.add(False, 400, flags=SYN | ACK)
        self.add(True, 200, flags=ACK)
        for k, r in enumerate(reads):
            self.exchange(k, r)
            self.add(True, 300, flags=ACK)
        self.add(True, 2000, flags=FIN | ACK)
        self.add(False, 500, flags=FIN | ACK)
        self.add(True, 200, flags=ACK)

    def exchange(self, k, read):
        meter, head = self.ends[False][2], HEADEND[2]
        payload, marks = apdu(meter, head, 0x80, read.ask, False)
        self.add(True, 4000, payload, list(zip(marks, [k])))
        payload, marks = apdu(head, meter, 0x82, read.answer, True)
        # The meter counts its own messages: as the requests are numbered.
        self.add(False, 20000, payload, list(zip(marks, [k, k])))

    def add(self, down, after_us, payload=b"", ids=(), flags=PSH | ACK):
        src, dst = self.ends[down], self.ends[not down]
        size = len(payload) + (20 if self.tcp else 8)
        if flags & SYN:
            payload = b"\x02\x04\x05\xb4"  # MSS 1460
            size += 4
        self.us += after_us
        proto = 6 if self.tcp else 17
        fixed = 0x40004000 | proto  # do not fragment, 64 hops
        frame = dst[1] + src[1] + b"\x08\x00" + struct.pack(
            ">BBHHIH", 0x45, 0, 20 + size, 0, fixed, 0) + src[0] + dst[0]
        at = len(self.buf)
        ip_sum = 0x4500 + 20 + size + fixed + words(src[0] + dst[0])
        l4_sum = words(src[0] + dst[0]) + proto + size + words(payload) + PORT
        base = len(frame) + (20 if self.tcp else 8) + at + 16
        # The checksum counts a number at an odd place turned by one octet.
        ids = [(base + off, k, 256 if off % 2 else 1) for off, k in ids]
        scale = sum(s for _, _, s in ids)
        l4_sum += sum(s * (INV + k) for _, k, s in ids)
        if self.tcp:
            middle = (len(payload) * (flags & SYN > 0) // 4 + 5) << 28 | \
                flags << 16 | WINDOW
            l4_sum += middle
            frame += bytes(20)
            seq, ack = self.sent[down], self.sent[not down]
            if not flags & ACK:
                ack = None
            length = 0 if flags & SYN else len(payload)
            self.sent[down] += length + (1 if flags & (SYN | FIN) else 0)
        else:
            middle = size
            l4_sum += size
            frame += bytes(8)
            seq = ack = None
        frame += payload
        self.buf += struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame
        self.packets.append((at, at + 34, self.us, down, fixed, ip_sum,
                             quad(src[0], dst[0]), seq, ack, middle, l4_sum,
                             ids, scale))

    def put(self, us, ident, port, isn, inv):
        """Fill in one use: start, IP identification, the head end's port,
        both initial sequence numbers, how far the invocation ids are."""
        buf, step = self.buf, inv - INV
        time, give_id = TIME.pack_into, ID.pack_into
        l4 = TCP.pack_into if self.tcp else UDP.pack_into
        for at, ip, dt, down, fixed, ip_sum, addrs, seq, ack, middle, \
                l4_sum, ids, scale in self.packets:
            t = us + dt
            time(buf, at, t // 1000000, t % 1000000)
            ident = ident + 1 & 0xFFFF
            sport, dport = (port, PORT) if down else (PORT, port)
            ip_check = 0xFFFF - (ip_sum + ident) % 0xFFFF
            l4_sum += port + scale * step
            for off, k, _ in ids:
                give_id(buf, off, inv + k)
            if seq is None:
                l4(buf, ip, ident, fixed, ip_check, addrs, sport, dport,
                   middle, 0xFFFF - l4_sum % 0xFFFF)
                continue
            seq = seq + isn[down] & 0xFFFFFFFF
            ack = 0 if ack is None else ack + isn[not down] & 0xFFFFFFFF
            l4(buf, ip, ident, fixed, ip_check, addrs, sport, dport, seq,
               ack, middle, 0xFFFF - (l4_sum + seq + ack) % 0xFFFF)
        return ident


# --- the whole -----------------------------------------------------------------------


def meter(k):
    """Address, MAC and title of the k-th meter."""
    n = 10 + k
    title = 1001 + k
    return (bytes([10, 20, n >> 8, n & 255]),
            bytes([2, 0, 10, 20, n >> 8, n & 255]),
            bytes([0x47, 0x80 | title >> 7, title & 0x7F]))


def write(out, size, rng, guests):
    kinds = polls(tables())
    ready = [[Poll(meter(g), reads, over_tcp) for reads in kinds
              for over_tcp in (True, True, False)] for g in range(guests)]
    us, ident, port, inv = START_US, 0, 32768, INV
    written = out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535,
                                    1))
    while True:
        for of_meter in ready:
            p = of_meter[int(rng.random() * len(of_meter))]
            port = port + 1 if port < 60999 else 32768
            isn = (rng.getrandbits(32), rng.getrandbits(32))
            ident = p.put(us, ident, port if p.tcp else PORT, isn, inv)
            written += out.write(p.buf)
            if written >= size:
                return
            inv += p.exchanges
            if inv > 0xFFFFFF00:
                inv = INV
            us += p.us + int(rng.random() * 50000) + 1000
        us += 1000000


def octets(text):
    unit = {"K": 10**3, "M": 10**6, "G": 10**9}.get(text[-1:].upper())
    n = float(text[:-1]) * unit if unit else float(text)
    if not 0 < n <= 10**13:
        raise argparse.ArgumentTypeError("out of range")
    return int(n)


def count(text):
    n = int(text)
    if not 1 <= n <= 200:
        raise argparse.ArgumentTypeError("1 to 200")
    return n


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    p.add_argument("--size", type=octets, required=True,
                   help="octets, with K, M or G for powers of 1000")
    p.add_argument("--out", required=True)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--guests", type=count, default=1, help="meters")
    a = p.parse_args()
    with open(a.out, "wb", buffering=1 << 20) as out:
        write(out, a.size, random.Random(a.seed), a.guests)
    return 0


if __name__ == "__main__":
    sys.exit(main())
