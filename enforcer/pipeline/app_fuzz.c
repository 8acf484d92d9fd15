/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What up to eight flows say, told to nDPI. Octet 0 says how large a place
 * is; then records of
 *   flow (3 bits, from the least), side, UDP, IPv6, a port (2 bits);
 *   length (2, most significant first), octets.
 *
 * Properties: it stays within its packets; a name is printable and rests on
 * something; all places are free again when all flows ended; and what it calls
 * a flow is the same whatever others said meanwhile.
 */
#include <assert.h>

#include "core/span.h"
#include "enforcer/pipeline/app.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FLOWS 8
#define ALL   UINT8_MAX

static struct net_tuple tuple(uint8_t how)
{
	static const uint16_t ports[4] = {1153, 80, 443, 53};
	struct net_tuple t = {.sport = (uint16_t)(40000 + how % FLOWS),
			      .dport = ports[how >> 6],
			      .proto = how & 0x10 ? PROTO_UDP : PROTO_TCP};

	memset(t.src.b, 0, sizeof(t.src.b));
	t.src.b[15] = 1;
	t.dst.b[15] = 2;
	if (!(how & 0x20)) {
		t.src.b[10] = t.src.b[11] = 0xff;
		t.dst.b[10] = t.dst.b[11] = 0xff;
	}
	return t;
}

/* One of them, or all. */
static void hear(const struct app_ndpi *a, struct span in, uint8_t only)
{
	static const struct now now = {{1}, {1795608000000000, 0, 0, true}};
	const struct classifier *c = app_classifier(a);
	struct cur k = cur_of(in);
	struct net_tuple tup[FLOWS];
	bool known[FLOWS] = {0};

	for (uint32_t i = 0; i < FLOWS; i++)
		c->begin(c->arg, i);
	while (cur_left(&k) > 3) {
		uint8_t how = cur_u8(&k), flow = how % FLOWS;
		size_t n = cur_u16(&k);
		struct span s = cur_take(&k, n < cur_left(&k) ? n
							      : cur_left(&k));

		if (only != ALL && flow != only)
			continue;
		if (!known[flow])
			tup[flow] = tuple(how);
		known[flow] = true;
		c->hear(c->arg, flow, &tup[flow], how >> 3 & 1, s, now);
	}
	for (uint32_t i = 0; i < FLOWS; i++)
		c->end(c->arg, i);
	assert(app_stats(a).in_use == 0);
}

static void look(const struct app *app)
{
	size_t n = strlen(app->name);

	assert(n > 0 && n < sizeof(app->name));
	for (size_t i = 0; i < n; i++)
		assert(app->name[i] > 0x20 && app->name[i] < 0x7f);
	assert(app->confidence > CONFIDENCE_NONE &&
	       app->confidence < CONFIDENCES);
}

/* Places of several sizes: some are too small. */
static struct app_ndpi *app_of(uint8_t size)
{
	static struct app_ndpi *apps[4];
	static const uint32_t octets[4] = {0, 768, 1536, 4096};
	struct app_conf conf = {FLOWS, FLOWS, octets[size % 4]};
	struct err e;

	if (!apps[size % 4])
		assert(app_new(&apps[size % 4], &conf, &e) == 0);
	return apps[size % 4];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct app together[FLOWS], alone;
	const struct classifier *c;
	bool any[FLOWS];
	struct app_ndpi *a;
	struct span in;
	uint64_t before;
	size_t tables;

	if (size < 5 || size > 64 * 1024)
		return 0;
	a = app_of(data[0]);
	c = app_classifier(a);
	in = span_of(data + 1, size - 1);
	before = app_stats(a).packets;
	tables = app_stats(a).tables;
	hear(a, in, ALL);
	assert(app_stats(a).packets - before <= FLOWS * APP_PACKETS);
	for (uint32_t i = 0; i < FLOWS; i++) {
		any[i] = c->answer(c->arg, i, &together[i]);
		if (any[i])
			look(&together[i]);
	}
	for (uint8_t i = 0; i < FLOWS; i++) {
		hear(a, in, i);
		assert(c->answer(c->arg, i, &alone) == any[i]);
		assert(!any[i] || (strcmp(alone.name, together[i].name) == 0 &&
				   alone.confidence == together[i].confidence));
	}
	assert(app_stats(a).tables == tables);
	return 0;
}
