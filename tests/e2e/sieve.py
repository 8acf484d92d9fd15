# SPDX-License-Identifier: Apache-2.0
"""Judges a long capture of the outside link: marked octets in any packet or
in any stream as receivers put it together, and tshark's decoding of all of
it in three ways."""
import struct

import judge
import receivers
from packets import TCP, read_pcap

BATCH = 4000  # frames of a connection that are put together at once


def by_connection(frames):
    """Frames of each TCP connection, by its ports and addresses."""
    out = {}
    for f in frames:
        ip = receivers.network(f)
        if ip is None:
            continue
        if ip[0] == 4:
            body, proto = ip[1][(ip[1][0] & 15) * 4:], ip[1][9]
            ends = ip[1][12:20]
            part = struct.unpack_from(">H", ip[1], 6)[0] & 0x3FFF
        else:
            body, proto, ends = ip[1][40:], ip[1][6], ip[1][8:40]
            part = proto == 44
        if part:
            out.setdefault((ends, None), []).append(f)
        elif proto == TCP and len(body) >= 4:
            out.setdefault((ends, body[:4]), []).append(f)
        else:
            out.setdefault((ends, "other"), []).append(f)
    return out


def returned(frame):
    """An ICMP error that brings a packet back to whoever sent it: nobody
    hears anything new."""
    ip = receivers.network(frame)
    if ip is None:
        return False
    if ip[0] == 6:
        body = ip[1][40:]
        return ip[1][6] == 58 and len(body) >= 48 and body[0] < 128 and \
            body[16:32] == ip[1][24:40]
    head = (ip[1][0] & 15) * 4
    body = ip[1][head:]
    return ip[1][9] == 1 and len(body) >= 28 and \
        body[0] in (3, 4, 5, 11, 12) and body[20:24] == ip[1][16:20]


def forbidden(report, what, path, allowed, lost):
    """Checks that nothing forbidden is in the capture, and that it shows
    anything: all of it is there (lost: frames that tcpdump did not get; None:
    it does not say), and the other decoder found allowed services in it.
    allowed: {"read": tables}."""
    wrong, seen = judged(path, allowed)
    if lost != 0:
        wrong = wrong or "tcpdump lost %s frames" % (
            "nobody knows how many" if lost is None else lost)
    report.check(what, wrong)
    if seen is None:
        report.skip(what + ": tshark is not installed: it decoded nothing")
    else:
        report.check("%s: among %d allowed messages that tshark decoded" % (
            what, seen), "" if seen else "it decoded none")


def judged(path, allowed):
    """(what forbidden things are in the capture, how many packets with an
    allowed C12.22 service tshark decoded, None without it)."""
    frames = [judge.trimmed(f) for _, f in read_pcap(path)]
    if not frames:
        return "the capture is empty", 0
    for i, f in enumerate(frames):
        if judge.marked(f) and not returned(f):
            return "packet %d: %s" % (i + 1, f.hex()), 0
    frames = [f for f in frames if not returned(f)]
    for (_, kind), some in by_connection(frames).items():
        if kind == "other":
            continue
        for at in range(0, len(some), BATCH // 2):
            streams, others = receivers.plain(some[at:at + BATCH])
            for octets in streams | others:
                if judge.marked(octets):
                    return "a receiver reads " + octets.hex()[:400], 0
            if at + BATCH >= len(some):
                break
    if not judge.Oracle.there():
        return "", None
    oracle, wrong, seen = judge.Oracle(), [], 0
    for options in ([], ["tcp.reassemble_out_of_order:TRUE"],
                    ["tcp.check_checksum:TRUE"]):
        for row in oracle.decode(path, options):
            bad = judge.bad(row, allowed["read"])
            wrong += ["packet %s: %s" % (row[0], w) for w in bad]
            seen += not options and judge.decoded(row) and not bad
        if wrong:
            return "; ".join(wrong[:5]), seen
    return "", seen
