/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "enforcer/pipeline/testkit.h"

enum op { END, SEG, TICK };
enum dir_of { OUT, IN };
enum want { PASS, DROP, WAIT, ANY }; /* when the row is over */

#define A   TCP_ACK
#define PA  (TCP_PSH | TCP_ACK)
#define FA  (TCP_FIN | TCP_PSH | TCP_ACK)
#define ALL 0xffff

struct act {
	enum op op;
	enum dir_of from;
	uint8_t flags;
	const char *units; /* the stream that the octets are cut from */
	uint16_t at, n;	   /* TICK: at seconds */
	enum want want;
	enum reason why;
	int32_t shift; /* of the sequence number */
	int32_t ack;   /* of the acknowledgement */
	uint32_t ts;   /* 0: none */
};

struct row {
	const char *why;
	struct act act[8];
	unsigned resets;  /* injected */
	unsigned allowed; /* decisions on observations */
	bool facts;	  /* without a policy: units read are counted */
	bool raw;	  /* without a handshake before it */
	uint32_t isn;
};

#define S(dir, fl, text, from_, n_, what, ...)                                 \
	{.op = SEG, .from = dir, .flags = fl, .units = text, .at = from_,     \
	 .n = n_, .want = what, __VA_ARGS__}
#define T(seconds) {.op = TICK, .at = seconds}

/* clang-format off */
static const struct row rows[] = {
	{.why = "a whole unit passes",
	 .act = {S(OUT, PA, "a", 0, ALL, PASS)},
	 .allowed = 1},
	{.why = "what no rule allows does not, and both ends are told",
	 .act = {S(OUT, PA, "d", 0, ALL, DROP, .why = REASON_DENIED),
	  S(OUT, PA, "da", 31, ALL, DROP, .why = REASON_TCP_FLOW_DENIED),
	  S(IN, A, "", 0, ALL, DROP, .why = REASON_TCP_FLOW_DENIED)},
	 .resets = 2},
	{.why = "nobody reads what a reset carries",
	 .act = {S(OUT, TCP_RST | A, "a", 0, ALL, DROP,
	    .why = REASON_TCP_FLAGS)}},
	{.why = "a reset at the exact place passes",
	 .act = {S(OUT, TCP_RST | A, "", 0, ALL, PASS)}},
	{.why = "a reset one octet ahead does not",
	 .act = {S(OUT, TCP_RST | A, "", 0, ALL, DROP,
	    .why = REASON_TCP_RESET, .shift = 1),
	  S(OUT, PA, "a", 0, ALL, PASS)},
	 .allowed = 1},
	{.why = "nor one octet behind",
	 .act = {S(IN, TCP_RST | A, "", 0, ALL, DROP,
	    .why = REASON_TCP_RESET, .shift = -1)}},
	{.why = "a whole unit and the end in one segment",
	 .act = {S(OUT, FA, "a", 0, ALL, PASS),
	  S(OUT, PA, "aa", 31, ALL, DROP,
	    .why = REASON_TCP_CLOSED, .shift = 1)},
	 .allowed = 1},
	{.why = "an early octet in the place of the end",
	 .act = {S(OUT, PA, "az", 31, 1, DROP, .why = REASON_TCP_CLOSED),
	  S(OUT, FA, "a", 0, ALL, PASS)},
	 .allowed = 1},
	{.why = "a late octet in the place of the end",
	 .act = {S(OUT, FA, "a", 0, ALL, PASS),
	  S(OUT, PA, "az", 31, 1, DROP, .why = REASON_TCP_CLOSED),
	  S(OUT, FA, "a", 0, ALL, PASS)},
	 .allowed = 1},
	{.why = "the same SYN-ACK again, with another acknowledgement",
	 .act = {S(OUT, TCP_SYN, "", 0, ALL, PASS, .shift = -1),
	  S(IN, TCP_SYN | A, "", 0, ALL, PASS, .shift = -1),
	  S(IN, TCP_SYN | A, "", 0, ALL, DROP,
	    .why = REASON_TCP_HANDSHAKE, .shift = -1, .ack = 9)},
	 .raw = true},
	{.why = "a SYN that becomes a SYN-ACK when it is sent again",
	 .act = {S(OUT, TCP_SYN, "", 0, ALL, PASS, .shift = -1),
	  S(OUT, TCP_SYN | A, "", 0, ALL, DROP,
	    .why = REASON_TCP_HANDSHAKE, .shift = -1)},
	 .raw = true},
	{.why = "both ends close; a repeated end passes, new octets do not",
	 .act = {S(OUT, FA, "a", 0, ALL, PASS), S(IN, FA, "r", 0, ALL, PASS),
	  S(OUT, FA, "a", 0, ALL, PASS),
	  S(OUT, A, "a", 31, ALL, PASS, .shift = 1),
	  S(OUT, PA, "aa", 31, 31, DROP, .why = REASON_TCP_CLOSED,
	    .shift = 1)},
	 .allowed = 2},
	{.why = "the end alone",
	 .act = {S(OUT, TCP_FIN | A, "", 0, ALL, PASS)}},
	{.why = "half a unit and the end is no unit",
	 .act = {S(OUT, FA, "a", 0, 15, DROP, .why = REASON_MALFORMED)},
	 .resets = 2},
	{.why = "swapped segments with time stamps",
	 .act = {S(OUT, PA, "aa", 31, 31, PASS, .ts = 102),
	  S(OUT, PA, "aa", 0, 31, PASS, .ts = 101)},
	 .allowed = 2},
	{.why = "a time stamp that goes back behind what was acknowledged",
	 .act = {S(OUT, PA, "aa", 0, 31, PASS, .ts = 200),
	  S(OUT, PA, "aa", 31, 31, DROP, .why = REASON_TCP_TIMESTAMP, .ts = 9)},
	 .allowed = 1},
	{.why = "a late copy of the SYN changes nothing",
	 .act = {S(OUT, PA, "aa", 0, 31, PASS),
	  S(OUT, TCP_SYN, "", 0, ALL, PASS, .shift = -1),
	  S(OUT, PA, "aa", 31, 31, PASS)},
	 .allowed = 2, .facts = true},
	{.why = "half a unit, and its rest never comes",
	 .act = {S(OUT, PA, "a", 0, 15, DROP, .why = REASON_INCOMPLETE),
	  T(60)},
	 .resets = 2},
	{.why = "half a unit waits as long as it may",
	 .act = {S(OUT, PA, "a", 0, 15, WAIT),
	  T(29)}},
	{.why = "a segment behind a gap that nobody fills",
	 .act = {S(OUT, PA, "aa", 31, 31, DROP, .why = REASON_TCP_GAP),
	  T(60)}},
	{.why = "urgent data is read differently by everyone",
	 .act = {S(OUT, PA | TCP_URG, "a", 0, ALL, DROP,
	    .why = REASON_TCP_URGENT)}},
	{.why = "no flags at all",
	 .act = {S(OUT, 0, "a", 0, ALL, DROP, .why = REASON_TCP_FLAGS)}},
	{.why = "data on a SYN",
	 .act = {S(OUT, TCP_SYN, "a", 0, ALL, DROP,
	    .why = REASON_TCP_SYN_DATA, .shift = -1)},
	 .raw = true},
	{.why = "SYN and FIN",
	 .act = {S(OUT, TCP_SYN | TCP_FIN, "", 0, ALL, DROP,
	    .why = REASON_TCP_FLAGS, .shift = -1)},
	 .raw = true},
	{.why = "SYN and RST",
	 .act = {S(OUT, TCP_SYN | TCP_RST, "", 0, ALL, DROP,
	    .why = REASON_TCP_RESET, .shift = -1)},
	 .raw = true},
	{.why = "a SYN-ACK that acknowledges another SYN",
	 .act = {S(OUT, TCP_SYN, "", 0, ALL, PASS, .shift = -1),
	  S(IN, TCP_SYN | A, "", 0, ALL, DROP,
	    .why = REASON_TCP_HANDSHAKE, .shift = -1, .ack = 1),
	  S(IN, TCP_SYN | A, "", 0, ALL, PASS, .shift = -1)},
	 .raw = true},
	{.why = "data before the handshake is over",
	 .act = {S(OUT, TCP_SYN, "", 0, ALL, PASS, .shift = -1),
	  S(OUT, PA, "a", 0, ALL, DROP, .why = REASON_TCP_HANDSHAKE)},
	 .raw = true},
	{.why = "data right after the SYN-ACK, on the third segment",
	 .act = {S(OUT, TCP_SYN, "", 0, ALL, PASS, .shift = -1),
	  S(IN, TCP_SYN | A, "", 0, ALL, PASS, .shift = -1),
	  S(OUT, PA, "a", 0, ALL, PASS)},
	 .allowed = 1, .raw = true},
	{.why = "a stream whose start was not seen",
	 .act = {S(OUT, PA, "a", 0, ALL, DROP, .why = REASON_TCP_MIDSTREAM)},
	 .resets = 1, .raw = true},
	{.why = "the same without a policy is read, and said",
	 .act = {S(OUT, PA, "a", 0, ALL, PASS)},
	 .allowed = 1, .facts = true, .raw = true},
	{.why = "the SYN-ACK again, in an open connection: its answer was lost",
	 .act = {S(OUT, TCP_SYN, "", 0, ALL, PASS, .shift = -1),
	  S(IN, TCP_SYN | A, "", 0, ALL, PASS, .shift = -1),
	  S(OUT, A, "", 0, ALL, PASS),
	  S(IN, TCP_SYN | A, "", 0, ALL, PASS, .shift = -1),
	  S(OUT, PA, "a", 0, ALL, PASS)},
	 .allowed = 1, .raw = true},
	{.why = "a second SYN in an open connection, at another place",
	 .act = {S(OUT, TCP_SYN, "", 0, ALL, DROP,
	    .why = REASON_TCP_HANDSHAKE, .shift = 500),
	  S(OUT, PA, "a", 0, ALL, PASS)},
	 .allowed = 1},
	{.why = "an acknowledgement of what was never sent",
	 .act = {S(OUT, PA, "a", 0, ALL, DROP,
	    .why = REASON_TCP_ACK, .ack = 1)}},
	{.why = "outside the window of the receiver",
	 .act = {S(OUT, PA, "a", 0, ALL, DROP,
	    .why = REASON_TCP_WINDOW, .shift = 70000)}},
	{.why = "at the last octet of the window",
	 .act = {S(OUT, PA, "a", 0, ALL, WAIT, .shift = 65535 - 31)}},
	{.why = "one octet beyond",
	 .act = {S(OUT, PA, "a", 0, ALL, DROP,
	    .why = REASON_TCP_WINDOW, .shift = 65535 - 30)}},
	{.why = "the same again",
	 .act = {S(OUT, PA, "a", 0, ALL, PASS),
	  S(OUT, PA, "a", 0, ALL, PASS)},
	 .allowed = 1},
	{.why = "the same again while it waits",
	 .act = {S(OUT, PA, "a", 0, 15, PASS),
	  S(OUT, PA, "a", 0, 15, PASS),
	  S(OUT, PA, "a", 15, 16, PASS)},
	 .allowed = 1},
	{.why = "again with other octets",
	 .act = {S(OUT, PA, "a", 0, ALL, PASS),
	  S(OUT, PA, "c", 0, ALL, DROP, .why = REASON_EVASION),
	  S(OUT, PA, "aa", 31, ALL, DROP, .why = REASON_TCP_FLOW_DENIED)},
	 .resets = 2, .allowed = 1},
	{.why = "other octets where some wait",
	 .act = {S(OUT, PA, "a", 0, 30, DROP, .why = REASON_SIBLING_DENIED),
	  S(OUT, PA, "b", 0, ALL, DROP, .why = REASON_EVASION)},
	 .resets = 2},
	{.why = "an overlap that agrees",
	 .act = {S(OUT, PA, "ac", 0, 31, PASS),
	  S(OUT, PA, "ac", 20, ALL, PASS)},
	 .allowed = 2},
	{.why = "an overlap that differs",
	 .act = {S(OUT, PA, "ac", 0, 31, PASS),
	  S(OUT, PA, "ca", 20, ALL, DROP, .why = REASON_EVASION)},
	 .resets = 2, .allowed = 1},
	{.why = "two early segments that differ: the first one counts",
	 .act = {S(OUT, PA, "aa", 31, 31, PASS),
	  S(OUT, PA, "ac", 31, 31, DROP, .why = REASON_EVASION),
	  S(OUT, PA, "aa", 0, 31, PASS)},
	 .resets = 2, .allowed = 2},
	{.why = "numbers that wrap around inside a unit",
	 .act = {S(OUT, PA, "aca", 0, 31, PASS),
	  S(OUT, PA, "aca", 31, 20, PASS),
	  S(OUT, PA, "aca", 51, ALL, PASS)},
	 .allowed = 3, .isn = UINT32_MAX - 40},
	{.why = "early segments across the wrap",
	 .act = {S(OUT, PA, "aca", 62, 31, PASS),
	  S(OUT, PA, "aca", 31, 31, PASS),
	  S(OUT, PA, "aca", 0, 31, PASS)},
	 .allowed = 3, .isn = UINT32_MAX - 40},
	{.why = "a unit in many segments leaves when it is whole",
	 .act = {S(OUT, PA, "a", 0, 1, PASS),
	  S(OUT, PA, "a", 1, 9, PASS),
	  S(OUT, PA, "a", 10, 10, PASS),
	  S(OUT, PA, "a", 20, 10, PASS),
	  S(OUT, PA, "a", 30, 1, PASS)},
	 .allowed = 1},
	{.why = "a segment waits for the unit that begins in it",
	 .act = {S(OUT, PA, "aa", 0, 40, WAIT)}},
	{.why = "and leaves with it",
	 .act = {S(OUT, PA, "aa", 0, 40, PASS),
	  S(OUT, PA, "aa", 40, ALL, PASS)},
	 .allowed = 2},
	{.why = "allowed and refused in one segment: neither leaves",
	 .act = {S(OUT, PA, "ad", 0, ALL, DROP, .why = REASON_DENIED)},
	 .resets = 2},
	{.why = "an allowed segment before a refused one stands",
	 .act = {S(OUT, PA, "ad", 0, 31, PASS),
	  S(OUT, PA, "ad", 31, 31, DROP, .why = REASON_DENIED)},
	 .resets = 2, .allowed = 1},
	{.why = "what breaks the grammar",
	 .act = {S(OUT, PA, "b", 0, ALL, DROP, .why = REASON_MALFORMED)},
	 .resets = 2},
	{.why = "what can never be a unit, after one that is",
	 .act = {S(OUT, PA, "af", 0, ALL, DROP, .why = REASON_MALFORMED)},
	 .resets = 2},
	{.why = "a segment of a message is not let through unjudged",
	 .act = {S(OUT, PA, "s", 0, ALL, DROP, .why = REASON_BAD_SEGMENT)},
	 .resets = 2},
	{.why = "the same SYN again, and the same answer",
	 .act = {S(OUT, TCP_SYN, "", 0, ALL, PASS, .shift = -1),
	  S(OUT, TCP_SYN, "", 0, ALL, PASS, .shift = -1),
	  S(IN, TCP_SYN | A, "", 0, ALL, PASS, .shift = -1),
	  S(IN, TCP_SYN | A, "", 0, ALL, PASS, .shift = -1),
	  S(OUT, A, "", 0, ALL, PASS), S(OUT, PA, "a", 0, ALL, PASS)},
	 .allowed = 1, .raw = true},
	{.why = "another SYN while the first one is not answered",
	 .act = {S(OUT, TCP_SYN, "", 0, ALL, PASS, .shift = -1),
	  S(OUT, TCP_SYN, "", 0, ALL, DROP,
	    .why = REASON_TCP_HANDSHAKE, .shift = 7)},
	 .raw = true},
	{.why = "an answer that nobody asked for",
	 .act = {S(OUT, TCP_SYN | A, "", 0, ALL, DROP,
	    .why = REASON_TCP_MIDSTREAM, .shift = -1)},
	 .resets = 1, .raw = true},
	{.why = "a refusal of the SYN by the other end",
	 .act = {S(OUT, TCP_SYN, "", 0, ALL, PASS, .shift = -1),
	  S(IN, TCP_RST | A, "", 0, ALL, PASS)},
	 .raw = true},
	{.why = "both ends close: nothing new passes",
	 .act = {S(OUT, FA, "a", 0, ALL, PASS), S(IN, FA, "r", 0, ALL, PASS),
	  S(OUT, A, "a", 31, ALL, PASS, .shift = 1),
	  S(OUT, PA, "aa", 31, 31, DROP, .why = REASON_TCP_CLOSED,
	    .shift = 1)},
	 .allowed = 2},
	{.why = "a new connection in the place of one that was refused: of a "
		"peer with a fixed port",
	 .act = {S(OUT, PA, "d", 0, ALL, DROP, .why = REASON_DENIED),
	  S(OUT, TCP_SYN, "", 0, ALL, PASS, .shift = 5000)},
	 .resets = 2},
	{.why = "the SYN of a refused connection again",
	 .act = {S(OUT, PA, "d", 0, ALL, DROP, .why = REASON_DENIED),
	  S(OUT, TCP_SYN, "", 0, ALL, DROP, .why = REASON_TCP_FLOW_DENIED,
	    .shift = -1)},
	 .resets = 2},
	{.why = "the answer to a question, each whole",
	 .act = {S(OUT, PA, "a", 0, ALL, PASS), S(IN, PA, "r", 0, ALL, PASS)},
	 .allowed = 2},
	{.why = "an answer to no question",
	 .act = {S(IN, PA, "r", 0, ALL, DROP, .why = REASON_UNPAIRED)},
	 .resets = 2},
	{.why = "a gap that is filled from both sides",
	 .act = {S(OUT, PA, "aaa", 62, 31, PASS),
	  S(OUT, PA, "aaa", 31, 10, PASS), S(OUT, PA, "aaa", 0, 31, PASS),
	  S(OUT, PA, "aaa", 35, 27, PASS)},
	 .allowed = 3},
	{.why = "an early segment that is refused when its turn comes",
	 .act = {S(OUT, PA, "ad", 31, 31, DROP, .why = REASON_DENIED),
	  S(OUT, PA, "ad", 0, 31, PASS)},
	 .resets = 2, .allowed = 1},
	{.why = "an early end",
	 .act = {S(OUT, FA, "aa", 31, 31, PASS), S(OUT, PA, "aa", 0, 31, PASS),
	  S(OUT, PA, "aaa", 62, 31, DROP, .why = REASON_TCP_CLOSED,
	    .shift = 1)},
	 .allowed = 2},
	{.why = "Ptacek/Newsham: a reset that the receiver would not believe, "
		"then data",
	 .act = {S(OUT, PA, "ad", 0, 31, PASS),
	  S(OUT, TCP_RST, "", 0, ALL, DROP, .why = REASON_TCP_RESET,
	    .shift = 200),
	  S(OUT, PA, "ad", 31, 31, DROP, .why = REASON_DENIED)},
	 .resets = 2, .allowed = 1},
	{.why = "Ptacek/Newsham: a SYN in the middle, to begin anew",
	 .act = {S(OUT, PA, "ad", 0, 31, PASS),
	  S(OUT, TCP_SYN, "", 0, ALL, DROP, .why = REASON_TCP_HANDSHAKE,
	    .shift = 30),
	  S(OUT, PA, "ad", 31, 31, DROP, .why = REASON_DENIED)},
	 .resets = 2, .allowed = 1},
	{.why = "Ptacek/Newsham: new octets ahead overlap old ones, others",
	 .act = {S(OUT, PA, "aa", 0, 40, DROP, .why = REASON_SIBLING_DENIED),
	  S(OUT, PA, "ca", 20, 42, DROP, .why = REASON_EVASION)},
	 .resets = 2},
	{.why = "Ptacek/Newsham: out of order, the overlap that differs first",
	 .act = {S(OUT, PA, "aad", 31, 62, DROP, .why = REASON_DENIED),
	  S(OUT, PA, "aaa", 31, 62, DROP, .why = REASON_SIBLING_DENIED),
	  S(OUT, PA, "aad", 0, 31, PASS)},
	 .resets = 2, .allowed = 1},
	{.why = "Ptacek/Newsham: data without ACK",
	 .act = {S(OUT, TCP_PSH, "a", 0, ALL, DROP, .why = REASON_TCP_FLAGS),
	  S(OUT, PA, "d", 0, ALL, DROP, .why = REASON_DENIED)},
	 .resets = 2},
	{.why = "fragroute: one octet a segment, backwards",
	 .act = {S(OUT, PA, "d", 27, 4, DROP, .why = REASON_DENIED),
	  S(OUT, PA, "d", 20, 7, DROP, .why = REASON_SIBLING_DENIED),
	  S(OUT, PA, "d", 1, 19, DROP, .why = REASON_SIBLING_DENIED),
	  S(OUT, PA, "d", 0, 1, DROP, .why = REASON_SIBLING_DENIED)},
	 .resets = 2},
	{.why = "fragroute: chaff with old time stamps between",
	 .act = {S(OUT, PA, "ad", 0, 31, PASS, .ts = 200),
	  S(OUT, PA, "aa", 31, 31, DROP, .why = REASON_TCP_TIMESTAMP, .ts = 7),
	  S(OUT, PA, "ad", 31, 31, DROP, .why = REASON_DENIED, .ts = 201)},
	 .resets = 2, .allowed = 1},
	{.why = "INTANG: no time stamp, where they were agreed",
	 .act = {S(OUT, PA, "aa", 0, 31, PASS, .ts = 200),
	  S(OUT, PA, "aa", 31, 31, DROP, .why = REASON_TCP_TIMESTAMP)},
	 .allowed = 1},
	{.why = "Geneva: a reset with data and ACK as a decoy",
	 .act = {S(OUT, TCP_RST | A, "a", 0, ALL, DROP,
	    .why = REASON_TCP_FLAGS),
	  S(OUT, PA, "d", 0, ALL, DROP, .why = REASON_DENIED)},
	 .resets = 2},
	{.why = "Geneva: a FIN as a decoy, then data at its place",
	 .act = {S(OUT, TCP_FIN | A, "", 0, ALL, PASS),
	  S(OUT, PA, "d", 0, ALL, DROP, .why = REASON_TCP_CLOSED),
	  S(OUT, PA, "d", 0, ALL, DROP, .why = REASON_TCP_CLOSED,
	    .shift = 1)}},
	{.why = "Geneva: every flag at once",
	 .act = {S(OUT, 0x3f, "", 0, ALL, DROP, .why = REASON_TCP_RESET,
	    .shift = 3)}},
	{.why = "Geneva: simultaneous open",
	 .act = {S(OUT, TCP_SYN, "", 0, ALL, PASS, .shift = -1),
	  S(IN, TCP_SYN, "", 0, ALL, DROP, .why = REASON_TCP_HANDSHAKE,
	    .shift = -1),
	  S(OUT, TCP_SYN | A, "", 0, ALL, DROP, .why = REASON_TCP_HANDSHAKE,
	    .shift = -1)},
	 .raw = true},
	{.why = "Beardsley/Qian: split handshake, ACK and SYN apart",
	 .act = {S(OUT, TCP_SYN, "", 0, ALL, PASS, .shift = -1),
	  S(IN, A, "", 0, ALL, DROP, .why = REASON_TCP_HANDSHAKE,
	    .shift = -1),
	  S(IN, TCP_SYN, "", 0, ALL, DROP, .why = REASON_TCP_HANDSHAKE,
	    .shift = -1),
	  S(OUT, TCP_SYN | A, "", 0, ALL, DROP, .why = REASON_TCP_HANDSHAKE,
	    .shift = -1)},
	 .raw = true},
	{.why = "SymTCP: a SYN-ACK of the client's in the middle",
	 .act = {S(OUT, TCP_SYN | A, "", 0, ALL, DROP,
	    .why = REASON_TCP_HANDSHAKE, .shift = -1),
	  S(OUT, PA, "d", 0, ALL, DROP, .why = REASON_DENIED)},
	 .resets = 2},
	{.why = "SymTCP: data that acknowledges too much",
	 .act = {S(OUT, PA, "a", 0, ALL, DROP, .why = REASON_TCP_ACK,
	    .ack = 5000),
	  S(OUT, PA, "d", 0, ALL, DROP, .why = REASON_DENIED)},
	 .resets = 2},
	{.why = "SymTCP: a reset of the other end's, one too far",
	 .act = {S(IN, TCP_RST, "", 0, ALL, DROP, .why = REASON_TCP_RESET,
	    .shift = 1),
	  S(OUT, PA, "d", 0, ALL, DROP, .why = REASON_DENIED)},
	 .resets = 2},
	{.why = "SymTCP: a reset at the exact place, then the rest",
	 .act = {S(OUT, TCP_RST, "", 0, ALL, PASS),
	  S(OUT, PA, "d", 0, ALL, DROP, .why = REASON_TCP_CLOSED)}},
	{.why = "SymTCP: data before the SYN's place",
	 .act = {S(OUT, PA, "a", 0, 2, DROP, .why = REASON_TCP_REPEATED,
	    .shift = -5),
	  S(OUT, PA, "a", 0, ALL, PASS)},
	 .allowed = 1},
	{.why = "Tekeoglu/Handley: SYN with FIN and data",
	 .act = {S(OUT, TCP_SYN | TCP_FIN, "a", 0, ALL, DROP,
	    .why = REASON_TCP_FLAGS, .shift = -1)},
	 .raw = true},
	{.why = "RFC 1122: the octet of a keepalive, when all was acknowledged",
	 .act = {S(OUT, PA, "a", 0, ALL, PASS),
	  S(IN, A, "", 0, ALL, PASS, .ack = 31),
	  S(OUT, A, "ca", 30, 1, DROP, .why = REASON_TCP_REPEATED),
	  S(OUT, A, "", 30, 0, PASS)},
	 .allowed = 1},
	{.why = "what was acknowledged is forgotten: again, it goes nowhere",
	 .act = {S(OUT, PA, "ac", 0, 31, PASS),
	  S(IN, A, "", 0, ALL, PASS, .ack = 31),
	  S(OUT, PA, "ac", 0, 31, DROP, .why = REASON_TCP_REPEATED),
	  S(OUT, PA, "ac", 0, 62, DROP, .why = REASON_TCP_REPEATED),
	  S(OUT, PA, "ac", 31, 31, PASS)},
	 .allowed = 2},
	{.why = "the other end's stream is its own",
	 .act = {S(OUT, PA, "a", 0, 15, WAIT),
	  S(IN, PA, "a", 0, ALL, PASS)},
	 .allowed = 1},
};
/* clang-format on */

static uint64_t send(struct kit *k, const struct row *r, const struct act *a)
{
	static uint8_t b[16 * 1024];
	struct wbuf w = wbuf_of(b, sizeof(b));
	struct span s = span_sub(kit_units(&w, a->units), a->at,
				 a->n == ALL ? sizeof(b) : a->n);
	uint32_t isn = r->isn ? r->isn : KIT_ISN;
	struct kit_seg g = {
		.out = a->from == OUT,
		.port = KIT_PORT,
		.seq = (a->from == OUT ? isn : KIT_ISN2) + 1 + a->at +
		       (uint32_t)a->shift,
		.ack = (a->from == OUT ? KIT_ISN2 : isn) + 1 +
		       (uint32_t)a->ack,
		.flags = a->flags,
		.has_ts = a->ts != 0,
		.ts = a->ts,
	};

	if (!(a->flags & TCP_ACK))
		g.ack = 0;
	return kit_tcp(k, &g, s);
}

static unsigned decisions(const struct kit *k, bool facts)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < k->n_events; i++) {
		if (facts)
			n += k->event[i].type == EV_PROTOCOL;
		else
			n += k->event[i].type == EV_DECISION;
	}
	return n;
}

static const char *want_text(enum want w)
{
	static const char *const text[] = {"pass", "drop", "no verdict yet"};

	return text[w];
}

static unsigned check(const struct kit *k, const struct row *r,
		      const uint64_t *id)
{
	unsigned bad = 0;

	for (int i = 0; i < 8; i++) {
		const struct act *a = &r->act[i];
		const struct kit_verdict *v;
		enum want got;

		if (a->op != SEG || a->want == ANY)
			continue;
		v = &k->verdict[id[i]];
		got = v->n == 0 ? WAIT : v->v == PACKET_PASS ? PASS : DROP;
		if (got == a->want && v->why == a->why)
			continue;
		print_error("%s: segment %d: %s (%s), not %s (%s)\n", r->why,
			    i + 1, want_text(got), reason_text(v->why),
			    want_text(a->want), reason_text(a->why));
		bad++;
	}
	if (k->n_resets != r->resets || decisions(k, r->facts) != r->allowed) {
		print_error("%s: %u resets, %u allowed; not %u, %u\n", r->why,
			    k->n_resets, decisions(k, r->facts), r->resets,
			    r->allowed);
		bad++;
	}
	return bad;
}

static unsigned run(const struct row *r)
{
	struct kit *k = kit_new(!r->facts, true);
	uint64_t id[8] = {0};
	unsigned bad;

	if (!r->raw)
		kit_handshake(k, KIT_PORT, r->isn ? r->isn : KIT_ISN,
			      r->act[0].ts != 0);
	for (int i = 0; i < 8 && r->act[i].op != END; i++) {
		kit_wait(k, NS_PER_S / 1000);
		if (r->act[i].op == TICK)
			kit_tick(k, r->act[i].at);
		else
			id[i] = send(k, r, &r->act[i]);
	}
	bad = check(k, r, id);
	kit_end(k);
	if (k->bad[0]) {
		print_error("%s: %s\n", r->why, k->bad);
		bad++;
	}
	kit_free(k);
	return bad;
}

static void segments(void **state)
{
	unsigned bad = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		bad += run(&rows[i]);
	assert_int_equal(bad, 0);
}

/* --- what a row cannot say ------------------------------------------------ */

static uint64_t units(struct kit *k, uint16_t port, const char *letters,
		      size_t from, size_t n)
{
	static uint8_t b[72 * 1024];
	struct wbuf w = wbuf_of(b, sizeof(b));
	struct span s = span_sub(kit_units(&w, letters), from, n);
	struct kit_seg g = {.out = true, .port = port, .flags = PA,
			    .seq = KIT_ISN + 1 + (uint32_t)from,
			    .ack = KIT_ISN2 + 1};

	return kit_tcp(k, &g, s);
}

static void done(struct kit *k)
{
	kit_end(k);
	assert_string_equal(k->bad, "");
	kit_free(k);
}

/* Its sibling is told of, by the same packet, and the budget does not know. */
static void refused_together(void **state)
{
	struct kit *k = kit_new(true, false);
	unsigned siblings = 0, used = 0;
	uint64_t id;

	(void)state;
	kit_handshake(k, KIT_PORT, KIT_ISN, false);
	id = units(k, KIT_PORT, "aad", 0, SIZE_MAX);
	for (uint32_t i = 0; i < k->n_events; i++) {
		const struct kit_event *e = &k->event[i];

		if (e->type != EV_VIOLATION ||
		    e->reason != REASON_SIBLING_DENIED)
			continue;
		assert_int_equal(e->cnt, id);
		assert_int_equal(e->octets, KIT_UNIT);
		assert_int_equal(e->verdict, VERDICT_DENY);
		siblings++;
	}
	assert_int_equal(siblings, 2);
	kit_handshake(k, KIT_PORT + 1, KIT_ISN, false);
	id = units(k, KIT_PORT + 1, "a", 0, SIZE_MAX);
	assert_int_equal(k->verdict[id].v, PACKET_PASS);
	for (uint32_t i = 0; i < k->n_events; i++) {
		if (k->event[i].type == EV_DECISION)
			used = (unsigned)k->event[i].used;
	}
	assert_int_equal(used, 1);
	done(k);
}

/* Both ends are reset where they are: behind what left, not behind what was
 * refused. */
static void resets_fit(void **state)
{
	struct kit *k = kit_new(true, false);
	uint64_t id;

	(void)state;
	kit_handshake(k, KIT_PORT, KIT_ISN, false);
	units(k, KIT_PORT, "acd", 0, 62);
	id = units(k, KIT_PORT, "acd", 62, 31);
	assert_int_equal(k->verdict[id].why, REASON_DENIED);
	assert_int_equal(k->n_resets, 2);
	for (uint32_t i = 0; i < 2; i++) {
		const struct kit_reset *r = &k->reset[i];
		bool out = r->sport == KIT_PORT;

		assert_true(out || r->dport == KIT_PORT);
		assert_int_equal(r->flags, TCP_RST | TCP_ACK);
		assert_int_equal(r->seq, out ? KIT_ISN + 63 : KIT_ISN2 + 1);
		assert_int_equal(r->ack, out ? KIT_ISN2 + 1 : KIT_ISN + 63);
	}
	assert_true(k->reset[0].sport != k->reset[1].sport);
	done(k);
}

/* What waits for its end is bounded by 8 KiB; a large packet holds many units. */
static void limits(void **state)
{
	static const struct {
		const char *why;
		unsigned units, cut;
		enum want want;
		enum reason reason;
	} table[] = {
		{"96 whole units", 96, 0, PASS, REASON_NONE},
		{"64 KiB of whole units", 2110, 0, PASS, REASON_NONE},
		{"8183 octets, the last unit cut", 264, 1, WAIT, REASON_NONE},
		{"8214 octets, the last unit cut: only that one waits", 265, 1,
		 WAIT, REASON_NONE},
	};
	unsigned bad = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct kit *k = kit_new(true, false);
		char letters[2200] = "";
		const struct kit_verdict *v;
		enum want got;

		memset(letters, 'a', table[i].units);
		kit_handshake(k, KIT_PORT, KIT_ISN, false);
		v = &k->verdict[units(k, KIT_PORT, letters, 0,
				      table[i].units * KIT_UNIT -
					      table[i].cut)];
		got = v->n == 0 ? WAIT : v->v == PACKET_PASS ? PASS : DROP;
		if (got != table[i].want || v->why != table[i].reason) {
			print_error("%s: %s (%s)\n", table[i].why,
				    want_text(got), reason_text(v->why));
			bad++;
		}
		done(k);
	}
	assert_int_equal(bad, 0);
}

/* Held octets leave no trace when their connection is reset. */
static void reset_while_waiting(void **state)
{
	struct kit *k = kit_new(true, false);
	struct kit_seg g = {.out = true, .port = KIT_PORT,
			    .flags = TCP_RST | TCP_ACK, .seq = KIT_ISN + 1,
			    .ack = KIT_ISN2 + 1};
	uint64_t half, reset;

	(void)state;
	kit_handshake(k, KIT_PORT, KIT_ISN, false);
	half = units(k, KIT_PORT, "a", 0, 15);
	/* The receiver has nothing of it: its place is the one before it. */
	reset = kit_tcp(k, &g, (struct span){0});
	assert_int_equal(k->verdict[reset].v, PACKET_PASS);
	assert_int_equal(k->verdict[half].n, 1);
	assert_int_equal(k->verdict[half].v, PACKET_DROP);
	done(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(segments),
		cmocka_unit_test(refused_together),
		cmocka_unit_test(resets_fit),
		cmocka_unit_test(limits),
		cmocka_unit_test(reset_while_waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
