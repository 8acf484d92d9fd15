#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The table of evasions, live: both ends are played, and what arrives at the
receiver's link is judged as in tests/evasion_replay_test.py.

usage: evasion_test.py [--open] [--bridged] [NAME...]
--open: without a gateway, to see that the judges see (not a test)
EVASION_SEEDS=N: scripts by chance besides (40)
"""
import os
import sys

import evasions
import judge
from lib import HERE, Gate, Net, Report, need_live
from raw import Player


def play(net, cases):
    player = Player(net)
    for c in cases:
        player.play(c)
    return player.stop()


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
            found = play(net, cases + chance)
        else:
            with Gate(net, os.path.join(HERE, "evasion")):
                found = play(net, cases + chance)
    wrong = judged(cases + chance, found, oracle)
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
