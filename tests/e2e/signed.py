# SPDX-License-Identifier: Apache-2.0
"""Policies of the testbed as a platform and its vendors deliver them: compiled
and signed, with keys made here."""
import os
import re
import shutil
import subprocess
import tempfile

from lib import POLICIES, program

SIGNERS = {"binding": "platform", "baseline": "platform", "mdma": "mdma-vendor",
           "dr": "dr-vendor", "portal": "portal-vendor"}


def polc(*args):
    done = subprocess.run([program("polc")] + list(args), text=True,
                          capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError("polc %s: %s%s" % (" ".join(args), done.stdout,
                                              done.stderr))
    return done.stdout.strip()


class Signed:
    """dir has src/ (sources, to be edited), keys/, platform.key and policies/
    (what is delivered); use as a context manager."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="metergate-signed-")
        os.chmod(self.dir, 0o755)
        self.src = os.path.join(self.dir, "src")
        self.policies = os.path.join(self.dir, "policies")
        self.platform_key = os.path.join(self.dir, "platform.key")
        shutil.copytree(POLICIES, self.src)
        os.makedirs(self.policies)
        os.makedirs(os.path.join(self.dir, "keys"))
        for who in set(SIGNERS.values()) | {"stranger"}:
            polc("keygen", "-o", self.key(who))
        with open(self.platform_key, "w", encoding="utf-8") as f:
            f.write(self.public("platform") + "\n")
        text = self.read("binding")
        for who in SIGNERS.values():
            text = re.sub(r'(\n  %s: )"ed25519:[0-9a-f]*"' % who,
                          r'\1"%s"' % self.public(who), text)
        self.write("binding", text)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.dir, ignore_errors=True)

    def key(self, who):
        return os.path.join(self.dir, "keys", who + ".pem")

    def public(self, who):
        return polc("keygen", "--public", self.key(who))

    def path(self, name):
        return os.path.join(self.src, name + ".yaml")

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as f:
            return f.read()

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)

    def edit(self, name, *pairs):
        """Each (from, to) once; from has to be there."""
        text = self.read(name)
        for a, b in pairs:
            if a not in text:
                raise RuntimeError("%s has no '%s'" % (name, a))
            text = text.replace(a, b, 1)
        self.write(name, text)

    def serial(self, name, n):
        self.write(name, re.sub(r"^serial: .*", "serial: %d" % n,
                                self.read(name), count=1, flags=re.M))

    def deliver(self, name, to, by=None, unsigned=False):
        """The image of a source into the directory `to` of a gateway."""
        out = os.path.join(self.dir, name + ".polc")
        polc("compile", self.path(name), "-o", out)
        if not unsigned:
            polc("sign", "-k", self.key(by or SIGNERS[name]), out)
        os.rename(out, os.path.join(to, name + ".polc"))

    def deliver_all(self, to):
        for name in SIGNERS:
            self.deliver(name, to)

    def conf(self):
        """For a Gate whose policies these are."""
        return {"signatures": "required", "platform_key": self.platform_key}
