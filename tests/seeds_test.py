#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Seeds of fuzz targets that hold compiled policies are what polc makes today:
those of an older format would be refused at their first octets, and the
fuzzer would search in front of a closed door.
  tests/seeds_test.py          do they stand in tests/corpus?
  tests/seeds_test.py --write  put them there"""
import os
import struct
import subprocess
import sys
import tempfile

os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
POLC = os.path.abspath(os.path.join(os.environ.get("BUILD", "build"), "bin", "polc"))
HOUSE = "tests/policies/household/"
# A key of Ed25519 (RFC 8410) that everybody knows.
KEY = b"""-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIEJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJC
-----END PRIVATE KEY-----
"""
HEAD = "polc: 1\nkind: %s\nid: %s\nserial: %d\ntitle: T\n"
PARTY = ("parties:\n  p: {name: P, role: metering, address: [192.0.2.1/32], "
         "ports: [tcp/1153]}\n")
LIBRARIES = {
    "v.yaml": HEAD % ("vendor", "org.v", 1) + "contact: c\nvm: mdma\n"
              "use: {x: org.lib.z@1, y: org.lib.a@2}\nallow:\n"
              "  r: {direction: in, party: x/p, match: {flow.open: {}}, "
              "limits: [1 message per day]}\n",
    "z.yaml": HEAD % ("library", "org.lib.z", 1) + "use: {a: org.lib.a@2}\n" + PARTY,
    "a.yaml": HEAD % ("library", "org.lib.a", 3) + PARTY,
}
MAGIC = b"\x8dMGP\r\n\x01\n"
FORCE, SEEN, STAGED, CLOCK, VOIDS = range(1, 6)  # enforcer/daemon/policy_store.c


def polc(*args, cwd=None):
    r = subprocess.run([POLC, *args], cwd=cwd, capture_output=True, text=True)
    if r.returncode:
        sys.exit("polc %s: %s" % (" ".join(args), r.stderr))


def image_seeds(tmp):
    """The household's files, one that is signed, one with libraries."""
    seeds = {}
    out = os.path.join(tmp, "image")
    key = os.path.join(tmp, "key")
    with open(os.open(key, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as f:
        f.write(KEY)

    def take(name):
        with open(out, "rb") as f:
            seeds["image/" + name + ".bin"] = f.read()

    for name in ("baseline", "binding", "customer", "flex", "mdma", "tips"):
        polc("compile", HOUSE + name + ".yaml", "-o", out)
        take(name)
        if name == "mdma":
            polc("sign", "-k", key, out)
            take("signed")
    for name, text in LIBRARIES.items():
        with open(os.path.join(tmp, name), "w", encoding="utf-8") as f:
            f.write(text)
    polc("compile", "./v.yaml", "-o", out, cwd=tmp)
    take("libraries")
    return seeds


def item(kind, octets):
    return struct.pack("<BI", kind, len(octets)) + octets


def store_seeds(binding, customer):
    """Files of what was activated; the target adds the checksum itself."""
    def staged(flags, elapsed, image):
        return item(STAGED, struct.pack("<Bq", flags, elapsed) + image)

    seen = item(SEEN, struct.pack("<BQ32s", 3, 7, bytes(32)) + b"com.example.mdma")
    clock = item(CLOCK, bytes(range(16)) + struct.pack("<qq", 10**9, 10**15))
    voids = item(VOIDS, bytes(range(32)) + struct.pack("<II", 1, 3))
    of = {
        "in-force": item(FORCE, binding) + item(FORCE, customer) + seen + clock + voids,
        "staged": item(FORCE, binding) + seen + staged(3, 20 * 60 * 10**9, customer) + clock,
        "staged-flags": staged(8, 0, binding),
        "staged-huge": staged(2, 1 << 62, binding),
    }
    return {"policy_store/" + name: MAGIC + octets for name, octets in of.items()}


def main():
    with tempfile.TemporaryDirectory() as tmp:
        seeds = image_seeds(tmp)
    seeds.update(store_seeds(seeds["image/binding.bin"], seeds["image/customer.bin"]))
    rc = 0
    for name, octets in sorted(seeds.items()):
        path = "tests/corpus/" + name
        if sys.argv[1:] == ["--write"]:
            with open(path, "wb") as f:
                f.write(octets)
            continue
        try:
            with open(path, "rb") as f:
                good = f.read() == octets
        except FileNotFoundError:
            good = False
        print(("ok " if good else "not ok ") + "seed " + name
              + ("" if good else ": not what polc makes now; tests/seeds_test.py --write"))
        rc |= not good
    return rc


sys.exit(main())
