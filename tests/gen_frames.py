# SPDX-License-Identifier: Apache-2.0
"""Frames of IPv4 with right checksums, and captures of them, for the scripts
that make tests/pcaps/gen_http_*.pcap and gen_net_*.pcap.

Standard library only.
"""
import struct

START = 1775577600  # 2026-04-07 16:00:00 UTC


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    s = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    while s >> 16:
        s = (s & 0xFFFF) + (s >> 16)
    return ~s & 0xFFFF


class Capture:
    """Between hosts: {name: (address, MAC)}."""

    def __init__(self, hosts):
        self.hosts = hosts
        self.us, self.packets, self.port = START * 1000000, [], 40000

    def wait(self, seconds):
        self.us += int(seconds * 1000000)

    def packet(self, src, dst, proto, segment, at, ttl=64):
        """at: where the checksum stands in the segment"""
        (sip, smac), (dip, dmac) = self.hosts[src], self.hosts[dst]
        ends = b"".join(bytes(map(int, a.split("."))) for a in (sip, dip))
        pseudo = b"" if proto == 1 else \
            ends + struct.pack(">BBH", 0, proto, len(segment))
        segment = segment[:at] + struct.pack(
            ">H", checksum(pseudo + segment) or 0xFFFF) + segment[at + 2:]
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(segment),
                         len(self.packets) + 1, 0x4000, ttl, proto, 0) + ends
        ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
        self.us += 2000
        self.packets.append((self.us, bytes.fromhex(dmac) +
                             bytes.fromhex(smac) + b"\x08\x00" + ip +
                             segment))

    def udp(self, src, dst, sport, dport, data):
        self.packet(src, dst, 17, struct.pack(
            ">HHHH", sport, dport, 8 + len(data), 0) + data, 6)

    def tcp(self, src, dst, ports, seq, ack, flags, data=b""):
        self.packet(src, dst, 6, struct.pack(
            ">HHIIBBHHH", *ports, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, 0x50,
            flags, 65535, 0, 0) + data, 16)

    def icmp(self, src, dst, kind, code, rest, ttl=64):
        """rest: behind the checksum"""
        self.packet(src, dst, 1, struct.pack(">BBH", kind, code, 0) + rest, 2,
                    ttl)

    def next_port(self):
        self.port += 1
        self.wait(1)
        return self.port

    def write(self, path):
        with open(path, "wb") as f:
            f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
            for us, octets in self.packets:
                f.write(struct.pack("<IIII", us // 1000000, us % 1000000,
                                    len(octets), len(octets)) + octets)
