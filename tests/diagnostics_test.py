#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What polc says of wrong policies: sets of files, SARIF, and counts.

Each folder of tests/policies/bad is a household with something wrong between
its files; polc link says just what its `expect` says (UPDATE=1 writes them).
Single files are compared by policy-lang/front/bad_test.c.
"""
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
POLC = os.path.realpath(os.path.join(TOP, os.environ.get("BUILD", "build"), "bin/polc"))
BAD = os.path.join(TOP, "tests/policies/bad")
failed = False


def polc(*args, cwd=BAD):
    p = subprocess.run([POLC, *args], cwd=cwd, capture_output=True, stdin=subprocess.DEVNULL)
    return p.returncode, p.stdout.decode(), p.stderr.decode()


def check(name, ok, why=""):
    global failed
    print(f"{'ok' if ok else 'not ok'} {name}")
    if not ok:
        failed = True
        for line in str(why).splitlines()[:12]:
            print(f"# {line}")


def sets():
    names = sorted(os.path.basename(os.path.dirname(d)) for d in glob.glob(BAD + "/*/"))
    check("there are sets", len(names) >= 20, names)
    for name in names:
        code, out, err = polc("link", name)
        path = os.path.join(BAD, name, "expect")
        # How much memory the state takes is not the author's doing.
        got = re.sub(r"\d+ octets of state", "N octets of state", f"{out}{err}exit: {code}\n")
        if os.environ.get("UPDATE"):
            with open(path, "w", encoding="utf-8") as f:
                f.write(got)
        with open(path, encoding="utf-8") as f:
            want = f.read()
        check(f"link of {name}", got == want, got)
        check(f"{name} shows its code", f"[{name[:5].upper()}]" in got, got)
        # Between layers both places are shown.
        if name[:5] in ("p4003", "p4005", "p4006", "p5301", "p6201"):
            check(f"{name} shows both places",
                  re.search(r"mdma\.yaml:\d+:\d+: .*\[P", out)
                  and re.search(r"baseline\.yaml:\d+:\d+: ", out), out)


# What a machine may tell one recipient is held against the baseline as a whole:
# edits of a set in which two daily rules, or two daily parties, are half-daily.
WHOLES = (
    ("p5301-rules", "two daily rules", (), "'send-now' and 'send-season'"),
    ("p5301-rules", "one of them monthly",
     ((r"limits: \[1 reading per day, at least 20 h apart\]\n\Z", "limits: [1 reading per month]\n"),), ""),
    ("p5301-rules", "a limit over both",
     ((r"\Z", "limits:\n  all: {on: {direction: out}, limit: at least 23 h apart}\n"),), ""),
    ("p5301-rules", "one of them asked for",
     (("consent: none", "consent: opt-in"),), ""),
    ("p5301-rules", "thirty in a burst",
     (("consent: none", "consent: opt-in"),
      (r"limits: \[1 reading per day, at least 20 h apart\]", "limits: [1 reading per 1 d burst 30]"),),
     "'send-now' gives energy.register moment by moment"),
    # On trial a rule is as fine as its ceiling, and asks what it says.
    ("p5301-rules", "a rule on trial",
     (("consent: opt-out", "consent: none\n    mode: {monitor-until: 2026-05-01}"),
      (r"limits: \[1 reading per day, at least 20 h apart\]\n\Z", "limits: [1 reading per month]\n")),
     "'send-now', on trial, gives energy.register moment by moment"),
    ("p5301-rules", "a rule on trial that asks",
     (("consent: opt-out", "consent: opt-in\n    mode: {monitor-until: 2026-05-01}"),), ""),
    ("p5301-rules", "a policy on trial",
     (("vm: mdma", "vm: mdma\nmode: {monitor-until: 2026-05-01}"), ("consent: none", "consent: opt-in"),
      ("consent: opt-out", "consent: opt-in")),
     "mdma.yaml:7:7: .*the policy on trial gives energy.register moment by moment"),
    ("p5301-rules", "other measurements than the rule's",
     (("energy.register, energy.tou, power.peak", "event.meter"),), ""),
    ("p5301-parties", "one host by two names", (), "'send', to 'day' and 'night'"),
    ("p5301-parties", "two hosts by one certificate",
     (("203.0.113.8", "198.51.100.8"),), "'send', to 'day' and 'night'"),
    ("p5301-parties", "two hosts by one operator",
     (("203.0.113.8", "198.51.100.8"), (r"tls: \{names: \[mdm.example\]\}", "operator: A\n    tls: {names: [day.example]}"),
      (r"tls: \{names: \[mdm.example\]\}", "operator: A"),), "'send', to 'day' and 'night'"),
    ("p5301-parties", "two hosts without a common name",
     (("203.0.113.8", "198.51.100.8"), (r"names: \[mdm", "names: [other"),), ""),
    ("p5301-parties", "one host with two certificates",
     ((r"names: \[mdm", "names: [other"),), "'send', to 'day' and 'night'"),
    ("p5301-parties", "one host, one of them without a certificate",
     ((r"    tls: \{names: \[mdm.example\]\}\n", ""),), "'send', to 'day' and 'night'"),
    ("p5301-parties", "a common limit of the baseline", "baseline", ""),
)


def wholes():
    for name, why, edits, want in WHOLES:
        with tempfile.TemporaryDirectory() as tmp:
            shutil.copytree(os.path.join(BAD, name), tmp + "/set")
            path = tmp + "/set/mdma.yaml"
            with open(path, encoding="utf-8") as f:
                text = f.read()
            if edits == "baseline":
                with open(tmp + "/set/baseline.yaml", "a", encoding="utf-8") as f:
                    f.write("limits:\n  all: {on: {direction: out}, each: [vm], limit: 1 reading per day}\n")
                edits = ()
            for old, new in edits:
                text, n = re.subn(old, new, text, count=1)
                assert n == 1, (why, old)
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            code, out, err = polc("link", "set", cwd=tmp)
            told = [line for line in out.splitlines() if "[P5301]" in line]
            check(f"consent for the whole: {why}",
                  (code == 1 and len(told) == 1 and re.search(want, told[0])) if want
                  else (code == 0 and not told), out + err)


# Sums over a file that an image has no room for stand at the rule that is too many.
SIZES = (
    ("256 limits", 128, ", limits: [9 messages per day, 99 messages per week]", 0, ""),
    ("258 limits", 129, ", limits: [9 messages per day, 99 messages per week]", 0, "g128"),
    ("1024 observations", 64, "", 16, ""),
    ("1025 observations", 65, "", 16, "g064"),
)


def sizes():
    for why, rules, limits, n, want in SIZES:
        with tempfile.TemporaryDirectory() as tmp:
            text = ("polc: 1\nkind: vendor\nid: com.example.bad\nserial: 1\ntitle: Large\nvm: m\nparties:\n"
                    "  hub: {name: H, role: metering, address: [203.0.113.0/28], ports: [tcp/80]}\nallow:\n")
            for i in range(rules):
                paths = ", ".join(f"{{http.request: {{path: /{i}/{k}}}}}" for k in range(n or 1))
                text += f"  g{i:03}: {{direction: out, party: hub, match: [{paths}]{limits}}}\n"
            with open(tmp + "/large.yaml", "w", encoding="utf-8") as f:
                f.write(text)
            code, out, err = polc("check", "large.yaml", cwd=tmp)
            told = [i for i, line in enumerate(out.splitlines()) if "[P3301]" in line]
            shown = out.splitlines()[told[0] + 1] if told else ""
            check(f"a file of {why}", (code == 1 and len(told) == 1 and want + ":" in shown) if want
                  else (code == 0 and not told), out[-600:] + err)


def sarif_of(*args):
    code, out, _ = polc(*args)
    return code, json.loads(out)


def place_ok(place, source_of):
    loc = place["physicalLocation"]
    lines = source_of(loc["artifactLocation"]["uri"])
    r = loc.get("region")
    if r is None:
        return True
    line = lines[r["startLine"] - 1]
    return 1 <= r["startColumn"] < r["endColumn"] and r["startColumn"] <= len(line) + 1


def valid(doc, source_of):
    """The members that section 3 of SARIF 2.1.0 requires, and their places."""
    assert doc["version"] == "2.1.0" and doc["$schema"].startswith("https://")
    (run,) = doc["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] == "polc" and re.fullmatch(r"\d+\.\d+\.\d+", driver["semanticVersion"])
    rules = driver["rules"]
    assert len({r["id"] for r in rules}) == len(rules) > 100
    for r in rules:
        assert r["shortDescription"]["text"] and r["fullDescription"]["text"] and r["help"]["text"]
    for res in run["results"]:
        assert rules[res["ruleIndex"]]["id"] == res["ruleId"], res
        assert res["level"] in ("error", "warning", "note"), res
        assert res["message"]["text"], res
        assert len(res["locations"]) == 1
        for p in res["locations"] + res.get("relatedLocations", []):
            assert place_ok(p, source_of), p
        for p in res.get("relatedLocations", []):
            assert p["message"]["text"], p
    return run


def sarif():
    def source_of(uri):
        with open(os.path.join(BAD, uri), "rb") as f:
            return f.read().decode("latin-1").split("\n")

    names = sorted(os.path.basename(p) for p in glob.glob(BAD + "/*.yaml"))
    wrong = ""
    n = 0
    for name in names:
        code, out, _ = polc("check", "--json", name)
        lines = [json.loads(line) for line in out.splitlines()]
        scode, doc = sarif_of("check", "--sarif", name)
        try:
            run = valid(doc, source_of)
            # The same findings at the same places, in the same order.
            got = [(r["ruleId"], r["message"]["text"],
                    r["locations"][0]["physicalLocation"].get("region", {}).get("startColumn", 0))
                   for r in run["results"]]
            want = [(d["code"], d["message"], d["column"]) for d in lines]
            assert got == want and scode == code, (got, want)
            n += len(got)
        except (AssertionError, KeyError, IndexError) as e:
            wrong += f"{name}: {e!r}\n"
    check(f"SARIF of {len(names)} files says what the text says, {n} findings", not wrong and n > 100, wrong)
    code, doc = sarif_of("link", "--sarif", "p5301-consent")
    (res,) = [r for r in doc["runs"][0]["results"] if r["ruleId"] == "P5301"]
    check("SARIF of a set names both files",
          code == 1
          and res["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "p5301-consent/mdma.yaml"
          and res["relatedLocations"][0]["physicalLocation"]["artifactLocation"]["uri"]
          == "p5301-consent/baseline.yaml", res)
    code, doc = sarif_of("check", "--sarif", "../household/tips.yaml")
    check("SARIF of a policy without errors is one document",
          code == 0 and all(r["level"] != "error" for r in doc["runs"][0]["results"]))


def link():
    code, out, _ = polc("link", "../household")
    check("the household links", code == 0 and "4 machines of 7 policies" in out, out)
    code, out, _ = polc("link", "--json", "../household")
    last = json.loads(out.splitlines()[-1])
    check("link for programs", [m["machine"] for m in last["machines"]] == ["dr", "mdma", "portal", "tips"]
          and last["state_octets"] > 0, out)
    check("link --strict counts warnings", polc("link", "--strict", "../household")[0] == 1)
    code, _, err = polc("link", "../claims")
    check("no household without a binding", code == 1, err)
    check("link without a directory", polc("link")[0] == 2)


def many():
    """At most 20 errors, all of them counted; each entry by itself."""
    with open(os.path.join(BAD, "p2101-key.yaml"), encoding="utf-8") as f:
        text = f.read()
    with tempfile.TemporaryDirectory() as tmp:
        with open(tmp + "/x.yaml", "w", encoding="utf-8") as f:
            f.write(text + "".join(f"wrong-{chr(97 + i)}x: 1\n" for i in range(26)))
        code, out, _ = polc("check", "x.yaml", cwd=tmp)
        shown = len(re.findall(r"error\[P", out))
        last = out.splitlines()[-1]
        check("twenty errors are shown, and all counted",
              code == 1 and shown == 20 and re.match(r"(2[7-9]|3\d) errors \(20 shown\)", last), (shown, last))
        code, out, _ = polc("check", "--json", "x.yaml", cwd=tmp)
        check("for programs too", len([1 for line in out.splitlines() if '"level":"error"' in line]) == 20)


def main():
    sets()
    sarif()
    wholes()
    sizes()
    link()
    many()
    return 1 if failed else 0


sys.exit(main())
