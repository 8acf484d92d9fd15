#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The JSON Schema of polc schema says what polc check says: every policy of
the tree is valid, as text and as an editor reads it, and every wrong one whose
fault is of form is not."""
import glob
import json
import os
import re
import subprocess
import sys

import yaml

os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
POLC = os.path.join(os.environ.get("BUILD", "build"), "bin", "polc")
BAD = "tests/policies/bad"
# Of form: what kind of thing stands where, and how values are written. Beyond
# it: what is only wrong beside something else, or in the world.
FORM = re.compile(r"P(2\d\d\d|31\d\d|3201|3204|3205|3210)$")
BEYOND = {
    "P2103": "a key that does not go with another",
    "P2208": "an empty value that is only empty beside others",
    "P2209": "one of several keys is needed",
    "P3125": "zones are looked up in the tz database",
    "P3134": "a date is near or far by the clock",
    "P3210": "reasons are looked up when they are read",
}
EACH = {  # file: why the schema cannot know
    "p3104-range": "the order of two quantities",
    "p3108-stars": "what stands between two stars",
    "p3108-path": "that a path is normal",
    "p3109-hostbits": "the bits behind a length",
    "p3114-block": "that a restriction is not switched off",
    "p3115-date": "the calendar",
    "p3119-mac": "the bit of a group's address",
    "p3125-zone": "what a zone's name may hold",
    "p3126-quotes": "how a text is quoted",
    "p3132-interface": "what the system takes for a name",
}
rc = 0


def said(ok, name, why=""):
    global rc
    print(("ok " if ok else "not ok ") + name + (": " + why if why and not ok else ""))
    rc |= not ok


class Core(yaml.SafeLoader):
    """Scalars as YAML 1.2 has them, which is how editors read: no dates, and
    on is a word."""


Core.yaml_implicit_resolvers = {}
for tag, form, first in (
        ("tag:yaml.org,2002:bool", r"^(true|false)$", "tf"),
        ("tag:yaml.org,2002:int", r"^[-+]?(0|[1-9][0-9]*)$", "-+0123456789"),
        ("tag:yaml.org,2002:float", r"^[-+]?[0-9]+\.[0-9]*$", "-+0123456789"),
        ("tag:yaml.org,2002:null", r"^(null|~|)$", ["n", "~", ""])):
    Core.add_implicit_resolver(tag, re.compile(form), list(first))


def load(path, loader):
    with open(path, encoding="utf-8") as f:
        return yaml.load(f, loader)


text = subprocess.run([POLC, "schema"], capture_output=True, check=True).stdout
schema = json.loads(text)
said(text.count(b"\n") == 1, "one line")
said(subprocess.run([POLC, "schema", "--frob"], capture_output=True).returncode == 2, "usage")
refs = set(re.findall(r'"#/\$defs/([^"]*)"', text.decode()))
said(refs == set(schema["$defs"]), "each definition is used, and none is missing",
     str(sorted(refs ^ set(schema["$defs"]))[:5]))
try:
    import jsonschema
except ImportError:
    print("SKIP: python3-jsonschema is not installed")
    sys.exit(rc)
jsonschema.Draft202012Validator.check_schema(schema)
valid = jsonschema.Draft202012Validator(schema)
said(True, "it is a schema")

wrong = []
files = sorted(glob.glob("policies/**/*.yaml", recursive=True)
               + [f for f in glob.glob("tests/policies/*/*.yaml") if not f.startswith(BAD)])
for path in files:
    for loader in (yaml.BaseLoader, Core):
        wrong += ["%s: %s" % (path, e.message[:80]) for e in valid.iter_errors(load(path, loader))]
said(len(files) > 40 and not wrong, "%d policies are valid" % len(files), str(wrong[:3]))

form = known = 0
stale = sorted(n for n in EACH if not os.path.exists("%s/%s.yaml" % (BAD, n)))
passed = []
for path in sorted(glob.glob(BAD + "/*.yaml")):
    with open(path[:-5] + ".expect", encoding="utf-8") as f:
        codes = set(re.findall(r"error\[(P\d+)\]", f.read()))
    if not any(FORM.match(c) for c in codes):
        continue
    name = os.path.basename(path)[:-5]
    good = all(valid.is_valid(load(path, loader)) for loader in (yaml.BaseLoader, Core))
    if name in EACH or all(c in BEYOND for c in codes if FORM.match(c)):
        known += 1
        if name in EACH and not good:
            passed.append(name + " is noticed after all")
        continue
    form += 1
    if good:
        passed.append("%s (%s)" % (name, " ".join(sorted(codes))))
said(form >= 40 and not passed, "%d wrong policies are not valid" % form, str(passed))
said(known <= 20 and not stale, "%d are beyond it" % known, str(stale))
sys.exit(rc)
