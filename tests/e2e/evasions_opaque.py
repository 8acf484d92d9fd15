# SPDX-License-Identifier: Apache-2.0
"""Evasions of those who may say what nobody reads: of a message that is read,
and of the comparison of octets that are sent again."""
from packets import ACK, PSH, UDP, udp
from script import INTANG, PAXSON, PTACEK, Tcp, case

PORT = 8080  # of the party that may


def sealed(c, n):
    """Octets that are no protocol of anybody's."""
    m = bytes((37 * i) & 0x7F for i in range(n))
    c.allowed.append(m)
    return m


def say(c, m):
    c.net(UDP, c.udp(m, dport=PORT))


def answer(c, m):
    """From the receiver, to where the sender sends from."""
    c.net(UDP, udp(*c.ends(c.receiver), PORT, c.port(), m), side=c.receiver)


def opened(c, **how):
    return Tcp(c, port=PORT, **how).open()


def reply(t, at, heard, data):
    """The receiver's octets from at on, which has so many of the sender's."""
    t.raw(t.c.receiver, t.isn[t.c.receiver] + 1 + at,
          t.isn[t.c.sender] + 1 + heard, ACK | PSH, data)


# --- a message that is read, among octets that nobody reads -----------------------


@case("opaque party: a forbidden datagram", "yardstick", "stop",
      ("denied", "no-grant"))
def _(c, a, f):
    say(c, f)


@case("opaque party: a forbidden datagram behind one octet",
      "a protocol recognised once for a flow", "stop", ("denied", "no-grant"))
def _(c, a, f):
    say(c, sealed(c, 1))
    say(c, f)


@case("opaque party: a forbidden datagram to who spoke first",
      "a protocol recognised once for both directions", "stop",
      ("denied", "no-grant"))
def _(c, a, f):
    say(c, sealed(c, 40))
    answer(c, b"\0")
    say(c, f)


@case("opaque party: a forbidden datagram with octets behind it",
      "a protocol recognised once for a flow", "stop",
      ("malformed", "denied", "no-grant"))
def _(c, a, f):
    say(c, sealed(c, 1))
    say(c, f + b"\0\0")


@case("opaque party: an empty datagram first", "RFC 768", "stop",
      ("denied", "no-grant"))
def _(c, a, f):
    c.allowed.append(b"")
    say(c, b"")
    say(c, sealed(c, 9))
    say(c, f)


@case("opaque party: a forbidden message in one segment", "yardstick", "stop",
      ("denied", "no-grant"))
def _(c, a, f):
    opened(c).send(0, f)


@case("opaque party: its peer says one octet first",
      "a protocol recognised once for both directions", "stop",
      "changed-protocol")
def _(c, a, f):
    t = opened(c)
    reply(t, 0, 0, b"\0")
    t.send(0, f, early_ack=1)


@case("opaque party: a forbidden message when it is its turn",
      "a protocol that changes midway", "stop", "changed-protocol")
def _(c, a, f):
    t = opened(c)
    t.send(0, sealed(c, 30))
    reply(t, 0, 30, b"\0")
    t.send(30, f, early_ack=1)


@case("opaque party: the same, its first octet alone",
      "a protocol that changes midway", "stop", "changed-protocol")
def _(c, a, f):
    c.allowed.append(f[:1])
    t = opened(c)
    t.send(0, sealed(c, 30))
    reply(t, 0, 30, b"\0")
    t.send(30, f[:1], early_ack=1)
    t.send(31, f[1:], early_ack=1)


@case("opaque party: the same, its first octet acknowledged",
      "a message cut by an acknowledgement", "stop", "changed-protocol")
def _(c, a, f):
    c.allowed.append(f[:1])
    t = opened(c)
    t.send(0, sealed(c, 30))
    reply(t, 0, 30, b"\0")
    t.send(30, f[:1], early_ack=1)
    t.ack(31)
    t.send(31, f[1:], early_ack=1)


@case("opaque party: the same, its peer speaks inside it",
      "a message cut by an answer", "stop", "changed-protocol")
def _(c, a, f):
    c.allowed.append(f[:12])
    t = opened(c)
    t.send(0, sealed(c, 30))
    reply(t, 0, 30, b"\0")
    t.send(30, f[:12], early_ack=1)
    reply(t, 1, 42, b"\0")
    t.send(42, f[12:], early_ack=2)


@case("opaque party: a forbidden message behind other elements",
      "elements that some readers skip", "stop", ("malformed", "suspicious"))
def _(c, a, f):
    opened(c).send(0, f[:1] + bytes([f[1] + 4]) + b"\xbd\2\4\0" + f[2:])


# --- other octets in the same place -------------------------------------------------


@case("opaque party: a forbidden message in place of other octets",
      PTACEK + ", 5.4", "stop", "evasion")
def _(c, a, f):
    t = opened(c)
    t.send(0, sealed(c, len(f)))
    t.send(0, f)


@case("opaque party: octets that die on their way, then a message",
      PTACEK + ", 5.1 (TTL)", "stop", "evasion")
def _(c, a, f):
    t = opened(c)
    t.send(0, sealed(c, len(f)), ip={"ttl": 3})
    t.send(0, f)


@case("opaque party: octets with a bad checksum, then a message", INTANG,
      "stop", ("denied", "no-grant"))
def _(c, a, f):
    t = opened(c)
    t.send(0, bytes(len(f)), check="bad")
    t.send(0, f)


@case("opaque party: pieces that overlap", PTACEK + ", 5.4", "stop", "evasion")
def _(c, a, f):
    c.partial = True
    t = opened(c)
    t.send(0, sealed(c, len(f)))
    for at in range(0, len(f), 20):
        t.send(at, f[at:at + 20])


@case("opaque party: the end of one segment, the start of another", PAXSON,
      "stop", "evasion")
def _(c, a, f):
    m = sealed(c, 2 * len(f))
    c.partial = True
    t = opened(c)
    t.send(0, m[:len(f)])
    t.send(len(f) - 30, m[len(f) - 30:len(f) - 20] + f)


@case("opaque party: early octets other than what fills the gap",
      PTACEK + ", 5.4", "stop", "evasion")
def _(c, a, f):
    m = sealed(c, len(f) + 10)
    t = opened(c)
    t.send(10, f)
    t.send(0, m)


@case("opaque party: a message in place of what was acknowledged", PAXSON,
      "stop", "tcp-repeated")
def _(c, a, f):
    t = opened(c)
    t.send(0, sealed(c, len(f)))
    t.ack(len(f))
    t.send(0, f)


# --- ordinary traffic ------------------------------------------------------------------


@case("opaque party: octets sent again, cut elsewhere", PAXSON, "pass")
def _(c, a, f):
    m = sealed(c, 900)
    t = opened(c, stamps=True)
    for at, end in ((0, 300), (300, 600), (0, 300), (100, 550), (500, 900),
                    (0, 900)):
        t.send(at, m[at:end])
    t.ack(900)
    c.stream = m


@case("opaque party: turns", "yardstick", "pass")
def _(c, a, f):
    m, said = b"", 0
    t = opened(c)
    for i in range(6):
        part = b"\x60\x40%d" % i + bytes(40) if i else sealed(c, 40)
        t.send(len(m), part, early_ack=said)
        m += part
        reply(t, said, len(m), b"\x60\x1d\xa2" if said else b"\x17\2\3")
        said += 3
    c.allowed = [m]
    c.stream = m


@case("opaque party: a datagram", "yardstick", "pass")
def _(c, a, f):
    m = sealed(c, 100)
    say(c, m)
    c.datagrams = {m}
