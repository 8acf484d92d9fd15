#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Writes docs/protocols.md to standard output: the tables come from those the
# dissectors use. `make docs` keeps it; a test compares.
set -u
cd "$(dirname "$0")/.." || exit 2
export LC_ALL=C

# Lines of standard input as they are; none: a table is not where it was, and
# the document says so.
some() {
	awk -v what="$1" '{ print } END { if (!NR) print "MISSING: " what }'
}

# The rows of an initialised table, one a line, without comments: file, name.
table() {
	awk -v name="$2" '
		index($0, name "[") && /= \{$/ { on = 1; next }
		on && /^\}/ { exit }
		on { gsub(/\/\*[^*]*\*\//, ""); print }' "$1"
}

# The same with its comment, for tables of "{numbers}, /* name */".
noted() {
	awk -v name="$2" '
		(index($0, name "[") || index($0, "} " name "[")) && /= \{$/ {
			on = 1; next }
		on && /^\}/ { exit }
		on' "$1"
}

# What a constant of a header is: file, name. A product of numbers is worked out.
constant() {
	local v
	v=$(sed -n "s/^#define $2[ \t]*(*\([0-9][0-9 *]*[0-9]\|[0-9]\)[u)*]*.*/\1/p" "$1")
	if [ "$v" ]; then echo $((v)); else echo "MISSING: $2"; fi
}

# Rows of "words|file|name", as a table of what is read at most. Of a row with two
# names the product.
limits() {
	local what file name times
	printf '\n| limit | at most |\n|---|---|\n'
	while IFS='|' read -r what file name times; do
		name=$(constant "$file" "$name")
		if [ "$times" ]; then
			times=$(constant "$file" "$times")
			case $name$times in
			*MISSING*) name=$name$times ;;
			*) name=$((name * times)) ;;
			esac
		fi
		echo "| $what | $name |"
	done
}

# Reasons that some files give, with their meaning.
reasons() {
	local ids
	ids=$(cat "$@" | grep -oE 'REASON_[A-Z0-9_]+' | sort -u |
		grep -vxE 'REASON_(NONE|COUNT|GROUP.*)')
	printf '\n| reason | meaning |\n|---|---|\n'
	sed -n 's/^X(\([A-Z0-9_]*\), "\([^"]*\)", \([A-Z]*\), "\(.*\)")$/\1\t\2\t\3\t\4/p' \
		core/reason.def |
		awk -F'\t' -v ids="$ids" '
			BEGIN { n = split(ids, a, "\n"); for (i = 1; i <= n; i++) on[a[i]] = 1 }
			on["REASON_" $1] { print "| `" $2 "` | " $4 ($3 == "NOTE" ? " (noted, and let pass)" : "") " |" }' |
		some "reasons of $1"
}

sources() { # folder: its files, without tests
	ls "$1"/*.c "$1"/*.h | grep -vE '_(test|fuzz)\.c$|/test[a-z]*\.h$'
}

observations() { # family
	sed -n 's/^X([A-Z0-9_]*, "\([^"]*\)", \([A-Z0-9]*\), .*/\1 \2/p' core/obs.def |
		awk -v f="$1" '$2 == f { printf "%s`%s`", n++ ? ", " : "", $1 } END { print "" }'
}

overview() {
	for f in $(ls dissectors/*/*.c | grep -vE '_(test|fuzz)\.c$'); do
		awk -v reg="$(cat dissectors/registry.c)" -v file="$f" '
			/^const struct dissector dissector_/ { on = 1; id = $4 }
			on && /\.name = / { split($0, a, "\""); name = a[2] }
			on && /\.max_stream = / { tcp = $3 !~ /^0,/ }
			on && /\.max_datagram = / { udp = $3 !~ /^0,/ }
			on && /^};/ {
				printf "| %s | %s | `%s` | %s |\n", name,
					(tcp ? "TCP" : "") (tcp && udp ? ", " : "") (udp ? "UDP" : ""),
					file, index(reg, "&" id ",") ? "yes" : "not yet"
				exit }' "$f"
	done | some dissectors
}

cat <<'EOT'
<!-- SPDX-License-Identifier: Apache-2.0 -->
# Protocols: what is read, refused and opaque

Made by `dissectors/protocols_doc.sh` from the tables that the code uses
(`make docs`); do not edit.

A dissector reads a unit of traffic as exactly one thing or refuses it with a
reason. What no dissector takes is *opaque*: it passes only where a rule grants
`opaque` to that party, and is charged by its octets. A protocol is recognised
by its octets; on a registered port what cannot be read as the protocol of that
port is refused, not opaque. IP protocols other than TCP, UDP, ICMP and ICMPv6
are refused (`unknown-protocol`).

An opaque stream over TCP is looked at again where an end speaks after the other
one did, and where a segment begins: what is C12.22, HTTP, DNS, a hello of TLS or oBIX
without HTTP there beyond doubt, by itself or with the segments behind it, ends the
connection (`changed-protocol`). The segment that makes it plain does not leave; those
in front of it may have left, as the opaque octets that were granted and are charged.
Not found is a message that begins inside a segment, behind other octets (a text
may quote one, and no receiver looks for it there); one whose method is in no
registry, cut right in front of the blank behind it or right behind that; and
what the kernel carries when opaque streams are given to it.

| dissector | over | module | used by the gateway |
|---|---|---|---|
EOT
overview
cat <<'EOT'

What is not used yet is built and tested, but no packet reaches it: until it is
in `dissectors/registry.c`, its protocol is opaque. oBIX is read in the bodies of
HTTP; its row is what no HTTP carries.

## C12.22

Read: ACSE APDUs with all services below, in clear or sealed with a held key;
segments over UDP; table data by the layouts of C12.19. Opaque: what is sealed
with a key that is not held, beside its message.
Of the same part of a table each answer or write in a message is a reading more than
the one in front, as what is told twice may be of two moments. A write of tables 112 to
115, or of what a profile calls `control.load`, and a start of procedure 21 (direct load
control) are commands, and each is a reading more than the one in front: of parts of one
table, too, as each may hold another. Other procedures are no measurement.

| code | service |
|---|---|
EOT
table dissectors/c1222/service.c services |
	sed -n -e 's/^\t\[0x\(..\)\] = {"\([^"]*\)".*/| \1 | \2 |/p' \
		-e 's/^\tBY_INDEX(0x\(.\)0, "\([^"]*\)".*/| \11 to \19 | \2-index-1 to 9 |/p' |
	some services
# shellcheck disable=SC2046 # names of files without blanks
reasons $(sources dissectors/c1222)
cat <<'EOT'

## HTTP

Read: HTTP/1.1 with the methods below, and answers of 1.0; bodies by length, in chunks or to
the end of the connection, plain or as gzip or deflate within bounds: one member,
no field in the head of gzip, at most two blocks of nothing, no block longer than
its content would be as it stands, zeros where bits fill an octet (`encoding`).
Which of the ways to write one content a sender chose, and the time in gzip's head,
are not read. Opaque: going out, a body that nothing reads (a leaf of its own
beside the message).
Content types identify nothing: the first octets of any body say whether it is
oBIX. What they say is none is looked at to its end: a member `obix` of JSON, and
where it begins as no markup `tag`, with the name of an element refuses it (`not-xml`)
where it stands. A charset in which octets are not what they look like (UTF-7, UTF-16, EBCDIC
and their like) is refused, and oBIX in any but UTF-8 and US-ASCII. A request that expects 100 Continue is held
until its body comes, which its sender sends after a while without: what it asks
is known then. So no server sees it before, nor can refuse it before. One answer
100 Continue to a request that expects it is read, without fields and in the words
of the standard or none, so that it says nothing but that it came: an answer of its
kind, and `http.response`, so that a rule may grant it by its status. All other
interim answers are refused. Where a final answer
does come before any octet of the body (in a capture, or to a head that is a unit
of its own), nothing more of the client is read on that connection: libmicrohttpd
ends it then, curl asks again on it when the answer is 417, other clients send the
body all the same (`two-readings`). Where the connection ends with that answer nobody
reads the rest: it may come, stop or stay away. On other ports what a proxy writes in
front of a request and white space of 64 octets and more are refused.

The head of an answer waits for the first octets of its body, as those say which rule
it needs. A server that is asked for news may send it long before; only what is cut
short has to come to its end in time.

EOT
cat <<'EOT2'
Each octet of a head has a meaning that is read, or is counted, or refuses it.
Chunk extensions, trailers, fragments and fields without a row below are refused:
those that servers take for another method, host or path with `method-override`,
others with `unknown-header`. So are a path that begins with `//`, characters of
Unicode that some servers take for `/`, `.`, `%` and the like, encoded controls, another
method in a query (`_method`), a list of types of content, parts of documents and
chunks with 304. What says something that nothing reads is counted by
its octets: values of fields (a date as 6), words behind a status other than those of
the standard, white space beyond one blank, names in unusual letters, one more octet
for each field, which one it is and where it stands; and a path that is written in
another way than its normal form, such as `/a/../b` and `%62`. Of that there is room
for

EOT2
sed -n -e 's/^#define HEAD_ROOM_OUT *\([0-9]*\).*/- \1 octets of a head that goes out,/p' \
	-e 's/^#define HEAD_ROOM_IN *\([0-9]*\).*/- \1 octets of a head that comes in./p' \
	dissectors/http/state.h | some HEAD_ROOM
cat <<'EOT2'

That much may be hidden in any message of HTTP that is granted; how often, its limits
say. What a head has beyond its room is an `opaque` leaf beside the message, and
counts in `body`. So does a query: it is content as a form in a body is, no part of
`path`, and wholly counted (`body: 0 B` grants none). Going out it is in the `opaque`
leaf too, but for `start`, `end` and `limit` of a history that can be read; coming in
it is covered by the message, as a body is. The digits of the sizes of chunks count
as the head does where oBIX goes out, beyond one for 16 octets of the body.

Fields, with (r) of requests only, with (a) of answers only:
EOT2
sed -n 's/^X("\([^"]*\)", \([A-Z]*\),.*, \([a-z_]*\))$/\1 \2 \3/p' dissectors/http/fields.def |
	awk '$3 !~ /^refuse_|^read_upgrade$/ { printf "%s%s%s", n++ ? ", " : "", $1,
		$2 == "REQUESTS" ? " (r)" : $2 == "RESPONSES" ? " (a)" : "" } END { print "." }' |
	fold -s -w 80 | sed 's/ *$//' | some fields
printf '\n'
table dissectors/http/head.c methods | grep -oE '"[A-Z]+"' | tr -d '"' | some methods |
	awk '{ printf "%s%s", n++ ? ", " : "Methods: ", $1 } END { print "." }'
cat <<'EOT'

What is longer or more than the following is refused (`too-long`, `too-many-units`);
the oldest of the requests of a machine is forgotten, and its answer is to none.
EOT
limits <<'EOT'
octets of a direction that wait for the rest of a unit|dissectors/http/state.h|UNIT_MAX
seconds that they wait|enforcer/pipeline/state.h|HOLD_TIMEOUT
times that, where an answer waits for the first octet of its body|enforcer/pipeline/state.h|HOLD_BETWEEN
octets of a head|dissectors/http/head.h|HEAD_MAX
octets of its first line|dissectors/http/head.h|HEAD_LINE_MAX
its fields|dissectors/http/head.h|HEAD_HEADERS_MAX
octets of path, query and host of a request together|dissectors/http/state.h|TEXT_MAX
octets of a page that are one unit|dissectors/http/state.h|SLICE_MAX
octets of a body when it is decoded|dissectors/http/inflate.h|INFLATE_MAX
times as long as it was coded|dissectors/http/inflate.h|INFLATE_RATIO
requests of a connection that are not answered (pipelining)|dissectors/http/state.h|ASKED_MAX
requests of a machine that are not answered|dissectors/http/state.h|REQUEST_MAX
EOT
# shellcheck disable=SC2046
reasons $(sources dissectors/http)
cat <<'EOT'

## oBIX

Read: oBIX 1.0 and 1.1 in plain XML in the bodies of HTTP, in units of whole
objects. Elements and attributes of other names are read past and noted. In a
query `start`, `end` and `limit` stand once each and as they are called. A limit, there
and in a document, is of digits alone, at most 4294967295 and without a zero in front;
of a time in a query `:` and `+` may be encoded, and nothing else. The
interval of records is the least between two that follow each other, in whole seconds
that have passed, divided by
the most values of one quantity that one of them has; where one is out of their
order, up or down, where one has more than four of a quantity, and of one record
alone none is known, whatever was learnt of others: what is read often is as fine
as it is read. That of a roll-up is the least of what was asked, of the records'
own ends and of the time between them, and no coarser than the grid that its windows
begin and end on: 1, 5 or 15 seconds, 1, 5, 15 or 30 minutes, 1, 2, 4 or 12 hours or a day
from midnight of the meter's standard time, or a month, which counts as 28 days. Whoever
asks chooses the windows, and what an hour from a quarter past differs in from the hour
before is a quarter; windows on one grid tell nothing finer by their differences. So 75
minutes count as 15, and a week as a day. What was asked to begin or end within a window
cuts it there, and one that is not over by a trusted clock has no interval. A member of a standard contract (`count`,
`start`, `timestamp`, `facets`) says what it is there for in its own type, without
a unit, and once; otherwise it is a value. So is the `format` of a filter that is no
known type of media (`text/xml`, `application/xml`, `application/obix+xml`,
`application/x-obix-binary`, `application/exi`, `application/json`, `text/csv`,
`text/plain`), and a `compact` that is neither `true` nor `false`. Two children of one name are refused
where the parent is no list. A child of a list is a reading, and so is each of
several values of one quantity in a record; of more than four no interval is
known, nor are they one reading of an object. A number counts so, and whatever else
counts each time it is told, as where somebody is, or is to be switched. In an answer six are, where each has a
name or an href, and so are six children of a list with hrefs of their own: a meter of
three phases, the points of a room. Whoever shows what was at six times as six points
of now is bounded by `values` and `channels`, in which each counts. Of what is written
to a machine, by another one of the meter too, each value that may switch or limit something
is a reading (`control.load`), however
few there are and of whatever quantity: a limit and how long it holds are two. The objects that one
unit of a batch's answer or of what a Watch gives tells are counted alike: six of one
quantity are of now, and a seventh, or one told again, counts with all in front of it; so
does each item of a batch that writes or does something. A null in a record is a value of
what it is null of.

An object that has no `val` and is not null says the value of its type, and is read as if
that stood there (it is null by `null` or `isNull`; not where one of both says otherwise):
EOT
sed -n 's/^X([A-Z]*, "\([a-z]*\)", [A-Z]*, "\(..*\)")$/`\1` \2/p' dissectors/obix/elements.def |
	awk '{ printf "%s%s", n++ ? ", " : "", $0 } END { print ";" }' | some silent
cat <<'EOT'
`str` and `uri` nothing; `enum`, `abstime`, `date` and `time` a value that is not known. A
`limit` is none then, nor is the `scale` or an exponent of a unit. Nothing is said by the
members of a `prototype` of a History, and of an object that others of the document are
like, by "#name" in their `is` or the `of` of their list (which may be empty where it is of
records). What is like it and leaves a member out has its value all the same, which counts
with it: a record that has only a time is one of nought. A prototype that nothing is like, or what is in it only, is an object
like any; of more members than are kept, and of values deeper in it, each that is like
it says something of unknown type; so does what is like more than one of them. A `ref`, an
`err` and what is null are like nothing. A number that is like another has its unit. What
an object has of a contract that another document defines is not known, and not counted; a
number that is left out and may have another value by that, or by what it is like, has no
size that is known.

What is said of records must agree with them, or it counts as a value of unknown
type: `count`, `start` and `end` of an answer with the records in it or with what
was asked; how many readings a roll-up is of with its sum and average, or with
what fits between its ends at the interval that its history showed before. So
does a record of nothing but stamps. The number, first and last of a History, and
of what it has after an append, tell how a server is set up (`config.meter`), the
number of alarms that wait is `event.meter`, and alone it is of now.

Of what a document defines there is room for some prototypes, units and strings of
facets (the limits below); with more, no number is what it is by a definition, and
those without a unit of the standard are of unknown type. One that stands behind what
it is for is applied in the same unit (the limits below): that is half of what a
direction may hold, since the end of one unit and the beginning of the next may wait in
one packet; in front of that what was told of the same history before counts,
else the type is unknown, whatever a number that is like what is not there is called. So where a server says the unit of its records behind them,
who asks it for few at first (a `limit` of 20) makes it known. A unit of its own has a dimension in the table and a scale that is a power
of ten, alone or of the seconds of a minute, an hour or a day; other numbers in
it are values. A unit that was told of a thing (an object by its href, a member of a
history's records, also by a prototype without a record or by that of the History) holds
for it later where none is said. Another one is noted, and from then on none holds but
what stands beside the value or in its document. A number whose unit is neither of the standard nor defined anywhere is of
unknown type, whatever its name says or was known of it before.

`min` and `max` that are neither zero nor infinite nor the value again are further
values of the same quantity. A value that is not what its type holds, more than one
number in a text or any with more than 32 characters are so many values of
unknown type. So are, where no value tells them, numbers

- of a `display`, and more than one of a `displayName` that its name does not have;
- more than six of a name, and with a fraction in a name or a reference;
- of a query in a reference that names no part of a history;
- of `min` and `max` of what has no number, of a `val` of what has no value, of a
  `writable` or `null`, of an `icon` that are no size of pictures, and of a `tz`,
  `precision`, `status` or `facets` that is none (a `precision` is one digit, and like
  `tz` of a value, though it be null);
- of attributes, and in names of elements, that are in no table, and of namespaces;
- of comments, but for two years, and of the stylesheet.

Longer ones than four digits in names and references, other than those that were
asked for, are numbers of devices (`identity.device`). Comments are noted.

Text that nothing reads is counted by its octets: of a unit 56 are
let pass, and 56 more for each of ten values in it (of records, for each of their
names); each eight beyond are a value of unknown type. That is what stands between
elements; comments; the stylesheet behind its first 36 octets; a `display` beyond the value
and the path of the request; a `displayName` of other letters than the `name` (of the
same: an eighth of its octets and each gap);
names that are in no table and not in the path; of references what those before
and the path do not have (a query that names a part of a history is none); names of
contracts but those of the standard; `icon`, `range`, `tz`, `unit` and `status` that are
in no table; the name and value of attributes, and the names of elements, that are in
no table; prefixes and namespaces; a `val` of what has none or that is not what its
type holds; a text longer than 64 octets, a name of an enumeration longer than 24. A unit
of the standard that is not written as in its table is text, too; a known name of an
operation an eighth of its octets and each tilde. What was said in a unit costs no more
than the choice, as follows.

An element below the root that has what the one before at its place had, but for its
value, says nothing else. The one before is the same child of the element before at the
depth above (the first to the 16th; those behind are compared with the 16th), or in its
first the sibling in front, and in a list always that. Of another each attribute that
differs counts by its text, and one octet at least; another element or prefix, or other
attributes, count one octet, and one more for each two attributes that only one of both
has, or, where they stand in another order, for each two that there are. So does an
element that ends with another number of children than the one before. Nothing stands
before in the first of a unit. A string of `facets` is free where it is the one
before again. Else each of its parts is an octet, and all is text but the names of
known units, a number or infinity as `min`, `max` and `precision`, and whether to show
the unit, the sign or groups of digits (`showUnits`, `forceSign`, `showSeparators`).

Layout and spelling count there, too. Free are between two tags an end of line, LF or
CRLF, and up to 40 spaces or up to 40 tabs, or nothing, as the first of that depth in
the unit has it, and the depths as many times the step of the first; in a tag one space
in front of each attribute; in front of `/>` a space or none, and around values the
quotes, as the first has it. A run of that shape which is another, a space elsewhere in
a tag, other quotes, and a reference to a character by its number count as one octet
each; any other run of white space, and a reference longer than 8 octets or with a zero
in front, as they are long; an end of line or a tab in a value as one. `&lt;` and
`&amp;` are free. One octet each count a comment, a declaration of a namespace, an
attribute of the table with a prefix, an empty element that is closed in another way
(`<obj/>`, `<obj></obj>`) than the first, an empty element (two without a name or
reference; none where it is a `ref` or `op` with one, and like the one before), and each
contract but the first of a list that the unit has not had. Octets behind the root that come on their own, beyond two, are never let
pass.

Values that are words (`str`, `uri`, `enum`) and those that say only how a thing is or
is set up count by their octets, one for the same again behind another; beside a
measurement in the document no more than 56 of those are let pass in a unit.

What a dishonest sender can still choose beside what is granted is, of a unit, those
octets (56, and 56 for each of ten values); of each record the digits and the offset of
its stamp (about 31 bits) and the zeros of its numbers; where the octets are cut into units; how a text is
coded by gzip; of runs behind the root that come on their own two octets each.

Where a document is cut into units says nothing. A later unit that shows nothing of
its own (closing tags, white space, `count` and the like, which agree; no value, and
of all such units of a document at most 56 octets of that text, 8 elements and 4096
octets) is the rest of an object that was shown before: it is `continues`, and the
grant of what the units in front of it carried covers it, without another reading.
The first unit never is.

The answer to a write or a sign-up is an `echo`, which carries no measurement, where it
has the values of the request and no others: as many, each the same, in the same order,
under the same name (or `href` where there is none) and in the same unit. Where one was
written its answer may call it otherwise and give a unit, as a point does. What was
written in several units of the document has no echo.

An element `err` that answers a request, whatever the status of HTTP, is `err`: in
answer to a permitted request it needs no rule of its own. It is in one unit, or the
answer to an item of a batch; names no object or, as it was written there, the one
that was asked for; has no element in it; and says nothing beyond the room of its
unit. An object whose
contract is an error's is none. Its contracts of the standard are free, and each
in words as its `displayName` (`Bad URI Error`, with two gaps at most).

A `ref` with a name that is new in the unit, outside an err, makes room as a value does (a lobby calls what
there is by names for people) in an answer that has shown no measurement; together
with values ten at most.

A path that ends with `query`, of which no document told what is there, is asked for
alarms by an `obix:AlarmFilter`, and else for a history. Where the answer says that it is
an `obix:HistoryQueryOut`, it is a history's.

An item of a batch is judged as if it were sent alone, its query included: by its own
rule, with what it measures and its own constraints. To limits on `messages` the batch is
the message, not the item: of thirteen reads it is one, and of thirteen snapshots or
commands thirteen, as they are so many readings. An
item of a batch in what is none, a Watch's reference in anything but a uri or
within another, a filter in the query beside a document and,
in a request, a reference to another server or one that begins with two slashes
are refused, and two definitions of one prototype or unit that contradict each
other. In an answer a reference to another server is noted.
A reference is to the server that was asked where it names the host of the request,
by `http:` or `https:` (TLS may end in front of the gateway, at a port of its own), without
a port, with the port of its scheme (80, 443) or with the one of the connection. Another
port is another server. Which of these ways it is written in counts as one octet of
text where it is another than that of the reference before.

Without HTTP around it, in a datagram, at the start of a stream or where a turn or
a segment of one that nobody reads begins, oBIX is known by the name of its root
behind marks of byte order, white space, comments, instructions and a document
type, in UTF-8, 16 and 32, and refused (`without-http`); so are a document type with
declarations of its own, a SOAP envelope, JSON as above, and the marks of EBCDIC and
EXI. So is all that as the body of a message of CoAP in a datagram, on any port, and
a body of CoAP that says it is EXI (content format 47); CoAP over TCP or DTLS, bodies
in several blocks behind the first, and other bodies are octets that nothing reads. The
binary encoding of oBIX is not known there: its octets may be any.

A body of HTTP is refused as EXI (`not-xml`) by the type `application/exi`, by its
cookie whatever the type, and by a first octet of 80 to BF where no type is given,
none that is one, or one with `xml`, `exi` or `obix` in it. Under any other type that
octet begins something else (CBOR, MessagePack, what is encrypted): octets that nothing
reads, as its type says, which need a grant as `opaque` going out. By that type, or
where nothing looks at it, EXI may leave as well.

EOT
sed -n 's/^X([A-Z]*, "\([a-z]*\)".*/\1/p' dissectors/obix/elements.def | some elements |
	awk '{ printf "%s%s", n++ ? ", " : "Elements: ", $1 } END { print "." }'
cat <<'EOT'

What is longer or more than the following is refused (`too-long`, `too-many-units`,
`no-resources`). Of what is remembered of a machine the oldest is forgotten: an object
is as if nothing had been told of it, the answer to a batch has no items.
EOT
limits <<'EOT'
octets of a unit: a tag, a comment, a text, a value|dissectors/obix/obix.h|OBIX_WINDOW
elements within each other|dissectors/obix/scan.h|XML_DEPTH
attributes of an element|dissectors/obix/xml.h|XML_ATTRIBUTES
octets of a name in XML|dissectors/obix/xml.h|XML_NAME
octets of the stylesheet instruction|dissectors/obix/scan.h|XML_INSTRUCTION
octets of a path that a reference names|dissectors/obix/href.h|HREF_MAX
contracts of an object|dissectors/obix/state.h|CONTRACTS
octets of them|dissectors/obix/state.h|CONTRACT_TEXT
items of a batch|dissectors/obix/state.h|LIST_ITEMS
batches of a machine that are not answered|dissectors/obix/state.h|LISTS
documents of a machine in several units at the same time|dissectors/obix/state.h|DOCS
objects of which is remembered what they are|dissectors/obix/state.h|LEARNT_SETS|LEARNT_WAYS
Watches of which is remembered what was added|dissectors/obix/state.h|WATCHES
prototypes of a document|dissectors/obix/state.h|PROTOS
members of each|dissectors/obix/state.h|PROTO_MEMBERS
units that it defines|dissectors/obix/state.h|UNIT_DEFS
strings of facets of a unit behind what they are of|dissectors/obix/state.h|FACETS
EOT
printf '\nObservations: %s.\n' "$(observations OBIX)"
# shellcheck disable=SC2046
reasons $(sources dissectors/obix)
cat <<'EOT'

## TLS

Read: the hellos of both sides, from version 1.0 to 1.3, in one record or in
several: the host name, ALPN and the versions offered, or the one chosen. Of all
other records type, version and length, and what of them is in clear: alerts (two
octets, of the registered ones, four at most and nothing behind one that ends the
connection), changes of cipher (one octet, two at most), and of version 1.2 and
older which handshake messages come, in their order, each once and within a length,
up to the change of cipher. Opaque: the octets of all of it; the hello is `tls.hello`
and `opaque` as well, so that a rule may grant it by name and protocols.

Refused are the hello of SSL 2.0, SSL 3.0, a second name, a name that is no host
name, a hello of more than 8 KiB, a server's choice of a version, protocol or
extension that was not offered, another session in its answer, another hello or
the request for one in clear behind the first, but after a request for another
(then with the same random, session, suites, name and ALPN, and the server's
cookie), heartbeats, and a stream that ceases to be records. In version 1.3 the
protocol chosen is sealed, and not known. To a party whose `tls` is `end-to-end`
nothing goes that is not TLS, and no hello without one of its names
(`party-identity`). Certificates are not read. A hello that is sealed in another
(ECH) is noted: the name that is seen may not be the one that counts.

Suites (128 at most), groups, schemes and versions of a hello are assigned ones, or
values of no meaning (GREASE), each once; of extensions those below, and four of
no meaning with one octet of zero at most. What nobody can check may say anything,
in so many octets of each hello: the random 32, the session 32, and where the table
has **not checked** as many as it has, 4096 together at most (a key of X25519 with
ML-KEM, one more and a ticket with the client's certificate in it, as OpenSSL and Go
make them). Like all of the hello they are charged by
their octets.

| extension | of | octets at most | what it holds |
|---|---|---|---|
EOT
sed -n 's/^X(0x\([0-9a-f]*\), "\([^"]*\)", \([A-Z |]*\), \([0-9]*\), [a-z0-9_]*, "\(.*\)")$/\1 `\2`\t\3\t\4\t\5/p' \
	dissectors/tls/extensions.def |
	sed -e 's/CLIENT/client/' -e 's/ | OLD/, server to 1.2/' -e 's/ | NEW/, server 1.3/' \
		-e 's/ | RETRY/, request for another/' |
	awk -F'\t' '{ print "| " $1 " | " $2 " | " $3 " | " $4 " |" }' |
	some "extensions"
echo
printf 'Observations: %s.\n' "$(observations TLS)"
# shellcheck disable=SC2046
reasons $(sources dissectors/tls)
cat <<'EOT'

## DNS

Read: one question of class IN over UDP or TCP to port 53 and its answer, paired
by number, question and both ends. Records of answers are checked; of a
configured resolver's the addresses of the name are told. Of EDNS: NSID,
cookies, keep-alive, padding of zeros, and in answers the extended error. A
machine has eight client cookies that are new in an hour, of all servers together
(dig makes one each time it is run); behind one that was seen stands what its
server gave last or last but one, and an answer shows the cookie of its query. With
one that is new any server part is taken, 40 octets in all, so that eight of them say
at most 320 octets an hour. What else of a question nobody can check: its number (16
bits), the case of the letters of the name, the size that EDNS offers and the bits
RD, AD, CD and DO (20 bits), and how much padding there is.
Of the root only NS, SOA, DS and DNSKEY are asked, and its name is told as `.`. An
answer that is FORMERR or NOTIMP may be a header alone: it is to the question of its
number.
Refused: zone transfers, updates, other operations, names with octets other than
letters, digits, `-` and `_`, another port: over UDP a whole message is known by
its octets on any, over TCP its header with the question, however they are cut. Multicast DNS (port 5353) is
refused: its questions have no one answer, and what a machine announces there no
rule could tell. A question needs a grant and so does its answer, which may be
held to the question by `answers`. Where a resolver is configured, a question to
any other address is refused before a rule is asked, and its answers say which
addresses the name stands for (of the type that was asked for, in the answer
section, along eight aliases at most): a party with that `dns` name is at these
addresses, for connections that begin within the time the answer gives, a minute
at least and a day at most whatever it says, and for these as long as they last.
Without a resolver no party has a name's address.

EOT
printf 'Observations: %s.\n' "$(observations DNS)"
reasons dissectors/net/dns.c dissectors/net/dns.h
cat <<'EOT'

## DHCP

The language has no observation for it: what is well formed is an `opaque` leaf
with app `dhcp`. Each option once, of its length, and only from whom it may come;
an answer belongs to a message that passed. Messages of a server are refused
from every machine, by the pipeline, whatever dissectors are used. DHCPv6 is
refused (`unknown-protocol`): nothing reads it, and addresses are bound anyway.

| option | octets | from | |
|---|---|---|---|
EOT
noted dissectors/net/dhcp.c options | awk '
	match($0, /\/\*.*\*\//) {
		c = substr($0, RSTART + 3, RLENGTH - 6)
		split(substr($0, index($0, "{") + 1), a, /[, {}]+/)
		who = $0 ~ /C \| S/ ? "both" : $0 ~ /, C/ ? "client" : "server"
		if (a[2] == a[3]) n = a[2]; else n = a[2] " to " a[3]
		print "| " a[1] " | " n " | " who " | " c " |" }' | some options
reasons dissectors/net/dhcp.c dissectors/net/asked.c
cat <<'EOT'

## NTP

The language has no observation for it: what is well formed is an `opaque` leaf
with app `ntp`. Versions 3 and 4, modes client and server, 48 octets, then
nothing, a MAC of 20 or 24 octets, a crypto-NAK, or extension fields of NTS; an
answer belongs to a request that passed, by its time stamp, once. Modes 6 and 7
(control, private), symmetric and broadcast modes are refused, and so is a request
without a time of transmission (all zero, as the simplest clients send it), whose
answer could be to any.
EOT
reasons dissectors/net/ntp.c dissectors/net/asked.c
cat <<'EOT'

## ICMP, ICMPv6, neighbour discovery, ARP

Under a policy an ICMP packet is read whole, or refused; what is read is judged
as `opaque`, datagram by datagram: it passes where a rule grants `opaque` to that
party. An echo reply needs a request with the same number, sequence and data, once
(`unpaired-response`), an error has to bring
back a packet of a known connection of the one who hears it, and nothing of
neighbour discovery comes in fragments. A machine that advertises a route, an
address that is not its own or a link address other than the binding's is refused
(`spoofed-source`), on every packet, behind the generated rules that hold it to
its neighbours before. ARP passes when it claims what is bound.

| version | type | codes | read as |
|---|---|---|---|
EOT
for v in 4 6; do
	table dissectors/net/icmp.c rows$v | awk -v v=$v '
		/ICMP_/ { split($0, a, /[{, ]+/)
			k = tolower(substr(a[4], 6)); gsub(/_/, " ", k)
			c = a[3] == 1 ? "0" : "0 to " (a[3] - 1)
			print "| " v " | " a[2] " | " c " | " k " |" }'
done | some icmp
reasons dissectors/net/icmp.c
cat <<'EOT'

## Everything else

| protocol | answer |
|---|---|
| QUIC, DTLS | opaque; nothing of them is read |
| HTTP/2 in clear, WebSocket, CONNECT | refused by the dissector of HTTP, each with its reason |
| HTTP over UDP, on any port (SSDP is) | refused by the dissector of HTTP: `unknown-protocol` |
| multicast DNS | refused by the dissector of DNS |
| other TCP and UDP | opaque: `opaque` must be granted, else refused |
| DHCPv6 (UDP ports 546 and 547) | refused: `unknown-protocol` |
| IGMP, SCTP, GRE, ESP and other IP protocols | refused: `unknown-protocol` |

## nDPI

With `--classify` (metergate-replay) or `classify: true` (metergated) nDPI 4.2 is
told the first octets of each flow over TCP and UDP and asked what it takes it for. Its
answer and what that rests on stand in the list of flows and in the record of the flow's
end (`flow.close`: `app`, `confidence`), for whoever looks for what opaque traffic is. It
recognises by heuristics, so that is all: no rule can name it, and nothing passes or is
refused for it. SNI and ALPN are read by the dissector of TLS.

| bound | |
|---|---|
EOT
sed -n 's/^#define \(APP_[A-Z]*\) *\(.*\)/\1 \2/p' enforcer/pipeline/app.h |
	sed -e 's| */\*.*||' -e 's/^APP_PACKETS \(.*\)/| packets of a flow, at most | \1 |/' \
	    -e 's/^APP_OCTETS \(.*\)/| octets of a flow, at most | \1 |/' \
	    -e 's/^APP_PACKET \(.*\)/| octets of a packet; longer ones are cut | \1 |/' \
	    -e 's/^APP_SLOTS \(.*\)/| flows that it has not made up its mind about; the oldest gives way | \1 |/' \
	    -e 's/^APP_SLOT (\(.*\) \* 1024)/| KiB of memory for each of them | \1 |/' | some APP_
cat <<'EOT'

Not asked about: QUIC (libgcrypt would take memory of its own), BitTorrent and NetFlow
(compared with the clock, so a capture would say another thing tomorrow), tinc (known by
other flows only). Of TCP and IP it sees headers that are made for it, not the peer's.
EOT
