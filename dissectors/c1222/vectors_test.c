/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a generator meant (tests/c1222_expect.py makes the vector files from
 * it) against what is read here: every message, strictly and leniently.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
/* cmocka needs the three above */
#include <cmocka.h>

#include "dissectors/c1222/testkit.h"

#define FOLDER   "tests/pcaps/c1222-vectors/"
#define LINE_MAX (32 * 1024)

static const char *const names[] = {
	"gen_auth_variants", "gen_eax_auth",          "gen_eax_cipher",
	"gen_errors",        "gen_malformed_tcp",     "gen_malformed_udp",
	"gen_network",       "gen_notifications",     "gen_polling",
	"gen_procedures",    "gen_read_write",        "gen_segmented",
	"gen_tcp_framing",   "gen_tcp_session_clear", "gen_udp_sessionless",
};

/* Verdicts of the vectors, and the reasons that fit them. */
static const struct {
	const char *verdict;
	enum reason reason[4];
} verdicts[] = {
	{"ok",         {REASON_NONE}			     },
	{"segment",    {REASON_NONE}                             },
	{"malformed",  {REASON_MALFORMED, REASON_LEGACY}         },
 /* Refused one and all, on purpose; leniently, a response without the
  * id of its request is pointed out. */
	{"suspicious", {REASON_SUSPICIOUS, REASON_TOO_MANY_UNITS}},
	{"bad-mac",    {REASON_BAD_MAC}                          },
	{"forgery",    {REASON_FORGERY}                          },
 /* Read leniently, with a note. */
	{"noted",      {REASON_LEGACY, REASON_SUSPICIOUS}        },
};

struct run {
	struct kit *k;
	const char *file;
	char *frame; /* of the message being read, for messages */
	unsigned line, checked;
};

static bool fits(const char *verdict, enum reason got)
{
	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
		if (strcmp(verdicts[i].verdict, verdict) != 0)
			continue;
		for (size_t j = 0; j < 4; j++) {
			enum reason r = verdicts[i].reason[j];

			if (got == r && (j == 0 || r != REASON_NONE))
				return true;
		}
		return false;
	}
	fail_msg("unknown verdict %s", verdict);
	return false;
}

/* Let pass, but said to be suspicious or of an older form. */
static enum reason noted(const struct kit *k)
{
	const struct obs *o = &k->obs[0];

	for (unsigned i = 0; k->out.n > 0 && i < o->n; i++) {
		if (o->f[i].field == F_NOTE &&
		    (o->f[i].u == REASON_SUSPICIOUS ||
		     o->f[i].u == REASON_LEGACY))
			return (enum reason)o->f[i].u;
	}
	return REASON_NONE;
}

static struct net_addr addr_of(const char *text)
{
	unsigned a, b, c, d;

	assert_int_equal(sscanf(text, "%u.%u.%u.%u", &a, &b, &c, &d), 4);
	return (struct net_addr){
		{[10] = 0xff,
		 [11] = 0xff,
		 [12] = (uint8_t)a,
		 (uint8_t)b,
		 (uint8_t)c,
		 (uint8_t)d}
        };
}

/* The value of one fact, as the vector files write it. */
static void fact_text(const struct fact *f, char *buf, size_t cap)
{
	struct span s = {f->p, f->n};

	switch (field_type((enum field)f->field)) {
	case FIELD_OID:
		oid_text(buf, cap, s);
		return;
	case FIELD_TEXT:
		snprintf(buf, cap, "%.*s", (int)s.n, (const char *)s.p);
		return;
	case FIELD_SPAN:
		for (size_t i = 0; i < s.n && 2 * i + 2 < cap; i++)
			snprintf(buf + 2 * i, 3, "%02x", s.p[i]);
		buf[s.n ? 2 * s.n : 0] = 0;
		return;
	default:
		snprintf(buf, cap, "%llu", (unsigned long long)f->u);
	}
}

/* All facts of that field, joined with '+'. */
static void joined(const struct obs *o, enum field f, char *buf, size_t cap)
{
	size_t n = 0;

	buf[0] = 0;
	for (unsigned i = 0; i < o->n; i++) {
		if (o->f[i].field != f)
			continue;
		if (n)
			buf[n++] = '+';
		fact_text(&o->f[i], buf + n, cap - n);
		n += strlen(buf + n);
	}
}

static void check_fact(struct run *r, const struct obs *o, char *word)
{
	static char got[LINE_MAX];
	char *value = strchr(word, '=');
	bool absent = word[0] == '!';
	int f;

	if (value)
		*value++ = 0;
	r->checked++;
	if (strcmp(word, "name") == 0) {
		const char *name =
			c1222_service_name((uint8_t)obs_get(o, F_CODE, 255));

		if (!name || strcmp(name, value) != 0)
			fail_msg("%s:%u: name %s, not %s", r->file, r->line,
				 name ? name : "none", value);
		return;
	}
	f = field_find(span_str(word + absent));
	if (f < 0)
		fail_msg("%s:%u: no fact %s", r->file, r->line, word);
	joined(o, (enum field)f, got, sizeof(got));
	if (obs_has(o, (enum field)f) == absent ||
	    (value && strcmp(got, value) != 0))
		fail_msg("%s:%u frame %s: %s is %s, not %s", r->file, r->line,
			 r->frame, word, got, value ? value : "absent");
}

static void check_facts(struct run *r, char **save)
{
	const struct obs_list *l = &r->k->out;
	uint32_t at = 0;
	char *word;
	bool any = false;

	while ((word = strtok_r(NULL, " \n", save))) {
		any = true;
		if (at >= l->n)
			fail_msg("%s:%u frame %s: only %u observations",
				 r->file, r->line, r->frame, l->n);
		if (strcmp(word, "|") == 0)
			at++;
		else
			check_fact(r, &l->v[at], word);
	}
	/* Some messages are only said to be ok. */
	if (any && at + 1 != l->n)
		fail_msg("%s:%u frame %s: %u observations, not %u", r->file,
			 r->line, r->frame, l->n, at + 1);
}

/* msg FRAME TIME PROTO SRC SPORT DST DPORT VERDICT HEX [FACT...] */
static void run_message(struct run *r, char **save)
{
	static uint8_t octets[LINE_MAX / 2];
	struct dis_ctx *c = &r->k->c;
	long long s, us;
	const char *verdict, *src;
	enum reason got;
	bool ok, odd;

	r->frame = strtok_r(NULL, " ", save);
	assert_int_equal(
		sscanf(strtok_r(NULL, " ", save), "%lld.%lld", &s, &us), 2);
	kit_at(r->k, s * US_PER_S + us);
	c->tup.proto = strcmp(strtok_r(NULL, " ", save), "tcp") ? 17 : 6;
	src = strtok_r(NULL, " ", save);
	c->tup.src = addr_of(src);
	c->tup.sport = (uint16_t)atoi(strtok_r(NULL, " ", save));
	c->tup.dst = addr_of(strtok_r(NULL, " ", save));
	c->tup.dport = (uint16_t)atoi(strtok_r(NULL, " ", save));
	c->dir = strcmp(src, "10.20.0.10") ? DIR_IN : DIR_OUT;
	verdict = strtok_r(NULL, " ", save);
	ok = strcmp(verdict, "ok") == 0 || strcmp(verdict, "segment") == 0;
	got = kit_run(r->k, kit_hex(strtok_r(NULL, " \n", save), octets,
				    sizeof(octets)));
	odd = got == REASON_NONE && !ok && c->lenient;
	if (odd)
		got = noted(r->k);
	if (!fits(verdict, got))
		fail_msg("%s:%u frame %s: %s (%s), not %s", r->file, r->line,
			 r->frame, reason_text(got), r->k->e.text, verdict);
	if (ok || (odd && strcmp(verdict, "noted") == 0))
		check_facts(r, save);
	else
		r->checked++;
}

static void run_file(const char *name, bool lenient)
{
	static char line[LINE_MAX], path[256];
	struct run r = {.k = kit_new(), .file = name};
	FILE *f;

	r.k->c.lenient = lenient;
	snprintf(path, sizeof(path), FOLDER "%s.vec", name);
	f = fopen(path, "r");
	if (!f)
		fail_msg("%s: not there (run from the root of the tree)", path);
	while (fgets(line, sizeof(line), f)) {
		char *save, *word = strtok_r(line, " \n", &save);

		r.line++;
		if (!word || word[0] == '#')
			continue;
		if (strcmp(word, "key") == 0) {
			uint8_t id = (uint8_t)atoi(strtok_r(NULL, " ", &save));

			kit_key(r.k, id, strtok_r(NULL, " \n", &save));
		} else if (strcmp(word, "msg") == 0) {
			run_message(&r, &save);
		} else {
			fail_msg("%s:%u: %s", name, r.line, word);
		}
	}
	fclose(f);
	assert_true(r.checked > 0);
	print_message("%s%s: %u checks\n", name, lenient ? " lenient" : "",
		      r.checked);
	kit_free(r.k);
}

static void strictly(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		run_file(names[i], false);
}

static void leniently(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		run_file(names[i], true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strictly),
		cmocka_unit_test(leniently),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
