#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""polc help: each wrong example raises its code, and each right one does not.

The examples are pieces of a policy. Here each is put into a whole one, at the
place that PLACES names: keys of the piece take the place of the same keys
there. "# file: NAME" in an example begins a piece of another file of the set.
"""
import json
import os
import re
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
POLC = os.path.realpath(os.path.join(TOP, os.environ.get("BUILD", "build"), "bin/polc"))
BAD = os.path.join(TOP, "tests/policies/bad")

FRAMES = {
    "mdma.yaml": """polc: 1
kind: vendor
id: com.example.bad
serial: 1
title: Bad on purpose
vm: mdma
parties:
  headend:
    name: Centre
    role: metering
    address: [203.0.113.0/28]
    ports: [tcp/1153]
    tls: {names: [mdm.example]}
allow:
  ask:
    direction: in
    party: headend
    match: {c1222.read-request: {table: [23]}}
  send:
    purpose: Working out your bill.
    direction: out
    party: headend
    match: {c1222.read-response: {table: [23]}}
    answers: [ask]
    consent: opt-out
    data: {measurement: energy.register, resolution: 1 kWh}
    limits: [1 reading per day, at least 20 h apart]
fixtures:
  profile: {direction: out, party: headend, observe: {c1222.read-response: {table: 23}}}
""",
    "binding.yaml": """polc: 1
kind: binding
id: com.example.binding
serial: 1
title: Which machine is which
use: {home: org.example.lib.home@3}
meter: {id: M, timezone: Europe/London, billing-day: 1, profile: home/ansi-home-30}
keys:
  mdma-vendor: "ed25519:1f1e1d1c1b1a19181716151413121110f0e0d0c0b0a090807060504030201000"
vms:
  mdma:
    title: A
    interface: v0
    mac: "52:54:00:aa:00:09"
    addresses: [10.0.0.9/32]
    policy: com.example.bad
    signed-by: mdma-vendor
    attestation: none
""",
    "baseline.yaml": "polc: 1\nkind: baseline\nid: com.example.base\nserial: 1\ntitle: Base\n",
    "customer.yaml": "polc: 1\nkind: customer\nid: customer\nserial: 1\ntitle: Mine\n",
    "a.yaml": "polc: 1\nkind: library\nid: x\nserial: 1\ntitle: A\nparties:\n  x: {name: X, role: grid, address: [192.0.2.1/32]}\n",
    "library.yaml": """polc: 1
kind: library
id: org.example.lib.home
serial: 3
title: Names
meter-profiles:
  ansi-home-30: {load-profile: {64: 30 min}}
""",
}
FRAMES["b.yaml"] = FRAMES["a.yaml"]

LINKED = {4013, 4014, 4015, 4016, 8003}  # by polc link, with all files
RAW = {1102, 1108, 1109, 1113, 1117}  # the whole file
ASK, SEND, HEAD, VM = "allow.ask", "allow.send", "parties.headend", "vms.mdma"
# Where a piece goes; without a row: at the top level of the vendor's file.
PLACES = {
    1105: SEND, 1106: HEAD, 1114: HEAD, 1116: "parties", 1118: HEAD, 2101: SEND, 2102: "allow", 2103: "parties",
    2203: HEAD, 2204: SEND, 2206: ASK, 2207: HEAD, 2208: ASK, 2210: ASK, 3101: SEND, 3102: ASK, 3103: SEND,
    3104: ASK, 3105: SEND, 3106: ASK, 3107: ASK, 3108: ASK, 3109: HEAD, 3110: SEND, 3111: HEAD, 3112: SEND,
    3114: "customer.yaml:restrict.quiet", 3116: "tests.t", 3117: HEAD, 3118: HEAD, 3119: "binding.yaml:" + VM,
    3120: SEND, 3121: "parties", 3124: HEAD, 3125: "binding.yaml:", 3126: SEND, 3127: "tests.t.steps", 3128: ASK,
    3129: "assert", 3130: "tests.t", 3131: ASK, 3132: "binding.yaml:" + VM, 3201: SEND, 3202: ASK, 3203: ASK,
    3204: ASK, 3205: ASK, 3206: SEND, 3208: "binding.yaml:" + VM, 3209: "tests.t", 3210: "tests.t.steps",
    3211: "binding.yaml:", 3213: "binding.yaml:vms", 3301: SEND, 4001: "allow", 4002: SEND, 4005: SEND, 4007: "allow",
    4009: ASK, 4010: "parties", 4101: SEND, 4102: SEND, 4103: SEND, 4104: SEND, 4105: SEND, 4106: SEND, 4108: SEND,
    4109: SEND, 5101: SEND, 5103: SEND, 5104: SEND, 5105: SEND, 5106: HEAD, 5107: "allow", 5108: "allow", 5109: ASK,
    5110: HEAD, 5111: SEND, 5203: SEND, 5204: "parties", 6101: SEND, 8001: "tests", 8002: "assert", 8004: "tests",
}
# Keys of the place that an example is about leaving out.
DROPS = {4101: ["purpose"], 4102: ["consent"], 5106: ["tls"], 1113: ["vm"]}
STEP = "- {direction: in, party: headend, observe: {c1222.read-request: {table: 23}}, %s}"
BY_TESTS = {8001}  # of a policy that is right
# Wrong by more than what is in the piece, or by a command of its own.
ELSEWHERE = {
    3133: "paths of the daemon's configuration, which polc does not read",
    6102: "polc fleet --uplink",
    **{c: "polc verify; see polc_test.sh, show_test.py" for c in range(7001, 7007)},
}


def key_of(line):
    m = re.match(r"([A-Za-z0-9_<][A-Za-z0-9_.<-]*):( |$)", line)
    return m and m.group(1)


def entries(lines):
    """[(key, first line, lines below without their indentation)]"""
    out = []
    for line in lines:
        if not line.startswith(" ") and key_of(line):
            out.append([key_of(line), line, []])
        elif out:
            out[-1][2].append(line[2:])
        else:
            return None
    return out


def merge(base, piece):
    old, new = entries(base), entries(piece)
    if old is None or new is None:
        return base + piece
    done = []
    for k, head, below in new:
        for e in old:
            if e[0] == k and e[0] not in done:
                if below and e[2] and e[1] == head == k + ":":
                    e[2] = merge(e[2], below)
                else:
                    e[1], e[2] = head, below
                break
        else:
            old.append([k, head, below])
        done.append(k)
    return [x for e in old for x in [e[1]] + ["  " + b for b in e[2]]]


def drop(base, path, keys):
    for e in (es := entries(base)):
        if path and e[0] == path[0]:
            e[2] = drop(e[2], path[1:], keys)
    return [x for e in es if path or e[0] not in keys for x in [e[1]] + ["  " + b for b in e[2]]]


def literal(text):
    """\\xNN and \\t of what cannot be shown, and long texts."""
    text = re.sub(r"aaa\.\.\. +# (\d+) letters", lambda m: "a" * int(m.group(1)), text)
    out = text.encode()
    out = re.sub(rb"\\x([0-9a-f]{2})", lambda m: bytes([int(m.group(1), 16)]), out)
    return out


def put(code, text):
    """{file: octets}, and what to check."""
    if code in RAW:
        return {"mdma.yaml": literal(text)}, ["mdma.yaml"]
    files, ask = dict(FRAMES), None
    pieces = re.split(r"^# file: (\S+)\n", text, flags=re.M)
    if len(pieces) > 1:
        ask = ["."]
        del files["a.yaml"], files["b.yaml"]
        if code not in LINKED:
            del files["library.yaml"], files["binding.yaml"]
        files["mdma.yaml"] = FRAMES["mdma.yaml"]
        if code not in (4011, 4015):
            del files["customer.yaml"]
        for name, piece in zip(pieces[1::2], pieces[2::2]):
            base = files.get(name, FRAMES[name])
            files[name] = "\n".join(merge(base.splitlines(), piece.splitlines())) + "\n"
        if "a.yaml" in files:
            files = {k: files[k] for k in ("a.yaml", "b.yaml")}
        return {k: literal(v) for k, v in files.items()}, ask
    place = PLACES.get(code, "")
    name, _, path = place.rpartition(":") if ":" in place else ("mdma.yaml", "", place)
    path = [p for p in path.split(".") if p]
    lines = text.splitlines()
    if path[-1:] == ["steps"]:
        lines, path = ["steps:", "  " + STEP % text], path[:-1]
    elif path[-1:] == ["t"] and not any(x.startswith("steps:") for x in lines):
        lines += ["steps:", "  " + STEP % "expect: permit"]
    base = files[name].splitlines()
    if code in DROPS:
        base = drop(base, path, DROPS[code])
    dup = len({key_of(x) for x in lines if key_of(x)}) < len([x for x in lines if key_of(x)])
    for p in reversed(path):
        lines = [p + ":"] + ["  " + x for x in lines]
    base = merge(base, lines)
    if dup:  # said twice on purpose: behind what it repeats
        last = [x for x in lines if x.strip()][-1]
        at = max(i for i, x in enumerate(base) if x.strip().startswith(key_of(last.strip()) + ":"))
        first = next(x for x in lines[len(path):])
        base[at:at + 1] = [first, last]
    files[name] = "\n".join(base) + "\n"
    octets = {k: literal(v) for k, v in files.items()}
    if code == 1103:
        octets[name] = octets[name].replace(b"\\t", b"\t")
    return octets, [name]


def codes_of(code, text):
    files, ask = put(code, text)
    with tempfile.TemporaryDirectory() as tmp:
        for name, octets in files.items():
            with open(os.path.join(tmp, name), "wb") as f:
                f.write(octets)
        cmd = (["test", "--json", "mdma.yaml"] if code == 8001
               else ["link" if code in LINKED else "check", "--json", *ask])
        p = subprocess.run([POLC, *cmd], cwd=tmp, capture_output=True, stdin=subprocess.DEVNULL)
    found = [json.loads(x) for x in p.stdout.decode().splitlines() if x.startswith("{")]
    return ({d["code"] for d in found if "code" in d},
            {d["code"] for d in found if d.get("level") == "error"}, p.stdout.decode() + p.stderr.decode())


def named_by_tests():
    """Codes that a test other than this one has in it."""
    found = set()
    for top, _, files in os.walk(TOP):
        if os.path.relpath(top, TOP).split(os.sep)[0] in (".git", "build", "obj"):
            continue
        for f in files:
            if f.endswith(("_test.c", "_test.py", "_test.sh")) and f != os.path.basename(__file__):
                with open(os.path.join(top, f), encoding="utf-8", errors="replace") as src:
                    found |= set(re.findall(r"\bP\d{4}\b", src.read()))
    return found


def main():
    p = subprocess.run([POLC, "help", "--json"], capture_output=True, check=True)
    topics = [json.loads(x) for x in p.stdout.decode().splitlines()]
    rc = 0
    wrong = [f for f in os.listdir(BAD) if f.startswith("p") and not f.endswith(".expect")]
    shown = {f[1:5] for f in wrong}
    named = named_by_tests()
    if len(wrong) < 150:
        print(f"not ok 150 wrong policies: {len(wrong)}")
        rc = 1
    # What the sources raise is what is explained.
    raised = set()
    for folder in ("policy-lang/front", "policy-lang"):
        for f in os.listdir(os.path.join(TOP, folder)):
            if f.endswith(".c") and not f.endswith(("_test.c", "_fuzz.c")):
                with open(os.path.join(TOP, folder, f), encoding="utf-8") as src:
                    raised |= set(re.findall(r"DIAG_[A-Z]+\s*,\s*(\d{4})\b", src.read()))
    unknown = sorted(raised - {t["code"][1:] for t in topics})
    if unknown or len(raised) < 30:
        print(f"not ok raised but not explained: {unknown} of {len(raised)}")
        rc = 1
    for t in topics:
        code = int(t["code"][1:])
        why = []
        if not t["wrong"] or not t["right"] or len(t["text"]) < 20:
            why.append("an example or the explanation is missing")
        if code in ELSEWHERE:
            pass
        else:
            found, _, out = codes_of(code, t["wrong"])
            if t["code"] not in found:
                why.append(f"the wrong one does not raise it: {sorted(found)} {out[:300]}")
            found, errors, out = codes_of(code, t["right"])
            if t["code"] in found:
                why.append(f"the right one raises it: {out[:300]}")
            if errors and code not in RAW:
                why.append(f"the right one is wrong: {sorted(errors)} {out[:300]}")
            if t["code"][1:] not in shown and code not in BY_TESTS:
                why.append("no wrong policy in tests/policies/bad shows it")
        if t["code"][1:] not in shown and t["code"] not in named:
            why.append("no test says what it is said of: none has its code")
        print(f"{'not ok' if why else 'ok'} {t['code']} {t['title']}")
        for w in why:
            print("# " + w.replace("\n", "\n# "))
            rc = 1
    return rc


sys.exit(main())
