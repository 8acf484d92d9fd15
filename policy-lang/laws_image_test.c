/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Law 11 of the language (its section 23): an image whose octets were changed
 * is refused when it is loaded, or behaves identically. What that asks for
 * depends on how well the change was covered up:
 *
 *   not at all, or with checksums put right: it decides as the image it was
 *   with the digest of its payload put right too: it is another policy; that
 *   loads the same, shows itself, decides the same from the same state, takes
 *   back what is aborted and charges nothing for what it refuses
 *
 * The octets end where memory does and cannot be written: whatever reads
 * behind them or changes them crashes, which the kit takes for a broken law.
 */
#include <sys/mman.h>

#include "core/wbuf.h"
#include "policy-lang/image/imagekit.h"
#include "policy-lang/lawsaid.h"

#define EVENTS	  12
#define MOST	  (1u << 20)
#define MOST_KEPT 100000 /* words */

enum { SAW_REFUSED, SAW_ACCEPTED, SAW_SAME, SAW_OTHER, SAW_PERMIT,
       SAW_REFUSAL, SAW_TORN };

/* --- octets ------------------------------------------------------------------ */

/* MOST octets, and none behind them. */
static uint8_t *arena(void)
{
	static uint8_t *all;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (all)
		return all;
	all = mmap(NULL, MOST + page, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (all == MAP_FAILED || mprotect(all + MOST, page, PROT_NONE))
		fail_msg("no memory");
	return all;
}

static void writable(bool on)
{
	if (mprotect(arena(), MOST, on ? PROT_READ | PROT_WRITE : PROT_READ))
		fail_msg("mprotect");
}

/* A place to change: in any section as likely as in any other, and more often
 * where what is decided stands. */
static size_t any_place(struct draws *d, const uint8_t *p, size_t n)
{
	static const uint8_t decides[] = {LAY_LIST, LAY_PORT, LAY_PFX4,
					  LAY_SELS, LAY_COLS, LAY_OBSV,
					  LAY_DIMS, LAY_AUTO, LAY_RULE,
					  LAY_GARD, LAY_DATA, LAY_LIMT,
					  LAY_STAT, LAY_ANSW};
	struct lay_header h;
	struct lay_section t;
	uint64_t k;

	memcpy(&h, p, sizeof(h));
	if (h.n_sections == 0 || h.n_sections > 64 || one_in(d, 16))
		return draw(d, n);
	k = draw(d, h.n_sections + 2u);
	if (draw(d, 2))
		k = decides[draw(d, sizeof(decides))] % h.n_sections;
	if (k == h.n_sections)
		return draw(d, sizeof(h));
	if (k > h.n_sections)
		return sizeof(h) + draw(d, h.n_sections * sizeof(t));
	memcpy(&t, p + sizeof(h) + k * sizeof(t), sizeof(t));
	if (t.off >= n || t.len == 0 || t.len > n - t.off)
		return draw(d, n);
	return (size_t)t.off + draw(d, t.len);
}

static void put_number(struct draws *d, uint8_t *p, size_t at, size_t n,
		       size_t wide)
{
	static const uint64_t odd[] = {0, 1, 2, UINT64_MAX, INT64_MAX, 255, 256,
				       UINT32_MAX - 1, 65535};
	uint64_t v = 0;

	at &= ~(wide - 1);
	if (at + wide > n)
		return;
	memcpy(&v, p + at, wide);
	switch (draw(d, 3)) {
	case 0:
		v = odd[draw(d, sizeof(odd) / sizeof(odd[0]))];
		break;
	case 1:
		v += draw(d, 5) - 2;
		break;
	default:
		v ^= UINT64_C(1) << draw(d, 8 * wide);
		break;
	}
	memcpy(p + at, &v, wide);
}

/* One change. Returns how long it is now. */
static size_t change(struct draws *d, uint8_t *p, size_t n)
{
	size_t at = any_place(d, p, n), from, len;

	switch (draw(d, 8)) {
	case 0:
		p[at] = (uint8_t)draw(d, 256);
		break;
	case 1:
		p[at] ^= (uint8_t)(1u << draw(d, 8));
		break;
	case 2:
		put_number(d, p, at, n, 2);
		break;
	case 3:
		put_number(d, p, at, n, 4);
		break;
	case 4:
		put_number(d, p, at, n, 8);
		break;
	case 5: /* what stands elsewhere, as a row or a word might */
		from = any_place(d, p, n);
		len = (size_t)8 << draw(d, 4);
		at &= ~(size_t)7;
		from &= ~(size_t)7;
		if (at + len <= n && from + len <= n)
			memmove(p + at, p + from, len);
		break;
	case 6:
		len = (size_t)4 << draw(d, 3);
		at &= ~(size_t)3;
		if (at + len <= n)
			memset(p + at, 0, len);
		break;
	default:
		if (one_in(d, 8)) {
			n -= 8 * draw(d, n / 8);
			n = n < sizeof(struct lay_header)
				    ? sizeof(struct lay_header)
				    : n;
		}
		break;
	}
	return n;
}

/* --- what is accepted -------------------------------------------------------- */

struct torn { /* the set with one image in place of another */
	struct pol_image *im[2]; /* loaded twice */
	struct world w[2];
};

static void torn_free(struct torn *t)
{
	for (int i = 0; i < 2; i++) {
		pol_state_free(t->w[i].st);
		pol_set_free(t->w[i].set);
		pol_image_free(t->im[i]);
	}
	memset(t, 0, sizeof(*t));
}

static void to_nowhere(void *arg, struct span text)
{
	size_t *n = arg;

	*n += text.n;
}

/* It says what it is, whatever it is. */
static bool shows(struct law *l, const struct pol_image *im)
{
	static uint8_t text[1 << 18];
	struct wbuf w = wbuf_of(text, sizeof(text));
	bool whole = pol_image_print(im, &w);
	size_t n = 0;
	struct err e;

	if (whole == w.failed)
		return law_broken(l, "printed in part");
	if (pol_image_dump(im, to_nowhere, &n, &e) || !n)
		return law_broken(l, "no dump");
	return true;
}

/* False: it is no set, as sets go; *why: what that breaks, if anything. */
static bool torn_set(struct law *l, struct torn *t, const struct world *of,
		     size_t k, bool *held)
{
	const struct pol_image *im[WORLD_FILES];
	int rc[2];

	*held = true;
	for (int i = 0; i < 2; i++) {
		for (size_t f = 0; f < of->n; f++)
			im[f] = f == k ? t->im[i] : of->image[f];
		rc[i] = pol_set_new(&t->w[i].set, im, of->n, &t->w[i].e);
	}
	if (rc[0] != rc[1])
		*held = law_broken(l, "a set once, and once not");
	/* Counters may be large by right; not here. */
	if (rc[0] || rc[1] || pol_set_machines(t->w[0].set) == 0 ||
	    t->w[0].set->counter_words > MOST_KEPT)
		return false;
	for (int i = 0; i < 2; i++) {
		if (pol_state_new(&t->w[i].st, t->w[i].set, &t->w[i].e))
			return false;
		pol_state_spread(t->w[i].st, false);
	}
	return t->w[0].st->ledger <= MOST_KEPT;
}

static bool same_decision(const struct pol_decision *a,
			  const struct pol_decision *b)
{
	return a->permit == b->permit && a->reason == b->reason &&
	       a->action == b->action && a->wait_ns == b->wait_ns &&
	       memcmp(&a->reasons, &b->reasons, sizeof(a->reasons)) == 0 &&
	       strcmp(a->text, b->text) == 0;
}

/* What a genuine message clears stays cleared, whatever becomes of it. */
static bool may_stay(const struct pol_state *st, uint32_t at)
{
	for (size_t m = 0; m < st->s->n_m; m++) {
		if ((at >= st->states[m] && at < st->builtin[m]) ||
		    (st->s->keeps_flows && at >= st->flows[m] &&
		     at < st->flows[m] + FLOW_STATES * FS_WORDS))
			return st->w[at] == 0;
	}
	return false;
}

/* *same: all is as it was. False: something is not that should be. */
static bool taken_back(const struct pol_state *st, const uint64_t *before,
		       bool *same)
{
	*same = true;
	for (uint32_t i = 0; i < st->ledger; i++) {
		if (st->w[i] == before[i])
			continue;
		*same = false;
		if (!may_stay(st, i))
			return false;
	}
	return true;
}

/* *same: false when the two have different pasts from here on. */
static bool twice(struct law *l, struct torn *t, const struct said *s,
		  struct now now, struct pol_decision *a, bool *same)
{
	static uint64_t before[MOST_KEPT];
	static struct pol_decision b;
	struct pol_state *st = t->w[0].st;

	*same = true;
	memcpy(before, st->w, st->ledger * sizeof(uint64_t));
	world_judge(&t->w[0], s, now, a);
	world_judge(&t->w[1], s, now, &b);
	if (!same_decision(a, &b))
		return law_broken(l, "'%s' and '%s'", a->text, b.text);
	if (!a->permit && a->reason == REASON_NONE)
		return law_broken(l, "refused for no reason");
	if (!a->permit && st->live->n_undo)
		return law_broken(l, "a refusal charges");
	if (a->permit) {
		pol_abort(st);
		if (!taken_back(st, before, same))
			return law_broken(l, "not taken back");
		world_judge(&t->w[0], s, now, &b);
		if (*same && !same_decision(a, &b))
			return law_broken(l, "'%s', then '%s'", a->text,
					  b.text);
	}
	pol_commit(t->w[0].st);
	pol_commit(t->w[1].st);
	return true;
}

/* identical: as the set that it was decides. */
static bool decides(struct law *l, const struct policies *p, struct torn *t,
		    struct world *of, bool identical)
{
	static struct pol_decision a, b;
	size_t machines = pol_set_machines(t->w[0].set);
	struct draws *d = &l->history;
	struct now now = law_noon();
	struct said s = {0};

	world_reset(of);
	for (unsigned i = 0; i < EVENTS && draw(d, 40); i++) {
		struct said there;
		bool go_on;

		s = throw(d, p, &s);
		said_time(&s, &now);
		said_tell(l, &s);
		there = s;
		there.machine %= machines;
		if (!said_judged(&s)) {
			world_other(of, &s, now);
			world_other(&t->w[0], &there, now);
			world_other(&t->w[1], &there, now);
			continue;
		}
		if (!twice(l, t, &there, now, &a, &go_on))
			return false;
		world_judge(of, &s, now, &b);
		law_tell(l, "     %s, was %s\n",
			 a.permit ? "permitted" : a.text,
			 b.permit ? "permitted" : b.text);
		if (b.permit)
			pol_commit(of->st);
		else
			pol_abort(of->st);
		l->saw[SAW_PERMIT] |= a.permit;
		l->saw[SAW_REFUSAL] |= !a.permit;
		if (identical && !same_decision(&a, &b))
			return law_broken(l, "message %u: '%s', was '%s'", i,
					  a.text, b.text);
		l->saw[SAW_OTHER] |= !same_decision(&a, &b);
		if (!go_on)
			break;
	}
	return true;
}

/* --- the law ----------------------------------------------------------------- */

static bool loads(struct law *l, struct torn *t, struct span octets)
{
	struct err e[2];
	int rc[2];

	for (int i = 0; i < 2; i++)
		rc[i] = pol_image_load(&t->im[i], octets, &e[i]);
	l->saw[SAW_REFUSED] = rc[0] != 0;
	l->saw[SAW_ACCEPTED] = rc[0] == 0;
	if (rc[0] != rc[1] || (rc[0] && (t->im[0] || t->im[1])) || rc[0] > 0)
		return law_broken(l, "loaded %d, then %d", rc[0], rc[1]);
	if (rc[0])
		law_tell(l, "======== refused: %s\n", e[0].text);
	return true;
}

static bool law_11(struct law *l)
{
	static struct policies p;
	static struct world w;
	static struct torn t;
	static bool fine;
	struct draws *d = &l->history;
	size_t k, n, was;
	uint64_t covered;
	uint8_t *at;
	bool held, same;

	if (!l->same_policy) {
		make_policies(&l->policy, &p, true);
		tell_policies(l, &p);
		fine = world_of(&w, &p);
	}
	if (!fine)
		return law_skip(l);
	torn_free(&t);
	k = draw(d, w.n);
	covered = draw(d, 12);
	n = was = w.n_octets[k];
	if (n > MOST)
		return law_skip(l);
	writable(true);
	at = arena() + MOST - n;
	memcpy(at, w.octets[k], n);
	for (uint64_t c = 1 + (draw(d, 2) ? draw(d, 4) : 0); c; c--)
		n = change(d, at, n);
	memmove(at + was - n, at, n); /* to the end again */
	at += was - n;
	if (covered > 0)
		image_put_right(at, n,
				covered > 2 ? RIGHT_RULES : RIGHT_CRC);
	writable(false);
	same = n == was && memcmp(at, w.octets[k], n) == 0;
	law_tell(l, "======== file %zu of %zu octets, now %zu, %s\n", k, was,
		 n,
		 covered == 0  ? "changed"
		 : covered < 3 ? "with checksums"
			       : "with its digest");
	for (size_t i = 0; l->tell && i < n && i < was; i++) {
		if (at[i] != w.octets[k][i])
			law_tell(l, "  octet %zu: %02x, was %02x\n", i, at[i],
				 w.octets[k][i]);
	}
	held = loads(l, &t, span_of(at, n));
	/* Of one octet that changes, some checksum says so. */
	if (held && covered == 0 && !same && l->saw[SAW_ACCEPTED])
		held = law_broken(l, "changed, and no checksum says so");
	if (held && l->saw[SAW_ACCEPTED])
		held = shows(l, t.im[0]);
	l->saw[SAW_SAME] = same;
	l->saw[SAW_TORN] = !same && l->saw[SAW_ACCEPTED];
	if (held && l->saw[SAW_ACCEPTED]) {
		if (torn_set(l, &t, &w, k, &held))
			held = decides(l, &p, &t, &w, covered < 3);
		else if (held && covered < 3)
			held = law_broken(l, "no set, and was one");
	}
	torn_free(&t);
	return held;
}

static void test_changed_octets(void **ctx)
{
	static const struct law_share shares[] = {
		{"refused by the verifier", 30}, {"accepted", 15},
		{"not changed at last", 0}, {"other decisions", 1},
		{"permitted", 10}, {"refused", 15},
		{"changed and accepted", 10}, {0}};

	(void)ctx;
	law_run("law 11", law_11, shares);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changed_octets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
