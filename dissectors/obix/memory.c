/* SPDX-License-Identifier: Apache-2.0 */
#include "core/siphash.h"
#include "dissectors/obix/state.h"

/* Not secret: 128 bits of it leave nothing to be found by trying. */
static const struct sipkey salt = {0x6f424958, 0x6d657465};

static const struct net_addr *server_of(const struct obix_ctx *c,
					uint16_t *port)
{
	const struct net_tuple *t = &c->dis->tup;

	*port = c->request ? t->dport : t->sport;
	return c->request ? &t->dst : &t->src;
}

struct obix_key obix_key(const struct obix_ctx *c, struct span path)
{
	uint8_t buf[sizeof(struct net_addr) + 2 + HREF_MAX];
	uint16_t port;
	const struct net_addr *server = server_of(c, &port);
	struct sip128 h;

	path = href_identity(path);
	if (path.n > HREF_MAX)
		return (struct obix_key){0};
	memcpy(buf, server, sizeof(*server));
	memcpy(buf + sizeof(*server), &port, 2);
	if (path.n)
		memcpy(buf + sizeof(*server) + 2, path.p, path.n);
	h = siphash128(&salt, span_of(buf, sizeof(*server) + 2 + path.n));
	return (struct obix_key){h.lo, h.hi};
}

struct obix_key obix_member_key(struct obix_key history, struct span name)
{
	struct sipkey key = {history.lo, history.hi};
	struct sip128 h = siphash128(&key, name);

	return (struct obix_key){h.lo, h.hi};
}

uint64_t obix_hash(struct span text)
{
	uint64_t h = siphash24(&salt, text);

	return h ? h : 1;
}

/* --- learnt about objects
 * ------------------------------------------------------- */

static struct learnt *learnt_set(struct obix_machine *m, struct obix_key key)
{
	return &m->learnt[key.lo % LEARNT_SETS * LEARNT_WAYS];
}

static const struct learnt *in_force(const struct obix_machine *m,
				     struct obix_key key)
{
	const struct learnt *set =
		&m->learnt[key.lo % LEARNT_SETS * LEARNT_WAYS];

	for (unsigned i = 0; i < LEARNT_WAYS; i++) {
		if (key_eq(set[i].key, key))
			return &set[i];
	}
	return NULL;
}

static struct learnt *staged(struct stage *st, struct obix_key key)
{
	for (uint32_t i = 0; i < st->n_learnt; i++) {
		if (key_eq(st->learnt[i].key, key))
			return &st->learnt[i];
	}
	return NULL;
}

const struct learnt *learnt_find(const struct obix_machine *m,
				 struct obix_key key)
{
	if (!key_set(key))
		return NULL;
	for (uint32_t i = 0; i < m->stage.n_learnt; i++) {
		if (key_eq(m->stage.learnt[i].key, key))
			return &m->stage.learnt[i];
	}
	return in_force(m, key);
}

bool obix_knows(const struct obix_machine *m, const struct obix_ask *ask)
{
	return learnt_find(m, ask->object) != NULL;
}

struct learnt *learnt_stage(struct obix_machine *m, struct obix_key key)
{
	struct stage *st = &m->stage;
	struct learnt *l = staged(st, key);
	const struct learnt *old = in_force(m, key);

	if (l || !key_set(key))
		return l;
	if (st->n_learnt == STAGE_LEARNT)
		return NULL;
	st->any = true;
	l = &st->learnt[st->n_learnt++];
	*l = old ? *old : (struct learnt){.key = key};
	return l;
}

static void learnt_keep(struct obix_machine *m, const struct learnt *l)
{
	struct learnt *set = learnt_set(m, l->key), *to = &set[0];

	for (unsigned i = 0; i < LEARNT_WAYS; i++) {
		if (key_eq(set[i].key, l->key)) {
			to = &set[i];
			break;
		}
		if (set[i].used < to->used)
			to = &set[i];
	}
	*to = *l;
	to->used = m->tick;
}

/* --- Watches
 * ---------------------------------------------------------------------- */

const struct watch *watch_find(const struct obix_machine *m,
			       struct obix_key key)
{
	for (unsigned i = 0; key_set(key) && i < WATCHES; i++) {
		if (key_eq(m->watch[i].key, key))
			return &m->watch[i];
	}
	return NULL;
}

struct watch *watch_stage(struct obix_machine *m, struct obix_key key,
			  bool gone)
{
	struct stage *st = &m->stage;
	const struct watch *old = watch_find(m, key);
	uint32_t i = 0;

	if (!key_set(key))
		return NULL;
	while (i < st->n_watch && !key_eq(st->watch[i].key, key))
		i++;
	if (i == STAGE_WATCHES)
		return NULL;
	if (i == st->n_watch) {
		st->any = true;
		st->n_watch++;
		st->watch[i] = old ? *old : (struct watch){.key = key};
	}
	st->watch_gone[i] = gone;
	return &st->watch[i];
}

static void watch_keep(struct obix_machine *m, const struct watch *w, bool gone)
{
	struct watch *to = &m->watch[0];

	for (unsigned i = 0; i < WATCHES; i++) {
		if (key_eq(m->watch[i].key, w->key)) {
			to = &m->watch[i];
			break;
		}
		if (m->watch[i].used < to->used)
			to = &m->watch[i];
	}
	if (gone && !key_eq(to->key, w->key))
		return;
	*to = gone ? (struct watch){0} : *w;
	to->used = gone ? 0 : m->tick;
}

/* --- items of batches
 * --------------------------------------------------------------- */

static uint32_t next_serial(struct obix_machine *m)
{
	if (++m->serial == 0)
		m->serial = 1;
	return m->serial;
}

static struct list *list_of(struct obix_machine *m, const struct obix_ask *ask)
{
	struct list *l;

	if (ask->items == 0 || ask->items > LISTS + 1)
		return NULL;
	l = &m->list[ask->items - 1];
	return l->serial == ask->serial ? l : NULL;
}

struct list_item *list_stage(struct obix_machine *m, struct obix_ask *ask)
{
	struct stage *st = &m->stage;
	struct list *l = list_of(m, ask);

	if (ask->items && !l)
		return NULL;
	if (!l) {
		st->any = st->list_new = true;
		st->list = m->list_spare;
		l = &m->list[m->list_spare];
		l->serial = next_serial(m);
		l->n = 0;
		ask->items = (uint16_t)(m->list_spare + 1);
		ask->serial = l->serial;
	} else if (!st->list_new && !st->list_grew) {
		st->any = st->list_grew = true;
		st->list = ask->items - 1u;
		st->list_n = l->n;
	}
	if (l->n == LIST_ITEMS)
		return NULL;
	l->item[l->n] = (struct list_item){0};
	return &l->item[l->n++];
}

const struct list_item *list_find(const struct obix_machine *m,
				  const struct obix_ask *ask, uint32_t n)
{
	const struct list *l;

	if (ask->items == 0 || ask->items > LISTS + 1)
		return NULL;
	l = &m->list[ask->items - 1];
	return l->serial == ask->serial && n < l->n ? &l->item[n] : NULL;
}

static void list_settle(struct obix_machine *m, bool passed)
{
	struct stage *st = &m->stage;
	struct list *l = &m->list[st->list];
	uint32_t old = 0;

	if (st->list_grew && !passed)
		l->n = st->list_n;
	if (st->list_new && !passed)
		l->serial = 0;
	if (!st->list_new || !passed)
		return;
	l->used = m->tick;
	for (uint32_t i = 1; i <= LISTS; i++) {
		if (m->list[i].used < m->list[old].used)
			old = i;
	}
	m->list[old].serial = 0;
	m->list[old].used = 0;
	m->list_spare = old;
}

/* --- documents
 * ---------------------------------------------------------------------- */

static void doc_settle(struct obix_machine *m, bool passed)
{
	struct stage *st = &m->stage;
	struct doc_row *row = &m->doc[st->doc];
	uint32_t old = 0;

	if (st->doc_changed && !passed) {
		doc_copy(&row->doc, &m->shadow.doc);
		xml_copy(&row->xml, &m->shadow.xml);
		return;
	}
	if (!passed)
		return;
	if (st->doc_ended)
		row->serial = 0, row->used = 0;
	if (st->doc_changed)
		row->used = st->doc_ended ? 0 : m->tick;
	if (!st->doc_new)
		return;
	row->used = m->tick;
	for (uint32_t i = 1; i <= DOCS; i++) {
		if (m->doc[i].used < m->doc[old].used)
			old = i;
	}
	m->doc[old].serial = 0;
	m->doc[old].used = 0;
	m->spare = old;
}

/* --- the verdict
 * ----------------------------------------------------------------------- */

void stage_again(struct obix_machine *m)
{
	struct stage *st = &m->stage;

	if (st->list_new || st->list_grew)
		m->list[st->list].n = st->list_new ? 0 : st->list_n;
	st->list_new = st->list_grew = false;
	st->n_learnt = st->n_watch = 0;
}

void stage_begin(struct obix_machine *m)
{
	struct stage *st = &m->stage;

	if (st->any)
		obix_settle(m, false);
}

void obix_settle(struct obix_machine *m, bool passed)
{
	struct stage *st = &m->stage;

	if (!st->any)
		return;
	m->tick++;
	doc_settle(m, passed);
	list_settle(m, passed);
	for (uint32_t i = 0; passed && i < st->n_learnt; i++)
		learnt_keep(m, &st->learnt[i]);
	for (uint32_t i = 0; passed && i < st->n_watch; i++)
		watch_keep(m, &st->watch[i], st->watch_gone[i]);
	st->any = st->doc_new = st->doc_changed = st->doc_ended = false;
	st->list_new = st->list_grew = false;
	st->n_learnt = st->n_watch = 0;
}
