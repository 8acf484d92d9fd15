# SPDX-License-Identifier: Apache-2.0
"""C12.22 messages for tests, written from the standard's structure and apart
from the gateway's reader: builders, and the cut of a stream into messages."""
import struct

METER, HEADEND = bytes([0x47, 0x87, 0x69]), bytes([0x47, 0x01])
PORT = 1153


def size_of(n):
    if n < 0x80:
        return bytes([n])
    if n < 0x100:
        return bytes([0x81, n])
    return b"\x82" + struct.pack(">H", n)


def tlv(tag, content):
    return bytes([tag]) + size_of(len(content)) + content


def number(v, octets=0):
    octets = max(octets, 1, (v.bit_length() + 7) // 8)
    return tlv(0x02, v.to_bytes(octets, "big"))


def services(*pdus):
    return b"".join(size_of(len(p)) + p for p in pdus)


def table_data(data):
    return struct.pack(">H", len(data)) + data + bytes([-sum(data) & 0xFF])


def apdu(called, calling, inv, pdus, answers=None, control=0x80):
    """called, calling: relative titles or None; pdus: service octets."""
    body = b""
    if called:
        body += tlv(0xA2, tlv(0x80, called))
    if answers is not None:
        body += tlv(0xA4, number(answers))
    if calling:
        body += tlv(0xA6, tlv(0x80, calling))
    body += tlv(0xA8, number(inv, 4))
    body += tlv(0xBE, tlv(0x28, tlv(0x81, bytes([control]) +
                                    services(*pdus))))
    return tlv(0x60, body)


def part(called, calling, inv, whole, offset, octets):
    """One ACSE segment (January 2008 layout): octets of whole at offset."""
    return tlv(0x60, tlv(0xA2, tlv(0x80, called)) +
               tlv(0xA3, number(len(whole))) +
               tlv(0xA6, tlv(0x80, calling)) + tlv(0xA8, number(inv, 4)) +
               tlv(0xBE, tlv(0x28, number(offset) + tlv(0x81, octets))))


def read(table):
    return bytes([0x30]) + struct.pack(">H", table)


def read_part(table, offset, count):
    return bytes([0x3F]) + struct.pack(">H", table) + \
        offset.to_bytes(3, "big") + struct.pack(">H", count)


def write(table, data):
    return bytes([0x40]) + struct.pack(">H", table) + table_data(data)


def resolve(title):
    return bytes([0x25]) + tlv(0x80, title)


def answer(data):
    return b"\x00" + table_data(data)


def cut(stream):
    """Whole messages at the start of a stream, and what is left over."""
    out, at = [], 0
    while at + 2 <= len(stream) and stream[at] == 0x60:
        n, head = stream[at + 1], 2
        if n & 0x80:
            k = n & 0x7F
            if not 1 <= k <= 3 or at + 2 + k > len(stream):
                break
            n, head = int.from_bytes(stream[at + 2:at + 2 + k], "big"), 2 + k
        if at + head + n > len(stream):
            break
        out.append(stream[at:at + head + n])
        at += head + n
    return out, stream[at:]


def refused(stream):
    """One whole message whose only service is a code that is not ok: what the
    gateway says in place of an answer."""
    messages, rest = cut(stream)
    return len(messages) == 1 and not rest and \
        messages[0][-5:-3] == b"\x81\x03" and \
        messages[0][-2:-1] == b"\x01" and messages[0][-1] != 0
