#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make tests/pcaps/gen_http_dr.pcap and gen_http_portal.pcap: what the demand
response and the portal agent say over HTTP and oBIX, beside what their
policies (tests/policies/agents) refuse. Each conversation is a connection of
its own; what is refused stands last in it. Also gen_http_forms.pcap: how
messages may be framed and answered, and how not; gen_http_said.pcap: what
heads may say beside their messages, and what not; gen_http_silent.pcap:
values that are left out; and gen_http_between.pcap: what one machine of the
meter tells another to do.

usage: gen_http.py DIRECTORY

Standard library only.
"""
import gzip
import os
import sys

from gen_frames import START, Capture

HOSTS = {
    "dr": ("10.20.0.11", "02000a14000b"),
    "portal": ("10.20.0.12", "02000a14000c"),
    "aggregator": ("198.51.100.17", "020000000001"),
    "screen": ("192.168.178.20", "020000000002"),
    "stranger": ("203.0.113.9", "020000000001"),
}
BETWEEN = {  # policies/binding.yaml
    "dr": ("10.77.0.3", "02000a4d0003"),
    "portal": ("10.77.0.4", "02000a4d0004"),
}
MSS = 1448


class Talk:
    """One connection to port 80."""

    def __init__(self, cap, client, server):
        self.cap, self.ends = cap, (client, server)
        self.port, self.seq = cap.next_port(), [1000, 5000]
        self.send(0, 0x02)
        self.send(1, 0x12)
        self.send(0, 0x10)

    def send(self, who, flags, payload=b""):
        ports = (self.port, 80) if who == 0 else (80, self.port)
        self.cap.tcp(self.ends[who], self.ends[1 - who], ports,
                     self.seq[who], self.seq[1 - who] if flags & 0x10 else 0,
                     flags, payload)
        self.seq[who] += len(payload) + bool(flags & 0x03)

    def say(self, who, octets):
        for n, at in enumerate(range(0, len(octets), MSS), 1):
            self.send(who, 0x18, octets[at:at + MSS])
            if n % 8 == 0:
                self.send(1 - who, 0x10)
        self.send(1 - who, 0x10)

    def ask(self, method, path, body=None, head=""):
        self.say(0, message("%s %s HTTP/1.1" % (method, path),
                            "Host: %s\r\n%s" % (self.ends[1], head), body))

    def answer(self, body, kind="text/xml", status="200 OK", head=""):
        self.say(1, message("HTTP/1.1 " + status,
                            "Content-Type: %s\r\n%s" % (kind, head), body))

    def close(self):
        self.send(0, 0x11)
        self.send(1, 0x11)
        self.send(0, 0x10)


def message(first, head, body):
    if isinstance(body, str):
        body = body.encode()
    if body is not None and "Transfer-Encoding" not in head:
        head += "Content-Length: %d\r\n" % len(body)
    return ("%s\r\n%s\r\n" % (first, head)).encode() + (body or b"")


def chunked(body, size):
    body = body.encode()
    parts = [body[i:i + size] for i in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in parts) + \
        b"0\r\n\r\n"


def stamp(s):
    from datetime import datetime, timezone
    return datetime.fromtimestamp(s, timezone.utc).strftime(
        "%Y-%m-%dT%H:%M:%SZ")


def records(n, step, unit="kilowatt_hour"):
    return "".join(
        "<obj><abstime name='timestamp' val='%s'/><real name='value' "
        "unit='obix:units/%s' val='0.%03d'/></obj>\n" % (
            stamp(START - (n - i) * step), unit, i * 7 % 1000)
        for i in range(n))


def history(n, step, unit="kilowatt_hour"):
    return ("<obj is='obix:HistoryQueryOut'><int name='count' val='%d'/>"
            "<abstime name='start' val='%s'/><abstime name='end' val='%s'/>"
            "<list name='data' of='obix:HistoryRecord'>%s</list></obj>" % (
                n, stamp(START - n * step), stamp(START - step),
                records(n, step, unit)))


FILTER = "<obj is='obix:HistoryFilter'><int name='limit' null='true'/></obj>"


def price(path, value):
    return "<real href='%s' name='price' val='%s'/>" % (path, value)


def load(value):
    return "<real name='load' unit='obix:units/kilowatt' val='%s'/>" % value


def event(length):
    return "<reltime name='start' val='%s'/>" % length


def demand_response(folder):
    c = Capture(HOSTS)
    # prices are asked for
    t = Talk(c, "dr", "aggregator")
    t.ask("GET", "/dr/price/now")
    t.answer(price("/dr/price/now", "0.31"))
    t.ask("GET", "/dr/price/next/")
    t.answer(price("/dr/price/next/", "0.18"))
    t.ask("GET", "/dr/price/none")
    t.answer("<html>no</html>", "text/html", "404 Not Found")
    t.close()
    # and an object that is none
    t = Talk(c, "dr", "aggregator")
    t.ask("GET", "/dr/price/../../meter/energy")
    # a price that nobody asked for
    t = Talk(c, "aggregator", "dr")
    t.ask("PUT", "/dr/price/now", price("/dr/price/now", "0.31"))
    # load, before an event runs
    t = Talk(c, "dr", "aggregator")
    t.ask("PUT", "/site/load", load("1.3"))
    # an event begins
    t = Talk(c, "aggregator", "dr")
    t.ask("PUT", "/dr/event/start", event("PT90M"))
    t.answer("<reltime href='/dr/event/start' name='start' val='PT90M'/>")
    t.close()
    # what is saved is told, every five minutes
    t = Talk(c, "dr", "aggregator")
    for value in ("1.3", "0.4"):
        c.wait(300)
        t.ask("PUT", "/site/load", load(value))
        t.answer("<real href='/site/load' name='load' "
                 "unit='obix:units/kilowatt' val='%s'/>" % value)
    c.wait(60)
    t.ask("PUT", "/site/load", load("0.5"))  # too soon
    c.wait(300)
    t = Talk(c, "dr", "aggregator")
    t.ask("PUT", "/site/load", load("0.4567"))  # too precise
    # a second quantity beside it
    c.wait(300)
    t = Talk(c, "dr", "aggregator")
    t.ask("PUT", "/site/load", "<obj>%s<real name='u' "
          "unit='obix:units/volt' val='231'/></obj>" % load("0.5"))
    # an event that is too long
    c.wait(600)
    t = Talk(c, "aggregator", "dr")
    t.ask("PUT", "/dr/event/start", event("PT3H"))
    # a load profile as a history, and as a page
    t = Talk(c, "dr", "aggregator")
    t.ask("POST", "/site/history/append", "<obj is='obix:HistoryAppendIn'>"
          "<list name='data'>%s</list></obj>" % records(60, 900))
    t = Talk(c, "dr", "aggregator")
    t.ask("POST", "/upload", "0.1;0.2;0.3\n" * 40,
          "Content-Type: text/csv\r\n")
    # a batch: one item may be asked, the other not
    t = Talk(c, "dr", "aggregator")
    t.ask("POST", "/obix/batch", "<list is='obix:BatchIn'>"
          "<uri is='obix:Read' val='/dr/price/now'/></list>")
    t.answer("<list is='obix:BatchOut'>%s</list>" % price("/dr/price/now",
                                                         "0.31"))
    t = Talk(c, "dr", "aggregator")
    t.ask("POST", "/obix/batch", "<list is='obix:BatchIn'>"
          "<uri is='obix:Read' val='/dr/price/now'/>"
          "<uri is='obix:Read' val='/meter/energy'/></list>")
    # to somebody else
    t = Talk(c, "dr", "stranger")
    t.ask("GET", "/dr/price/now")
    c.wait(60)
    watch(c)
    c.write(os.path.join(folder, "gen_http_dr.pcap"))


def watch(c):
    """A Watch: made, added to, polled for what changed."""
    t = Talk(c, "dr", "aggregator")
    t.ask("POST", "/watchService/make", "<obj null='true'/>")
    t.answer("<obj is='obix:Watch' href='/watch/1/'>"
             "<op name='add' href='add' in='obix:WatchIn' "
             "out='obix:WatchOut'/>"
             "<op name='pollChanges' href='pollChanges' "
             "out='obix:WatchOut'/></obj>")
    t.ask("POST", "/watch/1/add", "<obj is='obix:WatchIn'><list name='hrefs'>"
          "<uri val='/dr/price/now'/><uri val='/dr/price/next'/></list></obj>")
    both = price("/dr/price/now", "0.31") + price("/dr/price/next", "0.18")
    t.answer("<obj is='obix:WatchOut'><list name='values'>%s</list></obj>" %
             both)
    t.ask("POST", "/watch/1/pollChanges", "<obj null='true'/>")
    t.answer("<obj is='obix:WatchOut'><list name='values'>%s</list></obj>" %
             both)
    t.ask("POST", "/watch/1/pollChanges", "<obj null='true'/>")
    t.answer("<obj is='obix:WatchOut'><list name='values'/></obj>")
    # what it was not told to hold
    t.ask("POST", "/watch/1/add", "<obj is='obix:WatchIn'><list name='hrefs'>"
          "<uri val='/meter/energy'/></list></obj>")


def portal(folder):
    c = Capture(HOSTS)
    t = Talk(c, "screen", "portal")
    t.ask("GET", "/today", head="Accept: text/html\r\n")
    t.answer("<html>%s</html>" % ("<p>Today</p>" * 400), "text/html")
    t.ask("GET", "/today.css")
    t.answer(gzip.compress(b"p { color: black }\n" * 20, mtime=0), "text/css",
             head="Content-Encoding: gzip\r\n")
    t.ask("GET", "/events", head="Accept: text/event-stream\r\n")
    t.answer(chunked("data: a\n\n" * 30, 90), "text/event-stream",
             head="Transfer-Encoding: chunked\r\n")
    t.close()
    # what is used now, and a history of ten days
    t = Talk(c, "screen", "portal")
    t.ask("GET", "/obix/power")
    t.answer("<real href='/obix/power' unit='obix:units/kilowatt' val='1.3'/>")
    t.ask("POST", "/obix/history/energy/query", FILTER)
    t.answer(history(10 * 96, 900))
    t.ask("POST", "/obix/history/energy/query", FILTER)
    t.answer(chunked(history(96, 900), 1000),
             head="Transfer-Encoding: chunked\r\n")
    t.close()
    # one too soon after it
    t = Talk(c, "screen", "portal")
    t.ask("GET", "/obix/power")
    t.answer("<real href='/obix/power' unit='obix:units/kilowatt' val='1.3'/>")
    # every ten seconds
    t = Talk(c, "screen", "portal")
    t.ask("POST", "/obix/history/energy/query", FILTER)
    t.answer(history(60, 10))
    # another quantity behind the first hundreds of records
    t = Talk(c, "screen", "portal")
    t.ask("POST", "/obix/history/energy/query", FILTER)
    good, bad = history(300, 900), records(2, 900, "volt")
    t.answer(good.replace("</list>", bad + "</list>"))
    # readings in a page that says it is one
    c.wait(60)
    t = Talk(c, "screen", "portal")
    t.ask("GET", "/obix/volts")
    t.answer("<real href='/obix/volts' unit='obix:units/volt' val='231'/>",
             "text/html")
    # the same, packed
    t = Talk(c, "screen", "portal")
    t.ask("GET", "/obix/volts")
    t.answer(gzip.compress(b"<real href='/obix/volts' "
                           b"unit='obix:units/volt' val='231'/>", mtime=0),
             head="Content-Encoding: gzip\r\n")
    # screens change nothing
    t = Talk(c, "screen", "portal")
    t.ask("PUT", "/obix/setpoint", "<real val='21'/>")
    t = Talk(c, "screen", "portal")
    t.ask("DELETE", "/obix/history/energy")
    # two readings of one message
    t = Talk(c, "screen", "portal")
    t.ask("GET", "/today", body=b"", head="Transfer-Encoding: chunked\r\n"
          "Content-Length: 5\r\n")
    # the rest of a body never comes
    t = Talk(c, "screen", "portal")
    t.ask("GET", "/today")
    t.say(1, message("HTTP/1.1 200 OK", "Content-Type: text/plain\r\n",
                     b"x" * 900)[:600])
    t.send(1, 0x11)
    # an answer to nobody: who speaks first is the client
    t = Talk(c, "screen", "portal")
    t.answer("<html/>", "text/html")
    # to somebody outside
    t = Talk(c, "portal", "stranger")
    t.ask("GET", "/stable/manifest")
    c.write(os.path.join(folder, "gen_http_portal.pcap"))


# Heads that are refused, each in a connection of its own.
REFUSED = [
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
    b"Upgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n"
    b"Upgrade: h2c\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"CONNECT far.example:443 HTTP/1.1\r\nHost: far.example:443\r\n\r\n",
    b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n",
    b"GET / HTTP/1.1\nHost: a\n\n",
    b"GET /%2e%2e/%2e%2e/x HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /a%00b HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX-HTTP-Method-Override: DELETE\r\n\r\n",
    b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5;a=b\r\nhello\r\n0\r\n\r\n",
    b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
    b"Content-Length: 6\r\n\r\nhello!",
    b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\n"
    b"Content-Length: 64\r\n\r\n<!DOCTYPE obj [<!ENTITY e 'x'>]>"
    b"<obj><str val='&e;'/></obj>     ",
    b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Encoding: br\r\n"
    b"Content-Length: 5\r\n\r\nhello",
    b"\x16\x03\x01 no HTTP on its port",
]


def forms(folder):
    c = Capture(HOSTS)
    # asked three times before the first answer; HEAD, 304 and 204 have no body
    t = Talk(c, "screen", "portal")
    for path in ("/a", "/b", "/c/"):
        t.ask("GET", path)
    for n in (10, 6000, 0):
        t.answer(b"x" * n, "text/plain")
    t.ask("HEAD", "/a")
    t.say(1, b"HTTP/1.1 200 OK\r\nContent-Length: 6000\r\n\r\n")
    t.ask("GET", "/a", head="If-None-Match: \"1\"\r\n")
    t.say(1, b"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n")
    t.ask("GET", "/b")
    t.say(1, b"HTTP/1.1 204 No Content\r\n\r\n")
    t.close()
    # an octet at a time
    t = Talk(c, "screen", "portal")
    for octet in message("GET /slow HTTP/1.1", "Host: a\r\n", None):
        t.send(0, 0x18, bytes([octet]))
    t.answer(b"slow", "text/plain")
    t.close()
    # the sender waits for leave, then sends chunks
    t = Talk(c, "screen", "portal")
    t.ask("PUT", "/obix/setpoint", "", "Expect: 100-continue\r\n"
          "Transfer-Encoding: chunked\r\n")
    t.say(1, b"HTTP/1.1 100 Continue\r\n\r\n")
    t.say(0, chunked("<real val='21'/>", 7))
    t.answer("<real href='/obix/setpoint' val='21'/>")
    t.close()
    # leave is refused: then comes what may be its body or the next request,
    # here as a client that asks again without asking for leave
    t = Talk(c, "screen", "portal")
    t.ask("PUT", "/obix/setpoint", None, "Expect: 100-continue\r\n"
          "Content-Length: 16\r\n")
    t.answer("", "text/plain", "417 Expectation Failed")
    t.ask("PUT", "/obix/setpoint", "<real val='21'/>")
    t.answer("<real href='/obix/setpoint' val='21'/>")
    t.close()
    # refused, and that is all
    t = Talk(c, "screen", "portal")
    t.ask("PUT", "/obix/setpoint", None, "Expect: 100-continue\r\n"
          "Content-Length: 16\r\n")
    t.answer("", "text/plain", "413 Content Too Large",
             "Connection: close\r\n")
    t.close()
    # an answer before the request has ended
    t = Talk(c, "screen", "portal")
    m = message("PUT /names HTTP/1.1", "Host: a\r\n", "<list>" + "".join(
        "<str name='n%d' val='name'/>" % i for i in range(300)) + "</list>")
    t.say(0, m[:5000])
    t.answer("<list href='/names'/>")
    t.say(0, m[5000:])
    t.ask("GET", "/names")
    t.answer("<list href='/names'/>")
    t.close()
    # an answer that ends with its connection
    t = Talk(c, "screen", "portal")
    t.ask("GET", "/until-close")
    t.say(1, b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n" +
          b"y" * 5000)
    t.send(1, 0x11)
    t.send(0, 0x11)
    t.send(1, 0x10)
    for octets in REFUSED:
        Talk(c, "screen", "portal").say(0, octets)
    # what no answer may be
    for octets in (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n"
                   b"Connection: Upgrade\r\n\r\n",
                   b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes "
                   b"0-1/9\r\nContent-Length: 2\r\n\r\n<o",
                   b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
                   b"Content-Length: 9000\r\n\r\n",
                   b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
                   b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nagain"):
        t = Talk(c, "screen", "portal")
        t.ask("GET", "/a")
        t.say(1, octets)
    c.write(os.path.join(folder, "gen_http_forms.pcap"))


def said(folder):
    """What heads say beside the message."""
    text = "reading=4711.08-15;" * 40
    c = Capture(HOSTS)
    # a question and a path that hide text, out; prices are granted, no text
    for path in ("/dr/price/now", "/dr/price/now?" + text[:200],
                 "/dr/price/now?", "/" + text[:285].replace(";", "/") +
                 "../" * 15 + "dr/price/now"):
        t = Talk(c, "dr", "aggregator")
        t.ask("GET", path)
    # fields that say more than they have room for
    for head in ("User-Agent: flex/1\r\nAccept: text/xml\r\n",
                 "User-Agent: " + text[:300] + "\r\n",
                 "Cookie: a=" + text[:150] + "\r\nReferer: " + text[:150] +
                 "\r\n",
                 "X-Reading: 4711\r\n"):
        t = Talk(c, "dr", "aggregator")
        t.ask("GET", "/dr/price/now", head=head)
    # a page for a screen: it is asked without a question, `body: 0 B`
    for path in ("/today", "/today?day=1", "/today?"):
        t = Talk(c, "screen", "portal")
        t.ask("GET", path)
    t = Talk(c, "screen", "portal")
    t.ask("GET", "/today", head="Cookie: a=" + text[:700] + "\r\n")
    # too much for a screen, too
    t = Talk(c, "screen", "portal")
    t.ask("GET", "/today", head="Cookie: a=" + text + "\r\nReferer: " + text +
          "\r\n")
    # an object for it, with as much again in the head and in the status
    for status, head in (("200 OK", "Set-Cookie: " + text[:300] + "\r\n"),
                         ("200 " + text[:300], ""),
                         ("200 OK", "Server: portal\r\n")):
        c.wait(60)
        t = Talk(c, "screen", "portal")
        t.ask("GET", "/obix/power")
        t.answer("<real href='/obix/power' unit='obix:units/watt' "
                 "val='231'/>", status=status, head=head)
    c.write(os.path.join(folder, "gen_http_said.pcap"))


def silent(folder):
    """Values that are left out."""
    c = Capture(HOSTS)

    def shown(path, body, wait=60):
        c.wait(wait)
        t = Talk(c, "screen", "portal")
        t.ask("GET", path)
        t.answer(body)

    def recorded(members):
        c.wait(60)
        t = Talk(c, "screen", "portal")
        t.ask("POST", "/obix/history/energy/query",
              "<obj is='obix:HistoryFilter'/>")
        t.answer("<obj is='obix:HistoryQueryOut'><obj href='#R'><abstime "
                 "name='timestamp' tz='UTC'/>%s</obj><list name='data' "
                 "of='#R obix:HistoryRecord'>%s</list></obj>" % (
                     members, "".join(
                         "<obj><abstime name='timestamp' val='%s'/></obj>" %
                         stamp(START - 86400 + i * 900) for i in range(4))))

    watt = "<real href='/obix/power' unit='obix:units/watt'%s/>"
    kwh = "<real name='value' unit='obix:units/kilowatt_hour'/>"
    shown("/obix/power", watt % " val='231'")
    shown("/obix/power", watt % "")
    # no less often than if it were there
    shown("/obix/power", watt % "", 5)
    shown("/obix/power", watt % " null='true'", 5)
    # what is not granted, and what says nothing
    shown("/obix/room", "<obj><bool name='motion' null='true'/></obj>")
    shown("/obix/room", "<obj><bool name='motion'/></obj>")
    shown("/obix/room", "<obj><obj href='#room'><bool name='motion'/></obj>"
          "<list of='#room'/></obj>")
    shown("/obix/room", "<obj><obj href='#room'><bool name='motion'/></obj>"
          "<list of='#room'><obj/></list></obj>")
    recorded(kwh)
    recorded(kwh + "<bool name='motion'/>")
    c.write(os.path.join(folder, "gen_http_silent.pcap"))


def between(folder):
    """A command is one at both ends."""
    c = Capture(BETWEEN)

    def told(method, path, body, answer=None):
        t = Talk(c, "portal", "dr")
        t.ask(method, path, body)
        if answer:
            t.answer(answer)

    on = "<bool href='/loads/heater' val='true'/>"
    pause = "<reltime name='pause%u' val='PT9M'/>"
    told("PUT", "/loads/heater", on, on)
    told("POST", "/loads/heater/override", "<obj null='true'/>",
         "<obj null='true'/>")
    told("PUT", "/loads/heater", "<obj>%s</obj>" % "".join(
        pause % n for n in range(8)))
    # the eleventh in a minute, a reading, and what nobody may tell it
    told("PUT", "/loads/heater", on)
    told("PUT", "/loads/heater", "<real name='price' val='0.2'/>")
    told("PUT", "/dr/event/start", "<reltime val='PT9M'/>")
    c.write(os.path.join(folder, "gen_http_between.pcap"))


def main():
    if len(sys.argv) != 2:
        print(__doc__.split("\n\n")[1], file=sys.stderr)
        return 2
    demand_response(sys.argv[1])
    portal(sys.argv[1])
    forms(sys.argv[1])
    said(sys.argv[1])
    silent(sys.argv[1])
    between(sys.argv[1])
    return 0


if __name__ == "__main__":
    sys.exit(main())
