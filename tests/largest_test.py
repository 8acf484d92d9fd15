#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Policies that ask the compiler for as much as the language allows: none of
them takes it more than so many times (FORMATS, TYPES) as long as formatting 256 KiB
does, which is reading them and little else, or more than 40 MiB. With work for each
pair of rules, parties or limits left in, it is twenty to three hundred times."""
import os
import sys
import tempfile

os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, "tests")
import gen_largest  # noqa: E402

POLC = os.path.join(os.environ.get("BUILD", "build"), "bin", "polc")
# What check and compile take is bounded by docs/performance.md; the others tell all.
FORMATS = {"check": 3, "compile": 3, "label": 14, "bound": 14}
# Where figures are 82,000.
TYPES = {"check": 5, "compile": 5, "label": 14, "bound": 14}
MIB = 40


def run(*args):
    pid = os.posix_spawn(POLC, [POLC, *args], os.environ,
                         file_actions=[(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_WRONLY, 0)
                                       for fd in (1, 2)])
    _, status, used = os.wait4(pid, 0)
    return os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main():
    failed, fmt = 0, 0
    with tempfile.TemporaryDirectory() as tmp:
        for shape in ("paths", None, *gen_largest.SHAPES):
            name = os.path.join(tmp, f"{shape}.yaml")
            with open(name, "w", encoding="ascii") as out:
                out.write(gen_largest.text_of(*[shape] if shape else []))
            fmt = fmt or sorted(run("fmt", name)[1] for _ in range(5))[2]
            for command in (["check"], ["compile", "-n"], ["label"], ["bound"]):
                most = fmt * (TYPES if shape == "types" else FORMATS)[command[0]]
                rc, seconds, mib = min(run(*command, name) for _ in range(3))
                ok = rc == 0 and seconds < most and mib < MIB
                print(f"{'ok' if ok else 'not ok'} {command[0]}, {shape or 'all dimensions'}"
                      + ("" if ok else f" # exit {rc}, {seconds:.2f} of {most:.2f} s, {mib:.0f} MiB"))
                failed += not ok
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
