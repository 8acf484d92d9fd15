#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make tests/pcaps/gen_refused.pcap and what is meant by it: messages that
are well formed and yet to be refused, beside ones to be read. Also
tests/pcaps/gen_profile.pcap: a load profile read the way it should be, the
tables that give its shape first; gen_values.pcap: the tables whose values are
decoded; gen_hidden.pcap: octets put where no measurement would count them;
gen_registration.pcap: a meter that registers more than itself; gen_gaps.pcap:
connections of which packets are missing, or that end inside a message;
gen_connections.pcap: more of them at once than a policy allows.

usage: gen_captures.py DIRECTORY

AES and EAX' are written here from their definitions, apart from the
gateway's; standard library only.
"""
import json
import os
import struct
import sys

BASE = bytes.fromhex("607c86f754011600")
METER, HEADEND = bytes([0x47, 0x87, 0x69]), bytes([0x47, 0x01])
NAMES = {METER: ".71.1001", HEADEND: ".71.1"}
KEY = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
START = 1700006400  # 2023-11-15 00:00:00 UTC

# --- AES-128, encryption of one block (FIPS 197) -------------------------------


def xtime(a):
    return (a << 1 ^ 0x1B if a & 0x80 else a << 1) & 0xFF


def make_sbox():
    p = q = 1
    box = [0] * 256
    while True:
        p ^= xtime(p)
        q ^= q << 1
        q ^= q << 2
        q ^= q << 4
        q &= 0xFF
        if q & 0x80:
            q ^= 0x09
        x = q ^ (q << 1 | q >> 7) ^ (q << 2 | q >> 6) ^ \
            (q << 3 | q >> 5) ^ (q << 4 | q >> 4)
        box[p] = x & 0xFF ^ 0x63
        if p == 1:
            break
    box[0] = 0x63
    return box


SBOX = make_sbox()


def expand(key):
    w = [list(key[i:i + 4]) for i in range(0, 16, 4)]
    rcon = 1
    for i in range(4, 44):
        t = list(w[i - 1])
        if i % 4 == 0:
            t = [SBOX[b] for b in t[1:] + t[:1]]
            t[0] ^= rcon
            rcon = xtime(rcon)
        w.append([a ^ b for a, b in zip(w[i - 4], t)])
    return [sum(w[4 * r:4 * r + 4], []) for r in range(11)]


def aes(keys, block):
    s = [a ^ b for a, b in zip(block, keys[0])]
    for r in range(1, 11):
        s = [SBOX[s[(i + 4 * (i % 4)) % 16]] for i in range(16)]
        if r < 10:
            mixed = []
            for c in range(0, 16, 4):
                col = s[c:c + 4]
                every = col[0] ^ col[1] ^ col[2] ^ col[3]
                mixed += [col[i] ^ every ^ xtime(col[i] ^ col[(i + 1) % 4])
                          for i in range(4)]
            s = mixed
        s = [a ^ b for a, b in zip(s, keys[r])]
    return bytes(s)


# --- EAX' (C12.22 security) ----------------------------------------------------


def dbl(block):
    n = int.from_bytes(block, "little") << 1
    out = bytearray((n & (1 << 128) - 1).to_bytes(16, "little"))
    if n >> 128:
        out[0] ^= 0x87
    return bytes(out)


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def cmac(keys, start, data):
    d = dbl(aes(keys, bytes(16)))
    q = dbl(d)
    if data and len(data) % 16 == 0:
        last = d
    else:
        data += b"\x80" + bytes(-(len(data) + 1) % 16)
        last = q
    data = data[:-16] + xor(data[-16:], last)
    s = start
    for i in range(0, len(data), 16):
        s = aes(keys, xor(s, data[i:i + 16]))
    return s


def mac_clear(key, n, epsem):
    """The code of mode 1 over the cleartext and the clear EPSEM."""
    keys = expand(key)
    d = dbl(aes(keys, bytes(16)))
    return cmac(keys, d, n + epsem)[12:]


# --- messages --------------------------------------------------------------------


def tlv(tag, content):
    n = len(content)
    if n < 0x80:
        size = bytes([n])
    elif n < 0x100:
        size = bytes([0x81, n])
    else:
        size = b"\x82" + struct.pack(">H", n)
    return bytes([tag]) + size + content


def number(v):
    return tlv(0x02, v.to_bytes(max(1, (v.bit_length() + 7) // 8), "big"))


def services(*pdus):
    return b"".join(tlv(0, p)[1:] for p in pdus)


def table_data(data):
    return struct.pack(">H", len(data)) + data + bytes([-sum(data) & 0xFF])


def apdu(called, calling, inv, epsem, answers=None, auth=None, control=0x80,
         key=KEY, bare_inv=None):
    """auth: (key id, IV) for mode 1; bare_inv: A8 as in March 2006."""
    parts = {0xA2: tlv(0xA2, tlv(0x80, called)),
             0xA6: tlv(0xA6, tlv(0x80, calling)),
             0xA8: tlv(0xA8, number(inv))}
    if bare_inv is not None:
        parts[0xA8] = tlv(0xA8, bare_inv)
    if answers is not None:
        parts[0xA4] = tlv(0xA4, number(answers))
    code = b""
    if auth:
        control |= 0x04
        key_id, iv = auth
        parts[0xAC] = tlv(0xAC, tlv(0xA2, tlv(0xA0, tlv(
            0xA1, bytes([0x80, 1, key_id, 0x81, 4]) +
            struct.pack(">I", iv)))))
        code = bytes(4)
    user = tlv(0xBE, tlv(0x28, tlv(0x81, bytes([control]) + epsem + code)))
    if auth:
        head = user[:len(user) - len(epsem) - 4]
        n = tlv(0xA2, tlv(0x06, BASE + called)) + parts.get(0xA4, b"") + \
            parts[0xA8] + parts[0xAC] + head + \
            tlv(0xA6, tlv(0x06, BASE + calling)) + bytes([key_id]) + \
            struct.pack(">I", iv)
        user = user[:-4] + mac_clear(key, n, epsem)
    return tlv(0x60, b"".join(parts[t] for t in sorted(parts)) + user)


# --- packets -----------------------------------------------------------------------


def checksum(data):
    data += bytes(len(data) % 2)
    s = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    while s >> 16:
        s = (s & 0xFFFF) + (s >> 16)
    return ~s & 0xFFFF


ENDS = {"headend": (bytes([10, 20, 0, 1]), bytes.fromhex("02000a140001")),
        "meter": (bytes([10, 20, 0, 10]), bytes.fromhex("02000a14000a"))}


def datagram(src, dst, payload, ident, sport=1153):
    sip, smac = ENDS[src]
    dip, dmac = ENDS[dst]
    udp = struct.pack(">HHHH", sport, 1153, 8 + len(payload), 0)
    pseudo = sip + dip + struct.pack(">BBH", 0, 17, 8 + len(payload))
    udp = udp[:6] + struct.pack(
        ">H", checksum(pseudo + udp + payload) or 0xFFFF)
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 28 + len(payload), ident, 0x4000,
                     64, 17, 0) + sip + dip
    ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
    return dmac + smac + b"\x08\x00" + ip + udp + payload


def write_pcap(folder, name, packets):
    with open(os.path.join(folder, name + ".pcap"), "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for us, octets in packets:
            f.write(struct.pack("<IIII", us // 1000000, us % 1000000,
                                len(octets), len(octets)) + octets)


class Capture:
    def __init__(self, name, about, keys):
        self.name, self.us = name, START * 1000000
        self.packets = []
        self.meant = {"capture": name + ".pcap", "about": about,
                      "keys": keys, "base_oid": "2.16.124.113620.1.22.0",
                      "messages": []}

    def now(self):
        return self.us // 1000000

    def add(self, src, octets, verdict, note=None, after_ms=500, sport=1153,
            **said):
        self.us += after_ms * 1000
        dst = "meter" if src == "headend" else "headend"
        self.packets.append((self.us, datagram(
            src, dst, octets, len(self.packets) + 1, sport)))
        ip = {"headend": "10.20.0.1", "meter": "10.20.0.10"}
        self.meant["messages"].append(dict({
            "frame": len(self.packets), "transport": "udp", "src": ip[src],
            "sport": sport, "dst": ip[dst], "dport": 1153,
            "apdu": octets.hex()}, **said, verdict=verdict, note=note))

    def write(self, folder):
        write_pcap(folder, self.name, self.packets)
        base = os.path.join(folder, self.name)
        with open(base + ".expect.json", "w", encoding="utf-8") as f:
            json.dump(self.meant, f, indent=1)
            f.write("\n")


def said(called, calling, inv, pdus, answers=None, mode=0, control=0x80,
         mac=False):
    m = {"called": NAMES[called], "calling": NAMES[calling],
         "called_inv": answers, "calling_inv": inv,
         "epsem_control": control | mode << 2, "security_mode": mode,
         "response_control": control & 3, "ed_class": None,
         "services": pdus}
    if mac:
        m["mac_ok"] = True
    return m


def read(table):
    return bytes([0x30]) + struct.pack(">H", table)


READ1 = [{"code": 0x30, "name": "full-read", "table": 1}]


def refused(folder):
    c = Capture("gen_refused", "well formed messages that are to be refused, "
                "each in its way", {"1": KEY.hex()})
    ask = services(read(1))
    data = b"METRSM-100  " + bytes([1, 0, 2, 3]) + b"SM0000001234    "
    answer = services(b"\x00" + table_data(data))
    ok1 = [{"code": 0, "name": "ok", "table": 1, "data": data.hex()}]

    first = apdu(METER, HEADEND, 1, ask, auth=(1, c.now()))
    c.add("headend", first, "ok", **said(METER, HEADEND, 1, READ1, mode=1,
                                         mac=True))
    c.add("meter", apdu(HEADEND, METER, 1, answer, answers=1,
                        auth=(1, c.now())), "ok",
          **said(HEADEND, METER, 1, ok1, answers=1, mode=1, mac=True))
    c.add("headend", first, "replay", "the first message again, answered "
          "before")
    c.add("headend", apdu(METER, HEADEND, 3, ask, auth=(1, c.now() - 86400)),
          "stale-iv", "an initialization vector of yesterday")
    c.add("headend", apdu(METER, HEADEND, 4, ask, auth=(9, c.now())),
          "unknown-key", "key id 9 is nobody's")
    wrong = bytearray(apdu(METER, HEADEND, 5, ask, auth=(1, c.now())))
    wrong[-1] ^= 1
    c.add("headend", bytes(wrong), "bad-mac", "one bit of the code is wrong")
    c.add("headend", apdu(METER, HEADEND, 6, ask), "ok",
          **said(METER, HEADEND, 6, READ1))
    broken = bytearray(answer)
    broken[-1] ^= 0xFF
    c.add("meter", apdu(HEADEND, METER, 6, bytes(broken), answers=6),
          "bad-checksum", "the checksum of the table data is wrong")
    c.add("headend", apdu(METER, HEADEND, 7, services(b"\x28")),
          "unknown-service", "request code 28")
    old = apdu(METER, HEADEND, 8, ask, bare_inv=b"\x00\x08")
    c.add("headend", old, "legacy", "March 2006: a bare invocation id")
    c.add("headend", apdu(METER, HEADEND, 9, ask), "drop",
          "source port 0", sport=0)
    # One of two segments, the other never comes.
    whole = apdu(METER, HEADEND, 10, services(
        bytes([0x40]) + struct.pack(">H", 2048) + table_data(bytes(200))))
    part = tlv(0x60, tlv(0xA2, tlv(0x80, METER)) +
               tlv(0xA3, number(len(whole))) +
               tlv(0xA6, tlv(0x80, HEADEND)) + tlv(0xA8, number(10)) +
               tlv(0xBE, tlv(0x28, number(0) + tlv(0x81, whole[:100]))))
    c.add("headend", part, "incomplete", "the second segment never comes")
    c.add("headend", apdu(METER, HEADEND, 11, ask), "ok", "a minute later",
          after_ms=60000, **said(METER, HEADEND, 11, READ1))
    c.write(folder)


# Images of the tables that give a meter its shape: octet order and formats;
# 4 blocks of 96 intervals of 15 minutes of 2 channels; their sources; state.
SHAPE = {
    0: "021c884d4554520200202002000a0102010100eb19e11a000090e0810401f00600a0"
       "00000000000000000000",
    61: "6006000010080204006000020f",
    62: "01000001010102",
    63: "2004000300e803000002006000",
}


def block(end):
    """One block of ST-64: a day, whose last interval ends at end."""
    use = [(37 * i * i + 11 * i) % 900 for i in range(96)]
    return struct.pack("<III", end, 95000, 30000) + b"\xff" * 12 + \
        b"".join(struct.pack("<HH", u, u % 40) for u in use)


def profile(folder):
    c = Capture("gen_profile", "a load profile whose shape is read first: "
                "interval and age of its values are known", {})
    inv = [0]

    def exchange(request, pdu, data, **kind):
        inv[0] += 1
        c.add("headend", apdu(METER, HEADEND, inv[0], services(request)),
              "ok", **said(METER, HEADEND, inv[0], [pdu]))
        c.add("meter", apdu(HEADEND, METER, inv[0], services(
            b"\x00" + table_data(data)), answers=inv[0]), "ok",
            after_ms=80, **said(HEADEND, METER, inv[0], [dict(
                {"code": 0, "name": "ok", "data": data.hex()}, **kind)],
                answers=inv[0]))

    def part(at, end):
        exchange(bytes([0x3F]) + struct.pack(">H", 64) +
                 at.to_bytes(3, "big") + struct.pack(">H", 408),
                 {"code": 0x3F, "name": "pread-offset", "table": 64,
                  "offset": at, "count": 408}, block(end), table=64)

    part(0, START - 4 * 86400)
    for table, image in SHAPE.items():
        exchange(read(table), {"code": 0x30, "name": "full-read",
                               "table": table}, bytes.fromhex(image),
                 table=table)
    part(0, START - 4 * 86400)
    part(408, START - 3 * 86400)
    c.us += 86400 * 1000000
    part(1224, START + 86400)
    c.write(folder)


def values(folder):
    """Every table whose values are decoded, as the meter of
    meter_A_tables.json has them."""
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                           "pcaps", "meter_A_tables.json"),
              encoding="utf-8") as f:
        tables = json.load(f)["tables"]
    c = Capture("gen_values", "tables whose values are decoded, read whole",
                {})
    for inv, number in enumerate((0, 1, 3, 5, 21, 22, 23, 27, 28, 52, 61, 62,
                                  63, 64), 1):
        data = bytes.fromhex(tables[str(number)]["hex"])
        c.add("headend", apdu(METER, HEADEND, inv, services(read(number))),
              "ok", **said(METER, HEADEND, inv, [{
                  "code": 0x30, "name": "full-read", "table": number}]))
        c.add("meter", apdu(HEADEND, METER, inv, services(
            b"\x00" + table_data(data)), answers=inv), "ok", after_ms=80,
            **said(HEADEND, METER, inv, [{
                "code": 0, "name": "ok", "table": number,
                "data": data.hex()}], answers=inv))
    c.write(folder)


def uid(title):
    return tlv(0x80, title)


def register(title, native, serial=b"\x2b\x06\x01\x04"):
    return b"\x27\x20\x31METR" + title + tlv(0x06, serial) + \
        bytes([len(native)]) + native + b"\x00\x0e\x10"


def foreign_auth(title, calling, inv, answers, value, pdus):
    """An answer with an authentication value that is not C12.22's."""
    return tlv(0x60, tlv(0xA2, tlv(0x80, title)) + tlv(0xA4, number(answers)) +
               tlv(0xA6, tlv(0x80, calling)) + tlv(0xA8, number(inv)) +
               tlv(0xAC, tlv(0xA2, value)) +
               tlv(0xBE, tlv(0x28, tlv(0x81, b"\x80" + services(*pdus)))))


def hidden(folder):
    c = Capture("gen_hidden", "readings and other octets put where no "
                "measurement would count them", {})
    text = (b"instant power 1234 W, " * 100)[:2000]
    own = bytes([10, 20, 0, 10, 4, 0x81])
    inv = [0]

    def exchange(request, pdu, verdict, note, answer, make=None):
        inv[0] += 1
        c.add("headend", apdu(METER, HEADEND, inv[0], services(request)),
              "ok", **said(METER, HEADEND, inv[0], [pdu]))
        c.add("meter", make(inv[0]) if make else apdu(
            HEADEND, METER, inv[0], services(answer), answers=inv[0]),
            verdict, note, after_ms=80)

    def ask(table):
        return read(table), {"code": 0x30, "name": "full-read",
                             "table": table}

    def answer(inv, value):
        data = b"METRSM-100  " + bytes([1, 0, 2, 3]) + b"SM0000001234    "
        return foreign_auth(HEADEND, METER, inv, inv, value,
                            [b"\x00" + table_data(data)])

    ident = (b"\x20", {"code": 0x20, "name": "ident"})
    exchange(*ask(1), "suspicious", "a vendor's authentication value", None,
             lambda i: answer(i, tlv(0x81, text[:1000])))
    exchange(*ask(1), "suspicious", "authentication of C12.21", None,
             lambda i: answer(i, tlv(0xA0, tlv(0xA0, tlv(0x81, text[:250])))))
    exchange(*ident, "malformed", "a mechanism under another tag",
             b"\x00\x03\x01\x00\x04" + tlv(0x55, text) + b"\x00")
    exchange(*ident, "malformed", "an identity of 254 octets, twice",
             b"\x00\x03\x01\x00" +
             (b"\x07\xff\x01" + text[:254]) * 2 + b"\x00")
    exchange(*ask(52), "suspicious", "a clock of 2000 octets",
             b"\x00" + table_data(text))
    exchange(*ask(1), "suspicious", "an identification of 2000 octets",
             b"\x00" + table_data(text))
    exchange(bytes([0x3F, 0, 1, 0, 1, 0, 7, 0xD0]),
             {"code": 0x3F, "name": "pread-offset", "table": 1,
              "offset": 256, "count": 2000}, "suspicious",
             "octets behind the end of the identification",
             b"\x00" + table_data(text))
    for verdict, note, pdu in (
            ("suspicious", "an address of 250 octets",
             register(uid(METER), text[:250])),
            ("suspicious", "an address of five octets",
             register(uid(METER), own[:5]))):
        inv[0] += 1
        c.add("meter", apdu(HEADEND, METER, inv[0], services(pdu)), verdict,
              note)
    c.write(folder)


def registration(folder):
    """The meter's own title and address, then those of others."""
    c = Capture("gen_registration", "registrations of the meter itself, and "
                "of what is not its own", {})
    own = bytes([10, 20, 0, 10, 4, 0x81])
    other = bytes([0x47, 0x8F, 0x52])  # .71.2002
    fact = {"code": 0x27, "name": "register", "node_type": 0x20,
            "connection_type": 0x31, "device_class": b"METR".hex(),
            "ap_title": ".71.1001", "serial": "1.3.6.1.4",
            "native": own.hex(), "period": 3600, "domain": ""}
    c.add("meter", apdu(HEADEND, METER, 1, services(
        register(uid(METER), own))), "ok",
        **said(HEADEND, METER, 1, [fact]))
    c.add("headend", apdu(METER, HEADEND, 1, services(
        b"\x00" + uid(METER) + b"\x00\x1e\x00\x0e\x10\x31"), answers=1),
        "ok", after_ms=80, **said(METER, HEADEND, 1, [{
            "code": 0, "name": "ok", "ap_title": ".71.1001", "delay": 30,
            "period": 3600, "info": 0x31}], answers=1))
    for inv, (calling, pdu, note) in enumerate((
            (METER, register(uid(other), own), "another's title"),
            (other, register(uid(other), own),
             "another's title, under that name"),
            (HEADEND, register(uid(HEADEND), own), "the head end's title"),
            (METER, register(uid(METER), bytes([10, 20, 0, 99])),
             "another's address"),
            (METER, b"\x24" + uid(other), "deregisters another")), 2):
        c.add("meter", apdu(HEADEND, calling, inv, services(pdu)),
              "suspicious", note)
    c.add("meter", apdu(HEADEND, METER, 9, services(b"\x24" + uid(METER))),
          "ok", **said(HEADEND, METER, 9, [{
              "code": 0x24, "name": "deregister", "ap_title": ".71.1001"}]))
    c.write(folder)


class Stream:
    """Packets of connections; add() leaves out what the capture lacks."""

    def __init__(self):
        self.us, self.packets = START * 1000000, []

    def open(self, port, handshake=True):
        self.port = port
        self.seq = {"headend": 1000, "meter": 0xFFFFFF00}
        if handshake:
            self.add("headend", 0x02)
            self.add("meter", 0x12)
            self.add("headend", 0x10)

    def add(self, src, flags, payload=b"", missing=False, ms=10):
        dst = "meter" if src == "headend" else "headend"
        (sip, smac), (dip, dmac) = ENDS[src], ENDS[dst]
        ports = (self.port, 1153) if src == "headend" else (1153, self.port)
        tcp = struct.pack(
            ">HHIIBBHHH", *ports, self.seq[src] & 0xFFFFFFFF,
            self.seq[dst] & 0xFFFFFFFF if flags & 0x10 else 0, 0x50, flags,
            65535, 0, 0) + payload
        pseudo = sip + dip + struct.pack(">BBH", 0, 6, len(tcp))
        tcp = tcp[:16] + struct.pack(">H", checksum(pseudo + tcp)) + tcp[18:]
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp),
                         len(self.packets) + 1, 0x4000, 64, 6, 0) + sip + dip
        ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
        self.seq[src] += len(payload) + bool(flags & 0x03)
        self.us += ms * 1000
        if not missing:
            self.packets.append((self.us, dmac + smac + b"\x08\x00" + ip +
                                 tcp))

    def say(self, src, payload, missing=False, acked=True):
        self.add(src, 0x18, payload, missing)
        if acked:
            self.add("meter" if src == "headend" else "headend", 0x10)

    def close(self):
        self.add("headend", 0x11)
        self.add("meter", 0x11)
        self.add("headend", 0x10)


def gaps(folder):
    s = Stream()
    data = services(b"\x00" + table_data(bytes(32)))

    def ask(inv):
        return apdu(METER, HEADEND, inv, services(read(1)))

    def answer(inv):
        return apdu(HEADEND, METER, inv, data, answers=inv)

    s.open(41001)  # an answer is missing, those behind it are there
    for inv in range(1, 5):
        s.say("headend", ask(inv))
        s.say("meter", answer(inv), missing=inv == 2)
    s.close()
    s.open(41002)  # reset inside a message
    s.say("headend", ask(1)[:20])
    s.add("meter", 0x14)
    s.open(41003)  # the first message is missing, then both close
    s.say("headend", ask(1), missing=True, acked=False)
    s.add("headend", 0x11, ask(2))
    s.add("meter", 0x11)
    s.open(41004)  # one is missing, nothing acknowledges: more than may wait
    for inv in range(1, 37):
        s.say("headend", ask(inv), missing=inv == 2, acked=False)
    s.open(41005)  # the first part of a message is missing
    s.say("headend", ask(1)[:20], missing=True, acked=False)
    s.say("headend", ask(1)[20:])
    s.say("headend", ask(2))
    s.say("headend", ask(3))
    s.open(41006)  # the last one is missing
    s.say("headend", ask(1))
    s.say("headend", ask(2), missing=True)
    s.close()
    s.open(41007, handshake=False)  # begins inside a message
    s.say("headend", ask(1)[20:])
    s.say("headend", ask(2))
    s.say("headend", ask(3))
    s.open(41008)  # nothing of it was acknowledged for half a minute
    s.say("headend", ask(1), missing=True, acked=False)
    s.say("headend", ask(2), acked=False)
    s.us += 31000000
    s.open(41010)  # octets on a SYN, behind an end, on a reset
    s.add("headend", 0x11)
    s.say("headend", ask(1))
    s.add("headend", 0x04, ask(2))
    s.open(41011, handshake=False)
    s.add("headend", 0x02, ask(1))
    s.open(41009)  # the capture ends inside a message
    s.say("headend", ask(1)[:20])
    write_pcap(folder, "gen_gaps", s.packets)


def connections(folder):
    s = Stream()
    for port in range(41000, 41015):
        s.open(port, handshake=False)
        s.add("headend", 0x02)
    write_pcap(folder, "gen_connections", s.packets)


def main():
    if len(sys.argv) != 2:
        print(__doc__.split("\n\n")[1], file=sys.stderr)
        return 2
    # EAX' against the session vector of the standard's annex G
    n = bytes.fromhex("A20D060B607C86F7540116007BC175A803020100BE0D280B8109"
                      "84A60C060A607C86F7540116007B040248F3C204")
    assert mac_clear(bytes.fromhex("01020304050607080102030405060708"), n,
                     bytes.fromhex("03300005")).hex() == "515ae775"
    refused(sys.argv[1])
    profile(sys.argv[1])
    values(sys.argv[1])
    hidden(sys.argv[1])
    registration(sys.argv[1])
    gaps(sys.argv[1])
    connections(sys.argv[1])
    return 0


if __name__ == "__main__":
    sys.exit(main())
