#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A TPM takes its time, as chips do, or hangs: checkpoints are late then, flows
are not, and no process is taken for one that hangs."""
import os
import signal
import socket
import tempfile
import threading
import time

import talk
from lib import Gate, Net, Report, auditor, need_live, until
from tpm import Tpm, there

GAP = 0.5  # s; of answers, that come each 5 ms
report = Report()
check = report.expect


class Slow(threading.Thread):
    """In front of a TPM: each answer comes so much later."""

    def __init__(self, tpm):
        super().__init__(daemon=True)
        self.to = tpm.path
        self.delay = 0.0
        self.dir = tempfile.mkdtemp(prefix="metergate-slow-")
        os.chmod(self.dir, 0o755)
        path = os.path.join(self.dir, "s")
        self.name = "swtpm:path=" + path
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(path)
        os.chmod(path, 0o777)
        self.sock.listen(4)
        self.start()

    def run(self):
        while True:
            here, _ = self.sock.accept()
            there_ = socket.socket(socket.AF_UNIX)
            try:
                there_.connect(self.to)
                while self.carry(here, there_):
                    pass
            except OSError:
                pass
            here.close()
            there_.close()

    def carry(self, here, there_):
        question = here.recv(65536)
        if not question:
            return False
        there_.sendall(question)
        answer = there_.recv(65536)
        if not answer:
            return False
        time.sleep(self.delay)
        here.sendall(answer)
        return True


def measured(asker, f):
    """What f says; the longest time without an answer, and how many of them
    were lost meanwhile."""
    asker.longest_gap = 0
    asker.last = time.monotonic()
    lost = asker.lost
    got = f()
    time.sleep(0.5)
    return got, asker.longest_gap, asker.lost - lost


def slow(gate, chip, asker):
    for delay in (0.02, 0.15, 0.3):
        chip.delay = delay
        for n in range(2):
            got, gap, lost = measured(asker, lambda: gate.reload(40))
            check("each answer after %d ms: a change is made, %d" % (
                delay * 1000, n + 1), got is None, "%s: %s" % (
                    got, gate.text()[-300:]))
            check("and flows do not wait for it, %d" % (n + 1),
                  gap < GAP and lost < 3, "%.2f s, %d lost" % (gap, lost))


def comes_again(gate, chip, asker):
    """Log and TPM are compared, the key is made, and what was missed brought to
    it: while others write."""
    chip.delay = 0.3
    old = gate.processes()["attester"]
    os.kill(old, signal.SIGKILL)

    def again():
        return until(lambda: gate.processes().get("attester", 0) not in (
            0, old) and gate.reload(40) is None, 60)

    got, gap, lost = measured(asker, again)
    check("a slow one comes again: changes are made", got, gate.text()[-300:])
    check("and flows do not wait for it", gap < GAP and lost < 3,
          "%.2f s, %d lost" % (gap, lost))


def hangs(gate, chip, tpm, asker):
    chip.delay = 0
    before = gate.processes()
    tpm.p.send_signal(signal.SIGSTOP)
    got, gap, lost = measured(asker, lambda: gate.reload(40))
    check("it hangs: nothing is changed", got is not None)
    check("it hangs: flows do not wait", gap < GAP and lost < 3,
          "%.2f s, %d lost" % (gap, lost))
    after = gate.processes()
    check("it hangs: that is nobody's end", all(
        after.get(k) == v for k, v in before.items() if k != "attester"),
          gate.text()[-600:])
    tpm.p.send_signal(signal.SIGCONT)
    got, gap, lost = measured(asker, lambda: until(
        lambda: gate.reload(40) is None, 20))
    check("it goes on, and so do changes", got, gate.text()[-600:])
    check("it goes on: flows did not wait", gap < 2 * GAP,
          "%.2f s, %d lost" % (gap, lost))


def dies_meanwhile(gate, chip):
    """The scribe, while a signature or an extend is under way."""
    chip.delay = 0.1
    for n in range(12):
        a = threading.Thread(target=lambda: gate.ask("reload", quiet=True,
                                                     timeout=40))
        a.start()
        time.sleep(0.07 * n)
        os.kill(gate.processes()["scribe"], signal.SIGKILL)
        a.join()
        until(lambda: gate.reload(40) is None, 20)


def main():
    need_live(report)
    if not there():
        print("SKIP: swtpm is not installed")
        return
    with Net() as net, Tpm() as tpm:
        net.neighbours()
        chip = Slow(tpm)
        with Gate(net, tpm=chip.name) as gate:
            meter = talk.Meter(net)
            asker = talk.Asker(net, "udp", (1,), every=0.005, patience=0.3)
            until(lambda: gate.reload(40) is None, 20)
            slow(gate, chip, asker)
            comes_again(gate, chip, asker)
            hangs(gate, chip, tpm, asker)
            asker.stop()
            meter.stop()
            dies_meanwhile(gate, chip)
            chip.delay = 0
            gate.stop()
            code, text = auditor("verify", "-q", "--key",
                                 gate.audit + ".vkey", "--tpm", tpm.name,
                                 gate.audit)
            check("log and TPM agree", code == 0 and
                  "the TPM has all checkpoints" in text, text)
    report.done()


main()
