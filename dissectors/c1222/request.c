/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Outstanding requests: a response does not say what it answers, its request
 * does (c1222.md sections 7 and 9).
 */
#include "dissectors/c1222/state.h"


static uint32_t bucket(uint32_t inv)
{
	return inv * UINT32_C(0x9e3779b1) >> 25; /* REQ_BUCKETS */
}

/* Rows in use with that id: for (i = first(..); i; i = t->next[i - 1]). */
static uint32_t first(const struct req_table *t, uint32_t inv)
{
	return t->head[bucket(inv)];
}

static void link_row(struct req_table *t, uint32_t i)
{
	uint8_t *head = &t->head[bucket(t->inv[i])];

	t->next[i] = *head;
	*head = (uint8_t)(i + 1);
}

static void unlink_row(struct req_table *t, uint32_t i)
{
	uint8_t *at = &t->head[bucket(t->inv[i])];

	while (*at != i + 1) /* it is there: at most REQ_MAX steps */
		at = &t->next[*at - 1];
	*at = t->next[i];
	t->next[i] = 0;
}

static void set_state(struct req_table *t, uint32_t i, enum req_state state)
{
	if (t->state[i] == REQ_OPEN)
		t->open--;
	if (state == REQ_OPEN)
		t->open++;
	if (t->state[i] != REQ_FREE && state == REQ_FREE)
		unlink_row(t, i);
	t->state[i] = (uint8_t)state;
}

static bool expired(const struct message *x, uint32_t i)
{
	int64_t age = x->c->now.mono.ns - x->m->req.born_ns[i];

	return age > REQ_TIMEOUT_S * NS_PER_S;
}

static bool same_peer(const struct message *x, const struct req *r)
{
	struct net_addr a = remote_addr(x->c);

	return memcmp(&a, &r->peer, sizeof(a)) == 0;
}

/* A title whose last sub-identifier is 0 addresses everybody below it; a
 * relative one with an inner 0 is a multicast group (c1222.md 4.1). */
bool c1222_is_group(struct span title)
{
	struct span base = span_of(C1222_BASE_OID, C1222_BASE_OID_N);
	struct cur c = cur_of(title);
	bool relative = span_eq(span_sub(title, 0, base.n), base);
	bool start = true, zero = false;

	if (relative)
		cur_take(&c, base.n);
	while (cur_left(&c) > 0) {
		uint8_t o = cur_u8(&c);

		zero = start && o == 0;
		if (zero && relative)
			return true;
		start = !(o & 0x80);
	}
	return zero;
}

bool c1222_is_multicast(const struct net_addr *a)
{
	return a->b[0] == 0xff || (net_addr_is4(a) && (a->b[12] >= 224));
}

/* Is row i the request of these titles and id, from this end? */
static bool same_request(const struct message *x, uint32_t i)
{
	const struct req *r = &x->m->req.row[i];

	return r->dir == x->c->dir && r->proto == x->c->tup.proto &&
	       r->sport == x->c->tup.sport && r->dport == x->c->tup.dport &&
	       same_peer(x, r) && title_is(&r->called, x->acse.called) &&
	       title_is(&r->calling, x->acse.calling);
}

int request_retry(struct message *x)
{
	struct req_table *t = &x->m->req;

	if (x->c->tup.proto != PROTO_UDP || x->unit.n > REQ_OCTETS)
		return 0;
	for (uint32_t k = first(t, x->acse.calling_inv); k;
	     k = t->next[k - 1]) {
		uint32_t i = k - 1;
		const struct req *r = &t->row[i];

		if (t->inv[i] != x->acse.calling_inv || !same_request(x, i) ||
		    expired(x, i) ||
		    !span_eq(span_of(r->octets, r->n_octets), x->unit))
			continue;
		if (r->answered)
			return err_reason(x->e, E_AUTH, REASON_REPLAY, 0,
					  "the same request after its answer");
		x->retry = true;
		x->m->stage.flags |= STAGE_REQ_AGAIN;
		x->m->stage.req = i;
		x->m->stage.born_ns = x->c->now.mono.ns;
		return 0;
	}
	return 0;
}

struct service_req *request_slot(struct message *x, uint32_t n)
{
	return &x->m->req.row[x->m->req.spare].svc[n];
}

/* The same list of services asks the same: its answers read alike. */
static bool same_services(const struct req *a, const struct req *b)
{
	if (a->n != b->n)
		return false;
	for (uint32_t i = 0; i < a->n; i++) {
		if (!service_req_same(&a->svc[i], &b->svc[i]))
			return false;
	}
	return true;
}

/* Which row is to be forgotten for a new one: one of this peer when it has
 * its share; else one that is not needed; else the oldest. */
static uint32_t choose_victim(struct message *x)
{
	struct req_table *t = &x->m->req;
	uint32_t mine = 0, oldest_mine = REQ_MAX + 1, oldest = REQ_MAX + 1;
	uint32_t idle = REQ_MAX + 1;

	for (uint32_t k = 0; k <= REQ_MAX; k++) {
		uint32_t i = (t->cursor + k) % (REQ_MAX + 1);

		if (i == t->spare)
			continue;
		if (t->state[i] != REQ_OPEN || expired(x, i)) {
			if (idle > REQ_MAX)
				idle = i;
			/* No peer can be over its share. */
			if (t->open < REQ_PER_PEER)
				break;
			continue;
		}
		if (oldest > REQ_MAX || t->born_ns[i] < t->born_ns[oldest])
			oldest = i;
		if (!same_peer(x, &t->row[i]))
			continue;
		mine++;
		if (oldest_mine > REQ_MAX ||
		    t->born_ns[i] < t->born_ns[oldest_mine])
			oldest_mine = i;
	}
	if (mine >= REQ_PER_PEER)
		return oldest_mine;
	return idle <= REQ_MAX ? idle : oldest;
}

static void fill(struct message *x, struct req *r)
{
	const struct acse *a = &x->acse;
	const struct dis_ctx *c = x->c;

	r->has_called = acse_has(a, ACSE_CALLED);
	r->has_calling = acse_has(a, ACSE_CALLING);
	r->group = c1222_is_group(a->called) || c1222_is_multicast(&c->tup.dst);
	r->answered = false;
	r->answers = 1;
	r->dir = (uint8_t)c->dir;
	r->proto = c->tup.proto;
	r->sport = c->tup.sport;
	r->dport = c->tup.dport;
	r->mode = x->head.mode;
	r->key_id = x->key_id;
	r->iv = x->iv;
	r->n = (uint8_t)x->epsem.n;
	r->peer = remote_addr(c);
	title_set(&r->called, a->called);
	title_set(&r->calling, a->calling);
	r->n_octets = 0;
	if (c->tup.proto == PROTO_UDP && x->unit.n <= REQ_OCTETS) {
		r->n_octets = (uint16_t)x->unit.n;
		memcpy(r->octets, x->unit.p, x->unit.n);
	}
}

void request_stage(struct message *x)
{
	struct req_table *t = &x->m->req;
	struct stage *st = &x->m->stage;
	struct req *r = &t->row[t->spare];

	if (x->retry || x->head.respond == 2)
		return; /* known already, or never answered */
	fill(x, r);
	for (uint32_t k = first(t, x->acse.calling_inv); k;
	     k = t->next[k - 1]) {
		uint32_t i = k - 1;

		if (t->state[i] != REQ_OPEN ||
		    t->inv[i] != x->acse.calling_inv || expired(x, i) ||
		    !same_request(x, i) || t->row[i].mode != r->mode ||
		    t->row[i].key_id != r->key_id ||
		    !same_services(&t->row[i], r))
			continue;
		st->flags |= STAGE_REQ_AGAIN;
		st->req = i;
		st->born_ns = x->c->now.mono.ns;
		return;
	}
	/* A second request with this id that asks something else stays
	 * beside the first: request_find then refuses the answer. */
	st->flags |= STAGE_REQ_ADD;
	st->req_victim = choose_victim(x);
	st->inv = x->acse.calling_inv;
	st->born_ns = x->c->now.mono.ns;
}

/* Could this answer be to row i, whatever the ports? */
static bool answers(const struct message *x, uint32_t i)
{
	const struct req *r = &x->m->req.row[i];
	const struct acse *a = &x->acse;

	if (expired(x, i))
		return false;
	/* Captures put together by hand show both ends on one side. */
	if (x->c->lenient && r->has_called && r->has_calling)
		return title_is(&r->calling, a->called) &&
		       title_is(&r->called, a->calling);
	if (r->dir == x->c->dir)
		return false;
	/* A request to a group is answered from addresses of their own. */
	if (!same_peer(x, r) && !c1222_is_multicast(&r->peer))
		return false;
	if (r->has_calling && !title_is(&r->calling, a->called))
		return false;
	return r->group || !r->has_called || title_is(&r->called, a->calling);
}

static bool same_path(const struct message *x, const struct req *r)
{
	return r->proto == x->c->tup.proto && r->sport == x->c->tup.dport &&
	       r->dport == x->c->tup.sport;
}

/* The answer comes back on the way of the request, or, where each side opens
 * connections of its own (the old one-way use), on another one; and it is
 * rather to a request to one node than to one to a group. */
int request_find(struct message *x, const struct req **row)
{
	struct req_table *t = &x->m->req;
	uint32_t best = 0, n = 0;

	*row = NULL;
	for (uint32_t k = first(t, x->acse.called_inv); k; k = t->next[k - 1]) {
		uint32_t i = k - 1;
		uint32_t rank = 1;

		if (t->inv[i] != x->acse.called_inv ||
		    t->state[i] != REQ_OPEN || !answers(x, i))
			continue;
		rank += same_path(x, &t->row[i]) ? 2 : 0;
		rank += t->row[i].group ? 0 : 1;
		if (rank < best)
			continue;
		n = rank > best ? 1 : n + 1;
		best = rank;
		x->m->stage.req = i;
	}
	if (n > 1)
		return err_reason(x->e, E_STATE, REASON_SUSPICIOUS, 0,
				  "answers either of two requests");
	if (n == 1)
		*row = &t->row[x->m->stage.req];
	return 0;
}

void request_stage_answer(struct message *x)
{
	x->m->stage.flags |= STAGE_REQ_ANSWER;
}

static void answered(struct req_table *t, uint32_t i)
{
	struct req *r = &t->row[i];

	r->answered = true;
	if (r->group)
		return; /* until it expires */
	if (--r->answers > 0)
		return;
	if (r->n_octets > 0) {
		set_state(t, i, REQ_ANSWERED);
	} else {
		set_state(t, i, REQ_FREE);
		t->cursor = i; /* the row is in the cache */
	}
}

void request_settle(struct c1222_machine *m)
{
	struct req_table *t = &m->req;
	const struct stage *st = &m->stage;

	if (st->flags & STAGE_REQ_AGAIN) {
		if (t->row[st->req].answers < REQ_ANSWERS_MAX)
			t->row[st->req].answers++;
		t->born_ns[st->req] = st->born_ns;
	}
	if (st->flags & STAGE_REQ_ANSWER)
		answered(t, st->req);
	if (st->flags & STAGE_REQ_ADD) {
		uint32_t i = t->spare;

		set_state(t, st->req_victim, REQ_FREE);
		t->inv[i] = st->inv;
		t->born_ns[i] = st->born_ns;
		set_state(t, i, REQ_OPEN);
		link_row(t, i);
		t->spare = st->req_victim;
		t->cursor = (t->spare + 1) % (REQ_MAX + 1);
	}
}
