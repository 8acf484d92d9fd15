/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A decision explained from its record alone, a line of JSON as
 * metergate-audit exports it: the record names layers, rules, positions,
 * reasons, quantities and what would have passed. What the policy says now
 * does not matter.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json_read.h"
#include "policy-lang/polc.h"

#define TEXT 1024

/* A member as text, for people: what could steer a terminal becomes '?'. */
static const char *text(char buf[TEXT], struct span object, const char *key)
{
	struct span raw = json_get(object, key);
	int64_t v;

	buf[0] = 0;
	if (json_int(raw, &v))
		snprintf(buf, TEXT, "%lld", (long long)v);
	else
		json_string(buf, TEXT, raw);
	for (unsigned char *p = (unsigned char *)buf; *p; p++) {
		if (*p < 0x20 || *p == 0x7f ||
		    (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0))
			*p = '?';
	}
	return buf;
}

static void row(const char *name, const char *what)
{
	if (what[0])
		printf("  %-10s %s\n", name, what);
}

static void verdict(struct span mg)
{
	char a[TEXT], b[TEXT];
	struct span reasons = json_get(mg, "reasons"), value;
	bool deny = strcmp(text(a, mg, "verdict"), "deny") == 0;
	size_t at = 0, n = 0;

	fputs(json_true(json_get(mg, "would_refuse")) ? "NOTED"
	      : deny				       ? "REFUSED"
						       : "PERMITTED",
	      stdout);
	while (json_next(reasons, &at, NULL, &value)) {
		if (!json_string(b, sizeof(b), value))
			continue;
		printf("%s%s", n++ ? ", " : "  ", b);
	}
	printf("\n");
}

static void message(struct span line, struct span mg)
{
	char a[TEXT], b[TEXT], c[TEXT], out[4 * TEXT];

	snprintf(out, sizeof(out), "%s  %s %s", text(a, mg, "seq"),
		 text(b, line, "timestamp"), text(c, line, "event_type"));
	row("record", out);
	snprintf(out, sizeof(out), "%s %s %s", text(a, mg, "guest"),
		 text(b, mg, "direction"), text(c, mg, "party"));
	row("machine", out);
	snprintf(out, sizeof(out), "%s%s%s", text(a, mg, "op"),
		 json_get(mg, "object").n ? " " : "", text(b, mg, "object"));
	row("message", out);
}

static void data(struct span mg)
{
	static const struct {
		const char *key, *name, *unit;
	} rows[] = {
		{"granularity_s", "granularity", " s"},
		{"readings", "readings", ""},
		{"span_s", "span", " s"},
		{"oldest", "oldest", ""},
		{"newest", "newest", ""},
		{"octets", "octets", ""},
	};
	char a[TEXT], out[4 * TEXT];
	size_t n = (size_t)snprintf(out, TEXT, "%s", text(a, mg, "measurement"));

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (json_get(mg, rows[i].key).n && n + TEXT / 4 < sizeof(out))
			n += (size_t)snprintf(out + n, TEXT / 4, "%s%s %.32s%s",
					      n ? ", " : "", rows[i].name,
					      text(a, mg, rows[i].key),
					      rows[i].unit);
	}
	row("data", out);
}

static void rules(struct span mg)
{
	char a[TEXT], b[TEXT], c[TEXT], d[TEXT];
	struct span all = json_get(mg, "rules"), r;
	size_t at = 0, refused = 0;

	while (json_next(all, &at, NULL, &r)) {
		bool no = json_true(json_get(r, "refused"));

		refused += no;
		text(a, r, "rule");
		printf("  %-10s %-9s %-20s %s:%s\n", text(b, r, "layer"),
		       no ? "refused" : "ok", a[0] ? a : "no rule",
		       text(c, r, "file"), text(d, r, "line"));
		if (no)
			printf("               %s\n", text(a, mg, "detail"));
	}
	if (!refused)
		row("why", text(a, mg, "detail"));
}

static void budgets(struct span mg)
{
	char a[TEXT], b[TEXT], c[TEXT];
	struct span all = json_get(mg, "budgets"), x;
	size_t at = 0;

	while (json_next(all, &at, NULL, &x))
		printf("  limits     %s: %s of %s\n", text(a, x, "name"),
		       text(b, x, "used"), text(c, x, "limit"));
}

static void show(struct span line, struct span mg)
{
	char a[TEXT];

	verdict(mg);
	message(line, mg);
	data(mg);
	rules(mg);
	budgets(mg);
	if (text(a, mg, "would_pass")[0])
		printf("  would pass           %s\n", a);
}

enum found { NOT_YET, FOUND, WRONG };

static enum found look(struct span line, uint64_t n, bool json)
{
	struct span inner = json_get(line, "event"), mg;
	int64_t seq;

	/* As metergatectl --json why has them. */
	if (inner.n && inner.p[0] == '{')
		line = inner;
	mg = json_get(line, "metergate");
	if (!json_int(json_get(mg, "seq"), &seq) || seq < 0 ||
	    (uint64_t)seq != n)
		return NOT_YET;
	if (json_get(mg, "verdict").n == 0) {
		polc_say("explain: record %llu decides nothing",
			 (unsigned long long)n);
		return WRONG;
	}
	if (json)
		printf("%.*s\n", (int)line.n, (const char *)line.p);
	else
		show(line, mg);
	return FOUND;
}

int explain_record(const char *path, uint64_t n, bool json)
{
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	char *line = NULL;
	size_t cap = 0, seen = 0;
	ssize_t len;
	enum found found = NOT_YET;

	if (!f) {
		polc_say("%s: %s", path, strerror(errno));
		return POLC_IO;
	}
	while (found == NOT_YET && (len = getline(&line, &cap, f)) >= 0) {
		struct span s = span_of(line, (size_t)len);

		while (s.n && (s.p[s.n - 1] == '\n' || s.p[s.n - 1] == '\r'))
			s.n--;
		if (s.n == 0)
			continue;
		if (!json_valid(s)) {
			polc_say("%s: line %zu is no JSON", path, seen + 1);
			found = WRONG;
		} else {
			found = look(s, n, json);
		}
		seen++;
	}
	free(line);
	if (f != stdin)
		fclose(f);
	if (found == NOT_YET)
		polc_say("explain: --event %llu: %s has no record of this "
			 "number",
			 (unsigned long long)n, path);
	return found == FOUND ? POLC_OK : POLC_USAGE;
}
