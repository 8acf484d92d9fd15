#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Turn what a generator meant (NAME.expect.json) into a vector file.

usage: c1222_expect.py NAME.expect.json NAME.pcap > NAME.vec

A vector file has lines of words:
  key ID HEX                    a key, for any ApTitle
  msg FRAME SECONDS.MICROS PROTO SRC SPORT DST DPORT VERDICT HEX [FACT...]
A FACT is field=value (a fact of the message), !field (a fact that must be
absent) or | (the next leaf begins). Names and units are those of
core/fields.def; name= is the service's name. Only what the JSON states is
compared. A verdict of "ok" is written "noted" where the message can be read
but carries an authentication value that nothing measures: it is to be refused,
or, reading facts only, pointed out.
"""
import json
import struct
import sys

BASE = "2.16.124.113620.1.22.0"


def times(path):
    """Time stamps of a pcap file, by 1-based frame number."""
    with open(path, "rb") as f:
        octets = f.read()
    order = "<" if octets[:4] == b"\xd4\xc3\xb2\xa1" else ">"
    at, found = 24, [None]
    while at + 16 <= len(octets):
        s, us, caplen, _ = struct.unpack_from(order + "IIII", octets, at)
        found.append("%d.%06d" % (s, us))
        at += 16 + caplen
    return found


def title(text):
    return BASE + text if text.startswith(".") else text


def plain(field):
    return lambda v: ["%s=%s" % (field, v)] if v is not None else ["!" + field]


def titled(field):
    return lambda v: ["%s=%s" % (field, title(v))] if v else ["!" + field]


def octets(field):
    return lambda v: ["%s=%s" % (field, v)] if v else ["!" + field]


def present(field):
    return lambda v: ["%s=1" % field]


MESSAGE = {
    "called": titled("called"),
    "calling": titled("calling"),
    "called_inv": plain("called-inv"),
    "calling_inv": plain("calling-inv"),
    "ae_qualifier": plain("ae-qualifier"),
    "context": plain("context"),
    "mechanism": plain("mechanism"),
    "epsem_control": plain("epsem-control"),
    "security_mode": plain("security-mode"),
    "response_control": plain("response-control"),
    "ed_class": octets("ed-class"),
    "key_id": plain("key-id"),
    "iv": lambda v: ["iv=%d" % int(v, 16)],
    "mac_ok": lambda v: ["mac=1"] if v else [],
}

SERVICE = {
    "code": plain("code"),
    "name": plain("name"),
    "table": plain("table"),
    "offset": plain("offset"),
    "index": lambda v: ["index=" + "".join("%04x" % i for i in v)],
    "count": plain("count"),
    "data": lambda v: ["data=" + v],
    "selector": plain("selector"),
    "seq": plain("seq"),
    "result": plain("procedure-result"),
    "user_id": plain("user-id"),
    "user": plain("user"),
    "password": present("password"),
    "timeout": plain("timeout"),
    "seconds": plain("seconds"),
    "ap_title": lambda v: ["ap-title=" + (title(v) if v else "")],
    "ap_titles": lambda v: ["ap-title=" + "+".join(title(t) for t in v)],
    "serial": titled("serial"),
    "native": octets("native"),
    "node_type": plain("node-type"),
    "connection_type": plain("connection-type"),
    "period": plain("period"),
    "delay": plain("delay"),
    "info": plain("info"),
    "domain": lambda v: ["domain=" + v],
    "params": lambda v: ["params=" + v],
    "device_class": octets("device-class"),
    "std": plain("std"),
    "ver": plain("ver"),
    "rev": plain("rev"),
    "mech": plain("mech"),
    "session_ctrl": plain("session-ctrl"),
    "identity": plain("identity"),
}


def service(s):
    facts = ["|"]
    for name, value in s.items():
        if name in SERVICE:
            facts += [f.replace(" ", "") for f in SERVICE[name](value)]
    if "proc" in s:
        facts.append("procedure=%d" % (s["proc"] + 2048 * s["mfg"]))
    return facts


def message(m):
    facts = []
    inner = m.get("reassembled", m)
    for name, to_facts in MESSAGE.items():
        if name in m:
            facts += to_facts(m[name])
    if "reassembled" in m:
        # the whole message speaks, with the place of its last segment
        facts = []
        for name, to_facts in MESSAGE.items():
            if name in inner:
                facts += to_facts(inner[name])
    if "segment" in m:
        facts += ["segment-%s=%d" % kv for kv in m["segment"].items()]
    if "auth" in m:
        kind, tag, data = m["auth"]
        facts.append("auth=%d" % {"c1221": 2, "octet": 3}[kind])
        if tag is not None:
            data = "%02x%02x" % (tag, len(data) // 2) + data
        facts.append("auth-value=" + data)
    for s in inner.get("services", []):
        facts += service(s)
    return facts


def main():
    if len(sys.argv) != 3:
        print(__doc__.split("\n\n")[1], file=sys.stderr)
        return 2
    with open(sys.argv[1], encoding="utf-8") as f:
        meant = json.load(f)
    when = times(sys.argv[2])
    print("# SPDX-License-Identifier: Apache-2.0")
    print("# %s: %s" % (meant["capture"], meant["about"]))
    for key_id, key in meant["keys"].items():
        print("key", key_id, key)
    for m in meant["messages"]:
        verdict = m["verdict"]
        if m.get("segment") and "reassembled" not in m:
            verdict = "segment"
        if verdict == "ok" and "auth" in m:
            verdict = "noted"
        words = ["msg", m["frame"], when[m["frame"]], m["transport"],
                 m["src"], m["sport"], m["dst"], m["dport"], verdict,
                 m["apdu"]]
        if m["verdict"] == "ok":
            words += message(m)
        print(" ".join(str(w) for w in words))
    return 0


if __name__ == "__main__":
    sys.exit(main())
