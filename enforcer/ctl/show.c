/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/ctl/tool.h"

static const char *state_colour(const char *state)
{
	return strcmp(state, "up") == 0 || strcmp(state, "ready") == 0
		       ? GREEN
	       : strcmp(state, "starting") == 0 ? YELLOW
						: RED;
}

/* --- status ------------------------------------------------------------------------------ */

static void status_head(const struct tool *t, struct span line)
{
	char a[FIELD_TEXT], b[FIELD_TEXT], up[SHORT_TEXT];
	struct span audit = json_get(line, "audit");

	field(a, line, "state");
	printf("metergated %s  %s%s%s, up %s\n", field(b, line, "version"),
	       paint(&t->style, state_colour(a)), a, paint(&t->style, RESET),
	       short_time(up, field_int(line, "up_s") * 1000));
	printf("policies   %lld of generation %lld, %lld guests\n",
	       (long long)field_int(line, "policies"),
	       (long long)field_int(line, "generation"),
	       (long long)field_int(line, "guests"));
	printf("rules      %s, %s, offload %s\n", field(a, line, "backend"),
	       field_true(line, "bridged") ? "bridged" : "routed",
	       field_true(line, "offload") ? "on" : "off");
	printf("clock      %s\n",
	       field_true(line, "clock_trusted") ? "trusted" : "not trusted");
	printf("audit      %lld records, %lld commits, last %lld us, "
	       "%lld merged, %lld only counted\n",
	       (long long)field_int(audit, "records"),
	       (long long)field_int(audit, "commits"),
	       (long long)field_int(audit, "last_commit_us"),
	       (long long)field_int(audit, "aggregated"),
	       (long long)field_int(audit, "lost"));
	if (field(a, audit, "error")[0])
		printf("           %s%s%s\n", paint(&t->style, RED), a,
		       paint(&t->style, RESET));
}

void show_status(const struct tool *t, struct answer *a)
{
	struct table *table =
		table_new("PROCESS|GUEST|STATE|>PID|>STARTS|>AGE|>SILENT");
	char x[FIELD_TEXT], age[SHORT_TEXT];
	struct span line;

	if (answer_line(a, &line))
		status_head(t, line);
	while (answer_line(a, &line)) {
		bool up = field_int(line, "pid") > 0;

		table_cell(table, NULL, "%s", field(x, line, "process"));
		table_cell(table, NULL, "%s", field(x, line, "guest"));
		field(x, line, "state");
		table_cell(table, state_colour(x), "%s", x);
		table_cell(table, NULL, up ? "%lld" : "-",
			   (long long)field_int(line, "pid"));
		table_cell(table, NULL, "%lld",
			   (long long)field_int(line, "starts"));
		table_cell(table, NULL, "%s",
			   up ? short_time(age, field_int(line, "age_ms"))
			      : "-");
		table_cell(table, NULL, "%s",
			   json_get(line, "silent_ms").n
				   ? short_time(age,
						field_int(line, "silent_ms"))
				   : "-");
	}
	printf("\n");
	table_print(table, &t->style, stdout);
	table_free(table);
}

/* --- guests --------------------------------------------------------------------------------- */

const char *guest_state(struct span line)
{
	if (field_true(line, "frozen"))
		return "frozen";
	if (!field_true(line, "engine"))
		return "down";
	return field_int(line, "quarantine_left_s") > 0 ? "quarantine" : "up";
}

const char *guest_colour(struct span line)
{
	const char *s = guest_state(line);

	return strcmp(s, "up") == 0 ? GREEN
	       : strcmp(s, "down") == 0 ? RED
					: YELLOW;
}

static void guest_drops(const struct tool *t, struct span line)
{
	struct span drops = json_get(line, "drops"), key, value;
	char guest[FIELD_TEXT];
	size_t at = 0, n = 0;
	int64_t v;

	while (json_next(drops, &at, &key, &value)) {
		if (!json_int(value, &v))
			continue;
		if (n++ == 0)
			printf("%sdrops of %s:%s", paint(&t->style, DIM),
			       field(guest, line, "guest"),
			       paint(&t->style, RESET));
		printf(" %.*s %lld", (int)key.n, (const char *)key.p,
		       (long long)v);
	}
	if (n)
		printf("\n");
}

void show_guests(const struct tool *t, struct answer *a)
{
	struct table *table = table_new(
		"GUEST|IFACE|>QUEUE|STATE|>PACKETS|>PASSED|>DROPPED|>FLOWS|"
		">HELD|>ALLOWED|>DENIED|ADDRESSES");
	char x[FIELD_TEXT], n[SHORT_TEXT];
	static const char *const counts[] = {"packets",	  "passed", "dropped",
					     "flows_now", "held_now",
					     "allowed",	  "denied"};
	struct span line, addr;

	(void)answer_line(a, &line);
	while (answer_line(a, &line)) {
		size_t at = 0;

		table_cell(table, NULL, "%s", field(x, line, "guest"));
		table_cell(table, NULL, "%s", field(x, line, "interface"));
		table_cell(table, NULL, "%lld",
			   (long long)field_int(line, "queue"));
		table_cell(table, guest_colour(line), "%s", guest_state(line));
		for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
			table_cell(table, NULL, "%s",
				   short_count(n, field_int(line, counts[i])));
		x[0] = 0;
		if (json_next(json_get(line, "addresses"), &at, NULL, &addr))
			json_string(x, sizeof(x), addr);
		table_cell(table, NULL, "%s%s", x,
			   json_next(json_get(line, "addresses"), &at, NULL,
				     &addr)
				   ? " .."
				   : "");
	}
	table_print(table, &t->style, stdout);
	table_free(table);
	a->at = 0;
	(void)answer_line(a, &line);
	while (answer_line(a, &line))
		guest_drops(t, line);
}

/* --- flows, budgets ------------------------------------------------------------------------------ */

static const char *proto(int64_t p, char buf[SHORT_TEXT])
{
	static const struct {
		int64_t p;
		const char *name;
	} rows[] = {
		{1, "icmp"}, {6, "tcp"}, {17, "udp"}, {58, "icmp6"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].p == p)
			return rows[i].name;
	}
	snprintf(buf, SHORT_TEXT, "%lld", (long long)p);
	return buf;
}

static void end_point(struct table *table, struct span line, const char *ip,
		      const char *port)
{
	char x[FIELD_TEXT];
	bool six = strchr(field(x, line, ip), ':') != NULL;

	table_cell(table, NULL, six ? "[%s]:%lld" : "%s:%lld", x,
		   (long long)field_int(line, port));
}

/* "c1222", or "(SSH)", "c1222 (SSH by port)": in brackets what is guessed. */
static void spoken(struct table *table, struct span line)
{
	char app[FIELD_TEXT], guess[FIELD_TEXT], by[FIELD_TEXT];

	field(app, line, "app");
	if (!field(guess, line, "app_guess")[0]) {
		table_cell(table, NULL, "%s", app);
		return;
	}
	field(by, line, "app_confidence");
	table_cell(table, NULL, strcmp(by, "octets") == 0 ? "%s%s(%s)"
							  : "%s%s(%s by %s)",
		   app, app[0] ? " " : "", guess, by);
}

void show_flows(const struct tool *t, struct answer *a)
{
	struct table *table =
		table_new("PROTO|FROM|TO|APP|STATE|>OUT|>IN|>HELD|>AGE|>IDLE");
	char x[FIELD_TEXT], n[SHORT_TEXT];
	struct span line;

	(void)answer_line(a, &line);
	while (answer_line(a, &line)) {
		bool denied = field_true(line, "denied");
		int64_t class = field_int(line, "offload");

		table_cell(table, NULL, "%s",
			   proto(field_int(line, "proto"), n));
		end_point(table, line, "src_ip", "src_port");
		end_point(table, line, "dest_ip", "dest_port");
		spoken(table, line);
		table_cell(table, denied ? RED : class ? DIM : NULL, "%s%s",
			   field(x, line, "state"),
			   denied  ? " denied"
			   : class ? " kernel"
				   : "");
		table_cell(table, NULL, "%s",
			   short_octets(n, field_int(line, "octets_out")));
		table_cell(table, NULL, "%s",
			   short_octets(n, field_int(line, "octets_in")));
		table_cell(table, NULL, "%lld",
			   (long long)field_int(line, "held"));
		table_cell(table, NULL, "%s",
			   short_time(n, field_int(line, "age_ms")));
		table_cell(table, NULL, "%s",
			   short_time(n, field_int(line, "idle_ms")));
	}
	table_print(table, &t->style, stdout);
	table_free(table);
}

void show_budgets(const struct tool *t, struct answer *a)
{
	struct table *table = table_new("BUDGET|PARTY|>USED|>LIMIT|FREE AGAIN");
	char x[FIELD_TEXT], n[SHORT_TEXT];
	struct span line;

	(void)answer_line(a, &line);
	while (answer_line(a, &line)) {
		int64_t used = field_int(line, "used");
		int64_t limit = field_int(line, "limit");
		int64_t frees = field_int(line, "frees_s");

		table_cell(table, NULL, "%s", field(x, line, "budget"));
		field(x, line, "party");
		table_cell(table, NULL, "%s", x[0] ? x : "all");
		table_cell(table,
			   used >= limit	   ? RED
			   : used >= limit / 5 * 4 ? YELLOW
						   : NULL,
			   "%lld", (long long)used);
		table_cell(table, NULL, "%lld", (long long)limit);
		table_cell(table, NULL, "%s%s",
			   frees > 0 ? "in " : "",
			   frees < 0	? "-"
			   : frees == 0 ? "now"
					: short_time(n, frees * 1000));
	}
	table_print(table, &t->style, stdout);
	table_free(table);
}

static void total_cells(struct table *table, struct span line)
{
	static const char *const columns[] = {"hour", "hours_24", "today",
					      "days_30", "days_400"};
	char x[FIELD_TEXT];

	field(x, line, "party");
	table_cell(table, NULL, "%s",
		   field_true(line, "everyone") ? "everyone"
		   : x[0]			? x
						: "-");
	table_cell(table, NULL, "%s", field(x, line, "direction"));
	table_cell(table, NULL, "%s", field(x, line, "unit"));
	table_cell(table, NULL, "%s", field(x, line, "measurement"));
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		table_cell(table, NULL, "%lld",
			   (long long)field_int(line, columns[i]));
}

void show_ledger(const struct tool *t, struct answer *a)
{
	struct table *table = table_new("PARTY|WAY|UNIT|MEASUREMENT|>HOUR|>24 H|"
					">TODAY|>30 D|>400 D");
	struct span line;

	(void)answer_line(a, &line);
	while (answer_line(a, &line))
		total_cells(table, line);
	table_print(table, &t->style, stdout);
	table_free(table);
}

void show_erased(const struct tool *t, struct answer *a)
{
	char x[FIELD_TEXT];
	struct span line;

	(void)t;
	if (answer_line(a, &line))
		printf("%s: what no limit of now needs was erased\n",
		       field(x, line, "guest"));
}

void show_released(const struct tool *t, struct answer *a)
{
	char x[FIELD_TEXT];
	struct span line;

	(void)t;
	if (answer_line(a, &line))
		printf("%s: its quarantine is over\n",
		       field(x, line, "guest"));
}

/* --- the others ------------------------------------------------------------------------------------- */

static void policy_row(struct table *table, struct span line)
{
	char x[FIELD_TEXT], left[SHORT_TEXT];

	table_cell(table, NULL, "%s", field(x, line, "kind"));
	table_cell(table, NULL, "%s", field(x, line, "policy"));
	table_cell(table, NULL, "%lld", (long long)field_int(line, "serial"));
	table_cell(table, NULL, "%s", field(x, line, "guest"));
	field(x, line, "state");
	table_cell(table, strcmp(x, "in force") ? YELLOW : NULL, "%s", x);
	table_cell(table, NULL, "%s", field(x, line, "code"));
	if (json_get(line, "notice_left_s").n)
		table_cell(table, NULL, "in %s",
			   short_time(left, 1000 * field_int(line,
							     "notice_left_s")));
	else
		table_cell(table, NULL, "%s", "");
	table_cell(table, DIM, "%.16s", field(x, line, "digest"));
}

#define POLICY_HEAD "KIND|POLICY|>SERIAL|GUEST|STATE|CODE|BY ITSELF|DIGEST"

void show_policies(const struct tool *t, struct answer *a)
{
	struct table *table = table_new(POLICY_HEAD);
	struct span line;

	(void)answer_line(a, &line);
	while (answer_line(a, &line))
		policy_row(table, line);
	table_print(table, &t->style, stdout);
	table_free(table);
}

/* The files that it was compiled with. */
static void policy_libraries(struct span line)
{
	struct span all = json_get(line, "libraries"), one;
	char id[FIELD_TEXT], digest[FIELD_TEXT];
	size_t at = 0;

	while (json_next(all, &at, NULL, &one))
		printf("%-13s%s serial %lld sha256:%s\n", "library",
		       field(id, one, "id"),
		       (long long)field_int(one, "serial"),
		       field(digest, one, "sha256"));
}

/* What is in force by this id, and what waits. */
void show_policy(const struct tool *t, struct answer *a)
{
	static const char *const keys[] = {"policy", "kind",   "guest",
					   "state",  "code",   "digest",
					   "signed_with"};
	char x[FIELD_TEXT];
	struct span line;
	bool found = false;

	(void)answer_line(a, &line);
	while (answer_line(a, &line)) {
		if (strcmp(field(x, line, "policy"), t->guest) != 0)
			continue;
		found = true;
		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
			if (field(x, line, keys[i])[0])
				printf("%-13s%s\n", keys[i], x);
		}
		printf("%-13s%lld\n", "serial",
		       (long long)field_int(line, "serial"));
		policy_libraries(line);
		if (json_get(line, "notice_left_s").n)
			printf("%-13s%s\n", "by itself in",
			       short_time(x, 1000 * field_int(
						line, "notice_left_s")));
		printf("\n");
	}
	if (!found)
		printf("no policy %s is in force or waits\n", t->guest);
}

/* Lines of a difference, behind the policies that wait, if any. */
void show_pending(const struct tool *t, struct answer *a)
{
	struct table *table = table_new(POLICY_HEAD);
	size_t begin = 0;
	char x[FIELD_TEXT];
	struct span line;
	bool some = false;

	(void)answer_line(a, &line);
	begin = a->at;
	while (answer_line(a, &line)) {
		if (json_get(line, "line").n)
			continue;
		policy_row(table, line);
		some = true;
	}
	if (some)
		table_print(table, &t->style, stdout);
	a->at = begin;
	while (answer_line(a, &line)) {
		if (json_get(line, "line").n)
			printf("%s\n", field(x, line, "line"));
	}
	table_free(table);
}

void show_metrics(const struct tool *t, struct answer *a)
{
	struct span line;
	char *text;

	(void)t;
	if (!answer_line(a, &line))
		return;
	/* The text is shorter than its escaped form: there is room for it in
	 * place of the answer. */
	text = a->text;
	if (json_string(text, a->n, json_get(line, "metrics")))
		fputs(text, stdout);
}

void show_frozen(const struct tool *t, struct answer *a)
{
	char x[FIELD_TEXT];
	struct span line;

	(void)t;
	if (answer_line(a, &line))
		printf("%s: %s\n", field(x, line, "guest"),
		       field_true(line, "frozen") ? "frozen" : "thawed");
}

void show_reload(const struct tool *t, struct answer *a)
{
	struct span line;

	(void)t;
	if (answer_line(a, &line))
		printf("%lld policies of generation %lld are in force\n",
		       (long long)field_int(line, "policies"),
		       (long long)field_int(line, "generation"));
}
