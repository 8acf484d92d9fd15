/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Properties of the whole, on generated traffic: how a stream is cut, repeated
 * and shuffled on its way changes nothing of what is read or decided; the same
 * input twice does the same; nothing is allocated on the way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/siphash.h"
#include "enforcer/pipeline/testkit.h"

#define ROUNDS 200
#define TEXT   (256 * 1024)

#if defined(__SANITIZE_ADDRESS__)
#define WATCH_HEAP 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WATCH_HEAP 0
#endif
#endif
#if !defined(WATCH_HEAP) && !defined(__GLIBC__)
#define WATCH_HEAP 0
#endif
#ifndef WATCH_HEAP
#define WATCH_HEAP 1
#endif

/* --- the heap ------------------------------------------------------------- */

static unsigned long heap_calls;

#if WATCH_HEAP
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

void *malloc(size_t n)
{
	heap_calls++;
	return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	heap_calls++;
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	heap_calls++;
	return __libc_realloc(p, n);
}
#endif

/* --- numbers that look random, and can be repeated ------------------------ */

struct dice {
	struct sipkey key;
	uint64_t n;
};

static uint32_t roll(struct dice *d, uint32_t below)
{
	uint64_t v = d->n++;

	return (uint32_t)(siphash24(&d->key, span_of(&v, sizeof(v))) % below);
}

/* METERGATE_SEED repeats a run. */
static uint64_t seed(void)
{
	static uint64_t s;
	const char *text = getenv("METERGATE_SEED");

	if (s == 0) {
		s = text ? strtoull(text, NULL, 0) :
			   (uint64_t)(uintptr_t)&s >> 12 | 1;
		print_message("METERGATE_SEED=%llu\n", (unsigned long long)s);
	}
	return s;
}

/* --- what was read, as text ----------------------------------------------- */

struct report {
	char text[TEXT];
	struct wbuf w;
	bool decisions; /* also what policy said */
};

static void put(struct report *r, const char *text)
{
	wbuf_put(&r->w, span_str(text));
}

static void put_fact(struct report *r, const struct fact *f)
{
	static const char digit[] = "0123456789abcdef";
	char b[64];

	put(r, " ");
	put(r, field_name((enum field)f->field));
	put(r, "=");
	switch (field_type((enum field)f->field)) {
	case FIELD_SPAN:
	case FIELD_TEXT:
	case FIELD_OID:
		for (uint32_t i = 0; i < f->n; i++) {
			uint8_t v = span_of(f->p, f->n).p[i];

			wbuf_u8(&r->w, (uint8_t)digit[v >> 4]);
			wbuf_u8(&r->w, (uint8_t)digit[v & 15]);
		}
		break;
	case FIELD_U64:
	case FIELD_I64:
	case FIELD_FLAG:
	case FIELD_MEAS:
		snprintf(b, sizeof(b), "%llu", (unsigned long long)f->u);
		put(r, b);
		break;
	}
}

static void put_obs(struct report *r, const struct obs *o)
{
	put(r, obs_name((enum obs_kind)o->kind));
	for (unsigned i = 0; i < o->n; i++)
		put_fact(r, &o->f[i]);
	put(r, "\n");
}

static void on_event(void *arg, const struct event *ev)
{
	struct report *r = arg;

	if (ev->type == EV_PROTOCOL) {
		put(r, ev->dir == DIR_OUT ? "out " : "in ");
		if (ev->message)
			put_obs(r, ev->message);
		for (uint32_t i = 0; i < ev->n_leaves; i++)
			put_obs(r, &ev->leaves[i]);
	} else if (r->decisions &&
		   (ev->type == EV_DECISION || ev->type == EV_VIOLATION)) {
		put(r, ev->verdict == VERDICT_ALLOW ? "allow " : "deny ");
		put(r, reason_text(ev->reason));
		put(r, "\n");
	}
}

static struct report *report_new(struct kit *k, bool decisions)
{
	struct report *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	r->w = wbuf_of(r->text, sizeof(r->text) - 1);
	r->decisions = decisions;
	k->more = on_event;
	k->arg = r;
	return r;
}

/* --- a conversation ------------------------------------------------------- */

/* Requests, then their answers; and again. */
#define PHASES 3
#define MOST   8

struct talk {
	uint8_t octets[2][PHASES][MOST * 48];
	size_t n[2][PHASES];
};

static void make_talk(struct talk *t, struct dice *d, bool denied)
{
	uint8_t inv = 1;

	for (int p = 0; p < PHASES; p++) {
		struct wbuf q = wbuf_of(t->octets[0][p],
					sizeof(t->octets[0][p]));
		struct wbuf a = wbuf_of(t->octets[1][p],
					sizeof(t->octets[1][p]));
		uint32_t n = 1 + roll(d, MOST);

		for (uint32_t i = 0; i < n; i++, inv++) {
			/* None of a fixed size: the answers have one octet. */
			static const uint8_t tables[] = {22, 23, 26, 64, 91};
			uint8_t table = tables[roll(d, sizeof(tables))];

			if (denied && roll(d, 12) == 0)
				table = 42;
			kit_request(&q, inv, table);
			kit_answer(&a, inv, (uint8_t)roll(d, 100));
		}
		assert_true(!q.failed && !a.failed);
		t->n[0][p] = q.n;
		t->n[1][p] = a.n;
	}
}

struct piece {
	uint32_t from, n;
};

#define PIECES 96

/* Cut octets 0..n into pieces; some of them twice, then shuffled in groups of
 * so many. */
static uint32_t cut(struct dice *d, size_t n, struct piece *v, bool twice,
		    uint32_t reach)
{
	uint32_t count = 0, at = 0, most = 1 + roll(d, 80);

	while (at < n && count < PIECES - 2) {
		uint32_t len = 1 + roll(d, most);

		if (len > n - at || count > PIECES - 6)
			len = (uint32_t)n - at;
		v[count++] = (struct piece){at, len};
		if (twice && roll(d, 4) == 0)
			v[count++] = (struct piece){at, len};
		at += len;
	}
	/* Within groups, so that nothing gets further from its place. */
	for (uint32_t i = 0; reach && i < count; i++) {
		uint32_t end = (i / reach + 1) * reach;
		uint32_t j = i + roll(d, (end < count ? end : count) - i);
		struct piece x = v[i];

		v[i] = v[j];
		v[j] = x;
	}
	return count;
}

/* reach 0 and dice NULL: each phase in one segment. */
static void say(struct kit *k, const struct talk *t, struct dice *d,
		bool twice, uint32_t reach)
{
	uint32_t at[2] = {KIT_ISN + 1, KIT_ISN2 + 1};

	kit_handshake(k, KIT_PORT, KIT_ISN, false);
	for (int p = 0; p < PHASES; p++) {
		for (int s = 0; s < 2; s++) {
			struct span all = span_of(t->octets[s][p], t->n[s][p]);
			struct piece v[PIECES] = {{0, (uint32_t)all.n}};
			uint32_t n = d ? cut(d, all.n, v, twice, reach) : 1;

			for (uint32_t i = 0; i < n; i++) {
				struct kit_seg g = {
					.out = s == 0,
					.port = KIT_PORT,
					.seq = at[s] + v[i].from,
					.ack = at[!s],
					.flags = TCP_ACK | TCP_PSH};

				kit_tcp(k, &g, span_sub(all, v[i].from,
							v[i].n));
			}
			at[s] += (uint32_t)all.n;
		}
	}
}

/* Both ways of saying it: what was read must be the same text. */
static void same(bool strict, bool twice, uint32_t reach)
{
	struct kit *k = kit_new(strict, false);
	unsigned bad = 0;

	for (uint64_t round = 0; round < ROUNDS; round++) {
		struct dice d = {{seed(), round}, 0};
		struct report *a, *b;
		struct talk t;

		make_talk(&t, &d, false);
		a = report_new(k, strict);
		say(k, &t, NULL, false, 0);
		kit_end(k);
		assert_string_equal(k->bad, "");
		assert_true(a->w.n > 100);
		kit_again(k);
		b = report_new(k, strict);
		say(k, &t, &d, twice, reach);
		kit_end(k);
		if (k->bad[0] || a->w.failed || strcmp(a->text, b->text)) {
			print_error("round %llu: %s\n",
				    (unsigned long long)round, k->bad);
			if (bad++ == 0)
				print_error("%s---\n%s", a->text, b->text);
		}
		kit_again(k);
		free(a);
		free(b);
	}
	kit_free(k);
	assert_int_equal(bad, 0);
}

static void any_cut(void **state)
{
	(void)state;
	same(false, false, 0);
}

static void any_copy(void **state)
{
	(void)state;
	same(false, true, 0);
}

static void any_order(void **state)
{
	(void)state;
	same(false, false, 16);
}

static void any_order_and_copy(void **state)
{
	(void)state;
	same(false, true, 8);
}

/* With a policy the events come when a packet can leave: in other groups, so
 * only what was allowed is compared, and that everything left. */
static void any_way_policy(void **state)
{
	struct kit *k = kit_new(true, false);

	(void)state;
	for (uint64_t round = 0; round < ROUNDS; round++) {
		struct dice d = {{seed(), round + 1000}, 0};
		unsigned allowed[2] = {0, 0};
		struct talk t;

		make_talk(&t, &d, false);
		for (int way = 0; way < 2; way++) {
			say(k, &t, way ? &d : NULL, way, way ? 12 : 0);
			for (uint32_t i = 0; i < k->n_events; i++)
				allowed[way] += k->event[i].type ==
						EV_DECISION;
			assert_int_equal(k->p->stats.dropped, 0);
			kit_end(k);
			assert_string_equal(k->bad, "");
			kit_again(k);
		}
		assert_int_equal(allowed[0], allowed[1]);
		assert_true(allowed[0] >= 2 * PHASES);
	}
	kit_free(k);
}

/* Once something is refused, nothing that was cut elsewhere gets further: what
 * passes is a beginning of what was said. */
static void refused_any_way(void **state)
{
	struct kit *k = kit_new(true, false);
	unsigned refused = 0;

	(void)state;
	for (uint64_t round = 0; round < ROUNDS; round++) {
		struct dice d = {{seed(), round + 2000}, 0};
		unsigned deny = 0;
		struct talk t;

		make_talk(&t, &d, true);
		say(k, &t, &d, true, 6);
		kit_end(k);
		assert_string_equal(k->bad, "");
		for (uint32_t i = 0; i < k->n_events; i++)
			deny += k->event[i].type == EV_VIOLATION &&
				k->event[i].reason == REASON_DENIED;
		assert_true(deny <= 1);
		assert_int_equal(k->n_resets, deny ? 2 : 0);
		refused += deny;
		kit_again(k);
	}
	kit_free(k);
	assert_true(refused > ROUNDS / 10);
}

/* --- captures ------------------------------------------------------------- */

struct capture {
	uint8_t *octets;
	size_t n;
	bool little;
	enum link_type link;
};

static uint32_t u32(const struct capture *f, struct cur *c)
{
	return (uint32_t)(f->little ? cur_le(c, 4) : cur_be(c, 4));
}

/* A classic capture file, from the folder of the project. False: not there. */
static bool open_capture(struct capture *f, const char *name)
{
	FILE *in = fopen(name, "rb");
	struct cur c;
	uint32_t magic, link;

	*f = (struct capture){.octets = malloc(1 << 20)};
	if (!in || !f->octets) {
		print_message("SKIP: %s is not there\n", name);
		free(f->octets);
		return false;
	}
	f->n = fread(f->octets, 1, 1 << 20, in);
	fclose(in);
	c = cur_of(span_of(f->octets, f->n));
	magic = cur_u32(&c);
	f->little = magic == 0xd4c3b2a1 || magic == 0x4d3cb2a1;
	cur_take(&c, 16);
	link = u32(f, &c);
	assert_true(cur_ok(&c));
	f->link = link == 1   ? LINK_ETHERNET :
		  link == 113 ? LINK_SLL :
		  link == 276 ? LINK_SLL2 :
				LINK_RAW;
	return true;
}

static void play(struct kit *k, const struct capture *f)
{
	struct cur c = cur_of(span_of(f->octets, f->n));

	cur_take(&c, 24);
	while (cur_left(&c) >= 16 && k->id < KIT_IDS - 1) {
		uint32_t n;

		u32(f, &c);
		u32(f, &c);
		n = u32(f, &c);
		u32(f, &c);
		kit_wait(k, NS_PER_S / 50);
		kit_send(k, f->link, cur_take(&c, n));
		if (k->id % 16 == 0)
			pipeline_tick(k->p, k->now, &k->sink);
	}
}

static const char *const captures[] = {
	"tests/pcaps/gen_tcp_framing.pcap",
	"tests/pcaps/gen_malformed_tcp.pcap",
	"tests/pcaps/gen_malformed_udp.pcap",
	"tests/pcaps/gen_segmented.pcap",
	"tests/pcaps/gen_read_write.pcap",
	"tests/pcaps/gen_network.pcap",
	"tests/pcaps/gen_auth_variants.pcap",
	"tests/pcaps/gen_notifications.pcap",
};

/* The contract of the sink is kept; twice is the same; no heap is used. */
static void one_capture(const struct capture *f, const char *name, bool strict)
{
	struct kit *k = kit_new(strict, true);
	struct report *r[2];
	unsigned long before;

	for (int i = 0; i < 2; i++) {
		r[i] = report_new(k, true);
		before = heap_calls;
		play(k, f);
		kit_end(k);
		if (heap_calls != before)
			fail_msg("%s: %lu calls of the heap", name,
				 heap_calls - before);
		if (k->bad[0])
			fail_msg("%s: %s", name, k->bad);
		assert_true(k->id > 3);
		kit_again(k);
	}
	assert_false(r[0]->w.failed);
	assert_string_equal(r[0]->text, r[1]->text);
	if (!strict)
		assert_true(r[0]->w.n > 100);
	free(r[0]);
	free(r[1]);
	kit_free(k);
}

static void whole_captures(void **state)
{
	(void)state;
	if (!WATCH_HEAP)
		print_message("SKIP: the sanitizer has the heap\n");
	for (size_t i = 0; i < sizeof(captures) / sizeof(captures[0]); i++) {
		struct capture f;

		if (!open_capture(&f, captures[i]))
			continue;
		one_capture(&f, captures[i], false);
		one_capture(&f, captures[i], true);
		free(f.octets);
	}
}

/* Does the counter count? */
static void heap_is_watched(void **state)
{
	unsigned long before = heap_calls;
	void *volatile p = malloc(10);

	(void)state;
	free(p);
	if (WATCH_HEAP)
		assert_int_equal(heap_calls, before + 1);
}

/* More packets than may wait: refused under a policy, and told; let pass
 * without one. */
static void no_room(void **state)
{
	(void)state;
	for (int strict_ = 0; strict_ < 2; strict_++) {
		struct kit *k = kit_new(strict_, false);
		uint8_t b[64];
		struct kit_ip h = {true, PROTO_UDP, 1, 8, true};

		/* First parts of datagrams, none ever whole. */
		k->p->helds.fresh = k->p->helds.n;
		h.id = 9;
		kit_send(k, LINK_RAW,
			 kit_ip4(k, &h, span_of(memset(b, 0, 64), 64)));
		assert_int_equal(k->verdict[1].n, 1);
		assert_int_equal(k->verdict[1].v,
				 strict_ ? PACKET_DROP : PACKET_PASS);
		assert_string_equal(k->bad, "");
		kit_free(k);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_cut),
		cmocka_unit_test(any_copy),
		cmocka_unit_test(any_order),
		cmocka_unit_test(any_order_and_copy),
		cmocka_unit_test(any_way_policy),
		cmocka_unit_test(refused_any_way),
		cmocka_unit_test(heap_is_watched),
		cmocka_unit_test(whole_captures),
		cmocka_unit_test(no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
