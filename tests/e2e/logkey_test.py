#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The log's key signs in the states of the platform that it is for, and in no
other: not after another kernel was started, until that is taken back or its
certifier approved it. Records go on meanwhile; nobody changes anything."""
import base64
import os
import re
import subprocess

import talk
from bed import Bed
from lib import Gate, Net, Report, auditor, need_live, until
from tpm import Tpm, there

PAIR = [("mdma", "gw")]
BACK = 20
report = Report()
check = report.expect


def key_of(gate):
    with open(gate.audit + ".vkey", encoding="utf-8") as f:
        return f.read()


def signs(gate, what):
    check(what + ": it is anchored", until(
        lambda: gate.anchoring() == "good", BACK), gate.text()[-800:])
    check(what + ": a change is made", until(lambda: gate.reload() is None,
                                             BACK), str(gate.reload()))


def does_not(gate, bed, what, why):
    check(what + ": the log says why, and how the state is called", until(
        lambda: why in gate.text().rsplit("PCRs 0 2 4 7 8 9: ", 1)[-1] and
        "PCRs 0 2 4 7 8 9: " in gate.text(), BACK), gate.text()[-800:])
    check(what + ": it is not anchored", until(
        lambda: gate.anchoring() == "away", BACK))
    got = gate.reload()
    check(what + ": nobody changes anything", got is not None and
          "this state of the platform" in got, str(got))
    check(what + ": what policy allows passes", until(
        lambda: len(bed.passes(PAIR)) == 2, BACK), gate.text()[-800:])
    check(what + ": the log goes on", "recovery-1" not in gate.text() and
          not os.path.exists(gate.audit + ".recovery-1"), gate.text()[-800:])
    said = gate.text().count("checkpoints are not anchored")
    check(what + ": that is said once", not until(
        lambda: gate.text().count("checkpoints are not anchored") > said, 3),
        gate.text()[-800:])


def whole(gate, tpm, what):
    gate.stop()
    code, text = auditor("verify", "-q", "--key", gate.audit + ".vkey", "--tpm",
                         tpm.name, gate.audit)
    check(what + ": the log is whole", code == 0, text)


def booted(gate, tpm, *pcrs):
    """The platform starts, and measures what it starts."""
    gate.stop()
    tpm.again()
    for n in pcrs:
        tpm.measure(n)
    gate.start()


def updated(bed):
    with Tpm() as tpm:
        for n in (0, 4, 8):
            tpm.measure(n)
        with Gate(bed, tpm=tpm.name) as gate:
            signs(gate, "the kernel it began with")
            key = key_of(gate)
            booted(gate, tpm, 0, 4, 8, 8)
            does_not(gate, bed, "another kernel", "began in another")
            whole(gate, tpm, "another kernel")
            booted(gate, tpm, 0, 4, 8)
            signs(gate, "the first one again")
            check("with the same key", key_of(gate) == key)
            # What is no part of the state.
            booted(gate, tpm, 0, 4, 8, 1, 5, 11)
            signs(gate, "other settings")
            whole(gate, tpm, "after all that")
            bound = gate.audit + ".tpmkey"
            with open(bound, encoding="utf-8") as f:
                was = f.read()
            check("what it is bound to is noted",
                  was.startswith("pcrs 0x000395\npolicy "), was)
            os.unlink(bound)
            gate.start()
            signs(gate, "that is lost")
            check("it is noted again", open(bound).read() == was)
            gate.stop()
            with open(bound, "w", encoding="utf-8") as f:
                f.write(was[:-3] + ("0" if was[-3] != "0" else "1") +
                        was[-2:])
            gate.start()
            check("another there is another key: that is found", until(
                lambda: "signed with another" in gate.text(), BACK),
                gate.text()[-800:])


class Certifier:
    def __init__(self, work):
        self.work = work
        self.pem = os.path.join(work, "certifier.pem")
        self.file = os.path.join(work, "approvals")
        self.openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout",
                     "-out", self.pem)
        pub = self.openssl("ec", "-in", self.pem, "-pubout", "-outform",
                           "DER")
        self.write("authority " + base64.b64encode(pub).decode(), "w")

    def openssl(self, *args):
        return subprocess.run(["openssl", *args], capture_output=True,
                              check=True).stdout

    def write(self, line, how="a"):
        with open(self.file, how, encoding="utf-8") as f:
            f.write(line + "\n")

    def approve(self, name, state):
        said = os.path.join(self.work, "said")
        with open(said, "wb") as f:
            f.write(bytes.fromhex(state) + b"mgLP1")
        sig = self.openssl("dgst", "-sha256", "-sign", self.pem, said)
        self.write("approved %s %s" % (name,
                                       base64.b64encode(sig).decode()))


def approved(bed):
    with Tpm() as tpm, Tpm() as aside:
        tpm.measure(8)
        c = Certifier(aside.dir)
        with Gate(bed, tpm=tpm.name, log_key_approvals=c.file) as gate:
            for release in ("1.0", "1.1", "1.2"):
                does_not(gate, bed, release, "nobody approved it")
                c.approve(release, re.findall(
                    r"PCRs [0-9 ]+: ([0-9a-f]{64})", gate.text())[-1])
                gate.stop()
                gate.start()
                signs(gate, release + ", approved")
                if release == "1.0":
                    key = key_of(gate)
                check(release + ": the key is the same", key_of(gate) == key)
                whole(gate, tpm, release)
                booted(gate, tpm, 8, 9, *([9] if release == "1.1" else []))
            gate.stop()
            c.write("nonsense")
            gate.start(wait=False)
            check("a list that is none: it is said, and nothing starts",
                  until(lambda: "approvals: line 5: " in gate.text() and
                        gate.p.poll() is not None, BACK), gate.text()[-800:])


def busy(net, gate):
    """Records that are going to be removed, and those behind them, which
    stay. How many may go."""
    meter = talk.Meter(net)
    asker = talk.Asker(net, "udp", (1,) * 20, patience=5.0)
    until(lambda: asker.answered > 300, 120)
    asker.stop()
    meter.stop()
    gate.stop()
    n = len(gate.records())
    check("there is something to remove", n > 5000, "%d records" % n)
    return str(n - 2000)


def pruned():
    with Net() as net, Tpm() as tpm, Tpm() as other:
        net.neighbours()
        for one in (tpm, other):
            one.measure(8)
        with Gate(net, tpm=tpm.name) as gate:
            signs(gate, "to be pruned")
            before = busy(net, gate)
            whole(gate, tpm, "before it is pruned")
            for more, word in (((), "needs --tpm"),
                               (("--tpm", other.name), "another key"),
                               (("--tpm", "tabrmd"), "device:/dev/tpmrm0"),
                               (("--tpm", tpm.name, "--approvals",
                                 gate.conf), "neither authority")):
                code, text = auditor("prune", "--before", before, *more,
                                     gate.audit)
                check("prune %s is refused" % " ".join(more), code in (1, 2)
                      and word in text, text)
            tpm.measure(8)
            code, text = auditor("prune", "--before", before, "--tpm", tpm.name,
                                 gate.audit)
            check("prune in another state is refused", code == 2 and
                  "this state of the platform" in text, text)
            whole(gate, tpm, "not pruned")
            code, text = auditor("show", "--kind", "export", gate.audit)
            check("none of these removed anything", "prune" not in text, text)
            tpm.again()
            tpm.measure(8)
            code, text = auditor("prune", "--before", before, "--why",
                                 "the test", "--tpm", tpm.name, gate.audit)
            check("prune with the TPM's key", code == 0 and
                  1000 < int(text.split()[-1]) <= int(before), text)
            code, text = auditor("show", "--kind", "export", gate.audit)
            check("who did it is recorded", "the test" in text, text)
            code, text = auditor("verify", "-q", "--key", gate.audit + ".vkey",
                                 gate.audit)
            check("what is left is whole and signed", code == 0, text)
            gate.start()
            signs(gate, "pruned")
            whole(gate, tpm, "after it was pruned")
            check("there was no recovery", "recovery" not in gate.text(),
                  gate.text()[-800:])
        with Gate(net, tpm=other.name, log_key="software") as gate:
            signs(gate, "with a key in a file")
            gate.stop()
            code, text = auditor("prune", "--before", before, "--tpm",
                                 other.name, gate.audit)
            check("a log with a key in a file takes no --tpm", code == 2 and
                  "leave --tpm out" in text, text)


def main():
    need_live(report)
    if not there():
        print("SKIP: swtpm is not installed")
        return
    with Bed("routed") as bed:
        updated(bed)
        approved(bed)
    pruned()
    report.done()


if __name__ == "__main__":
    main()
