#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The same traffic with and without offload: what is judged is judged alike,
and what the kernel carries was charged before, so that a budget ends at the
same octet or earlier, never later.

What differs by design: a class of octets is charged at once, so there are
fewer decisions, each of more octets, and what was charged and not used is
lost to the budget. The end of a connection is seen all the same.

usage: offload_test.py [--bridged]
"""
import hashlib
import os
import socket
import sys
import threading
import time

import c1222
import talk
from equality_test import different, likeness, settle, short, told
from lib import ADDR, Gate, Net, Report, Tap, need_live, until

MIB = 1 << 20
LITTLE = 4 * MIB  # of the policy's rules send-little and receive-little
PATIENCE = 3.0
BUDGETS = {(8080, "out"): "send", (8080, "in"): "receive",
           (8081, "out"): "send-little", (8081, "in"): "receive-little"}


# --- the script --------------------------------------------------------------


def ask(s, inv, table):
    """The meter's answer, or nothing when it is refused."""
    got = b""
    try:
        s.sendall(talk.request(inv, table))
        while not c1222.cut(got)[0]:
            more = s.recv(talk.BUFFER)
            if not more:
                return None
            got += more
    except OSError:
        return None
    return c1222.cut(got)[0][0]


def reads(net):
    """Messages, allowed and not; they are never carried."""
    meter, said = talk.Meter(net), []
    for port, tables in ((41001, (1, 5, 1, 5)), (41002, (1, 40)),
                         (41003, (1,))):
        s = net.socket("wan")
        s.settimeout(PATIENCE)
        s.bind((ADDR["wan"], port))
        s.connect((ADDR["mdma"], 1153))
        said += [ask(s, (port << 8) + n, t) for n, t in enumerate(tables)]
        s.close()
    meter.stop()
    # Said in place of an answer or not: it was refused.
    return [m.hex() if m and not c1222.refused(m) else "refused"
            for m in said]


class Taker(threading.Thread):
    def __init__(self, s):
        super().__init__(daemon=True)
        self.s, self.n, self.hash = s, 0, hashlib.sha256()
        s.settimeout(PATIENCE)
        self.start()

    def run(self):
        try:
            while True:
                more = self.s.recv(1 << 17)
                if not more:
                    return
                self.n += len(more)
                self.hash.update(more)
        except OSError:
            return


def opened(net, port):
    """Both ends of a connection in which both have spoken, while the budgets
    still have room for it."""
    ls = net.listener("wan", port, ADDR["wan"])
    c = net.socket("dr")
    c.settimeout(PATIENCE)
    c.connect((ADDR["wan"], port))
    s, _ = ls.accept()
    ls.close()
    s.settimeout(PATIENCE)
    talk.greeted(c, s)
    return c, s


def stream(ends, outwards, size):
    """How many octets of an opaque stream arrive; whether as they were."""
    c, s = ends
    source, sink = (c, s) if outwards else (s, c)
    data = hashlib.shake_256(b"%d" % size).digest(size)
    taker = Taker(sink)
    try:
        for at in range(0, size, 16384):
            source.sendall(data[at:at + 16384])
            time.sleep(0.0005)  # so that marks are in force when more comes
        source.shutdown(socket.SHUT_WR)
    except OSError:
        pass
    taker.join()
    c.close()
    s.close()
    same = hashlib.sha256(data[:taker.n]).digest() == taker.hash.digest()
    return taker.n, same


def datagrams(net, n=80, size=1000):
    server = net.socket("wan", kind=socket.SOCK_DGRAM)
    server.bind((ADDR["wan"], 8080))
    client = net.socket("dr", kind=socket.SOCK_DGRAM)
    client.bind((ADDR["dr"], 41100))
    answered = 0
    for s in (client, server):
        s.settimeout(PATIENCE)
    try:
        for i in range(n):
            client.sendto(b"%08d" % i + bytes(size - 8), (ADDR["wan"], 8080))
            m, who = server.recvfrom(talk.BUFFER)
            server.sendto(m, who)
            answered += client.recv(talk.BUFFER) == m
    except OSError:
        pass
    server.close()
    client.close()
    return answered


def refused(net):
    """To somebody, and to a port, that no rule names."""
    out = []
    for host, port in (("lan", 8080), ("wan", 8099)):
        s = net.socket("dr")
        s.settimeout(0.5)
        try:
            s.connect((ADDR[host], port))
            out.append("open")
        except OSError:
            out.append("refused")
        s.close()
    return out


# --- one run -----------------------------------------------------------------


def passed(out, into):
    """{rule: octets of IP}, {rule: of them, what the packets carry}, of those
    that carry something and arrived outside and at the machine. What a sender
    says again, the same octets, costs a rule nothing, and is not counted."""
    reached = {}
    whole, inside = dict.fromkeys(BUDGETS.values(), 0), \
        dict.fromkeys(BUDGETS.values(), 0)
    for f, way in [(f, "out") for _, _, f in out] + \
            [(f, "in") for _, _, f in into]:
        if f[12:14] != b"\x08\x00" or f[23] not in (6, 17):
            continue
        port = f[34:36] if way == "in" else f[36:38]
        rule = BUDGETS.get((int.from_bytes(port, "big"), way))
        size = int.from_bytes(f[16:18], "big")
        head = 20 + ((f[46] >> 4) * 4 if f[23] == 6 else 8)
        new = size - head
        if f[23] == 6:
            end = (int.from_bytes(f[38:42], "big") + new) & 0xffffffff
            before = reached.get(f[26:38])
            if before is not None:
                new = min(new, (end - before + (1 << 31)) % (1 << 32) -
                          (1 << 31))
            if new > 0:
                reached[f[26:38]] = end
        if rule and new > 0:
            whole[rule] += new + head
            inside[rule] += new
    return whole, inside


def unacknowledged(r):
    """Without the octets used so far: they have the acknowledgements that
    passed before, and how many did, the kernels' time says."""
    for b in r.get("metergate", {}).get("budgets", []):
        if b["name"].startswith("limits/bytes"):
            del b["used"]
    return r


def uncounted(r):
    """How many bare acknowledgements a connection has is the kernels' own."""
    if r["event_type"] != "flow":
        return r
    flow = {k: v for k, v in r["flow"].items()
            if not k.startswith(("pkts_", "bytes_"))}
    return {**r, "flow": flow}


# What a kernel that sends again, too early or too late, is told: chance.
AGAIN = {"tcp-repeated", "tcp-timestamp"}


class Run:
    def __init__(self, mode, offload):
        with Net(mode) as net:
            net.neighbours()
            net.unoffload("dr", "wan")
            with Gate(net, offload=str(offload).lower()) as gate:
                self.reads = reads(net)
                taps = [Tap(net, "wan"), Tap(net, "dr")]
                self.large = [stream(opened(net, 8080), way, 3 * MIB)
                              for way in (True, False)]
                ends = [opened(net, 8081) for _ in range(4)]
                self.little = [stream(e, way, 6 * MIB) for e, way in
                               zip(ends, (True, False, True, False))]
                self.datagrams = datagrams(net)
                self.refused = refused(net)
                settle(gate)
                self.lost = sum(t.drops() for t in taps)
                self.whole, self.inside = passed(*[t.stop() for t in taps])
                self.used = {r["budget"].split("/")[1].split(":")[0]: r["used"]
                             for r in gate.ask("budgets dr")[1:]}
                self.guest = gate.guest("dr")
                self.flows = [f for f in gate.ask("flows dr")
                              if f.get("dest_port") == 8080 and
                              f["dest_ip"] == ADDR["wan"] and
                              f["proto"] == socket.IPPROTO_TCP]
                gate.stop()
                records = gate.records()
        self.decided, self.why = {}, set()
        rest = []
        for r in records:
            m = r.get("metergate", {})
            if m.get("guest") != "dr":
                rest.append(r)
            elif r["event_type"] == "decision" and m["verdict"] == "allow":
                self.decided[m["rule"]] = self.decided.get(m["rule"], 0) + \
                    m["octets"]
            elif r["event_type"] != "flow" and "reason" in m and \
                    m["reason"] not in AGAIN and \
                    "dropped by the rules" not in m.get("detail", ""):
                self.why.add((m["reason"], m.get("party"), m.get("rule")))
        # Of those alike the gateway may count some: how many, time says.
        rest = [r for r in rest if r.get("proto") != "UDP"]
        rest = [unacknowledged(uncounted(r)) for r in rest]
        self.told = told(rest, {likeness(r) for r in rest
                                if r["event_type"] == "decision"})


def which(r):
    """What makes a record the same one in both runs."""
    return str((r.get("src_port"), r.get("dest_port"), r.get("c1222")))


def in_both(one, other):
    """one, as told() gives it, of what is told in full only what other tells
    in full too: of those alike in one second only the first is, and when a
    second ends is chance."""
    events, counts, ends = one
    kept = {}
    for k, (n, full) in counts.items():
        names = {which(r) for r in other[1].get(k, (0, []))[1]}
        kept[k] = (n, [r for r in full if which(r) in names])
    return events, kept, ends


def compare(report, plain, carried):
    a, b = (in_both(carried.told, plain.told),
            in_both(plain.told, carried.told))
    report.check("messages are judged alike, and told alike: %d records" %
                 sum(map(len, plain.told)),
                 different(a, b).replace("replay", "without offload") or
                 ("" if plain.reads == carried.reads else "other answers") or
                 ("" if "refused" in plain.reads and
                  sum(map(len, plain.told)) > 6 and
                  any(full for _, full in a[1].values())
                  else "nothing was asked"))
    for what in ("large", "datagrams", "refused"):
        a, b = getattr(plain, what), getattr(carried, what)
        report.check("the same arrives: %s: %s" % (what, a),
                     "" if a == b else "with offload: %s" % b)
    report.check("refused for the same reasons: %s" % sorted(
        plain.why, key=str), "" if plain.why == carried.why and
        len(plain.why) >= 2 else "with offload: %s" % sorted(carried.why,
                                                             key=str))
    report.check("the kernel carried: %d classes, %d packets queued instead "
                 "of %d" % (carried.guest["offloaded"],
                            carried.guest["packets"], plain.guest["packets"]),
                 "" if plain.guest["offloaded"] == 0 and
                 carried.guest["offloaded"] >= 5 and
                 carried.guest["packets"] < plain.guest["packets"] else
                 "not so")
    for name, r in (("without", plain), ("with", carried)):
        ends = [(f["state"], f["offload"]) for f in r.flows]
        report.check("%s offload: the ends of two streams are seen" % name,
                     "" if ends == [("closed", 0)] * 2 else "%s" % ends)
        report.check("%s offload: nothing arrives that was not sent" % name,
                     "" if all(same for _, same in r.large + r.little) else
                     "other octets")
    budgets(report, plain, carried)


def budgets(report, plain, carried):
    report.check("the listener lost nothing",
                 "" if plain.lost == carried.lost == 0 else "it did")
    for rule in sorted(BUDGETS.values()):
        report.check("without offload, %s: what was charged passed, to the "
                     "octet: %d, and the audit has the %d in them" % (
                         rule, plain.used[rule], plain.inside[rule]),
                     "" if plain.used[rule] == plain.whole[rule] > 0 and
                     plain.decided[rule] == plain.inside[rule] else
                     "%d passed, %d are told" % (plain.whole[rule],
                                                 plain.decided[rule]))
        report.check("with offload, %s: %d passed, %d were charged before, "
                     "and %d are told" % (
                         rule, carried.whole[rule], carried.used[rule],
                         carried.decided[rule]),
                     "" if 0 < carried.whole[rule] <= carried.used[rule] and
                     carried.inside[rule] <= carried.decided[rule] <=
                     carried.used[rule] else "that is more")
    for i, what in enumerate(("out", "in", "out again", "in again")):
        a, b = plain.little[i][0], carried.little[i][0]
        report.check("a budget of %d ends, %s: after %d octets, with offload "
                     "after %d" % (LITTLE, what, a, b),
                     "" if b <= a <= LITTLE else "later")
    report.check("and it was used: without offload to the last packet",
                 "" if all(plain.used[r] > LITTLE - 1500 and
                           carried.used[r] > LITTLE / 2
                           for r in ("send-little", "receive-little"))
                 else "%s, %s" % (plain.used, carried.used))


def main():
    report = Report()
    need_live(report)
    mode = "bridged" if "--bridged" in sys.argv else "routed"
    compare(report, Run(mode, False), Run(mode, True))
    report.done()


if __name__ == "__main__":
    main()
