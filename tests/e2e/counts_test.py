#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What was counted and is no record yet is taken away, altered or made up while
the gateway is down, by somebody who can write the file and makes its seals and
sums again, as docs/audit-record.md says they are. verify names it, and what is
recorded since goes to another log."""
import hashlib
import json
import os
import sqlite3
import struct
import sys
import time

import storm_test
from altered_test import ORIGIN, ask, origin
from lib import Gate, Net, Report, auditor, need_live, until

PAGE, ALL = 4096, 0xffffffff
STATE = "the open counts are not what the state says"
MORE = 500


def seal(path):
    """Each page of the file gets the seal of what it has now."""
    with open(path, "r+b") as f:
        octets = bytearray(f.read())
        for at in range(0, len(octets), PAGE):
            w = struct.unpack_from("<1022I", octets, at)
            a = at // PAGE + 1
            b = ~a & ALL
            for i in range(0, len(w), 2):
                a = a + w[i] + b & ALL
                b = b + w[i + 1] + a & ALL
            if any(w):
                struct.pack_into("<II", octets, at + PAGE - 8, a, b)
        f.seek(0)
        f.write(octets)


def sha(octets):
    return hashlib.sha256(octets).digest()


def digest(con):
    rows = con.execute("SELECT slot, said FROM tally ORDER BY slot").fetchall()
    return sha(b"\4" + b"".join(sha(b"\3" + struct.pack(">Q", slot) + said)
                                for slot, said in rows)) if rows else None


def edit(path, how, state):
    """state: what the log says of all counts is made again."""
    con = sqlite3.connect(path)
    how(con)
    if state:
        con.execute("UPDATE state SET tally = ?, commits = commits + 1",
                    (digest(con),))
    con.commit()
    con.close()
    seal(path)


def fewer(con):
    """An element count (25), of some octets, says one."""
    slot, said = con.execute("SELECT slot, said FROM tally"
                             " ORDER BY slot LIMIT 1").fetchone()
    at, old = 56, bytes(said)
    while old[at] != 25:
        at += 3 + int.from_bytes(old[at + 1:at + 3], "big")
    n = int.from_bytes(old[at + 1:at + 3], "big")
    said = old[:at] + b"\x19\0\1\1" + old[at + 3 + n:]
    con.execute("UPDATE tally SET said = ? WHERE slot = ?", (said, slot))


def taken(con):
    con.execute("DELETE FROM tally")


def copied(con):
    con.execute("INSERT INTO tally SELECT slot + 1, said FROM tally"
                " ORDER BY slot DESC LIMIT 1")


def made_up(con):
    """Another; its record's number (octets 4 to 11) is that of its slot."""
    slot, said = con.execute("SELECT slot, said FROM tally"
                             " ORDER BY slot DESC LIMIT 1").fetchone()
    con.execute("INSERT INTO tally VALUES(?, ?)", (slot + 1, said[:4] +
                struct.pack(">Q", slot + 1) + said[12:]))


def rubbish(con):
    con.execute("UPDATE tally SET said = x'01'")


def list_gone(con):
    con.execute("UPDATE checkpoint SET open = NULL")


ROWS = (
    ("altered", fewer, False, STATE),
    ("taken away", taken, False, STATE),
    ("made up", made_up, False, STATE),
    ("of another slot", copied, True, "it is of another slot"),
    ("rubbish", rubbish, True, "record is not canonical"),
    ("without the checkpoint's list", list_gone, True, "the open counts "
     "beside it are not those that the record before it names"),
    ("altered, and the state", fewer, True, "it was %d at the checkpoint" %
     (MORE - 100)),
    ("taken away, and the state", taken, True, "it was %d at the checkpoint" %
     (MORE - 100)),
)


def main():
    report = Report()
    need_live(report)
    with Net() as net, Gate(net) as gate:
        wrong = storm_test.storm(net, gate, 0, MORE)
        report.check("a rule refuses, and most is only counted", wrong)
        time.sleep(2)
        # Somebody acts: a checkpoint.
        done = gate.ask("reload", timeout=60)
        report.expect("a checkpoint is made", done[0]["ok"], done)
        gate.kill_all()
        edit(gate.audit, lambda con: None, True)
        got = auditor("verify", gate.audit)
        report.expect("as it was left, it is whole", got[0] == 0, got)
        with open(gate.audit, "rb") as f:
            good = f.read()
        for what, how, state, text in ROWS:
            with open(gate.audit, "wb") as f:
                f.write(good)
            edit(gate.audit, how, state)
            got = auditor("verify", gate.audit)
            report.expect("%s: it is named" % what,
                          got[0] == 1 and text in got[1], got)
        gate.start()
        report.expect("the writer sees it, too, and begins another log",
                      until(lambda: origin(gate) == ORIGIN + "/recovery-1",
                      20),
                      gate.text()[-400:])
        first = json.loads(ask(gate, "/v1/audit").splitlines()[0])
        report.expect("whose first record says why",
                      "open count" in str(first), first)
        gate.stop()
        with open(gate.audit, "wb") as f:
            f.write(good)
        for name in os.listdir(os.path.dirname(gate.audit)):
            if "recovery-1" in name:
                os.unlink(os.path.join(os.path.dirname(gate.audit), name))
        gate.start()
        gate.stop()
        total, told = storm_test.count(gate.records())
        report.check("what is left alone is told at the next start",
                     total != MORE and "%d of %d" % (total, MORE))
        report.check("as one record more", told != 101 and told)
    report.done()


if __name__ == "__main__":
    sys.exit(main())
