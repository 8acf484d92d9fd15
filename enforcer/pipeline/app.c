/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/pipeline/app.h"

#include <assert.h>
#include <dlfcn.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/wbuf.h"

/* The only way to its caches across flows is its own structure. That this is
 * the one it was built with is checked when it asks for the memory of it. */
#define NDPI_LIB_COMPILATION
#include <ndpi/ndpi_api.h>

#define TABLES (6u << 20) /* octets; 4.2 needs 4.6 million */
#define NO_SLOT UINT8_MAX
#define NO_FLOW UINT32_MAX
#define HEADERS (40 + 20) /* IPv6 and TCP */
#define BEHIND	64	  /* zeros behind a packet, for whoever reads past it */

/* A flow of nDPI, at the front of its place. */
#define FLOW ((sizeof(struct ndpi_flow_struct) + 15) & ~(size_t)15)

_Static_assert(APP_SLOTS < NO_SLOT, "entry.slot is too small");

/* --- memory -----------------------------------------------------------------
 */

/* Memory that is used from the front and emptied as a whole. */
struct region {
	uint8_t *p;
	size_t cap, used, first; /* first: size of the first piece */
	jmp_buf full;
};

/*
 * nDPI tells its allocator nothing but a size. Where it asks in vain it does
 * not always look at the answer, so there is none: it is left where it stands,
 * as all that it was about to write lies in the region that is given up.
 */
static _Thread_local struct region *ndpi_memory;

static void *take(size_t size)
{
	struct region *r = ndpi_memory;
	size_t n = (size + 15) & ~(size_t)15;
	void *at;

	assert(r);
	if (n < size || n > r->cap - r->used)
		longjmp(r->full, 1);
	if (r->used == 0)
		r->first = size;
	at = r->p + r->used;
	r->used += n;
	return at;
}

static void give(void *p)
{
	(void)p; /* with its region */
}

/* Nothing that nDPI forgets to set shall come from another flow. */
static void region_empty(struct region *r)
{
	memset(r->p, 0, r->used);
	r->used = 0;
}

/* --- the library ------------------------------------------------------------
 */

/*
 * It is loaded when it is asked for: linked, its tables of pointers would cost
 * every process of the gateway 1 MiB, and be mapped in those that hold
 * capabilities. The types are the header's.
 */
#define LIBRARY "libndpi.so.4.2"
#define FUNCTIONS(X)                                                           \
	X(set_ndpi_malloc)                                                     \
	X(set_ndpi_free)                                                       \
	X(set_ndpi_flow_malloc)                                                \
	X(set_ndpi_flow_free)                                                  \
	X(ndpi_lru_cache_init)                                                 \
	X(ndpi_detection_get_sizeof_ndpi_flow_struct)                          \
	X(ndpi_init_detection_module)                                          \
	X(ndpi_set_protocol_detection_bitmask2)                                \
	X(ndpi_finalize_initialization)                                        \
	X(ndpi_detection_process_packet)                                       \
	X(ndpi_detection_giveup)                                               \
	X(ndpi_get_proto_name)

struct library {
	void *handle;
#define X(f) __typeof__(f) *f;
	FUNCTIONS(X)
#undef X
};

static const struct {
	const char *name;
	size_t at;
} functions[] = {
#define X(f) {#f, offsetof(struct library, f)},
	FUNCTIONS(X)
#undef X
};

static int library_open(struct library *l, struct err *e)
{
	l->handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!l->handle)
		return err_set(e, E_NOTFOUND, 0,
			       "nDPI: %s; it is in Debian's libndpi4.2",
			       dlerror());
	for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++) {
		void *f = dlsym(l->handle, functions[i].name);

		if (!f)
			return err_set(e, E_STATE, 0, LIBRARY " has no %s",
				       functions[i].name);
		memcpy((char *)l + functions[i].at, &f, sizeof(f));
	}
	return 0;
}

/* --- what there is ----------------------------------------------------------
 */

struct slot {
	uint32_t flow; /* NO_FLOW: free */
	unsigned packets;
	uint32_t octets, sent[2];
	struct region memory; /* begins with a struct ndpi_flow_struct */
};

struct entry {
	uint8_t slot, done, confidence;
	uint16_t master, app; /* nDPI's numbers, 0: none */
};

struct app_ndpi {
	struct classifier classifier;
	struct library lib;
	struct ndpi_detection_module_struct *module;
	struct region tables;
	uint8_t *places; /* of all slots */
	struct entry *entry;
	uint32_t n_entries;
	struct slot slot[APP_SLOTS];
	uint32_t n_slots;
	unsigned next; /* slot to take */
	struct app_stats stats;
	uint8_t packet[HEADERS + APP_PACKET + BEHIND];
};

/* --- one packet -------------------------------------------------------------
 */

/* A header of ours: no option, no fragment, all lengths right. Nobody looks at
 * the checksums. */
static struct span packet_of(struct app_ndpi *a, const struct slot *s,
			     const struct net_tuple *t, unsigned side,
			     struct span octets)
{
	struct wbuf w = wbuf_of(a->packet, sizeof(a->packet));
	const struct net_addr *src = side ? &t->dst : &t->src;
	const struct net_addr *dst = side ? &t->src : &t->dst;
	bool tcp = t->proto == PROTO_TCP;
	bool four = net_addr_is4(src) && net_addr_is4(dst);
	size_t above = (tcp ? 20 : 8) + octets.n;

	if (four) {
		wbuf_be(&w, 0x4500, 2);
		wbuf_be(&w, 20 + above, 2);
		wbuf_be(&w, 0x00004000, 4); /* do not fragment */
		wbuf_be(&w, 64, 1);
		wbuf_be(&w, t->proto, 1);
		wbuf_be(&w, 0, 2);
		wbuf_put(&w, span_of(src->b + 12, 4));
		wbuf_put(&w, span_of(dst->b + 12, 4));
	} else {
		wbuf_be(&w, 0x60000000, 4);
		wbuf_be(&w, above, 2);
		wbuf_be(&w, t->proto, 1);
		wbuf_be(&w, 64, 1);
		wbuf_put(&w, span_of(src->b, 16));
		wbuf_put(&w, span_of(dst->b, 16));
	}
	wbuf_be(&w, side ? t->dport : t->sport, 2);
	wbuf_be(&w, side ? t->sport : t->dport, 2);
	if (tcp) {
		wbuf_be(&w, 1 + s->sent[side], 4);
		wbuf_be(&w, 1 + s->sent[!side], 4);
		wbuf_be(&w, 0x5018, 2); /* five words; PSH, ACK */
		wbuf_be(&w, 65535, 2);
		wbuf_be(&w, 0, 4);
	} else {
		wbuf_be(&w, above, 2);
		wbuf_be(&w, 0, 2);
	}
	wbuf_put(&w, octets);
	assert(!w.failed && w.n + BEHIND <= sizeof(a->packet));
	/* What another flow said is not there to be read past the end. */
	memset(a->packet + w.n, 0, sizeof(a->packet) - w.n);
	return wbuf_span(&w);
}

static void forget_others(struct ndpi_detection_module_struct *m)
{
	struct ndpi_lru_cache *all[] = {
		m->ookla_cache,	   m->bittorrent_cache, m->zoom_cache,
		m->stun_cache,	   m->tls_cert_cache,	m->mining_cache,
		m->msteams_cache};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		memset(all[i]->entries, 0, sizeof(*all[i]->entries));
}

static struct ndpi_flow_struct *flow_of(struct slot *s)
{
	return (struct ndpi_flow_struct *)(void *)s->memory.p;
}

/* No packet: there will be none, what is its guess? False: it ran out of
 * memory. */
static bool ask(struct app_ndpi *a, struct slot *s, struct span packet,
		struct now now, ndpi_protocol *answer)
{
	uint8_t guessed;

	forget_others(a->module);
	ndpi_memory = &s->memory;
	if (setjmp(s->memory.full)) {
		ndpi_memory = NULL;
		return false;
	}
	*answer = packet.n ? a->lib.ndpi_detection_process_packet(
				     a->module, flow_of(s), packet.p,
				     (unsigned short)packet.n,
				     (uint64_t)(now.wall.us / 1000))
			   : a->lib.ndpi_detection_giveup(
				     a->module, flow_of(s), 1, &guessed);
	ndpi_memory = NULL;
	return true;
}

/* --- flows ------------------------------------------------------------------
 */

static enum confidence confidence_of(ndpi_confidence_t c)
{
	switch (c) {
	case NDPI_CONFIDENCE_MATCH_BY_PORT:
		return CONFIDENCE_PORT;
	case NDPI_CONFIDENCE_MATCH_BY_IP:
		return CONFIDENCE_ADDRESS;
	case NDPI_CONFIDENCE_DPI:
		return CONFIDENCE_OCTETS;
	default:
		return CONFIDENCE_NONE;
	}
}

/* It is made up its mind about, or given up. */
static void done(struct app_ndpi *a, struct entry *e)
{
	struct slot *s = &a->slot[e->slot];

	if (s->memory.used > a->stats.slot_peak)
		a->stats.slot_peak = s->memory.used;
	region_empty(&s->memory);
	s->flow = NO_FLOW;
	a->stats.in_use--;
	e->slot = NO_SLOT;
	e->done = true;
}

/* True: there is nothing more to ask. */
static bool take_answer(struct app_ndpi *a, struct entry *e, bool asked,
			ndpi_protocol answer)
{
	struct slot *s = &a->slot[e->slot];
	enum confidence c = confidence_of(flow_of(s)->confidence);

	if (!asked) {
		a->stats.exhausted++;
		done(a, e);
		return true;
	}
	if (answer.master_protocol == NDPI_PROTOCOL_UNKNOWN &&
	    answer.app_protocol == NDPI_PROTOCOL_UNKNOWN)
		return false;
	if (c == CONFIDENCE_NONE)
		return false;
	e->master = answer.master_protocol;
	e->app = answer.app_protocol;
	e->confidence = (uint8_t)c;
	a->stats.named++;
	done(a, e);
	return true;
}

static void last_word(struct app_ndpi *a, struct entry *e)
{
	struct slot *s = &a->slot[e->slot];
	ndpi_protocol answer = {0};
	bool asked = ask(a, s, (struct span){0}, (struct now){0}, &answer);

	if (!take_answer(a, e, asked, answer))
		done(a, e);
}

/* In turn, so the one that is taken away was had longest. */
static void take_slot(struct app_ndpi *a, uint32_t flow)
{
	struct slot *s = &a->slot[a->next];

	if (s->flow != NO_FLOW) {
		a->stats.displaced++;
		done(a, &a->entry[s->flow]);
	}
	a->entry[flow].slot = (uint8_t)a->next;
	a->next = (a->next + 1) % a->n_slots;
	a->stats.in_use++;
	s->flow = flow;
	s->packets = 0;
	s->octets = s->sent[0] = s->sent[1] = 0;
	s->memory.used = FLOW;
}

static void begin(void *arg, uint32_t flow)
{
	struct app_ndpi *a = arg;
	struct entry *e = &a->entry[flow];

	assert(flow < a->n_entries);
	if (e->slot != NO_SLOT)
		done(a, e);
	*e = (struct entry){.slot = NO_SLOT};
}

static void end(void *arg, uint32_t flow)
{
	struct app_ndpi *a = arg;
	struct entry *e = &a->entry[flow];

	if (e->slot != NO_SLOT)
		last_word(a, e);
	e->done = true;
}

static void hear(void *arg, uint32_t flow, const struct net_tuple *t,
		 unsigned side, struct span octets, struct now now)
{
	struct app_ndpi *a = arg;
	struct entry *e = &a->entry[flow];

	if (e->done || (t->proto != PROTO_TCP && t->proto != PROTO_UDP))
		return;
	while (octets.n && !e->done) {
		size_t n = octets.n < APP_PACKET ? octets.n : APP_PACKET;
		struct span packet;
		ndpi_protocol answer = {0};
		struct slot *s;

		if (e->slot == NO_SLOT)
			take_slot(a, flow);
		s = &a->slot[e->slot];
		if (n > APP_OCTETS - s->octets)
			n = APP_OCTETS - s->octets;
		packet = packet_of(a, s, t, side, span_sub(octets, 0, n));
		s->octets += (uint32_t)n;
		s->sent[side] += (uint32_t)n;
		s->packets++;
		a->stats.packets++;
		if (take_answer(a, e, ask(a, s, packet, now, &answer), answer))
			return;
		if (s->packets == APP_PACKETS || s->octets == APP_OCTETS)
			last_word(a, e);
		/* What a datagram has more is cut, or the rest would look like
		 * another one. */
		if (t->proto == PROTO_UDP)
			return;
		octets = span_sub(octets, n, octets.n - n);
	}
}

static bool answer(const void *arg, uint32_t flow, struct app *out)
{
	const struct app_ndpi *a = arg;
	const struct entry *e = &a->entry[flow];
	bool both = e->master && e->app && e->master != e->app;
	const char *app;

	if (e->confidence == CONFIDENCE_NONE)
		return false;
	app = a->lib.ndpi_get_proto_name(a->module,
					 e->app ? e->app : e->master);
	snprintf(out->name, sizeof(out->name), "%s%s%s",
		 both ? a->lib.ndpi_get_proto_name(a->module, e->master) : "",
		 both ? "." : "", app);
	out->confidence = (enum confidence)e->confidence;
	return true;
}

/* --- start ------------------------------------------------------------------
 */

/*
 * What it is not asked about. QUIC: libgcrypt takes memory of its own.
 * BitTorrent and NetFlow: time stamps are compared with the clock, so a capture
 * would say another thing tomorrow. tinc: known by other flows only.
 */
static const uint16_t off[] = {NDPI_PROTOCOL_QUIC, NDPI_PROTOCOL_BITTORRENT,
			       NDPI_PROTOCOL_NETFLOW, NDPI_PROTOCOL_TINC};

/* It makes them when it first needs one, of a thousand entries each, in what
 * would be the memory of a flow. */
static void make_caches(struct app_ndpi *a)
{
	struct ndpi_detection_module_struct *m = a->module;
	struct ndpi_lru_cache **all[] = {
		&m->ookla_cache,    &m->bittorrent_cache, &m->zoom_cache,
		&m->stun_cache,	    &m->tls_cert_cache,	  &m->mining_cache,
		&m->msteams_cache};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		*all[i] = a->lib.ndpi_lru_cache_init(1);
}

/* Its tables, in a->tables. */
static int make_tables(struct app_ndpi *a, struct err *e)
{
	NDPI_PROTOCOL_BITMASK protocols;

	a->lib.set_ndpi_malloc(take);
	a->lib.set_ndpi_free(give);
	a->lib.set_ndpi_flow_malloc(take);
	a->lib.set_ndpi_flow_free(give);
	ndpi_memory = &a->tables;
	if (setjmp(a->tables.full)) {
		ndpi_memory = NULL;
		return err_set(e, E_NOMEM, 0, "no memory for nDPI's tables");
	}
	a->module = a->lib.ndpi_init_detection_module(
		ndpi_dont_load_tor_hosts | ndpi_dont_init_libgcrypt);
	if (!a->module || a->tables.first != sizeof(*a->module) ||
	    a->lib.ndpi_detection_get_sizeof_ndpi_flow_struct() !=
		    sizeof(struct ndpi_flow_struct)) {
		ndpi_memory = NULL;
		return err_set(e, E_STATE, 0,
			       "libndpi is not the %s that this was built with",
			       NDPI_GIT_RELEASE);
	}
	NDPI_BITMASK_SET_ALL(protocols);
	for (size_t i = 0; i < sizeof(off) / sizeof(*off); i++)
		protocols.fds_bits[off[i] / NDPI_BITS] &=
			~((ndpi_ndpi_mask)1 << off[i] % NDPI_BITS);
	a->lib.ndpi_set_protocol_detection_bitmask2(a->module, &protocols);
	a->lib.ndpi_finalize_initialization(a->module);
	make_caches(a);
	ndpi_memory = NULL;
	return 0;
}

int app_new(struct app_ndpi **out, const struct app_conf *conf, struct err *e)
{
	uint32_t max_flows = conf->max_flows;
	size_t place = conf->slot_octets ? conf->slot_octets : APP_SLOT;
	struct app_ndpi *a = calloc(1, sizeof(*a));
	int rc;

	if (!a)
		return err_set(e, E_NOMEM, 0, "out of memory");
	a->n_entries = max_flows;
	a->n_slots = conf->slots ? conf->slots : APP_SLOTS;
	assert(a->n_slots <= APP_SLOTS && place >= FLOW && place <= APP_SLOT);
	a->entry = calloc(max_flows, sizeof(*a->entry));
	a->places = calloc(a->n_slots, place);
	a->tables.p = calloc(1, TABLES);
	a->tables.cap = TABLES;
	if (!a->entry || !a->places || !a->tables.p) {
		app_free(a);
		return err_set(e, E_NOMEM, 0, "no memory for nDPI");
	}
	for (uint32_t i = 0; i < max_flows; i++)
		a->entry[i].slot = NO_SLOT;
	for (size_t i = 0; i < a->n_slots; i++) {
		a->slot[i].flow = NO_FLOW;
		a->slot[i].memory.p = a->places + i * place;
		a->slot[i].memory.cap = place;
	}
	rc = library_open(&a->lib, e);
	if (rc == 0)
		rc = make_tables(a, e);
	if (rc < 0) {
		app_free(a);
		return rc;
	}
	a->classifier = (struct classifier){a, begin, hear, end, answer};
	*out = a;
	return 0;
}

void app_free(struct app_ndpi *a)
{
	if (!a)
		return;
	free(a->entry);
	free(a->places);
	free(a->tables.p);
	if (a->lib.handle)
		dlclose(a->lib.handle);
	free(a);
}

const struct classifier *app_classifier(const struct app_ndpi *a)
{
	return &a->classifier;
}

struct app_stats app_stats(const struct app_ndpi *a)
{
	struct app_stats s = a->stats;

	s.tables = a->tables.used;
	return s;
}
