#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/eve.schema.json says what the programs write: every line of every
capture, with and without values and policies, and every line that an audit
exports, is valid; and what the schema says is not empty, for a line that is
spoiled is not. The examples and recipes of docs/eve.md are tried, too."""
import copy
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

import jsonschema

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
os.chdir(ROOT)
BUILD = os.environ.get("BUILD", "build")
REPLAY = os.path.join(BUILD, "bin", "metergate-replay")
AUDIT = os.path.join(BUILD, "bin", "metergate-audit")
SHARED = os.environ.get("METERGATE_SHARED", "../shared")
KEYS = ["-k", "tests/pcaps/keys.yaml"]
failed = False


def check(what, wrong):
    global failed
    failed |= bool(wrong)
    print("%sok %s%s" % ("not " if wrong else "", what,
                         ": %s" % str(wrong)[:500] if wrong else ""))


with open("docs/eve.schema.json", encoding="utf-8") as f:
    SCHEMA = json.load(f)
VALID = jsonschema.Draft202012Validator(SCHEMA)


def why(line):
    """What is wrong with one event; None: nothing."""
    try:
        event = json.loads(line) if isinstance(line, (str, bytes)) else line
    except ValueError as e:
        return "no JSON: %s" % e
    for e in VALID.iter_errors(event):
        return "%s: %s" % ("/".join(map(str, e.absolute_path)),
                           e.message[:200])
    return None


def lines_of(command):
    done = subprocess.run(command, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False)
    if done.returncode > 1:
        return [], done.stderr.decode()[-200:]
    return done.stdout.splitlines(), None


def captures():
    """(name, arguments) of every way to read every capture."""
    here = sorted(x for x in os.listdir("tests/pcaps") if x.endswith(".pcap"))
    for name in here:
        path = os.path.join("tests/pcaps", name)
        which = ["agents"] if name.startswith("gen_http_") else \
            ["services", "--resolver", "10.20.0.53"] \
            if name.startswith("gen_net_") else ["metering"]
        yield name, KEYS + ["--values", path]
        yield name + " judged", KEYS + ["-p", "tests/policies/" + which[0]] + \
            which[1:] + [path]
    for folder in ("c1222", "obix"):
        there = os.path.join(SHARED, "pcaps", folder)
        if not os.path.isdir(there):
            print("SKIP: no %s" % there)
            continue
        for name in sorted(os.listdir(there)):
            if re.search(r"\.p?cap(ng)?$", name):
                yield name, KEYS + ["--values", os.path.join(there, name)]


def all_lines():
    seen = {}
    n = 0
    for name, arguments in captures():
        lines, error = lines_of([REPLAY] + arguments)
        bad = error or next((x for x in map(why, lines) if x), None)
        if bad or not lines:
            check("lines of " + name, bad or "there are none")
        n += len(lines)
        for line in lines:
            seen.setdefault(json.loads(line)["event_type"], json.loads(line))
    print("# %d lines" % n)
    check("lines of every capture", None if n > 2000 else "only %d" % n)
    want = {"c1222", "http", "obix", "tls", "dns", "dhcp", "ntp", "flow",
            "anomaly", "decision", "violation", "policy", "stats"}
    check("every type of event was among them", want - set(seen))
    return seen


def exported(work):
    db = os.path.join(work, "a.db")
    lines_of([REPLAY, "-p", "tests/policies/metering", "--audit", db] + KEYS +
             ["tests/pcaps/gen_polling.pcap"])
    lines, error = lines_of([AUDIT, "export", db])
    bad = error or next((x for x in map(why, lines) if x), None)
    check("lines that an audit exports", bad or ("" if lines else "none"))
    check("they are numbered", "" if [json.loads(x)["metergate"]["seq"]
                                      for x in lines] ==
          list(range(len(lines))) else "not in order")
    return db


def spoiled(seen):
    """Each way must be noticed in each event that it can be done to."""
    def without(key):
        return lambda e: e.pop(key)

    def put(path, value):
        def f(e):
            for k in path[:-1]:
                e = e[k]
            e[path[-1]] = value
        return f
    ways = [
        ("without a type", without("event_type")),
        ("without a time", without("timestamp")),
        ("of another type", put(["event_type"], "alert")),
        ("with a key more", put(["severity_of_it"], 1)),
        ("with a time of another form", put(["timestamp"], "2026-11-25")),
        ("with a port as text", put(["src_port"], "1153")),
        ("with a port too large", put(["dest_port"], 65536)),
        ("with a reason of no list", put(["metergate", "reason"], "because")),
        ("with a verdict of no list", put(["metergate", "verdict"], "maybe")),
        ("with a key more inside", put(["metergate", "colour"], "red")),
        ("with a number as text", put(["metergate", "octets"], "31")),
        ("with a direction of no list", put(["metergate", "direction"], "up")),
        ("a table too large", put(["c1222", "services"],
                                  [{"code": 48, "table": 4096}])),
        ("a code as text", put(["c1222", "services"], [{"code": "48"}])),
        ("a status of 0", put(["http", "status"], 0)),
        ("an object without op", put(["obix"], {"uri": "/"})),
        ("a name of no type", put(["dns", "type"], "reply")),
        ("a flow in no state", put(["flow", "state"], "odd")),
    ]
    tried = 0
    for what, spoil in ways:
        missed = []
        n = 0
        for kind, event in seen.items():
            other = copy.deepcopy(event)
            try:
                spoil(other)
            except KeyError:
                continue
            n += 1
            if not why(other):
                missed.append(kind)
        tried += n
        check("an event %s is not valid" % what,
              missed or ("" if n else "there was none to spoil"))
    print("# %d spoiled events" % tried)


def required(seen):
    """What a type of event is about must be there."""
    for kind in ("c1222", "http", "obix", "tls", "dns", "flow", "anomaly",
                 "stats"):
        event = copy.deepcopy(seen[kind])
        del event[kind]
        check("%s without its object is not valid" % kind,
              "" if why(event) else "it is")
    event = copy.deepcopy(seen["decision"])
    event["metergate"]["verdict"] = "deny"
    check("a decision that denies is not valid",
          "" if why(event) else "it is")


def lists():
    with open("core/reason.def", encoding="utf-8") as f:
        reasons = re.findall(r'^X\([A-Z0-9_]+, "([^"]+)"', f.read(), re.M)
    check("the reasons are the closed list",
          set(reasons) ^ set(SCHEMA["$defs"]["reason"]["enum"]))
    with open("docs/eve.md", encoding="utf-8") as f:
        text = f.read()
    names = set(re.findall(r"`([a-z0-9_]+)`", text))
    told = set(SCHEMA["properties"]) | \
        set(SCHEMA["$defs"]["metergate"]["properties"])
    told |= {k for o in ("c1222", "http", "obix", "tls", "dns", "flow",
                         "anomaly") for k in SCHEMA["$defs"][o]["properties"]}
    told -= {"metergate"}
    check("docs/eve.md has a word for each key", told - names)
    return text


def blocks(text, language):
    return re.findall(r"^```%s\n(.*?)^```" % language, text, re.M | re.S)


def examples(text):
    found = blocks(text, "json")
    for i, block in enumerate(found):
        check("example %d of docs/eve.md" % (i + 1), why(block))
    check("there are examples",
          None if len(found) >= 4 else "only %d" % len(found))


def recipes(text, work, db):
    """Each is run as it stands there, on events of a capture, and must print
    something and nothing on the error output."""
    events = []
    for name in ("gen_polling", "gen_profile", "gen_refused", "gen_errors"):
        path = "tests/pcaps/%s.pcap" % name
        events += lines_of([REPLAY, "-p", "tests/policies/metering"] + KEYS +
                           [path])[0]
        events += lines_of([REPLAY] + KEYS + [path])[0]
    with open(os.path.join(work, "events.json"), "wb") as f:
        f.write(b"\n".join(events) + b"\n")
    shutil.copy(db, os.path.join(work, "audit.db"))
    path = os.path.abspath(os.path.dirname(AUDIT)) + ":" + os.environ["PATH"]
    found = blocks(text, "sh")
    for block in found:
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", block],
                              cwd=work, env=dict(os.environ, PATH=path),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              check=False)
        name = " ".join(block.split())[:60]
        said = [x for x in done.stderr.decode().splitlines()
                if not x.endswith("so this export is not recorded in it")]
        check("recipe: " + name,
              done.stderr.decode() if done.returncode or said
              else "" if done.stdout.strip() else "it prints nothing")
    check("there are recipes",
          None if len(found) >= 5 else "only %d" % len(found))


def main():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    check("the schema is one", "")
    with tempfile.TemporaryDirectory() as work:
        seen = all_lines()
        db = exported(work)
        spoiled(seen)
        required(seen)
        text = lists()
        examples(text)
        recipes(text, work, db)
    sys.exit(1 if failed else 0)


main()
