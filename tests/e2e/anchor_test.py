#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The log is anchored in a TPM: who rolls it back, takes it away or makes it
again is found out, by the gateway and by metergate-audit. Without its TPM the
gateway lets pass what policy allows, and lets nobody change anything."""
import contextlib
import os
import re
import shutil
import signal
import sqlite3

from bed import Bed
from lib import Gate, Report, auditor, need_live, until
from tpm import Tpm, there

PAIR = [("mdma", "gw")]
BACK = 20
report = Report()
check = report.expect


def refused(gate, word):
    got = gate.reload()
    return got is not None and word in got


def anchored(gate):
    return until(lambda: gate.anchoring() == "good", BACK)


def agrees(gate, tpm, what):
    """Both stand still, and say the same."""
    gate.stop()
    code, text = auditor("verify", "-q", "--key", gate.audit + ".vkey", "--tpm",
                         tpm.name, gate.audit)
    check(what + ": log and TPM agree", code == 0 and
          "the TPM has all checkpoints" in text, text)


def passes(bed):
    return until(lambda: len(bed.passes(PAIR)) == 2, BACK)


def attestations(gate):
    return [r for r in gate.records() if r["event_type"] == "attestation"]


def goes_on(bed, tpm):
    with Gate(bed, tpm=tpm.name) as gate:
        check("it is anchored from the start", anchored(gate),
              gate.text()[-600:])
        check("no process that begins is taken for one that hangs",
              "silent for more" not in gate.text(), gate.text()[-600:])
        check("it is signed by the TPM's key",
              not os.path.exists(gate.audit + ".key") and
              b"+AjBZ" in open(gate.audit + ".vkey", "rb").read(),
              open(gate.audit + ".vkey", "rb").read().decode())
        check("the attester has a user of its own", len({
            os.stat("/proc/%d" % p).st_uid
            for p in gate.processes().values()}) == len(gate.processes()))
        check("a change is made", gate.reload() is None)
        for name in ("attester", "scribe"):
            old = gate.processes()[name]
            os.kill(old, signal.SIGKILL)
            check("a killed %s is back" % name, until(
                lambda o=old, n=name: gate.processes().get(n, o) != o, BACK))
            check("and the log is anchored again", anchored(gate),
                  gate.text()[-600:])
            check("and a change is made then", until(
                lambda: gate.reload() is None, BACK))
        agrees(gate, tpm, "after kills")
        gate.start()
        check("after a restart it is anchored", anchored(gate))
        agrees(gate, tpm, "after a restart")
        tpm.again()
        gate.start()
        check("after a reset it is anchored", anchored(gate))
        agrees(gate, tpm, "after a reset")
        boots = [r["metergate"]["detail"] for r in gate.records()
                 if "TPM reset" in r["metergate"].get("detail", "")]
        check("boot records say how often the TPM was reset", len(boots) == 3,
              str(boots))


def dies(bed, tpm):
    with Gate(bed, tpm=tpm.name) as gate:
        anchored(gate)
        for sig, how in ((signal.SIGKILL, "dies"), (signal.SIGSTOP, "hangs")):
            if how == "dies":
                tpm.off()
            else:
                tpm.p.send_signal(sig)
                # It is found out when something is asked of it.
                refused(gate, "")
            check("the TPM %s: that is noticed" % how, until(
                lambda: gate.anchoring() == "away", BACK), gate.text()[-600:])
            check("the TPM %s: allowed flows pass" % how, passes(bed))
            check("the TPM %s: nobody changes anything" % how,
                  refused(gate, "TPM"), str(gate.reload()))
            closed = gate.text().count("nothing can be recorded")
            check("the TPM %s: records are written" % how, closed == 0,
                  gate.text()[-600:])
            tpm.again()
            check("the TPM %s and comes back: it is anchored" % how,
                  anchored(gate), gate.text()[-600:])
            check("the TPM %s and comes back: a change is made" % how, until(
                lambda: gate.reload() is None, BACK))
        agrees(gate, tpm, "after deaths of the TPM")
        check("the log says that it went and came",
              len(attestations(gate)) >= 2, str(attestations(gate)))


def absent(bed):
    """There is none, and then there is."""
    with Tpm() as tpm:
        tpm.off()
        with Gate(bed, tpm=tpm.name) as gate:
            check("without its TPM allowed flows pass", passes(bed),
                  gate.text()[-600:])
            check("without its TPM nobody changes anything",
                  refused(gate, "TPM"), str(gate.reload()))
            tpm.on()
            check("when it comes the log is anchored", anchored(gate),
                  gate.text()[-600:])
            check("and changes are made", until(
                lambda: gate.reload() is None, BACK))
            agrees(gate, tpm, "a TPM that came late")


def saved(gate, name):
    gate.stop()
    to = os.path.join(gate.work, name)
    shutil.copytree(os.path.dirname(gate.audit), to)
    return to


def put_back(gate, name):
    here = os.path.dirname(gate.audit)
    for f in os.listdir(here):
        if f.startswith("audit.db") and not f.endswith("key"):
            os.unlink(os.path.join(here, f))
    for f in os.listdir(name) if name else ():
        shutil.copy2(os.path.join(name, f), here)


def tampered(bed, log_key):
    """Rolled back, taken away, made again by who has its software key; in the
    same boot of the platform and after a reset."""
    for what in ("rolled back", "taken away", "made again"):
        with Tpm() as tpm, Gate(bed, tpm=tpm.name, log_key=log_key) as gate:
            anchored(gate)
            old = saved(gate, "old")
            gate.start()
            anchored(gate)
            gate.reload()
            gate.stop()
            if what == "made again":
                with Tpm() as other:
                    put_back(gate, None)
                    again(gate, other, bed)
            else:
                put_back(gate, old if what == "rolled back" else None)
            if what != "taken away":
                code, text = auditor("anchor", "--tpm", tpm.name, gate.audit)
                check("%s, %s: metergate-audit finds it" % (what, log_key),
                      code == 1 and "not the TPM's log" in text, text)
            gate.start()
            check("%s, %s: the gateway finds it" % (what, log_key), until(
                lambda: "recovery-1" in gate.text(), BACK), gate.text()[-600:])
            check("%s, %s: nobody changes anything" % (what, log_key), until(
                lambda: refused(gate, "altered"), BACK), str(gate.reload()))
            # Budgets count as used up then, so little passes; what is refused
            # is recorded and anchored.
            check("%s, %s: what goes on beside it is anchored" % (
                what, log_key), anchored(gate), gate.text()[-600:])


def again(gate, other, bed):
    """The gateway itself makes another log, with another TPM; the software key
    is the same one."""
    with open(gate.conf, encoding="utf-8") as f:
        rows = f.read()
    with open(gate.conf, "w", encoding="utf-8") as f:
        f.write("".join("tpm: %s\n" % other.name if r.startswith("tpm:") else
                        r + "\n" for r in rows.splitlines()))
    gate.start()
    anchored(gate)
    passes(bed)
    gate.stop()
    with open(gate.conf, "w", encoding="utf-8") as f:
        f.write(rows)


def points(path):
    with contextlib.closing(sqlite3.connect(path)) as db:
        return [x[0] for x in db.execute(
            "SELECT size FROM checkpoint ORDER BY size")]


def take_points(path, sizes):
    """Rows of checkpoints, by who can write the file; its schema is as it
    was."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        guard = db.execute("SELECT sql FROM sqlite_master WHERE name ="
                           " 'checkpoint_stays'").fetchone()[0]
        db.execute("DROP TRIGGER checkpoint_stays")
        db.executemany("DELETE FROM checkpoint WHERE size = ?",
                       [(x,) for x in sizes])
        db.execute(guard)
        db.commit()


def cut(bed, tpm):
    """Checkpoints taken away from the middle or the beginning of the log: the
    records that are left name them, and no TPM need be asked."""
    with Gate(bed, tpm=tpm.name) as gate:
        for again in range(3):
            anchored(gate)
            gate.reload()
            agrees(gate, tpm, "before it is cut")
            if again:
                tpm.again()
            if again < 2:
                gate.start()
        sizes = points(gate.audit)
        check("there are checkpoints of three starts", len(sizes) >= 6, sizes)
        key = gate.audit + ".vkey"
        for what, gone in (("the first", sizes[:1]), ("two", sizes[2:4]),
                           ("all but the last", sizes[:-1])):
            copy = os.path.join(gate.work, "cut.db")
            shutil.copy2(gate.audit, copy)
            take_points(copy, gone)
            code, text = auditor("verify", "-q", "--key", key, copy)
            named = [int(x) for x in re.findall(
                r"^the checkpoint of (\d+) records is missing$", text,
                re.MULTILINE)]
            check("%s taken away: each is named" % what,
                  code == 1 and named == gone, (gone, text))
            # Who seals the file's pages anew gains nothing.
            first = re.search(r"the checkpoint of (\d+) records: it is missing",
                              text)
            check("%s taken away: the first is the finding" % what,
                  first and int(first.group(1)) == gone[0], text)


def commands(bed, tpm):
    with Gate(bed, tpm=tpm.name) as gate:
        anchored(gate)
        gate.stop()
        code, text = auditor("anchor", gate.audit)
        check("anchor says what PCR and counter should be", code == 0 and
              "not compared" in text, text)
        code, said = auditor("verify", "-q", gate.audit)
        check("verify without the TPM says that it was not compared",
              code == 0 and "that this was not compared with" in said and
              said.splitlines()[-1].startswith("ok "), said)
        row = dict(x.split(" ", 1) for x in text.splitlines() if " " in x)
        pcr, counter = row.get("pcr13", ""), row.get("counter", "")
        code, text = auditor("anchor", "--list", "--pcr", pcr, "--counter",
                             counter, gate.audit)
        check("values that it was told agree", code == 0 and
              "has all checkpoints" in text, text)
        code, said = auditor("verify", "-q", "--pcr", pcr, "--counter", counter,
                             gate.audit)
        check("verify that was compared says no such thing", code == 0 and
              "not compared" not in said, said)
        for args in (("--pcr", pcr[:-1] + ("0" if pcr[-1] != "0" else "1"),
                      "--counter", counter),
                     ("--pcr", pcr, "--counter", str(int(counter) + 1)),
                     ("--pcr", pcr, "--counter", str(int(counter) + 2))):
            code, text = auditor("anchor", *args, gate.audit)
            check("others do not", code == 1 and "not the TPM's log" in text,
                  text)
            code, text = auditor("verify", "-q", *args, gate.audit)
            check("nor for verify", code == 1, text)
        for args in (("--pcr", pcr), ("--counter", "1"), ("--pcr", "00"),
                     ("--tpm", "nonsense"), ("--index", "5"),
                     ("--tpm", "swtpm:path=/nonexistent")):
            code, text = auditor("anchor", *args, gate.audit)
            check("anchor %s is an error" % " ".join(args), code == 2, text)


def main():
    need_live(report)
    if not there():
        print("SKIP: swtpm is not installed")
        return
    with Bed("routed") as bed:
        for part in (goes_on, dies, cut, commands):
            with Tpm() as tpm:
                part(bed, tpm)
        absent(bed)
        for log_key in ("tpm", "software"):
            tampered(bed, log_key)
    report.done()


main()
