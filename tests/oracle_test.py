#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Under the metering policy: the packets that would have left and those that
would not are together the input, packet for packet and in its order; nothing
of a refused message left; and tshark, which shares no code with the gateway,
finds no denied table, service or party in what would have left."""
import glob
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
REPLAY = os.path.join(os.environ.get("BUILD", os.path.join(ROOT, "build")),
                      "bin", "metergate-replay")
SHARED = os.environ.get("METERGATE_SHARED",
                        os.path.join(os.path.dirname(ROOT), "shared"))
PCAPS = os.path.join(ROOT, "tests", "pcaps")
POLICIES = os.path.join(ROOT, "tests", "policies")

# What tests/policies/metering grants, written again from its text: tables
# that may be read, tables that may be written, services that may be asked.
READ = {0, 1, 3, 5, 8, 12, 16, 21, 22, 23, 25, 27, 52, 61, 62, 63, 64}
WRITE = {7}  # only to start procedures
PROCEDURES = {4, 5}
SERVICES = {0x20, 0x24, 0x25, 0x26, 0x27, 0x21, 0x50, 0x51, 0x52, 0x70} | \
    set(range(0x30, 0x40)) | {0x40} | set(range(0x00, 0x20))
PARTIES = {"10.20.0.1", "10.20.0.10", "224.0.2.4"}
KEY = "2b7e151628aed2a6abf7158809cf4f3c"

failures = 0


def check(what, wrong):
    global failures
    if wrong:
        failures += 1
        print("not ok %s: %s" % (what, wrong))
    else:
        print("ok", what)


def packets(path):
    """(time stamp, wire length, octets) of each packet of a pcap file."""
    with open(path, "rb") as f:
        data = f.read()
    order = "<" if data[:2] in (b"\xd4\xc3", b"\x4d\x3c") else ">"
    at, found = 24, []
    while at < len(data):
        s, sub, caplen, wire = struct.unpack_from(order + "IIII", data, at)
        found.append((s, sub, wire, data[at + 16:at + 16 + caplen]))
        at += 16 + caplen
    return found


def partition(whole, a, b):
    """Is whole a merge of a and b, each in its order? Gives the indices
    that went to a, or None. Backtracks only over equal packets."""
    states = {0: []}  # how many of a were used -> indices that went to a
    for i, p in enumerate(whole):
        following = {}
        for used, to_a in states.items():
            if used < len(a) and a[used] == p:
                following[used + 1] = to_a + [i]
            rest = i - used
            if rest < len(b) and b[rest] == p and used not in following:
                following[used] = to_a
        states = following
        if not states:
            return None
    if len(a) + len(b) != len(whole):
        return None
    return states.get(len(a))


def run(policy, capture, work):
    a, d = os.path.join(work, "a.pcap"), os.path.join(work, "d.pcap")
    done = subprocess.run(
        [REPLAY, "-p", os.path.join(POLICIES, policy), "-k",
         os.path.join(PCAPS, "keys.yaml"), "--allowed", a, "--denied", d,
         capture], capture_output=True, check=False)
    if done.returncode > 1 or done.stderr:
        return "exit %d: %s" % (done.returncode, done.stderr.decode()), \
            None, None, None
    records = [json.loads(x) for x in done.stdout.splitlines()]
    return None, records, a, d


def tshark(path, fields):
    args = ["tshark", "-r", path, "-o", "c1222.decrypt:TRUE",
            "-o", "c1222.baseoid:2.16.124.113620.1.22.0", "-o",
            'uat:c1222_decryption_table:"1",%s' % KEY, "-T", "fields",
            "-E", "occurrence=a", "-E", "aggregator=,"]
    for f in fields:
        args += ["-e", f]
    done = subprocess.run(args, capture_output=True, check=False)
    if done.returncode != 0:
        return None, done.stderr.decode().strip().splitlines()[-1]
    return [line.split("\t") for line in
            done.stdout.decode().splitlines()], None


def numbers(text):
    return [int(x, 0) for x in text.split(",") if x]


def oracle(name, path):
    """What tshark sees in the packets that would have left."""
    rows, why = tshark(path, [
        "frame.number", "ip.src", "ip.dst", "c1222.cmd", "c1222.read.table",
        "c1222.write.table", "c1222.procedure.num"])
    if rows is None:
        check(name + ": tshark reads what would have left", why)
        return
    wrong = []
    for row in rows:
        number, src, dst, cmd, read, write, proc = row
        for party in (src, dst):
            if party not in PARTIES:
                wrong.append("packet %s: party %s" % (number, party))
        wrong += ["packet %s: service %#x" % (number, c)
                  for c in numbers(cmd) if c not in SERVICES]
        wrong += ["packet %s: read of table %d" % (number, t)
                  for t in numbers(read) if t not in READ]
        wrong += ["packet %s: write to table %d" % (number, t)
                  for t in numbers(write) if t not in WRITE]
        wrong += ["packet %s: procedure %d" % (number, p)
                  for p in numbers(proc) if p not in PROCEDURES]
    check(name + ": tshark finds nothing denied in what would have left",
          "; ".join(wrong))


def refused_frames(name):
    """Packets that complete a message meant to be refused."""
    path = os.path.join(PCAPS, name + ".expect.json")
    if not os.path.exists(path):
        return set()
    with open(path, encoding="utf-8") as f:
        meant = json.load(f)
    return {m["frame"] for m in meant["messages"]
            if m["verdict"] not in ("ok", "suspicious")}


def check_records(name, records, to_allowed, n_packets):
    """Every drop has an event; no record allows what was refused."""
    stats = records[-1]["stats"]
    dropped = set(range(n_packets)) - set(to_allowed)
    counted = sum(stats["drops"].values())
    check(name + ": every dropped packet has a reason",
          "" if counted == stats["dropped"] else
          "%d of %d" % (counted, stats["dropped"]))
    # What is counted is what was told of each packet: the last refusal that
    # names it. Fragments and siblings have records of their own.
    told = {}
    for r in records:
        if r.get("metergate", {}).get("verdict") == "deny" and \
                r["event_type"] in ("violation", "anomaly"):
            told[r["pcap_cnt"]] = r["metergate"]["reason"]
    by_record = {}
    for i, why in told.items():
        if i - 1 in dropped:
            by_record[why] = by_record.get(why, 0) + 1
    check(name + ": the reasons of drops are those of the records",
          "" if by_record == stats["drops"] else
          "records %s, counted %s" % (by_record, stats["drops"]))
    refused = refused_frames(name)
    check(name + ": nothing of a refused message left",
          ", ".join("packet %d" % (i + 1) for i in to_allowed
                    if i + 1 in refused))
    judged = [r for r in records if r["event_type"] == "decision" and
              r.get("pcap_cnt") in refused]
    check(name + ": no rule saw a fact of a refused message",
          ", ".join("packet %d" % r["pcap_cnt"] for r in judged))


def check_capture(policy, capture, work, with_tshark):
    name = os.path.splitext(os.path.basename(capture))[0]
    label = "%s under %s" % (name, policy)
    why, records, a, d = run(policy, capture, work)
    if why:
        check(label, why)
        return 0
    allowed = packets(a)
    to_allowed = partition(packets(capture), allowed, packets(d))
    check(label + ": allowed and denied are the input",
          "" if to_allowed is not None else "they are not")
    if to_allowed is None:
        return 0
    stats = records[-1]["stats"]
    check(label + ": as many passed as were written",
          "" if stats["passed"] == len(allowed) else
          "%d passed, %d written" % (stats["passed"], len(allowed)))
    if policy == "metering":
        check_records(name, records, to_allowed, len(packets(capture)))
        if with_tshark:
            oracle(name, a)
    return len(allowed)


def main():
    with_tshark = shutil.which("tshark") is not None
    if not with_tshark:
        print("SKIP: tshark is not installed: nobody decoded what would "
              "have left")
    captures = sorted(glob.glob(os.path.join(PCAPS, "gen_*.pcap")))
    public = sorted(glob.glob(os.path.join(SHARED, "pcaps", "c1222",
                                           "c1222*.*cap")))
    if not public:
        print("SKIP: the public captures are not in %s" % SHARED)
    passed = 0
    with tempfile.TemporaryDirectory() as work:
        for capture in captures:
            passed += check_capture("metering", capture, work, with_tshark)
            check_capture("rogue", capture, work, False)
        for capture in public:
            check_capture("metering", capture, work, with_tshark)
    check("some packets left at all", "" if passed else "none did")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
