/* SPDX-License-Identifier: Apache-2.0 */
/* The kit for HTTP: a connection of the machine to 10.21.0.1, that is open. */
#ifndef ENFORCER_PIPELINE_WEBKIT_H
#define ENFORCER_PIPELINE_WEBKIT_H

#include "enforcer/pipeline/testkit.h"

#define WEB_PORT 18080 /* of the machine */

static inline struct pol_kinds web_kinds(void)
{
	struct pol_kinds s = {{0}};

	for (int i = 0; i < OBS_COUNT; i++) {
		enum obs_family f = obs_family((enum obs_kind)i);

		if (f == OBS_FAMILY_HTTP || f == OBS_FAMILY_OBIX)
			s.w[i / 64] |= UINT64_C(1) << (i % 64);
	}
	return s;
}

/* A connection of HTTP is open, under this policy. */
static inline struct kit *web_open(const struct pol_file *f, bool live)
{
	struct kit *k = kit_new_of(f);

	k->bulk = true; /* whose checksums the kit does not make */
	k->p->conf.checksums = false;
	kit_live(k, live);
	kit_handshake(k, WEB_PORT, KIT_ISN, false);
	return k;
}

/* The machine may ask 10.21.0.1 for anything of oBIX, and hear it. */
static inline struct kit *web_new(bool live)
{
	static const uint16_t party0[] = {0};
	struct pol_prefix far = kit_net(0, 1, 32);
	struct pol_party_src party = {.id = "far", .name = "Far",
				      .addr = &far, .n_addr = 1};
	struct pol_obs_match any = {.kinds = web_kinds()};
	struct pol_rule_src rule[] = {
		{.kind = RULE_GRANT, .id = "ask", .dir = DIRSEL_ANY,
		 .party = {.party = party0, .n_party = 1}, .match = &any,
		 .n_match = 1},
		{.kind = RULE_GRANT, .id = "tell", .dir = DIRSEL_ANY,
		 .party = {.party = party0, .n_party = 1}, .match = &any,
		 .n_match = 1, .data = {.present = true, .meas = MEAS_ALL}},
	};
	struct pol_file f = {.kind = POL_VENDOR, .unique = true,
			     .id = "v", .vm = "mdma",
			     .path = "v.yaml", .party = &party, .n_party = 1,
			     .rule = rule, .n_rule = 2};

	far.addr.b[13] = 21;
	return web_open(&f, live);
}

#endif
