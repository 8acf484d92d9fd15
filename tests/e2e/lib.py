# SPDX-License-Identifier: Apache-2.0
"""What the live tests share: the testbed (net.sh), sockets inside its
namespaces, captures of its links, the gateway, and the lines of a test.

One process holds sockets of several namespaces: a socket stays in the
namespace in which it was made. Deadlines are generous: a test fails on what
happened, never on a slow machine."""
import ctypes
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
HERE = os.path.join(ROOT, "tests", "e2e")
BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(ROOT, "build")))
SHARED = os.environ.get("METERGATE_SHARED",
                        os.path.join(os.path.dirname(ROOT), "shared"))
PCAPS = os.path.join(ROOT, "tests", "pcaps")
POLICIES = os.path.join(HERE, "policies")
PATIENCE = 10.0  # seconds; what takes longer has failed

ADDR = {"mdma": "10.20.0.10", "dr": "10.20.0.11", "portal": "10.20.0.12",
        "wan": "10.20.0.1", "lan": "192.168.178.20", "gw": "10.20.0.254"}
ADDR6 = {"mdma": "fd00:20::10", "dr": "fd00:20::11", "portal": "fd00:20::12",
         "wan": "fd00:20::1", "lan": "fd00:178::20"}
IFACE = {"mdma": "vif1.0", "dr": "vif2.0", "portal": "vif3.0", "wan": "up0",
         "lan": "lan0"}
ETH_P_ALL = 3
libc = ctypes.CDLL(None, use_errno=True)


def program(name):
    return os.path.join(BUILD, "bin", name)


# --- the lines of a test --------------------------------------------------------------


class Report:
    def __init__(self):
        self.failed = 0

    def check(self, what, wrong):
        """wrong: what is wrong, or nothing."""
        if wrong:
            self.failed += 1
        print("%sok %s%s" % ("not " if wrong else "", what,
                             ": %s" % str(wrong)[:600] if wrong else ""),
              flush=True)
        return not wrong

    def expect(self, what, ok, why=""):
        """ok: it is as it should be; why: what it is instead."""
        return self.check(what, None if ok else why or "no")

    @staticmethod
    def skip(why):
        print("SKIP: " + why, flush=True)

    @staticmethod
    def note(text):
        print("# " + text, flush=True)

    def done(self):
        sys.exit(1 if self.failed else 0)


def need_live(report):
    """Ends the program with a SKIP line where the gateway cannot run."""
    why = None
    if os.geteuid() != 0:
        why = "network namespaces need root"
    elif not os.path.exists(program("metergated")):
        why = "metergated is not built"
    else:
        ns = "e2e%d-try" % os.getpid()
        if subprocess.run(["ip", "netns", "add", ns], stderr=-3,
                          check=False).returncode:
            why = "no network namespaces here"
        else:
            if subprocess.run(
                    ["ip", "netns", "exec", ns, "iptables", "-A", "FORWARD",
                     "-j", "NFQUEUE", "--queue-num", "1"], stderr=-3,
                    check=False).returncode:
                why = "this kernel has no NFQUEUE target"
            subprocess.run(["ip", "netns", "del", ns], check=False)
    if why:
        report.skip(why)
        report.done()


def until(f, seconds=PATIENCE, step=0.02):
    """Waits until f() is true; gives what it gave at last."""
    end = time.monotonic() + seconds
    while True:
        got = f()
        if got or time.monotonic() > end:
            return got
        time.sleep(step)


# --- namespaces ------------------------------------------------------------------------


@contextmanager
def inside(ns):
    """Within, this thread is in the namespace ns."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open("/run/netns/" + ns, os.O_RDONLY)
    try:
        if libc.setns(there, 0x40000000):
            raise OSError(ctypes.get_errno(), "setns " + ns)
        yield
    finally:
        libc.setns(home, 0x40000000)
        os.close(home)
        os.close(there)


class Net:
    """The testbed; use as a context manager."""

    def __init__(self, mode="routed", prefix=None):
        self.mode = mode
        self.prefix = prefix or "e2e%d" % os.getpid()
        self.children, self.wires = [], []

    def __enter__(self):
        subprocess.run([os.path.join(HERE, "net.sh"), "up", self.prefix,
                        self.mode], check=True)
        return self

    def __exit__(self, *_):
        for p in self.children:
            if p.poll() is None:
                p.kill()
                p.wait()
        for ns in self.wires:
            run(["ip", "netns", "del", ns])
        subprocess.run([os.path.join(HERE, "net.sh"), "down", self.prefix],
                       check=False)

    def ns(self, name):
        return "%s-%s" % (self.prefix, name)

    def run(self, name, *args, check=True, **how):
        return subprocess.run(["ip", "netns", "exec", self.ns(name)] +
                              list(args), check=check, **how)

    def start(self, name, *args, **how):
        """A process inside; ended with the testbed."""
        p = subprocess.Popen(["ip", "netns", "exec", self.ns(name)] +
                             list(args), **how)
        self.children.append(p)
        return p

    def socket(self, name, family=socket.AF_INET, kind=socket.SOCK_STREAM,
               proto=0):
        with inside(self.ns(name)):
            return socket.socket(family, kind, proto)

    def listener(self, name, port, address=None, **options):
        s = self.socket(name, socket.AF_INET6 if ":" in (address or "")
                        else socket.AF_INET)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for level, option, value in options.get("options", ()):
            s.setsockopt(level, option, value)
        s.bind((address or "", port))
        s.listen(64)
        s.settimeout(PATIENCE)
        return s

    def connected(self, client, server, port, seconds=PATIENCE):
        """Both ends of a connection: the client's first."""
        listener = self.listener(server, port, ADDR[server])
        c = self.socket(client)
        c.settimeout(seconds)
        c.connect((ADDR[server], port))
        s, _ = listener.accept()
        s.settimeout(seconds)
        listener.close()
        return c, s

    def deaf(self, name):
        """The kernel inside does not answer what belongs to scripts (ports
        20000 to 39999, fragments, ICMP): they speak in its name. Its own
        connections have other ports."""
        with inside(self.ns(name)):
            with open("/proc/sys/net/ipv4/ip_local_port_range", "w",
                      encoding="ascii") as f:
                f.write("40000 60999")
        for tool in ("iptables", "ip6tables"):
            for proto in ("tcp", "udp"):
                for way in ("--sport", "--dport"):
                    self.run(name, tool, "-A", "INPUT", "-p", proto, way,
                             "20000:39999", "-j", "DROP")

    def neighbours(self):
        """The gateway knows everybody's link address without asking."""
        if self.mode != "routed":
            return
        for who, iface in IFACE.items():
            mac = "02:00:0a:14:00:%02x" % {"mdma": 10, "dr": 11, "portal": 12,
                                           "wan": 1, "lan": 20}[who]
            for a in (ADDR[who], ADDR6[who]):
                self.run("gw", "ip", "neigh", "replace", a, "lladdr", mac,
                         "dev", iface, "nud", "permanent")

    def unoffload(self, *names):
        """Frames on these links are as they would be on a wire."""
        for name in names:
            self.run(name, "ethtool", "-K", "eth0", "tx", "off", "gso", "off",
                     "tso", "off", "gro", "off", stdout=-3, stderr=-3,
                     check=False)


class Relay:
    """A bad wire (relay.c) between a host of the testbed (side a) and the
    gateway (side b); what: "ab.loss=1" and so on."""

    def __init__(self, net, name, *what):
        self.net, self.iface, ns = net, IFACE[name], "%s-wire" % name
        gw, self.ns = net.ns("gw"), net.ns(ns)
        net.unoffload(name)
        run(["ip", "netns", "add", self.ns])
        net.wires.append(self.ns)
        config = [run(["ip", "-n", gw, family, "route", "show", "dev",
                       self.iface], out=True) for family in ("-4", "-6")]
        with inside(gw):
            with open("/proc/net/if_inet6", encoding="utf-8") as f:
                own = any(x.split()[5] == self.iface and
                          x.startswith("fd") for x in f)
        mac = run(["ip", "-n", gw, "-br", "link", "show", self.iface],
                  out=True).split()[2]
        run(["ip", "-n", gw, "link", "set", self.iface, "down"])
        run(["ip", "-n", gw, "link", "set", self.iface, "netns", self.ns,
             "name", "line-a"])
        run(["ip", "link", "add", self.iface, "netns", gw, "address", mac,
             "type", "veth", "peer", "name", "line-b", "netns", self.ns])
        for n in ("line-a", "line-b"):
            self.quiet(self.ns, n)
            run(["ip", "-n", self.ns, "link", "set", "dev", n, "up"])
        self.quiet(gw, self.iface)
        if net.mode == "bridged":
            run(["ip", "-n", gw, "link", "set", self.iface, "master", "br0"])
        run(["ip", "-n", gw, "link", "set", self.iface, "up"])
        if own:
            run(["ip", "-n", gw, "addr", "add", "fd00:20::fe/128", "dev",
                 self.iface, "nodad"])
        for family, text in zip(("-4", "-6"), config):
            for line in text.splitlines():
                words = line.split()
                if words[0].startswith("fe80") or words[0] == "multicast":
                    continue
                src = ["src", words[words.index("src") + 1]] \
                    if "src" in words else []
                run(["ip", "-n", gw, family, "route", "replace", words[0],
                     "dev", self.iface] + src)
        net.run("gw", "ethtool", "-K", self.iface, "tx", "off", "gso", "off",
                "tso", "off", stdout=-3, stderr=-3, check=False)
        self.p = net.start(ns, os.path.join(BUILD, "e2e", "relay"), "line-a",
                           "line-b", *what, stdout=subprocess.PIPE,
                           text=True)
        if self.p.stdout.readline() != "ready\n":
            raise RuntimeError("relay did not start")

    @staticmethod
    def quiet(ns, iface):
        with inside(ns):
            for key, value in (("accept_dad", 0), ("accept_ra", 0),
                               ("router_solicitations", 0),
                               ("disable_ipv6", int(iface.startswith("line-")))):
                with open("/proc/sys/net/ipv6/conf/%s/%s" % (iface, key), "w",
                          encoding="utf-8") as f:
                    f.write(str(value))

    def stop(self):
        """{"ab": {"frames": n, "lost": n, ...}, "ba": ...}; the wire is cut
        from then on."""
        self.p.terminate()
        text = self.p.stdout.read()
        self.p.wait()
        out = {}
        for line in text.splitlines():
            words = line.split()
            out[words[0]] = dict(zip(words[1::2], map(int, words[2::2])))
        return out


def run(args, out=False):
    done = subprocess.run(args, check=True, text=True,
                          stdout=subprocess.PIPE if out else None)
    return done.stdout


# --- captures ---------------------------------------------------------------------------


class Tap:
    """What passes an interface of a namespace: frames is a list of
    (ns, outgoing, frame). which: "in", "out" or "both"."""

    def __init__(self, net, name, iface="eth0", which="in"):
        self.frames, self.which, self.stopping = [], which, False
        with inside(net.ns(name)):
            self.s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                                   socket.htons(ETH_P_ALL))
            self.s.setsockopt(socket.SOL_SOCKET, 33, 1 << 26)  # RCVBUFFORCE
            self.s.setsockopt(socket.SOL_SOCKET, 35, 1)  # TIMESTAMPNS
            self.s.bind((iface, ETH_P_ALL))
        self.s.settimeout(0.1)
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        while not self.stopping:
            try:
                frame, extra, _, where = self.s.recvmsg(1 << 18, 64)
            except socket.timeout:
                continue
            except OSError:
                return
            out = where[2] == 4  # PACKET_OUTGOING
            if self.which == "both" or out == (self.which == "out"):
                sec, nsec = struct.unpack("qq", extra[0][2])
                self.frames.append((sec * 10**9 + nsec, out, frame))

    def drops(self):
        got = self.s.getsockopt(263, 6, 8)  # SOL_PACKET, PACKET_STATISTICS
        return struct.unpack("II", got)[1]

    def stop(self):
        time.sleep(0.05)
        self.stopping = True
        self.thread.join()
        self.s.close()
        return self.frames


class Recorder:
    """tcpdump, for what is too much to keep in memory. Frames of one
    direction only: "in" or "out"."""

    def __init__(self, net, name, path, iface="eth0", which="in", snap=0,
                 what=""):
        self.path = path
        # A buffer for seconds of a flood, and no write for each packet: what
        # is lost proves nothing.
        self.p = net.start(name, "tcpdump", "-n", "-i", iface, "-Q",
                           which, "-s", str(snap), "-B", "131072", "-Z",
                           "root", "-w", path, *what.split(),
                           stdout=-3, stderr=subprocess.PIPE)
        line = self.p.stderr.readline()
        if b"listening" not in line:
            raise RuntimeError("tcpdump: " + line.decode())

    def stop(self):
        """Gives how many packets the kernel could not hand over; None: it
        did not say."""
        time.sleep(0.2)
        self.p.send_signal(signal.SIGINT)
        text = self.p.stderr.read().decode()
        self.p.wait()
        for line in text.splitlines():
            if "dropped by kernel" in line:
                return int(line.split()[0])
        return None


# --- the gateway ---------------------------------------------------------------------------


class Gate:
    """metergated in the driver domain of the testbed."""

    def __init__(self, net, policies=POLICIES, work=None, **conf):
        self.net = net
        self.work = work or tempfile.mkdtemp(prefix="metergate-e2e-")
        os.chmod(self.work, 0o755)
        self.own = work is None
        for d in ("audit", "state", "run"):
            os.makedirs(os.path.join(self.work, d), exist_ok=True)
        self.policies = os.path.join(self.work, "policies")
        if not os.path.exists(self.policies):
            shutil.copytree(policies, self.policies)
        self.audit = os.path.join(self.work, "audit", "audit.db")
        self.conf = os.path.join(self.work, "metergated.conf")
        rows = {"policies": self.policies, "uplink": "[up0, lan0]",
                "origin": "meter-1.example/audit", "audit": self.audit,
                # Policies are sources here; activate_test.py signs its own.
                "signatures": "off",
                "state": os.path.join(self.work, "state"),
                "runtime": os.path.join(self.work, "run"),
                "bridged": "true" if net.mode == "bridged" else "false",
                "clock": "trusted", "audit-batch-ms": 5,
                # Load is no taken-over engine; pace_test.py has one.
                "audit-rate": "64 MiB"}
        rows.update({k.replace("_", "-"): v for k, v in conf.items()})
        with open(self.conf, "w", encoding="utf-8") as f:
            for k, v in rows.items():
                f.write("%s: %s\n" % (k, v))
        self.log = open(os.path.join(self.work, "log"), "ab")
        self.p = None

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        self.stop()
        if self.own and kind is None:
            shutil.rmtree(self.work, ignore_errors=True)
        elif self.own:
            print("# the gateway's files: " + self.work, file=sys.stderr)

    def start(self, wait=True):
        self.p = self.net.start("gw", program("metergated"), "-c", self.conf,
                                stdout=self.log, stderr=self.log)
        if wait and not until(self.ready, 3 * PATIENCE):
            text = self.text()
            self.stop()
            raise RuntimeError("metergated did not start: " + text[-1500:])
        return self

    def text(self):
        with open(self.log.name, "rb") as f:
            return f.read().decode(errors="replace")

    def ready(self):
        if self.p.poll() is not None:
            self.died()
        got = self.ask("status", quiet=True)
        return bool(got) and got[0].get("state") == "ready" and \
            all(r["state"] == "up" for r in got[1:])

    def died(self):
        raise RuntimeError("metergated ended: " + self.text()[-1500:])

    def ask(self, request, quiet=False, timeout=PATIENCE, sock="control"):
        """The records of an answer of the control socket, or the panel's."""
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(timeout)
        data = b""
        try:
            s.connect(os.path.join(self.work, "run", sock))
            s.sendall(request.encode() + b"\n")
            while True:
                more = s.recv(65536)
                if not more:
                    break
                data += more
        except OSError:
            if not quiet:
                raise
            return []
        finally:
            s.close()
        return [json.loads(x) for x in data.splitlines() if x.strip()]

    def reload(self, timeout=PATIENCE):
        """None: done; else why not."""
        for r in self.ask("reload", timeout=timeout):
            if r.get("error"):
                return r["error"]
        return None

    def fetch(self, path, *how):
        """What the operator is answered, by a well-known client."""
        return subprocess.run(
            ["curl", "-s", "--max-time", "20", "--unix-socket",
             os.path.join(self.work, "run", "metrics"), *how,
             "http://m" + path], capture_output=True, text=True,
            check=False).stdout

    def anchoring(self):
        """What the metrics say of it."""
        found = re.search(r'^metergate_audit_anchoring\{state="(\w+)"\} 1$',
                          self.fetch("/metrics"), re.MULTILINE)
        return found.group(1) if found else None

    def processes(self):
        """{name: pid} of all that are up: "scribe", "engine[mdma]", ...,
        and "parent"."""
        found = {"parent": self.p.pid}
        for r in self.ask("status", quiet=True)[1:]:
            if r.get("pid", 0) > 0:
                guest = r.get("guest")
                name = r["process"] + ("[%s]" % guest if guest else "")
                found[name] = r["pid"]
        return found

    def memory(self):
        """KiB of all processes together, shared pages once; without the
        areas that they share, whose size is fixed and whose pages come as
        the rings in them go round. What an engine receives into counts."""
        total = 0
        for pid in self.processes().values():
            try:
                with open("/proc/%d/smaps_rollup" % pid,
                          encoding="utf-8") as f:
                    for line in f:
                        if line.startswith("Pss:"):
                            total += int(line.split()[1])
                        elif line.startswith("Pss_Shmem:"):
                            total -= int(line.split()[1])
                total += slots(pid)
            except OSError:
                pass
        return total

    def guest(self, name):
        """The line of a guest in the answer to "guests"."""
        for r in self.ask("guests")[1:]:
            if r["guest"] == name:
                return r
        return {}

    def stop(self):
        if self.p and self.p.poll() is None:
            self.p.terminate()
            try:
                self.p.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.p.kill()
                self.p.wait()
        return self.p.returncode if self.p else None

    def kill_all(self):
        """kill -9 of the whole daemon, the parent first."""
        pids = list(self.processes().values())
        self.p.kill()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.p.wait()
        until(lambda: not any(alive(p) for p in pids))

    def records(self):
        """The audit as EVE records."""
        return export(self.audit)

    def lines(self):
        """The same, each as the octets of its line."""
        return exported(self.audit)


def slots(pid):
    """KiB of an engine's receive buffers."""
    total, there = 0, False
    with open("/proc/%d/smaps" % pid, encoding="utf-8") as f:
        for line in f:
            if "-" in line.split()[0]:
                there = "memfd:slots" in line
            elif there and line.startswith("Pss:"):
                total += int(line.split()[1])
    return total


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid, encoding="utf-8") as f:
            text = f.read()
    except OSError:
        return False
    return text[text.rindex(")") + 2] != "Z"


def exported(audit):
    done = subprocess.run([program("metergate-audit"), "export",
                           "--unrecorded", audit],
                          capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError("metergate-audit: " + done.stderr.decode())
    return done.stdout.splitlines()


def export(audit):
    return [json.loads(x) for x in exported(audit)]


def auditor(*args):
    """metergate-audit: its exit status, and all that it printed."""
    done = subprocess.run([program("metergate-audit"), *args],
                          capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def replay(capture, policies, audit=None, keys=None, extra=()):
    args = [program("metergate-replay"), "-p", policies]
    args += ["-k", keys] if keys else []
    args += ["--audit", audit] if audit else []
    done = subprocess.run(args + list(extra) + [capture],
                          capture_output=True, check=False)
    if done.returncode > 1:
        raise RuntimeError("metergate-replay: " + done.stderr.decode())
    return [json.loads(x) for x in done.stdout.splitlines()]
