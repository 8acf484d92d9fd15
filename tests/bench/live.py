#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The gateway live, against plain forwarding and a tight accept-all queue.

usage: live.py --build DIR [--runs N] [--seconds S] [--only NAME] --json FILE

Three forms of one path (tests/e2e/net.sh: a guest, the gateway's namespace,
the head-end), taken in turn, so that each ratio is of one run:

  forward  the kernel forwards, nothing looks
  accept   every packet through one queue, accepted unread (accept_all)
  gate     metergated: pipeline, policy and audit; in "+offload" too

Each ratio is the median of the runs with the smallest and largest beside it.
Nothing is judged: the targets stand in the table's last column.
"""
import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time

P = "mgb"
HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
NET = os.path.join(TOP, "tests", "e2e", "net.sh")
GUEST, WAN = "10.20.0.10", "10.20.0.1"
CLOCK = "52=00f1536512"
# ST1: 32 octets, with the serial number: a measurement's rule, a record each
IDENTITY = "1=" + "45584d504d4f44454c30303101020304" + "30" * 16

# name, who measures, its arguments, what of its answer counts, unit
SCENES = [
    ("small UDP packets", "mdma", ["udp", WAN, "9000", "{s}", "256"], "rate", "/s"),
    ("C12.22 reads", "wan", ["c1222", GUEST, "1153", "{s}", "64", "52"], "rate", "/s"),
    ("C12.22 reads, a record each", "wan",
     ["c1222", GUEST, "1153", "{s}", "64", "1"], "rate", "/s"),
    ("HTTP keep-alive requests", "mdma", ["http", WAN, "9000", "{s}", "16"], "rate", "/s"),
    ("one at a time, median", "mdma", ["udp", WAN, "9000", "{s}", "1"], "median_us", "us"),
    ("one at a time, p99", "mdma", ["udp", WAN, "9000", "{s}", "1"], "p99_us", "us"),
    ("bulk TCP", "mdma", ["send", WAN, "9000", "{s}"], "octets", "octets/s"),
]
# scene, form, against, target
RATIOS = [
    ("small UDP packets", "accept", "forward", ">= 0.4"),
    ("small UDP packets", "gate", "accept", ">= 0.85"),
    ("C12.22 reads", "gate", "accept", ">= 0.85"),
    ("C12.22 reads, a record each", "gate", "accept", ">= 0.85"),
    ("HTTP keep-alive requests", "gate", "accept", ">= 0.80"),
    ("one at a time, median", "gate", "accept", "<= 1.5"),
    ("one at a time, p99", "gate", "accept", "<= 1.5"),
    ("bulk TCP", "accept", "forward", ""),
    ("bulk TCP", "gate", "accept", ">= 0.80"),
    ("bulk TCP", "gate+offload", "forward", ">= 0.90"),
]


def inside(ns, *cmd):
    return ["ip", "netns", "exec", f"{P}-{ns}", *cmd]


def sh(*cmd):
    subprocess.run(cmd, check=True, stdout=subprocess.DEVNULL)


def read_proc(pid, name):
    """Empty for a process that is gone: the parent asks iptables at times."""
    try:
        with open(f"/proc/{pid}/{name}", encoding="utf-8") as f:
            return f.read()
    except OSError:
        return ""


def why_not():
    """Why nothing can be measured here, or nothing."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    ns = f"{P}-try"
    if subprocess.run(["ip", "netns", "add", ns], stderr=subprocess.DEVNULL,
                      check=False).returncode:
        return "no network namespaces here"
    try:
        if subprocess.run(inside("try", "iptables", "-A", "FORWARD", "-j",
                                 "NFQUEUE", "--queue-num", "0"),
                          stderr=subprocess.DEVNULL, check=False).returncode:
            return "this kernel has no NFQUEUE target"
    finally:
        sh("ip", "netns", "del", ns)
    return None


class Form:
    """One way the packets go, while it is in force."""

    def __init__(self, name, args, pinned):
        self.name, self.args, self.child = name, args, None
        self.pinned = pinned

    def __enter__(self):
        if self.name == "accept":
            self.child = subprocess.Popen(
                inside("gw", os.path.join(self.args.build, "bench/accept_all"), "0"),
                stdout=subprocess.DEVNULL)
            time.sleep(0.3)
            for way in ("-i", "-o"):
                sh(*inside("gw", "iptables", "-A", "FORWARD", way, "vif1.0",
                           "-j", "NFQUEUE", "--queue-num", "0"))
        elif self.name.startswith("gate"):
            self.start_gate()
        return self

    def cpu_of(self):
        """One for all where times are compared; else as it is by default."""
        return self.args.cpu if self.pinned else "pair"

    def start_gate(self):
        work = os.path.join(os.path.abspath(self.args.work), self.name)
        subprocess.run(["rm", "-rf", work], check=True)
        os.makedirs(work)
        conf = self.conf = os.path.join(work, "metergated.conf")
        with open(conf, "w", encoding="utf-8") as f:
            f.write(f"policies: {HERE}/policy\n"
                    f"audit: {work}/audit/audit.db\nstate: {work}/state\n"
                    f"runtime: {work}/run\norigin: bench.meter.example/audit\n"
                    f"uplink: [up0]\ncpu: {self.cpu_of()}\n"
                    "signatures: off\naudit-rate: 64 MiB\n"
                    f"offload: {'true' if 'offload' in self.name else 'false'}\n")
        for d in ("audit", "state", "run"):
            os.makedirs(os.path.join(work, d))
        self.log = open(os.path.join(work, "log"), "w", encoding="utf-8")
        self.child = subprocess.Popen(
            inside("gw", os.path.join(os.path.abspath(self.args.build),
                                      "bin/metergated"), "-c", conf),
            stderr=self.log, stdout=self.log)
        sock = os.path.join(work, "run", "control")
        for _ in range(100):
            if os.path.exists(sock) and '"ready"' in subprocess.run(
                    [os.path.join(self.args.build, "bin/metergatectl"),
                     "--socket", sock, "--json", "status"],
                    stdout=subprocess.PIPE, text=True, check=False,
                    stderr=subprocess.DEVNULL).stdout:
                return
            if self.child.poll() is not None:
                break
            time.sleep(0.1)
        sys.exit(f"bench: metergated did not start, see {work}/log")

    def pids(self):
        """The daemon's processes: ip netns exec becomes the parent itself."""
        if not self.child:
            return []
        top = self.child.pid
        kids = subprocess.run(["pgrep", "-P", str(top)], stdout=subprocess.PIPE,
                              text=True, check=False).stdout.split()
        return [top] + [int(k) for k in kids]

    def cpu(self):
        """Seconds of user and of system time of its processes."""
        user = system = 0
        for p in self.pids():
            v = read_proc(p, "stat").rsplit(")", 1)[-1].split()
            if v:
                user += int(v[11])
                system += int(v[12])
        hz = os.sysconf("SC_CLK_TCK")
        return user / hz, system / hz

    def pss(self):
        """MiB of its processes, counting shared pages once."""
        total = 0
        for p in self.pids():
            for line in read_proc(p, "smaps_rollup").splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        return total / 1024

    def __exit__(self, *exc):
        if self.child:
            self.child.send_signal(signal.SIGTERM)
            self.child.wait()
        if self.name == "accept":
            sh(*inside("gw", "iptables", "-F"))
        elif self.name.startswith("gate"):
            # The closed state stays: taking the rules away is its own step.
            sh(*inside("gw", os.path.join(self.args.build, "bin/metergated"),
                       "-c", self.conf, "--remove-rules"))


def serve(args, ns, addr, port):
    p = subprocess.Popen(
        inside(ns, os.path.join(args.build, "bench/load"), "serve", addr,
               port, CLOCK, IDENTITY), stdout=subprocess.PIPE)
    p.stdout.readline()
    return p


def measure(args, scene):
    """Of each form, a list of results of scene."""
    name, ns, cmd, key, _ = scene
    forms = ["forward", "accept", "gate"]
    if name == "bulk TCP":
        forms.append("gate+offload")
    out = {f: [] for f in forms}
    for run in range(args.runs):
        for form in forms if run % 2 == 0 else reversed(forms):
            with Form(form, args, name.startswith("one at")) as f:
                before = f.cpu()
                r = subprocess.run(
                    inside(ns, os.path.join(args.build, "bench/load"),
                           *[a.format(s=args.seconds) for a in cmd]),
                    stdout=subprocess.PIPE, text=True, check=False).stdout
                r = json.loads(r) if r.strip() else {"rate": 0}
                after = f.cpu()
                r["user_s"], r["system_s"] = (after[0] - before[0],
                                              after[1] - before[1])
                if form.startswith("gate"):
                    r["pss_mib"] = f.pss()
                out[form].append(r)
                print(f"bench: {name}, {form}: {r}", file=sys.stderr)
    return out


def not_built(build):
    """Programs that are needed and are not there."""
    return [p for p in ("bin/metergated", "bin/metergatectl",
                        "bench/accept_all", "bench/load")
            if not os.access(os.path.join(build, p), os.X_OK)]


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--build", default="build")
    ap.add_argument("--runs", type=int, default=5)
    ap.add_argument("--seconds", type=int, default=3)
    ap.add_argument("--cpu", type=int, default=0)
    ap.add_argument("--only", default="")
    ap.add_argument("--json", default="")
    args = ap.parse_args()
    why = why_not()
    if why:
        print(f"SKIP: live benchmarks: {why}")
        return
    args.build = os.path.abspath(args.build)
    args.work = os.path.join(args.build, "bench", "live")
    missing = not_built(args.build)
    if missing:
        for p in missing:
            print(f"bench: {os.path.join(args.build, p)} is not built",
                  file=sys.stderr)
        print(f"bench: make BUILD={args.build} all bench-bins",
              file=sys.stderr)
        sys.exit(2)
    results = {}
    sh(NET, "up", P)
    # What offload counts by; the other forms do not mind.
    sh(*inside("gw", "sysctl", "-qw", "net.netfilter.nf_conntrack_acct=1"))
    servers = []
    try:
        servers = [serve(args, "wan", WAN, "9000"),
                   serve(args, "mdma", GUEST, "1153")]
        for scene in SCENES:
            if args.only in scene[0]:
                results[scene[0]] = measure(args, scene)
    finally:
        for s in servers:
            s.terminate()
            s.wait()
        sh(NET, "down", P)
    if not table(results, args):
        print("bench: nothing was measured", file=sys.stderr)
        sys.exit(2)


def table(results, args):
    keys = {s[0]: (s[3], s[4]) for s in SCENES}
    rows = []
    print(f"{'what':<44} {'median':>9} {'min':>9} {'max':>9}  target")
    for scene, form, against, target in RATIOS:
        if scene not in results:
            continue
        key = keys[scene][0]
        ratios = sorted(a.get(key, 0) / b[key]
                        for a, b in zip(results[scene][form],
                                        results[scene][against]) if b.get(key))
        if not ratios:
            continue
        row = (f"{scene}: {form} / {against}", statistics.median(ratios),
               ratios[0], ratios[-1], target)
        rows.append(row)
        print(f"{row[0]:<44} {row[1]:>9.2f} {row[2]:>9.2f} {row[3]:>9.2f}  {target}")
    for scene in results:
        for form, runs in results[scene].items():
            done = [r for r in runs if r.get("rate", 0) > 1 and r["user_s"]]
            if not done:
                continue
            per = statistics.median(1e6 * r["user_s"] / (2 * r["rate"] * args.seconds)
                                    for r in done)
            print(f"{scene}, {form}: user time a packet {per:.2f} us")
    if args.json:
        with open(args.json, "w", encoding="utf-8") as f:
            json.dump({"rows": rows, "results": results}, f, indent=1)
            f.write("\n")
    return rows


if __name__ == "__main__":
    main()
