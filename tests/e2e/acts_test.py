#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the gateway is made to do waits for its record: while the writer stands
still, or the TPM's process, nothing of it is done, and afterwards it is. Only
what closes is done at once. What was asked for and never recorded is refused,
and so it is without the TPM."""
import fcntl
import os
import signal
import subprocess
import threading
import time

from lib import Gate, Net, Report, need_live, program, until
from signed import Signed
from tpm import Tpm, there

CUSTOMER = """polc: 1
kind: customer
id: org.example.home
serial: %d
title: What we chose
consent:
  com.example.testbed.mdma/send-registers: %s
"""
HELD = 0.8  # s; the TPM is given up after 1.5
report = Report()
check = report.expect


def generation(gate):
    return gate.ask("status")[0]["generation"]


def frozen(gate):
    return gate.guest("dr")["frozen"]


def kept(gate):
    """For the next start."""
    try:
        with open(os.path.join(gate.work, "state", "frozen"),
                  encoding="utf-8") as f:
            return "dr" in f.read().split()
    except OSError:
        return False


def staged(gate):
    return [r["code"] for r in gate.ask("policies")[1:]
            if r["state"] == "staged"]


def serials(gate):
    return [r["serial"] for r in gate.ask("policies")[1:]
            if r["policy"] == "org.example.home" and
            r["state"] == "in force"]


class Asks(threading.Thread):
    """Somebody asks, and waits for the answer."""

    def __init__(self, call):
        super().__init__(daemon=True)
        self.call = call
        self.got = None
        self.start()

    def run(self):
        self.got = self.call()


def ctl(gate, *args, sock="control", text=None):
    if text:
        path = os.path.join(gate.work, "customer.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        args += (path,)
    done = subprocess.run(
        [program("metergatectl"), "-s", os.path.join(gate.work, "run", sock),
         *args], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def http(gate, text):
    done = subprocess.run(
        ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-X", "PUT",
         "--data-binary", text, "--unix-socket",
         os.path.join(gate.work, "run", "metrics"),
         "http://m/v1/customer"], capture_output=True, text=True, check=False)
    return 0 if done.stdout == "202" else 1, done.stdout


def export(gate):
    done = subprocess.run(
        [program("metergate-audit"), "export", "-F", "csv", "--control",
         os.path.join(gate.work, "run", "control"), "-o",
         os.path.join(gate.work, "out.csv"), gate.audit],
        capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def exported(gate):
    try:
        return os.stat(os.path.join(gate.work, "out.csv")).st_mtime_ns
    except OSError:
        return None


def hup(gate):
    gate.p.send_signal(signal.SIGHUP)
    return 0, ""


# What; who asks; what shows that it was done; the words of its record; is it
# done at once.
ACTS = (
    ("reload", lambda g: ctl(g, "reload"), generation,
     "reload asked for by uid 0", False),
    ("a reload by signal", hup, generation, "reload asked for by signal",
     False),
    ("freeze", lambda g: ctl(g, "freeze", "dr"),
     lambda g: (frozen(g), kept(g)), "frozen by uid 0", True),
    ("thaw", lambda g: ctl(g, "thaw", "dr"), lambda g: (frozen(g), kept(g)),
     "thawed by uid 0", False),
    ("an export", export, exported, "exported as csv by uid 0", False),
    ("a proposal", lambda g: ctl(g, "customer", "propose",
                                 text=CUSTOMER % (1, "granted")), staged,
     "is proposed by uid 0", False),
    ("the panel's word", lambda g: ctl(g, "panel", "confirm", staged(g)[0],
                                       sock="panel"), serials,
     "the panel confirms", False),
    ("a proposal over HTTP", lambda g: http(g, CUSTOMER % (2, "refused")),
     staged, "proposed over HTTP by the operator", False),
)


def told(gate, words):
    return [r for r in gate.records()
            if words in r["metergate"].get("detail", "")]


def held(gate, who):
    """One after the other, and who writes or anchors stands still."""
    for what, ask, shows, words, at_once in ACTS:
        before, records = shows(gate), len(told(gate, words))
        pid = gate.processes()[who]
        os.kill(pid, signal.SIGSTOP)
        try:
            a = Asks(lambda ask=ask: ask(gate))
            time.sleep(HELD)
            during = shows(gate)
            answered = a.got if what != "a reload by signal" else None
        finally:
            os.kill(pid, signal.SIGCONT)
        check("%s held: %s is not done%s" % (
            who, what, ", but closed" if at_once else ""),
              answered is None and (during != before) == at_once,
              "%s, %s, %s" % (before, during, answered))
        a.join(20)
        check("%s goes on: %s is done" % (who, what), a.got and
              a.got[0] == 0 and until(lambda s=shows, b=before: s(gate) != b,
                                      10), str(a.got))
        check("%s: %s is recorded" % (who, what), until(
            lambda w=words, n=records: len(told(gate, w)) > n, 10))


def cut(gate):
    """The writer stands still, and then all is gone as in a power cut: what
    has no record was not done."""
    for what, ask, shows, words, at_once in ACTS[:5]:
        if what == "thaw":
            ctl(gate, "freeze", "dr")
        before, records = shows(gate), len(told(gate, words))
        os.kill(gate.processes()["scribe"], signal.SIGSTOP)
        a = Asks(lambda ask=ask: ask(gate))
        time.sleep(HELD)
        done = shows(gate) != before
        gate.kill_all()
        a.join(20)
        check("a power cut: %s was not done without a record" % what,
              done == at_once and len(told(gate, words)) == records)
        gate.start()


def without(gate, tpm):
    """Its TPM is gone: only what closes is done."""
    tpm.off()
    until(lambda: "TPM" in ctl(gate, "reload")[1], 20)
    for what, ask, shows, _, at_once in ACTS:
        if what == "the panel's word" and not staged(gate):
            continue
        before = shows(gate)
        got = ask(gate)
        if what == "a reload by signal":
            time.sleep(1)
        check("without the TPM: %s is %s" % (
            what, "done" if at_once else "refused"),
              (shows(gate) != before) == at_once and
              ((got[0] == 0) == at_once or what == "a reload by signal"),
              "%s, %s" % (before, got))


def opened(gate):
    return "ready:" in gate.text().rpartition("closed until")[2]


def start_held(net, how):
    """A start brings policies into force: not before that is recorded."""
    gate = Gate(net, **how)
    try:
        with open(gate.audit + ".lock", "w", encoding="utf-8") as f:
            os.chmod(f.name, 0o666)
            fcntl.lockf(f, fcntl.LOCK_EX)
            gate.start(wait=False)
            until(lambda: "somebody else writes it" in gate.text(), 20)
            time.sleep(2 * HELD)
            check("nothing can be recorded: a start opens nothing",
                  not opened(gate), gate.text()[-300:])
            check("and says why", until(lambda: gate.ask("status")[0]["state"]
                                        == "closed: audit", 10))
        check("it can: the gateway opens", until(gate.ready, 20),
              gate.text()[-300:])
    finally:
        gate.stop()


def start_anchored(net, tpm, how):
    """Nor before it is anchored, when others were in force before."""
    gate = Gate(net, tpm=tpm.name, **how)
    try:
        tpm.p.send_signal(signal.SIGSTOP)
        gate.start(wait=False)
        until(lambda: "checkpoints are not anchored" in gate.text(), 20)
        time.sleep(2 * HELD)
        check("the TPM hangs: other policies do not come into force",
              not opened(gate), gate.text()[-300:])
        tpm.p.send_signal(signal.SIGCONT)
        check("it goes on: they do", until(gate.ready, 30),
              gate.text()[-300:])
        gate.stop()
        tpm.p.send_signal(signal.SIGSTOP)
        gate.start(wait=False)
        check("it hangs again: a start with the same ones opens",
              until(lambda: opened(gate), 30), gate.text()[-300:])
        tpm.p.send_signal(signal.SIGCONT)
    finally:
        gate.stop()


def main():
    need_live(report)
    with Net() as net, Signed() as signed:
        net.neighbours()
        for name in ("baseline", "mdma", "dr", "portal", "binding"):
            signed.deliver(name, signed.policies)
        how = {"policies": signed.policies, "signatures": "required",
               "platform_key": signed.platform_key}
        start_held(net, how)
        with Gate(net, **how) as gate:
            held(gate, "scribe")
            cut(gate)
        if not there():
            print("SKIP: swtpm is not installed")
        else:
            with Tpm() as tpm:
                start_anchored(net, tpm, how)
            with Tpm() as tpm, Gate(net, tpm=tpm.name, **how) as gate:
                until(lambda: ctl(gate, "reload")[0] == 0, 20)
                held(gate, "attester")
                without(gate, tpm)
    report.done()


main()
