/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/verify_rules.h"

#include <string.h>

#include "audit/store.h"

#define STEP_US US_PER_S

int verify_bad(struct verify_result *out, uint64_t seq, struct err *e,
	       const char *what)
{
	out->has_bad = true;
	out->bad = seq;
	return err_set(e, E_INTEGRITY, 0, "record %llu: %s",
		       (unsigned long long)seq, what);
}

static int bad(struct verify_rules *r, uint64_t seq, struct err *e,
	       const char *what)
{
	return verify_bad(r->out, seq, e, what);
}

int verify_read(struct verify_rules *r, uint64_t seq, struct span record,
		struct err *e)
{
	const struct record *is = &r->view.r;

	if (record_decode(&r->view, record, e)) {
		r->out->has_bad = true;
		r->out->bad = seq;
		err_wrap(e, "record %llu", (unsigned long long)seq);
		return e->code = E_INTEGRITY;
	}
	if (is->seq != seq)
		return bad(r, seq, e, "its number is another's");
	if ((is->flags & ~RECORD_CUT) != record_class(is->kind, is->ev))
		return bad(r, seq, e, "its class is not that of its kind");
	if (is->boot < r->boot)
		return bad(r, seq, e, "its boot is before the last");
	return 0;
}

void verify_boot(struct verify_rules *r, uint32_t boot, const uint8_t key[32])
{
	record_salt_row(&r->salts, key);
	r->boot = boot;
	r->mono = 0;
	r->wall = 0;
	r->out->boots++;
}

static int check_clocks(struct verify_rules *r, uint64_t seq, struct err *e)
{
	const struct now *now = &r->view.ev.now;
	int64_t passed = (now->mono.ns - r->mono) / 1000;
	int64_t moved = now->wall.us - r->wall;

	if (passed < 0)
		return bad(r, seq, e, "its monotonic clock went back");
	if (r->wall > 0 && now->wall.us > 0 &&
	    r->view.r.kind != RECORD_CLOCK &&
	    (moved - passed > STEP_US || passed - moved > STEP_US))
		return bad(r, seq, e, "its wall clock stepped and no record "
			   "says so");
	r->mono = now->mono.ns;
	r->wall = now->wall.us;
	return 0;
}

static bool salt_fits(struct verify_rules *r, uint64_t seq)
{
	return memcmp(record_salt(&r->salts, seq), r->view.r.salt,
		      RECORD_SALT) == 0;
}

/* What a checkpoint is bound to. */
static int check_bound(struct verify_rules *r, uint64_t seq, struct err *e)
{
	const struct event_log *l = r->view.ev.log;
	uint8_t head[SHA256_LEN];

	memcpy(head, r->head, sizeof(head));
	if (seq > r->first)
		store_chain(r->h, r->head, r->first,
			    (uint32_t)(seq - r->first), r->before, head);
	return l && l->has_chain && memcmp(l->chain, head, sizeof(head)) == 0
		       ? 0
		       : bad(r, seq, e, "it names another chain of bundles");
}

int verify_follows(struct verify_rules *r, uint64_t seq, struct err *e)
{
	int rc = check_clocks(r, seq, e);

	if (rc == 0 && !r->keyless && !salt_fits(r, seq))
		rc = bad(r, seq, e, "its salt is not of its boot's key");
	if (rc == 0 && r->view.r.kind == RECORD_CHECKPOINT)
		rc = check_bound(r, seq, e);
	return rc;
}

struct points_sealed verify_sealed(const struct verify_rules *r)
{
	struct points_sealed said = {.wall = points_wall(&r->view.ev.now)};
	const struct event_log *l = r->view.ev.log;

	if (l) {
		said.bound.has_pcr = l->has_pcr;
		said.bound.counter = l->counter;
		memcpy(said.bound.pcr, l->pcr, sizeof(said.bound.pcr));
	}
	return said;
}

/* No checkpoint came since that was said: now it is of more of them. */
static bool goes_on(struct verify_start *last, const struct verify_start *now)
{
	if (last->boot != now->boot || last->first != now->first)
		return false;
	last->end = now->end;
	return true;
}

void verify_start(struct verify_rules *r)
{
	const struct record *is = &r->view.r;
	const struct event_log *l = is->ev->log;
	struct verify_start now = {is->boot, l ? l->point : 0, is->seq};
	struct verify_result *out = r->out;
	uint64_t n = verify_listed(out);

	if ((is->kind != RECORD_BOOT && !(l && l->withdrawn)) ||
	    now.first == now.end || (n && goes_on(&out->starts[n - 1], &now)))
		return;
	if (n == VERIFY_STARTS)
		memmove(out->starts, out->starts + 1,
			--n * sizeof(out->starts[0]));
	out->starts[n] = now;
	out->n_starts++;
}
