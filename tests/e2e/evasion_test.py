#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The table of evasions, live: both ends are played, and what arrives at the
receiver's link is judged as in tests/evasion_replay_test.py; the reasons that
the audit tells of the moments of a case are among those expected.

usage: evasion_test.py [--open] [--bridged] [NAME...]
--open: without a gateway, to see that the judges see (not a test)
EVASION_SEEDS=N: scripts by chance besides (40)
"""
import os
import sys
from datetime import datetime

import evasions
import judge
from lib import HERE, Gate, Net, Report, need_live
from raw import Player


# Two clocks, and what an engine may need for a packet.
EARLY, LATE = 0.02, 0.25


def play(net, cases):
    """{number: frames that arrived}, [(case, begin, end)]"""
    player = Player(net)
    for c in cases:
        player.play(c)
    return player.stop(), player.done


def told(records):
    """[(reason, from, to)] of all records, in seconds; what is merged has no
    port, but says when its first and its last were."""
    out = []
    for r in records:
        m = r.get("metergate", {})
        if "reason" in m:
            at = datetime.strptime(r["timestamp"], "%Y-%m-%dT%H:%M:%S.%f%z"
                                   ).timestamp()
            out.append((m["reason"], at - m.get("first_ms_ago", 0) / 1e3,
                        at - m.get("last_ms_ago", 0) / 1e3))
    return out


def expected(case):
    """Reasons that one of is to be found; none: it is left open."""
    if case.want != "stop" or "any" in case.why:
        return set()
    # Cases before it may have left the places for segments occupied.
    return set(case.why) | ({"no-resources"} if "bad-segment" in case.why
                            else set())


def unreasoned(played, records):
    """{number: what is wrong} of the cases with none of their reasons."""
    rows, wrong = told(records), {}
    for case, begin, end in played:
        want = expected(case)
        found = {why for why, first, last in rows
                 if first < end / 1e9 + LATE and last > begin / 1e9 - EARLY}
        if want and not want & found:
            wrong[case.number] = "reasons %s, expected one of %s" % (
                ", ".join(sorted(found)) or "none", ", ".join(sorted(want)))
    return wrong


def judged(cases, found, oracle):
    """{number: what is wrong}"""
    wrong = {c.number: judge.judge(c, found[c.number], oracle) for c in cases}
    if oracle:
        names = {c.name: c.number for c in cases}
        for name, what in oracle.verdicts()[0]:
            wrong[names.get(name, cases[0].number)].append(
                "tshark sees a " + what)
    return wrong


def main():
    report = Report()
    options = [a for a in sys.argv[1:] if a.startswith("--")]
    wanted = [a for a in sys.argv[1:] if not a.startswith("--")]
    if "--open" not in options:
        need_live(report)
    cases = [c for c in evasions.cases()
             if not wanted or any(w in c.name for w in wanted)]
    count = 0 if wanted else int(os.environ.get("EVASION_SEEDS", "40"))
    chance = [evasions.shuffled(seed, (evasions.GUEST, evasions.WAN)[seed % 2],
                                1000 + seed) for seed in range(count)]
    oracle = judge.Oracle() if judge.Oracle.there() else None
    if not oracle:
        report.skip("tshark is not installed: it decoded nothing")
    with Net("bridged" if "--bridged" in options else "routed") as net:
        if "--open" in options:
            found, played = play(net, cases + chance)
            reasons = {}
        else:
            with Gate(net, os.path.join(HERE, "evasion")) as gate:
                found, played = play(net, cases + chance)
                gate.stop()  # what was merged is told at the end
                reasons = unreasoned(played, gate.records())
    wrong = judged(cases + chance, found, oracle)
    for number, what in reasons.items():
        wrong[number].append(what)
    for c in cases:
        report.check("live: %s (%s)" % (c.name, c.source),
                     "; ".join(wrong[c.number]))
    if chance:
        report.check("live: %d scripts by chance" % len(chance), "; ".join(
            c.name + ": " + wrong[c.number][0] for c in chance
            if wrong[c.number]))
    report.done()


if __name__ == "__main__":
    main()
