/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS where only what is opaque is granted: its hellos are read, what is behind
 * them is as if nobody read it, for the pool and for a kernel that carries.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dissectors/tls/testkit.h"
#include "enforcer/pipeline/testkit.h"

#define D(s)	 (s), sizeof(s) - 1
#define VERSIONS "\0\x2b\0\3\2\3\4"
#define CHOSEN	 "\0\x2b\0\2\3\4"

enum op { END, HELLO, EARLY, ANSWER, ALERT, DATA, TEXT, SSL2 };

struct act {
	bool out;
	enum op op;
	enum reason why;
};

static const struct {
	const char *why;
	struct act act[6];
} rows[] = {
	{"both hellos, then data",
	 {{true, HELLO, 0}, {false, ANSWER, 0}, {true, DATA, 0},
	  {false, DATA, 0}, {true, DATA, 0}}},
	{"the machine is the server",
	 {{false, HELLO, 0}, {true, ANSWER, 0}, {true, DATA, 0}}},
	{"data without a hello", {{true, DATA, REASON_SESSION_STATE}}},
	{"SSL 2.0", {{true, SSL2, REASON_LEGACY}}},
	{"a hello answered by something else",
	 {{true, HELLO, 0}, {false, TEXT, REASON_CHANGED_PROTOCOL}}},
	{"something else answered by a hello",
	 {{true, TEXT, 0}, {false, HELLO, REASON_CHANGED_PROTOCOL}}},
	{"no records any more",
	 {{true, HELLO, 0}, {false, ANSWER, 0},
	  {true, TEXT, REASON_CHANGED_PROTOCOL}}},
};

static void put(struct wbuf *w, enum op op)
{
	static const struct parts hello = {0x0303, 32, 4, "\0", 1,
					   D(VERSIONS), false};
	static const struct parts early = {0x0303, 32, 4, "\0", 1,
					   D(VERSIONS "\0\x2a\0\0"), false};
	static const struct parts answer = {0x0303, 32, 0, "\0", 1, D(CHOSEN),
					    false};
	uint8_t b[512];
	struct wbuf m = wbuf_of(b, sizeof(b));

	if (op == HELLO || op == EARLY || op == ANSWER) {
		kit_hello(&m, op == ANSWER ? TLS_SERVER_HELLO : TLS_CLIENT_HELLO,
			  op == ANSWER ? &answer :
			  op == EARLY  ? &early :
					 &hello);
		kit_records(w, 22, 0x0303, wbuf_span(&m), 16384);
	} else if (op == DATA) {
		wbuf_put(w, span_of(D("\x17\3\3\x03\xfb")));
		kit_fill(w, 1019, 0x5a);
	} else if (op == ALERT) {
		wbuf_put(w, span_of(D("\x15\3\3\0\2\1\x5a")));
	} else if (op == TEXT) {
		wbuf_put(w, span_str("nothing that anybody reads"));
	} else {
		wbuf_put(w, span_of(D("\x80\x2e\1\3\1\0\x15\0\0\0\x10")));
	}
	assert_false(w->failed);
}

struct lab {
	struct kit *k;
	uint32_t said[2]; /* by out */
};

static enum reason say(struct lab *l, bool out, enum op op)
{
	uint8_t b[2048];
	struct wbuf w = wbuf_of(b, sizeof(b));
	struct kit_seg g = {.out = out, .port = KIT_PORT,
			    .flags = TCP_PSH | TCP_ACK,
			    .seq = (out ? KIT_ISN : KIT_ISN2) + 1u +
				   l->said[out],
			    .ack = (out ? KIT_ISN2 : KIT_ISN) + 1u +
				   l->said[!out]};
	uint64_t id;

	put(&w, op);
	id = kit_tcp(l->k, &g, wbuf_span(&w));
	l->said[out] += (uint32_t)w.n;
	kit_wait(l->k, NS_PER_S / 1000);
	return l->k->verdict[id].n ? l->k->verdict[id].why :
				     REASON_HELD_AT_END;
}

static struct lab lab_new(uint16_t port)
{
	static const uint64_t bounds[OFFLOAD_REFUSED] = {0, 40000, 100000};
	struct lab l = {.k = kit_new(true, false)};

	kit_live(l.k, true);
	l.k->p->conf.checksums = false;
	l.k->p->conf.offload = bounds;
	l.k->sink.offload = kit_on_offload;
	l.k->bulk = true;
	l.k->far = port;
	kit_handshake(l.k, KIT_PORT, KIT_ISN, false);
	return l;
}

static void done(struct lab *l)
{
	kit_end(l->k);
	assert_string_equal(l->k->bad, "");
	kit_free(l->k);
}

static void rows_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lab l = lab_new(9000);

		for (size_t k = 0; k < 6 && rows[i].act[k].op != END; k++) {
			const struct act *a = &rows[i].act[k];
			enum reason why = say(&l, a->out, a->op);

			if (why != a->why)
				fail_msg("%s: %zu: %s, not %s", rows[i].why, k,
					 reason_text(why), reason_text(a->why));
		}
		done(&l);
	}
}

/* Behind both hellos the kernel may have it; nobody knows then where a record
 * begins, so what comes back is no record's. */
static void the_kernel_carries_it(void **state)
{
	struct lab l = lab_new(443);
	const struct flow *f;

	(void)state;
	assert_int_equal(say(&l, true, HELLO), REASON_NONE);
	assert_int_equal(say(&l, false, ANSWER), REASON_NONE);
	f = &l.k->p->flow[l.k->p->lru[0][LIST_TCP].newest];
	assert_true(f->dis >= 0);
	for (int i = 0; i < 20 && !l.k->n_offloads; i++)
		assert_int_equal(say(&l, i & 1, DATA), REASON_NONE);
	assert_int_equal(l.k->n_offloads, 1);
	assert_int_equal(f->dis, DIS_NONE);
	/* 30000 octets later it is back, and goes once more. */
	kit_wait(l.k, 2 * NS_PER_S);
	l.said[0] += 15000;
	l.said[1] += 15000;
	assert_int_equal(say(&l, true, TEXT), REASON_NONE);
	assert_int_equal(f->dis, DIS_NONE);
	assert_int_equal(l.k->n_offloads, 2);
	kit_wait(l.k, 2 * NS_PER_S);
	l.said[0] += 60000;
	/* That the port is that of TLS makes no turn wait for more. */
	for (int i = 0; i < 20; i++)
		assert_int_equal(say(&l, i & 1, TEXT), REASON_NONE);
	done(&l);
}

/* Not while a hello is still to come, whoever spoke meanwhile. */
static void not_before_both_hellos(void **state)
{
	struct lab l = lab_new(9000);

	(void)state;
	assert_int_equal(say(&l, true, EARLY), REASON_NONE);
	assert_int_equal(say(&l, false, ALERT), REASON_NONE);
	for (int i = 0; i < 40; i++)
		assert_int_equal(say(&l, true, DATA), REASON_NONE);
	assert_int_equal(l.k->n_offloads, 0);
	assert_int_equal(say(&l, false, ANSWER), REASON_NONE);
	for (int i = 0; i < 20 && !l.k->n_offloads; i++)
		assert_int_equal(say(&l, i & 1, DATA), REASON_NONE);
	assert_int_equal(l.k->n_offloads, 1);
	done(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_hold),
		cmocka_unit_test(the_kernel_carries_it),
		cmocka_unit_test(not_before_both_hellos),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
