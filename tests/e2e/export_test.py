#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""That a log is exported is one of its records, before the first octet of it
leaves: in each form, with whoever asked. Where that cannot be recorded there is
no export, unless whoever asks says that there is to be none of it."""
import fcntl
import json
import os
import sqlite3
import subprocess
from contextlib import closing

from lib import ADDR, Gate, Net, Report, need_live, program, until

report = Report()
check = report.expect


def audit(*args):
    done = subprocess.run([program("metergate-audit"), *args],
                          capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def exports(gate):
    """As the log has them."""
    return [(r["metergate"]["seq"], r["metergate"]["detail"])
            for r in gate.records()
            if r["metergate"].get("detail", "").startswith("exported as")]


def lines(gate, control):
    for form in ("ndjson", "csv"):
        before = len(exports(gate))
        code, out, err = audit("export", "-F", form, "--control", control,
                               gate.audit)
        check("%s is exported, nothing else is said" % form,
              code == 0 and err == "", err)
        got = exports(gate)
        check("%s: it is recorded once, with who" % form,
              len(got) == before + 1 and
              got[-1][1] == "exported as %s by uid 0" % form, str(got))
        check("%s: before it was begun, for the record is in it" % form,
              "exported as %s by uid 0" % form in out, out[-300:])


def directories(gate, control):
    for form, says in (("tiles", "tiles"), ("proofs", "proofs")):
        to = os.path.join(gate.work, form)
        code, _, err = audit("export", "-F", form, "--control", control, "-o",
                             to, gate.audit)
        check("%s are exported" % form, code == 0 and err == "", err)
        seq, detail = exports(gate)[-1]
        check("%s: it is recorded" % form,
              detail.startswith("exported as %s" % says), detail)
        code, out, err = audit("verify", "--key", gate.audit + ".vkey", to)
        check("%s are whole" % form, code == 0, out + err)
        with open(os.path.join(to, "checkpoint"), encoding="utf-8") as f:
            size = int(f.read().split("\n")[1])
        check("%s: their checkpoint covers that record" % form, size > seq,
              "%d, %d" % (size, seq))


def refused(gate, control):
    to = os.path.join(gate.work, "no")
    before = len(exports(gate))
    for form in ("csv", "tiles"):
        code, out, err = audit("export", "-F", form, "--control",
                               control + ".none", "-o", to, gate.audit)
        check("nobody records %s: there is no export" % form,
              code == 2 and out == "" and "has to be recorded" in err and
              "metergated is not running" in err and not os.path.exists(to) and
              not [x for x in os.listdir(gate.work) if x.startswith("no.")],
              err)
    code, out, err = audit("export", "--control", control + ".none",
                           gate.audit)
    check("nor to standard output", code == 2 and out == "", err)
    check("none of these is recorded", len(exports(gate)) == before)
    code, out, err = audit("export", "--unrecorded", gate.audit)
    check("who says so exports without, and is told",
          code == 0 and out and "this export is not recorded" in err, err)
    check("and it is not recorded", len(exports(gate)) == before)
    code, out, err = audit("export", "-F", "csv", "--control", control, "-o",
                           "/nowhere/x", gate.audit)
    check("an export that cannot begin is not recorded",
          code == 2 and len(exports(gate)) == before, err)
    answer = gate.ask("export paper", quiet=True)
    check("a form that there is not is refused",
          not answer[0]["ok"] and "no such form" in answer[0]["error"],
          json.dumps(answer))


def another(gate, control):
    """One that somebody else writes."""
    log = os.path.join(gate.work, "other.db")
    with closing(sqlite3.connect("file:%s?mode=ro" % gate.audit,
                                 uri=True)) as a, \
            closing(sqlite3.connect(log)) as b:
        a.backup(b)
    before = len(exports(gate))
    with open(log + ".lock", "w", encoding="utf-8") as f:
        fcntl.lockf(f, fcntl.LOCK_EX)
        code, out, err = audit("export", "--control", control, log)
    check("a gateway that writes another log records nothing in this one",
          code == 2 and out == "" and "writes another log" in err, err)
    check("and says in its own no less than it was asked",
          len(exports(gate)) == before + 1)


def leaves_nothing(gate):
    """Read over HTTP, verified and followed while it was written, and then
    ended: beside the log there is what belongs to it."""
    code, out, err = audit("verify", "--key", gate.audit + ".vkey",
                           gate.audit)
    check("a log that is being written is whole", code == 0, out + err)
    gate.fetch("/v1/audit")
    with subprocess.Popen([program("metergate-audit"), "show", "-f",
                           gate.audit], stdout=subprocess.PIPE) as p:
        p.stdout.readline()
        gate.stop()
        ended = until(lambda: b"ended in order" in p.stdout.readline())
        p.kill()
    check("who follows sees its last record", ended)
    left = sorted(x for x in os.listdir(os.path.dirname(gate.audit))
                  if x.endswith("-shm") or x.endswith("-wal"))
    check("no journal and no shared memory are left", left == [], str(left))


def main():
    need_live(report)
    with Net() as net:
        net.neighbours()
        with Gate(net) as gate:
            control = os.path.join(gate.work, "run", "control")
            s = net.socket("dr", kind=2)
            s.sendto(b"x", (ADDR["wan"], 9))
            s.close()
            until(lambda: len(gate.records()) > 3)
            lines(gate, control)
            directories(gate, control)
            refused(gate, control)
            another(gate, control)
            leaves_nothing(gate)
            code, out, err = audit("export", gate.audit)
            check("of a log that nobody writes it is said",
                  code == 0 and out and "nobody writes it" in err, err)
    report.done()


if __name__ == "__main__":
    main()
