/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images from anywhere. Checksums and digest are put right, so that what is
 * tested is the verification of content; what passes it is evaluated.
 *
 * Properties: loading twice says the same; judging twice from one state says
 * the same; an abort puts every word below the ledger back; a refusal leaves
 * no charge. What is shown of it holds nothing that a terminal would act on.
 */
#include <assert.h>
#include <stdlib.h>

#include "core/wbuf.h"
#include "policy-lang/eval/internal.h"
#include "policy-lang/image/imagekit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_IMAGE (256 * 1024)

static void fill_leaf(struct obs *o, unsigned i, int64_t now_s)
{
	static const enum obs_kind kinds[] = {
		OBS_C1222_READ_REQUEST, OBS_C1222_READ_RESPONSE,
		OBS_OBIX_READ_RESPONSE, OBS_HTTP_REQUEST, OBS_OPAQUE,
		OBS_C1222_ERROR, OBS_C1222_WRITE_REQUEST, OBS_DNS_QUERY};

	memset(o, 0, sizeof(*o));
	o->kind = (uint16_t)kinds[i % 8];
	obs_u64(o, F_TABLE, 20 + i);
	obs_span(o, F_HREF, span_str("/meter/power"));
	obs_span(o, F_PATH, span_str("/tips/today"));
	obs_span(o, F_METHOD, span_str("GET"));
	obs_u64(o, F_BODY, 0);
	if (i % 3 == 0)
		return;
	obs_u64(o, F_MEASUREMENT,
		MEAS_BIT(i % MEAS_COUNT) | MEAS_BIT(MEAS_ENERGY_REGISTER));
	obs_u64(o, F_GRANULARITY, 900 * i);
	obs_u64(o, F_VALUES, i);
	obs_u64(o, F_RES_STEP, 1000000);
	obs_u64(o, F_RES_UNIT, UNIT_WH);
	obs_i64(o, F_OLDEST, now_s - 86400);
	obs_i64(o, F_NEWEST, now_s - 3600);
}

/* Someone the policy knows, where it says an address. */
static void fill_peer(const struct pol_image *im, struct pol_peer *p,
		      unsigned i)
{
	*p = (struct pol_peer){.machine = -1, .proto = 6, .port = 443,
			       .named = UINT64_C(0x5555555555555555)};
	p->addr.b[10] = p->addr.b[11] = 0xff;
	if (im->n_PFX4)
		memcpy(p->addr.b + 12, im->PFX4[i % im->n_PFX4].addr, 4);
	if (im->n_PORT) {
		p->proto = im->PORT[i % im->n_PORT].proto;
		p->port = im->PORT[i % im->n_PORT].lo;
	}
	if (im->n_PRTY) {
		const struct lay_party *q = &im->PRTY[i % im->n_PRTY];

		p->aptitle = span_of(im->BLOB + q->oid_off, q->oid_n);
	}
}

static void judge_some(const struct pol_image *im, struct pol_state *st)
{
	/* Rows of the ledger stay when they are made; what is in them goes. */
	size_t kept = 8 * (size_t)st->ledger;
	uint64_t *before = malloc(kept + 8);
	struct now now = {{NS_PER_S}, {INT64_C(1795608000) * US_PER_S, 0,
				       3600, true}};
	struct obs carrier = {.kind = OBS_C1222_MESSAGE}, leaf[2];
	static struct pol_decision d, again;

	for (unsigned i = 0; before && i < 32; i++) {
		struct pol_msg m = {.dir = i & 1 ? DIR_IN : DIR_OUT,
				    .message = &carrier, .leaves = leaf,
				    .n_leaves = 1 + (i >> 3 & 1),
				    .octets = 300, .flow = 1, .now = now};

		fill_leaf(&leaf[0], i, wall_s(now.wall));
		fill_leaf(&leaf[1], i + 5, wall_s(now.wall));
		fill_peer(im, &m.peer, i / 4);
		memcpy(before, st->w, kept);
		pol_judge(st, &m, &d);
		if (d.permit) {
			pol_abort(st);
			assert(memcmp(before, st->w, kept) == 0);
			pol_judge(st, &m, &again);
			assert(again.permit && again.reason == d.reason);
			pol_packet(st, 0, m.dir, &m.peer, 340, now, &again);
			pol_commit(st);
		} else {
			assert(d.reason != REASON_NONE);
			assert(st->live->n_undo == 0);
		}
		pol_open(st, 0, m.dir, &m.peer, i, now, &d);
		pol_commit(st);
		now.mono.ns += (int64_t)i * 600 * NS_PER_S;
		now.wall.us += (int64_t)i * 600 * US_PER_S;
		now.wall.trusted = i % 5 != 0;
	}
	pol_close(st, 0, 1, now);
	free(before);
}

static void evaluate(const struct pol_image *im)
{
	struct pol_set *set;
	struct pol_state *st;
	struct err e;

	if (pol_set_new(&set, &im, 1, &e))
		return;
	/* Counters may be large by right; not in a fuzzer. */
	if (pol_set_machines(set) > 0 && set->counter_words < 1u << 20 &&
	    pol_state_new(&st, set, &e) == 0) {
		judge_some(im, st);
		pol_state_free(st);
	}
	pol_set_free(set);
}

static void no_controls(void *arg, struct span text)
{
	(void)arg;
	for (size_t i = 0; i < text.n; i++)
		assert((text.p[i] >= 0x20 && text.p[i] != 0x7f) ||
		       text.p[i] == '\n');
}

/* Cut when it gets long: a pattern's texts may. */
static void show(const struct pol_image *im)
{
	static uint8_t text[1 << 18];
	struct wbuf w = wbuf_of(text, sizeof(text));
	bool whole = pol_image_print(im, &w);
	struct err e;
	int rc = pol_image_dump(im, no_controls, NULL, &e);

	assert(whole == !w.failed);
	assert(rc == 0 || rc == E_NOMEM);
	no_controls(NULL, wbuf_span(&w));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t n = size & ~(size_t)7;
	struct pol_image *a, *b;
	struct err e;
	uint8_t *p;
	int rc;

	if (n < sizeof(struct lay_header) || n > MAX_IMAGE)
		return 0;
	p = aligned_alloc(8, n);
	if (!p)
		return 0;
	memcpy(p, data, n);
	image_put_right(p, n, RIGHT_RULES);
	rc = pol_image_load(&a, span_of(p, n), &e);
	assert(rc == 0 || (rc < 0 && a == NULL));
	assert(pol_image_load(&b, span_of(p, n), &e) == rc);
	if (rc == 0) {
		show(a);
		evaluate(a);
		pol_image_free(b);
	}
	pol_image_free(a);
	free(p);
	return 0;
}
