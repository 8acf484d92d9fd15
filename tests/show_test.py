#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""polc show and dump: of every policy of the tree, compiled, all that its
source names stands in both; and nothing is shown of what is damaged."""
import glob
import hashlib
import json
import os
import struct
import subprocess
import sys
import tempfile

import yaml

os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
POLC = os.path.abspath(os.path.join(os.environ.get("BUILD", "build"), "bin", "polc"))
# CRC-32C, reflected.
CRC = []
for octet in range(256):
    for _ in range(8):
        octet = octet >> 1 ^ (0x82f63b78 if octet & 1 else 0)
    CRC.append(octet)
# Those whose digest stands in UNIQ.
OF_GRANTS = (b"STRS", b"BLOB", b"LIST", b"VMS ", b"PRTY", b"PORT", b"PFX4", b"PFX6",
             b"SELS", b"COLS", b"OBSV", b"DIMS", b"AUTO", b"RULE", b"DATA")
WORDS = {"allow": "allow", "ceiling": "ceiling", "deny": "deny",
         "restrict": "restrict", "limits": "limit", "states": "state",
         "vms": "vm", "floors": "floor", "keys": "key",
         "consent-rules": "consent-rule", "consent": "consent"}
rc = 0


def said(ok, name, why=""):
    global rc
    print(("ok " if ok else "not ok ") + name + (": " + why if why and not ok else ""))
    rc |= not ok


def polc(*args):
    return subprocess.run([POLC, *args], capture_output=True)


def sections(text):
    """The rows of a dump, by section."""
    rows = {}
    for line in text.decode().splitlines():
        row = json.loads(line)
        rows.setdefault(row["section"], []).append(row)
    return rows


def crc(octets):
    c = 0xffffffff
    for b in octets:
        c = CRC[(c ^ b) & 255] ^ c >> 8
    return c ^ 0xffffffff


def forged(image, rows, sect=b"LABL"):
    """The image with other octets of the same length in a section, every
    checksum and the digest put right: layout.h."""
    p = bytearray(image)
    n = struct.unpack_from("<I", p, 24)[0]
    payload, rules = hashlib.sha256(), hashlib.sha256()
    for i in range(n):
        at = 120 + 32 * i
        kind, _, off, length = struct.unpack_from("<4sIQQ", p, at)
        if kind == sect:
            p[off:off + length] = rows(bytes(p[off:off + length]))
        if kind == b"UNIQ":
            p[off:off + length] = rules.digest()
        if kind in (sect, b"UNIQ"):
            struct.pack_into("<I", p, at + 28, crc(p[off:off + length]))
        if kind in OF_GRANTS:
            rules.update(struct.pack("<4sIQ", kind, 0, length) + p[off:off + length])
        if kind not in (b"INCL", b"LOCS", b"LABL", b"SIGN"):
            payload.update(struct.pack("<4sIQ", kind, 0, length) + p[off:off + length])
    p[32:64] = payload.digest()
    struct.pack_into("<I", p, 28, 0)
    struct.pack_into("<I", p, 28, crc(p[:120 + 32 * n]))
    return bytes(p)


def complete(rows):
    """Each section has as many rows as the table of the image says."""
    unit = {"STRS": lambda t, r: sum(len(x["text"].encode()) + 1 for x in r) == t["len"],
            "TEXT": lambda t, r: sum(len(x["text"].encode()) + 1 for x in r) == t["len"],
            "LIST": lambda t, r: sum(len(x["values"]) for x in r) == t["count"],
            "BLOB": lambda t, r: sum(len(x["octets"]) // 2 for x in r) == t["count"],
            "DIMS": lambda t, r: len(r) * rows["header"][0]["words"] == t["count"],
            "LOCS": lambda t, r: len(r) == len(rows.get("RULE", [])) + len(rows.get("LIMT", []))}
    for t in rows["table"]:
        name = t["type"].strip()
        r = rows.get(name, [])
        if not unit.get(name, lambda t, r: len(r) == t["count"])(t, r):
            return name
    return None


def wants(source):
    """The lines that a source must lead to, by how they begin."""
    for key, word in WORDS.items():
        for name in source.get(key) or {}:
            yield "%s %s:" % (word, name)
    for name in source.get("parties") or {}:
        yield "party %s:" % name


with tempfile.TemporaryDirectory() as tmp:
    images, missing, short = 0, [], []
    rules = 0
    for path in sorted(glob.glob("policies/**/*.yaml", recursive=True)
                       + glob.glob("tests/policies/household/*.yaml")):
        with open(path, encoding="utf-8") as f:
            source = yaml.load(f, yaml.BaseLoader)
        if source["kind"] == "tests":
            continue
        image = os.path.join(tmp, "%d.polc" % images)
        made = polc("compile", path, "-o", image)
        if made.returncode:
            missing.append(path + ": " + made.stderr.decode())
            continue
        images += 1
        shown = polc("show", image).stdout.decode()
        begin = {" ".join(l.split(" ")[:2]).rstrip(":") + ":" for l in shown.splitlines()}
        missing += ["%s: %s" % (path, w) for w in wants(source) if w not in begin]
        rules += sum(1 for _ in wants(source))
        rows = sections(polc("dump", image).stdout)
        bad = complete(rows)
        if bad:
            short.append("%s: %s" % (path, bad))
        names = [r["id"] for r in rows.get("RULE", [])]
        for key in ("allow", "ceiling", "deny", "restrict"):
            short += ["%s: %s" % (path, n) for n in source.get(key) or {} if n not in names]
    said(images > 20 and not missing, "show names what %d sources name" % images, str(missing[:3]))
    said(rules > 200, "there was something to name", str(rules))
    said(not short, "dump has every row", str(short[:3]))

    one = os.path.join(tmp, "0.polc")
    text = polc("show", one)
    again = json.loads(polc("show", "--json", one).stdout)
    said(again["text"] == text.stdout.decode() and again["file"] == one, "show --json is its text")
    all_of = polc("show", tmp)
    said(all_of.returncode == 0 and all_of.stdout.count(b"payload  ") == images,
         "show of a directory")
    said(polc("dump", tmp).stdout.count(b'"section":"header"') == images, "dump of a directory")

    key = os.path.join(tmp, "k")
    polc("keygen", "-o", key)
    polc("sign", "-k", key, one)
    public = polc("keygen", "--public", key).stdout.decode().strip()
    said("signed   says key " + public in polc("show", one).stdout.decode(), "show says who signed")
    said(sections(polc("dump", one).stdout)["SIGN"][0]["key"] == public.split(":")[1],
         "dump says who signed")

    m = os.path.join(tmp, "m.polc")
    source = "tests/policies/household/mdma.yaml"
    polc("compile", source, "-o", m)
    told = polc("show", m).stdout.decode()
    said("label to Example Metering Ltd: grade D, every 30 min" in told, "show tells the label", told)
    row = sections(polc("dump", m).stdout)["LABL"]
    said([r["grade"] for r in row] == ["D"], "dump tells the label", str(row))
    said("label    that of its rules" in polc("verify", "--source", source, m).stdout.decode(),
         "verify compares the label")
    with open(m, "rb") as f:
        image = f.read()
    said(forged(image, lambda rows: rows) == image, "the test knows the layout")
    better = forged(image, lambda rows: rows[:24] + b"A" + rows[25:])
    with open(m, "wb") as f:
        f.write(better)
    r = polc("verify", "--source", source, m)
    said(r.returncode == 5 and b"error[P7006]" in r.stdout and b"P7005" not in r.stdout,
         "a better label than its rules is found", r.stdout.decode())
    polc("sign", "-k", key, m)
    r = polc("verify", "--key", public, m)
    said(r.returncode == 5 and b"error[P7006]" in r.stdout, "so is one that is signed",
         r.stdout.decode())
    polc("compile", "policies/baseline-daily.yaml", "-o", m)
    said(b"label    none" in polc("verify", "--source", "policies/baseline-daily.yaml", m).stdout,
         "what is no vendor's has no label")

    # What a policy includes: each library once, also that of a library.
    header = "polc: 1\nkind: %s\nid: %s\nserial: %d\ntitle: T\n"
    party = ("parties:\n  p: {name: P, role: metering, address: [192.0.2.1/32], "
             "ports: [tcp/1153]}\n")
    files = {
        "v.yaml": header % ("vendor", "org.v", 1) + "contact: c\nvm: mdma\n"
                  "use: {x: org.lib.z@1, y: org.lib.a@2}\nallow:\n"
                  "  r: {direction: in, party: x/p, match: {flow.open: {}}, "
                  "limits: [1 message per day]}\n",
        "z.yaml": header % ("library", "org.lib.z", 1) + "use: {a: org.lib.a@2}\n" + party,
        "a.yaml": header % ("library", "org.lib.a", 3) + party,
    }
    digest = {}
    lib = os.path.join(tmp, "lib")
    for where, more in (("", ""), ("2", "# a word more\n")):
        os.mkdir(lib + where)
        for name, text in files.items():
            text += more if name == "a.yaml" else ""
            digest[name + where] = hashlib.sha256(text.encode()).hexdigest()
            with open(os.path.join(lib + where, name), "w", encoding="utf-8") as f:
                f.write(text)
    source = os.path.join(lib, "v.yaml")
    said(polc("compile", source, "-o", m).returncode == 0, "a policy with libraries compiles")
    want = [("org.lib.a", 3, digest["a.yaml"], os.path.join(lib, "a.yaml")),
            ("org.lib.z", 1, digest["z.yaml"], os.path.join(lib, "z.yaml"))]
    got = sections(polc("dump", m).stdout).get("INCL", [])
    said([(r["id"], r["serial"], r["digest"], r["path"]) for r in got] == want,
         "dump has each file that was included", str(got))
    told = polc("show", m).stdout.decode()
    said(["library  %s serial %d sha256:%s from %s" % w in told for w in want] == [True, True],
         "show has each file that was included", told)
    r = json.loads(polc("show", "--json", m).stdout)
    said([(x["id"], x["serial"], x["sha256"], x["path"]) for x in r["libraries"]] == want,
         "so has show for programs", str(r["libraries"]))
    r = polc("verify", "--source", source, m)
    said(r.returncode == 0 and ["  library  %s serial %d sha256:%s\n" % w[:3] in r.stdout.decode()
                                for w in want] == [True, True],
         "verify tells the libraries", r.stdout.decode())
    r = json.loads(polc("verify", "--json", "--source", source, m).stdout)
    said([(x["id"], x["serial"], x["sha256"], x["path"]) for x in r["libraries"]] == want,
         "verify tells programs the libraries", str(r))
    r = polc("verify", "--source", os.path.join(lib + "2", "v.yaml"), m).stdout.decode()
    said(r.count("P7005") == 1 and "library org.lib.a: made with serial 3 sha256:%s, at hand is "
         "serial 3 sha256:%s" % (digest["a.yaml"], digest["a.yaml2"]) in r,
         "verify names the library that is another", r)
    r = polc("diff", lib, lib + "2").stdout.decode()
    said("SAME\n" in r and "org.v is compiled with other libraries\n    org.lib.a\n"
         "      serial 3 sha256:%s\n      -> serial 3 sha256:%s\n"
         % (digest["a.yaml"], digest["a.yaml2"]) in r and "org.lib.z" not in r,
         "diff tells of a changed library", r)
    r = polc("diff", "--json", lib, lib + "2").stdout.decode()
    said([(x["policy"], x["library"], x["was"]["sha256"], x["is"]["sha256"])
          for x in map(json.loads, r.splitlines()) if x["subject"] == "library"] ==
         [("org.v", "org.lib.a", digest["a.yaml"], digest["a.yaml2"])],
         "diff tells programs of a changed library", r)
    polc("compile", os.path.join(lib + "2", "v.yaml"), "-o", m + "2")
    said(sections(polc("dump", m + "2").stdout)["header"][0]["payload"] ==
         sections(polc("dump", m).stdout)["header"][0]["payload"],
         "a comment in a library makes no other policy")
    with open(m, "rb") as f:
        image = f.read()
    with open(m, "wb") as f:
        f.write(forged(image, lambda s: s.replace(b"org.v", b"or\x1b[v"), b"STRS"))
    polc("sign", "-k", key, m)
    r = polc("verify", m)
    said(r.returncode == 0 and b"\x1b" not in r.stdout and b"or\\x1b[v serial 1: whole" in r.stdout,
         "verify shows a terminal nothing to act upon", str(r))

    with open(one, "rb") as f:
        octets = bytearray(f.read())
    noticed = 0
    for at in range(0, len(octets), 37):
        octets[at] ^= 0x20
        with open(os.path.join(tmp, "bad"), "wb") as f:
            f.write(octets)
        octets[at] ^= 0x20
        r = polc("show" if at % 2 else "dump", os.path.join(tmp, "bad"))
        signed = at >= len(octets) - 96  # polc verify is for those
        noticed += signed or (r.returncode == 5 and not r.stdout)
    said(noticed == len(range(0, len(octets), 37)), "nothing is shown of a damaged image")
    octets[130] ^= 0x20
    with open(os.path.join(tmp, "bad"), "wb") as f:
        f.write(octets)
    r = polc("show", "--json", os.path.join(tmp, "bad"))
    told = [json.loads(line) for line in r.stdout.decode().splitlines()]
    said(r.returncode == 5 and not r.stderr and len(told) == 1
         and told[0]["level"] == "error" and told[0]["code"] == "P7001"
         and told[0]["file"] == os.path.join(tmp, "bad")
         and told[0]["message"] and not told[0]["message"].startswith(tmp),
         "damage is told to programs as an object", str(r))
    r = polc("dump", "--json", os.path.join(tmp, "bad"))
    said(r.returncode == 5 and r.stdout.count(b'"code":"P7001"') == 1, "also by dump", str(r))
    said(polc("show", "policies/portal.yaml").returncode == 5
         and b"polc compile" in polc("show", "policies/portal.yaml").stderr,
         "a source is no image")
    said(polc("show", os.path.join(tmp, "none")).returncode == 6, "no such file")
    said(polc("show").returncode == 2 and polc("dump", "--frob", one).returncode == 2, "usage")
    os.mkdir(os.path.join(tmp, "empty"))
    said(polc("show", os.path.join(tmp, "empty")).returncode == 6, "no images in a directory")
sys.exit(rc)
