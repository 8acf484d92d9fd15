# SPDX-License-Identifier: Apache-2.0
"""Readers of the audit over HTTP, for the live tests."""
import os
import socket
import threading
import time


def connect(gate):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(2)
    s.connect(os.path.join(gate.work, "run", "metrics"))
    return s


def bodies(f):
    """Octets of a chunked answer as they come."""
    while True:
        size = int(f.readline() or b"0", 16)
        if size == 0:
            return
        yield f.read(size)
        f.readline()


class Reader(threading.Thread):
    """Follows the events from a number on; comes back when it is cut off."""

    def __init__(self, gate, first):
        super().__init__(daemon=True)
        self.gate, self.first, self.lines = gate, first, {}
        self.doubled, self.stopping, self.connections = 0, False, 0
        self.next = first
        self.start()

    def run(self):
        while not self.stopping:
            try:
                self.once()
            except (OSError, ValueError):
                time.sleep(0.01)

    def once(self):
        s = connect(self.gate)
        with s, s.makefile("rb") as f:
            s.sendall(b"GET /v1/audit?from=%d HTTP/1.1\r\nHost: m\r\n"
                      b"Accept: text/event-stream\r\n\r\n" % self.next)
            while f.readline() not in (b"\r\n", b""):
                pass
            self.connections += 1
            rest = b""
            for octets in bodies(f):
                rest += octets
                while b"\n\n" in rest:
                    event, rest = rest.split(b"\n\n", 1)
                    self.take(event)
                if self.stopping:
                    return

    def take(self, event):
        rows = dict(x.split(b": ", 1) for x in event.split(b"\n")
                    if b": " in x)
        if b"id" not in rows:
            return
        n = int(rows[b"id"])
        self.doubled += n in self.lines
        self.lines[n] = rows[b"data"]
        self.next = n + 1
