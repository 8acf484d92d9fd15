#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What metergate-replay reads in a generated capture is what its generator
meant (NAME.expect.json), message by message; what was meant to be refused is
refused with the right reason. The public captures, where they are present,
are compared with tshark's decode beside them."""
import calendar
import glob
import json
import os
import subprocess
import sys
import tempfile
import time

import c1219_vectors_test as c1219

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
REPLAY = os.path.join(os.environ.get("BUILD", os.path.join(ROOT, "build")),
                      "bin", "metergate-replay")
SHARED = os.environ.get("METERGATE_SHARED",
                        os.path.join(os.path.dirname(ROOT), "shared"))
BASE = "2.16.124.113620.1.22.0"

# Reasons that answer each verdict of a generator.
REASONS = {
    "malformed": {"malformed", "not-canonical", "incomplete", "too-long",
                  "changed-protocol", "legacy", "suspicious"},
    "bad-mac": {"bad-mac"},
    "forgery": {"forgery"},
    "replay": {"replay"},
    "stale-iv": {"stale-iv"},
    "unknown-key": {"unknown-key"},
    "bad-checksum": {"bad-checksum"},
    "unknown-service": {"unknown-service"},
    "legacy": {"legacy"},
    "incomplete": {"incomplete"},
    "drop": {"dropped-silently"},
}
# Notes go beside a message that was read; they do not refuse it.
NOTES = {"midstream", "old-iv", "unread-table", "reported"}

# What a generator says of a message that is no name of a record.
ABOUT = {"frame", "frames", "transport", "src", "sport", "dst", "dport",
         "apdu", "verdict", "note", "services", "reassembled",
         "canonical_cleartext", "mac_ok"}

failures = 0


def ok(what):
    print("ok", what)


def bad(what, why):
    global failures
    failures += 1
    print("not ok %s: %s" % (what, why))


def replay(capture, keys, policy=None):
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f:
        args = [REPLAY, "--format", "json", "--values"]
        if policy:
            args += ["-p", os.path.join(ROOT, "tests/policies", policy)]
        if keys:
            f.write('"*":\n')
            for key_id, key in keys.items():
                f.write('  %s: "%s"\n' % (key_id, key))
            f.flush()
            args += ["-k", f.name]
        done = subprocess.run(args + [capture], capture_output=True,
                              check=False)
    if done.returncode > (1 if policy else 0) or done.stderr:
        raise RuntimeError("exit %d, %s" % (done.returncode,
                                            done.stderr.decode()))
    records = [json.loads(line) for line in done.stdout.splitlines()]
    if not records or records[-1]["event_type"] != "stats":
        raise RuntimeError("the last record is not stats")
    if any(r["event_type"] == "stats" for r in records[:-1]):
        raise RuntimeError("stats in the middle")
    return records


def compare_service(meant, got):
    """Under the names that the generator gives, all of them; but a password
    is only said to be there."""
    wrong = ["%s: %r, got %r" % (name, value, got.get(name))
             for name, value in meant.items()
             if name != "password" and value != got.get(name)]
    if "password" in meant and got.get("password") is not True:
        wrong.append("password not seen")
    if meant.get("password") and meant["password"] in json.dumps(got):
        wrong.append("the password is shown")
    return wrong


def compare(meant, record):
    """What of a message differs. Where segments were put together, the whole
    message speaks, with the place of its last segment."""
    got = record["c1222"]
    whole = dict(meant, **meant.get("reassembled", {}))
    if "reassembled" in meant:
        whole.pop("mac_ok", None)
    wrong = ["%s: %r, got %r" % (name, value, got.get(name))
             for name, value in whole.items()
             if name not in ABOUT and value != got.get(name)]
    mac = "none" if whole.get("security_mode") == 0 else "ok"
    if got["mac"] != mac:
        wrong.append("mac: %r, got %r" % (mac, got["mac"]))
    services = whole.get("services", [])
    if len(services) != len(got["services"]):
        wrong.append("%d services, got %d" % (len(services),
                                              len(got["services"])))
    for i, (a, b) in enumerate(zip(services, got["services"])):
        wrong += ["service %d, %s" % (i + 1, w)
                  for w in compare_service(a, b)]
    return wrong


def refusals(records, frames):
    return [r for r in records if r["event_type"] == "anomaly" and
            r.get("pcap_cnt") in frames and
            r["anomaly"]["reason"] not in NOTES]


# What stands outside a seal is told of a message that was not opened.
SEALED = {"bad-mac": "bad", "unknown-key": "unknown-key"}


def check_sealed(m, frames, records):
    """The addresses of a sealed message are in its record, and no service."""
    got = [r["c1222"] for r in records if r["event_type"] == "c1222" and
           r["pcap_cnt"] in frames]
    if len(got) != 1:
        return ["%d records, not one" % len(got)]
    wrong = []
    if got[0]["mac"] != SEALED[m["verdict"]] or got[0]["services"]:
        wrong.append("mac: %r, services: %r" % (got[0]["mac"],
                                                got[0]["services"]))
    wrong += ["%s: %r, got %r" % (name, m[name], got[0].get(name))
              for name in ("called", "calling", "calling_inv")
              if name in m and m[name] != got[0].get(name)]
    return wrong


def check_refused(what, m, records, judged):
    """records without, judged with a policy."""
    frames = set(m.get("frames") or [m["frame"]])
    # What never comes is told by a packet after it.
    late = {"APDU cut by FIN": 4}.get(m["note"], 0)
    late = 1 if m["verdict"] == "incomplete" else late
    told = frames | {m["frame"] + i for i in range(late + 1)}
    reasons = {r["anomaly"]["reason"] for r in refusals(judged, told)}
    wanted = set(REASONS[m["verdict"]])
    if m["transport"] == "tcp":
        # An earlier message ended the connection: nothing more is read, also
        # when it was so long ago that it is forgotten.
        wanted |= {"tcp-flow-denied", "tcp-midstream"}
    if not reasons & wanted:
        bad(what, "with a policy no anomaly says so (%s)" % sorted(reasons))
        return
    if m["verdict"] == "stale-iv":
        # Without a policy it is read, and a note beside it says so.
        notes = {r["anomaly"]["reason"] for r in records
                 if r["event_type"] == "anomaly" and
                 r.get("pcap_cnt") in frames}
        if "old-iv" in notes:
            ok(what)
        else:
            bad(what, "no note without a policy")
        return
    reasons = {r["anomaly"]["reason"] for r in refusals(records, told)}
    if not reasons & REASONS[m["verdict"]]:
        bad(what, "no anomaly says so (%s)" % sorted(reasons))
        return
    if m["verdict"] in SEALED:
        wrong = check_sealed(m, frames, records)
        if m["transport"] == "udp":
            wrong += check_sealed(m, frames, judged)
        if wrong:
            bad(what, "; ".join(wrong))
            return
    # A message before the broken one in the same stream may be read.
    if len(frames) == 1 and any(
            r["pcap_cnt"] in frames and r["c1222"]["services"]
            for r in records if r["event_type"] == "c1222"):
        bad(what, "facts were read from it")
        return
    ok(what)


def check_foreign_auth(m, beside, judged):
    reason = {"c1221": "legacy", "octet": "suspicious"}[m["auth"][0]]
    wrong = []
    if beside != {reason}:
        wrong.append("beside it: %s, not %s" % (sorted(beside), reason))
    reasons = {r["anomaly"]["reason"] for r in refusals(judged, {m["frame"]})}
    if reason not in reasons or any(
            r["event_type"] == "c1222" and r["pcap_cnt"] == m["frame"]
            for r in judged):
        wrong.append("with a policy it is not refused for that")
    return wrong


def check_segment(what, m, records, messages):
    if refusals(records, {m["frame"]}):
        bad(what, "a segment was refused")
    elif any(r["pcap_cnt"] == m["frame"] and r["c1222"]["services"]
             for r in messages):
        bad(what, "services before the last segment")
    else:
        ok(what)


def check_capture(path):
    name = os.path.basename(path)[:-len(".expect.json")]
    with open(path, encoding="utf-8") as f:
        meant = json.load(f)
    capture = path[:-len(".expect.json")] + ".pcap"
    records = replay(capture, meant["keys"])
    judged = replay(capture, meant["keys"], "metering")
    messages = [r for r in records if r["event_type"] == "c1222"]
    waiting = {}
    for r in messages:
        waiting.setdefault(r["pcap_cnt"], []).append(r)
    for i, m in enumerate(meant["messages"]):
        what = "%s message %d (frame %d, %s%s)" % (
            name, i + 1, m["frame"], m["verdict"],
            ": " + m["note"] if m["note"] else "")
        if m["verdict"] == "suspicious":
            read = bool(waiting.get(m["frame"]))
            refused = bool(refusals(records, {m["frame"]}))
            denied = any(r.get("pcap_cnt") == m["frame"] and
                         r["metergate"].get("verdict") in ("allow", "deny")
                         for r in judged if "metergate" in r and
                         r["event_type"] in ("decision", "violation",
                                             "anomaly"))
            if name in ("gen_hidden", "gen_registration"):
                # what nothing measures, or is another's, never passes
                denied = any(r["metergate"].get("verdict") == "deny"
                             for r in refusals(judged, {m["frame"]}))
            if (read or refused) and denied:
                ok(what + (": read" if read else ": refused") +
                   (", with an anomaly beside it" if read and refused
                    else ""))
            else:
                bad(what, "neither read nor refused" if denied else
                    "a policy does not decide about it")
        elif m["verdict"] != "ok":
            check_refused(what, m, records, judged)
        elif "segment" in m and "services" not in m.get("reassembled", m):
            check_segment(what, m, records, messages)
        elif not waiting.get(m["frame"]):
            bad(what, "no record (%s)" % [r["anomaly"]["reason"] for r in
                                          refusals(records, {m["frame"]})])
        elif "services" in m.get("reassembled", m):
            record = waiting[m["frame"]].pop(0)
            wrong = compare(m, record)
            beside = {r["anomaly"]["reason"]
                      for r in refusals(records, {m["frame"]})}
            if "auth" in m:
                # It can be read, and is refused where a policy is.
                wrong += check_foreign_auth(m, beside, judged)
            elif beside:
                wrong.append("read and refused")
            if wrong:
                bad(what, "; ".join(wrong))
            else:
                ok(what)
        else:
            ok(what)  # a control message: that it is read is all that is meant


def dotted(title):
    """A title in one form, whichever was written."""
    return BASE + title if title and title.startswith(".") else title


def leaves(tree, name):
    """All values of a field in tshark's tree, in order of appearance."""
    found = []
    for key, value in tree.items() if isinstance(tree, dict) else []:
        if isinstance(value, (dict, list)) and not key == name:
            for part in value if isinstance(value, list) else [value]:
                found += leaves(part, name)
        elif key == name:
            found += value if isinstance(value, list) else [value]
    return found


def check_public(path, keys):
    """Titles, invocation ids, security and service codes against tshark."""
    name = os.path.basename(path)
    base = os.path.splitext(path)[0]
    with open(base + ".tshark.json", encoding="utf-8") as f:
        meant = json.load(f)
    records = replay(path, keys.get(name, {}))
    messages = {r["pcap_cnt"]: r for r in records
                if r["event_type"] == "c1222"}
    for frame in meant["frames"]:
        tree, number = frame["c1222"], frame["frame"]
        what = "%s frame %d is what tshark reads" % (name, number)
        if name == "c1222_rw_service_tcp.pcap" and number == 5:
            # tshark does not verify the checksum of read responses
            what = "%s frame %d: its checksum is wrong" % (name, number)
            reasons = {r["anomaly"]["reason"]
                       for r in refusals(records, {number})}
            if "bad-checksum" in reasons and number not in messages:
                ok(what)
            else:
                bad(what, "anomalies: %s" % sorted(reasons))
            continue
        if number not in messages:
            bad(what, "no record")
            continue
        got, wrong = messages[number]["c1222"], []
        for way in ("called", "calling"):
            title = leaves(tree, "c1222.%s_ap_title_abs" % way) + \
                leaves(tree, "c1222.%s_ap_title_rel" % way)
            if title and dotted(got[way]) != dotted(title[0]):
                wrong.append("%s: %s, got %s" % (way, title, got[way]))
            inv = leaves(tree, "c1222.%s_AP_invocation_id" % way)
            if inv and got[way + "_inv"] != int(inv[0], 0):
                wrong.append("%s_inv: got %s" % (way, got[way + "_inv"]))
        codes = [int(v, 0) for v in leaves(tree, "c1222.cmd") +
                 leaves(tree, "c1222.err")]
        if sorted(codes) != sorted(s["code"] for s in got["services"]):
            wrong.append("codes: %s, got %s" % (
                codes, [s["code"] for s in got["services"]]))
        if leaves(tree, "c1222.crypto_good") and got["mac"] != "ok":
            wrong.append("mac: got %s" % got["mac"])
        if wrong:
            bad(what, "; ".join(wrong))
        else:
            ok(what)
    return records


# Members of a SET have no place of their own; three fields of the tables are
# not in the list of values, one of the list is made from others.
SETS = {"std_tbls_used", "mfg_tbls_used", "std_proc_used", "mfg_proc_used",
        "std_tbls_write", "mfg_tbls_write", "min_or_max_flags"}
UNLISTED = {"default_set_used", "reg_func2", "lp_sel_end_source", "first"}


def rows_of(decoded):
    """(name, i, j, value) of each value in a record."""
    def number(name, v):
        if name in c1219.TIMES:
            return calendar.timegm(time.strptime(v, "%Y-%m-%dT%H:%M:%S"))
        return v

    for name, value in decoded.items():
        if name in UNLISTED:
            continue
        if not isinstance(value, list):
            yield name, -1, -1, number(name, value)
            continue
        for i, v in enumerate(value, decoded.get("first", 0)):
            if isinstance(v, list):
                yield from ((name, i, j, number(name, x))
                            for j, x in enumerate(v))
            else:
                yield name, -1 if name in SETS else i, -1, number(name, v)


def check_decoded(path, keys):
    """Tables of the meter of tests/pcaps/meter_A_tables.json that were read
    whole: each value that the list has, and no other. Returns the tables."""
    name, seen = os.path.basename(path), set()
    with open(c1219.SOURCE, encoding="utf-8") as f:
        tables = json.load(f)["tables"]
    for r in replay(path, keys):
        for s in r["c1222"]["services"] if "c1222" in r else []:
            table = tables.get(str(s.get("table")))
            if "decoded" not in s or not table or s["data"] != table["hex"]:
                continue
            want = {row for row in c1219.READERS[s["table"]](table["decoded"])
                    if row[0] != "block_size"}
            got = set(rows_of(s["decoded"]))
            seen.add(s["table"])
            if got != want:
                bad("%s frame %d: values of table %d" % (
                    name, r["pcap_cnt"], s["table"]),
                    sorted(want ^ got, key=str)[:4])
    return seen


def check_midstream(name, records, reason):
    what = "%s: an anomaly beside the facts says %s" % (name, reason)
    if any(r["event_type"] == "anomaly" and r["anomaly"]["reason"] == reason
           for r in records):
        ok(what)
    else:
        bad(what, "none does")


def main():
    paths = sorted(glob.glob(os.path.join(ROOT, "tests/pcaps/*.expect.json")))
    if not paths:
        bad("generated captures", "there are none")
    decoded = set()
    for path in paths:
        try:
            check_capture(path)
            with open(path, encoding="utf-8") as f:
                keys = json.load(f)["keys"]
            decoded |= check_decoded(path[:-len(".expect.json")] + ".pcap",
                                     keys)
        except (RuntimeError, KeyError, ValueError) as e:
            bad(os.path.basename(path), repr(e))
    what = "values of tables %s are those of the meter" % sorted(decoded)
    if {0, 1, 21, 23, 61, 62, 63} <= decoded:
        ok(what)
    else:
        bad(what, "too few were read")
    public = os.path.join(SHARED, "pcaps", "c1222")
    if not os.path.isdir(public):
        print("SKIP: the public captures are not in %s" % public)
        return 1 if failures else 0
    with open(os.path.join(public, "keys.json"), encoding="utf-8") as f:
        keys = json.load(f)
    for path in sorted(glob.glob(os.path.join(public, "c1222*.*cap"))):
        name = os.path.basename(path)
        try:
            records = check_public(path, keys)
        except (RuntimeError, KeyError, ValueError) as e:
            bad(name, repr(e))
            continue
        if name in ("c1222_std_example8.pcap", "c1222overIPv4.cap"):
            check_midstream(name, records, "midstream")
        if name == "c1222_std_example8.pcap":
            check_midstream(name, records, "old-iv")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
