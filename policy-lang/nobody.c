/* SPDX-License-Identifier: Apache-2.0 */
/* Names in a baseline that nobody of the household has, by which it loosens
 * what its author believes to be held (P4016). */
#include <stdio.h>
#include <stdlib.h>

#include "policy-lang/front/diag.h"
#include "policy-lang/polc.h"

struct names {
	const char **v;
	size_t n;
};

struct looking {
	const struct pol_file *f;
	struct names machine, operator_;
	struct diags *d;
};

static bool has(const struct names *names, const char *name)
{
	for (size_t i = 0; i < names->n; i++) {
		if (strcmp(names->v[i], name) == 0)
			return true;
	}
	return false;
}

static void ask(const struct looking *l, const struct names *of,
		const char *what, const char *name, const char *id,
		struct pol_pos pos)
{
	struct diag_at at = {pos.line, pos.col, (uint32_t)strlen(id)};
	const char *near;
	char hint[200];

	if (has(of, name))
		return;
	near = nearest(span_str(name), of->v, of->n);
	snprintf(hint, sizeof(hint), "did you mean '%s'?", near ? near : "");
	diag_add(l->d, DIAG_WARNING, 4016, l->f->path, at, near ? hint : NULL,
		 "'%s' names the %s '%s', of which this household has none",
		 id, what, name);
}

static void ask_machines(const struct looking *l, const struct pol_vm_sel *s,
			 const char *id, struct pol_pos pos)
{
	for (size_t i = 0; !s->any && i < s->n_vm; i++)
		ask(l, &l->machine, "machine", s->vm[i], id, pos);
}

static void ask_operators(const struct looking *l,
			  const struct pol_party_sel *s, const char *id,
			  struct pol_pos pos)
{
	for (size_t i = 0; i < s->n_operator; i++)
		ask(l, &l->operator_, "operator", s->operator_[i], id, pos);
}

/* A ceiling for an operator that is not there opens nothing; what denies and
 * limits one holds nobody. */
static void ask_all(const struct looking *l)
{
	const struct pol_file *f = l->f;

	for (size_t i = 0; i < f->n_rule; i++) {
		const struct pol_rule_src *r = &f->rule[i];

		ask_machines(l, &r->vm, r->id, r->pos);
		if (r->kind == RULE_DENY)
			ask_operators(l, &r->party, r->id, r->pos);
	}
	for (size_t i = 0; i < f->n_limit; i++) {
		const struct pol_limit_src *x = &f->limit[i];

		ask_machines(l, &x->vm, x->id, x->pos);
		ask_operators(l, &x->party, x->id, x->pos);
	}
	for (size_t i = 0; i < f->n_floor; i++) {
		const struct pol_floor_src *x = &f->floor[i];

		ask(l, &l->machine, "machine", x->vm, x->id, x->pos);
	}
}

static void find_names(struct looking *l, const struct pol_files *s)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct pol_file *f = s->f[i];

		for (size_t k = 0; k < f->n_machine; k++)
			l->machine.v[l->machine.n++] = f->machine[k].id;
		for (size_t k = 0; f->kind == POL_VENDOR && k < f->n_party; k++) {
			if (f->party[k].operator_)
				l->operator_.v[l->operator_.n++] =
					f->party[k].operator_;
		}
	}
}

int nobody_check(const struct pol_files *s, struct diags *d, struct err *e)
{
	struct looking l = {.d = d};
	size_t machines = 1, parties = 1;
	bool home = false;

	for (size_t i = 0; i < s->n; i++) {
		home |= s->f[i]->kind == POL_BINDING;
		machines += s->f[i]->n_machine;
		parties += s->f[i]->n_party;
	}
	if (!home)
		return 0;
	l.machine.v = calloc(machines, sizeof(*l.machine.v));
	l.operator_.v = calloc(parties, sizeof(*l.operator_.v));
	if (l.machine.v && l.operator_.v) {
		find_names(&l, s);
		for (size_t i = 0; i < s->n; i++) {
			l.f = s->f[i];
			if (l.f->kind == POL_BASELINE)
				ask_all(&l);
		}
	} else {
		machines = 0;
	}
	free(l.machine.v);
	free(l.operator_.v);
	return machines ? 0 : err_set(e, E_NOMEM, 0, "out of memory");
}
