/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parts of random rules (lawpolicy.h): what they match, data and limits. What
 * a rule is about comes from a short list (struct about), and so do the
 * messages (lawsaid.h): most of them fit some rule.
 */
#ifndef POLICY_LANG_LAWPARTS_H
#define POLICY_LANG_LAWPARTS_H

#include "core/event.h"
#include "policy-lang/lawtree.h"

enum { AB_READ, AB_ASK, AB_PUSH, AB_SWITCH, AB_OBIX, AB_OBIX_ASK, AB_HTTP,
       AB_OPAQUE, AB_LOGON, AB_LOGOFF, AB_COUNT };

struct about {
	const char *obs;
	enum obs_kind kind;
	enum dir dir;
	bool data, table, href;
	unsigned n_var; /* of its attribute, which do not overlap */
};

static const struct about abouts[AB_COUNT] = {
	{"c1222.read-response", OBS_C1222_READ_RESPONSE, DIR_OUT, true, true,
	 false, 3},
	{"c1222.read-request", OBS_C1222_READ_REQUEST, DIR_IN, false, true,
	 false, 3},
	{"c1222.write-request", OBS_C1222_WRITE_REQUEST, DIR_OUT, true, true,
	 false, 3},
	{"c1222.write-request", OBS_C1222_WRITE_REQUEST, DIR_IN, true, true,
	 false, 3},
	{"obix.read-response", OBS_OBIX_READ_RESPONSE, DIR_OUT, true, false,
	 true, 3},
	{"obix.read-request", OBS_OBIX_READ_REQUEST, DIR_IN, false, false, true,
	 3},
	{"http.request", OBS_HTTP_REQUEST, DIR_OUT, false, false, false, 1},
	{"opaque", OBS_OPAQUE, DIR_OUT, false, false, false, 1},
	{"c1222.logon-request", OBS_C1222_LOGON_REQUEST, DIR_IN, false, false,
	 false, 1},
	{"c1222.logoff-request", OBS_C1222_LOGOFF_REQUEST, DIR_IN, false,
	 false, false, 1},
};

#define LAW_TABLE(v) (20 + 10 * (v)) /* and the four behind it */

#define PICK(d, ...)                                                         \
	({                                                                   \
		static const char *const p_[] = {__VA_ARGS__};               \
		p_[draw(d, sizeof(p_) / sizeof(p_[0]))];                     \
	})

static inline void put_match(struct lt *t, uint16_t in, unsigned about,
			     unsigned var)
{
	const struct about *a = &abouts[about];
	uint16_t m = lt_add(t, in, LT_MAP, "match");
	uint16_t o = lt_add(t, m, LT_MAP, a->obs);

	if (a->table) {
		uint16_t s = lt_add(t, o, LT_SEQ, "table");

		lt_put(t, s, NULL, "%u-%u", LAW_TABLE(var),
		       LAW_TABLE(var) + 4);
	} else if (a->href) {
		lt_put(t, o, "href", "/meter/%c/*", 'a' + (int)var);
	} else if (about == AB_HTTP) {
		lt_put(t, o, "method", "GET");
		lt_put(t, o, "path", "/tips/**");
		lt_put(t, o, "body", "0 B");
		/* A pattern in which no slash stands. */
		lt_put(t, o, "host", "tips*");
	}
}

/* --- data ------------------------------------------------------------------- */

static inline void put_gran(struct draws *d, struct lt *t, uint16_t data)
{
	lt_drop(t, data, "granularity");
	lt_put(t, data, "granularity", "%s",
	       PICK(d, "15 min or coarser", "30 min or coarser",
		    "1 h or coarser", "15 min to 2 h", "30 min to 3 h"));
}

/* One guard more, or another instead. power: of watts. */
static inline void put_guard(struct draws *d, struct lt *t, uint16_t data,
			     bool power, bool customer)
{
	switch (draw(d, customer ? 3 : 4)) {
	case 0:
		lt_drop(t, data, "delay");
		lt_put(t, data, "delay", "%s", PICK(d, "1 h", "6 h", "12 h"));
		break;
	case 1:
		lt_drop(t, data, "history");
		lt_put(t, data, "history", "%s", PICK(d, "35 d", "3 d", "1 d"));
		break;
	case 2:
		lt_drop(t, data, "resolution");
		lt_put(t, data, "resolution", "%s %s",
		       PICK(d, "1", "2", "3", "10"), power ? "W" : "Wh");
		break;
	default:
		lt_drop(t, data, "channels");
		lt_put(t, data, "channels", "%s", PICK(d, "1", "2", "3"));
		break;
	}
}

static inline void put_data(struct draws *d, struct lt *t, uint16_t rule,
			    unsigned about)
{
	uint16_t data = lt_add(t, rule, LT_MAP, "data");
	bool power = false;

	if (about == AB_PUSH) {
		lt_put(t, data, "measurement", "event.power");
	} else if (about == AB_SWITCH) {
		lt_put(t, data, "measurement", "control.load");
		if (draw(d, 3))
			lt_put(t, data, "value", "%s",
			       PICK(d, "0 s to 2 h", "0 s to 1 h",
				    "30 min to 3 h"));
		return;
	} else {
		uint64_t which = draw(d, 4);
		uint16_t s;

		if (which == 0) {
			lt_put(t, data, "measurement", "energy.register");
		} else if (which == 1) {
			lt_put(t, data, "measurement", "energy.interval");
			put_gran(d, t, data);
		} else if (which == 2) {
			s = lt_add(t, data, LT_SEQ, "measurement");
			lt_put(t, s, NULL, "energy.register");
			lt_put(t, s, NULL, "energy.interval");
			put_gran(d, t, data);
		} else {
			lt_put(t, data, "measurement", "power.instant");
			power = true;
		}
	}
	if (lt_get(t, data, "granularity")) /* P4104 */
		lt_put(t, data, "history", "%s", PICK(d, "35 d", "3 d", "1 d"));
	for (uint64_t n = about == AB_PUSH ? 0 : draw(d, 4); n; n--)
		put_guard(d, t, data, power, false);
}

/* --- limits ----------------------------------------------------------------- */

#define CALENDARS "day", "hour", "week", "month", "billing-period", "year"
#define SLIDINGS  "1 h", "10 min", "6 h", "24 h", "7 d"

static inline void limit_phrase(struct draws *d, char *buf, size_t cap,
				bool data, bool table, bool counts)
{
	unsigned n = 1 + (unsigned)draw(d, 5);
	const char *thing = data ? PICK(d, "messages", "readings", "values")
				 : "messages";

	switch (draw(d, counts ? 4 : table ? 7 : 6)) {
	case 0:
		snprintf(buf, cap, "%u %s per %s", n, thing,
			 PICK(d, CALENDARS));
		break;
	case 1:
		snprintf(buf, cap, "%u %s per %s", n, thing, PICK(d, SLIDINGS));
		break;
	case 2:
		snprintf(buf, cap, "%u %s per %s burst %u", n, thing,
			 PICK(d, SLIDINGS), 1 + (unsigned)draw(d, 4));
		break;
	case 3:
		snprintf(buf, cap, "at least %s apart",
			 PICK(d, "5 min", "1 h", "20 h", "1 s"));
		break;
	case 4:
		snprintf(buf, cap, "%u00 B per %s", 3 + n,
			 PICK(d, "day", "hour", "1 h", "24 h", "month"));
		break;
	case 5:
		snprintf(buf, cap, "%u00 B per %s burst %u00 B", 3 + n,
			 PICK(d, SLIDINGS), 2 + n);
		break;
	default:
		snprintf(buf, cap, "at most %u distinct table per %s", n,
			 PICK(d, "day", "hour", "24 h"));
		break;
	}
}

static inline void put_limit(struct draws *d, struct lt *t, uint16_t rule,
			     bool data, bool table)
{
	uint16_t s = lt_get(t, rule, "limits");
	char buf[100];

	/* The first of a rule that tells something counts it: P5101. */
	limit_phrase(d, buf, sizeof(buf), data, table, data && !s);
	if (s && one_in(d, 6))
		snprintf(buf, sizeof(buf), "%s",
			 PICK(d, "1 connection per day", "1 connection per week",
			      "at most 1 connections at once"));
	if (!s)
		s = lt_add(t, rule, LT_SEQ, "limits");
	lt_put(t, s, NULL, "%s", buf);
}

static inline void put_exceed(struct draws *d, struct lt *t, uint16_t in)
{
	if (one_in(d, 4))
		lt_put(t, in, "exceed", "%s",
		       PICK(d, "drop", "reset", "defer 30 s",
			    "quarantine 10 min"));
}

static inline void put_roles(struct draws *d, struct lt *t, uint16_t in)
{
	uint16_t p = lt_add(t, in, LT_MAP, "party");
	uint16_t s = lt_add(t, p, LT_SEQ, "role");

	lt_put(t, s, NULL, "%s", PICK(d, "metering", "service", "vm"));
}

/* A limit of its own; vendor: its parties have names. */
static inline void put_top(struct draws *d, struct lt *t, const char *id,
			   bool vendor)
{
	uint16_t all = lt_map(t, 1, "limits"), x, on, each;
	uint64_t kind = draw(d, 6);
	char buf[100];

	x = lt_add(t, all, LT_MAP, id);
	limit_phrase(d, buf, sizeof(buf), false, false, false);
	if (kind == 5 || draw(d, 2)) {
		on = lt_add(t, x, LT_MAP, "on");
		if (kind == 4) {
			lt_put(t, on, "direction", "any");
			snprintf(buf, sizeof(buf), "%s",
				 PICK(d, "20 refusals per 10 min",
				      "6 refusals per hour",
				      "12 refusals per 1 h burst 4"));
		} else if (kind == 5) {
			uint16_t m = lt_add(t, on, LT_MAP, "match");

			(void)lt_add(t, m, LT_MAP, "flow.open");
			snprintf(buf, sizeof(buf), "%s",
				 PICK(d, "4 connections per day",
				      "3 connections per 10 min burst 2",
				      "at most 2 connections at once"));
		} else {
			lt_put(t, on, "direction", "%s",
			       PICK(d, "any", "out", "in"));
			if (vendor && draw(d, 2))
				lt_put(t, on, "party", "%s",
				       PICK(d, "headend", "service"));
			else if (!vendor && draw(d, 2))
				put_roles(d, t, on);
			if (kind == 3)
				lt_put(t, on, "measurement", "%s",
				       PICK(d, "energy.*", "energy.register",
					    "power.instant"));
			else if (kind == 2)
				put_match(t, on, (unsigned)draw(d, AB_HTTP),
					  (unsigned)draw(d, 3));
		}
	}
	if (draw(d, 2)) {
		each = lt_add(t, x, LT_SEQ, "each");
		if (draw(d, 3))
			lt_put(t, each, NULL, "vm");
		if (draw(d, 2))
			lt_put(t, each, NULL, "party");
		if (kind == 3)
			lt_put(t, each, NULL, "measurement");
	}
	lt_put(t, x, "limit", "%s", buf);
	put_exceed(d, t, x);
}

#endif
