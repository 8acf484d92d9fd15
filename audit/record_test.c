/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/eve.h"
#include "audit/record.h"
#include "audit/sample.h"

static size_t encode(uint8_t out[RECORD_MAX], const struct event *ev)
{
	struct wbuf w = wbuf_of(out, RECORD_MAX);
	enum record_kind kind = record_kind_of(ev);
	struct record r = {
		.kind = kind,
		.flags = record_class(kind, ev),
		.seq = 0x0102030405060708,
		.boot = 3,
		.policy_seq = 9,
		.salt = {1, 2, 3, 4, 5, 6, 7, 8},
		.ev = ev,
		.service = span_str("wait"),
	};
	struct err e = {0};

	assert_int_equal(record_encode(&w, &r, &e), 0);
	return w.n;
}

static void the_fixed_part_is_as_written(void **state)
{
	static const uint8_t want[40] = {
		1, 13, 0, 0,		     /* version, kind, flags */
		1, 2, 3, 4, 5, 6, 7, 8,	     /* sequence */
		0, 0, 0, 1, 0x2a, 0x05, 0xf2, 0, /* 5 s in ns */
		0, 0x06, 0x0a, 0x24, 0x18, 0x1e, 0x40, 0, /* wall in us */
		0, 0, 0, 3,		     /* boot */
		0, 0, 0, 9,		     /* policy */
		0, 0, 0, 0,		     /* no rule */
	};
	uint8_t out[RECORD_MAX];
	struct sample s;

	(void)state;
	assert_true(encode(out, sample_flow(&s, 0)) > RECORD_FIXED);
	assert_memory_equal(out, want, sizeof(want));
	assert_memory_equal(out + 44, "\0\0\0\2", 4); /* action: flow end */
	assert_memory_equal(out + 48, "\1\2\3\4\5\6\7\10", 8);
	/* First element: the tuple, in its short form. */
	assert_memory_equal(out + 56, "\1\0\15\21\12\24\0\12\12\24\0\1\4\201",
			    14);
}

static struct event *(*const make[])(struct sample *, uint64_t) = {
	sample_decision, sample_violation, sample_anomaly,
	sample_flow,	 sample_policy,	   sample_aggregate,
	sample_loss,	 sample_boot,	   sample_log,
};
#define N_MAKE (sizeof(make) / sizeof(make[0]))

/* Everything an event says, but values, is said by its record. */
static void eve_of_a_record_is_eve_of_its_event(void **state)
{
	static uint8_t live[EVE_LINE_MAX], kept[EVE_LINE_MAX];
	struct record_view *v = malloc(sizeof(*v));
	struct eve_opts o = {.service = span_str("wait")};
	struct err e = {0};
	struct sample s;

	(void)state;
	assert_non_null(v);
	for (size_t i = 0; i < N_MAKE; i++) {
		const struct event *ev = make[i](&s, i);
		struct json a = json_of(live, sizeof(live));
		struct json b = json_of(kept, sizeof(kept));
		uint8_t out[RECORD_MAX];
		size_t n = encode(out, ev);

		assert_int_equal(record_decode(v, span_of(out, n), &e), 0);
		assert_int_equal(v->r.seq, 0x0102030405060708);
		assert_int_equal(v->r.boot, 3);
		assert_false(v->r.flags & RECORD_CUT);
		assert_true(eve_event(&a, ev, &o));
		assert_true(eve_event(&b, &v->ev, &o));
		assert_int_equal(a.w.n, b.w.n);
		assert_memory_equal(live, kept, a.w.n);
	}
	free(v);
}

/* Texts that a line of JSON has to escape. */
static struct event *sample_hostile(struct sample *s, uint64_t i)
{
	struct event *ev = sample_violation(s, i);

	ev->guest = span_str("a\xff\x1b\"\\");
	ev->would_pass = span_str("\xc3\xa9");
	return ev;
}

static const struct {
	const char *name;
	struct event *(*make)(struct sample *, uint64_t);
} seeds[] = {
	{"decision",  sample_decision },
	{"violation", sample_violation},
	{"hostile",   sample_hostile  },
	{"anomaly",   sample_anomaly  },
	{"flow",      sample_flow     },
	{"policy",    sample_policy   },
	{"aggregate", sample_aggregate},
	{"loss",      sample_loss     },
	{"boot",      sample_boot     },
	{"log",       sample_log      },
};

/* What the fuzzer of records begins with: one of each as they are written
 * today, or it would search among those that are refused. WRITE_SEEDS=1 in the
 * environment puts them there. */
static void seeds_are_records_of_today(void **state)
{
	struct sample s;

	(void)state;
	for (size_t i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++) {
		uint8_t out[RECORD_MAX], in[RECORD_MAX + 1];
		size_t n = encode(out, seeds[i].make(&s, 0)), got;
		bool put = getenv("WRITE_SEEDS") != NULL;
		char path[64];
		FILE *f;

		snprintf(path, sizeof(path), "tests/corpus/record/%s",
			 seeds[i].name);
		f = fopen(path, put ? "wb" : "rb");
		if (!f)
			fail_msg("%s: WRITE_SEEDS=1 writes it", path);
		got = put ? fwrite(out, 1, n, f) : fread(in, 1, sizeof(in), f);
		assert_int_equal(fclose(f), 0);
		if (got != n || (!put && memcmp(in, out, n) != 0))
			fail_msg("%s is of another format: WRITE_SEEDS=1 "
				 "writes it anew", path);
	}
}

static void values_never_get_in(void **state)
{
	uint8_t out[RECORD_MAX];
	struct sample s;
	size_t n;

	(void)state;
	n = encode(out, sample_decision(&s, 0));
	assert_null(memmem(out, n, "what was said", 13));
	assert_null(memmem(out, n, "\3\3\304\200", 4)); /* zigzag of the max */
}

static void longer_texts_are_cut_and_it_says_so(void **state)
{
	static char text[5000], detail[5000];
	struct record_view *v = malloc(sizeof(*v));
	struct obs_list l;
	uint8_t out[RECORD_MAX];
	struct err e = {0};
	struct sample s;
	struct event *ev = sample_violation(&s, 0);
	struct span big = span_of(text, sizeof(text));
	size_t n;

	(void)state;
	assert_non_null(v);
	memset(text, 'x', sizeof(text));
	for (size_t i = 0; i + 2 < sizeof(detail); i += 2)
		memcpy(detail + i, "\xc3\xa9", 2); /* e with an accent */
	detail[0] = '.';
	detail[1] = '.';
	memmove(detail + 1, detail + 2, sizeof(detail) - 2);
	ev->detail = detail;
	ev->guest = ev->party = ev->would_pass = big;
	for (unsigned r = 1; r < REASON_COUNT; r++)
		reasons_add(&ev->reasons, (enum reason)r);
	ev->n_rules = EVENT_RULES;
	for (int i = 0; i < EVENT_RULES; i++)
		ev->rules[i] = (struct event_rule){big, big, big, big,
						   UINT32_MAX, UINT64_MAX,
						   true};
	ev->n_budgets = EVENT_BUDGETS;
	for (int i = 0; i < EVENT_BUDGETS; i++)
		ev->budgets[i] = (struct event_budget){big, UINT64_MAX,
						       UINT64_MAX};
	l = (struct obs_list){s.leaves + 1, 0, 1};
	obs_add(&l, OBS_C1222_REGISTER_REQUEST);
	for (int i = 0; i < OBS_MAX_FACTS; i++)
		obs_span(&s.leaves[1], F_NATIVE, big);
	s.carrier = s.leaves[1];
	memset(&ev->tup.src, 0x20, 16);
	ev->pkts_out = ev->pkts_in = ev->octets_out = UINT64_MAX;
	n = encode(out, ev);
	assert_true(n <= RECORD_MAX);
	assert_true(out[2] & RECORD_CUT >> 8);
	assert_int_equal(record_decode(v, span_of(out, n), &e), 0);
	assert_int_equal(v->ev.guest.n, 64);
	/* No letter is cut in two: 192 octets end inside one. */
	assert_int_equal(strlen(v->ev.detail), 191);
	free(v);
}

/* Between two records no octet may mean nothing: whatever bit is turned, it
 * is refused or it is another record. */
static void every_bit_counts(void **state)
{
	struct record_view *v = malloc(sizeof(*v));
	uint8_t out[RECORD_MAX], again[RECORD_MAX];
	struct err e = {0};
	struct sample s;
	size_t n;

	(void)state;
	assert_non_null(v);
	n = encode(out, sample_violation(&s, 1));
	for (size_t bit = 0; bit < 8 * n; bit++) {
		struct wbuf w = wbuf_of(again, sizeof(again));

		out[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (record_decode(v, span_of(out, n), &e) == 0) {
			assert_int_equal(record_encode(&w, &v->r, &e), 0);
			assert_int_equal(w.n, n);
			assert_memory_equal(again, out, n);
		}
		out[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	free(v);
}

/* The element that octet `at` is in the value of; 0: in none. */
static size_t element_at(const uint8_t *in, size_t n, size_t at)
{
	size_t i = RECORD_FIXED;

	while (i + 3 <= n) {
		size_t end = i + 3 + (size_t)(in[i + 1] << 8 | in[i + 2]);

		if (at < end)
			return at >= i + 3 && end <= n ? i : 0;
		i = end;
	}
	return 0;
}

static void lengthen(uint8_t *element, int by)
{
	int n = (element[1] << 8 | element[2]) + by;

	element[1] = (uint8_t)(n >> 8);
	element[2] = (uint8_t)n;
}

/* One thing is changed: an octet, or one more or one less in an element that
 * is longer or shorter by it. Returns the length. */
static size_t change(uint8_t in[RECORD_MAX + 1], size_t n)
{
	size_t at = (size_t)random() % n, el = element_at(in, n, at);
	uint8_t to = (uint8_t)(random() % 4 ? random() % 5 : random());

	switch (el ? random() % 4 : 0) {
	case 0:
		in[at] = to;
		return n;
	case 1:
		in[at] = (uint8_t)(in[at] + (random() % 2 ? 1 : -1));
		return n;
	case 2:
		memmove(in + at, in + at + 1, n - at - 1);
		lengthen(in + el, -1);
		return n - 1;
	default:
		memmove(in + at + 1, in + at, n - at);
		in[at] = to;
		lengthen(in + el, 1);
		return n + 1;
	}
}

/* Reading takes exactly what writing gives: whatever is accepted is written
 * again as the same octets, though nothing compares them when it is read. */
static void nothing_can_be_written_otherwise(void **state)
{
	enum { TIMES = 20000 };
	struct record_view *v = malloc(sizeof(*v));
	struct err e = {0};
	unsigned accepted = 0;

	(void)state;
	assert_non_null(v);
	srandom(64125);
	for (size_t i = 0; i < N_MAKE; i++) {
		uint8_t out[RECORD_MAX], in[RECORD_MAX + 1], again[RECORD_MAX];
		struct sample s;
		size_t n = encode(out, make[i](&s, i));

		for (int k = 0; k < TIMES; k++) {
			struct wbuf w = wbuf_of(again, sizeof(again));
			size_t to;

			memcpy(in, out, n);
			to = change(in, n);
			if (random() % 4 == 0 && to < RECORD_MAX)
				to = change(in, to);
			if (record_decode(v, span_of(in, to), &e))
				continue;
			accepted += to != n || memcmp(in, out, n) != 0;
			assert_int_equal(record_encode(&w, &v->r, &e), 0);
			assert_int_equal(w.n, to);
			assert_memory_equal(again, in, to);
		}
	}
	assert_true(accepted > TIMES / 10);
	free(v);
}

static void cut_anywhere_is_refused_or_shorter(void **state)
{
	struct record_view *v = malloc(sizeof(*v));
	uint8_t out[RECORD_MAX];
	struct err e = {0};
	struct sample s;
	size_t n, ok = 0;

	(void)state;
	assert_non_null(v);
	n = encode(out, sample_flow(&s, 1));
	for (size_t i = 0; i < n; i++)
		ok += record_decode(v, span_of(out, i), &e) == 0;
	/* Only at the borders of elements; each of those is another record. */
	assert_in_range(ok, 1, 12);
	free(v);
}

/* A flow record without a body, then elements by hand. */
static const struct {
	const char *why, *body;
	size_t n;
	int want;
} bodies[] = {
	{"nothing at all", "", 0, 0},
	{"octets of the unit", "\15\0\1\140", 4, 0},
	{"a number with a leading zero", "\15\0\2\0\140", 5, E_SYNTAX},
	{"a number that is absent when zero", "\15\0\1\0", 4, E_SYNTAX},
	{"an empty element", "\5\0\0", 3, E_SYNTAX},
	{"a guest: the subject would have to follow", "\5\0\1m", 4, E_SYNTAX},
	{"types going back", "\15\0\1\140\3\0\1\1", 8, E_SYNTAX},
	{"the same type twice", "\15\0\1\140\15\0\1\140", 8, E_SYNTAX},
	{"longer than the record", "\15\0\5\140", 4, E_SYNTAX},
	{"length cut short", "\15\0", 2, E_SYNTAX},
	{"a type of later times is kept", "\377\0\2ab", 5, 0},
	{"two of them", "\310\0\1a\377\0\1b", 8, 0},
	{"two of them, going back", "\377\0\1b\310\0\1a", 8, E_SYNTAX},
	{"a known one behind them", "\310\0\1a\15\0\1\140", 8, E_SYNTAX},
	{"a reason of no list", "\12\0\3abc", 6, E_SYNTAX},
	{"reasons", "\13\0\20malformed,opaque", 19, 0},
	{"reasons out of order", "\13\0\20opaque,malformed", 19, E_SYNTAX},
	{"a reason twice", "\13\0\15opaque,opaque", 16, E_SYNTAX},
	{"a comma at the end", "\13\0\7opaque,", 10, E_SYNTAX},
	{"a direction there is not", "\7\0\1\2", 4, E_SYNTAX},
	{"a verdict there is not", "\10\0\1\3", 4, E_SYNTAX},
	{"a mark there is not", "\11\0\1\4", 4, E_SYNTAX},
	{"the tuple in its long form for nothing",
	 "\1\0\45\6\0\0\0\0\0\0\0\0\0\0\377\377\12\0\0\1"
	 "\0\0\0\0\0\0\0\0\0\0\377\377\12\0\0\2\1\2\3\4", 40, E_SYNTAX},
	{"the tuple in its short form", "\1\0\15\6\12\0\0\1\12\0\0\2\1\2\3\4",
	 16, 0},
	{"a tuple too short", "\1\0\14\6\12\0\0\1\12\0\0\2\1\2\3", 15,
	 E_SYNTAX},
	{"NUL in a clause", "\14\0\3a\0b", 6, E_SYNTAX},
	{"an observation on a flow", "\21\0\3\0\7\0", 6, E_SYNTAX},
	{"a carrier of no kind", "\20\0\3\377\377\0", 6, E_SYNTAX},
	{"a carrier", "\20\0\3\0\3\0", 6, 0},
	{"a carrier with a fact of no row", "\20\0\5\0\3\0\377\0", 8,
	 E_SYNTAX},
	{"a fact longer than the carrier", "\20\0\5\0\3\0\0\2", 8, E_SYNTAX},
	{"a chain that is no hash", "\35\0\4abcd", 7, E_SYNTAX},
	{"a PCR that is no hash", "\36\0\1a", 4, E_SYNTAX},
	{"a counter of nothing", "\37\0\1\0", 4, E_SYNTAX},
	{"a counter", "\37\0\1\7", 4, 0},
	{"removed: 5 to 5", "\40\0\44\1\5\1\5" "0123456789abcdef0123456789"
	 "abcdef", 39, E_SYNTAX},
	{"removed: 5 to 6", "\40\0\44\1\5\1\6" "0123456789abcdef0123456789"
	 "abcdef", 39, 0},
	{"removed, and no root", "\40\0\4\1\5\1\6", 7, E_SYNTAX},
	{"counters of nothing", "\26\0\4\0\0\0\0", 7, E_SYNTAX},
	{"counters cut short", "\26\0\2\1\1", 5, E_SYNTAX},
	{"a count in the list with a leading zero",
	 "\26\0\6\2\0\1\0\0\0", 9, E_SYNTAX},
	{"kinds of observations, and none was judged",
	 "\16\0\4\0\7\0\7", 7, E_SYNTAX},
	{"a layer's name longer than there is room for",
	 "\23\0\30\21" "aaaaaaaaaaaaaaaaa" "\0\0\0\0\0\0", 27, E_SYNTAX},
	{"a layer's name", "\23\0\27\20" "aaaaaaaaaaaaaaaa" "\0\0\0\0\0\0",
	 26, 0},
	{"a budget's name longer than there is room for",
	 "\24\0\64\61" "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	 "\0\0", 55, E_SYNTAX},
	{"a service without an observation", "\22\0\4wait", 7, E_SYNTAX},
	{"five rules",
	 "\23\0\36\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
	 33, E_SYNTAX},
	{"what an aggregate is about, on a flow", "\30\0\1\15", 4, E_SYNTAX},
	{"a count on a single flow", "\31\0\1\5", 4, E_SYNTAX},
	{"a start before the origin", "\27\0\10\200\0\0\0\0\0\0\0", 11,
	 E_SYNTAX},
};

static void bodies_are_read_strictly(void **state)
{
	struct record_view *v = malloc(sizeof(*v));

	(void)state;
	assert_non_null(v);
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		uint8_t in[RECORD_MAX] = {RECORD_VERSION, RECORD_FLOW};
		struct err e = {0};
		int rc;

		in[47] = 1; /* action: start of a flow */
		memcpy(in + RECORD_FIXED, bodies[i].body, bodies[i].n);
		rc = record_decode(v, span_of(in, RECORD_FIXED + bodies[i].n),
				   &e);
		if (rc != bodies[i].want)
			fail_msg("%s: %d (%s)", bodies[i].why, rc, e.text);
	}
	free(v);
}

/* The same of an aggregate: what it counts, and how many. */
static const struct {
	const char *why, *body;
	size_t n;
	int want;
} aggregates[] = {
	{"five anomalies", "\30\0\1\16\31\0\1\5", 8, 0},
	{"nothing says of what", "\31\0\1\5", 4, E_SYNTAX},
	{"of a kind of no event", "\30\0\1\3\31\0\1\5", 8, E_SYNTAX},
	{"of a kind of no row", "\30\0\1\77\31\0\1\5", 8, E_SYNTAX},
	{"none", "\30\0\1\16", 4, E_SYNTAX},
	{"of losses, which are counts themselves", "\30\0\1\11\31\0\1\5", 8,
	 E_SYNTAX},
};

static void aggregates_are_read_strictly(void **state)
{
	struct record_view *v = malloc(sizeof(*v));

	(void)state;
	assert_non_null(v);
	for (size_t i = 0; i < sizeof(aggregates) / sizeof(aggregates[0]);
	     i++) {
		uint8_t in[RECORD_MAX] = {RECORD_VERSION, RECORD_AGGREGATE};
		size_t n = RECORD_FIXED + aggregates[i].n;
		struct err e = {0};
		int rc;

		memcpy(in + RECORD_FIXED, aggregates[i].body, aggregates[i].n);
		rc = record_decode(v, span_of(in, n), &e);
		if (rc != aggregates[i].want)
			fail_msg("%s: %d (%s)", aggregates[i].why, rc, e.text);
		if (rc == 0)
			assert_int_equal(v->ev.type, EV_ANOMALY);
	}
	free(v);
}

static const struct {
	const char *why;
	size_t off;
	uint8_t value;
	int want;
} heads[] = {
	{"as it is", 0, RECORD_VERSION, 0},
	{"another version", 0, 2, E_UNSUPPORTED},
	{"kind 0", 1, 0, E_UNSUPPORTED},
	{"a kind that nothing writes yet", 1, RECORD_BILL, E_UNSUPPORTED},
	{"a kind behind the last", 1, 16, E_UNSUPPORTED},
	{"a flag there is not", 3, 1, E_UNSUPPORTED},
	{"cut, and nothing says what", 2, 0x20, 0},
	{"a monotonic clock below zero", 12, 0x80, E_SYNTAX},
	{"a wall clock below zero", 20, 0x80, E_SYNTAX},
	{"a rule that is not in the body", 39, 1, E_SYNTAX},
	{"a subject that is not in the body", 43, 1, E_SYNTAX},
	{"an action that is not in the body", 47, 2, E_SYNTAX},
	{"any salt", 50, 99, 0},
};

static void heads_are_read_strictly(void **state)
{
	struct record_view *v = malloc(sizeof(*v));

	(void)state;
	assert_non_null(v);
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		uint8_t in[RECORD_FIXED] = {RECORD_VERSION, RECORD_FLOW};
		struct err e = {0};
		int rc;

		in[47] = 1;
		in[heads[i].off] = heads[i].value;
		rc = record_decode(v, span_of(in, sizeof(in)), &e);
		if (rc != heads[i].want)
			fail_msg("%s: %d (%s)", heads[i].why, rc, e.text);
	}
	assert_int_equal(record_decode(v, span_of(heads, RECORD_MAX + 1),
				       NULL), E_LIMIT);
	free(v);
}

static void salts_are_hmacs(void **state)
{
	uint8_t key[32], want[32], got[HMAC_JOBS][RECORD_SALT];
	struct hmac_key made;

	(void)state;
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(3 * i);
	hmac_sha256(span_of(key, 32), span_of("\0\0\0\0\0\1\2\3", 8), want);
	hmac_key_make(&made, key);
	/* Used more than once: it is not used up. */
	for (uint64_t n = 1; n <= HMAC_JOBS; n++) {
		record_salts(&made, 0x010204 - n, n, got);
		assert_memory_equal(got[n - 1], want, RECORD_SALT);
	}
}

static void salts_of_a_row_are_those_of_each(void **state)
{
	static const uint64_t order[] = {0,  1, 15, 16, 17, 40, 39, 3,
					 23, 4, 1u << 31, 2, UINT64_MAX};
	struct salt_row row = {0};
	struct hmac_key one;

	(void)state;
	for (uint8_t k = 1; k < 3; k++) {
		uint8_t key[32] = {k}, want[1][RECORD_SALT];

		record_salt_row(&row, key);
		hmac_key_make(&one, key);
		for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++) {
			record_salts(&one, order[i], 1, want);
			assert_memory_equal(record_salt(&row, order[i]),
					    want[0], RECORD_SALT);
		}
	}
}

static void classes_follow_kinds(void **state)
{
	struct event ok = {.verdict = VERDICT_ALLOW};
	struct event bad = {.verdict = VERDICT_DENY};

	(void)state;
	assert_int_equal(record_class(RECORD_POLICY, &ok), 0xc000);
	assert_int_equal(record_class(RECORD_MAINTENANCE, &ok), 0xc000);
	assert_int_equal(record_class(RECORD_ATTESTATION, &ok), 0);
	assert_int_equal(record_class(RECORD_ATTESTATION, &bad), 0x8000);
	assert_int_equal(record_class(RECORD_DENY, &bad), 0);
	/* What an engine may tell, whoever took it over: all of it is pruned. */
	for (int t = 0; t < EV_TYPES; t++) {
		for (int v = 0; v < 2; v++) {
			struct event ev = {.type = (enum event_type)t,
					   .verdict = v ? VERDICT_DENY
							: VERDICT_ALLOW};

			if (event_of_packets(ev.type))
				assert_int_equal(
					record_class(record_kind_of(&ev), &ev),
					0);
		}
	}
	assert_string_equal(record_kind_name(RECORD_CLOCK), "clock-step");
	assert_string_equal(record_kind_name(99), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_fixed_part_is_as_written),
		cmocka_unit_test(eve_of_a_record_is_eve_of_its_event),
		cmocka_unit_test(seeds_are_records_of_today),
		cmocka_unit_test(values_never_get_in),
		cmocka_unit_test(longer_texts_are_cut_and_it_says_so),
		cmocka_unit_test(every_bit_counts),
		cmocka_unit_test(nothing_can_be_written_otherwise),
		cmocka_unit_test(cut_anywhere_is_refused_or_shorter),
		cmocka_unit_test(bodies_are_read_strictly),
		cmocka_unit_test(aggregates_are_read_strictly),
		cmocka_unit_test(heads_are_read_strictly),
		cmocka_unit_test(salts_are_hmacs),
		cmocka_unit_test(salts_of_a_row_are_those_of_each),
		cmocka_unit_test(classes_follow_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
