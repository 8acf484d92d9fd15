#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What each process of the running gateway may do: as the kernel tells it
from outside, and tried from inside, by making the live process itself do what
it may not. That ends it (the filter kills), and the gateway starts another.

The single tries, without a gateway around them: enforcer/daemon/sandbox_test.c.
"""
import contextlib
import ctypes
import os
import platform
import signal
import struct
import sys

from lib import Gate, Net, Report, alive, libc, need_live, until
from tpm import Tpm, there

NET_ADMIN = 1 << 12
# CHOWN, DAC_OVERRIDE, FOWNER, KILL, SETGID, SETUID, SETPCAP, NET_ADMIN, NET_RAW
PARENT = 0x31eb
PATIENCE = 30

# --- from outside ------------------------------------------------------------


def status(pid):
    with open("/proc/%d/status" % pid, encoding="utf-8") as f:
        return {k: v.split() for k, v in
                (line.rstrip("\n").split(":", 1) for line in f)}


def kind(name):
    return name.split("[")[0]


def rights(name, pid):
    """What is wrong with them."""
    s = status(pid)
    may = NET_ADMIN if kind(name) == "gate" else 0
    rows = [
        ("runs as root", "0" in s["Uid"] + s["Gid"]),
        ("has changing users", len(set(s["Uid"])) != 1 or
         len(set(s["Gid"])) != 1),
        ("has other groups", s["Groups"]),
        ("has capabilities", int(s["CapEff"][0], 16) != may or
         int(s["CapPrm"][0], 16) != may),
        ("inherits capabilities", int(s["CapInh"][0], 16) or
         int(s["CapAmb"][0], 16) or int(s["CapBnd"][0], 16)),
        ("may gain privileges", s["NoNewPrivs"] != ["1"]),
        ("has no filter of its own", not entered(pid)),
        ("has threads", s["Threads"] != ["1"]),
    ]
    return [why for why, bad in rows if bad]


def rights_of_parent(pid):
    s = status(pid)
    rows = [
        ("is not root", set(s["Uid"]) != {"0"}),
        ("has other capabilities", any(
            int(s[k][0], 16) != PARENT for k in ("CapEff", "CapPrm",
                                                 "CapBnd"))),
        ("inherits capabilities", int(s["CapInh"][0], 16) or
         int(s["CapAmb"][0], 16)),
        ("may gain privileges", s["NoNewPrivs"] != ["1"]),
        ("has no filter", s["Seccomp"] != ["2"]),
        ("has threads", s["Threads"] != ["1"]),
    ]
    return [why for why, bad in rows if bad]


def limits(pid):
    with open("/proc/%d/limits" % pid, encoding="utf-8") as f:
        rows = {line[:26].strip(): line[26:].split()[1] for line in f}
    return [k for k in ("Max core file size", "Max processes")
            if rows[k] != "0"]


# What leads somewhere, besides 0 to 2.
DESCRIPTORS = {
    "engine": ["socket", "anon_inode:[eventfd]", "anon_inode:[signalfd]"],
    "gate": ["socket"],
    "courier": ["socket", "anon_inode:[eventfd]"],
    # The pair to the attester.
    "scribe": ["file", "anon_inode:[eventfd]", "socket"],
    "attester": ["socket"],
}


def descriptors(name, pid, gate):
    files = (os.path.dirname(gate.audit),
             os.path.join(gate.work, "state", "ledger-"))
    wrong = []
    for fd in os.listdir("/proc/%d/fd" % pid):
        to = os.readlink("/proc/%d/fd/%s" % (pid, fd))
        if int(fd) == 2:
            continue
        if int(fd) < 2:
            wrong += [to] if to != "/dev/null" else []
        elif to.startswith("socket:"):
            wrong += [to] if "socket" not in DESCRIPTORS[kind(name)] else []
        elif to.startswith("/"):
            ok = kind(name) == "scribe" and to.startswith(files)
            wrong += [] if ok else [to]
        elif to not in DESCRIPTORS[kind(name)]:
            wrong.append(to)
    return wrong


def executable_and_writable(pid):
    with open("/proc/%d/maps" % pid, encoding="utf-8") as f:
        return [line for line in f if "wx" in line.split()[1]]


# --- from inside -------------------------------------------------------------
# x86-64: the process stands behind a system call; it is made to do another.

ATTACH, DETACH, CONT, GETREGS, SETREGS = 16, 17, 7, 12, 13
REGS = ("r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax "
        "rip cs eflags rsp ss fs_base gs_base ds es fs gs").split()
CALLS = {"openat": 257, "socket": 41, "connect": 42, "execve": 59, "ptrace": 101,
         "sendto": 44, "sendmsg": 46, "sendmmsg": 307, "mmap": 9, "munmap": 11,
         "recvfrom": 45, "kill": 62, "mprotect": 10, "bpf": 321,
         "process_vm_readv": 310, "mount": 165, "clone": 56, "setresuid": 117,
         "delete_module": 176, "reboot": 169, "unshare": 272, "setns": 308,
         "clone3": 435, "clock_settime": 227, "pivot_root": 155}


def ptrace(what, pid, data=0):
    libc.ptrace.restype = ctypes.c_long
    libc.ptrace.argtypes = [ctypes.c_long] * 3 + [ctypes.c_void_p]
    if libc.ptrace(what, pid, 0, data) < 0:
        raise OSError(ctypes.get_errno(), "ptrace")


def stop_it(pid):
    """Traced, and behind a system call: its registers. It may be at work when
    it is stopped; then it goes on and is looked at again."""
    regs = (ctypes.c_ulonglong * len(REGS))()
    ptrace(ATTACH, pid)
    os.waitpid(pid, 0)
    ptrace(GETREGS, pid, ctypes.addressof(regs))
    with open("/proc/%d/mem" % pid, "rb") as f:
        f.seek(dict(zip(REGS, regs))["rip"] - 2)
        if f.read(2) == b"\x0f\x05":
            return regs
    ptrace(DETACH, pid)
    return None


def make_it(pid, call, args):
    """The process does that; how it ended, or what the call gave."""
    regs = until(lambda: stop_it(pid), PATIENCE)
    if not regs:
        return "it stands behind no system call"
    got = step(pid, regs, dict(zip(REGS, regs)), call, args)
    if isinstance(got, signal.Signals):
        return got
    ptrace(DETACH, pid)
    os.kill(pid, signal.SIGKILL)
    return "it gave %d" % got


def make_all(pid, calls):
    """The process does one after the other, and is killed: what they gave."""
    regs = until(lambda: stop_it(pid), PATIENCE)
    if not regs:
        return []
    at = dict(zip(REGS, regs))
    gave = [step(pid, regs, dict(at), call, args) for call, args in calls]
    os.kill(pid, signal.SIGKILL)
    return gave


def step(pid, regs, at, call, args):
    """One system call of a process that is stopped behind one: what it gave,
    or the signal that ended the process."""
    # Do not take up the call that was interrupted.
    at.update(orig_rax=2 ** 64 - 1, rip=at["rip"] - 2, rax=CALLS[call])
    at.update(zip(("rdi", "rsi", "rdx", "r10", "r8", "r9"),
                  [a % 2 ** 64 for a in args]))
    for i, name in enumerate(REGS):
        regs[i] = at[name]
    ptrace(SETREGS, pid, ctypes.addressof(regs))
    ptrace(9, pid)  # one instruction
    _, st = os.waitpid(pid, 0)
    if os.WIFSIGNALED(st):
        return signal.Signals(os.WTERMSIG(st))
    ptrace(GETREGS, pid, ctypes.addressof(regs))
    return struct.unpack("q", struct.pack("Q", dict(zip(REGS, regs))["rax"]))[0]


def queue_fd(pid):
    """Its first socket: of the queue, for gate and engine."""
    return min(int(fd) for fd in os.listdir("/proc/%d/fd" % pid)
               if os.readlink("/proc/%d/fd/%s" % (pid, fd)).startswith(
                   "socket:"))


def stack(pid):
    with open("/proc/%d/maps" % pid, encoding="utf-8") as f:
        for line in f:
            if "[stack]" in line:
                return int(line.split("-")[0], 16)
    return 0


TRIES = [
    ("engine[mdma]", "opens a file", "openat",
     lambda pid: (-100, stack(pid), 0)),
    ("engine[mdma]", "makes a socket", "socket", lambda pid: (2, 1, 0)),
    ("engine[mdma]", "sends on the queue's socket", "sendto",
     lambda pid: (queue_fd(pid), stack(pid), 16, 0, 0, 0)),
    ("engine[dr]", "executes a program", "execve",
     lambda pid: (stack(pid), 0, 0)),
    ("engine[dr]", "traces its parent", "ptrace",
     lambda pid: (0x4206, os.getppid(), 0, 0)),
    ("engine[dr]", "makes its memory writable", "mprotect",
     lambda pid: (stack(pid), 4096, 7)),
    ("engine[portal]", "reads another's memory", "process_vm_readv",
     lambda pid: (os.getpid(), stack(pid), 1, stack(pid), 1, 0)),
    ("engine[portal]", "kills", "kill", lambda pid: (pid, 0)),
    ("gate[mdma]", "reads packets", "recvfrom",
     lambda pid: (queue_fd(pid), stack(pid), 64, 0x40, 0, 0)),
    ("gate[mdma]", "says something else to netfilter", "sendto",
     lambda pid: (queue_fd(pid), stack(pid), 32, 0, 0, 0)),
    ("gate[mdma]", "says it by a header of its own", "sendmsg",
     lambda pid: (queue_fd(pid), stack(pid), 0)),
    ("gate[mdma]", "says many things", "sendmmsg",
     lambda pid: (queue_fd(pid), stack(pid), 1, 0)),
    ("gate[dr]", "takes away the heads of its messages", "munmap",
     lambda pid: (stack(pid), 4096)),
    ("gate[dr]", "maps others in their place", "mmap",
     lambda pid: (stack(pid), 4096, 3, 0x32, -1, 0)),
    ("gate[dr]", "makes them writable", "mprotect",
     lambda pid: (stack(pid), 4096, 3)),
    ("gate[mdma]", "makes a netlink socket", "socket",
     lambda pid: (16, 3, 12)),
    ("gate[dr]", "opens a file", "openat",
     lambda pid: (-100, stack(pid), 0)),
    ("gate[dr]", "uses bpf", "bpf", lambda pid: (0, stack(pid), 64)),
    ("scribe", "makes a socket", "socket", lambda pid: (2, 1, 0)),
    ("scribe", "executes a program", "execve",
     lambda pid: (stack(pid), 0, 0)),
    ("attester", "makes a socket", "socket", lambda pid: (1, 1, 0)),
    ("attester", "opens a file", "openat",
     lambda pid: (-100, stack(pid), 0)),
    ("attester", "connects elsewhere", "connect",
     lambda pid: (3, stack(pid), 16)),
    ("courier", "makes a socket", "socket", lambda pid: (2, 1, 0)),
    ("courier", "opens a file for writing", "openat",
     lambda pid: (-100, stack(pid), 0o101, 0o600)),
    ("courier", "mounts", "mount", lambda pid: (0, stack(pid), 0, 0, 0)),
    ("courier", "becomes root", "setresuid", lambda pid: (0, 0, 0)),
]


# Refused with EPERM, but for clone3, which is said not to be there; the last
# one is allowed, to see that the others were made.
OF_PARENT = [
    ("traces", "ptrace", lambda pid: (0x4206, os.getpid(), 0, 0), -1),
    ("reads another's memory", "process_vm_readv",
     lambda pid: (os.getpid(), stack(pid), 1, stack(pid), 1, 0), -1),
    ("uses bpf", "bpf", lambda pid: (0, stack(pid), 64), -1),
    ("takes away a module", "delete_module",
     lambda pid: (stack(pid), 0o4000), -1),
    ("mounts", "mount", lambda pid: (0, stack(pid), 0, 0, 0), -1),
    ("changes its root", "pivot_root", lambda pid: (stack(pid), stack(pid)),
     -1),
    ("makes a namespace", "unshare", lambda pid: (0x40000000,), -1),
    ("enters one", "setns", lambda pid: (0, 0), -1),
    ("makes one with a process", "clone", lambda pid: (0x10000011, 0, 0, 0, 0),
     -1),
    ("does so by clone3", "clone3", lambda pid: (stack(pid), 64), -38),
    ("sets the clock", "clock_settime", lambda pid: (0, stack(pid)), -1),
    # With numbers that no reboot has.
    ("reboots", "reboot", lambda pid: (1, 2, 3, 0), -1),
    ("does what it may", "kill", lambda pid: (pid, 0), 0),
]


def writes_its_account(pid):
    """What others count of an engine, and what it is told, begins both of
    these areas: it must not write there."""
    wrong, seen = [], set()
    with open("/proc/%d/maps" % pid, encoding="utf-8") as f:
        for line in f:
            words = line.split()
            name = next((n for n in ("lane", "control") if
                         "memfd:" + n in line), None)
            if not name or int(words[2], 16) != 0:
                continue
            seen.add(name)
            if words[1] != "r--s":
                wrong.append(line.strip())
    return wrong or {"lane", "control"} - seen


def entered(pid):
    """It has made its own tries and closed the door: to the filter that it
    has of its parent there is another one."""
    try:
        s = status(pid)
        return s["Seccomp"] == ["2"] and int(s["Seccomp_filters"][0]) > \
            int(status(int(s["PPid"][0]))["Seccomp_filters"][0])
    except OSError:
        return False


def try_inside(gate, name, call, args):
    pid = until(lambda: gate.processes().get(name), PATIENCE)
    if not pid:
        return "there is no %s" % name
    if not until(lambda: entered(pid), PATIENCE):
        return "it has no filter"
    how = make_it(pid, call, args(pid))
    if how != signal.SIGSYS:
        return "not refused: %s" % how
    if not until(lambda: not alive(pid), PATIENCE):
        return "it lives on"
    if not until(lambda: gate.processes().get(name, pid) != pid and
                 gate.ready(), PATIENCE):
        return "it did not come back"
    return None


def main():
    report = Report()
    need_live(report)
    if not there():
        report.skip("swtpm is not installed: no attester")
    with contextlib.ExitStack() as stack_:
        net = stack_.enter_context(Net())
        conf = {"tpm": stack_.enter_context(Tpm()).name} if there() else {}
        gate = stack_.enter_context(Gate(net, **conf))
        found = gate.processes()
        want = {"scribe", "courier", "engine[mdma]", "gate[mdma]"}
        missing = want.union(("attester",) if conf else ()) - set(found)
        if not report.check("the processes are there", missing):
            report.done()
        users = {}
        for name, pid in sorted(found.items()):
            if name == "parent":
                report.check("rights of the parent", rights_of_parent(pid))
                continue
            report.check("rights of %s" % name,
                         rights(name, pid) + limits(pid))
            report.check("descriptors of %s" % name,
                         descriptors(name, pid, gate))
            report.check("no memory of %s is both written and executed" % name,
                         executable_and_writable(pid))
            if kind(name) == "engine":
                report.check("%s cannot write what is counted of it" % name,
                             writes_its_account(pid))
            users.setdefault(status(pid)["Uid"][0], set()).add(name)
        report.check("each is a user of its own",
                     [v for v in users.values() if len(v) > 1])
        if platform.machine() != "x86_64":
            report.skip("tries from inside know x86-64 only")
        else:
            for name, what, call, args in TRIES:
                if name == "attester" and not conf:
                    continue
                report.check("ended when it %s: %s" % (what, name),
                             try_inside(gate, name, call, args))
            pid = gate.processes()["parent"]
            gave = make_all(pid, [(call, args(pid)) for _, call, args, _ in
                                  OF_PARENT])
            report.check("all tries of the parent were made",
                         len(OF_PARENT) - len(gave))
            for (what, _, _, want), got in zip(OF_PARENT, gave):
                report.check("%s when the parent %s" % (
                    "refused" if want else "not refused", what),
                    "" if got == want else "it gave %s" % got)
    report.done()


if __name__ == "__main__":
    sys.exit(main())
