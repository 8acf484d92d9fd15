#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Facts of the captures of oBIX programs, compared with what an independent
script read in them (NAME.http.json): every exchange; one record for each object
read, written or invoked, for each item of a batch and each change of a Watch;
counts, intervals and spans of histories. Of the hostile capture: what is read
is read right, and the rest is refused for a reason.

They are not part of this repository: without ../shared nothing is tested.
"""
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("BUILD", os.path.join(ROOT, "build"))
SHARED = os.environ.get("METERGATE_SHARED", os.path.join(ROOT, "..", "shared"))
REPLAY = os.path.join(BUILD, "bin", "metergate-replay")
CAPTURES = os.path.join(SHARED, "pcaps", "obix")

failed = 0


def check(name, wrong):
    global failed
    if wrong:
        failed += 1
        print("not ok %s: %s" % (name, wrong))
    else:
        print("ok %s" % name)


# --- what the captures say, by the script --------------------------------------

# What the last segment of the path that is invoked means: oBIX 1.1, and names
# of the programs' own (Niagara's set, a Watch of operations).
INVOKED = {
    "delete": "delete", "set": "write", "addOperation": "watch-add",
    "signUp": "signup", "batch": "batch", "make": "watch-make",
    "add": "watch-add", "remove": "watch-remove",
    "pollChanges": "watch-poll", "pollRefresh": "watch-poll",
    "query": "history-query", "rollup": "history-rollup",
    "append": "history-append",
}
ITEMS = {"Read": "read", "Write": "write", "Invoke": "invoke"}


def local(name):
    return name.split("}")[-1].split(":")[-1]


def tree(side):
    try:
        root = ET.fromstring(side["body"])
    except (KeyError, TypeError, ET.ParseError):
        return None
    return None if local(root.tag) == "html" else root


def path_of(uri):
    """The path that an href names, without the slash at its end."""
    path = re.sub(r"^[a-z]+://[^/]*", "", uri).split("?")[0]
    return path.rstrip("/") or "/"


def last_of(path):
    return path_of(path).rsplit("/", 1)[-1]


def batch_items(root):
    for item in root:
        kind = (item.get("is") or "").split(":")[-1]
        if local(item.tag) == "uri" and kind in ITEMS:
            op = ITEMS[kind]
            path = path_of(item.get("val"))
            if op == "invoke":
                yield from invoked(path, item[0] if len(item) else None)
            else:
                yield op, path


def named(root, name):
    return next((x for x in root if x.get("name") == name), None)


def invoked(path, root):
    """What invoking a path with that input asks for: adding to a Watch, each
    object; a batch, each item."""
    op = INVOKED.get(last_of(path), "invoke")
    if op == "batch" and root is not None:
        return list(batch_items(root))
    if op in ("watch-add", "watch-remove") and root is not None:
        return [(op, path_of(x.get("val"))) for x in root.iter()
                if local(x.tag) == "uri" and x.get("val")] or [(op, path)]
    return [(op, path)]


def asked(exchange):
    """(operation, path) of each thing that a request asks for."""
    method, target = exchange["request"]["first"].split(" ")[:2]
    path, root = path_of(target), tree(exchange["request"])
    if method in ("GET", "HEAD"):
        # Niagara: a filter in the query
        return [("history-query" if "~historyQuery" in path else "read", path)]
    if method == "PUT":
        return [("write", path)]
    if method == "DELETE":
        return [("delete", path)]
    return invoked(path, root)


def changes(exchange):
    """Paths of what a Watch tells, where they stand from the root."""
    root = tree(exchange["response"])
    values = named(root, "values") if root is not None else None
    if values is None or "WatchOut" not in (root.get("is") or ""):
        return None
    return [x.get("href") for x in values]


def history(exchange):
    """Time stamps of the records in an answer."""
    root = tree(exchange["response"])
    data = named(root, "data") if root is not None else None
    if data is None or "History" not in (root.get("is") or ""):
        return None
    return [x.get("val") for r in data for x in r if x.get("name") == "timestamp"]


# --- what the gateway says --------------------------------------------------------

def replay(capture, *options):
    done = subprocess.run([REPLAY, *options, capture], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise RuntimeError("%s: exit %d %s" % (capture, done.returncode,
                                               done.stderr))
    return [json.loads(line) for line in done.stdout.splitlines()]


class Seen:
    """An exchange as it was told, with the objects in it."""
    def __init__(self):
        self.http, self.asked, self.answered, self.bad = None, [], [], []


def exchanges(records):
    """By connection, in the order in which those began."""
    flows = {}
    for r in records:
        if "flow_id" not in r:
            continue
        told = flows.setdefault(r["flow_id"], [Seen()])
        kind = r["event_type"]
        if kind == "obix":
            side = told[-1].asked if r["obix"]["op"].endswith("-request") \
                else told[-1].answered
            side.append(r["obix"])
        elif kind == "http":
            told[-1].http = r["http"]
            told.append(Seen())
        elif kind == "anomaly" and r["anomaly"]["type"] != "note":
            told[-1].bad.append(r["anomaly"]["reason"])
    return list(flows.values())


def ops(objects):
    return [(o["op"].rsplit("-", 1)[0], path_of(o.get("uri", "/")))
            for o in objects]


def lacks(want, got):
    """What of a list is not in another, each as often as it stands there."""
    got = list(got)
    out = []
    for x in want:
        if x in got:
            got.remove(x)
        else:
            out.append(x)
    return out


# --- comparing --------------------------------------------------------------------

def compare_exchange(want, got):
    method, target = want["request"]["first"].split(" ")[:2]
    status = int(want["response"]["first"].split(" ")[1])
    h = got.http
    if (h.get("http_method"), h.get("url"), h.get("status")) != \
            (method, target, status):
        return "%s" % h
    if h.get("length") != want["response"].get("body_len", 0) and \
            method != "HEAD":
        return "length %s, not %s" % (h.get("length"),
                                      want["response"].get("body_len"))
    missing = lacks(asked(want), ops(got.asked))
    if missing:
        return "asked for %s, told %s" % (missing, ops(got.asked))
    return compare_answer(want, got)


def compare_answer(want, got):
    root = tree(want["response"])
    if root is None:
        return "" if not got.answered else "objects in a page"
    told = ops(got.answered)
    if not told:
        return "an answer without an object"
    op, path = asked(want)[0]
    if last_of(want["request"]["first"].split(" ")[1]) == "batch":
        items = [p for _, p in batch_items(tree(want["request"]))]
        # What makes something is answered by what it made.
        missing = lacks(items, [p for _, p in told])
        return "%s of items %s told as %s" % (missing, items, told) \
            if len(told) < len(items) or len(missing) > sum(
                last_of(p) == "make" for p in items) else ""
    changed = changes(want)
    if changed is not None:
        return compare_changes(changed, told)
    stamps = history(want)
    if stamps is not None:
        return compare_history(stamps, got.answered)
    if op not in [o for o, _ in told] or (op == "read" and
                                          (op, path) not in told):
        return "answer to %s %s told as %s" % (op, path, told)
    return ""


def compare_changes(changed, told):
    rooted = [path_of(h) for h in changed if h and h.startswith("/")]
    missing = lacks(rooted, [p for _, p in told])
    if missing:
        return "changes not told: %s" % missing
    if len(told) < len(changed):
        return "%d changes, %d told" % (len(changed), len(told))
    return ""


def seconds(stamp):
    from datetime import datetime
    return datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()


def compare_history(stamps, objects):
    told = [o for o in objects if "history" in o["op"]]
    count = sum(o.get("records", 0) for o in told if "quantity" in o)
    if count != len(stamps):
        return "%d records, told %d" % (len(stamps), count)
    if len(stamps) < 3:
        return ""
    at = sorted(seconds(s) for s in stamps)
    gaps = [b - a for a, b in zip(at, at[1:]) if b > a]
    steps = {o["interval_s"] for o in told if "interval_s" in o}
    if gaps and (not steps or min(steps) > round(min(gaps)) + 1):
        return "interval %s, told %s" % (min(gaps), steps)
    newest = max(o["newest"] for o in told if "newest" in o)
    oldest = min(o["oldest"] for o in told if "oldest" in o)
    if abs(newest - at[-1]) > 1 or not 0 <= at[0] - oldest <= \
            (max(steps) if steps else 0) + 1:
        return "span %s..%s, told %s..%s" % (at[0], at[-1], oldest, newest)
    return ""


def compare(name):
    with open(os.path.join(CAPTURES, name + ".http.json"),
              encoding="utf-8") as f:
        want = json.load(f)
    records = replay(os.path.join(CAPTURES, name + ".pcap"))
    told = exchanges(records)
    streams = {}
    for e in want:
        streams.setdefault(e["stream"], []).append(e)
    n, wrong, refused = 0, [], []
    for (stream, es), seen in zip(sorted(streams.items()), told):
        for i, e in enumerate(es):
            s = seen[i] if i < len(seen) else Seen()
            n += 1
            if s.bad:
                refused.append((stream, i, s.bad))
            if s.http is None:
                wrong.append("stream %d, exchange %d is not told" % (stream, i))
            elif not s.bad:
                w = compare_exchange(e, s)
                if w:
                    wrong.append("stream %d, exchange %d, %s: %s" % (
                        stream, i, e["request"]["first"], w))
        if len(seen) - 1 > len(es):
            wrong.append("stream %d: %d exchanges too many" % (
                stream, len(seen) - 1 - len(es)))
    if len(streams) != len(told):
        wrong.append("%d streams, %d told" % (len(streams), len(told)))
    return n, wrong, refused, records


# A batch in a batch is the only thing that is refused of what programs said.
REFUSED = {"qobix-scripts-batch-watch": ["nested-batch"]}


def programs(name):
    n, wrong, refused, _ = compare(name)
    reasons = [r for _, _, bad in refused for r in bad
               if r != "unpaired-response"]
    if reasons != REFUSED.get(name, []):
        wrong.append("refused: %s" % refused)
    check("%s: %d exchanges" % (name, n), "; ".join(wrong[:4]))


def bulk():
    """384 records of a quarter of an hour, written and read back."""
    records = replay(os.path.join(CAPTURES, "qobix-history-bulk-15min.pcap"))
    got = [r["obix"] for r in records if r["event_type"] == "obix" and
           r["obix"]["op"] == "history-query-response"]
    first, n = [], 0
    for o in got:
        first.append(o)
        n += o.get("records", 0) if "quantity" in o else 0
        if n >= 384:
            break
    span = max(o["newest"] for o in first if "newest" in o) - \
        min(o["oldest"] for o in first if "oldest" in o)
    steps = {o["interval_s"] for o in first if "interval_s" in o}
    check("a bulk download gives its count, interval and span",
          "" if (n, steps, span) == (384, {900}, 384 * 900) else
          "%d records, every %s s, over %s s" % (n, steps, span))


# --- the hostile one ---------------------------------------------------------------

def hostile():
    """What passes strictly is what it seems; the rest has a reason."""
    name = "evasion-vs-cot"
    with open(os.path.join(CAPTURES, name + ".http.json"),
              encoding="utf-8") as f:
        want = json.load(f)
    told = exchanges(replay(os.path.join(CAPTURES, name + ".pcap")))
    streams = {}
    for e in want:
        streams.setdefault(e["stream"], []).append(e)
    wrong, refused, read = [], 0, 0
    for (stream, es), seen in zip(sorted(streams.items()), told):
        bad = [r for s in seen for r in s.bad]
        if bad:
            refused += 1
            continue
        # Two may have been asked for before the first is answered.
        asked_for = [o for s in seen for o in s.asked]
        for i, e in enumerate(es):
            if not (e.get("request") or {}).get("first"):
                continue
            if i >= len(seen) or seen[i].http is None:
                if e.get("response"):
                    wrong.append("stream %d: neither read nor refused: %s" %
                                 (stream, e["request"]["first"]))
                continue
            read += 1
            w = compare_hostile(e, seen[i], asked_for)
            if w:
                wrong.append("stream %d, %s: %s" % (
                    stream, e["request"]["first"], w))
    check("%s: %d exchanges read as what they are" % (name, read),
          "; ".join(wrong[:4]) or ("" if read > 20 else "too few"))
    check("%s: %d connections refused for a reason" % (name, refused),
          "" if refused > 20 else "too few")


def compare_hostile(e, seen, asked_for):
    """Every object that the server gave away was told to be read or written,
    under its own path; what was asked for is what was told to be asked."""
    method = e["request"]["first"].split(" ")[0]
    if seen.http.get("http_method") != method:
        return "told as %s" % seen.http
    root = tree(e["response"] or {})
    if root is None or method == "HEAD":
        return ""
    batch = "BatchOut" in (root.get("is") or "")
    given = [path_of(x.get("href")) for x in (root if batch else [root])
             if local(x.tag) not in ("err", "list") and x.get("href")]
    missing = lacks(given, [p for _, p in ops(seen.answered)])
    if missing:
        return "given %s, told %s" % (missing, ops(seen.answered))
    missing = lacks(given, [p for _, p in ops(asked_for)])
    return "asked for %s, told %s" % (missing, ops(asked_for)) \
        if missing else ""


def main():
    if not os.path.isdir(CAPTURES):
        print("SKIP: the captures of oBIX are not in %s" % CAPTURES)
        return 0
    if not os.access(REPLAY, os.X_OK):
        print("SKIP: %s is not built" % REPLAY)
        return 0
    names = sorted(f[:-5] for f in os.listdir(CAPTURES)
                   if f.endswith(".pcap"))
    for name in names:
        if not name.startswith("evasion"):
            programs(name)
    bulk()
    hostile()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
