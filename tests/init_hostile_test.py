#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""polc init of captures that nobody meant well: cut, changed, and with texts
that would mean something else in a policy. It says what is wrong and writes
nothing, or it writes a draft that compiles and grants nothing more."""
import os
import random
import struct
import subprocess
import sys
import tempfile

os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
POLC = os.path.abspath(os.path.join(os.environ.get("BUILD", "build"), "bin", "polc"))
CAPTURES = {"gen_values": "mdma=10.20.0.10", "gen_http_portal": "portal=10.20.0.12",
            "gen_net_dns": "tips=10.20.0.21", "gen_net_names": "tips=10.20.0.21",
            "gen_net_tls": "tips=10.20.0.21"}
SEED = int(os.environ.get("SEED", "1"))
rc = 0


def said(ok, name, why=""):
    global rc
    print(("ok " if ok else "not ok ") + name + (": " + why if why and not ok else ""))
    rc |= not ok


def init(tmp, pcap, guest):
    """Exit code, standard error, and the draft or None."""
    out = os.path.join(tmp, "draft.yaml")
    if os.path.exists(out):
        os.unlink(out)
    r = subprocess.run([POLC, "init", "--from", pcap, "-g", guest, "-o", out],
                       capture_output=True, timeout=60)
    left = [f for f in os.listdir(tmp) if f.startswith("draft") and f != "draft.yaml"]
    return r.returncode, r.stderr.decode(errors="replace"), os.path.exists(out), left


def changed(rnd, octets):
    """One of: cut, octets changed, a length that lies, a piece twice."""
    p = bytearray(octets)
    how = rnd.randrange(5)
    if how == 0:
        return bytes(p[:rnd.randrange(len(p))])
    if how == 1:
        for _ in range(rnd.randrange(1, 40)):
            p[rnd.randrange(24, len(p))] = rnd.randrange(256)
    elif how == 2:
        p[rnd.randrange(24)] ^= 1 << rnd.randrange(8)
    elif how == 3:
        at = rnd.randrange(24, len(p) - 4)
        p[at:at + 4] = struct.pack("<I", rnd.choice([0, 1, 65535, 1 << 31, (1 << 32) - 1]))
    else:
        at = rnd.randrange(24, len(p))
        p[at:at] = p[at:at + rnd.randrange(1, 2000)]
    return bytes(p)


def tcp(src, dst, sport, dport, seq, ack, flags, data=b""):
    """One frame of Ethernet, sums right."""
    def total(b):
        b += b"\0" * (len(b) % 2)
        n = sum(struct.unpack(">%dH" % (len(b) // 2), b))
        while n >> 16:
            n = (n & 65535) + (n >> 16)
        return n ^ 65535

    addr = bytes(map(int, src.split("."))) + bytes(map(int, dst.split(".")))
    head = struct.pack(">HHIIBBHHH", sport, dport, seq, ack, 5 << 4, flags, 8192, 0, 0)
    s = total(addr + struct.pack(">BBH", 0, 6, len(head) + len(data)) + head + data)
    head = head[:16] + struct.pack(">H", s) + head[18:]
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 40 + len(data), 0, 0x4000, 64, 6, 0) + addr
    ip = ip[:10] + struct.pack(">H", total(ip)) + ip[12:]
    return b"\x52\x54\0\0\0\1" + b"\x52\x54\0\0\0\2" + b"\x08\0" + ip + head + data


def talk(path, ask):
    """A capture of a guest that asks and is answered."""
    g, s = "10.20.0.12", "198.51.100.9"
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    frames = [tcp(g, s, 40000, 80, 1000, 0, 2), tcp(s, g, 80, 40000, 5000, 1001, 18),
              tcp(g, s, 40000, 80, 1001, 5001, 16),
              tcp(g, s, 40000, 80, 1001, 5001, 24, ask),
              tcp(s, g, 80, 40000, 5001, 1001 + len(ask), 24, answer),
              tcp(g, s, 40000, 80, 1001 + len(ask), 5001 + len(answer), 16)]
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for i, p in enumerate(frames):
            f.write(struct.pack("<IIII", 1700000000, i * 1000, len(p), len(p)) + p)


with tempfile.TemporaryDirectory() as tmp:
    rnd = random.Random(SEED)
    bad, drafts, refused = [], 0, 0
    pcap = os.path.join(tmp, "c.pcap")
    for name, guest in CAPTURES.items():
        with open("tests/pcaps/%s.pcap" % name, "rb") as f:
            octets = f.read()
        for i in range(12):
            with open(pcap, "wb") as f:
                f.write(changed(rnd, octets))
            code, err, wrote, left = init(tmp, pcap, guest)
            where = "%s, number %d: exit %d, %s" % (name, i, code, err[:200])
            if left or code not in (0, 1, 6) or (code == 6 and wrote) or (code and not err):
                bad.append(where)
            elif wrote:
                drafts += 1
                r = subprocess.run([POLC, "compile", "-n", os.path.join(tmp, "draft.yaml")],
                                   capture_output=True)
                if r.returncode:
                    bad.append(where + r.stderr.decode()[:200])
            else:
                refused += 1
    said(not bad, "%d changed captures" % (drafts + refused), "seed %d: %s" % (SEED, bad[:3]))
    said(drafts > 8 and refused > 8, "some gave drafts (%d), some did not (%d)" % (drafts, refused))

    for what, target, host in (
            ("a star in a path", "/a*", "h.example"),
            ("stars in a path", "/**", "h.example"),
            ("a quote in a path", "/it's", "h.example"),
            ("what would end a mapping", "/x}}, consent: none", "h.example"),
            ("a comment", "/x%20#%20y", "h.example"),
            ("an escape of a terminal", "/\x1b[2J", "h.example"),
            ("a long path", "/" + 300 * "a", "h.example"),
            ("a star for a host", "/a", "*"),
            ("a quote in a host", "/a", "h'x.example"),
            ("capitals in a host", "/a", "H.Example")):
        talk(pcap, ("GET %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (target, host)).encode())
        code, err, wrote, left = init(tmp, pcap, "portal=10.20.0.12")
        draft = os.path.join(tmp, "draft.yaml")
        fine = code in (0, 1) and not left and (code == 0) <= wrote and (wrote or err)
        why = "exit %d: %s" % (code, err)
        if wrote:
            with open(draft, encoding="utf-8") as f:
                text = f.read()
            fine = fine and subprocess.run([POLC, "compile", "-n", draft],
                                           capture_output=True).returncode == 0
            # Nothing but what was seen: another path and host are refused.
            talk(pcap, b"GET /another/one HTTP/1.1\r\nHost: other.example\r\n\r\n")
            r = subprocess.run([POLC, "replay", "-g", "portal=10.20.0.12", draft, pcap],
                               capture_output=True)
            fine = fine and b" allow " not in b"".join(
                l for l in r.stdout.splitlines() if b"http.request" in l)
            why += r.stdout.decode()[:300]
            talk(pcap, b"GET /abc HTTP/1.1\r\nHost: h.example\r\n\r\n")
            r = subprocess.run([POLC, "replay", "-g", "portal=10.20.0.12", draft, pcap],
                               capture_output=True)
            fine = fine and b" allow " not in b"".join(
                l for l in r.stdout.splitlines() if b"http.request" in l)
            why += text
        said(fine, what, why)
    said(True, "seed %d" % SEED)
sys.exit(rc)
