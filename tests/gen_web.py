#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make a capture of any size of small HTTP and oBIX transactions: what the
demand response and the portal agent say all day (tests/policies/web lets it
pass).

usage: gen_web.py --size 200M --out FILE.pcap

Prices are read, watches made and polled, batches asked; a screen reads what is
used now, histories of a day, and pages. Connections are kept alive for some
eight transactions. One block of 1,200 connections is built; for every use of
it, times are put forward. Memory does not grow with the size.
"""
import argparse
import struct
import sys

from gen_frames import Capture
from gen_http import FILTER, HOSTS, Talk, history, price

CONNECTIONS = 1200
RECORD = struct.Struct("<IIII")


def prices(c, n):
    t = Talk(c, "dr", "aggregator")
    for i in range(8):
        path = "/dr/price/%d" % ((n + i) % 48)
        t.ask("GET", path)
        t.answer(price(path, "0.%02d" % (11 + i)))
    t.close()


def watch(c, n):
    t = Talk(c, "dr", "aggregator")
    here = "/watch/%d/" % (n % 8)
    t.ask("POST", "/watchService/make", "<obj null='true'/>")
    t.answer("<obj is='obix:Watch' href='%s'>"
             "<op name='add' href='add' in='obix:WatchIn' "
             "out='obix:WatchOut'/>"
             "<op name='pollChanges' href='pollChanges' "
             "out='obix:WatchOut'/></obj>" % here)
    t.ask("POST", here + "add", "<obj is='obix:WatchIn'><list name='hrefs'>"
          "<uri val='/dr/price/1'/><uri val='/dr/price/2'/></list></obj>")
    out = "<obj is='obix:WatchOut'><list name='values'>%s</list></obj>"
    t.answer(out % (price("/dr/price/1", "0.31") +
                    price("/dr/price/2", "0.18")))
    for i in range(6):
        t.ask("POST", here + "pollChanges", "<obj null='true'/>")
        t.answer(out % (price("/dr/price/1", "0.%d" % (20 + i))
                        if i % 2 else ""))
    t.close()


def batches(c, _n):
    t = Talk(c, "dr", "aggregator")
    for i in range(4):
        t.ask("POST", "/obix/batch", "<list is='obix:BatchIn'>"
              "<uri is='obix:Read' val='/dr/price/1'/>"
              "<uri is='obix:Read' val='/dr/price/2'/></list>")
        t.answer("<list is='obix:BatchOut'>%s%s</list>" %
                 (price("/dr/price/1", "0.3%d" % i),
                  price("/dr/price/2", "0.18")))
    t.close()


def screen(c, n):
    t = Talk(c, "screen", "portal")
    for i in range(8):
        t.ask("GET", "/obix/power", head="Accept: text/xml\r\n"
              "User-Agent: screen/1.0\r\nConnection: keep-alive\r\n")
        t.answer("<real href='/obix/power' unit='obix:units/kilowatt' "
                 "val='%d.%d'/>" % (n % 5, i))
    t.close()


def day(c, _n):
    t = Talk(c, "screen", "portal")
    t.ask("POST", "/obix/history/energy/query", FILTER)
    t.answer(history(24, 3600))
    t.ask("GET", "/today", head="Accept: text/html\r\n")
    t.answer("<html>%s</html>" % ("<p>Today</p>" * 40), "text/html")
    t.close()


def block():
    c = Capture(HOSTS)
    kinds = (prices, screen, watch, screen, prices, day, screen, batches)
    for n in range(CONNECTIONS):
        kinds[n % len(kinds)](c, n)
    return c


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--size", required=True)
    ap.add_argument("--out", required=True)
    a = ap.parse_args()
    size = int(a.size[:-1]) * {"k": 10**3, "M": 10**6, "G": 10**9}[a.size[-1]]
    c = block()
    first, last = c.packets[0][0], c.packets[-1][0]
    step, written, shift = last - first + 1000000, 0, 0
    with open(a.out, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        while written < size:
            octets = b"".join(
                RECORD.pack((us + shift) // 1000000, (us + shift) % 1000000,
                            len(p), len(p)) + p for us, p in c.packets)
            f.write(octets)
            written += len(octets)
            shift += step
    print("%d octets, %d packets to a block" % (written, len(c.packets)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
