/* SPDX-License-Identifier: Apache-2.0 */
/* What may have gone before a message: what it answers, and states. */
#include "policy-lang/front/overlap.h"
#include "policy-lang/scene.h"

/* The step's message as a selection of just that. */
static struct pol_obs_match just(const struct pol_step_src *step)
{
	struct pol_obs_match m = {.attr = step->attr, .n_attr = step->n_attr};

	m.kinds.w[step->kind / 64] |= UINT64_C(1) << (step->kind % 64);
	return m;
}

static bool selects(const struct pol_rule_src *r,
		    const struct pol_step_src *step)
{
	struct pol_obs_match m = just(step);

	return r->data.present == step->has_data &&
	       (!step->has_data || (r->data.meas & step->meas)) &&
	       match_meet(r->match, r->n_match, &m, 1, NULL);
}

static bool names_party(const struct pol_file *f, const struct pol_rule_src *r,
			const char *party)
{
	for (size_t i = 0; party && i < r->party.n_party; i++) {
		if (strcmp(f->party[r->party.party[i]].id, party) == 0)
			return true;
	}
	return false;
}

/* A value that a selection admits, as one that was seen. */
static void seen_of(struct pol_attr *out, const struct pol_attr *in,
		    struct pol_range *num, const char **text, char *buf,
		    size_t cap)
{
	*out = *in;
	if (in->n_num) {
		/* Of sizes up to a bound the bound itself. */
		num->lo = num->hi =
			in->field == F_BODY ? in->num[0].hi : in->num[0].lo;
		out->num = num;
		out->n_num = 1;
	}
	if (in->n_text) {
		size_t n = 0;

		for (const char *p = in->text[0]; *p && n + 2 < cap; p++) {
			if (*p != '*')
				buf[n++] = *p;
			else if (p[1] != '*')
				buf[n++] = 'x';
		}
		buf[n] = 0;
		*text = buf;
		out->text = text;
		out->n_text = 1;
	}
}

static bool own_value(struct pol_attr *out, const struct pol_attr *in,
		      const struct pol_step_src *step)
{
	for (size_t i = 0; i < step->n_attr; i++) {
		const struct pol_attr *a = &step->attr[i];

		for (size_t k = 0; a->field == in->field && k < in->n_num;
		     k++) {
			if (a->n_num && a->num[0].lo >= in->num[k].lo &&
			    a->num[0].lo <= in->num[k].hi) {
				*out = *a;
				return true;
			}
		}
	}
	return false;
}

/* The request that the answered rule permits, judged and let pass: its id,
 * or 0. */
static uint64_t ask(struct scene *s, const struct pol_step_src *step,
		    const struct pol_rule_src *asked)
{
	struct pol_attr attr[8];
	struct pol_range num[8];
	const char *text[8];
	char buf[8][160];
	struct pol_step_src req = *step;
	struct scene_msg m;
	struct pol_decision d;
	struct err e;

	if (asked->n_match == 0)
		return 0;
	req.dir = step->dir == DIR_OUT ? DIR_IN : DIR_OUT;
	req.has_data = false;
	for (unsigned k = 0; k < OBS_COUNT; k++) {
		if (asked->match[0].kinds.w[k / 64] >> (k % 64) & 1) {
			req.kind = (enum obs_kind)k;
			break;
		}
	}
	req.n_attr = 0;
	for (size_t i = 0; i < asked->match[0].n_attr && i < 8; i++) {
		const struct pol_attr *in = &asked->match[0].attr[i];

		/* Asked for what the answer is about, if it may be. */
		if (!own_value(&attr[req.n_attr], in, step))
			seen_of(&attr[req.n_attr], in, &num[i], &text[i],
				buf[i], sizeof(buf[i]));
		req.n_attr++;
	}
	req.attr = attr;
	if (scene_message(s, &req, step->vm, 0, &m, &e))
		return 0;
	scene_judge(s, &m.msg, &d);
	return d.permit ? d.request_id : 0;
}

uint64_t scene_ask_for(struct scene *s, const struct pol_step_src *step)
{
	const struct pol_file *f = scene_policy(s, step->vm);
	enum pol_dirsel dir = step->dir == DIR_OUT ? DIRSEL_OUT : DIRSEL_IN;

	for (size_t i = 0; f && i < f->n_rule; i++) {
		const struct pol_rule_src *r = &f->rule[i];

		if (r->kind != RULE_GRANT || !r->has_answers ||
		    (r->dir != DIRSEL_ANY && r->dir != dir) ||
		    !selects(r, step) || !names_party(f, r, step->party))
			continue;
		for (size_t k = 0; k < r->n_answers; k++) {
			uint64_t id = ask(s, step, &f->rule[r->answers[k]]);

			if (id)
				return id;
		}
	}
	return 0;
}

void scene_assume(struct scene *s, const struct pol_step_src *step)
{
	const struct pol_file *f = scene_policy(s, step->vm);
	int m = pol_set_find_machine(s->set, span_str(step->vm));
	struct span party = span_str(step->party);

	if (m < 0)
		return;
	/* Those that do not apply here are refused: nothing to do then. */
	if (pol_state_set(s->state, (size_t)m, span_str("attested"),
			  (struct span){0}, true, s->now))
		return;
	for (size_t i = 0; f && i < f->n_state; i++) {
		struct span to = f->state[i].scope == SCOPE_PARTY
					 ? party
					 : (struct span){0};

		if (pol_state_set(s->state, (size_t)m, span_str(f->state[i].id),
				  to, true, s->now))
			continue;
	}
}
