/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/daemon/answers.h"

#include <stdio.h>
#include <string.h>

#include "policy-lang/analysis/within.h"
#include "policy-lang/image/view.h"

#define TEXT(s) (int)(s).n, (const char *)(s).p

static const struct pol_image *vendor_of(const struct capture_policy *p,
					 struct span id)
{
	for (size_t i = 0; i < p->n; i++) {
		if (pol_image_kind(p->image[i]) == POL_VENDOR &&
		    span_eq(pol_image_id(p->image[i]), id))
			return p->image[i];
	}
	return NULL;
}

/* What was found out of a policy for one answer holds for the next, which is
 * often about the same. */
struct kept {
	const struct pol_image *is, *old;
	struct within_rules in;
};

/* Is the rule that the answer grants new, or wider than it was? */
static bool wider(struct kept *k, const struct pol_image *c,
		  const struct lay_answer *a, const struct capture_policy *next,
		  const struct policy_store *was)
{
	struct span id = img_str(c, a->policy), rule = img_str(c, a->rule);
	const struct pol_image *is = vendor_of(next, id);
	const struct pol_image *old = store_in_force(was, POL_VENDOR, id);

	if (!a->granted || !is || (old && store_same(is, old)))
		return false;
	if (old && (k->is != is || k->old != old)) {
		*k = (struct kept){.is = is, .old = old};
		pol_within_rules(is, old, &k->in);
	}
	for (uint32_t i = 0; i < is->n_RULE; i++) {
		if (is->RULE[i].kind == RULE_GRANT &&
		    span_eq(img_str(is, is->RULE[i].id), rule))
			return !old || !within_has(&k->in, i);
	}
	return false;
}

bool answers_were_void(const struct store_voids *v,
		       const struct pol_image *customer, uint32_t answer)
{
	uint8_t digest[32];

	pol_image_digest(customer, digest);
	if (memcmp(v->of, digest, sizeof(v->of)) != 0)
		return false;
	for (size_t i = 0; i < v->n; i++) {
		if (v->answer[i] == answer)
			return true;
	}
	return false;
}

static int void_one(struct store_voids *out, struct policies *next,
		    uint32_t answer, struct err *e)
{
	int rc;

	if (out->n == STORE_VOIDS)
		return err_set(e, E_LIMIT, 0,
			       "more than %d answers would be void",
			       STORE_VOIDS);
	out->answer[out->n++] = answer;
	rc = pol_set_void(next->files.set, answer);
	return rc < 0 ? err_set(e, rc, 0, "answers that are void") : 0;
}

int answers_follow(struct store_voids *out, struct policies *next,
		   const struct policy_store *was, struct err *e)
{
	const struct pol_image *c = NULL;
	struct kept k = {0};
	int rc = 0;

	out->n = 0;
	memset(out->of, 0, sizeof(out->of));
	for (size_t i = 0; i < next->files.n; i++) {
		if (pol_image_kind(next->files.image[i]) == POL_CUSTOMER)
			c = next->files.image[i];
	}
	if (!c)
		return 0;
	pol_image_digest(c, out->of);
	for (uint32_t i = 0; rc == 0 && i < c->n_ANSW; i++) {
		if (answers_were_void(&was->voids, c, i) ||
		    wider(&k, c, &c->ANSW[i], &next->files, was))
			rc = void_one(out, next, i, e);
	}
	return rc;
}

bool answers_go(const struct pol_image *customer,
		const struct capture_policy *next,
		const struct policy_store *was)
{
	struct kept k = {0};

	for (uint32_t i = 0; i < customer->n_ANSW; i++) {
		if (wider(&k, customer, &customer->ANSW[i], next, was))
			return true;
	}
	return false;
}

void answer_name(char name[ANSWER_NAME], const struct pol_image *customer,
		 uint32_t answer)
{
	const struct lay_answer *a = &customer->ANSW[answer];
	struct span p = img_str(customer, a->policy);
	struct span r = img_str(customer, a->rule);

	snprintf(name, ANSWER_NAME, "%.*s/%.*s", TEXT(p), TEXT(r));
}
