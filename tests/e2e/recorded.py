# SPDX-License-Identifier: Apache-2.0
"""Whether what arrived of the meter's answers is recorded, for live tests."""
import json

from lib import auditor

INV = b"\xa8\x06\x02\x04"  # calling invocation id of four octets


def arrived(frames):
    """Invocation ids of the meter's answers in UDP datagrams."""
    found = set()
    for _, _, frame in frames:
        ip = frame[14:]
        if ip[:1] != b"\x45" or ip[9] != 17 or ip[20:22] != b"\x04\x81":
            continue
        at = ip.find(INV)
        if at > 0:
            found.add(int.from_bytes(ip[at + 4:at + 8], "big"))
    return found


def recorded(lines):
    """(invocation ids of answers that were let out, how many more are only
    counted)"""
    found, counted = set(), 0
    for line in lines:
        r = json.loads(line)
        m = r.get("metergate", {})
        if m.get("guest") != "mdma" or m.get("verdict") != "allow" or \
                m.get("direction") != "out":
            continue
        if m.get("count"):
            counted += m["count"]
        inv = r.get("c1222", {}).get("calling_inv")
        if inv is not None:
            found.add(inv)
    return found, counted


def unrecorded(report, gate, frames):
    """(what arrived, exported lines): each that arrived has its record, alone
    or counted in one."""
    out = arrived(frames)
    lines = gate.lines()
    known, counted = recorded(lines)
    missing = out - known
    report.note("%d answers arrived; %d have a record of their own, %d "
                "are counted; %d records in all" % (
                    len(out), len(out & known), counted, len(lines)))
    report.check("what arrived is recorded", "" if len(missing) <= counted
                 else "%d are not, and %d are counted" % (len(missing),
                                                         counted))
    return out, lines


def whole(report, gate):
    code, text = auditor("verify", gate.audit)
    report.check("the log is whole", text[-300:] if code else "")
