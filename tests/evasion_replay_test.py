#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The table of evasions (tests/e2e/evasions.py) as captures: of what
metergate-replay lets out, no receiver of any kind may read anything that is
forbidden, in its own judgement or in tshark's; what is harmless arrives; and
the reason of each refusal is one of those expected.

usage: evasion_replay_test.py [-v] [NAME...]
EVASION_SEEDS=N: how many scripts by chance besides (200).
"""
import json
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))

import evasions  # noqa: E402
import judge  # noqa: E402
from packets import read_pcap, write_pcap  # noqa: E402

REPLAY = os.path.join(os.environ.get("BUILD", os.path.join(ROOT, "build")),
                      "bin", "metergate-replay")
POLICY = os.path.join(ROOT, "tests", "e2e", "evasion")
START = 1700006400 * 1000000


def capture(cases, path):
    us, out = START, []
    for c in cases:
        for after, _, frame in c.packets:
            us += after
            out.append((us, frame))
        us += 100000
    write_pcap(path, out)


def replay(cases, work):
    """(frames that left, last record) of one run over the cases."""
    path, left = os.path.join(work, "in.pcap"), os.path.join(work, "out.pcap")
    capture(cases, path)
    done = subprocess.run([REPLAY, "-p", POLICY, "--allowed", left, path],
                          capture_output=True, check=False)
    if done.returncode > 1 or done.stderr:
        raise RuntimeError("exit %d: %s" % (done.returncode,
                                            done.stderr.decode()))
    records = [json.loads(x) for x in done.stdout.splitlines()]
    return [f for _, f in read_pcap(left)], records


def reasons(records):
    stats = records[-1]["stats"]
    found = set(stats["drops"])
    for r in records:
        m = r.get("metergate", {})
        found.update([m["reason"]] if "reason" in m else [])
    return found


def one(case, work, oracle):
    left, records = replay([case], work)
    towards = [f for f in left if judge.side_of(f) == case.sender]
    wrong = judge.judge(case, towards, oracle)
    found = reasons(records)
    if case.want == "stop" and "any" not in case.why and \
            not found & set(case.why):
        wrong.append("reasons %s, expected one of %s" %
                     (", ".join(sorted(found)) or "none",
                      ", ".join(case.why)))
    return wrong


def unjudged(cases):
    """Names of the cases whose forbidden octets nobody would notice, were
    there no gateway: none may be."""
    return [c.name for c in cases if c.want == "stop" and not judge.judge(
        c, [f for _, side, f in c.packets if side == c.sender])]


def by_chance(count, work, oracle):
    """Scripts by chance, all in one capture; the ports tell them apart."""
    cases = [evasions.shuffled(seed, (evasions.GUEST, evasions.WAN)[seed % 2],
                               1000 + seed) for seed in range(count)]
    left, _ = replay(cases, work)
    frames = {c.port(): [] for c in cases}
    for f in left:
        sport, dport = int.from_bytes(f[34:36], "big"), \
            int.from_bytes(f[36:38], "big")
        frames[max(sport, dport)].append(f)
    wrong = []
    for c in cases:
        towards = [f for f in frames[c.port()]
                   if judge.side_of(f) == c.sender]
        wrong += [(c, w) for w in judge.judge(c, towards, oracle)]
    return wrong


def main():
    verbose = "-v" in sys.argv[1:]
    wanted = [a for a in sys.argv[1:] if a != "-v"]
    cases = [c for c in evasions.cases()
             if not wanted or any(w in c.name for w in wanted)]
    oracle = judge.Oracle() if judge.Oracle.there() else None
    if not oracle:
        print("SKIP: tshark is not installed: it decoded nothing")
    failed = {}
    with tempfile.TemporaryDirectory() as work:
        for c in cases:
            failed.setdefault(c.name, []).extend(one(c, work, oracle))
        count = 0 if wanted else int(os.environ.get("EVASION_SEEDS", "200"))
        chance = by_chance(count, work, oracle) if count else []
    if oracle:
        wrong, seen = oracle.verdicts()
        for name, what in wrong:
            if name in failed:
                failed[name].append("tshark sees a " + what)
            else:
                chance.append((name, "tshark sees a " + what))
        if not wanted and seen < 60:
            failed["whole message in one segment, outwards"].append(
                "tshark saw %d messages only" % seen)
    for c in cases:
        wrong = failed[c.name]
        print("%sok %s (%s)%s" % ("not " if wrong else "", c.name, c.source,
                                  ": " + wrong[0] if wrong else ""))
        if verbose:
            for w in wrong[1:]:
                print("    " + w)
    blind = unjudged(cases)
    print("%sok without a gateway, all of it would be noticed%s" % (
        "not " if blind else "", ": not " + blind[0] if blind else ""))
    if count:
        print("%sok %d scripts by chance%s" % (
            "not " if chance else "", count,
            ": %s: %s" % (getattr(chance[0][0], "name", chance[0][0]),
                          chance[0][1]) if chance else ""))
    return 1 if chance or blind or any(failed.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
