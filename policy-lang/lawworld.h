/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies of a law compiled, composed and judged: several worlds side by
 * side, which see the same messages at the same time.
 */
#ifndef POLICY_LANG_LAWWORLD_H
#define POLICY_LANG_LAWWORLD_H

#include "policy-lang/eval/ledger.h"
#include "policy-lang/eval/testkit.h"
#include "policy-lang/front/front.h"
#include "policy-lang/lawpolicy.h"

#define WORLD_FILES 4

struct world {
	size_t n;
	struct pol_file *file[WORLD_FILES];
	struct pol_image *image[WORLD_FILES];
	uint8_t *octets[WORLD_FILES];
	size_t n_octets[WORLD_FILES];
	struct pol_set *set;
	struct pol_state *st, fresh; /* and as it was when it was new */
	uint64_t *words;	     /* up to the rows of its ledger */
	struct mem_live live;
	struct diags d; /* of what was read */
	struct err e;
};

/* --- compiled --------------------------------------------------------------- */

static inline void world_free(struct world *w)
{
	pol_state_free(w->st);
	pol_set_free(w->set);
	for (size_t i = 0; i < w->n; i++) {
		pol_image_free(w->image[i]);
		free(w->octets[i]);
		pol_file_free(w->file[i]);
	}
	free(w->words);
	w->n = 0;
	w->st = NULL;
	w->set = NULL;
	w->words = NULL;
}

/* One text into w->file[at] and so on. False: it is no policy, see w->d. */
static inline bool world_text(struct world *w, const char *text, size_t n)
{
	static const char *const paths[WORLD_FILES] = {"0.yaml", "1.yaml",
						       "2.yaml", "3.yaml"};
	size_t i = w->n;

	w->d.n = w->d.errors = w->d.warnings = w->d.infos = 0;
	w->file[i] = NULL;
	w->image[i] = NULL;
	w->octets[i] = NULL;
	if (pol_read(&w->file[i], paths[i], span_of(text, n), NULL, &w->d,
		     &w->e))
		return false;
	w->n++;
	return pol_image_build(&w->octets[i], &w->n_octets[i], w->file[i],
			       &w->e) == 0 &&
	       pol_image_load(&w->image[i],
			      span_of(w->octets[i], w->n_octets[i]), &w->e) ==
		       0;
}

static inline bool world_add(struct world *w, const struct lt *t)
{
	static char text[64 * 1024];

	return world_text(w, text, lt_write(t, text, sizeof(text), NULL, false));
}

static inline size_t world_kept(const struct pol_state *st)
{
	return (st->ledger + LG_HEAD) * sizeof(uint64_t);
}

/* Set and state of what was added. */
static inline bool world_go(struct world *w)
{
	const struct pol_image *im[WORLD_FILES];

	for (size_t i = 0; i < w->n; i++)
		im[i] = w->image[i];
	if (pol_set_new(&w->set, im, w->n, &w->e) ||
	    pol_state_new(&w->st, w->set, &w->e))
		return false;
	pol_state_spread(w->st, false);
	w->fresh = *w->st;
	w->live = *w->st->live;
	w->words = malloc(world_kept(w->st));
	memcpy(w->words, w->st->w, world_kept(w->st));
	return true;
}

/* As it was when nothing had happened, in less time than a new one takes. */
static inline void world_reset(struct world *w)
{
	uint64_t *lg = w->st->w + w->st->ledger;
	uint64_t rows = lg[LG_ROWS];

	memset(ledger_row(lg, 0), 0, rows * LR_WORDS * sizeof(uint64_t));
	memcpy(w->st->w, w->words, world_kept(w->st));
	*w->st->live = w->live;
	*w->st = w->fresh;
}

/* What the front said, for skips that were not meant. */
static inline void world_why(const struct world *w, char *buf, size_t cap)
{
	for (size_t i = 0; i < w->d.n; i++) {
		if (w->d.d[i].level == DIAG_ERROR) {
			snprintf(buf, cap, "P%u %s", w->d.d[i].code,
				 w->d.d[i].text);
			return;
		}
	}
	snprintf(buf, cap, "%s", w->e.text);
}

static inline bool world_has_code(const struct world *w, unsigned code)
{
	for (size_t i = 0; i < w->d.n; i++) {
		if (w->d.d[i].code == code && w->d.d[i].level == DIAG_ERROR)
			return true;
	}
	return false;
}

/* --- sets of policies ------------------------------------------------------- */

#define TOPICS 40

struct topic { /* of a grant: what fits it */
	unsigned machine, about, var, who;
	meas_set meas;
};

struct policies {
	struct lt base, vendor[2], customer;
	bool has_base, two, has_customer;
	struct topic topic[TOPICS];
	unsigned n_topic;
};

/* Machines in the order of their names: dr, mdma. */
static inline size_t machine_of(const struct policies *p, int vendor)
{
	return p->two && vendor == 0 ? 1 : 0;
}

static inline meas_set meas_of(const struct lt *t, uint16_t rule)
{
	uint16_t data = lt_get(t, rule, "data");
	uint16_t at = data ? lt_get(t, data, "measurement") : 0;
	meas_set all = 0;

	if (at && t->node[at].type == LT_SCALAR)
		return meas_parse(span_str(lt_str(t, t->node[at].text)));
	for (uint16_t k = at ? t->node[at].first : 0; k; k = t->node[k].next)
		all |= meas_parse(span_str(lt_str(t, t->node[k].text)));
	return all;
}

static inline void find_topics(struct policies *p, int vendor)
{
	const struct lt *t = &p->vendor[vendor];
	uint16_t all = lt_get(t, 1, "allow");

	for (uint16_t k = t->node[all].first; k && p->n_topic < TOPICS;
	     k = t->node[k].next) {
		const char *id = lt_str(t, t->node[k].key);
		const char *who =
			lt_str(t, t->node[lt_get(t, k, "party")].text);

		p->topic[p->n_topic++] = (struct topic){
			(unsigned)machine_of(p, vendor),
			(unsigned)(id[5] - 'a'), (unsigned)(id[6] - '0'),
			*who == 's'   ? 1
			: *who == 'o' ? 3
				      : 0,
			meas_of(t, k)};
	}
}

static inline void make_policies(struct draws *d, struct policies *p,
				 bool customer)
{
	const struct lt *v[] = {&p->vendor[0], &p->vendor[1]};

	p->has_base = draw(d, 4) > 0;
	p->two = one_in(d, 4);
	p->has_customer = customer && draw(d, 3) > 0;
	if (p->has_base)
		make_baseline(d, &p->base);
	make_vendor(d, &p->vendor[0], "mdma", p->two ? "dr" : NULL);
	if (p->two)
		make_vendor(d, &p->vendor[1], "dr", "mdma");
	if (p->has_customer)
		make_customer(d, &p->customer, v, p->two ? 2 : 1);
	p->n_topic = 0;
	find_topics(p, 0);
	if (p->two)
		find_topics(p, 1);
}

static inline void copy_policies(struct policies *to, const struct policies *p)
{
	to->has_base = p->has_base;
	to->two = p->two;
	to->has_customer = p->has_customer;
	if (p->has_base)
		lt_copy(&to->base, &p->base);
	lt_copy(&to->vendor[0], &p->vendor[0]);
	if (p->two)
		lt_copy(&to->vendor[1], &p->vendor[1]);
	if (p->has_customer)
		lt_copy(&to->customer, &p->customer);
}

/* Machines in the order of their names: dr, mdma. */
static inline bool world_of(struct world *w, const struct policies *p)
{
	world_free(w);
	return (!p->has_base || world_add(w, &p->base)) &&
	       (!p->two || world_add(w, &p->vendor[1])) &&
	       world_add(w, &p->vendor[0]) &&
	       (!p->has_customer || world_add(w, &p->customer)) && world_go(w);
}

/* --- told ------------------------------------------------------------------- */

static inline void tell_tree(const struct law *l, const struct lt *t)
{
	static char text[64 * 1024];

	if (!l->tell)
		return;
	lt_write(t, text, sizeof(text), NULL, false);
	law_tell(l, "---\n%s", text);
}

static inline void tell_policies(const struct law *l, const struct policies *p)
{
	if (p->has_base)
		tell_tree(l, &p->base);
	tell_tree(l, &p->vendor[0]);
	if (p->two)
		tell_tree(l, &p->vendor[1]);
	if (p->has_customer)
		tell_tree(l, &p->customer);
}

#endif
