#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the benchmark's commands in turn and prints the ratios (see bench.sh).

Each figure is the median of the paired runs, with the smallest and largest
beside it. Nothing is judged: the targets stand in the table's last column.
"""
import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time


def run(cmd):
    """Wall seconds, CPU seconds and peak KiB of one command."""
    with tempfile.TemporaryFile() as out:
        before = time.monotonic()
        child = subprocess.Popen(cmd, stdout=out, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.monotonic() - before
        code = os.waitstatus_to_exitcode(status)
        if code not in (0, 1):
            sys.exit(f"bench: {' '.join(cmd)}: exit {code}")
        out.seek(0)
        head = out.read(200)
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, head


def spread(values):
    return (statistics.median(values), min(values), max(values))


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--build", required=True)
    ap.add_argument("--runs", type=int, default=5)
    ap.add_argument("--big", required=True)
    ap.add_argument("--small", required=True)
    ap.add_argument("--less", required=True)
    ap.add_argument("--more", required=True)
    ap.add_argument("--web", required=True)
    ap.add_argument("--small-web", required=True)
    ap.add_argument("--json", required=True)
    a = ap.parse_args()

    tmp = tempfile.mkdtemp(prefix="bench-", dir=os.path.dirname(a.json))
    try:
        results = measure(a, tmp)
    finally:
        shutil.rmtree(tmp)
    with open(a.json, "w", encoding="utf-8") as f:
        json.dump(results, f, indent=1)
        f.write("\n")
    print(f"{'what':<44} {'median':>9} {'min':>9} {'max':>9}  target")
    for r in results:
        m, lo, hi = r["median"], r["min"], r["max"]
        print(f"{r['what']:<44} {m:>9.3f} {lo:>9.3f} {hi:>9.3f}  {r['target']}")


def web(a, tmp, add):
    """Small HTTP and oBIX transactions, one thread, policy and audit on."""
    replay = os.path.join(a.build, "bin", "metergate-replay")
    bare = os.path.join(a.build, "bench", "bench_pcap")
    audit = os.path.join(tmp, "web.db")
    packets = int(run([bare, a.web])[3].split()[0])
    few = int(run([bare, a.small_web])[3].split()[0])
    others = {
        "tshark": (["tshark", "-r", a.small_web, "-T", "fields", "-e",
                    "http.request.uri"], few, ">= 30"),
        "ndpiReader": (["ndpiReader", "-q", "-i", a.web], packets, ">= 5"),
        "suricata": (["suricata", "-r", a.web, "-l", tmp, "--runmode",
                      "single"], packets, ">= 5"),
    }
    there = [name for name in others if shutil.which(name)]
    for name in others:
        if name not in there:
            print(f"SKIP: {name} is not installed", file=sys.stderr)
    bares, facts, judged, alone = [], [], [], []
    took = {name: [] for name in there}
    for i in range(a.runs):
        print(f"bench: HTTP and oBIX, round {i + 1} of {a.runs}",
              file=sys.stderr)
        bares.append(run([bare, a.web])[0])
        facts.append(run([replay, "--jobs", "1", "-q", a.web])[0])
        judged.append(run([replay, "--jobs", "1", "-p", "tests/policies/web",
                           "--audit", audit, a.web])[0])
        os.unlink(audit)
        alone.append(run([replay, "--jobs", "1", "-q", "-p",
                          "tests/policies/web", "--audit", audit, a.web])[0])
        os.unlink(audit)
        for name in there if i < 3 else []:
            cmd, n, _ = others[name]
            took[name].append(run(cmd)[0] * packets / n)
    add("HTTP and oBIX: not written (-q) / bare loop",
        [b / f for b, f in zip(bares, facts)])
    add("HTTP and oBIX: policy and audit / bare loop",
        [b / j for b, j in zip(bares, judged)], ">= 0.25")
    add("HTTP and oBIX: the same without lines (-q) / bare loop",
        [b / j for b, j in zip(bares, alone)], ">= 0.25")
    for name in there:
        add(f"HTTP and oBIX: the same without lines (-q) / {name}",
            [t / j for t, j in zip(took[name], alone)], others[name][2])
        add(f"HTTP and oBIX: policy and audit / {name}",
            [t / j for t, j in zip(took[name], judged)], others[name][2])
    least = json.loads(subprocess.run(
        [os.path.join(a.build, "bench", "bench_least"), a.web],
        capture_output=True, check=True).stdout)
    add("HTTP and oBIX, a ceiling: expat alone / bare loop",
        [least["loop_ns"] / least["expat_ns"]])
    add("HTTP and oBIX, a ceiling: expat and a digest / bare loop",
        [least["loop_ns"] / least["records_ns"]])


def processor_ms(cmd):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(cmd, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1e3 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def language(a, tmp, add):
    """The language at its largest: 256 rules, every dimension, three layers."""
    policy = os.path.join(a.build, "bench", "bench_policy")
    polc = os.path.join(a.build, "bin", "polc")
    rounds = []
    for _ in range(a.runs):
        out = subprocess.run([policy], capture_output=True, check=True)
        rounds.append(json.loads(out.stdout))
    add("language: a message with one observation, 8 rules, ns",
        [r["judge_few_ns"] for r in rounds], "<= 250")
    add("language: 256 rules / 8 rules",
        [r["judge_most_ns"] / r["judge_few_ns"] for r in rounds], "<= 1.3")
    add("language: each observation of eight in a message, 256 rules, ns",
        [r["together_ns"] for r in rounds], "<= 250")
    add("language: a judgement / a bare hash lookup",
        [r["judge_most_ns"] / r["hash_ns"] for r in rounds])
    add("language: a bare hash lookup of the keys, ns", [r["hash_ns"] for r in rounds])
    add("language: allocations in all judgements",
        [r["allocations"] for r in rounds], "0")
    add("language: activation, 4 machines of 256 rules, ms",
        [r["activate_ms"] for r in rounds], "<= 10")
    largest = os.path.join(tmp, "largest.yaml")
    for of, args in (*((f"largest in {s}", [s]) for s in
                       ("each-party", "totals", "ways", "types", "answers",
                        "names", "stars", "first-stars")),
                     ("the largest policy", []), ("256 rules of 60 paths", ["paths"])):
        subprocess.run([sys.executable, "tests/gen_largest.py", largest, *args], check=True)
        took = [processor_ms([polc, "compile", "-n", largest]) for _ in range(a.runs)]
        add(f"language: check and compile of {of}, ms", took, "<= 50")
    after = os.path.join(tmp, "after.yaml")
    subprocess.run([sys.executable, "tests/gen_largest.py", after, "paths", "2"], check=True)
    took = [processor_ms([polc, "diff", largest, after]) for _ in range(a.runs)]
    add("language: both compiled and compared, 256 rules of 60 paths, ms", took, "<= 500")


def audit(a, add):
    """The log: written through the scribe, verified, and the engine's share."""
    program = os.path.join(a.build, "bench", "bench_audit")
    # On a disk, where the scribe's user may go.
    where = tempfile.mkdtemp(prefix="bench-audit-", dir="/var/tmp")
    os.chmod(where, 0o711)
    rounds = []
    try:
        for i in range(a.runs):
            print(f"bench: audit, round {i + 1} of {a.runs}", file=sys.stderr)
            out = subprocess.run([program, where], stdout=subprocess.PIPE, check=True)
            rounds.append(json.loads(out.stdout))
    finally:
        shutil.rmtree(where)
    write = [r["write"] for r in rounds if "write" in r]
    verify = [r["verify"] for r in rounds if "verify" in r]
    share = [r["share"] for r in rounds]
    if write:
        add("audit: records/s, acknowledged (thousand)",
            [w["records_s"] / 1e3 for w in write], ">= 300, or")
        add("audit: the same / bare sqlite loop", [w["ratio"] for w in write], ">= 0.5")
        add("audit: bare sqlite loop, records/s (thousand)",
            [w["bare_records_s"] / 1e3 for w in write])
        add("audit: records of a commit", [w["per_commit"] for w in write])
        add("audit: processor time of a record, ns", [w["scribe_cpu_ns"] for w in write])
        add("audit: records/s verified (million)",
            [v["records_s"] / 1e6 for v in verify], ">= 2, or")
        add("audit: verified / bare SHA-256 of them", [v["ratio"] for v in verify],
            ">= 0.5")
        add("audit: verified / bare SHA-256 of all the format has hashed",
            [v["of_blocks"] for v in verify])
        add("audit: the format's digests alone, ns", [v["digests_ns"] for v in verify])
    add("audit: a record in the engine, ns", [s["with_storm_ns"] for s in share], "<= 300")
    add("audit: its message at the scribe, ns", [s["scribe_get_read_ns"] for s in share])
    add("audit: a bare copy of it, ns", [s["copy_ns"] for s in share])


def measure(a, tmp):
    replay = os.path.join(a.build, "bin", "metergate-replay")
    bare = os.path.join(a.build, "bench", "bench_pcap")
    policy = "tests/policies/polling"
    results = []

    def add(what, values, target=""):
        m, lo, hi = spread(values)
        results.append({"what": what, "median": m, "min": lo, "max": hi,
                        "target": target})

    packets = int(run([bare, a.big])[3].split()[0])
    small_packets = int(run([bare, a.small])[3].split()[0])
    facts, quiet, judged, bares, shark = [], [], [], [], []
    facts1, judged1 = [], []  # on one thread
    audit = os.path.join(tmp, "audit.db")
    for i in range(a.runs):
        print(f"bench: round {i + 1} of {a.runs}", file=sys.stderr)
        bares.append(run([bare, a.big])[0])
        facts.append(run([replay, a.big])[0])
        quiet.append(run([replay, "-q", a.big])[0])
        if os.path.exists(audit):
            os.unlink(audit)
        judged.append(run([replay, "-p", policy, "--audit", audit, a.big])[0])
        os.unlink(audit)
        facts1.append(run([replay, "--jobs", "1", a.big])[0])
        judged1.append(run([replay, "--jobs", "1", "-p", policy, "--audit", audit,
                            a.big])[0])
        if shutil.which("tshark") and i < 3:
            t = run(["tshark", "-r", a.small, "-T", "fields",
                     "-e", "c1222.cmd"])[0]
            shark.append(t / small_packets)
    add("bare pcap_next_ex loop, packets/s (million)",
        [packets / t / 1e6 for t in bares])
    add("facts only, packets/s (million)",
        [packets / t / 1e6 for t in facts])
    add("facts only / bare loop",
        [b / f for b, f in zip(bares, facts)], ">= 0.5")
    add("facts only, not written (-q) / bare loop",
        [b / q for b, q in zip(bares, quiet)])
    add("policy and audit / bare loop",
        [b / j for b, j in zip(bares, judged)], ">= 0.35")
    add("threads: one / as many as help, facts only",
        [o / f for o, f in zip(facts1, facts)], "> 1")
    add("threads: one / as many as help, policy and audit",
        [o / j for o, j in zip(judged1, judged)], "> 1")
    if shark:
        add("facts only / tshark",
            [s / (f / packets) for s, f in zip(shark, facts)], ">= 30")
    web(a, tmp, add)
    peaks = [run([replay, "-q", a.less])[2], run([replay, "-q", a.more])[2]]
    add("peak memory, ten times the capture / once", [peaks[1] / peaks[0]],
        "0.9 to 1.1")
    add("peak memory, MiB", [peaks[1] / 1024])
    evaluator = os.path.join(a.build, "bench", "bench_eval")
    if os.path.exists(evaluator):
        rounds = []
        for _ in range(a.runs):
            out = subprocess.run([evaluator], capture_output=True, check=True)
            rounds.append(json.loads(out.stdout))
        add("yardstick: SipHash-2-4 of 64 octets, ns",
            [r["siphash_64_ns"] for r in rounds])
        add("evaluation with 10 rules, ns", [r["judge_10_rules_ns"] for r in rounds],
            "<= 250")
        add("evaluation, 250 rules / 10 rules",
            [r["judge_250_rules_ns"] / r["judge_10_rules_ns"] for r in rounds], "<= 1.5")
    language(a, tmp, add)
    audit(a, add)
    reader = os.path.join(a.build, "bench", "bench_obix")
    if os.path.exists(reader):
        rounds = []
        for _ in range(a.runs):
            out = subprocess.run([reader], capture_output=True, check=True)
            rounds.append(json.loads(out.stdout))
        for what in "history", "poll":
            add(f"oBIX, a {what} / bare expat",
                [r[what]["ratio"] for r in rounds], ">= 0.6")
    return results


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
