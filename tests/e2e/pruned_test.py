#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The log reaches its bound while it is read: the oldest records go, who asks
for them is told so, who was behind goes on with what is there and knows what he
missed, and what is left is whole. And nobody else writes or prunes a log that a
gateway has open."""
import fcntl
import json
import os
import subprocess
import threading
import time

import talk
from lib import Gate, Net, Report, alive, auditor, need_live, until
from stream import Reader, bodies, connect
from tpm import Tpm, there

BOUND = 32 << 20  # the least that may be asked for
EACH = 20         # tables of a question: a record for each
PRUNES = 2        # so often it is to prune
PATIENCE = 240    # until then, on any machine
report = Report()


class Told(Reader):
    """Remembers what it was told of pruned records: {first: the record that it
    had waited for}. Slow: takes nothing more until it is told to."""

    def __init__(self, gate, first, slow=False):
        self.pruned, self.gaps = {}, []
        self.go_on = threading.Event()
        if not slow:
            self.go_on.set()
        super().__init__(gate, first)

    def once(self):
        s = connect(self.gate)
        with s, s.makefile("rb", buffering=65536) as f:
            ask = b"GET /v1/audit HTTP/1.1\r\nHost: m\r\nAccept: " \
                b"text/event-stream\r\nLast-Event-ID: %d\r\n\r\n" % (
                    self.next - 1)
            if self.next == 0:
                ask = ask.replace(b"Last-Event-ID: -1\r\n", b"")
            s.sendall(ask)
            while f.readline() not in (b"\r\n", b""):
                pass
            self.connections += 1
            rest = b""
            for octets in bodies(f):
                rest += octets
                while b"\n\n" in rest:
                    event, rest = rest.split(b"\n\n", 1)
                    self.take(event)
                if self.stopping:
                    return
                if self.next > 10:
                    self.go_on.wait()

    def take(self, event):
        rows = dict(x.split(b": ", 1) for x in event.split(b"\n")
                    if b": " in x)
        if rows.get(b"event") == b"pruned":
            self.pruned[json.loads(rows[b"data"])["first"]] = self.next
        elif b"id" in rows:
            n = int(rows[b"id"])
            if n != self.next and self.pruned.get(n) != self.next:
                self.gaps.append((self.next, n))
            super().take(event)


def get(gate, path):
    """(status, body) of one question."""
    out = subprocess.run(
        ["curl", "-sS", "--max-time", "20", "-w", "\n%{http_code}",
         "--unix-socket", os.path.join(gate.work, "run", "metrics"),
         "http://meter" + path], check=False, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT).stdout
    body, _, status = out.rpartition(b"\n")
    return int(status or 0), body


def octets(gate):
    """All that the log takes."""
    where, total = os.path.dirname(gate.audit), 0
    for name in os.listdir(where):
        try:
            total += os.stat(os.path.join(where, name)).st_size
        except FileNotFoundError:
            pass
    return total


def prunes(gate):
    return gate.text().count("were pruned")


def until_pruned(gate, n):
    """(the most that the log took, whether it pruned n times)."""
    most, end = 0, time.monotonic() + PATIENCE
    while prunes(gate) < n and time.monotonic() < end:
        most = max(most, octets(gate))
        time.sleep(0.02)
    return max(most, octets(gate)), prunes(gate) >= n


def is_gone(gate, told):
    """Who asks for what was pruned is told so, whatever he asks for."""
    one = min(n for n, line in told.items() if b'"event_type":"decision"' in line)
    for path in ("/v1/audit?from=1", "/v1/audit?from=1&follow=1",
                 "/v1/tile/entries/000", "/v1/tile/0/000",
                 "/v1/proof/inclusion?index=%d" % one):
        status, body = get(gate, path)
        report.expect("%s: %d" % (path, status),
                      status == 410 and b"pruned" in body, body[:200])
    # What stays of it: protected records, the tree; and what is there.
    for path in ("/v1/proof/inclusion?index=0", "/v1/tile/1/000.p/20",
                 "/v1/audit?limit=3", "/v1/audit?last=3"):
        status, body = get(gate, path)
        report.expect("%s: %d" % (path, status), status == 200, body[:200])


def resumes(gate):
    """A reader that comes back with a number that is gone: the first event
    says where the log begins now, the next is that record."""
    r = Told(gate, 2)
    until(lambda: len(r.lines) > 1, 20)
    r.stopping = True
    at = sorted(r.pruned)
    report.expect("resuming from 1 begins with event: pruned",
                  at and r.pruned[at[0]] == 2, r.pruned)
    report.expect("and goes on with the record that it names",
                  at and min(r.lines, default=-1) == at[0] and not r.gaps,
                  (at, min(r.lines, default=None), r.gaps))


def nobody_else(gate):
    """Beside a gateway nobody writes its log."""
    before = len(gate.text())
    code, text = auditor("prune", "--before", "100000000", gate.audit)
    report.expect("prune beside a running gateway is refused",
                  code == 2 and "somebody else writes it" in text,
                  (code, text))
    code, text = auditor("prune", "--before", "100000000", "-n", gate.audit)
    report.expect("its dry run is not", code == 0, text)
    report.check("and the gateway notices nothing of both",
                 gate.text()[before:].count("nothing can be recorded"))


def held_lock(net, gate):
    """Somebody else has it: the gateway is closed until he lets go."""
    with open(gate.audit + ".lock", "r+", encoding="utf-8") as f:
        fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        gate.start(wait=False)
        closed = until(lambda: "somebody else writes it" in
                       gate.text()[-2000:], 20)
        report.expect("a log that somebody else writes: closed, and it is said",
                      closed, gate.text()[-300:])
        asker = talk.Asker(net, "udp", (1,), every=0.05, patience=0.2)
        time.sleep(1.5)
        report.check("nothing passes meanwhile", asker.answered)
    report.expect("and open when he lets go",
                  until(lambda: gate.ready() and asker.answered > 3, 30),
                  gate.text()[-300:])
    asker.stop()


def by_command(net, gate, key):
    """The log at rest: the command prunes it, and the gateway goes on."""
    _, text = auditor("verify", "--key", key, gate.audit)
    size = int(text.split()[-2])
    code, text = auditor("prune", "--before", str(size - 2000), "--why",
                         "the test", gate.audit)
    first = int(text.split()[-1]) if code == 0 else 0
    report.expect("the command prunes a log at rest (before %d)" % first,
                  code == 0 and size - 6000 < first <= size - 2000, text)
    code, text = auditor("verify", "--key", key, gate.audit)
    report.expect("which is whole", code == 0, text)
    code, text = auditor("show", "--kind", "export", gate.audit)
    report.expect("and says who did it", "user 0: the test" in text,
                  text[-300:])
    held_lock(net, gate)
    status, _ = get(gate, "/v1/audit?from=%d" % (first - 1))
    report.expect("the gateway goes on with it, and tells what is gone",
                  status == 410, status)


def load(net, stop):
    askers = [talk.Asker(net, "udp", (1,) * EACH, patience=5.0)
              for _ in range(3)]
    stop.wait()
    for a in askers:
        a.stop()
    return askers


def waits_for_the_tpm(net):
    """What is pruned goes when the TPM has the checkpoint over the record that
    says so; while it is away nothing goes, and the bound is kept."""
    with Tpm() as tpm, Gate(net, audit_bound="%d MiB" % (BOUND >> 20),
                            tpm=tpm.name) as gate:
        meter, stop = talk.Meter(net), threading.Event()
        loader = threading.Thread(target=load, args=(net, stop))
        loader.start()
        most, done = until_pruned(gate, 1)
        report.expect("with a TPM it pruned", done, gate.text()[-300:])
        tpm.off()
        before, end = prunes(gate), time.monotonic() + PATIENCE
        while "nothing is taken until then" not in gate.text() and \
                time.monotonic() < end:
            most = max(most, octets(gate))
            time.sleep(0.05)
        time.sleep(2)
        most = max(most, octets(gate))
        report.expect("while the TPM is away nothing goes",
                      prunes(gate) == before and
                      "nothing is taken until then" in gate.text(),
                      gate.text()[-400:])
        report.expect("and the log keeps within its bound (%.1f MiB)"
                      % (most / (1 << 20)),
                      most <= BOUND, most)
        tpm.on()
        _, done = until_pruned(gate, before + 1)
        report.expect("when it is back it goes on", done, gate.text()[-400:])
        asker = talk.Asker(net, "udp", (1,), every=0.05)
        report.expect("and packets pass",
                      until(lambda: asker.answered > 3, 30),
                      gate.text()[-300:])
        asker.stop()
        stop.set()
        loader.join()
        gate.stop()
        code, text = auditor("verify", "--key", gate.audit + ".vkey", "--tpm",
                             tpm.name, gate.audit)
        report.expect("the log is whole, and the TPM's",
                      code == 0 and "the TPM has all checkpoints" in text,
                      text)
        meter.stop()


def main():
    need_live(report)
    with Net() as net:
        net.neighbours()
        with Gate(net, audit_bound="%d MiB" % (BOUND >> 20)) as gate:
            meter = talk.Meter(net)
            pids, stop = gate.processes(), threading.Event()
            fast, slow = Told(gate, 0), Told(gate, 0, slow=True)
            until(lambda: fast.next and slow.next, 20)
            begin = time.monotonic()
            loader = threading.Thread(target=load, args=(net, stop))
            loader.start()
            most, done = until_pruned(gate, PRUNES)
            report.expect("it pruned %d times in %.0f s, during load"
                          % (prunes(gate), time.monotonic() - begin),
                          done, gate.text()[-300:])
            is_gone(gate, dict(fast.lines))
            resumes(gate)
            nobody_else(gate)
            # Who is behind comes to what is gone.
            slow.go_on.set()
            until(lambda: slow.pruned, 60)
            stop.set()
            loader.join()
            time.sleep(1.5)
            size = len(gate.lines()) and first_size(gate)
            until(lambda: fast.next >= size, 120)
            most = max(most, octets(gate))
            report.expect("the log kept within its bound (%.1f MiB)"
                          % (most / (1 << 20)),
                          most <= BOUND, most)
            report.expect("a reader that kept up has every record (%d)"
                          % fast.next,
                          fast.next >= size and not fast.gaps and
                          not fast.doubled,
                          (fast.next, size, fast.gaps[:3], fast.doubled))
            report.note("it was cut off %d times, and told of pruned records "
                        "%s" % (fast.connections - 1, fast.pruned))
            report.expect("one that was behind was told what it missed: %s"
                          % slow.pruned,
                          slow.pruned and not slow.gaps,
                          (slow.pruned, slow.gaps[:3]))
            fast.stopping = slow.stopping = True
            report.expect("nobody had to be started again",
                          gate.processes() == pids, gate.processes())
            gate.stop()
            key = gate.audit + ".vkey"
            code, text = auditor("verify", "--key", key, gate.audit)
            report.expect("what is left is whole",
                          code == 0 and
                          "were pruned, and the log says so" in text,
                          text)
            same(gate, fast)
            by_command(net, gate, key)
            gate.stop()
            code, text = auditor("verify", "--key", key, gate.audit)
            report.expect("and whole at the end", code == 0, text)
            meter.stop()
            report.check("none is left", [p for p in pids.values() if alive(p)])
        if there():
            waits_for_the_tpm(net)
        else:
            print("SKIP: swtpm is not installed")
    report.done()


def first_size(gate):
    """How many records there are, pruned ones counted."""
    _, body = get(gate, "/v1/audit?last=1")
    return json.loads(body)["metergate"]["seq"] + 1


def same(gate, reader):
    """What the log has is what the reader was told."""
    wrong = [x for x in gate.lines()
             if reader.lines.get(json.loads(x)["metergate"]["seq"], x) != x]
    report.check("and is what was told", wrong[:1])


if __name__ == "__main__":
    main()
