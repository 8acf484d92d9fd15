/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EPSEM and its services. The input is two EPSEMs, split by its first octet:
 * requests, then what may be their answers. Properties: services fill the
 * body; each gives one leaf; a request read twice reads the same; a refusal
 * has a reason.
 */
#include <assert.h>

#include "dissectors/c1222/testkit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct obs v[2];

static bool cut(struct epsem *p, struct span octets)
{
	struct epsem_head h;
	struct err e = {0};
	size_t covered = 0;

	if (epsem_read_head(&h, octets, 0, &e) != 0 ||
	    epsem_read(p, &h, h.body, 1, &e) != 0) {
		assert(e.reason != REASON_NONE);
		return false;
	}
	for (uint32_t i = 0; i < p->n; i++) {
		assert(p->pdu[i].octets.n > 0);
		covered += p->pdu[i].octets.n + 1;
	}
	assert(covered + p->ed_class.n <= h.body.n);
	if (!p->not_minimal && covered < 0x80)
		assert(covered + p->ed_class.n == h.body.n);
	return true;
}

static struct service_ctx context(struct obs_list *out, struct arena *a,
				  struct err *e)
{
	static const struct c1219_shape shape;

	memset(e, 0, sizeof(*e));
	out->n = 0;
	return (struct service_ctx){
		.shape = &shape, .arena = a, .out = out, .e = e};
}

static bool request(struct span pdu, struct service_req *req)
{
	static uint8_t memory[2048];
	struct arena a = arena_of(memory, sizeof(memory));
	struct obs_list out = {v, 0, 2};
	struct service_req again = {0};
	struct err e;
	struct service_ctx x = context(&out, &a, &e);

	memset(req, 0, sizeof(*req));
	if (service_request(&x, pdu, 0, req) != 0) {
		assert(e.reason != REASON_NONE);
		return false;
	}
	assert(out.n == 1 && obs_get(&v[0], F_CODE, 0) == req->code);
	assert(c1222_service_name(req->code) != NULL);
	assert(!obs_has(&v[0], F_RESULT));
	/* Only one whole write of table 7 is a procedure. */
	if (obs_get(&v[0], F_TABLE, 0) == 7 && req->code >= 0x40)
		assert(v[0].kind == OBS_C1222_PROCEDURE_REQUEST &&
		       req->code == 0x40 && req->word == 7);
	x = context(&out, &a, &e);
	assert(service_request(&x, pdu, 0, &again) == 0);
	assert(service_req_same(req, &again));
	return true;
}

static void answer(struct span pdu, const struct service_req *req)
{
	static uint8_t memory[2048];
	struct arena a = arena_of(memory, sizeof(memory));
	struct obs_list out = {v, 0, 2};
	struct err e;
	struct service_ctx x = context(&out, &a, &e);

	if (service_response(&x, pdu, 0, req) != 0) {
		assert(e.reason != REASON_NONE);
	} else {
		assert(out.n == 1);
		assert(obs_get(&v[0], F_FROM_REQUEST, 0) == req->code);
		if (req->code == 0x3f && pdu.p[0] == 0)
			assert(obs_get_span(&v[0], F_DATA).n <= req->count);
	}
	x = context(&out, &a, &e);
	if (service_unpaired(&x, pdu, 0, REASON_UNPAIRED) != 0)
		assert(e.reason != REASON_NONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span all = span_of(data, size);
	struct service_req req[SERVICE_MAX];
	struct epsem asked, got;
	size_t at;

	if (size < 1)
		return 0;
	at = data[0];
	all = span_from(all, 1);
	if (!cut(&asked, span_sub(all, 0, at)) || asked.responses)
		return 0;
	for (uint32_t i = 0; i < asked.n; i++) {
		if (!request(asked.pdu[i].octets, &req[i]))
			return 0;
	}
	if (!cut(&got, span_from(all, at)) || !got.responses)
		return 0;
	for (uint32_t i = 0; i < got.n && i < asked.n; i++)
		answer(got.pdu[i].octets, &req[i]);
	return 0;
}
