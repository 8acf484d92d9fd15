#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""metergate-replay --classify: every capture, with and without a policy, says,
passes and refuses the same as without it, but for what nDPI calls the flows;
and what it calls those whose protocol is known.

usage: classify_test.py
"""
import glob
import json
import os
import subprocess
import sys
import tempfile

os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
BUILD = os.environ.get("BUILD", "build")
REPLAY = os.path.join(BUILD, "bin/metergate-replay")
bad = 0

# Our own captures: what each of its flows that has a name by its octets may be
# called. HTTP_Connect is a request that is refused; MDNS a question of it.
NAMES = {
    "gen_net_dns": {"DNS", "MDNS", "HTTP"},
    "gen_net_ntp": {"NTP"},
    "gen_net_dhcp": {"DHCP"},
    "gen_net_tls": {"TLS", "SSH"},
    "gen_http_dr": {"HTTP"},
    "gen_http_portal": {"HTTP"},
    "gen_http_said": {"HTTP"},
    "gen_http_silent": {"HTTP"},
    "gen_http_between": {"HTTP"},
    "gen_http_forms": {"HTTP", "HTTP_Connect"},
}


def check(name, ok, why=""):
    global bad
    print(("ok " if ok else "not ok ") + "classify: " + name)
    if not ok:
        bad = 1
        print("#", str(why)[:500])


def replay(capture, *args):
    """(exit code, lines, octets of the packets that would have left)."""
    with tempfile.TemporaryDirectory() as d:
        out = os.path.join(d, "allowed.pcap")
        p = subprocess.run([REPLAY, "-k", "tests/pcaps/keys.yaml",
                            "--allowed", out, *args, capture],
                           capture_output=True, check=False)
        with open(out, "rb") as f:
            return p.returncode, p.stdout.decode().splitlines(), f.read()


def without(lines):
    """The same lines without names, and the names: (app, confidence)."""
    rest, names = [], []
    for line in lines:
        event = json.loads(line)
        flow = event.get("flow", {})
        if "app_guess" in flow:
            names.append((flow.pop("app_guess"), flow.pop("app_confidence")))
        rest.append(event)
    return rest, names


def policy_of(name):
    if name.startswith("gen_http_"):
        return ["-p", "tests/policies/agents"]
    if name.startswith("gen_net_"):
        return ["-p", "tests/policies/services", "--resolver", "10.20.0.53"]
    return ["-p", "tests/policies/metering"]


def one(capture):
    name = os.path.basename(capture)[:-len(".pcap")]
    for how, args in (("facts", []), ("verdicts", policy_of(name))):
        plain = replay(capture, *args)
        code, lines, left = replay(capture, "--classify", *args)
        rest, names = without(lines)
        before, none = without(plain[1])
        check(f"{how} of {name} are the same",
              code == plain[0] < 2 and rest == before and
              left == plain[2] and not none,
              (code, plain[0], len(rest), len(before)))
        jobs = replay(capture, "--classify", "--jobs", "3", *args)
        check(f"{how} of {name} with more threads",
              jobs == (code, lines, left))
        if how == "facts" and name in NAMES:
            sure = {app for app, by in names if by == "octets"}
            check(f"names of {name}", sure == NAMES[name] and
                  {by for _, by in names} <= {"octets", "port", "address"},
                  names)


captures = sorted(glob.glob("tests/pcaps/*.pcap"))
check("there are captures", len(captures) > 20)
for c in captures:
    one(c)
sys.exit(bad)
