/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hello of TLS and the questions of DNS: what they name. Units of opaque
 * octets behind a hello say nothing that their flow does not say, so they give
 * no line of a protocol.
 */
#include "audit/eve_facts.h"

#include <inttypes.h>
#include <stdio.h>

static const struct {
	uint64_t number;
	const char *name;
} versions[] = {
	{0x0301, "TLS 1.0"},
	{0x0302, "TLS 1.1"},
	{0x0303, "TLS 1.2"},
	{0x0304, "TLS 1.3"},
};

/* IANA, DNS resource record types; another is written as RFC 3597 does. */
static const struct {
	uint64_t number;
	const char *name;
} types[] = {
	{1, "A"},	 {2, "NS"},   {5, "CNAME"}, {6, "SOA"},	   {12, "PTR"},
	{15, "MX"},	 {16, "TXT"}, {28, "AAAA"}, {33, "SRV"},   {35, "NAPTR"},
	{43, "DS"},	 {46, "RRSIG"}, {48, "DNSKEY"}, {64, "SVCB"},
	{65, "HTTPS"},
};

static void put_version(struct json *j, uint64_t v)
{
	for (size_t i = 0; i < sizeof(versions) / sizeof(*versions); i++) {
		if (versions[i].number == v) {
			json_str(j, NULL, versions[i].name);
			return;
		}
	}
	json_str(j, NULL, "unknown");
}

static void put_hello(struct json *j, const struct obs *o)
{
	json_obj(j, "tls");
	if (obs_has(o, F_DNS_NAME))
		json_text(j, "sni", obs_get_span(o, F_DNS_NAME));
	json_arr(j, "versions");
	for (unsigned i = 0; i < o->n; i++) {
		if (o->f[i].field == F_TLS_VERSION)
			put_version(j, o->f[i].u);
	}
	json_arr_end(j);
	if (obs_has(o, F_ALPN)) {
		json_arr(j, "alpn");
		for (unsigned i = 0; i < o->n; i++) {
			if (o->f[i].field == F_ALPN)
				json_text(j, NULL,
					  span_of(o->f[i].p, o->f[i].n));
		}
		json_arr_end(j);
	}
	json_obj_end(j);
}

static void put_type(struct json *j, uint64_t type)
{
	char text[32];

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		if (types[i].number == type) {
			json_str(j, "rrtype", types[i].name);
			return;
		}
	}
	snprintf(text, sizeof(text), "TYPE%" PRIu64, type);
	json_str(j, "rrtype", text);
}

static void put_question(struct json *j, const struct obs *o)
{
	json_obj(j, "dns");
	json_str(j, "type", o->kind == OBS_DNS_QUERY ? "query" : "answer");
	json_text(j, "rrname", obs_get_span(o, F_DNS_NAME));
	put_type(j, obs_get(o, F_DNS_TYPE, 0));
	json_obj_end(j);
}

static const struct obs *dns_of(const struct event *ev)
{
	for (uint32_t i = 0; i < ev->n_leaves; i++) {
		if (obs_family((enum obs_kind)ev->leaves[i].kind) ==
		    OBS_FAMILY_DNS)
			return &ev->leaves[i];
	}
	return NULL;
}

void eve_names(struct json *j, const struct event *ev)
{
	const struct obs *dns = dns_of(ev);

	if (ev->message && ev->message->kind == OBS_TLS_HELLO)
		put_hello(j, ev->message);
	if (dns)
		put_question(j, dns);
}

bool eve_says_nothing(const struct event *ev)
{
	return ev->message && ev->message->kind == OBS_FLOW_OPEN &&
	       ev->n_leaves == 1 && ev->leaves[0].kind == OBS_OPAQUE &&
	       !obs_has(&ev->leaves[0], F_APP);
}
