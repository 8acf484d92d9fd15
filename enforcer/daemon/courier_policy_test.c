/* SPDX-License-Identifier: Apache-2.0 */
/* Policies and labels as the courier tells them, and a customer's file as it
 * hands it on; this process is the parent, which is asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include "enforcer/daemon/courier_testbed.h"

static char buf[1 << 20];

static unsigned status_of(const char *answer)
{
	const char *p = strchr(answer, ' ');

	return p ? (unsigned)atoi(p + 1) : 0;
}

static unsigned get(enum where w, const char *path)
{
	char request[400];

	snprintf(request, sizeof(request),
		 "GET %s HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n",
		 path);
	ask(w, request, buf, sizeof(buf), 3000);
	return status_of(buf);
}

/* --- what there is to tell -------------------------------------------------- */

static void begin_cards(void)
{
	atomic_fetch_or(&b.cards->seq, 1);
}

static void end_cards(void)
{
	atomic_fetch_add(&b.cards->seq, 1);
}

static struct card *fill(void)
{
	struct card *k = &b.cards->card[1];

	begin_cards();
	b.cards->generation = 7;
	b.cards->n = 2;
	b.cards->card[0].kind = POL_BINDING;
	strcpy(b.cards->card[0].id, "com.example.home");
	*k = (struct card){.kind = POL_VENDOR,
			   .serial = 2026031501,
			   .not_after = 1798761600,
			   .monitor_until = 0,
			   .n_monitored = 1,
			   .carried = true,
			   .n_rows = 3};
	strcpy(k->id, "com.example.mdma");
	strcpy(k->machine, "mdma");
	strcpy(k->title, "Half-hourly <prices> & \"more\"");
	strcpy(k->vendor, "mdma-vendor");
	k->n_libs = 1;
	strcpy(k->lib[0].id, "org.example.lib");
	k->lib[0].serial = 3;
	memset(k->lib[0].digest, 0xab, sizeof(k->lib[0].digest));
	memset(k->file, 0xcd, sizeof(k->file));
	strcpy(k->monitored[0].id, "send-profile");
	k->monitored[0].until = 1798761600;
	k->row[0].label = (struct lay_label){
		.spacing = 1800 * NS_PER_S,
		.grade = 'D',
		.late = 1,
		.identity = 3,
		.statements = 0x3f,
		.clear = 1u << 6,
		.blurred = 1u << 4};
	strcpy(k->row[0].operator_, "A & B <Metering>\x01\xff Ltd");
	strcpy(k->row[0].country, "GB");
	k->row[1].label = (struct lay_label){
		.spacing = INT64_MAX, .grade = '-', .identity = 0};
	strcpy(k->row[1].operator_, "Clock");
	k->row[2].label = (struct lay_label){.spacing = INT64_MAX,
					     .grade = '-',
					     .other = LABEL_OTHER_ANY};
	strcpy(k->row[2].operator_, "Updates");
	end_cards();
	return k;
}

static void nothing_is_told_before_there_is_anything(void **state)
{
	(void)state;
	NEEDS_COURIER();
	assert_int_equal(get(OPERATOR, "/v1/policies"), 503);
	assert_int_equal(get(PORTAL, "/v1/policies/x/label.svg"), 503);
	fill();
	begin_cards();
	assert_int_equal(get(OPERATOR, "/v1/policies"), 503);
	end_cards();
	assert_int_equal(get(OPERATOR, "/v1/policies"), 200);
}

static void each_path_has_its_answer(void **state)
{
	static const struct {
		const char *path;
		unsigned status;
		const char *inside;
	} rows[] = {
		{"/v1/policies", 200, "\"generation\":7"},
		{"/v1/policies", 200, "{\"id\":\"com.example.mdma\","
				      "\"layer\":\"vendor\","
				      "\"serial\":2026031501,"},
		{"/v1/policies", 200, "\"file-sha-256\":\"cdcdcd"},
		{"/v1/policies", 200,
		 "\"compiled_with\":1,\"libraries\":[{\"id\":"
		 "\"org.example.lib\",\"serial\":3,\"sha-256\":\"ababab"},
		{"/v1/policies", 200, "\"vendor\":\"mdma-vendor\""},
		{"/v1/policies", 200, "\"not_after\":\"2027-01-01\""},
		{"/v1/policies", 200,
		 "\"mode\":\"enforce\",\"monitor_until\":null,"
		 "\"monitored_rules\":1,\"monitored\":[{\"rule\":"
		 "\"send-profile\",\"until\":\"2027-01-01\"}]"},
		{"/v1/policies", 200,
		 "\"svg\":\"/v1/policies/com.example.mdma/label.svg\""},
		{"/v1/policies/com.example.mdma/label.json", 200,
		 "\"from\":\"image\""},
		{"/v1/policies/com.example.mdma/label.json", 200,
		 "\"grade\":\"D\",\"grade-word\":\"Every quarter or half "
		 "hour\",\"sealed\":false,\"other-messages\":\"none\","
		 "\"modifiers\":[\"late\"],"
		 "\"spacing-s\":1800,\"statements\":[\"A.month\","},
		{"/v1/policies/com.example.mdma/label.json", 200,
		 "\"appliances\":{\"clear\":[\"dryer\"],\"blurred\":"
		 "[\"hob\"]}"},
		{"/v1/policies/com.example.mdma/label.json", 200,
		 "\"spacing-s\":null"},
		{"/v1/policies/com.example.mdma/label.svg", 200,
		 "Content-Type: image/svg+xml"},
		{"/v1/policies/com.example.mdma/label.svg", 200,
		 "A &amp; B &lt;Metering&gt;\xef\xbf\xbd\xef\xbf\xbd Ltd (GB)"},
		{"/v1/policies/com.example.mdma/label.svg", 200,
		 "Can show: tumble dryer"},
		{"/v1/policies/com.example.mdma/label.svg", 200,
		 "gets nothing about your use"},
		{"/v1/policies/com.example.mdma/label.json", 200,
		 "\"other-messages\":\"unlimited\""},
		{"/v1/policies/com.example.mdma/label.svg", 200,
		 ">Messages without readings, as many as it likes<"},
		/* Who has no label, and what is no path. */
		{"/v1/policies/com.example.home/label.json", 404, NULL},
		{"/v1/policies/com.example.mdma", 404, NULL},
		{"/v1/policies/com.example.mdma/", 404, NULL},
		{"/v1/policies/com.example.mdma/label.html", 404, NULL},
		{"/v1/policies/com.example.mdma/label.json/x", 404, NULL},
		{"/v1/policies/com.example.mdm/label.json", 404, NULL},
		{"/v1/policies//label.json", 404, NULL},
		{"/v1/policies/", 404, NULL},
		{"/v1/policiesx", 404, NULL},
		{"/v1/customer", 405, NULL},
	};

	(void)state;
	NEEDS_COURIER();
	fill();
	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned got = get(i % 2 ? PORTAL : OPERATOR, rows[i / 2].path);

		if (got != rows[i / 2].status ||
		    (rows[i / 2].inside && !strstr(buf, rows[i / 2].inside)))
			fail_msg("%s: %u %s", rows[i / 2].path, got, buf);
	}
}

/* Every field full, of what takes the most room when it is escaped, and counts
 * and kinds that nobody would write. */
static void hostile_cards_are_bounded(void **state)
{
	(void)state;
	NEEDS_COURIER();
	begin_cards();
	for (size_t i = 0; i < CARDS_MAX; i++) {
		struct card *k = &b.cards->card[i];

		memset(k, '"', sizeof(*k));
		k->kind = POL_VENDOR;
		for (int r = 0; r < LAY_MAX_PARTIES; r++)
			k->row[r].label.grade = 'F';
	}
	b.cards->n = UINT32_MAX;
	end_cards();
	assert_int_equal(get(OPERATOR, "/v1/policies"), 200);
	fill();
	begin_cards();
	memset(b.cards->card[1].row, '\'', sizeof(b.cards->card[1].row));
	b.cards->card[1].n_rows = UINT32_MAX;
	end_cards();
	assert_int_equal(get(OPERATOR,
			     "/v1/policies/com.example.mdma/label.json"), 200);
	assert_int_equal(get(OPERATOR,
			     "/v1/policies/com.example.mdma/label.svg"), 200);
	assert_true(alive());
	fill();
}

/* --- a customer's file ------------------------------------------------------ */

static void portal_is(const char *name, uint8_t last)
{
	begin_cards();
	b.cards->has_portal = name != NULL;
	b.cards->n_addr = 1;
	b.cards->addr[0] = (struct pol_prefix){
		.addr = {.b = {[10] = 0xff, 0xff, 127, 0, 0, last}},
		.len = 128};
	end_cards();
}

/* The parent: answers what is asked within that time. */
static bool parent(enum offer_state s, const char *text, int ms)
{
	for (; ms > 0; ms -= 10) {
		uint32_t asked = atomic_load(&b.offer->asked);

		if (asked != atomic_load(&b.offer->answered)) {
			b.offer->state = s;
			strcpy(b.offer->code, "0badcafe");
			strcpy(b.offer->text, text);
			atomic_store(&b.offer->answered, asked);
			return true;
		}
		usleep(10000);
	}
	return false;
}

static int put(enum where w, const char *head, const char *body, size_t n)
{
	char request[300];
	int fd = call(w);

	snprintf(request, sizeof(request), "PUT /v1/customer HTTP/1.1\r\n"
					   "Host: m\r\n%s\r\n", head);
	if (fd >= 0)
		say(fd, request, strlen(request));
	if (fd >= 0 && n)
		say(fd, body, n);
	return fd;
}

static unsigned answer_to(int fd, int ms)
{
	buf[0] = 0;
	if (fd < 0)
		return 0;
	hear(fd, buf, sizeof(buf), ms);
	close(fd);
	return status_of(buf);
}

#define FIVE "Content-Length: 5\r\nConnection: close\r\n"

static void it_is_handed_on_and_answered(void **state)
{
	static const struct {
		enum where w;
		enum offer_state s;
		const char *text;
		unsigned status;
		const char *inside;
	} rows[] = {
		{OPERATOR, OFFER_STAGED, "a serial 2\n  x: no answer\n", 202,
		 "{\"state\":\"pending\",\"confirm\":\"on the meter's panel\","
		 "\"code\":\"0badcafe\",\"changes\":[\"a serial 2\",\"  x: no "
		 "answer\"]}"},
		{PORTAL, OFFER_STAGED, "", 202, "\"changes\":[]"},
		{PORTAL, OFFER_REFUSED, "customer.yaml:3:5: error[P0123]: no",
		 422, "{\"state\":\"refused\",\"error\":\"customer.yaml:3:5: "
		      "error[P0123]: no\"}"},
		{OPERATOR, OFFER_BUSY, "later", 429, "Retry-After: 600"},
		{OPERATOR, (enum offer_state)99, "?", 422, NULL},
	};

	(void)state;
	NEEDS_COURIER();
	portal_is("portal", 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fd = put(rows[i].w, FIVE, "abcde", 5);
		unsigned got;

		assert_true(parent(rows[i].s, rows[i].text, 3000));
		assert_int_equal(b.offer->from, rows[i].w == PORTAL
							? OFFER_PORTAL
							: OFFER_OPERATOR);
		assert_int_equal(b.offer->n, 5);
		assert_memory_equal(b.offer->source, "abcde", 5);
		got = answer_to(fd, 3000);
		if (got != rows[i].status ||
		    (rows[i].inside && !strstr(buf, rows[i].inside)))
			fail_msg("row %zu: %u %s", i, got, buf);
	}
}

static void what_is_no_file_is_refused(void **state)
{
	static char large[PROPOSE_SOURCE + 100];
	static char chunked[PROPOSE_SOURCE + 200];
	size_t n;

	(void)state;
	NEEDS_COURIER();
	portal_is("portal", 1);
	memset(large, '#', sizeof(large));
	assert_int_equal(answer_to(put(OPERATOR, "Content-Length: 0\r\n", "",
				       0), 2000), 400);
	assert_int_equal(answer_to(put(OPERATOR, "Content-Length: 262145\r\n",
				       "", 0), 2000), 413);
	ask(PORTAL, "PUT /v1/customer?activate=1 HTTP/1.1\r\nHost: m\r\n" FIVE
		    "\r\nabcde", buf, sizeof(buf), 2000);
	assert_int_equal(status_of(buf), 400);
	assert_non_null(strstr(buf, "'activate' is no argument"));
	/* Of this length nothing is known before it is there. */
	n = (size_t)sprintf(chunked, "%x\r\n", PROPOSE_SOURCE + 1);
	memset(chunked + n, '#', PROPOSE_SOURCE + 1);
	n += PROPOSE_SOURCE + 1;
	n += (size_t)sprintf(chunked + n, "\r\n0\r\n\r\n");
	assert_int_equal(answer_to(put(OPERATOR,
				       "Transfer-Encoding: chunked\r\n",
				       chunked, n), 3000), 413);
	assert_false(parent(OFFER_STAGED, "", 50));
	/* And the largest is none too large. */
	{
		int fd = put(PORTAL, "Content-Length: 262144\r\n", large,
			     PROPOSE_SOURCE);

		assert_true(parent(OFFER_STAGED, "", 3000));
		assert_int_equal(b.offer->n, PROPOSE_SOURCE);
		assert_int_equal(answer_to(fd, 1500), 202);
	}
}

static bool is_taken(enum where w)
{
	int fd = put(w, FIVE, "abcde", 5);

	return parent(OFFER_STAGED, "", 3000) && answer_to(fd, 2000) == 202;
}

static void one_at_a_time_is_looked_at(void **state)
{
	int first;

	(void)state;
	NEEDS_COURIER();
	portal_is("portal", 1);
	/* What was handed on is looked at, whoever hung up: */
	first = put(OPERATOR, FIVE, "abcde", 5);
	usleep(300000);
	close(first);
	assert_int_equal(answer_to(put(OPERATOR, FIVE, "abcde", 5), 2000),
			 503);
	assert_non_null(strstr(buf, "Retry-After: 5\r\n"));
	assert_true(parent(OFFER_STAGED, "", 100));
	usleep(1500000);
	assert_true(is_taken(OPERATOR));
}

/* Who is slow, stuck or gone half-way keeps out nobody but those who come as he
 * does, and those not longer than a connection lives. */
static void slow_ones_keep_nobody_out(void **state)
{
	enum { PLACES = 8 };
	int fd[PLACES];

	(void)state;
	NEEDS_COURIER();
	portal_is("portal", 1);
	for (int i = 0; i < PLACES; i++) {
		fd[i] = put(PORTAL, "Content-Length: 5\r\n", "ab", 2);
		usleep(50000);
		if (i == 0) {
			assert_true(is_taken(OPERATOR));
			assert_true(is_taken(PORTAL));
		}
	}
	assert_true(is_taken(OPERATOR));
	assert_int_equal(answer_to(put(PORTAL, FIVE, "abcde", 5), 2000), 503);
	assert_non_null(strstr(buf, "Retry-After: 5\r\n"));
	/* Who hangs up half-way is forgotten, */
	close(fd[0]);
	usleep(200000);
	assert_true(is_taken(PORTAL));
	fd[0] = put(PORTAL, "Content-Length: 5\r\n", "ab", 2);
	/* and so is who is slower than a connection lives. */
	for (int i = 0; i < 8; i++) {
		usleep(1000000);
		for (int k = 0; k < PLACES; k++)
			say(fd[k], "c", i < 2);
	}
	assert_true(is_taken(PORTAL));
	for (int k = 0; k < PLACES; k++)
		close(fd[k]);
	assert_true(alive());
}

/* A guest that is not the portal, or when none is named. */
static void others_may_not(void **state)
{
	int fd;

	(void)state;
	NEEDS_COURIER();
	portal_is(NULL, 1);
	assert_int_equal(answer_to(put(PORTAL, FIVE, "abcde", 5), 2000), 403);
	portal_is("portal", 2);
	assert_int_equal(answer_to(put(PORTAL, FIVE, "abcde", 5), 2000), 403);
	assert_false(parent(OFFER_STAGED, "", 50));
	fd = put(OPERATOR, FIVE, "abcde", 5);
	assert_true(parent(OFFER_STAGED, "", 3000));
	assert_int_equal(answer_to(fd, 2000), 202);
	assert_int_equal(get(PORTAL, "/v1/policies"), 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_told_before_there_is_anything),
		cmocka_unit_test(each_path_has_its_answer),
		cmocka_unit_test(hostile_cards_are_bounded),
		cmocka_unit_test(it_is_handed_on_and_answered),
		cmocka_unit_test(what_is_no_file_is_refused),
		cmocka_unit_test(one_at_a_time_is_looked_at),
		cmocka_unit_test(slow_ones_keep_nobody_out),
		cmocka_unit_test(others_may_not),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
