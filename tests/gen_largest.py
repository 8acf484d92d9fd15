#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the largest policy that the language allows (its section 20.3): 64
parties, 256 grants and denials, 256 limits, a quarter at top level, 64 states, 64 KiB of
text for people at most, in at most 256 KiB of YAML. OUT is the file.

OUT paths: instead 256 grants to one party, each of 60 paths, as many as an automaton
has states for. OUT paths SERIAL: a later one, in which the grant in the middle has
another path instead of one; OUT paths SERIAL less: in which it has one path less.

OUT SHAPE: instead one that asks a single part of the compiler for as much as the
language allows (SHAPES)."""
import sys

PARTIES, RULES, LIMITS, STATES, SOURCE = 64, 256, 64, 64, 256 * 1024
PATHS = 60
LETTERS = "abcdefghijklmnopqrstuvwxy"


def policy():
    yield "polc: 1\nkind: vendor\nid: com.example.largest\nserial: 1\n"
    yield "title: As large as it may be\nvm: mdma\nparties:\n"
    for p in range(PARTIES):
        yield (f"  party-{p:02}:\n    name: Centre number {p} of a very large operator\n"
               f"    role: metering\n    operator: Operator {p} Ltd\n    country: GB\n"
               f"    address: [203.0.{p}.0/28, '2001:db8:{p:x}::/48']\n"
               f"    ports: [tcp/1153, udp/1153]\n    tls: {{names: [mdm-{p}.example]}}\n")
    yield "states:\n"
    for s in range(STATES):
        yield (f"  seen-{s:02}:\n    scope: party\n    set-by: {{direction: in, party: party-{s:02}, "
               f"match: {{c1222.read-request: {{table: [{64 + s}]}}}}}}\n    expires: 26 h\n")
    yield "allow:\n"
    for r in range(RULES):
        p = r // 4
        if r % 4 == 0:
            yield (f"  ask-{p:02}:\n    direction: in\n    party: party-{p:02}\n"
                   f"    match: {{c1222.read-request: {{table: [{64 + p}]}}}}\n")
        elif r % 4 == 1:
            yield (f"  send-{p:02}:\n    purpose: {'Working out your bill, once more. ' * 3}{p}\n"
                   f"    direction: out\n    party: party-{p:02}\n"
                   f"    match: {{c1222.read-response: {{table: [{64 + p}]}}}}\n"
                   f"    answers: [ask-{p:02}]\n    requires: [seen-{p:02}]\n    consent: opt-in\n"
                   f"    data: {{measurement: energy.interval, granularity: 30 min or coarser, "
                   f"history: 35 d, delay: 6 h, resolution: 1 Wh}}\n"
                   f"    when: {{between: 00:30-05:30, spread: 30 min}}\n"
                   f"    limits: [1 reading per day, at least 20 h apart]\n")
        elif r % 4 == 2:
            yield (f"  look-{p:02}:\n    direction: out\n    party: party-{p:02}\n"
                   f"    match: {{http.request: {{method: [GET], path: /updates/for-{p}/*, body: 0 B}}}}\n"
                   f"    limits: [2 messages per day]\n")
        else:
            yield (f"  told-{p:02}:\n    direction: in\n    party: party-{p:02}\n"
                   f"    match: {{http.response: {{}}}}\n    answers: [look-{p:02}]\n")
    yield "limits:\n"
    for i in range(LIMITS):
        what = ["40 KiB per day", "2 MiB per month", "400 packets per hour",
                "20 connections per day"][i % 4]
        yield (f"  budget-{i:03}:\n    on: {{party: party-{i:02}}}\n    each: [vm]\n"
               f"    limit: {what}\n")


def path(n):
    """By turns: what stands together is of as many rules as there are."""
    return "/" + "".join(LETTERS[n // 25**i % 25] for i in (2, 1, 0))


def paths(serial="1", change=None):
    yield f"polc: 1\nkind: vendor\nid: com.example.paths\nserial: {serial}\n"
    yield "title: As many paths as it may have\nvm: mdma\nparties:\n"
    yield ("  centre:\n    name: Centre\n    role: service\n    address: [203.0.113.0/28]\n"
           "    ports: [tcp/443]\n    tls: {names: [centre.example]}\nallow:\n")
    for r in range(RULES):
        of = [path(p * RULES + r) for p in range(PATHS)]
        if r == RULES // 2 and serial != "1":
            of[PATHS // 2:PATHS // 2 + 1] = [] if change else ["/zzz"]
        yield (f"  get-{r:03}:\n    direction: out\n    party: centre\n    match: {{http.request: "
               f"{{path: [{', '.join(of)}], body: 0 B}}}}\n")


def head(shape):
    return f"polc: 1\nkind: vendor\nid: com.example.{shape}\nserial: 1\ntitle: All of one kind\nvm: mdma\n"


def parties(n, address="203.0.{p}.0/28", ports="tcp/1153", names="m{p}.example"):
    yield "parties:\n"
    for p in range(n):
        yield (f"  p{p}: {{name: Centre {p}, role: metering, operator: Operator {p}, country: GB, "
               f"address: [{address.format(p=p)}], ports: [{ports.format(p=p)}], "
               f"tls: {{names: [{names.format(p=p)}]}}}}\n")


def grants(n, match, party="p0", more=lambda r: ""):
    yield "allow:\n"
    for r in range(n):
        to = party(r) if callable(party) else party
        yield f"  g{r}: {{direction: out, party: {to}, match: {{{match(r)}}}{more(r)}}}\n"


def table(r):
    return f"c1222.read-response: {{table: [{64 + r}]}}"


def asks(r):
    return f"c1222.read-request: {{table: [{r}]}}"


def sends(_):
    return (", purpose: bill, consent: opt-in, data: {measurement: energy.interval, granularity: "
            "30 min or coarser, history: 35 d, delay: 6 h}")


def each_party():
    """Rules for one half of the parties and for the other: all are compared."""
    yield from parties(PARTIES, ", ".join(f"10.{{p}}.{k}.0/24" for k in range(8)),
                       ", ".join(f"tcp/{2000 + k}" for k in range(20)))
    yield from grants(RULES, lambda r: asks(r // 2), lambda r: "[" + ", ".join(
        f"p{p}" for p in range(r % 2, PARTIES, 2)) + "]")


def totals():
    """Every limit at top level may be what spaces every rule."""
    yield from parties(1)
    yield from grants(RULES, table, more=sends)
    yield "limits:\n"
    for i in range(LIMITS * 4):
        yield (f"  l{i}: {{on: {{direction: out, party: p0, match: {{{table(i)}}}}}, each: [vm], "
               f"limit: {i + 1} readings per day}}\n")


def ways(sends=sends):
    """Every rule lets every party have something, under a limit of its own."""
    yield from parties(PARTIES)
    yield from grants(RULES, table, "[" + ", ".join(f"p{p}" for p in range(PARTIES)) + "]", sends)
    yield "limits:\n"
    for i in range(LIMITS * 4):
        yield f"  l{i}: {{on: {{match: {{{table(i)}}}}}, each: [vm], limit: at least 20 h apart}}\n"


def types():
    """The same of several types, each of which has figures of its own."""
    yield from ways(lambda _: ", purpose: bill, consent: opt-in, data: {measurement: "
                    "[energy.register, energy.tou, energy.export, power.peak, event.power]}")


def answers():
    """Rules that answer rules that answer rules, beside denials."""
    yield from parties(1)
    yield "allow:\n"
    for r in range(192):
        to = [f"g{k}" for k in range(r - 1, -1, -2)]
        yield (f"  g{r}: {{direction: {'in' if r % 2 else 'out'}, party: p0, match: {{{asks(r)}}}"
               f"{', answers: [' + ', '.join(to) + ']' if to else ''}}}\n")
    yield "deny:\n"
    for r in range(64):
        yield f"  d{r}: {{direction: in, party: p0, match: {{{asks(1000 + r)}}}}}\n"


def names():
    """As many texts as an image has room for."""
    yield from parties(PARTIES, names=", ".join(
        f"{a}{{p}}{b}.a" for a in LETTERS[:12] for b in LETTERS[:12]))
    yield from grants(PARTIES, asks, lambda r: f"p{r}")


def stars(after=2):
    """Patterns whose stars are open at once."""
    yield from parties(1)
    yield from grants(RULES, lambda r: "http.request: {path: [" + ", ".join(
        path(p * RULES + r)[:after] + "*" + path(p * RULES + r)[after:] for p in range(16)) + "], body: 0 B}")


def first_stars():
    """Patterns that all begin with one: each may meet each."""
    yield from stars(1)


SHAPES = {f.__name__.replace("_", "-"): f for f in (each_party, totals, ways, types, answers, names,
                                                       stars, first_stars)}


def text_of(shape=None, *args):
    if shape in SHAPES:
        return head(shape) + "".join(SHAPES[shape]())
    return "".join(paths(*args) if shape else policy())


def main():
    text = text_of(*sys.argv[2:])
    assert len(text) <= SOURCE, len(text)
    # To the last octet of what may be read.
    text += ("#" * 99 + "\n") * ((SOURCE - len(text)) // 100)
    with open(sys.argv[1], "w", encoding="ascii") as out:
        out.write(text)


if __name__ == "__main__":
    main()
