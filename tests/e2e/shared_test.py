#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A budget of the household that two guests use up together is never exceeded:
not when the engines or the scribe, who counts it, are killed, not by a reload,
and not by a restart. Nor are more connections open at once than it allows, and
those of an engine that was killed are free again.

usage: shared_test.py
"""
import os
import shutil
import signal
import subprocess
import sys
import tempfile

from lib import ADDR, POLICIES, Gate, Net, Report, need_live, program, until

LIMIT = 9
RULE = """
limits:
  household-connections:
    on: {match: {flow.open: {}}}
    each: []
    limit: %d connections per month
"""
AT_ONCE = 3
AT_ONCE_RULE = """
limits:
  household-at-once:
    each: []
    limit: at most %d connections at once
"""
# Who is reached, from where, at which port.
ENDS = [("wan", "mdma", 1153), ("lan", "portal", 8080)]


def policies(where, name, rule):
    to = os.path.join(where, name)
    shutil.copytree(POLICIES, to)
    path = os.path.join(to, "baseline.yaml")
    with open(path, encoding="utf-8") as f:
        text = f.read()
    if "\nlimits:\n" in text:
        text = text.replace("\nlimits:\n", rule, 1)
    else:
        text += rule
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return to


def opened(net, listeners, which, passed):
    """Does a connection come about? One that is to be is waited for: its first
    packet has used the budget, and who gives up before the answer is there, as a
    machine with other work may have it, has not seen what was used."""
    client, guest, port = ENDS[which % len(ENDS)]
    s = net.socket(client)
    s.settimeout(20 if sum(passed) < LIMIT else 0.8)
    try:
        s.connect((ADDR[guest], port))
        listeners[which % len(ENDS)].accept()[0].close()
        return True
    except OSError:
        return False
    finally:
        s.close()


def hold(net, listeners, which):
    """A connection that stays, both ends; None: it does not come about."""
    client, guest, port = ENDS[which]
    s = net.socket(client)
    s.settimeout(0.8)
    try:
        s.connect((ADDR[guest], port))
        return s, listeners[which].accept()[0]
    except OSError:
        s.close()
        return None


def end(held):
    for s in held:
        s.close()


def soon(net, listeners, which):
    """As hold, when somebody may have to hand a place back first."""
    return until(lambda: hold(net, listeners, which), 20, 0.3)


def at_once(report, net, where):
    with Gate(net, policies(where, "at-once", AT_ONCE_RULE % AT_ONCE)) as gate:
        listeners = [net.listener(guest, port, ADDR[guest])
                     for _, guest, port in ENDS]
        for ls in listeners:
            ls.settimeout(2)
        report.expect("at once: all are up", up(gate), gate.text()[-800:])
        held = [soon(net, listeners, 0), soon(net, listeners, 0),
                soon(net, listeners, 1)]
        report.expect("at once: both guests have some", all(held), held)
        report.check("at once: there is no place for one more, of either",
                     "" if not hold(net, listeners, 0) and
                     not hold(net, listeners, 1) else "one more")
        kill(gate, "scribe")
        up(gate)
        report.check("at once: nor when the scribe was killed",
                     "" if not hold(net, listeners, 1) else "one more")
        end(held[0])
        held[0] = soon(net, listeners, 1)
        report.expect("at once: where one ends the other guest may begin",
                      held[0], gate.text()[-800:])
        report.check("at once: and no more than that",
                     "" if not hold(net, listeners, 1) and
                     not hold(net, listeners, 0) else "one more")
        kill(gate, "engine[portal]")
        until(lambda: "engine[portal]" in gate.processes(), 20, 0.1)
        up(gate)
        again = [soon(net, listeners, 0), soon(net, listeners, 0)]
        report.expect("at once: what a killed engine had is free", all(again),
                      gate.text()[-800:])
        report.check("at once: but not what the other one has",
                     "" if not hold(net, listeners, 0) else "one more")
        for h in held + again:
            end(h or [])
        for ls in listeners:
            ls.close()


def up(gate):
    return until(gate.ready, 30, 0.1)


def rename(where):
    """The same policy under new names: nothing is refilled by that."""
    path = os.path.join(where, "baseline.yaml")
    with open(path, encoding="utf-8") as f:
        text = f.read()
    text = text.replace("household-connections:", "all-connections:")
    text = text.replace("serial: 1\n", "serial: 2\n")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def kill(gate, name):
    os.kill(gate.processes()[name], signal.SIGKILL)


def reload(gate):
    rename(gate.policies)
    return gate.ask("reload")


def restart(gate):
    gate.stop()
    gate.start()


def die(gate):
    gate.kill_all()
    gate.start()


STEPS = [
    ("as it began", lambda gate: None),
    ("an engine was killed", lambda gate: kill(gate, "engine[mdma]")),
    ("the scribe was killed", lambda gate: kill(gate, "scribe")),
    ("the daemon was killed", die),
    ("a reload gave the limit another name", reload),
    ("it was stopped and started", restart),
    ("the scribe was killed again", lambda gate: kill(gate, "scribe")),
]


def tool(gate, *args):
    p = subprocess.run([program("metergatectl"), "--socket", os.path.join(
        gate.work, "run", "control")] + list(args), capture_output=True,
        check=False)
    return p.returncode, p.stdout.decode()


def connections(gate):
    return sum(r["days_400"] for r in gate.ask("ledger mdma")[1:]
               if r["unit"] == "connections")


def ledger(report, gate, passed):
    """What the guest used is known without any rule."""
    rc, text = tool(gate, "ledger", "mdma")
    report.expect("the ledger is shown",
                  rc == 0 and "headend" in text and "connections" in text,
                  text)
    report.expect("it knows all connections", connections(gate) >= passed,
                  connections(gate))
    rc, text = tool(gate, "erase", "mdma")
    report.expect("it can be erased", rc == 0 and "erased" in text, text)
    report.expect("but for what the windows of now need",
                  connections(gate) >= passed, connections(gate))


def main():
    report = Report()
    need_live(report)
    where = tempfile.mkdtemp(prefix="metergate-shared-")
    passed = [0, 0]
    tries = 0
    rule = RULE % LIMIT
    with Net() as net, Gate(net, policies(where, "budget", rule)) as gate:
        listeners = [net.listener(guest, port, ADDR[guest])
                     for _, guest, port in ENDS]
        for ls in listeners:
            ls.settimeout(2)
        for what, step in STEPS:
            step(gate)
            report.expect("%s: all are up" % what, up(gate),
                          gate.text()[-800:])
            for _ in range(2):
                passed[tries % 2] += opened(net, listeners, tries, passed)
                tries += 1
            report.check("%s: after %d tries no more than %d passed" % (
                what, tries, LIMIT), "" if sum(passed) <= LIMIT else
                "%d passed" % sum(passed))
        passed[0] += opened(net, listeners, 0, passed)
        report.expect("both guests used it", min(passed), passed)
        report.check("and all of it", "" if sum(passed) == LIMIT else
                     "%d of %d" % (sum(passed), LIMIT))
        ledger(report, gate, passed[0])
        told = [r for r in gate.ask("budgets portal")[1:]
                if "all-connections" in str(r)]
        report.expect("the budget is told as it stands",
                      told and told[0]["used"] == LIMIT, told)
        for ls in listeners:
            ls.close()
    with Net() as net:
        at_once(report, net, where)
    shutil.rmtree(where, ignore_errors=True)
    report.done()


if __name__ == "__main__":
    main()
