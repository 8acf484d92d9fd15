# SPDX-License-Identifier: Apache-2.0
"""A TPM for the live tests: swtpm, with a state of its own."""
import os
import shutil
import signal
import socket
import struct
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
            # Somebody listens there; a name alone may be too early.
            with socket.socket(socket.AF_UNIX) as s:
                if s.connect_ex(self.path) == 0:
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

    def measure(self, pcr, what=b"\7" * 32):
        """As a boot loader does; while nobody else is connected."""
        command = struct.pack(">HIIIIIHBHIH", 0x8002, 65, 0x182, pcr, 9,
                              0x40000009, 0, 0, 0, 1, 0x000b) + what
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(self.path)
            s.sendall(command)
            answer = s.recv(4096)
        if answer[6:10] != bytes(4):
            raise RuntimeError("swtpm: " + answer.hex())
