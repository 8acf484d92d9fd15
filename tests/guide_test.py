#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Everything that docs/policy-guide.md shows is so. Its yaml blocks build the
files that they name: "# file: NAME" begins one, "# in NAME" adds its entries
to one, or puts them in place of those with the same name. Its console blocks
are run in order, and say what is shown; a line "..." stands for any lines.
UPDATE=1 writes what the commands say into blocks that differ."""
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BIN = os.path.join(os.path.abspath(os.environ.get(
    "BUILD", os.path.join(ROOT, "build"))), "bin")
GUIDE = os.path.join(ROOT, "docs", "policy-guide.md")
failures = 0


def say(good, what, why=()):
    global failures
    failures += not good
    print("ok" if good else "not ok", what)
    for line in why:
        print("# " + line)


def split(text, pattern):
    """[(name, lines)]: pieces that begin with a line of that pattern; comments
    before it belong to it. The first piece has no name."""
    pieces, waiting = [("", [])], []
    for line in text:
        found = re.match(pattern, line)
        if found:
            pieces.append((found.group(1), waiting + [line]))
            waiting = []
        elif re.match(r"\s*(#.*)?$", line):
            waiting.append(line)
        else:
            pieces[-1][1].extend(waiting + [line])
            waiting = []
    return pieces


def put(pieces, new):
    """New pieces in place of those with the same name, else at the end."""
    for name, lines in new:
        at = [i for i, piece in enumerate(pieces) if piece[0] == name]
        if name and at:
            pieces[at[0]] = (name, lines)
        elif name:
            pieces.append((name, lines))
    return [line for _, lines in pieces for line in lines]


def merge(old, new):
    """Sections of a file are merged entry by entry, single values replaced."""
    sections = split(old, r"([a-z-]+):")
    have = dict(sections)
    for name, lines in split(new, r"([a-z-]+):")[1:]:
        entries = split(lines, r"  ([a-z0-9-]+):")
        if name in have and len(entries) > 1:
            lines = put(split(have[name], r"  ([a-z0-9-]+):"), entries[1:])
        put_at = [i for i, s in enumerate(sections) if s[0] == name]
        if put_at:
            sections[put_at[0]] = (name, lines)
        else:
            sections.append((name, lines))
    return [line for _, lines in sections for line in lines]


def build(block, where):
    """Make or change the file that a block is about; returns its name."""
    found = re.match(r"# (file:|in) ([a-z-]+\.yaml)$", block[0])
    if not found:
        return None
    path = os.path.join(where, found.group(2))
    body = block[1:]
    if found.group(1) == "in":
        with open(path, encoding="utf-8") as f:
            body = merge(f.read().splitlines(), body)
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(body) + "\n")
    return found.group(2)


def run(command, where):
    env = dict(os.environ, PATH=BIN + ":" + os.environ["PATH"], LC_ALL="C")
    done = subprocess.run(["bash", "-c", command], cwd=where, env=env,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, check=False)
    return done.stdout.decode().splitlines()


def agrees(shown, got):
    parts = [re.escape(line) + "\n" if line != "..." else "(?s:.*?)"
             for line in shown]
    return re.fullmatch("".join(parts), "".join(x + "\n" for x in got))


def console(block, where, number):
    """The block, as it should be."""
    out, i = [], 0
    while i < len(block):
        command = block[i][2:]
        while command.endswith("\\"):
            i += 1
            command = command[:-1] + block[i].strip()
        i += 1
        shown = []
        while i < len(block) and not block[i].startswith("$ "):
            shown.append(block[i])
            i += 1
        got = run(command, where)
        same = bool(agrees(shown, got))
        what = "docs/policy-guide.md:%d: %s" % (number, command)
        if os.environ.get("UPDATE") and not same:
            say(True, "wrote " + what)
            shown = got
        else:
            say(same, what, () if same else got)
        out.append((command, shown))
    return out


def main():
    with open(GUIDE, encoding="utf-8") as f:
        lines = f.read().splitlines()
    result, i, seen = [], 0, {"yaml": 0, "console": 0}
    with tempfile.TemporaryDirectory() as where:
        for what in ("policies", "tests/pcaps", "tests/policies/metering"):
            os.symlink(os.path.join(ROOT, what),
                       os.path.join(where, os.path.basename(what)))
        while i < len(lines):
            result.append(lines[i])
            kind = lines[i][3:] if lines[i].startswith("```") else None
            i += 1
            if kind is None:
                continue
            end = lines.index("```", i)
            block = lines[i:end]
            if kind == "yaml":
                name = build(block, where)
                say(bool(name), "docs/policy-guide.md:%d: a block of %s" %
                    (i, name or "no file"))
                if name and block[0].startswith("# in "):
                    got = run("polc fmt " + name, where)
                    say(not got, "which can be laid out", got)
                elif name:
                    got = run("polc fmt --check " + name, where)
                    say(not got, "which is laid out as polc fmt would", got)
            elif kind == "console":
                done = console(block, where, i)
                if os.environ.get("UPDATE"):
                    block = rewrite(block, done)
            else:
                say(False, "docs/policy-guide.md:%d: a block of '%s', which "
                    "nobody checks" % (i, kind))
            seen[kind] = seen.get(kind, 0) + 1
            result += block + ["```"]
            i = end + 1
    say(seen["yaml"] >= 10 and seen["console"] >= 10, "there is a guide")
    if os.environ.get("UPDATE"):
        with open(GUIDE, "w", encoding="utf-8") as f:
            f.write("\n".join(result) + "\n")
    return 1 if failures else 0


def rewrite(block, done):
    """Commands as they were written, with what they said."""
    out, i = [], 0
    for _, shown in done:
        while not block[i].startswith("$ "):
            i += 1
        out.append(block[i])
        while block[i].endswith("\\"):
            i += 1
            out.append(block[i])
        i += 1
        out += shown
    return out


if __name__ == "__main__":
    sys.exit(main())
