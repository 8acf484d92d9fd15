# SPDX-License-Identifier: Apache-2.0
"""The table of evasions: every script, in both directions, and scripts by
chance besides."""
import random

import evasions_c1222  # noqa: F401 - they fill the table
import evasions_ip  # noqa: F401
import evasions_opaque  # noqa: F401
import evasions_tcp  # noqa: F401
from packets import ACK, FIN, PSH, RST, URG
from script import (  # noqa: F401
    FORBIDDEN, GUEST, GW, MAC, PARTIES, TABLE, WAN, Case, Tcp, v6)


def cases():
    """All cases, both directions."""
    out = []
    for row in TABLE:
        for sender in (GUEST, WAN):
            c = Case(row, len(out) + 1, sender)
            a, f = c.pair()
            row[4](c, a, f)
            out.append(c)
    return out


def shuffled(seed, sender, number):
    """Pieces of an allowed and of a forbidden message in any order, some of
    them decoys: no case of the table, but whatever may be in between."""
    rng = random.Random(seed)
    c = Case(("pieces by chance, seed %d" % seed, "property", "stop", ()),
             number, sender)
    a, f = c.pair(reads=True)
    t = Tcp(c, stamps=rng.random() < 0.3).open()
    edges = sorted(rng.sample(range(1, len(a)), rng.randrange(1, 6)))
    edges = [0] + edges + [len(a)]
    pieces = [(m, at, end) for m in (a, f)
              for at, end in zip(edges, edges[1:])]
    pieces += [(rng.choice((a, f)), max(0, at - rng.randrange(4)),
                min(len(a), end + rng.randrange(4)))
               for _, at, end in rng.sample(pieces, len(pieces) // 2)]
    rng.shuffle(pieces)
    if rng.random() < 0.5:
        pieces.sort(key=lambda p: p[1] + rng.randrange(12))
    for m, at, end in pieces:
        how = rng.choices(
            ({}, {"check": "bad"}, {"ip": {"ttl": 3}}, {"flags": PSH},
             {"flags": RST | ACK}, {"flags": ACK | URG, "urgent": 2},
             {"flags": FIN | ACK}),
            (12, 1, 1, 1, 0.3, 0.3, 0.3))[0]
        t.send(at, m[at:end], **how)
        if rng.random() < 0.2:
            t.ack(end)
    return c
