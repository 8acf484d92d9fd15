/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/eve_word.h"

/* IPv4 by hand: there are two in every line. */
struct span eve_addr(char buf[NET_ADDR_TEXT], const struct net_addr *a)
{
	struct wbuf w = wbuf_of(buf, NET_ADDR_TEXT);

	if (!net_addr_is4(a))
		return span_str(net_addr_text(buf, a));
	for (size_t i = 12; i < 16; i++) {
		uint8_t v = a->b[i];

		if (i > 12)
			wbuf_u8(&w, '.');
		if (v >= 100)
			wbuf_u8(&w, (uint8_t)('0' + v / 100));
		if (v >= 10)
			wbuf_u8(&w, (uint8_t)('0' + v / 10 % 10));
		wbuf_u8(&w, (uint8_t)('0' + v % 10));
	}
	return wbuf_span(&w);
}

void eve_number(struct wbuf *w, uint64_t v)
{
	uint8_t d[20];
	size_t i = sizeof(d);

	do {
		d[--i] = (uint8_t)('0' + v % 10);
		v /= 10;
	} while (v);
	wbuf_put(w, span_from(span_of(d, sizeof(d)), i));
}

void eve_str(struct wbuf *w, const char *s)
{
	wbuf_put(w, span_str(s));
}

struct span eve_object(char buf[EVE_OBJECT], const struct obs *o)
{
	struct wbuf w = wbuf_of(buf, EVE_OBJECT);

	if (obs_has(o, F_HREF))
		return obs_get_span(o, F_HREF);
	if (obs_has(o, F_PATH))
		return obs_get_span(o, F_PATH);
	if (obs_has(o, F_DNS_NAME))
		return obs_get_span(o, F_DNS_NAME);

	if (obs_has(o, F_PROCEDURE)) {
		eve_str(&w, "procedure ");
		eve_number(&w, obs_get(o, F_PROCEDURE, 0));
	} else if (obs_has(o, F_TABLE)) {
		eve_str(&w, "table ");
		eve_number(&w, obs_get(o, F_TABLE, 0));
	}
	return wbuf_span(&w);
}

const char *eve_proto(uint8_t proto)
{
	switch (proto) {
	case 1:
		return "ICMP";
	case 2:
		return "IGMP";
	case 6:
		return "TCP";
	case 17:
		return "UDP";
	case 58:
		return "IPv6-ICMP";
	default:
		return NULL;
	}
}

const char *eve_verdict(enum verdict v)
{
	return v == VERDICT_ALLOW ? "allow" : v == VERDICT_DENY ? "deny" : NULL;
}

const struct obs *eve_judged(const struct event *ev)
{
	if (ev->type != EV_DECISION && ev->type != EV_VIOLATION)
		return NULL;
	return ev->leaf < ev->n_leaves ? &ev->leaves[ev->leaf] : NULL;
}

uint64_t eve_unsigned(const struct event *ev, uint64_t seq)
{
	uint64_t point = ev->log ? ev->log->point : 0;

	return ev->type == EV_BOOT && seq > point ? seq - point : 0;
}
