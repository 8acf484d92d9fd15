# SPDX-License-Identifier: Apache-2.0
"""Evasions by segments of TCP: overlaps, decoys, states."""
from packets import (ACK, CWR, ECE, FIN, PSH, RST, SYN, UDP, URG, timestamps)
from script import (DEAD, FORBIDDEN, FRAGROUTE, GENEVA, INTANG, NOVAK, PAXSON,
    PTACEK, SNIFFJOKE, SYMTCP, Tcp, case)
# --- ordinary traffic that looks odd: must pass ----------------------------------


@case("whole message in one segment", "yardstick", "pass")
def _(c, a, f):
    Tcp(c).open().send(0, a)
    c.stream = a


@case("forbidden message in one segment", "yardstick", "stop",
      ("denied", "no-grant"))
def _(c, a, f):
    Tcp(c).open().send(0, f)


@case("forbidden message in a datagram", "yardstick", "stop",
      ("denied", "no-grant"))
def _(c, a, f):
    c.net(UDP, c.udp(f))


@case("one octet a segment", PTACEK + ", 5.3", "pass")
def _(c, a, f):
    t = Tcp(c).open()
    for i in range(len(a)):
        t.send(i, a[i:i + 1], after=500)
    c.stream = a


@case("forbidden, one octet a segment", PTACEK + ", 5.3", "stop",
      ("denied", "no-grant"))
def _(c, a, f):
    t = Tcp(c).open()
    for i in range(len(f)):
        t.send(i, f[i:i + 1], after=500)


@case("segments in reverse", FRAGROUTE + ", tcp_seg order reverse", "pass")
def _(c, a, f):
    t = Tcp(c).open()
    for i in range(len(a) - 13, -1, -13):
        t.send(i, a[i:i + 13])
    t.send(0, a[:len(a) % 13] if len(a) % 13 else a[:13])
    c.stream = a


@case("forbidden, segments in reverse",
      FRAGROUTE + ", tcp_seg order reverse", "stop", ("denied", "no-grant"))
def _(c, a, f):
    t = Tcp(c).open()
    for i in range(len(f) - 13, -1, -13):
        t.send(i, f[i:i + 13])
    t.send(0, f[:13])


@case("every segment twice", FRAGROUTE + ", dup", "pass")
def _(c, a, f):
    t = Tcp(c).open()
    for i in range(0, len(a), 10):
        t.send(i, a[i:i + 10])
        t.send(i, a[i:i + 10])
    c.stream = a


@case("sequence numbers wrap inside the message", PTACEK + ", 5.4", "pass")
def _(c, a, f):
    t = Tcp(c, isn=0xFFFFFFFF - 40).open()
    t.send(0, a[:20])
    t.send(20, a[20:60])
    t.send(60, a[60:])
    c.stream = a


@case("forbidden, sequence numbers wrap", PTACEK + ", 5.4", "stop",
      ("denied", "no-grant"))
def _(c, a, f):
    t = Tcp(c, isn=0xFFFFFFFF - 40).open()
    t.send(0, f[:20])
    t.send(20, f[20:60])
    t.send(60, f[60:])


@case("sent again with more behind it", PAXSON + ", 4.2", "pass")
def _(c, a, f):
    b = c.allow()
    t = Tcp(c).open()
    t.send(0, a)
    t.send(0, a + b)
    c.stream = a + b


@case("keepalive with the octet that was sent", "RFC 1122, 4.2.3.6", "pass")
def _(c, a, f):
    t = Tcp(c).open()
    t.send(0, a)
    t.ack(len(a))
    t.send(len(a) - 1, a[-1:], ACK)
    c.stream = a


@case("timestamps that go on", "RFC 7323, 5", "pass")
def _(c, a, f):
    t = Tcp(c, stamps=True).open()
    t.send(0, a[:40])
    t.send(40, a[40:])
    c.stream = a


@case("an allowed message in datagram fragments, last first",
      PTACEK + ", 5.2", "pass")
def _(c, a, f):
    c.parts4(c.udp(a), [24, 48], [2, 1, 0])
    c.datagrams = {a}


@case("an atomic fragment", "RFC 6946", "pass")
def _(c, a, f):
    c.part6(c.udp(a, 6), 0, 0)
    c.datagrams = {a}


@case("a datagram without a checksum", "RFC 768", "pass")
def _(c, a, f):
    c.net(UDP, c.udp(a, check=0))
    c.datagrams = {a}


@case("IPv6 fragments in disorder", "RFC 8200, 4.5", "pass")
def _(c, a, f):
    d = c.udp(a, 6)
    for at, end in ((48, 72), (0, 24), (72, len(d)), (24, 48)):
        c.part6(d[at:end], at, end < len(d))
    c.datagrams = {a}


# --- TCP: overlaps ------------------------------------------------------------------


def overlap(name, source, plan, why=("evasion",) + DEAD, **how):
    """plan: (which, from, to), which of a and f."""
    @case(name, source, how.get("want", "stop"), why)
    def _(c, a, f):
        t = Tcp(c).open()
        for which, at, end in plan:
            m = {"a": a, "f": f}[which]
            end = len(m) if end is None else end
            t.send(at, m[at:end])
        if how.get("want") == "pass":
            c.stream = a


overlap("sent again with other octets, judged", PTACEK + ", 5.4",
        [("a", 0, None), ("f", 0, None)], "evasion")
overlap("sent again with other octets, held", PTACEK + ", 5.4",
        [("a", 0, 40), ("f", 0, 40), ("f", 40, None)])
overlap("the allowed one second", PTACEK + ", 5.4",
        [("f", 0, 40), ("a", 0, 40), ("a", 40, None), ("f", 40, None)])
overlap("the end twice, then the start (first wins)", NOVAK + ", first",
        [("f", 40, None), ("a", 40, None), ("a", 0, 40), ("f", 0, 40)])
overlap("the end twice, then the start (last wins)", NOVAK + ", last",
        [("a", 40, None), ("f", 40, None), ("a", 0, 40), ("f", 0, 40)])
overlap("a later segment reaches back", NOVAK + ", BSD",
        [("a", 0, 50), ("f", 30, None)])
overlap("an early segment is reached into from before", NOVAK + ", Linux",
        [("f", 45, None), ("a", 0, 60), ("a", 60, None)])
overlap("an early segment is covered on both sides", NOVAK + ", Vista",
        [("f", 45, 55), ("a", 30, 70), ("a", 0, 30), ("a", 70, None)])
overlap("an early segment covers a hole's edges", NOVAK + ", Solaris",
        [("a", 0, 30), ("a", 50, 60), ("f", 40, None), ("a", 30, 50),
         ("a", 60, None)])
overlap("every other piece from the other message", NOVAK + ", Windows",
        [("a", 0, 30), ("f", 38, 46), ("a", 30, 46), ("f", 54, 62),
         ("a", 46, 62), ("f", 62, None), ("a", 62, None)])
overlap("overlap forwards, new favoured", FRAGROUTE + ", tcp_seg 8 new",
        [("a", 0, 20), ("f", 10, 34), ("a", 20, 44), ("f", 34, None),
         ("a", 44, None)])
overlap("overlap forwards, old favoured", FRAGROUTE + ", tcp_seg 8 old",
        [("f", 20, 44), ("a", 0, 24), ("f", 44, None), ("a", 24, None)])
overlap("one octet differs in what is sent again",
        "RFC 9293, 3.10.7.4; " + PAXSON,
        [("a", 0, None), ("f", 30, 31)], "evasion")


@case("sent again with other octets, acknowledged", PAXSON + ", 4.2", "stop",
      ("evasion", "tcp-repeated"))
def _(c, a, f):
    t = Tcp(c).open()
    t.send(0, a)
    t.ack(len(a))
    t.send(0, f)


@case("what was sent again goes on with other octets", PAXSON + ", 4.2",
      "stop", ("evasion",) + DEAD)
def _(c, a, f):
    t = Tcp(c).open()
    t.send(0, a)
    t.send(30, f[30:] + f)


@case("keepalive with another octet", "RFC 1122, 4.2.3.6; " + SYMTCP, "stop",
      ("evasion", "tcp-repeated"))
def _(c, a, f):
    t = Tcp(c).open()
    t.send(0, a)
    t.ack(len(a))
    t.send(len(a) - 1, FORBIDDEN[:1], ACK)
    t.send(len(a), f)


@case("1 octet keepalives ahead of the stream", SYMTCP + ", data overlapping",
      "stop", ("evasion", "tcp-window") + DEAD)
def _(c, a, f):
    t = Tcp(c).open()
    for i in range(30, 60):
        t.send(i, f[i:i + 1], after=500)
    t.send(0, a[:30])
    t.send(30, a[30:])


# --- TCP: packets that some receivers ignore -------------------------------------------


def decoy(name, source, why, **how):
    """Once an allowed packet that many receivers ignore and then the
    forbidden one in its place, and once the other way round; nothing of the
    forbidden message may be seen, and the allowed one passes untouched."""
    flags = how.pop("flags", ACK | PSH)
    stamps = how.pop("stamps", False)

    @case(name + ", then the real one", source, "stop", why)
    def _(c, a, f):
        t = Tcp(c, stamps=stamps).open()
        t.send(0, a[:30])
        t.send(30, a[30:], flags, **how)
        t.send(30, f[30:])

    @case(name + ", forbidden", source, "stop", why)
    def _(c, a, f):
        t = Tcp(c, stamps=stamps).open()
        t.send(0, f[:30])
        t.send(30, f[30:], flags, **how)
        t.send(30, a[30:])


decoy("decoy with a bad checksum", PTACEK + ", 5.3; fragroute tcp_chaff cksum",
      ("bad-l4-checksum",), check="bad")
decoy("decoy with no flags at all", FRAGROUTE + ", tcp_chaff null",
      ("tcp-flags",), flags=0)
decoy("decoy without ACK", PTACEK + ", 5.3", ("tcp-flags",), flags=PSH)
decoy("decoy with an MD5 signature", SNIFFJOKE + "; " + INTANG,
      ("tcp-option",), options=b"\x13\x12" + bytes(16))
decoy("decoy with an authentication option", "RFC 5925; " + GENEVA,
      ("tcp-option",), options=b"\x1d\x10\x01\x01" + bytes(12))
decoy("decoy with an old time stamp",
      "RFC 7323, 5; " + FRAGROUTE + ", tcp_chaff paws", ("tcp-timestamp",),
      stamps=True, options=timestamps(1, 0))
decoy("decoy that acknowledges too much", SYMTCP + ", bad ACK number",
      ("tcp-ack",), early_ack=0x1000000)
decoy("decoy with FIN and SYN", GENEVA + ", corrupt flags",
      ("tcp-flags", "tcp-handshake", "tcp-syn-data"),
      flags=FIN | SYN | ACK | PSH)
decoy("decoy with a header longer than the packet", GENEVA + ", dataofs",
      ("truncated", "bad-header"), offset=15)
decoy("decoy with a header shorter than any", GENEVA + ", dataofs",
      ("bad-header",), offset=4)
decoy("decoy with a source route", FRAGROUTE + ", ip_opt lsrr",
      ("ip-option", "any"), ip={"options": b"\x83\x07\x04" + bytes(4)})
decoy("decoy with a bad IP checksum", PTACEK + ", 5.1",
      ("bad-ip-checksum", "any"), ip={"check": 0x1234})
decoy("decoy that says it is shorter", PTACEK + ", 5.1",
      ("truncated", "bad-header", "bad-l4-checksum", "any"), ip={"total": 45})
decoy("decoy with an option of length 0", "RFC 9293, 3.1; " + SYMTCP,
      ("bad-header",), options=b"\x08\x00\x00\x00")
decoy("decoy that is a reset", PTACEK + ", 5.5", ("tcp-flags", "tcp-reset"),
      flags=RST | ACK)
decoy("decoy with an urgent pointer", PAXSON + ", 4.2; " + PTACEK,
      ("tcp-urgent",), flags=ACK | PSH | URG, urgent=5)
decoy("decoy outside the window", FRAGROUTE + ", tcp_chaff seq",
      ("tcp-window",), far=0x1000000)


@case("allowed decoy that dies on the way", PTACEK + ", 5.1; " + INTANG,
      "stop", ("evasion", "low-ttl") + DEAD)
def _(c, a, f):
    t = Tcp(c).open()
    t.send(0, a[:30])
    t.send(30, a[30:], ip={"ttl": 2})
    t.send(30, f[30:])


@case("an urgent octet inside the message", PAXSON + ", 4.2", "stop",
      "tcp-urgent")
def _(c, a, f):
    t = Tcp(c).open()
    t.send(0, f[:30])
    t.send(30, b"\x00" + f[30:], ACK | PSH | URG, urgent=1)


@case("time stamps appear that were not agreed", SYMTCP, "pass")
def _(c, a, f):
    t = Tcp(c).open()
    t.send(0, a, options=timestamps(77, 0))
    c.stream = a


# --- TCP: states ---------------------------------------------------------------------


@case("reset inside the window, then on", "RFC 5961, 3; Watson 2004", "stop",
      ("tcp-reset",))
def _(c, a, f):
    t = Tcp(c).open()
    t.send(0, a[:30])
    t.send(500, b"", RST)
    t.send(30, f[30:])


@case("reset with a bad checksum, then on", INTANG + ", TCB teardown", "stop",
      ("bad-l4-checksum",))
def _(c, a, f):
    t = Tcp(c).open()
    t.send(0, b"", RST, check="bad")
    t.send(0, f)


@case("reset that dies on the way, then on", INTANG + ", TCB teardown",
      "stop", ("tcp-closed", "low-ttl"))
def _(c, a, f):
    t = Tcp(c).open()
    t.send(0, b"", RST, ip={"ttl": 2})
    t.send(0, f)


@case("reset and acknowledgement of nothing, then on",
      INTANG + ", RST/ACK teardown", "stop",
      ("tcp-reset", "tcp-closed") + DEAD)
def _(c, a, f):
    t = Tcp(c).open()
    t.send(0, b"", RST | ACK, ack=99)
    t.send(0, f)


@case("data on a closed connection", PTACEK + ", 5.5", "stop", "tcp-closed")
def _(c, a, f):
    t = Tcp(c).open()
    t.send(0, a)
    t.send(len(a), b"", RST | ACK)
    t.send(len(a), f)


@case("reset in the receiver's name, then on", "Clayton et al. 2006", "stop",
      ("tcp-closed",) + DEAD)
def _(c, a, f):
    t = Tcp(c).open()
    t.ack(0, flags=RST | ACK)
    t.send(0, f)


@case("data behind a FIN", PTACEK + ", 5.5", "stop", "tcp-closed")
def _(c, a, f):
    t = Tcp(c).open()
    t.send(0, a)
    t.send(len(a), b"", FIN | ACK)
    t.send(len(a) + 1, f)


@case("data in the place of a FIN", PTACEK + ", 5.5", "stop", "tcp-closed")
def _(c, a, f):
    t = Tcp(c).open()
    t.send(0, a)
    t.send(len(a), b"", FIN | ACK)
    t.send(len(a), f)


@case("early FIN, then on", INTANG + ", FIN teardown", "stop",
      ("tcp-closed", "tcp-gap", "evasion") + DEAD)
def _(c, a, f):
    t = Tcp(c).open()
    t.send(300, b"", FIN | ACK)
    t.send(0, f)


@case("FIN with a bad checksum, then on", GENEVA + ", strategy 8", "stop",
      ("bad-l4-checksum",))
def _(c, a, f):
    t = Tcp(c).open()
    t.send(0, b"", FIN | ACK, check="bad")
    t.send(0, f)


@case("data on the first SYN", PTACEK + ", 5.5; RFC 1644", "stop",
      "tcp-syn-data")
def _(c, a, f):
    t = Tcp(c)
    t.raw(c.sender, t.isn[c.sender], 0, SYN, f)
    t.syn_ack()


@case("Fast Open with a cookie", "RFC 7413", "stop",
      ("tcp-option", "tcp-syn-data"))
def _(c, a, f):
    t = Tcp(c)
    t.raw(c.sender, t.isn[c.sender], 0, SYN, f,
          options=b"\x22\x0a" + bytes(8))


@case("data on the SYN of the answer", PTACEK + ", 5.5", "stop",
      ("tcp-syn-data", "tcp-handshake"))
def _(c, a, f):
    t = Tcp(c)
    port = c.port()
    # the receiver opens, the sender answers with its data
    t.raw(c.receiver, t.isn[c.receiver], 0, SYN, ports=(port, 1153))
    t.raw(c.sender, t.isn[c.sender], t.isn[c.receiver] + 1, SYN | ACK, f,
          ports=(1153, port))


@case("simultaneous open", PTACEK + ", 5.5; RFC 9293, 3.5", "stop",
      "tcp-handshake")
def _(c, a, f):
    t = Tcp(c)
    t.syn()
    t.raw(c.receiver, t.isn[c.receiver], 0, SYN)
    t.raw(c.sender, t.isn[c.sender], t.isn[c.receiver] + 1, SYN | ACK)
    t.raw(c.receiver, t.isn[c.receiver], t.isn[c.sender] + 1, SYN | ACK)
    t.send(0, f)


@case("split handshake", "Beardsley and Qian 2010", "stop", "tcp-handshake")
def _(c, a, f):
    t = Tcp(c)
    t.syn()
    t.ack(0, seq=t.isn[c.receiver])
    t.raw(c.receiver, t.isn[c.receiver], 0, SYN)
    t.raw(c.sender, t.isn[c.sender], t.isn[c.receiver] + 1, SYN | ACK)
    t.ack(0)
    t.send(0, f)


@case("a connection without a start", PTACEK + ", 5.5", "stop",
      "tcp-midstream")
def _(c, a, f):
    Tcp(c).send(0, f)


@case("data before the handshake ended", SYMTCP, "stop",
      ("tcp-handshake",) + DEAD)
def _(c, a, f):
    t = Tcp(c)
    t.syn()
    t.send(0, f)
    t.syn_ack()


@case("a second SYN elsewhere, then on", INTANG + ", TCB creation", "stop",
      ("tcp-handshake",))
def _(c, a, f):
    t = Tcp(c)
    t.raw(c.sender, t.isn[c.sender] + 50000, 0, SYN)
    t.syn()
    t.syn_ack()
    t.send(0, b"", ACK)
    t.send(0, f)


@case("a SYN inside the connection, then on",
      INTANG + ", resync and desync; RFC 5961, 4", "stop",
      ("tcp-handshake",) + DEAD)
def _(c, a, f):
    t = Tcp(c).open()
    t.send(0, a[:30])
    t.raw(c.sender, t.isn[c.sender] + 70000, 0, SYN)
    t.raw(c.sender, t.isn[c.sender] + 70001, t.isn[c.receiver] + 1, ACK | PSH,
          a[30:])
    t.send(30, f[30:])


@case("the client answers first", INTANG + ", TCB reversal", "stop",
      ("tcp-handshake", "tcp-midstream") + DEAD)
def _(c, a, f):
    t = Tcp(c)
    t.raw(c.sender, t.isn[c.sender] + 9, 77, SYN | ACK)
    t.open()
    t.send(0, f)


@case("data ahead of the window", PTACEK + ", 5.4", "stop",
      ("tcp-window",) + DEAD)
def _(c, a, f):
    t = Tcp(c, window=20)
    t.open()
    t.send(0, f[:30])
    t.send(30, f[30:])


@case("the receiver takes its window back", PAXSON + ", 4.2", "stop",
      ("denied", "no-grant", "tcp-window", "evasion"))
def _(c, a, f):
    t = Tcp(c).open()
    t.send(0, f[:30])
    t.ack(0, window=10)
    t.send(30, f[30:])


@case("a probe of a window that is closed", SYMTCP + "; RFC 9293, 3.8.6.1",
      "stop", ("tcp-window", "evasion") + DEAD)
def _(c, a, f):
    t = Tcp(c, window=0)
    t.open()
    for i in range(8):
        t.send(i, f[i:i + 1])
    t.send(8, f[8:])


@case("acknowledged before it was sent", SYMTCP + ", bad ACK number", "stop",
      ("tcp-ack",) + DEAD)
def _(c, a, f):
    t = Tcp(c).open()
    t.ack(len(f))
    t.send(0, f)


@case("both directions' numbers exchanged", GENEVA + ", TCB turnaround",
      "stop", ("tcp-window", "tcp-gap", "tcp-ack", "evasion") + DEAD)
def _(c, a, f):
    t = Tcp(c).open()
    t.raw(c.sender, t.isn[c.receiver] + 1, t.isn[c.sender] + 1, ACK | PSH, f)


@case("all flags at once", GENEVA + "; Xmas scan", "stop",
      ("tcp-flags", "tcp-handshake", "tcp-reset"))
def _(c, a, f):
    t = Tcp(c).open()
    t.send(0, f, FIN | SYN | RST | PSH | ACK | URG | ECE | CWR)
