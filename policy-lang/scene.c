/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "dissectors/http/uri.h"
#include "policy-lang/scene.h"

#define MAX_SCENE 64
/* Any moment will do; it must be the same one always. */
#define START_MONO_NS (1000 * NS_PER_S)

/* --- composing ----------------------------------------------------------- */

static int add_image(struct scene *s, const struct pol_file *f, struct err *e)
{
	size_t i = s->n_file;
	int rc;

	if (f->kind == POL_LIBRARY || f->kind == POL_TESTS)
		return 0;
	if (i == MAX_SCENE)
		return err_set(e, E_LIMIT, 0, "more than %d policies",
			       MAX_SCENE);
	rc = pol_image_build(&s->octets[i], &s->n_octets[i], f, e);
	if (rc == 0)
		rc = pol_image_load(&s->image[i],
				    span_of(s->octets[i], s->n_octets[i]), e);
	if (rc)
		return err_wrap(e, "%s", f->path);
	s->file[s->n_file++] = f;
	if (f->kind == POL_BINDING)
		s->zone = f->timezone;
	return 0;
}

int scene_new(struct scene *s, const struct pol_file *const *f, size_t n,
	      struct err *e)
{
	const struct pol_image *images[MAX_SCENE];
	int rc = 0;

	memset(s, 0, sizeof(*s));
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = add_image(s, f[i], e);
	for (size_t i = 0; i < s->n_file; i++)
		images[i] = s->image[i];
	if (rc == 0)
		rc = pol_set_new(&s->set, images, s->n_file, e);
	if (rc)
		scene_free(s);
	return rc;
}

void scene_free(struct scene *s)
{
	if (s->state)
		pol_state_free(s->state);
	if (s->set)
		pol_set_free(s->set);
	for (size_t i = 0; i < MAX_SCENE; i++) {
		if (s->image[i])
			pol_image_free(s->image[i]);
		free(s->octets[i]);
	}
	memset(s, 0, sizeof(*s));
}

const struct pol_file *scene_policy(const struct scene *s, const char *vm)
{
	for (size_t i = 0; vm && i < s->n_file; i++) {
		if (s->file[i]->kind == POL_VENDOR &&
		    strcmp(s->file[i]->vm, vm) == 0)
			return s->file[i];
	}
	return NULL;
}

/* --- time ---------------------------------------------------------------- */

/* The C library knows zones only through its environment. */
static void use_zone(const char *zone)
{
	setenv("TZ", zone ? zone : "UTC", 1);
	tzset();
}

static int32_t offset_at(time_t t, bool *dst)
{
	struct tm tm;

	if (!localtime_r(&t, &tm))
		return 0;
	*dst = tm.tm_isdst > 0;
	return (int32_t)tm.tm_gmtoff;
}

/* Offsets in force at w; the standard one is that of the half of the year
 * without daylight saving. */
static void set_offsets(const struct scene *s, struct wall *w)
{
	time_t t = (time_t)wall_s(*w);
	bool dst = false;

	if (!s->zone)
		return;
	use_zone(s->zone);
	w->civil_off_s = w->std_off_s = offset_at(t, &dst);
	for (int months = 1; dst && months <= 11; months++)
		w->std_off_s = offset_at(t + months * 30 * 86400, &dst);
}

bool scene_time(const struct scene *s, const char *text, struct wall *out)
{
	struct wall w;
	struct tm tm = {.tm_isdst = -1};
	char zulu[40];
	time_t t;

	if (clock_parse(text, out) == 0) {
		out->std_off_s = out->civil_off_s;
		out->trusted = true;
		return true;
	}
	/* Without an offset: civil time of the meter. */
	snprintf(zulu, sizeof(zulu), "%.30sZ", text);
	if (clock_parse(zulu, &w))
		return false;
	t = (time_t)wall_s(w);
	if (!gmtime_r(&t, &tm))
		return false;
	tm.tm_isdst = -1;
	use_zone(s->zone);
	t = mktime(&tm);
	if (t == (time_t)-1)
		return false;
	*out = (struct wall){.us = (int64_t)t * US_PER_S, .trusted = true};
	return true;
}

void scene_advance(struct scene *s, int64_t ns)
{
	s->now.mono.ns += ns;
	s->now.wall.us += ns / 1000;
	set_offsets(s, &s->now.wall);
}

int scene_reset(struct scene *s, struct wall at, struct err *e)
{
	int rc;

	if (s->state)
		pol_state_free(s->state);
	s->state = NULL;
	rc = pol_state_new(&s->state, s->set, e);
	if (rc)
		return rc;
	pol_state_spread(s->state, false);
	s->now = (struct now){{START_MONO_NS}, at};
	set_offsets(s, &s->now.wall);
	return 0;
}

/* --- given --------------------------------------------------------------- */

static int machine_of(const struct scene *s, const char *vm, struct err *e)
{
	int m = vm ? pol_set_find_machine(s->set, span_str(vm)) : -1;

	return m >= 0 ? m
		      : err_set(e, E_NOTFOUND, 0, "no machine is called '%s'",
				vm ? vm : "");
}

static int give_state(struct scene *s, const struct pol_state_ref *r,
		      const char *vm, struct err *e)
{
	int m = machine_of(s, r->vm ? r->vm : vm, e);
	struct span party = span_str(r->party);

	if (m < 0)
		return m;
	if (pol_state_set(s->state, (size_t)m, span_str(r->state), party, true,
			  s->now))
		return err_set(e, E_NOTFOUND, 0,
			       "no state is called '%s' there, or its party "
			       "is missing or unknown",
			       r->state);
	return 0;
}

/* The machine whose policy it is. */
static const char *vm_of_policy(const struct scene *s, const char *id)
{
	for (size_t i = 0; i < s->n_file; i++) {
		if (s->file[i]->kind == POL_VENDOR &&
		    strcmp(s->file[i]->id, id) == 0)
			return s->file[i]->vm;
	}
	return NULL;
}

static int give_consent(struct scene *s, const struct pol_answer_src *a,
			const char *vm, struct err *e)
{
	int m;

	if (a->policy)
		vm = vm_of_policy(s, a->policy);
	m = machine_of(s, vm, e);
	if (m < 0)
		return m;
	if (pol_state_consent(s->state, (size_t)m, span_str(a->rule),
			      a->granted))
		return err_set(e, E_NOTFOUND, 0,
			       "no rule '%s' asks for consent", a->rule);
	return 0;
}

int scene_given(struct scene *s, const struct pol_test_src *t, const char *vm,
		struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < t->n_state && rc == 0; i++)
		rc = give_state(s, &t->state[i], vm, e);
	for (size_t i = 0; i < t->n_consent && rc == 0; i++)
		rc = give_consent(s, &t->consent[i], vm, e);
	return rc;
}

/* --- messages ------------------------------------------------------------ */

static const struct pol_party_src *party_of(const struct pol_file *f,
					    const char *name)
{
	for (size_t i = 0; f && i < f->n_party; i++) {
		if (strcmp(f->party[i].id, name) == 0)
			return &f->party[i];
	}
	return NULL;
}

/* A host of the prefix: its second address where there is one. */
static struct net_addr host_of(const struct pol_prefix *p)
{
	struct net_addr a = p->addr;

	if (p->len < 127)
		a.b[15] |= 1;
	return a;
}

static void peer_machine(const struct scene *s, int m, struct pol_peer *peer)
{
	struct pol_machine info;

	pol_set_machine(s->set, (size_t)m, &info);
	peer->machine = m;
	if (info.n_addr)
		peer->addr = host_of(&info.addr[0]);
}

/* A party named in a step is the party: its name stands for the address, and
 * what it seals is sealed. */
static void set_identity(const struct scene *s, const struct pol_party_src *p,
			 const char *vm, struct pol_peer *peer)
{
	int m = pol_set_find_machine(s->set, span_str(vm));
	uint64_t named = m < 0 ? 0 : pol_set_named(s->set, (size_t)m);

	for (; named; named &= named - 1) {
		unsigned i = (unsigned)__builtin_ctzll(named);

		if (p->dns && span_is(pol_set_party_dns(s->set, (size_t)m, i),
				      p->dns))
			peer->named |= UINT64_C(1) << i;
	}
	peer->tls = p->tls_end_to_end;
}

static int set_peer(const struct scene *s, const struct pol_step_src *step,
		    const char *vm, struct pol_peer *peer, struct err *e)
{
	const struct pol_party_src *p = NULL;
	int m;

	memset(peer, 0, sizeof(*peer));
	peer->machine = -1;
	peer->proto = 6;
	if (step->party) {
		p = party_of(scene_policy(s, vm), step->party);
		if (!p)
			return err_set(e, E_NOTFOUND, 0,
				       "the policy of '%s' has no party '%s'",
				       vm, step->party);
	}
	if (p && p->vm) {
		m = machine_of(s, p->vm, e);
		if (m < 0)
			return m;
		peer_machine(s, m, peer);
	} else if (p) {
		if (p->n_addr)
			peer->addr = host_of(&p->addr[0]);
		peer->aptitle = p->aptitle;
		peer->authenticated = true;
		set_identity(s, p, vm, peer);
	}
	if (p && p->n_port) {
		peer->proto = p->port[0].proto;
		peer->port = p->port[0].lo;
	}
	if (step->has_addr)
		peer->addr = step->addr;
	if (step->port.proto) {
		peer->proto = step->port.proto;
		peer->port = step->port.lo;
	}
	return 0;
}

/* A connection that is opened has the port that its observation shows; where
 * the step names another, it contradicts itself. */
static int set_open_port(const struct pol_step_src *step, struct pol_peer *peer,
			 struct err *e)
{
	for (size_t i = 0; i < step->n_attr; i++) {
		const struct pol_attr *a = &step->attr[i];

		if (a->field != F_PORT || a->n_num == 0)
			continue;
		if (step->port.proto &&
		    POL_PORT(step->port.proto, step->port.lo) != a->num[0].lo)
			return err_set(e, E_STATE, 0,
				       "the port of the step is not the one "
				       "observed");
		peer->proto = (uint8_t)(a->num[0].lo >> 16);
		peer->port = (uint16_t)a->num[0].lo;
	}
	return 0;
}

static void set_attr(struct obs *o, const struct pol_attr *a)
{
	enum field f = (enum field)a->field;

	if (a->n_num && field_type(f) == FIELD_FLAG) {
		if (a->num[0].lo)
			obs_flag(o, f);
	} else if (a->n_num) {
		obs_u64(o, f, a->num[0].lo);
	} else if (a->n_text && (f == F_PATH || f == F_HREF)) {
		struct span path = span_str(a->text[0]);

		/* As the dissectors tell it. */
		obs_span(o, f, uri_identity(path));
		if (uri_identity(path).n < path.n)
			obs_flag(o, F_SLASH);
	} else if (a->n_text) {
		obs_span(o, f, span_str(a->text[0]));
	} else if (a->n_oid) {
		obs_span(o, f, a->oid[0]);
	}
}

/* How many numbers the step's data hold. */
static uint64_t values_of(const struct pol_step_src *step)
{
	int64_t span = step->oldest_ns - step->newest_ns;

	if (!step->has_gran || !step->has_oldest || !step->has_newest ||
	    step->gran_ns <= 0 || span <= step->gran_ns)
		return 1;
	return (uint64_t)(span / step->gran_ns);
}

static void set_data(struct obs *o, const struct pol_step_src *step,
		     struct now now)
{
	int64_t at = wall_s(now.wall);

	if (!step->has_data)
		return;
	obs_u64(o, F_MEASUREMENT, step->meas);
	obs_u64(o, F_READINGS, values_of(step));
	obs_u64(o, F_VALUES, values_of(step));
	if (step->has_gran)
		obs_u64(o, F_GRANULARITY, (uint64_t)(step->gran_ns / NS_PER_S));
	if (step->has_oldest)
		obs_i64(o, F_OLDEST, at - step->oldest_ns / NS_PER_S);
	if (step->has_newest)
		obs_i64(o, F_NEWEST, at - step->newest_ns / NS_PER_S);
	if (step->has_res)
		obs_u64(o, F_RES_STEP, (uint64_t)step->res_milli);
	if (step->has_res || step->has_value)
		obs_u64(o, F_RES_UNIT,
			step->has_value ? step->value_unit : step->res_unit);
	if (step->has_value) {
		obs_i64(o, F_VALUE_MIN, step->value_milli);
		obs_i64(o, F_VALUE_MAX, step->value_milli);
	}
	if (step->has_channels)
		obs_u64(o, F_CHANNELS, step->channels);
}

static void init_obs(struct obs *o, enum obs_kind k)
{
	struct obs_list l = {o, 0, 1};

	obs_add(&l, k);
}

/* Is that address one of the machine's own? */
static bool is_own(const struct pol_machine *m, const char *text)
{
	char buf[NET_ADDR_TEXT];

	for (size_t i = 0; i < m->n_addr; i++) {
		if (strcmp(net_addr_text(buf, &m->addr[i].addr), text) == 0)
			return true;
	}
	return false;
}

/* One connection per remote end; an answer that names no request comes on a
 * connection of its own, so that it answers nothing by accident. */
static uint64_t flow_of(enum obs_kind kind, const struct pol_msg *m)
{
	uint64_t h = 14695981039346656037u;

	for (size_t i = 0; i < sizeof(m->peer.addr.b); i++)
		h = (h ^ m->peer.addr.b[i]) * 1099511628211u;
	h = (h ^ m->peer.port ^ (uint64_t)m->machine << 32) * 1099511628211u;
	if (obs_level(kind) == OBS_LEVEL_RESPONSE && !m->answer_to)
		h ^= 0x5bd1e995;
	return h | 1;
}

int scene_message(const struct scene *s, const struct pol_step_src *step,
		  const char *vm, uint64_t answer_to, struct scene_msg *out,
		  struct err *e)
{
	struct pol_machine info;
	struct pol_msg *m = &out->msg;
	int k, rc;

	if (step->vm)
		vm = step->vm;
	memset(out, 0, sizeof(*out));
	k = machine_of(s, vm, e);
	if (k < 0)
		return k;
	m->machine = (size_t)k;
	rc = set_peer(s, step, vm, &m->peer, e);
	if (rc == 0)
		rc = set_open_port(step, &m->peer, e);
	if (rc)
		return rc;
	init_obs(&out->leaf, step->kind);
	for (size_t i = 0; i < step->n_attr; i++)
		set_attr(&out->leaf, &step->attr[i]);
	set_data(&out->leaf, step, s->now);
	m->octets = step->size == 0           ? 100
		    : step->size > UINT32_MAX ? UINT32_MAX
					      : (uint32_t)step->size;
	obs_u64(&out->leaf, F_OCTETS, m->octets);
	if (obs_family(step->kind) == OBS_FAMILY_C1222) {
		init_obs(&out->carrier, OBS_C1222_MESSAGE);
		m->message = &out->carrier;
	}
	/* As the gateway sees it: it carries itself, and nobody can read it. */
	if (step->kind == OBS_TLS_HELLO) {
		out->carrier = out->leaf;
		out->leaf.kind = OBS_OPAQUE;
		out->leaf.also = OBS_TLS_HELLO;
		m->message = &out->carrier;
	}
	m->dir = step->dir;
	m->leaves = &out->leaf;
	m->n_leaves = 1;
	m->now = s->now;
	m->answer_to = answer_to;
	m->flow = flow_of(step->kind, m);
	pol_set_machine(s->set, m->machine, &info);
	m->forged_source = step->source && !is_own(&info, step->source);
	return 0;
}

static void judge_close(struct scene *s, const struct pol_msg *m,
			struct pol_decision *d)
{
	pol_close(s->state, m->machine, m->flow, m->now);
	memset(d, 0, sizeof(*d));
	d->permit = true;
}

static void tell_judged(const struct scene *s)
{
	if (s->judged)
		s->judged(s->judged_arg, s->state);
}

void scene_judge(struct scene *s, const struct pol_msg *m,
		 struct pol_decision *d)
{
	struct pol_decision bytes;
	enum obs_kind kind = (enum obs_kind)m->leaves[0].kind;

	if (kind == OBS_FLOW_CLOSE) {
		judge_close(s, m, d);
		return;
	}
	if (kind == OBS_FLOW_OPEN)
		pol_open(s->state, m->machine, m->dir, &m->peer, m->flow,
			 m->now, d);
	else
		pol_judge(s->state, m, d);
	tell_judged(s);
	if (d->permit) {
		if (!pol_packet(s->state, m->machine, m->dir, &m->peer,
				m->octets, m->now, &bytes))
			*d = bytes;
		tell_judged(s);
	}
	if (d->permit)
		pol_commit(s->state);
	else
		pol_abort(s->state);
}
