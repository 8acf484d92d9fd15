# SPDX-License-Identifier: Apache-2.0
"""Evasions above: messages of C12.22 that two readers could read in two ways."""
import struct

import c1222
from packets import (UDP)
from script import (FORBIDDEN, PAXSON, PTACEK, TITLE, Tcp, WAN, case)
# --- C12.22 -----------------------------------------------------------------------------


@case("allowed and forbidden in one segment", "pipelining; NSS Evader", "stop",
      ("denied", "no-grant"))
def _(c, a, f):
    Tcp(c).open().send(0, a + f)


@case("the start of a forbidden one behind an allowed one",
      "pipelining; NSS Evader", "stop", ("denied", "no-grant"))
def _(c, a, f):
    t = Tcp(c).open()
    t.send(0, a + f[:50])
    t.send(len(a) + 50, f[50:])


@case("allowed, then forbidden, cut inside both", "pipelining", "stop",
      ("denied", "no-grant"))
def _(c, a, f):
    # What was judged may go; the rest of it shares a packet with what may not.
    c.partial = True
    t = Tcp(c).open()
    t.send(0, a[:60])
    t.send(60, a[60:] + f[:20])
    t.send(len(a) + 20, f[20:])


@case("two datagrams' messages in one", "RFC 6142, 2", "stop",
      ("malformed", "too-many-units", "suspicious", "denied", "no-grant"))
def _(c, a, f):
    c.net(UDP, c.udp(a + f))


@case("a forbidden service behind an allowed one",
      "C12.22 section 5 (several services)", "stop", ("denied", "no-grant"))
def _(c, a, f):
    first = c1222.read(0) if c.sender == WAN else \
        c1222.resolve(c1222.HEADEND)
    c.net(UDP, c.udp(c.header([first, c1222.write(
        54 if c.sender == WAN else 28, FORBIDDEN * 4)])))


@case("a forbidden service behind an empty one", "C12.22 section 5", "stop",
      ("malformed", "suspicious", "denied", "no-grant", "not-canonical"))
def _(c, a, f):
    c.net(UDP, c.udp(c.header([b"", c1222.write(
        54 if c.sender == WAN else 28, FORBIDDEN * 4)])))


@case("longer lengths than needed", "Kaminsky et al. 2010 (BER ambiguity)",
      "stop", ("not-canonical", "denied", "no-grant", "malformed"))
def _(c, a, f):
    c.net(UDP, c.udp(b"\x60\x82" + struct.pack(">H", f[1]) + f[2:]))


@case("lengths without an end", "X.690, 8.1.3.6; Kaminsky et al. 2010",
      "stop", ("malformed", "not-canonical"))
def _(c, a, f):
    c.net(UDP, c.udp(b"\x60\x80" + f[2:] + b"\0\0"))


@case("a length that ends too early", "X.690; " + PAXSON, "stop",
      ("malformed", "denied", "no-grant", "suspicious"))
def _(c, a, f):
    c.net(UDP, c.udp(f[:1] + bytes([f[1] - 12]) + f[2:]))


@case("user information twice", "C12.22 section 4", "stop",
      ("malformed", "suspicious", "denied", "no-grant"))
def _(c, a, f):
    at = a.index(b"\xbe")
    body = a[2:] + f[f.index(b"\xbe"):]
    assert at > 0
    c.net(UDP, c.udp(c1222.tlv(0x60, body)))


@case("a forbidden message in C12.22 segments", "C12.22 section 11", "stop",
      ("denied", "no-grant"))
def _(c, a, f):
    to, by = TITLE[c.receiver], TITLE[c.sender]
    for at in (0, 40):
        c.net(UDP, c.udp(c1222.part(to, by, c.inv, f, at, f[at:at + 40])))


@case("C12.22 segments that overlap", "C12.22 section 11; " + PTACEK, "stop",
      ("bad-segment", "denied", "no-grant"))
def _(c, a, f):
    to, by = TITLE[c.receiver], TITLE[c.sender]
    for m, at, end in ((a, 0, 40), (f, 24, 60), (a, 40, None), (f, 60, None)):
        part = c1222.part(to, by, c.inv, m, at, m[at:end])
        c.net(UDP, c.udp(part))
        if m is a:
            c.allowed.append(part)


@case("C12.22 segments in disorder with another first",
      "C12.22 section 11; " + PTACEK, "stop",
      ("bad-segment", "denied", "no-grant"))
def _(c, a, f):
    to, by = TITLE[c.receiver], TITLE[c.sender]
    for m, at, end in ((f, 40, None), (a, 40, None), (f, 0, 40), (a, 0, 40)):
        c.net(UDP, c.udp(c1222.part(to, by, c.inv, m, at, m[at:end])))


@case("half of the C12.22 segments over TCP", "C12.22 section 11", "stop",
      ("bad-segment", "denied", "no-grant", "incomplete", "held-at-end"))
def _(c, a, f):
    to, by = TITLE[c.receiver], TITLE[c.sender]
    c.net(UDP, c.udp(c1222.part(to, by, c.inv, f, 0, f[:40])))
    Tcp(c).open().send(0, c1222.part(to, by, c.inv, f, 40, f[40:]))


@case("octets that are no message between messages", "stream desynchronised",
      "stop", ("malformed", "changed-protocol"))
def _(c, a, f):
    t = Tcp(c).open()
    t.send(0, a)
    t.send(len(a), b"GET / HTTP/1.1\r\n\r\n" + f)


@case("an answer that nobody asked for", "C12.22 section 9", "stop",
      ("not-an-answer", "unpaired-response", "no-grant"))
def _(c, a, f):
    m = c1222.apdu(TITLE[c.receiver], TITLE[c.sender], c.inv + 1,
                   [c1222.answer(FORBIDDEN * 8)], answers=c.inv + 9)
    c.net(UDP, c.udp(m))
