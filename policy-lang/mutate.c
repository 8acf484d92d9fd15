/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/mutate.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/json.h"
#include "policy-lang/front/overlap.h"
#include "policy-lang/image/layout.h"

/* --- making one ------------------------------------------------------------
 */

/* Counts the places where a constraint can go, up to the one that is asked
 * for. */
struct seek {
	struct mutant *m;
	const struct pol_file *f;
	size_t left;
	bool found;
	struct err *e;
};

/* Is this the place? */
static bool here(struct seek *s, struct pol_pos pos, const char *of,
		 const char *what, size_t n)
{
	char num[24] = "";

	if (s->found || s->left-- > 0)
		return false;
	if (n)
		snprintf(num, sizeof(num), "/%zu", n);
	snprintf(s->m->name, sizeof(s->m->name), "%s/%s/%s%s", s->f->id, of,
		 what, num);
	s->m->pos = pos;
	s->found = true;
	return true;
}

/* n elements of an array, without the one at cut (n: all of them). */
static void *copy(struct seek *s, const void *from, size_t n, size_t size,
		  size_t cut)
{
	struct mutant *m = s->m;
	char *to = calloc(n + 1, size);

	if (!to || m->n_own == sizeof(m->own) / sizeof(m->own[0])) {
		free(to);
		err_set(s->e, E_NOMEM, 0, "out of memory");
		return NULL;
	}
	m->own[m->n_own++] = to;
	memcpy(to, from, cut * size);
	if (cut < n)
		memcpy(to + cut * size, (const char *)from + (cut + 1) * size,
		       (n - cut - 1) * size);
	return to;
}

/* The rule of the mutant that is to be changed. */
static struct pol_rule_src *own_rule(struct seek *s, size_t i)
{
	struct pol_rule_src *r =
		copy(s, s->f->rule, s->f->n_rule, sizeof(*r), s->f->n_rule);

	if (!r)
		return NULL;
	s->m->file.rule = r;
	return &r[i];
}

static void cut_limit(struct seek *s, size_t i, size_t k)
{
	struct pol_rule_src *r = own_rule(s, i);

	if (!r)
		return;
	r->limit = copy(s, r->limit, r->n_limit, sizeof(r->limit[0]), k);
	r->n_limit -= r->limit ? 1 : r->n_limit;
}

static void cut_state(struct seek *s, size_t i, size_t k, bool forbids)
{
	struct pol_rule_src *r = own_rule(s, i);
	const uint16_t **v;
	size_t *n;

	if (!r)
		return;
	v = forbids ? &r->forbids : &r->requires_;
	n = forbids ? &r->n_forbids : &r->n_requires;
	*v = copy(s, *v, *n, sizeof(**v), k);
	*n -= *v ? 1 : *n;
}

static void cut_attr(struct seek *s, size_t i, size_t k, size_t a)
{
	struct pol_rule_src *r = own_rule(s, i);
	struct pol_obs_match *o;

	if (!r)
		return;
	o = copy(s, r->match, r->n_match, sizeof(*o), r->n_match);
	r->match = o;
	if (!o) {
		r->n_match = 0;
		return;
	}
	o[k].attr = copy(s, o[k].attr, o[k].n_attr, sizeof(o[k].attr[0]), a);
	o[k].n_attr -= o[k].attr ? 1 : o[k].n_attr;
}

/* --- who a party is ---------------------------------------------------------
 */

/* The party of the mutant that is to be changed. */
static struct pol_party_src *own_party(struct seek *s, size_t i)
{
	struct pol_party_src *p =
		copy(s, s->f->party, s->f->n_party, sizeof(*p), s->f->n_party);

	if (!p)
		return NULL;
	s->m->file.party = p;
	return &p[i];
}

/* Any host, of either family. */
static const struct pol_prefix anywhere = {.len = 0};

/* Each thing that tells a party from others. What a gateway would check where
 * it seals the channel itself (tls.mode: gateway) no test can show; of a party
 * without an address and a name the ApTitle is all that there is. */
static void of_party(struct seek *s, size_t i)
{
	const struct pol_party_src *p = &s->f->party[i];
	struct pol_party_src *c;

	if ((p->n_addr || p->dns) &&
	    here(s, p->pos, p->id, p->n_addr ? "address" : "dns", 0)) {
		c = own_party(s, i);
		if (c) {
			c->dns = NULL;
			c->addr = &anywhere;
			c->n_addr = 1;
		}
	}
	if (p->n_port && here(s, p->pos, p->id, "ports", 0)) {
		c = own_party(s, i);
		if (c)
			c->n_port = 0;
	}
	if (p->aptitle.n && (p->n_addr || p->dns) &&
	    here(s, p->pos, p->id, "aptitle", 0)) {
		c = own_party(s, i);
		if (c)
			c->aptitle = (struct span){0};
	}
	if (p->tls_end_to_end && p->n_tls_name &&
	    here(s, p->pos, p->id, "tls", 0)) {
		c = own_party(s, i);
		if (c)
			c->n_tls_name = 0;
	}
}

/* --- what a rule is bound by -----------------------------------------------
 */

/* A flag of the rule's that is reset. */
#define CUT(flag, where, what)                                                 \
	if (r->flag && here(s, where, r->id, what, 0)) {                       \
		struct pol_rule_src *c = own_rule(s, i);                       \
                                                                               \
		if (c)                                                         \
			c->flag = 0;                                           \
	}

static void of_data(struct seek *s, size_t i)
{
	const struct pol_rule_src *r = &s->f->rule[i];

	if (r->data.present && r->data.meas != MEAS_ALL &&
	    here(s, r->data.pos, r->id, "measurement", 0)) {
		struct pol_rule_src *c = own_rule(s, i);

		if (c)
			c->data.meas = MEAS_ALL;
	}
	CUT(data.has_gran, r->data.pos_gran, "granularity")
	CUT(data.has_history, r->data.pos_history, "history")
	CUT(data.has_delay, r->data.pos_delay, "delay")
	CUT(data.has_res, r->data.pos_res, "resolution")
	CUT(data.has_value, r->data.pos_value, "value")
	CUT(data.has_channels, r->data.pos_channels, "channels")
}

/* Kinds that may carry a measurement. */
static const uint8_t carrying[] = {
	OBS_C1222_READ_RESPONSE,	 OBS_C1222_WRITE_REQUEST,
	OBS_C1222_PROCEDURE_REQUEST,	 OBS_C1222_PROCEDURE_RESPONSE,
	OBS_HTTP_REQUEST,		 OBS_HTTP_RESPONSE,
	OBS_OBIX_READ_RESPONSE,		 OBS_OBIX_WRITE_REQUEST,
	OBS_OBIX_WRITE_RESPONSE,	 OBS_OBIX_INVOKE_REQUEST,
	OBS_OBIX_INVOKE_RESPONSE,	 OBS_OBIX_WATCH_ADD_RESPONSE,
	OBS_OBIX_WATCH_POLL_RESPONSE,	 OBS_OBIX_HISTORY_QUERY_RESPONSE,
	OBS_OBIX_HISTORY_ROLLUP_RESPONSE, OBS_OBIX_HISTORY_APPEND_REQUEST,
	OBS_OBIX_ALARM_QUERY_RESPONSE};

static bool may_carry(const struct pol_rule_src *r)
{
	for (size_t i = 0; i < r->n_match; i++) {
		for (size_t k = 0; k < sizeof(carrying); k++) {
			if (r->match[i].kinds.w[carrying[k] / 64] >>
				    carrying[k] % 64 & 1)
				return true;
		}
	}
	return false;
}

/* That a rule says nothing of data is a constraint, too: it passes no
 * measurement. A grant with data passes nothing else, so another one stands
 * beside it; a ceiling with data passes both. */
static void of_no_data(struct seek *s, size_t i)
{
	const struct pol_rule_src *r = &s->f->rule[i];
	struct pol_rule_src *c;

	if (r->data.present || !may_carry(r) ||
	    !here(s, r->pos, r->id, "no-data", 0))
		return;
	c = own_rule(s, i); /* with room for one more */
	if (!c)
		return;
	if (r->kind == RULE_GRANT) {
		s->m->file.rule = c - i;
		c += s->m->file.n_rule - i;
		*c = *r;
		s->m->file.n_rule++;
	}
	c->data.present = true;
	c->data.meas = MEAS_ALL;
}

static void of_match(struct seek *s, size_t i)
{
	const struct pol_rule_src *r = &s->f->rule[i];
	size_t n = 0;

	for (size_t k = 0; k < r->n_match; k++) {
		for (size_t a = 0; a < r->match[k].n_attr; a++) {
			if (here(s, r->match[k].pos, r->id, "match", ++n))
				cut_attr(s, i, k, a);
		}
	}
}

static void of_guards(struct seek *s, size_t i)
{
	const struct pol_rule_src *r = &s->f->rule[i];

	CUT(has_answers, r->pos, "answers")
	for (size_t k = 0; k < r->n_requires; k++) {
		if (here(s, r->pos, r->id, "requires", k + 1))
			cut_state(s, i, k, false);
	}
	for (size_t k = 0; k < r->n_forbids; k++) {
		if (here(s, r->pos, r->id, "forbids", k + 1))
			cut_state(s, i, k, true);
	}
	CUT(when.present, r->pos, "when")
	if (r->consent > CONSENT_NONE && here(s, r->pos, r->id, "consent", 0)) {
		struct pol_rule_src *c = own_rule(s, i);

		if (c)
			c->consent = CONSENT_NONE;
	}
	for (size_t k = 0; k < r->n_limit; k++) {
		if (here(s, r->limit[k].pos, r->id, "limits", k + 1))
			cut_limit(s, i, k);
	}
}

/* An answer goes the other way than what it answers, whatever its rule says. */
static bool follows(const struct pol_file *f, const struct pol_rule_src *r)
{
	for (size_t i = 0; i < r->n_answers; i++) {
		if (f->rule[r->answers[i]].dir == DIRSEL_ANY)
			return false;
	}
	return r->has_answers;
}

static void of_direction(struct seek *s, size_t i)
{
	const struct pol_rule_src *r = &s->f->rule[i];
	struct pol_rule_src *c;

	if (r->dir == DIRSEL_ANY || follows(s->f, r) ||
	    !here(s, r->pos, r->id, "direction", 0))
		return;
	c = own_rule(s, i);
	if (c)
		c->dir = DIRSEL_ANY;
}

static void of_rule(struct seek *s, size_t i)
{
	const struct pol_rule_src *r = &s->f->rule[i];

	/* A denial and a restriction only refuse: they go as a whole. */
	if (r->kind == RULE_DENY || r->kind == RULE_RESTRICT) {
		if (!here(s, r->pos, r->id,
			  r->kind == RULE_DENY ? "deny" : "restrict", 0))
			return;
		s->m->file.rule =
			copy(s, s->f->rule, s->f->n_rule, sizeof(*r), i);
		s->m->file.n_rule--;
		return;
	}
	of_direction(s, i);
	of_match(s, i);
	of_data(s, i);
	of_no_data(s, i);
	of_guards(s, i);
}

static void of_limits(struct seek *s)
{
	const struct pol_file *f = s->f;

	for (size_t i = 0; i < f->n_limit && !s->found; i++) {
		if (!here(s, f->limit[i].pos, f->limit[i].id, "limit", 0))
			continue;
		s->m->file.limit =
			copy(s, f->limit, f->n_limit, sizeof(f->limit[0]), i);
		s->m->file.n_limit--;
	}
}

static void of_states(struct seek *s)
{
	const struct pol_file *f = s->f;

	for (size_t i = 0; i < f->n_state && !s->found; i++) {
		struct pol_state_src *v;

		if (!here(s, f->state[i].pos, f->state[i].id, "expires", 0))
			continue;
		v = copy(s, f->state, f->n_state, sizeof(*v), f->n_state);
		s->m->file.state = v;
		if (v)
			v[i].expires_ns = 36500 * INT64_C(86400) * NS_PER_S;
	}
}

bool mutant_new(struct mutant *m, const struct pol_file *f, size_t k,
		struct err *e)
{
	struct seek s = {m, f, k, false, e};

	memset(m, 0, sizeof(*m));
	*e = (struct err){0};
	if (f->kind != POL_VENDOR && f->kind != POL_BASELINE &&
	    f->kind != POL_CUSTOMER)
		return false;
	m->file = *f;
	for (size_t i = 0; i < f->n_party && !s.found; i++)
		of_party(&s, i);
	for (size_t i = 0; i < f->n_rule && !s.found; i++)
		of_rule(&s, i);
	of_limits(&s);
	of_states(&s);
	if (s.found && e->code == 0)
		return true;
	mutant_free(m);
	return false;
}

void mutant_free(struct mutant *m)
{
	for (size_t i = 0; i < m->n_own; i++)
		free(m->own[i]);
	m->n_own = 0;
}

/* --- is it a policy? -------------------------------------------------------
 */

/* Unlike P4001 of the original, which compiled. */
static bool overlaps(const struct pol_file *f)
{
	const struct pol_party_src *x, *y;
	uint64_t meets[LAY_MAX_PARTIES];

	parties_meeting(f, meets);
	for (size_t i = 0; i < f->n_rule; i++) {
		enum pol_rule_kind kind = f->rule[i].kind;

		for (size_t k = 0; k < i; k++) {
			if ((kind == RULE_GRANT || kind == RULE_CEILING) &&
			    f->rule[k].kind == kind &&
			    rules_meet(f, meets, &f->rule[k], &f->rule[i], &x,
				       &y))
				return true;
		}
	}
	return false;
}

/* --- why no test can notice ------------------------------------------------
 */

#define MAX_WHY  256
#define SURVIVES "# survives "

struct why { /* borrowed from the sources */
	const struct pol_file *file;
	uint32_t line;
	struct span name, text;
	bool used;
};
struct whys {
	struct why v[MAX_WHY];
	size_t n;
};

static struct span trim(struct span s)
{
	while (s.n && s.p[0] == ' ')
		s = span_of(s.p + 1, s.n - 1);
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\r'))
		s.n--;
	return s;
}

static void read_why(struct whys *w, const struct pol_file *f, struct span line,
		     uint32_t at)
{
	size_t lead = strlen(SURVIVES);
	const uint8_t *colon;
	struct span rest;

	line = trim(line);
	if (line.n <= lead || memcmp(line.p, SURVIVES, lead) != 0)
		return;
	rest = span_of(line.p + lead, line.n - lead);
	colon = memchr(rest.p, ':', rest.n);
	if (!colon || w->n == MAX_WHY)
		return;
	w->v[w->n] = (struct why){
		f, at, trim(span_of(rest.p, (size_t)(colon - rest.p))),
		trim(span_of(colon + 1, rest.n - (size_t)(colon + 1 - rest.p))),
		false};
	/* Without a reason it justifies nothing. */
	w->n += w->v[w->n].text.n > 0;
}

static void read_whys(struct whys *w, const struct pol_files *files)
{
	for (size_t i = 0; i < files->n; i++) {
		struct span s = pol_source(files, files->f[i]->path);
		uint32_t line = 1;

		while (s.n) {
			const uint8_t *nl = memchr(s.p, '\n', s.n);
			size_t n = nl ? (size_t)(nl - s.p) : s.n;

			read_why(w, files->f[i], span_of(s.p, n), line++);
			n += nl != NULL;
			s = span_of(s.p + n, s.n - n);
		}
	}
}

static struct why *why_of(struct whys *w, const char *name)
{
	for (size_t i = 0; i < w->n; i++) {
		if (span_is(w->v[i].name, name))
			return &w->v[i];
	}
	return NULL;
}

/* --- saying what survives --------------------------------------------------
 */

static void print(const struct pol_file *f, struct pol_pos pos,
		  struct span name, struct span why, const char *level,
		  const char *text, bool json)
{
	char buf[4096];
	struct json j = json_of(buf, sizeof(buf));

	if (!json) {
		printf("%s:%u:%u: %.*s %s%s%.*s\n", f->path, pos.line, pos.col,
		       (int)name.n, (const char *)name.p, text,
		       why.n ? ": " : "", (int)why.n, (const char *)why.p);
		return;
	}
	json_obj(&j, NULL);
	json_str(&j, "level", level);
	json_str(&j, "file", f->path);
	json_u64(&j, "line", pos.line);
	json_u64(&j, "column", pos.col);
	json_text(&j, "mutant", name);
	json_str(&j, "message", text);
	if (why.n)
		json_text(&j, "justified", why);
	json_obj_end(&j);
	if (json_line(&j))
		fwrite(j.w.p, 1, j.w.n, stdout);
}

static void survived(struct mutation *out, const struct pol_file *f,
		     const struct mutant *m, struct whys *w, bool json)
{
	struct why *why = why_of(w, m->name);

	if (why) {
		why->used = true;
		out->justified++;
	}
	print(f, m->pos, span_str(m->name), why ? why->text : (struct span){0},
	      "survivor",
	      why ? "survives, justified" : "survives: no test notices", json);
}

static void print_stale(struct mutation *out, const struct whys *w, bool json)
{
	for (size_t i = 0; i < w->n; i++) {
		const struct why *y = &w->v[i];

		if (y->used)
			continue;
		out->stale++;
		print(y->file, (struct pol_pos){y->line, 1}, y->name,
		      (struct span){0}, "stale",
		      "does not survive, or is no mutant", json);
	}
}

static int of_file(struct mutation *out, const struct pol_file *f,
		   struct whys *w, mutant_noticed *noticed, void *ctx,
		   bool json, struct err *e)
{
	struct mutant m;
	int rc = 0;

	for (size_t k = 0; rc >= 0 && mutant_new(&m, f, k, e); k++) {
		if (overlaps(&m.file)) {
			mutant_free(&m);
			continue;
		}
		rc = noticed(ctx, &m.file, e);
		out->mutants += rc >= 0;
		out->noticed += rc > 0;
		if (rc == 0)
			survived(out, f, &m, w, json);
		mutant_free(&m);
	}
	return rc < 0 ? rc : e->code;
}

int mutate_all(struct mutation *out, const struct pol_files *files,
	       mutant_noticed *noticed, void *ctx, bool json, struct err *e)
{
	struct whys *w = calloc(1, sizeof(*w));
	int rc = 0;

	memset(out, 0, sizeof(*out));
	if (!w)
		return err_set(e, E_NOMEM, 0, "out of memory");
	read_whys(w, files);
	for (size_t i = 0; i < files->n && !rc; i++)
		rc = of_file(out, files->f[i], w, noticed, ctx, json, e);
	if (!rc)
		print_stale(out, w, json);
	free(w);
	return rc;
}
