/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Documents and exchanges of other people's software (METERGATE_SHARED, else
 * ../shared): each is read, what departs from the standard is noted, and the
 * operations are those that were recorded.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/json_read.h"
#include "dissectors/obix/testkit.h"

static struct span read_file(const char *dir, const char *name)
{
	const char *shared = getenv("METERGATE_SHARED");
	char path[512];
	static uint8_t buf[1 << 20];
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s/%s", shared ? shared : "../shared",
		 dir, name);
	f = fopen(path, "rb");
	if (!f)
		return (struct span){0};
	n = fread(buf, 1, sizeof(buf), f);
	fclose(f);
	return span_of(buf, n);
}

static bool absent(struct span s, const char *name)
{
	if (s.n == 0)
		print_message("SKIP: %s: not there\n", name);
	return s.n == 0;
}

/* --- documents
 * ----------------------------------------------------------------- */

static const struct {
	const char *file, *method, *path;
	bool answer;
	const char *says; /* how the text of its leaves begins */
	bool noted;
} docs[] = {
	/* They have comments of a thousand octets, which may say anything. */
	{"cot-server_about.xml",                             "GET",  "/obix/about/", true,
	 "read-response /obix/about is=obix:About identity.device+"
	 "unknown.table r=1 v=91",					       true },
 /* `meta` is no type of oBIX. */
	{"cot-server_lobby.xml",                             "GET",  "/obix/",       true,
	 "read-response /obix is=obix:Lobby+SignUpLobby+DevicesLobby "
	 "unknown.table",						     true },
	{"cot-server_test_device.xml",                       "GET",  "/obix/test/",  true,
	 "read-response /obix/test status.device+climate.temperature+"
	 "appliance.state+unknown.table r=1 v=167",			 true },
	{"niagara-batch-POST-batch-no-errors-req1.xml",      "POST", "/obix/batch/",
	 false,									     "read-request /obix/config/Test/BooleanWritable/out\n"
	 "write-request /obix/config/Test/NumericWritable/set unknown.table "
	 "r=1 v=1\n"
	 "batch-request /obix/batch\n",			false},
	{"niagara-history-GET-custom-query-rsp.xml",         "GET",
	 "/obix/histories/Test/Ramp/~historyQuery/?limit=10",                        true,
	 "history-query-response /obix/histories/Test/Ramp/~historyQuery "
	 "is=obix:HistoryQueryOut unknown.table r=10 v=10 g=230 ",	    false},
	{"niagara-history-GET-preset-query-rsp.xml",         "GET",
	 "/obix/histories/Test/Ramp/",					       true,
	 "read-response /obix/histories/Test/Ramp is=obix:History "
	 "config.meter",						 false},
	{"niagara-standard-GET-enum-rsp.xml",                "GET",
	 "/obix/config/Test/EnumWritable/out/",                                      true,
	 "read-response /obix/config/Test/EnumWritable/out is=baja:StatusEnum "
	 "appliance.state r=1 v=1\n",					 false},
	{"niagara-standard-GET-numeric-rsp.xml",             "GET",
	 "/obix/config/Test/Ramp/out/",					      true,
	 "read-response /obix/config/Test/Ramp/out is=baja:StatusNumeric "
	 "unknown.table r=1 v=1\n",					   false},
	{"niagara-standard-POST-numeric-req1.xml",           "POST",
	 "/obix/config/Test/NumericWritable/set/",                                   false,
	 "write-request /obix/config/Test/NumericWritable/set unknown.table "
	 "r=1 v=1\n",							 false},
	{"niagara-watcher-POST-watcher-add-req1.xml",        "POST",
	 "/obix/watchService/watch101/add/",                                         false,
	 "watch-add-request /obix/config/Test/BooleanWritable\n"
	 "watch-add-request /obix/config/Test/NumericWritable\n"
	 "watch-add-request /obix/config/Test/StringWritable\n"
	 "watch-add-request /obix/config/Test/EnumWritable\n",		false},
	{"niagara-watcher-POST-watcher-create-rsp.xml",      "POST",
	 "/obix/watchService/make/",						 true,
	 "watch-make-response /obix/watchService/make is=obix:Watch config.meter\n"
	 "watch-make-response /obix/watchService/watch101 is=obix:Watch "
	 "config.meter\n",						    false},
	{"niagara-watcher-POST-watcher-pollChanges-rsp.xml", "POST",
	 "/obix/watchService/watch101/pollChanges/",                                 true,
	 "watch-poll-response /obix/config/Test/Ramp is=kitControl:Ramp+"
	 "control:NumericPoint+obix:Point ",				     false},
};

static int doc(struct kit *k, size_t i, struct span body)
{
	if (!docs[i].answer)
		return kit_ask(k, docs[i].method, docs[i].path, body, NULL);
	(void)kit_ask(k, docs[i].method, docs[i].path, (struct span){0}, NULL);
	return kit_answer(k, docs[i].method, docs[i].path, body, NULL);
}

static void documents(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(docs) / sizeof(docs[0]); i++) {
		struct span body = read_file("obix-docs", docs[i].file);
		struct kit *k;

		if (absent(body, docs[i].file))
			continue;
		k = kit_new();
		if (doc(k, i, body) != 0)
			fail_msg("%s: %s", docs[i].file, k->e.text);
		if (strncmp(k->text, docs[i].says, strlen(docs[i].says)) != 0)
			fail_msg("%s says\n%s, not\n%s", docs[i].file, k->text,
				 docs[i].says);
		if ((strstr(k->text, " note") != NULL) != docs[i].noted)
			fail_msg("%s says\n%s", docs[i].file, k->text);
		kit_free(k);
	}
}

/* The answer to the batch, a point of 16 levels, needs the batch. */
static void batch_document(void **state)
{
	static uint8_t copy[4096];
	struct span ask = read_file(
		"obix-docs", "niagara-batch-POST-batch-no-errors-req1.xml");
	struct span answer;
	struct kit *k;

	(void)state;
	if (absent(ask, "batch"))
		return;
	memcpy(copy, ask.p, ask.n);
	ask.p = copy;
	k = kit_new();
	assert_int_equal(kit_ask(k, "POST", "/obix/batch/", ask, NULL), 0);
	answer = read_file("obix-docs",
			   "niagara-batch-POST-batch-no-errors-rsp.xml");
	assert_int_equal(kit_answer(k, "POST", "/obix/batch/", answer, NULL),
			 0);
	assert_non_null(strstr(k->text,
			       "read-response /obix/config/Test/BooleanWritable"
			       "/out is=baja:StatusBoolean appliance.state"));
	assert_non_null(strstr(k->text, "write-response /obix/config/Test/"
					"NumericWritable/set "
					"is=control:NumericWritable"));
	assert_true(k->units > 1);
	kit_free(k);
}

/* --- exchanges
 * -------------------------------------------------------------------- */

/* "POST /obix/a HTTP/1.1" or an absolute target. */
static bool request_line(struct span exchange, char *method, char *path)
{
	char line[512], target[400];
	const char *p;

	if (!json_string(line, sizeof(line),
			 json_get(json_get(exchange, "request"), "first")) ||
	    sscanf(line, "%15s %399s", method, target) != 2)
		return false;
	p = strncmp(target, "http://", 7) ? target : strchr(target + 7, '/');
	strcpy(path, p ? p : "/");
	return true;
}

static char body_buf[200000];

static struct span body_of(struct span message)
{
	struct span raw = json_get(message, "body");

	if (!raw.n || !json_string(body_buf, sizeof(body_buf), raw))
		return (struct span){0};
	return span_str(body_buf);
}

/* How many leaves of a kind and what they count. */
static void tally(const char *text, const char *kind, unsigned *n,
		  unsigned *records, unsigned *span, unsigned *other_g,
		  unsigned want_g)
{
	*n = *records = *span = *other_g = 0;
	for (const char *l = text; l && *l; l = strchr(l, '\n') + 1) {
		const char *r = strstr(l, " r="), *g = strstr(l, " g="),
			   *s = strstr(l, " span="), *end = strchr(l, '\n');

		if (strncmp(l, kind, strlen(kind)) != 0)
			continue;
		++*n;
		*records += r && r < end ? (unsigned)atoi(r + 3) : 0;
		*span += s && s < end ? (unsigned)atoi(s + 6) : 0;
		*other_g += !(g && g < end && (unsigned)atoi(g + 3) == want_g);
	}
}

/* What the manifest lists of each capture: kinds of requests, in all. */
static const struct {
	const char *capture, *kind;
	unsigned n;
} expected[] = {
	{"cot-timer-poll",            "signup-request /obix/signUp",               1},
	{"cot-timer-poll",            "watch-make-request",                        1},
	{"cot-timer-poll",            "watch-add-request /obix/TimerC/reset\n",    1},
	{"cot-timer-poll",            "watch-poll-request",                        5},
	{"cot-timer-poll",            "write-request",                             5},
	{"cot-timer-poll",            "watch-remove-request /obix/TimerC/reset\n", 1},
	{"cot-timer-poll",            "delete-request",                            1},
	{"cot-client-testsuite",      "batch-request /obix/batch ",                1},
	{"cot-client-testsuite",      "signup-request /obix/signUp",               4},
	{"qobix-example-adaptor",     "history-query-request",                     1},
	{"qobix-example-adaptor",     "history-append-request",                    6},
	{"qobix-example-adaptor",     "batch-request",                             8},
	{"qobix-scripts-batch-watch", "delete-request /obix/deviceRoot",           1},
	{"qobix-scripts-batch-watch", "write-request /obix/about",                 1},
	{"qobix-history-bulk-15min",  "history-query-request",                     3},
	{"jtoolkit-vs-cot",           "batch-request",                             1},
	{"jtoolkit-vs-cot",           "watch-poll-request",                        6},
	{"obixjs-vs-stub",
	 "history-query-request /obix/histories/Station/kWh/"
	 "~historyQuery span=86400 limit=5\n",				     1},
	{"obixjs-vs-stub",            "watch-poll-request",                        3},
	{"obixjs-vs-stub",            "batch-request",                             1},
};

static char said[4 << 20];

/* All that the requests or the answers of a capture say. */
static bool capture(const char *name, bool answers)
{
	char file[128], method[16], path[400];
	static uint8_t copy[1 << 20];
	struct span all, x;
	struct kit *k;
	size_t at = 0, n = 0;

	snprintf(file, sizeof(file), "%s.http.json", name);
	all = read_file("pcaps/obix", file);
	if (absent(all, file))
		return false;
	memcpy(copy, all.p, all.n);
	all.p = copy;
	k = kit_new();
	said[0] = 0;
	while (json_next(all, &at, NULL, &x)) {
		struct span answer = json_get(x, "response");

		if (!request_line(x, method, path))
			continue;
		memset(&k->ask, 0, sizeof(k->ask));
		(void)kit_ask(k, method, path, body_of(json_get(x, "request")),
			      NULL);
		if (answers) {
			struct span b = body_of(answer);

			if (!b.n || memmem(b.p, b.n, "<html", 5))
				continue;
			(void)kit_answer(k, method, path, b, NULL);
		}
		assert_true(n + k->text_n < sizeof(said));
		memcpy(said + n, k->text, k->text_n + 1);
		n += k->text_n;
	}
	kit_free(k);
	return true;
}

static void exchanges(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		unsigned n, r, s, g;

		if (!capture(expected[i].capture, false))
			continue;
		tally(said, expected[i].kind, &n, &r, &s, &g, 0);
		if (n != expected[i].n)
			fail_msg("%s: %u of %s, not %u", expected[i].capture, n,
				 expected[i].kind, expected[i].n);
	}
}

/* 384 quarter hours, appended and read back: count, interval and span. */
static void bulk(void **state)
{
	unsigned n, r, span, other;

	(void)state;
	if (!capture("qobix-history-bulk-15min", false))
		return;
	tally(said, "history-append-request", &n, &r, &span, &other, 900);
	assert_int_equal(r, 384);
	assert_int_equal(span, 384 * 900);
	assert_int_equal(other, 0);
	assert_true(capture("qobix-history-bulk-15min", true));
	/* 384, then limited to 4, then four hours and their two ends. */
	tally(said, "history-query-response", &n, &r, &span, &other, 900);
	assert_int_equal(r, 384 + 4 + 17);
	assert_int_equal(span, (384 + 4 + 17) * 900);
	assert_int_equal(other, 0);
	assert_null(strstr(said, "unknown.table r=384"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(documents),
		cmocka_unit_test(batch_document),
		cmocka_unit_test(exchanges),
		cmocka_unit_test(bulk),
	};

	return cmocka_run_group_tests_name("obix shared", tests, NULL, NULL);
}
