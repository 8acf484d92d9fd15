#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Signed policies: who may sign what, serials that only rise, what stays in
force when a directory is refused, over a restart and over kill -9, and a
first start without anything good."""
import os
import shutil
import socket
import subprocess
import sys
import time

import talk
from lib import ADDR, Gate, Net, Report, need_live, program, until
from signed import Signed


def answered(net, table=1, seconds=4):
    """Does the head end get the table? A refusal in the protocol is none."""
    u = net.socket("wan", kind=socket.SOCK_DGRAM)
    u.bind((ADDR["wan"], 0))
    u.settimeout(seconds)
    m = talk.request((6 << 28) + int(time.monotonic() * 1000) % (1 << 28),
                     table)
    u.sendto(m, (ADDR["mdma"], 1153))
    try:
        return talk.tables()[table] in u.recv(65536)
    except OSError:
        return False
    finally:
        u.close()


def passes(net):
    return bool(until(lambda: answered(net), 8))


def serial(gate, policy="com.example.testbed.mdma"):
    return [r["serial"] for r in gate.ask("policies")[1:]
            if r["policy"] == policy]


def refusals(gate):
    """What the audit says of policies that were refused."""
    return [r["metergate"].get("detail", "") for r in gate.records()
            if r["event_type"] == "policy" and
            r["metergate"].get("detail", "").startswith("refused")]


def bad_directories(report, net, gate, signed):
    """Each is refused with a line and a record, and changes nothing."""
    good = {}
    for n in os.listdir(gate.policies):
        with open(os.path.join(gate.policies, n), "rb") as f:
            good[n] = f.read()

    def vendor(n, **how):
        signed.serial("mdma", n)
        signed.deliver("mdma", gate.policies, **how)

    def other_contents():
        signed.edit("mdma", ("  bytes:\n", "  octets:\n"))
        vendor(5)
        signed.edit("mdma", ("  octets:\n", "  bytes:\n"))

    def source():
        shutil.copy(signed.path("mdma"), gate.policies)

    def cut():
        path = os.path.join(gate.policies, "mdma.polc")
        os.truncate(path, os.path.getsize(path) - 1)

    def another_meter():
        signed.edit("binding", ("SM0000001234", "SM0000009999"),
                    ("serial: 1", "serial: 2"))
        signed.deliver("binding", gate.policies)

    rows = (("not signed", lambda: vendor(6, unsigned=True), "not signed"),
            ("signed by a stranger", lambda: vendor(6, by="stranger"),
             "another key"),
            ("signed by another vendor", lambda: vendor(6, by="dr-vendor"),
             "mdma-vendor"),
            ("a vendor's signed by the platform",
             lambda: vendor(6, by="platform"), "mdma-vendor"),
            ("a baseline signed by a vendor", lambda: signed.deliver(
                "baseline", gate.policies, by="mdma-vendor"),
             "a key of the platform"),
            ("a lower serial", lambda: vendor(4), "serials only rise"),
            ("the same serial, other contents", other_contents,
             "another policy of this serial"),
            ("a source", source, "carries no signature"),
            ("an image that is cut", cut, "mdma.polc"),
            ("a binding of another meter", another_meter,
             "of meter SM0000009999"))
    for what, put, says in rows:
        put()
        before = len(refusals(gate))
        got = gate.ask("reload", timeout=60)[0]
        records = until(lambda: refusals(gate)[before:])
        report.check("refused: " + what, "" if got["ok"] is False and
                     says in got["error"] and "\n" not in got["error"] and
                     records and says in records[0] and
                     serial(gate) == [5] and passes(net) else
                     "%s, %s, serial %s" % (got, records, serial(gate)))
        for n in os.listdir(gate.policies):
            os.unlink(os.path.join(gate.policies, n))
        for n, octets in good.items():
            with open(os.path.join(gate.policies, n), "wb") as f:
                f.write(octets)
    signed.edit("binding", ("SM0000009999", "SM0000001234"),
                ("serial: 2", "serial: 1"))


def restarts(report, net, gate, signed):
    signed.serial("mdma", 6)
    signed.deliver("mdma", gate.policies, by="stranger")
    for how, end in (("stop", gate.stop), ("kill -9", gate.kill_all)):
        end()
        gate.start()
        report.check("after %s a bad directory leaves what was in force" % how,
                     "" if serial(gate) == [5] and passes(net) and
                     "stay in force" in gate.text() and refusals(gate) else
                     "serial %s: %s" % (serial(gate), gate.text()[-300:]))
    for name in os.listdir(gate.policies):
        os.unlink(os.path.join(gate.policies, name))
    gate.stop()
    gate.start()
    report.expect("so does an empty one", serial(gate) == [5] and passes(net),
                  serial(gate))
    signed.deliver_all(gate.policies)
    got = gate.ask("reload", timeout=60)[0]
    report.expect("and a good one comes into force",
                  got["ok"] and serial(gate) == [6], got)
    gate.kill_all()
    signed.serial("mdma", 5)
    signed.deliver("mdma", gate.policies)
    gate.start()
    report.check("serials are known after kill -9", "" if serial(gate) == [6]
                 and "serial 6 was here before" in gate.text() else
                 "serial %s" % serial(gate))


def first(report, net, signed):
    """Nothing was ever in force here."""
    shutil.rmtree(signed.policies)
    os.makedirs(signed.policies)
    signed.deliver_all(signed.policies)
    signed.deliver("mdma", signed.policies, by="stranger")
    with Gate(net, policies=signed.policies, **signed.conf()) as gate:
        report.check("a first start that is refused is closed",
                     "it answered" if answered(net) else
                     "" if until(lambda: refusals(gate)) and
                     not serial(gate) and
                     "nothing passes" in gate.text() else gate.text()[-300:])
        signed.deliver("mdma", gate.policies)
        got = gate.ask("reload", timeout=60)[0]
        report.expect("a good directory opens it", got["ok"] and passes(net),
                      got)
    signed.deliver("binding", signed.policies, by="stranger")
    gate = Gate(net, policies=signed.policies, **signed.conf())
    gate.start(wait=False)
    try:
        code = gate.p.wait(30)
    finally:
        gate.stop()
    lines = [x for x in gate.text().splitlines() if "binding" in x]
    report.check("without a binding it ends, with one line", "" if code == 2
                 and len(lines) == 1 and "signed with another key" in lines[0]
                 else "%s: %s" % (code, gate.text()[-300:]))
    shutil.rmtree(gate.work, ignore_errors=True)


def panel(gate, request):
    return gate.ask(request, sock="panel", timeout=60)


def policy_notes(gate):
    return [r["metergate"].get("detail", "") for r in gate.records()
            if r["event_type"] == "policy"]


def staged(gate):
    """{policy: line} of what waits."""
    return {r["policy"]: r for r in gate.ask("policies")[1:]
            if r["state"] != "in force"}


MDMA = "com.example.testbed.mdma"


def widening(report, net, signed):
    """The month's end once a month; a policy that gives it more often waits
    for the panel, or, with a notice in the baseline, for its time."""
    shutil.rmtree(signed.policies)
    os.makedirs(signed.policies)
    signed.serial("mdma", 20)
    signed.deliver_all(signed.policies)
    with Gate(net, policies=signed.policies, **signed.conf()) as gate:
        once = answered(net, 25, 15) and not answered(net, 25)
        signed.edit("mdma", ("limits: [1 reading per month]",
                             "limits: [2 readings per month]"))
        signed.serial("mdma", 21)
        signed.deliver("mdma", gate.policies)
        got = gate.ask("reload", timeout=60)[0]
        wait = staged(gate).get(MDMA, {})
        report.check("a policy that gives more waits", "" if once and
                     got["ok"] and got["staged"] == 1 and serial(gate)[:1] ==
                     [20] and wait.get("serial") == 21 and
                     "notice_left_s" not in wait and not answered(net, 25)
                     else "%s, %s, %s" % (once, got, wait))
        gate.kill_all()
        gate.start()
        code = staged(gate)[MDMA]["code"]
        lines = [r["line"] for r in panel(gate, "pending") if "line" in r]
        report.expect("it waits over kill -9, and the panel shows why",
                      code == wait["code"] and serial(gate)[:1] == [20] and
                      any("WIDER" in x for x in lines) and
                      any("times a year" in x for x in lines),
                      lines)
        got = [gate.ask("confirm " + code)[0], panel(gate, "confirm 0000")[0],
               panel(gate, "reload")[0]]
        report.expect("only the panel's word counts, and only for what waits",
                      not any(g["ok"] for g in got) and
                      "only on the meter's panel" in got[0]["error"] and
                      serial(gate)[:1] == [20],
                      got)
        text = subprocess.run(
            [program("metergatectl"), "-s", gate.work + "/run/panel", "panel",
             "confirm", code], capture_output=True, text=True, check=False)
        report.check("after it the policy is in force", "" if
                     text.returncode == 0 and serial(gate) == [21] and
                     not staged(gate) and answered(net, 25) else
                     "%s%s, %s" % (text.stdout, text.stderr, serial(gate)))
        signed.edit("mdma", ("limits: [2 readings per month]",
                             "limits: [1 reading per month]"))
        signed.serial("mdma", 22)
        signed.deliver("mdma", gate.policies)
        gate.ask("reload", timeout=60)
        report.expect("one that gives less is in force at once",
                      serial(gate) == [22], serial(gate))
        notes = until(lambda: [x for x in policy_notes(gate)
                               if "activates: confirmed" in x])
        notes = policy_notes(gate)
        report.expect("each step is recorded",
                      all(any(w in x for x in notes) for w in (
                          "serial 21 staged", "the panel confirms " + code,
                          "serial 21 confirmed on the panel",
                          "serial 21 activates: confirmed",
                          "serial 21 in force")),
                      notes)
        customers(report, net, gate)
        by_notice(report, net, gate, signed)
        voided(report, net, gate, signed)
        at_once(report, gate)


CUSTOMER = """polc: 1
kind: customer
id: org.example.home
serial: %d
title: What we chose
"""
YES = "consent:\n  com.example.testbed.mdma/send-registers: granted\n"
NO = "restrict:\n  none-of-it:\n    vm: mdma\n    block: true\n"


def propose(gate, text):
    """What metergatectl makes of a file: its exit code and all that it says."""
    path = os.path.join(gate.work, "customer.yaml")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    done = subprocess.run(
        [program("metergatectl"), "-s", gate.work + "/run/control", "customer",
         "propose", path], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def customers(report, net, gate):
    """Registers need opt-in: the head end gets them after the household said
    so, and the panel with it; then it says no."""
    before = answered(net, 23)
    code, text = propose(gate, CUSTOMER % 1 + YES)
    wait = staged(gate).get("org.example.home", {})
    report.check("a customer's file waits for the panel", "" if not before and
                 code == 0 and wait.get("kind") == "customer" and
                 "no answer -> granted" in text and not answered(net, 23) else
                 "%s, %s, %s" % (before, text, wait))
    got = [gate.ask("confirm " + wait["code"])[0],
           gate.ask("reload", timeout=60)[0]]
    report.expect("a portal that was taken over cannot confirm it",
                  not got[0]["ok"] and "org.example.home" in staged(gate) and
                  not answered(net, 23),
                  got)
    got = panel(gate, "confirm " + wait["code"])[0]
    report.expect("the panel's word brings it into force",
                  got["ok"] and serial(gate, "org.example.home") == [1] and
                  answered(net, 23),
                  got)
    pids = gate.processes()
    wrong = []
    for what, source, says in (
            ("garbage", "\u00ff\u0000" * 60000, "error[P"),
            ("depth", "[" * 200000, "error[P"),
            ("width", CUSTOMER % 9 + "consent:\n" + "".join(
                "  a.b/c%d: granted\n" % n for n in range(12000)), ""),
            ("an anchor", CUSTOMER % 9 + "consent: &a {}\n", "anchor"),
            ("a loosening", CUSTOMER % 9 + "allow:\n  x: {}\n", "error[P"),
            ("too large", "#" * 300000, "octets"),
            ("of before", CUSTOMER % 1 + NO, "of this serial"),
            ("a refusal of what is agreed", CUSTOMER % 9 + "consent:\n  com."
             "example.testbed.mdma/send-month-end: refused\n", "")):
        code, text = propose(gate, source)
        if code == 0 or says not in text or text.count("\n") != 1:
            wrong.append("%s: %d %s" % (what, code, text[:200]))
    report.check("hostile files are refused, and hurt nobody", "; ".join(wrong)
                 or ("" if gate.processes() == pids and not staged(gate) and
                     serial(gate, "org.example.home") == [1] else
                     gate.text()[-300:]))
    code, text = propose(gate, CUSTOMER % 2 + NO)
    wait = staged(gate)["org.example.home"]
    gate.kill_all()
    gate.start()
    kept = staged(gate).get("org.example.home", {})
    allowed = passes(net)
    got = panel(gate, "confirm " + wait["code"])[0]
    report.check("a refusal waits over kill -9, and then holds", "" if
                 kept.get("code") == wait["code"] and allowed and got["ok"]
                 and not answered(net) else "%s, %s, %s" % (kept, allowed, got))
    got = propose(gate, CUSTOMER % 3 + YES)
    panel(gate, "confirm " + staged(gate)["org.example.home"]["code"])
    report.expect("and can be taken back", passes(net), got)


def by_notice(report, net, gate, signed):
    """What may come by itself, for which the baseline of this test waits ten
    seconds."""
    signed.edit("baseline", ("consent-rules:", "widening: {roles: [metering], "
                             "notice: 10 s}\n\nconsent-rules:"))
    signed.serial("baseline", 2)
    signed.deliver("baseline", gate.policies)
    gate.ask("reload", timeout=60)
    wait = [r for r in gate.ask("policies")[1:] if r["state"] == "staged" and
            r["kind"] == "baseline"]
    report.expect("such a baseline waits for the panel itself",
                  len(wait) == 1 and "notice_left_s" not in wait[0] and
                  panel(gate, "confirm " + wait[0]["code"])[0]["ok"],
                  wait)
    signed.edit("mdma", ("limits: [100000000 readings per day]",
                         "limits: [100000001 readings per day]"))
    signed.serial("mdma", 23)
    signed.deliver("mdma", gate.policies)
    begin = time.monotonic()
    gate.ask("reload", timeout=60)
    wait = staged(gate).get(MDMA, {})
    early = serial(gate)[:1]
    came = until(lambda: serial(gate) == [23], 60)
    took = time.monotonic() - begin
    report.check("with a notice it comes by itself, and not before", "" if
                 wait.get("notice_left_s", 99) <= 10 and early == [22] and
                 came and took > 9.5 and any(
                     "its notice is over" in x for x in until(
                         lambda: policy_notes(gate))) else
                 "%s, %s, %.1f s" % (wait, early, took))
    wider = (("limits: [100000001 readings per day]",
              "limits: [100000002 readings per day]"),
             ("limit: 64 GiB per day", "limit: 65 GiB per day"))
    signed.edit("mdma", *wider)
    signed.serial("mdma", 24)
    signed.deliver("mdma", gate.policies)
    gate.ask("reload", timeout=60)
    wait = staged(gate).get(MDMA, {})
    lines = [r["line"] for r in panel(gate, "pending") if "line" in r]
    report.check("not where what all are held to goes with it", "" if
                 wait.get("serial") == 24 and "notice_left_s" not in wait and
                 any("'send-identity' is wider" in x for x in lines) and
                 any("the limit 'bytes' is gone, or less" in x
                     for x in lines) else "%s, %s" % (wait, lines))
    signed.edit("mdma", *[(b, a) for a, b in wider])
    signed.serial("mdma", 25)
    signed.deliver("mdma", gate.policies)
    gate.ask("reload", timeout=60)


def reasons(net, gate):
    """Why the head end does not get its registers now."""
    n = len(gate.records())
    answered(net, 23, 1)

    def found():
        return [r["metergate"]["reasons"] for r in gate.records()[n:]
                if r["event_type"] == "violation" and
                r["metergate"].get("rule") == "send-registers"]
    got = until(found)
    return got[0] if got else []


def voided(report, net, gate, signed):
    """An update that widens a rule voids its answer."""
    before = reasons(net, gate)
    signed.edit("mdma", ("limits: [at least 15 min apart]",
                         "limits: [at least 20 min apart]"))
    signed.serial("mdma", 30)
    signed.deliver("mdma", gate.policies)
    gate.ask("reload", timeout=60)
    narrower = reasons(net, gate)
    signed.edit("mdma", ("limits: [at least 20 min apart]",
                         "limits: [at least 16 min apart]"))
    signed.serial("mdma", 31)
    signed.deliver("mdma", gate.policies)
    gate.ask("reload", timeout=60)
    waits = reasons(net, gate)
    report.check("an answer counts while its rule is not wider", "" if
                 serial(gate) == [30, 31] and not any(
                     "no-consent" in r or "too-soon" not in r
                     for r in (before, narrower, waits)) else
                 "%s, %s, %s" % (before, narrower, waits))
    code = staged(gate)[MDMA]["code"]
    notices = [r for r in gate.ask("notices")[1:] if r["notice"] == "staged"]
    report.expect("what waits is a notice",
                  len(notices) == 1 and notices[0]["policy"] == MDMA and
                  notices[0]["serial"] == 31 and
                  notices[0]["code"] == code and not notices[0]["confirmed"],
                  notices)
    panel(gate, "confirm " + code)
    wider = reasons(net, gate)
    gate.kill_all()
    gate.start()
    later = reasons(net, gate)
    notes = [x for x in policy_notes(gate) if "answer is void" in x]
    notices = [r["rule"] for r in gate.ask("notices")[1:]
               if r["notice"] == "answer-void"]
    report.check("then it is void, over kill -9, and the audit says so",
                 "" if serial(gate) == [31] and "no-consent" in wider and
                 "no-consent" in later and len(notes) == 1 and
                 MDMA + "/send-registers" in notes[0] and
                 notices == [MDMA + "/send-registers"] else
                 "%s, %s, %s, %s" % (wider, later, notes, notices))
    code, text = propose(gate, CUSTOMER % 4 + YES)
    panel(gate, "confirm " + staged(gate)["org.example.home"]["code"])
    again = reasons(net, gate)
    report.check("until it was asked again", "" if code == 0 and "void, for "
                 "the rule is wider since -> granted" in text and
                 again and "no-consent" not in again else
                 "%s, %s" % (text, again))


def proposing(gate, serial_):
    """metergatectl, still at it."""
    path = os.path.join(gate.work, "customer-%d.yaml" % serial_)
    with open(path, "w", encoding="utf-8") as f:
        f.write(CUSTOMER % serial_ + YES)
    return subprocess.Popen(
        [program("metergatectl"), "-s", gate.work + "/run/control", "customer",
         "propose", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True)


def at_once(report, gate):
    """Several propose at once, and the daemon dies over one: what waits is one
    file that somebody proposed, or none, and the panel's word is about it."""
    home = "org.example.home"

    def in_force():
        return [r["serial"] for r in gate.ask("policies")[1:]
                if r["policy"] == home and r["state"] == "in force"]
    before = in_force()
    several = [proposing(gate, n) for n in (10, 11, 12)]
    said = [(p.communicate(timeout=60)[0], p.returncode) for p in several]
    wait = [r for r in gate.ask("policies")[1:] if r["state"] == "staged"]
    won = [n for n, (_, rc) in zip((10, 11, 12), said) if rc == 0]
    wrong = [text for text, rc in said if rc != 0 and
             "try again" not in text and "serial" not in text]
    report.check("of several at once one waits, and the others know", "" if
                 len(wait) == 1 and wait[0]["serial"] in won and not wrong and
                 in_force() == before else
                 "%s, %s, %s" % (wait, won, said))
    got = panel(gate, "confirm " + wait[0]["code"])[0]
    report.expect("and that is the one confirmed",
                  got["ok"] and in_force() == [wait[0]["serial"]] and
                  not staged(gate),
                  got)
    before = in_force()
    wrong = []
    for n, late in enumerate((0.0, 0.02, 0.1)):
        p = proposing(gate, 20 + n)
        time.sleep(late)
        gate.kill_all()
        p.communicate(timeout=60)
        gate.start()
        if in_force() != before or len(staged(gate)) > 1 or \
                (p.returncode == 0 and not staged(gate)):
            wrong.append("%s: %s, %s" % (late, in_force(),
                                         staged(gate)))
    report.check("a daemon that dies over a proposal forgets none that it "
                 "took", "; ".join(wrong))
    code, text = propose(gate, CUSTOMER % 30 + YES)
    wait = staged(gate).get(home, {})
    got = panel(gate, "confirm " + wait.get("code", "?"))[0]
    report.check("and takes the next", "" if code == 0 and got["ok"] and
                 in_force() == [30] else "%s, %s" % (text, got))


def main():
    report = Report()
    need_live(report)
    with Net() as net, Signed() as signed:
        net.neighbours()
        meter = talk.Meter(net)
        signed.serial("mdma", 5)
        signed.deliver_all(signed.policies)
        with Gate(net, policies=signed.policies, **signed.conf()) as gate:
            status = gate.ask("status")[0]
            keys = {r["policy"].split(".")[-1]: r.get("signed_with")
                    for r in gate.ask("policies")[1:]}
            report.check("signed policies are in force", "" if
                         status["signatures"] == "required" and passes(net) and
                         keys["mdma"] == signed.public("mdma-vendor") and
                         keys["baseline"] == signed.public("platform") else
                         "%s, %s" % (status, keys))
            bad_directories(report, net, gate, signed)
            restarts(report, net, gate, signed)
        first(report, net, signed)
        signed.deliver("binding", signed.policies)
        widening(report, net, signed)
        meter.stop()
    report.done()


if __name__ == "__main__":
    sys.exit(main())
