#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The nine example policies of the language (its section 21) are all here and
as they were written: 48 steps of tests, 11 assertions, and all of them hold.
Where the text is at hand they are compared with it, octet by octet."""
import hashlib
import json
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HOME = os.path.join(ROOT, "tests/policies/household")
POLC = os.path.join(ROOT, os.environ.get("BUILD", "build"), "bin/polc")
SHARED = os.environ.get("METERGATE_SHARED", os.path.join(ROOT, "../shared"))
NAMES = ["baseline", "binding", "customer", "flex", "household-tests",
         "library", "mdma", "portal", "tips"]
DIGEST = "0cb19e7962e32efe9380a2a24ffa86066d503bd0a749d2d698e0fe6a752e7b29"
failed = 0


def check(name, ok, why=""):
    global failed
    print(f"ok {name}" if ok else f"not ok {name}\n# {why}")
    failed += not ok


def below(text, key):
    """Lines of every block that a line of this key opens, with its indent."""
    out, inside = [], None
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        if inside is not None and line.strip() and indent <= inside:
            inside = None
        if inside is not None and line.strip():
            out.append((indent - inside, line.strip()))
        if line.strip() == key + ":":
            inside = indent
    return out


texts = {}
for name in NAMES:
    with open(f"{HOME}/{name}.yaml", encoding="utf-8") as f:
        texts[name] = f.read()
there = sorted(f[:-5] for f in os.listdir(HOME) if f.endswith(".yaml"))
check("nine files", there == NAMES, there)

# Remarks that --mutate reads may stand behind what was written.
plain = {n: re.sub(r"^# .*\n", "", t, flags=re.M) for n, t in texts.items()}
digest = hashlib.sha256("".join(plain[n] for n in NAMES).encode()).hexdigest()
check("not altered", digest == DIGEST, digest)

steps = sum(1 for t in texts.values() for _, line in below(t, "steps")
            if re.search(r"\bexpect: (permit|deny|defer)\b", line))
check("48 steps", steps == 48, steps)
asserts = sum(1 for t in texts.values() for depth, _ in below(t, "assert")
              if depth == 2)
check("11 assertions", asserts == 11, asserts)

run = subprocess.run([POLC, "test", HOME], capture_output=True, text=True)
check("every test passes", run.returncode == 0 and ", 0 failed" in run.stdout,
      run.stdout + run.stderr)
run = subprocess.run([POLC, "check", "--json", HOME], capture_output=True,
                     text=True)
errors = [d for d in map(json.loads, run.stdout.splitlines())
          if d.get("level") == "error"]
check("every assertion is proved", run.returncode == 0 and not errors, errors)

spec = os.path.join(SHARED, "reference/policy-language.md")
if os.path.exists(spec):
    with open(spec, encoding="utf-8") as f:
        blocks = re.findall(r"^```yaml\n# file: (\S+)\.yaml\n(.*?)^```$",
                            f.read(), re.M | re.S)
    check("the text has nine", sorted(n for n, _ in blocks) == NAMES)
    for name, text in blocks:
        text = re.sub(r"^# .*\n", "", text, flags=re.M)
        check(f"{name}.yaml as in the text", plain.get(name) == text)
else:
    print("SKIP: the language's own text is not here")
sys.exit(1 if failed else 0)
