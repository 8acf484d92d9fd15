# SPDX-License-Identifier: Apache-2.0
"""What the kernel carries by itself, and when the queue sees it again."""
import socket
import struct
import threading
import time

from bed import ALL, equal, holds
from lib import ADDR, until

GENERATION, BOUND = 0x00700000, 200000
CLASS1, REFUSED = GENERATION | 1 << 16, GENERATION | 15 << 16


def one_way(bed, src, dst, port, count, size, gap=0.0):
    """Datagrams of one connection; how many arrived."""
    s = bed.socket(src, socket.AF_INET, socket.SOCK_DGRAM)
    r = bed.socket(dst, socket.AF_INET, socket.SOCK_DGRAM)
    r.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)
    r.bind(("", port))
    r.settimeout(0.4)
    s.connect((ADDR[dst], port))
    for i in range(count):
        s.send(struct.pack(">I", i) + bytes(size - 4))
        time.sleep(gap)
    n = 0
    try:
        while True:
            r.recv(65536)
            n += 1
    except (socket.timeout, TimeoutError):
        pass
    s.close()
    r.close()
    return n


def offload_udp(bed, name):
    size, count = 1000, 400
    bed.read(mark=CLASS1)
    arrived = one_way(bed, "mdma", "wan", 5001, count, size, 0.001)
    queued = [p for p in bed.readers["mdma"].seen if len(p) == size + 28]
    carried = (arrived - len(queued)) * (size + 28)
    equal(name + ": everything arrives", arrived, count)
    holds(name + ": most is carried, never more than the bound",
          BOUND * 0.9 < carried and carried + size + 28 <= BOUND,
          "%d octets carried, bound %d" % (carried, BOUND))
    order = [struct.unpack(">I", p[28:32])[0] for p in queued]
    holds(name + ": then the queue sees it again",
          order and order[-1] == count - 1, str(order[-3:]))
    bed.unread()


def offload_tcp(bed, name):
    """Super-packets: what was not queued is within the bound."""
    bed.read(mark=CLASS1)
    total = 3000000
    r = bed.listener("wan", 5002)
    s = bed.socket("mdma")
    s.settimeout(10)
    s.connect((ADDR["wan"], 5002))
    t, _ = r.accept()
    thread = threading.Thread(target=lambda: s.sendall(bytes(total)) or
                              s.shutdown(1))
    thread.start()
    got = 0
    while True:
        data = t.recv(1 << 18)
        if not data:
            break
        got += len(data)
    thread.join()
    for x in (s, t, r):
        x.close()
    seen = sum(max(len(p) - 52, 0) for p in bed.readers["mdma"].seen)
    equal(name + ": a transfer arrives", got, total)
    holds(name + ": of it no more than the bound was carried",
          0 < got - seen <= BOUND,
          "%d octets of %d were not queued" % (got - seen, got))
    bed.unread()


def end_of(bed, reset):
    """What the queue sees of a carried connection: until one end closes or
    resets it, and from then on."""
    bed.read(mark=lambda r: CLASS1 if len(r.seen) < 2 else None)
    r = bed.listener("wan", 5007)
    c = bed.socket("mdma")
    c.settimeout(5)
    c.connect((ADDR["wan"], 5007))
    s, _ = r.accept()
    s.settimeout(5)
    for x, y in 3 * ((c, s), (s, c)):
        x.sendall(b"carried")
        y.recv(7)
    seen = bed.readers["mdma"].seen
    before = len(seen)
    if reset:
        c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                     struct.pack("ii", 1, 0))
        c.close()
    else:
        c.shutdown(socket.SHUT_WR)
        s.recv(1)
        s.sendall(b"the last")
        c.recv(8)
        s.close()
        c.recv(1)
        c.close()
    until(lambda: sum(p[33] & 5 != 0 for p in seen) >= (1 if reset else 2), 3)
    s.close()
    r.close()
    after = list(seen[before:])
    bed.unread()
    return before, after


def offload_end(bed, name):
    """Whoever keeps a table of connections learns which are over."""
    before, after = end_of(bed, False)
    holds(name + ": a carried connection is not queued until it ends",
          before <= 2, "%d packets" % before)
    equal(name + ": each end's FIN is queued",
          [p[12:16] for p in after if p[33] & 1],
          [socket.inet_aton(ADDR[g]) for g in ("mdma", "wan")])
    holds(name + ": and what comes between them",
          any(p.endswith(b"the last") for p in after), str(after))
    before, after = end_of(bed, True)
    holds(name + ": a reset of a carried connection is queued",
          before <= 2 and sum(p[33] & 4 != 0 for p in after) == 1,
          "%d before, %s" % (before, after))


def offload(bed, name):
    bed.gw_file("net/netfilter/nf_conntrack_acct", 1)
    bed.tool("apply", "-o", str(BOUND))
    equal(name + ": what is bound passes", len(bed.passes() or bed.passes()),
          0)
    bed.read()
    equal(name + ": with readers", bed.passes(), ALL)
    bed.unread()
    offload_udp(bed, name)
    offload_tcp(bed, name)
    offload_end(bed, name)
    # Two guests are two opinions: never carried.
    bed.read(mark=CLASS1)
    arrived = one_way(bed, "mdma", "dr", 5003, 50, 500, 0.002)
    for g in ("mdma", "dr"):
        equal("%s: between guests every packet is asked about (%s)" % (
            name, g), sum(len(p) == 528 for p in bed.readers[g].seen),
              arrived)
    equal(name + ": and arrives", arrived, 50)
    bed.unread()
    # The queue's word about a refused connection is kept too.
    bed.read(mark=lambda r: REFUSED)
    arrived = one_way(bed, "mdma", "wan", 5004, 50, 500, 0.002)
    seen = sum(len(p) == 528 for p in bed.readers["mdma"].seen)
    bed.unread()
    holds(name + ": a refused connection is dropped in the kernel",
          arrived == seen and seen < 50 and
          bed.drops().get(("refused-flow", "mdma")) == 50 - seen,
          "%d arrived, %d queued, %s" % (arrived, seen, bed.drops()))
    # Marks of another start mean nothing.
    bed.read(mark=0x00800000 | 1 << 16)
    arrived = one_way(bed, "mdma", "wan", 5005, 50, 500, 0.002)
    equal(name + ": another generation's mark carries nothing",
          sum(len(p) == 528 for p in bed.readers["mdma"].seen), arrived)
    bed.unread()
    # A connection that is older than the accounting has no sum.
    bed.gw_file("net/netfilter/nf_conntrack_acct", 0)
    bed.read(mark=CLASS1)
    arrived = one_way(bed, "mdma", "wan", 5006, 50, 500, 0.002)
    equal(name + ": without a sum nothing is carried",
          sum(len(p) == 528 for p in bed.readers["mdma"].seen), arrived)
    bed.unread()
    done = bed.tool("check", "-o", "1", check=False)
    holds(name + ": the host's accounting is asked for",
          done.returncode == 1 and
          "sysctl -w net.netfilter.nf_conntrack_acct=1" in done.stderr,
          done.stderr)
    bed.tool("apply")
