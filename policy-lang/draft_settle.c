/* SPDX-License-Identifier: Apache-2.0 */
/* Rules to be that would select one message become one, and all get names. */
#include <stdio.h>
#include <string.h>

#include "policy-lang/draft.h"

/* "out-read-response-23" */
static void name_need(struct draft *d, size_t i)
{
	struct draft_need *n = &d->need[i];
	const char *name = obs_name(n->kind), *dot = strchr(name, '.');
	char of[24] = "";
	size_t k = 0;

	if (n->alone && n->n_attr && n->attr[0].field == F_TABLE)
		snprintf(of, sizeof(of), "-%u", n->attr[0].num[0]);
	snprintf(n->id, sizeof(n->id), "%s-%.24s%s",
		 n->dir == DIR_OUT ? "send" : "take", dot ? dot + 1 : name, of);
	for (size_t j = 0; j < i; j++) {
		size_t len = strlen(n->id);

		k += strncmp(d->need[j].id, n->id, len) == 0 &&
		     (d->need[j].id[len] == 0 || d->need[j].id[len] == '.');
	}
	if (k) {
		size_t len = strlen(n->id);

		snprintf(n->id + len, sizeof(n->id) - len, ".%zu", k + 1);
	}
}

static bool is_class(meas_set m, enum meas_class c)
{
	for (unsigned i = 0; i < MEAS_COUNT; i++) {
		if (m & MEAS_BIT(i) && meas_class((enum meas)i) == c)
			return true;
	}
	return false;
}

/* Registers read more often than the series is fine are that series: the one
 * rule may then be as fine as the other makes it (P5102). */
static void level(struct draft *d)
{
	for (size_t i = 0; i < d->n_need; i++) {
		struct draft_need *a = &d->need[i];

		if (!is_class(a->meas, MEAS_CLASS_SERIES))
			continue;
		for (size_t k = 0; k < d->n_need; k++) {
			const struct draft_need *b = &d->need[k];
			int64_t every = b->gap_ns / NS_PER_S;

			if (b->party == a->party && b->dir == DIR_OUT &&
			    is_class(b->meas, MEAS_CLASS_SNAPSHOT) &&
			    every < a->gran_s)
				a->gran_s = every > 0 ? every : 1;
		}
	}
}

static struct draft_attr *attr_of(struct draft_need *n, uint16_t field)
{
	for (size_t i = 0; i < n->n_attr; i++) {
		if (n->attr[i].field == field)
			return &n->attr[i];
	}
	return NULL;
}

static bool attrs_meet(const struct draft_attr *a, const struct draft_attr *b)
{
	struct draft_attr one = {.field = b->field};

	if (a->field == F_BODY)
		return true;
	for (size_t i = 0; i < b->n; i++) {
		one.num[0] = b->num[i];
		memcpy(one.text[0], b->text[i], sizeof(one.text[0]));
		if (draft_has_value(a, &one))
			return true;
	}
	return false;
}

/* Would both select one message? Two such rules are an error (P4001). */
static bool meet(struct draft_need *a, struct draft_need *b)
{
	if (a->party != b->party || a->dir != b->dir || a->kind != b->kind ||
	    !a->meas != !b->meas)
		return false;
	for (size_t i = 0; i < a->n_attr; i++) {
		const struct draft_attr *o = attr_of(b, a->attr[i].field);

		if (o && !attrs_meet(&a->attr[i], o))
			return false;
	}
	return true;
}

/* What both say, with the values of both; what one does not say, or has no
 * room for, narrows neither. */
static void join_attrs(struct draft_need *a, struct draft_need *b)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n_attr; i++) {
		struct draft_attr *x = &a->attr[i], *o = attr_of(b, x->field);

		if (!o || !draft_add_values(x, o))
			continue;
		if (n != i)
			a->attr[n] = *x;
		n++;
	}
	a->n_attr = n;
}

static void join_values(struct draft_need *a, const struct draft_need *b)
{
	a->meas |= b->meas;
	a->has_gran &= b->has_gran;
	a->has_delay &= b->has_delay;
	a->has_value &= b->has_value;
	a->has_channels &= b->has_channels;
	a->has_res &= b->has_res && a->res_unit == b->res_unit;
	a->res_milli = draft_gcd(a->res_milli, b->res_milli);
	if (b->gran_s < a->gran_s)
		a->gran_s = b->gran_s;
	if (b->oldest_s > a->oldest_s)
		a->oldest_s = b->oldest_s;
	if (b->delay_s < a->delay_s)
		a->delay_s = b->delay_s;
	if (b->value_lo < a->value_lo)
		a->value_lo = b->value_lo;
	if (b->value_hi > a->value_hi)
		a->value_hi = b->value_hi;
	if (b->channels > a->channels)
		a->channels = b->channels;
}

/* b becomes a part of a; of how they were spread over time only the sum is
 * known. */
static void join(struct draft *d, size_t a, size_t b)
{
	struct draft_need *x = &d->need[a], *y = &d->need[b];

	join_attrs(x, y);
	join_values(x, y);
	x->messages += y->messages;
	x->most += y->most;
	x->octets_most += y->octets_most;
	x->gap_ns = 0;
	x->halves |= y->halves;
	x->days |= y->days || x->day != y->day;
	for (size_t i = 0; i < y->n_answers; i++)
		draft_add_answer(x, y->answers[i]);
	memmove(y, y + 1, (d->n_need - b - 1) * sizeof(*y));
	d->n_need--;
	for (size_t i = 0; i < d->n_need; i++) {
		struct draft_need *n = &d->need[i];
		size_t k = n->n_answers;

		n->n_answers = 0;
		for (size_t j = 0; j < k; j++) {
			size_t to = n->answers[j];

			draft_add_answer(n, to == b ? a : to > b ? to - 1 : to);
		}
	}
}

static bool join_one(struct draft *d)
{
	for (size_t a = 0; a < d->n_need; a++) {
		for (size_t b = a + 1; b < d->n_need; b++) {
			if (meet(&d->need[a], &d->need[b])) {
				join(d, a, b);
				return true;
			}
		}
	}
	return false;
}

void draft_settle(struct draft *d)
{
	while (join_one(d))
		;
	level(d);
	for (size_t i = 0; i < d->n_need; i++)
		name_need(d, i);
	for (size_t i = 0; i < d->n_need; i++) {
		for (char *p = d->need[i].id; *p; p++)
			*p = *p == '.' ? '-' : *p;
	}
}
