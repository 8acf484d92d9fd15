# SPDX-License-Identifier: Apache-2.0
"""A TPM for the live tests: swtpm, with a state of its own."""
import os
import shutil
import signal
import subprocess
import tempfile
import time


def there():
    return shutil.which("swtpm") is not None


class Tpm:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="metergate-tpm-")
        self.path = os.path.join(self.dir, "s")
        self.name = "swtpm:path=" + self.path
        self.p = None

    def __enter__(self):
        return self.on()

    def __exit__(self, *_):
        self.off()
        shutil.rmtree(self.dir, ignore_errors=True)

    def on(self):
        """As it was when it was switched off: that is a reset."""
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.p = subprocess.Popen(
            ["swtpm", "socket", "--tpm2", "--tpmstate", "dir=" + self.dir,
             "--server", "type=unixio,path=" + self.path,
             "--ctrl", "type=unixio,path=%s.ctrl" % self.path,
             "--flags", "not-need-init,startup-clear"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(500):
            if os.path.exists(self.path):
                return self
            time.sleep(0.01)
        raise RuntimeError("swtpm does not start")

    def off(self, sig=signal.SIGKILL):
        if self.p:
            self.p.send_signal(sig)
            self.p.send_signal(signal.SIGCONT)
            self.p.wait()
        self.p = None

    def again(self):
        self.off()
        return self.on()
