#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""metergatectl against a daemon that is played here: what it asks, what it
makes of answers (also of hostile ones), its exit codes, and that the live view
leaves the terminal as it was, however it ends."""
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("BUILD", os.path.join(ROOT, "build"))
CTL = os.path.join(BUILD, "bin", "metergatectl")
failed = 0


def check(what, ok, more=""):
    global failed
    failed += not ok
    print("%sok %s%s" % ("" if ok else "not ", what,
                         "" if ok else ": %r" % (more,)), flush=True)


GUESTS = b"""{"ok":true,"guests":2}
{"guest":"mdma","interface":"vif1.0","queue":101,"policy":"p","frozen":false,"engine":true,"addresses":["10.20.0.10/32","fd00::1/128"],"packets":1234567,"octets":5,"passed":1000,"dropped":12,"flows_now":3,"held_now":0,"allowed":99,"denied":1,"kernel_queued":0,"drops":{"too-soon":12}}
{"guest":"por\\u001b[31mtal\\u009b2J","interface":"vif3.0","queue":102,"frozen":true,"engine":true,"addresses":[],"packets":0,"drops":{}}
"""
WHY = b"""{"ok":true}
{"guest":"mdma","record":7,"wall_us":1700000000000000,"event":{"event_type":"violation","src_ip":"10.20.0.1","src_port":1153,"dest_ip":"10.20.0.10","dest_port":1153,"proto":"UDP","app_proto":"c1222","metergate":{"verdict":"deny","reason":"too-soon","detail":"3 h after the previous one","guest":"mdma","party":"headend","direction":"in","op":"read-request","object":"table 64","rules":[{"layer":"baseline","rule":"metering"},{"layer":"vendor","policy":"p","rule":"send-profile","file":"metering.yaml","line":42,"refused":true}],"would_pass":"the same in 17 h"}}}
{"guest":"mdma","record":8,"wall_us":1700000001000000,"cut":"{\\"event_type\\":\\"viol"}
"""
NOTICES = b"""{"ok":true}
{"notice":"quarantine","severity":"high","guest":"mdma\\u001b[2J","left_s":7200}
{"notice":"staged","policy":"com.example.dr","serial":7,"confirmed":false,"code":"0a1b2c3d","left_s":86400}
{"notice":"answer-void","rule":"com.example.mdma/send-profile"}
{"notice":"monitored","policy":"com.example.mdma","guest":"mdma","rule":"try","until":1700000000,"left_s":9}
{"notice":"refusal","guest":"mdma","count":3,"record":9,"begin_us":1,"wall_us":1700000001000000,"event":{"event_type":"violation","metergate":{"reason":"denied","severity":"critical","party":"headend","detail":"a deny rule","notify":["portal"]}}}
{"notice":"of a later version","x":1}
"""
ANSWERS = {
    b"notices": NOTICES,
    b"guests": GUESTS,
    b"why": WHY,
    b"why mdma": WHY,
    b"freeze mdma": b'{"ok":true,"guest":"mdma","frozen":true}\n',
    b"thaw nobody": b'{"ok":false,"error":"there is no guest nobody"}\n',
    b"reload": b'{"ok":false,"error":"a.yaml:3:1: error\\u001b[2J"}\n',
    b"metrics": b'{"ok":true,"metrics":"# HELP x\\nx{a=\\"b\\"} 1\\n"}\n',
    b"status": b"rubbish\n",
    b"policies": b'{"ok":true,"generation":4,"policies":1}\n'
                 b'{"policy":"com.example.mdma","kind":"vendor","serial":7,"guest":"mdma","state":"in force","digest":"00ff",'
                 b'"libraries":[{"id":"org.lib\\u001b[2J","serial":3,"sha256":"ab"},{"id":"org.z","serial":4,"sha256":"cd"}]}\n',
    b"pending": b'{"ok":true,"staged":1}\n'
                b'{"policy":"com.example.mdma","kind":"vendor","serial":7,"guest":"mdma","state":"staged","digest":"00ff","code":"0a1b2c3d","notice_left_s":7200}\n'
                b'{"line":"com.example.mdma serial 7"}\n'
                b'{"line":"  WIDER: \\u001b[2J"}\n',
    b"confirm 0a1b2c3d": b'{"ok":true,"generation":4,"policies":3,"staged":0}\n',
    b"diff": b'{"ok":true,"staged":0}\n{"line":"nothing"}\n',
    b"budgets mdma": b'{"ok":true,"guest":"mdma","lines":2}\n'
                     b'{"budget":"p/r: 1 reading per day","party":"headend","used":1,"limit":1,"frees_s":7200}\n'
                     b'{"budget":"cut off in the mid',
    b"flows mdma": b'{"ok":true,"guest":"mdma","lines":1}\n'
                   b'{"src_ip":"fd00::1","src_port":40000,"dest_ip":"fd00::2","dest_port":1153,"proto":6,"app":"c1222","state":"open","octets_out":2048,"octets_in":9,"age_ms":150,"idle_ms":90000,"held":1,"offload":0,"denied":true}\n',
    b"flows dr": b'{"ok":true,"guest":"dr","lines":3}\n'
                 b'{"src_ip":"10.0.0.1","src_port":40000,"dest_ip":"10.0.0.2","dest_port":1153,"proto":6,"app":"","app_guess":"SSH","app_confidence":"octets","state":"open"}\n'
                 b'{"src_ip":"10.0.0.1","src_port":40001,"dest_ip":"10.0.0.2","dest_port":1153,"proto":6,"app":"c1222","app_guess":"TLS.Google","app_confidence":"port","state":"open"}\n'
                 b'{"src_ip":"10.0.0.1","src_port":40002,"dest_ip":"10.0.0.2","dest_port":1153,"proto":6,"app":"http","state":"open"}\n',
}


class Daemon(threading.Thread):
    def __init__(self, path):
        super().__init__(daemon=True)
        self.asked, self.open, self.deaf = [], True, False
        self.s = socket.socket(socket.AF_UNIX)
        self.s.bind(path)
        self.s.listen(8)
        self.start()

    def run(self):
        while True:
            c, _ = self.s.accept()
            if self.deaf:  # it refuses what it has not read
                c.recv(1, socket.MSG_PEEK)
                c.sendall(b'{"ok":false,"error":"only root may"}\n')
                c.close()
                continue
            got = b""
            while not got.endswith(b"\n"):
                more = c.recv(4096)
                if not more:
                    break
                got += more
            self.asked.append(got.rstrip(b"\n"))
            if self.open:
                c.sendall(ANSWERS.get(got.rstrip(b"\n"), b""))
            c.close()


def run(path, *args):
    p = subprocess.run([CTL, "--socket", path] + list(args),
                       capture_output=True, check=False)
    return p.returncode, p.stdout.decode(), p.stderr.decode()


def tables(path, daemon):
    rc, out, err = run(path, "guests")
    check("guests: a table", rc == 0 and "1.23M" in out and "vif1.0" in out
          and "10.20.0.10/32 .." in out and "too-soon 12" in out, (rc, out, err))
    check("no control reaches the terminal", "\x1b" not in out
          and "\x9b" not in out and "por?[31mtal" in out, out)
    check("no colour where there is no terminal", "\x1b" not in out, out)
    rc, out, _ = run(path, "--json", "guests")
    check("--json: as it came", rc == 0 and out.encode() == GUESTS, out)
    rc, out, _ = run(path, "why", "mdma")
    check("why: rule, place, what would pass",
          rc == 0 and "vendor send-profile, metering.yaml:42" in out
          and "the same in 17 h" in out and "too-soon" in out
          and "10.20.0.1:1153 -> 10.20.0.10:1153 UDP c1222" in out, out)
    check("why: one that was cut is shown", '{"event_type":"viol' in out, out)
    rc, out, _ = run(path, "notices")
    check("notices: a line each", rc == 0 and [x[:12] for x in
          out.splitlines()] == ["quarantine  ", "staged      ",
                                "answer void ", "monitored   ",
                                "refused     "] and
          "mdma?[2J: nothing but floors for 2 h" in out and
          "by itself in 24 h, or by the code 0a1b2c3d" in out.replace(
              "1 d", "24 h") and "com.example.mdma/send-profile" in out and
          "com.example.mdma/try until 2023-11-14" in out and
          "a deny rule [critical] (3 times)" in out and "\x1b" not in out,
          out)
    check("notices: as JSON", run(path, "--json", "notices")[1].encode() ==
          NOTICES)
    rc, out, _ = run(path, "policy", "show", "com.example.mdma")
    check("policy show: the libraries it was compiled with", rc == 0 and
          "library      org.lib?[2J serial 3 sha256:ab\n"
          "library      org.z serial 4 sha256:cd\n" in out, out)
    rc, out, _ = run(path, "budgets", "mdma")
    check("budgets: used up, and when it frees", rc == 0
          and "in 2 h" in out, out)
    check("a line that was cut says nothing", "cut off" not in out, out)
    rc, out, _ = run(path, "flows", "mdma")
    check("flows", rc == 0 and "[fd00::1]:40000" in out and "denied" in out
          and "2.00 KiB" in out, out)
    rc, out, _ = run(path, "flows", "dr")
    check("flows: guesses in brackets", rc == 0 and " (SSH) " in out and
          " c1222 (TLS.Google by port) " in out and " http " in out, out)
    rc, out, _ = run(path, "metrics")
    check("metrics: plain text", (rc, out) == (0, '# HELP x\nx{a="b"} 1\n'),
          out)
    rc, out, _ = run(path, "freeze", "mdma")
    check("freeze", (rc, out) == (0, "mdma: frozen\n"), out)
    check("asked as written", b"freeze mdma" in daemon.asked, daemon.asked)
    rc, out, err = run(path, "thaw", "nobody")
    check("a refusal is 1", (rc, out, err) ==
          (1, "", "metergatectl: there is no guest nobody\n"), (rc, out, err))
    rc, out, _ = run(path, "panel", "show")
    check("panel show: what waits, until when, and why", rc == 0
          and "0a1b2c3d" in out and "in 2 h" in out and "WIDER: ?[2J" in out
          and "com.example.mdma serial 7\n" in out, out)
    rc, out, _ = run(path, "panel", "confirm", "0a1b2c3d")
    check("panel confirm", rc == 0 and b"confirm 0a1b2c3d" in daemon.asked,
          out)
    rc, out, _ = run(path, "policy", "diff")
    check("policy diff", (rc, out) == (0, "nothing\n"), out)
    rc, out, err = run(path, "panel", "confirm")
    check("confirm what", rc == 2 and "name a code" in err, err)
    rc, out, err = run(path, "policy", "drop")
    check("a second word that is none", rc == 2 and "which one?" in err, err)
    rc, out, err = run(path, "reload")
    check("an error's controls are shown as such", rc == 1
          and err == "metergatectl: a.yaml:3:1: error?[2J\n", err)
    rc, out, err = run(path, "status")
    check("rubbish is no answer", rc == 2 and "no answer" in err, err)
    rc, out, err = run(path, "ledger", "mdma")
    check("nor is nothing", rc == 2 and "no answer" in err, err)
    rc, out, err = run(path, "top")
    check("top without a terminal: one look", rc == 0 and "PKT/S" in out
          and "LAST REFUSALS" in out and "\x1b" not in out, out)


class Terminal:
    """top on a terminal of its own."""

    def __init__(self, path):
        self.master, self.slave = pty.openpty()
        self.before = termios.tcgetattr(self.slave)
        self.out = b""
        env = dict(os.environ, TERM="xterm")
        env.pop("NO_COLOR", None)
        self.p = subprocess.Popen([CTL, "--socket", path, "top"],
                                  stdin=self.slave, stdout=self.slave,
                                  stderr=self.slave, env=env,
                                  start_new_session=True)

    def read(self, until, seconds=10):
        end = time.monotonic() + seconds
        while until not in self.out and time.monotonic() < end:
            if select.select([self.master], [], [], 0.1)[0]:
                self.out += os.read(self.master, 65536)
        return until in self.out

    def end(self):
        try:
            rc = self.p.wait(10)
        except subprocess.TimeoutExpired:
            self.p.kill()
            rc = None
        while select.select([self.master], [], [], 0.1)[0]:
            self.out += os.read(self.master, 65536)
        same = termios.tcgetattr(self.slave) == self.before
        os.close(self.master)
        os.close(self.slave)
        back = self.out.rstrip().rfind(b"\x1b[?1049l")
        return rc, same and back > self.out.rfind(b"\x1b[?1049h") \
            and b"\x1b[?25h" in self.out


def top(path, daemon):
    ends = [
        ("q", lambda t: os.write(t.master, b"q"), 0),
        ("SIGTERM", lambda t: t.p.send_signal(signal.SIGTERM), 0),
        ("SIGINT", lambda t: t.p.send_signal(signal.SIGINT), 0),
        ("SIGHUP", lambda t: t.p.send_signal(signal.SIGHUP), 0),
        ("the daemon's end", lambda t: setattr(daemon, "open", False), 2),
    ]
    for name, act, want in ends:
        t = Terminal(path)
        shown = t.read(b"q ends")
        act(t)
        rc, same = t.end()
        daemon.open = True
        check("top ended by %s: shown, exit %d, terminal as before" %
              (name, want), shown and rc == want and same, (shown, rc, same))
        if name == "q":
            check("top: colours on a terminal", b"\x1b[32m" in t.out, t.out)


def refused(path, daemon):
    daemon.deaf = True
    got = run(path, "status")
    daemon.deaf = False
    check("who is refused before he is heard is told why",
          got[0] == 1 and "only root may" in got[2], got)


def main():
    if not os.path.exists(CTL):
        print("SKIP: metergatectl is not built")
        return
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "control")
        daemon = Daemon(path)
        tables(path, daemon)
        refused(path, daemon)
        top(path, daemon)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
