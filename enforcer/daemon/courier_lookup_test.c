/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints, proofs, tiles and bundles over HTTP: which paths there are,
 * and that a stranger can rebuild the tree from what he is given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "audit/checkpoint.h"
#include "audit/prooftext.h"
#include "enforcer/daemon/courier.h"
#include "enforcer/daemon/courier_testbed.h"

#define RECORDS 702 /* 190 of them in the third bundle */

/* --- paths ---------------------------------------------------------------- */

static const struct {
	const char *path;
	bool is;
	struct window_key key;
	uint32_t width;
} paths[] = {
	{"/v1/checkpoint", true, {WINDOW_CHECKPOINT, 0, 0}, 1},
	{"/v1/proof/inclusion", true, {WINDOW_INCLUSION, 0, 0}, 1},
	{"/v1/proof/consistency", true, {WINDOW_CONSISTENCY, 0, 0}, 1},
	{"/v1/tile/0/000", true, {WINDOW_TILE, 0, 0}, 256},
	{"/v1/tile/0/000.p/1", true, {WINDOW_TILE, 0, 0}, 1},
	{"/v1/tile/7/255.p/255", true, {WINDOW_TILE, 7, 255}, 255},
	{"/v1/tile/1/x001/234", true, {WINDOW_TILE, 1, 1234}, 256},
	{"/v1/tile/1/x001/x234/067", true, {WINDOW_TILE, 1, 1234067}, 256},
	{"/v1/tile/entries/000", true, {WINDOW_BUNDLE, 0, 0}, 256},
	{"/v1/tile/entries/x001/000.p/16", true, {WINDOW_BUNDLE, 256000, 0},
	 16},
	{"/v1/tile/", false, {0}, 0},
	{"/v1/tile/8/000", false, {0}, 0},
	{"/v1/tile/10/000", false, {0}, 0},
	{"/v1/tile/-1/000", false, {0}, 0},
	{"/v1/tile/0/0", false, {0}, 0},
	{"/v1/tile/0/0000", false, {0}, 0},
	{"/v1/tile/0/x000/001", false, {0}, 0},
	{"/v1/tile/0/x1/001", false, {0}, 0},
	{"/v1/tile/0/x001", false, {0}, 0},
	{"/v1/tile/0/x001/", false, {0}, 0},
	{"/v1/tile/0/001/002", false, {0}, 0},
	{"/v1/tile/0/000.p/0", false, {0}, 0},
	{"/v1/tile/0/000.p/256", false, {0}, 0},
	{"/v1/tile/0/000.p/01", false, {0}, 0},
	{"/v1/tile/0/000.p/", false, {0}, 0},
	{"/v1/tile/0/000.p/1/", false, {0}, 0},
	{"/v1/tile/0/000.q/1", false, {0}, 0},
	{"/v1/tile/0/x999/x999/x999/x999/x999/x999/999", false, {0}, 0},
	{"/v1/tile/0/x999/x999/x999/x999/x999/x999/x999/999", false, {0}, 0},
	{"/v1/tile/entries/x999/x999/x999/x999/x999/x999/999", false, {0}, 0},
	/* 2^64, and one more */
	{"/v1/tile/entries/x018/x446/x744/x073/x709/x551/616", false, {0}, 0},
	{"/v1/tile/0/x018/x446/x744/x073/x709/x551/617", false, {0}, 0},
	{"/v1/tile/0/000?", false, {0}, 0},
	{"/v1/checkpoint/", false, {0}, 0},
	{"/v1/proof", false, {0}, 0},
	{"/v1/audit", false, {0}, 0},
	{"", false, {0}, 0},
};

static void paths_are_read_strictly(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct lookup l;

		if (lookup_of(&l, paths[i].path) != paths[i].is)
			fail_msg("%s is %sone", paths[i].path,
				 paths[i].is ? "not " : "");
		if (!paths[i].is)
			continue;
		if (l.key.kind != paths[i].key.kind ||
		    l.key.a != paths[i].key.a || l.key.b != paths[i].key.b ||
		    l.width != paths[i].width)
			fail_msg("%s: %u %llu %llu %u", paths[i].path,
				 l.key.kind, (unsigned long long)l.key.a,
				 (unsigned long long)l.key.b, l.width);
	}
}

static const struct {
	const char *path, *name, *value;
	int rc;
} details[] = {
	{"/v1/checkpoint", "size", "1", 0},
	{"/v1/checkpoint", "size", "0", E_SYNTAX},
	{"/v1/checkpoint", "index", "1", E_NOTFOUND},
	{"/v1/proof/inclusion", "index", "0", 0},
	{"/v1/proof/inclusion", "index", "x", E_SYNTAX},
	{"/v1/proof/inclusion", "size", NULL, E_SYNTAX},
	{"/v1/proof/consistency", "old", "0", 0},
	{"/v1/proof/consistency", "index", "0", E_NOTFOUND},
	{"/v1/tile/0/000", "size", "1", E_NOTFOUND},
};

static void arguments_are_those_of_the_resource(void **state)
{
	struct err e = {0};
	struct lookup l;

	(void)state;
	for (size_t i = 0; i < sizeof(details) / sizeof(details[0]); i++) {
		assert_true(lookup_of(&l, details[i].path));
		if (lookup_set(&l, details[i].name, details[i].value, &e) !=
		    details[i].rc)
			fail_msg("%s %s=%s: %s", details[i].path,
				 details[i].name, details[i].value, e.text);
	}
	assert_true(lookup_of(&l, "/v1/proof/inclusion"));
	assert_int_equal(lookup_ready(&l, &e), E_SYNTAX);
	assert_non_null(strstr(e.text, "index"));
	assert_int_equal(lookup_set(&l, "index", "5", &e), 0);
	assert_int_equal(lookup_ready(&l, &e), 0);
}

/* --- asked ---------------------------------------------------------------- */

static char answer[2 << 20];

/* The body of an answer with a length; its octets. */
static struct span get(enum where w, const char *path, unsigned *status)
{
	char request[256];
	size_t n;
	char *body;

	snprintf(request, sizeof(request),
		 "GET %s HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n",
		 path);
	n = ask(w, request, answer, sizeof(answer), 5000);
	*status = n > 12 ? (unsigned)strtoul(answer + 9, NULL, 10) : 0;
	body = strstr(answer, "\r\n\r\n");
	return body ? span_of(body + 4, n - (size_t)(body + 4 - answer))
		    : (struct span){0};
}

static struct span found(const char *path)
{
	unsigned status;
	struct span body = get(PORTAL, path, &status);

	if (status != 200)
		fail_msg("%s: %u %.*s", path, status, (int)body.n, body.p);
	return body;
}

/* Somebody who has nothing but the answers: leaves from the bundles, the root
 * from the leaves, and the checkpoint says the same. */
static void a_stranger_rebuilds_the_tree(void **state)
{
	static uint8_t leaves[RECORDS][SHA256_LEN];
	struct sha256 *h;
	struct tree *t;
	struct checkpoint c;
	struct note note;
	struct err e = {0};
	struct span body, record;
	uint8_t root[SHA256_LEN];
	struct cur cur;
	uint64_t n = 0;
	char path[96];

	(void)state;
	NEEDS_COURIER();
	h = sha256_new();
	t = calloc(1, sizeof(*t));
	assert_non_null(h);
	assert_non_null(t);
	body = found("/v1/checkpoint");
	assert_int_equal(note_parse(&note, body, &e), 0);
	assert_int_equal(checkpoint_parse(&c, note.text, &e), 0);
	assert_int_equal(c.size, RECORDS);
	tree_init(t, h);
	for (uint64_t first = 0; first < c.size; first += STORE_BUNDLE) {
		uint64_t left = c.size - first;

		snprintf(path, sizeof(path), "/v1/tile/entries/%03llu",
			 (unsigned long long)first / STORE_BUNDLE);
		if (left < STORE_BUNDLE)
			snprintf(path + strlen(path), 16, ".p/%llu",
				 (unsigned long long)left);
		cur = cur_of(found(path));
		while (store_next(&cur, &record)) {
			tree_leaf(h, record, leaves[n]);
			assert_int_equal(tree_add(t, leaves[n++], &e), 0);
		}
		assert_true(cur_done(&cur));
	}
	assert_int_equal(n, c.size);
	tree_root(t, root);
	assert_memory_equal(root, c.root, SHA256_LEN);
	/* The tiles of leaves are those. */
	body = found("/v1/tile/0/000");
	assert_int_equal(body.n, TREE_TILE_OCTETS);
	assert_memory_equal(body.p, leaves[0], TREE_TILE_OCTETS);
	body = found("/v1/tile/0/002.p/7");
	assert_int_equal(body.n, 7 * SHA256_LEN);
	assert_memory_equal(body.p, leaves[512], 7 * SHA256_LEN);
	body = found("/v1/tile/1/000.p/2");
	assert_int_equal(body.n, 2 * SHA256_LEN);
	free(t);
	sha256_free(h);
}

static void proofs_hold(void **state)
{
	static struct proof_text t;
	static const uint64_t which[] = {0, 1, 255, 256, RECORDS - 1};
	struct sha256 *h;
	struct err e = {0};
	char path[96];

	(void)state;
	NEEDS_COURIER();
	h = sha256_new();
	assert_non_null(h);
	for (size_t i = 0; i < sizeof(which) / sizeof(which[0]); i++) {
		struct checkpoint c;
		struct note note;
		uint8_t leaf[SHA256_LEN];

		snprintf(path, sizeof(path), "/v1/proof/inclusion?index=%llu",
			 (unsigned long long)which[i]);
		assert_int_equal(proof_text_parse(&t, found(path), &e), 0);
		assert_true(t.inclusion && t.has_record);
		assert_int_equal(t.at, which[i]);
		assert_int_equal(note_parse(&note, t.note, &e), 0);
		assert_int_equal(checkpoint_parse(&c, note.text, &e), 0);
		tree_leaf(h, span_of(t.record, t.record_n), leaf);
		assert_true(proof_includes(h, &t.proof, t.at, c.size, leaf,
					   c.root));
		leaf[3] ^= 1;
		assert_false(proof_includes(h, &t.proof, t.at, c.size, leaf,
					    c.root));
		snprintf(path, sizeof(path), "/v1/proof/consistency?old=%llu",
			 (unsigned long long)which[i]);
		assert_int_equal(proof_text_parse(&t, found(path), &e), 0);
		assert_false(t.inclusion);
		assert_int_equal(t.at, which[i]);
	}
	sha256_free(h);
}

static const struct {
	const char *path;
	unsigned status;
} refused[] = {
	{"/v1/checkpoint?size=3", 404},
	{"/v1/checkpoint?size=x", 400},
	{"/v1/checkpoint?form=1", 400},
	{"/v1/proof/inclusion", 400},
	{"/v1/proof/inclusion?index=702", 404},
	{"/v1/proof/inclusion?index=4611686018427387903", 404},
	{"/v1/proof/inclusion?index=1&size=7", 404},
	{"/v1/proof/consistency?old=703", 404},
	{"/v1/proof/consistency?old=1&old=2", 200},
	{"/v1/tile/0/002", 404},
	{"/v1/tile/0/002.p/190", 200},
	{"/v1/tile/0/002.p/191", 404},
	{"/v1/tile/0/003.p/1", 404},
	{"/v1/tile/2/000.p/1", 404},
	{"/v1/tile/entries/002", 404},
	{"/v1/tile/entries/x999/x999/x999/x999/000", 404},
};

static void what_there_is_not_is_said(void **state)
{
	unsigned status;

	(void)state;
	NEEDS_COURIER();
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		get(i % 2 ? PORTAL : OPERATOR, refused[i].path, &status);
		if (status != refused[i].status)
			fail_msg("%s: %u", refused[i].path, status);
	}
	assert_true(answers(OPERATOR, 2000));
	assert_true(alive());
}

/* Alone on an idle gateway nobody waits for a turn of the courier, half a
 * second, for what the scribe has answered. */
static void an_answer_waits_for_no_turn(void **state)
{
	int64_t began;

	(void)state;
	NEEDS_COURIER();
	began = live_mono().ns;
	for (unsigned i = 0; i < 40; i++) {
		char path[96];

		snprintf(path, sizeof(path), "/v1/proof/inclusion?index=%u",
			 300 + i);
		found(path);
	}
	assert_true(live_mono().ns - began < 40 * 250 * MS);
}

static unsigned post(const char *path, struct span body)
{
	static char request[8192];
	int n = snprintf(request, sizeof(request),
			 "POST %s HTTP/1.1\r\nHost: m\r\nConnection: close\r\n"
			 "Content-Length: %zu\r\n\r\n%.*s", path, body.n,
			 (int)body.n, (const char *)body.p);

	assert_true(n > 0 && (size_t)n < sizeof(request));
	ask(PORTAL, request, answer, sizeof(answer), 5000);
	return (unsigned)strtoul(answer + 9, NULL, 10);
}

/* The portal cosigns the checkpoint it was given; from then on it is with it. */
static void a_witness_cosigns(void **state)
{
	static uint8_t octets[NOTE_MAX], copy[NOTE_MAX];
	struct wbuf w = wbuf_of(octets, sizeof(octets));
	struct note_signer by, stranger;
	struct err e = {0};
	struct note note;
	struct span body;
	char path[96], filled[5000];

	(void)state;
	NEEDS_COURIER();
	witness(&by);
	snprintf(path, sizeof(path), "/v1/cosignature?size=%d", RECORDS);
	body = found("/v1/checkpoint");
	memcpy(copy, body.p, body.n);
	assert_int_equal(note_parse(&note, span_of(copy, body.n), &e), 0);
	assert_int_equal(note_sign(&w, note.text, &by, 1764082800, &e), 0);
	/* Each of these is refused, and nothing is kept. */
	assert_int_equal(post("/v1/cosignature", wbuf_span(&w)), 400);
	assert_int_equal(post("/v1/cosignature?size=3", wbuf_span(&w)), 404);
	assert_int_equal(post("/v1/cosignature?at=3", wbuf_span(&w)), 400);
	assert_int_equal(post(path, span_str("")), 400);
	assert_int_equal(post(path, span_str("no line of a note\n")), 400);
	memset(filled, 'a', sizeof(filled));
	/* There is room for signatures of other kinds. */
	assert_int_equal(post(path, span_of(filled, 4096)), 400);
	assert_int_equal(post(path, span_of(filled, 4097)), 413);
	assert_int_equal(post(path, span_of(filled, sizeof(filled))), 413);
	stranger = by;
	assert_int_equal(note_key_make(&stranger.key, span_str("eve.example"),
				       NOTE_COSIGNATURE,
				       span_of(by.key.pub, by.key.n), &e), 0);
	{
		uint8_t other[1024];
		struct wbuf o = wbuf_of(other, sizeof(other));

		assert_int_equal(note_sign(&o, note.text, &stranger,
					   1764082800, &e), 0);
		assert_int_equal(post(path, wbuf_span(&o)), 403);
		o = wbuf_of(other, sizeof(other));
		assert_int_equal(note_sign(&o, span_str("another\n"), &by,
					   1764082800, &e), 0);
		assert_int_equal(post(path, wbuf_span(&o)), 400);
	}
	usleep(1100000); /* what the courier kept is not fresh any more */
	body = found("/v1/checkpoint");
	assert_null(strstr((const char *)body.p, "portal.example"));
	assert_int_equal(post(path, wbuf_span(&w)), 204);
	for (int i = 0; i < 50; i++) {
		usleep(100000);
		body = found("/v1/checkpoint");
		if (strstr((const char *)body.p, "portal.example"))
			break;
	}
	assert_non_null(strstr((const char *)body.p, "portal.example"));
	/* Again: it is there already. */
	assert_int_equal(post(path, wbuf_span(&w)), 204);
	assert_true(alive());
}

/* Who brings one and hangs up keeps nobody else from it. */
static void who_hangs_up_is_forgotten(void **state)
{
	char request[256];
	int n;

	(void)state;
	NEEDS_COURIER();
	kill_writer(); /* they all wait */
	n = snprintf(request, sizeof(request),
		     "POST /v1/cosignature?size=%d HTTP/1.1\r\nHost: m\r\n"
		     "Content-Length: 4\r\n\r\nabc\n", RECORDS);
	for (int i = 0; i < 8; i++) {
		int fd = call(PORTAL);

		say(fd, request, (size_t)n);
		usleep(20000);
		close(fd);
	}
	start_writer();
	for (int i = 0; i < 60; i++) {
		if (post("/v1/cosignature?size=3", span_str("abc\n")) == 400)
			return;
		usleep(100000);
	}
	fail_msg("nobody else is heard");
}

/* Nobody answers at the window: who asked is let go in time. */
static void a_question_without_an_answer_ends(void **state)
{
	unsigned status;

	(void)state;
	NEEDS_COURIER();
	kill_writer();
	usleep(1100000); /* what was kept is not fresh any more */
	get(PORTAL, "/v1/checkpoint", &status);
	assert_int_equal(status, 0);
	assert_true(answers(PORTAL, 2000));
	assert_true(alive());
	start_writer();
	found("/v1/checkpoint");
}

/* Nothing can be recorded, so no log is open: who asks is told at once. */
static void a_log_that_is_closed_is_told(void **state)
{
	static const char *const paths_of[] = {
		"/v1/checkpoint", "/v1/proof/inclusion?index=600",
		"/v1/proof/consistency?old=600", "/v1/tile/0/001",
		"/v1/tile/entries/001",
	};
	static const char lines[] = "GET /v1/audit?from=600&limit=3 HTTP/1.1\r\n"
		"Host: m\r\nConnection: close\r\n\r\n";
	unsigned status;
	int stream;

	(void)state;
	NEEDS_COURIER();
	kill_writer();
	b.log_goal->closed = true;
	start_writer();
	usleep(1100000);
	stream = call(PORTAL);
	say(stream, lines, sizeof(lines) - 1);
	for (size_t i = 0; i < sizeof(paths_of) / sizeof(paths_of[0]); i++) {
		get(PORTAL, paths_of[i], &status);
		/* Tiles and bundles that were read stay right. */
		if (status != 503 && (i < 3 || status != 200))
			fail_msg("%s: %u", paths_of[i], status);
		if (status == 503)
			assert_non_null(strstr(answer, "Retry-After: "));
	}
	assert_int_equal(post("/v1/cosignature?size=3", span_str("abc\n")),
			 503);
	b.log_goal->closed = false;
	usleep(1100000);
	for (size_t i = 0; i < sizeof(paths_of) / sizeof(paths_of[0]); i++)
		found(paths_of[i]);
	/* A stream waited. */
	hear(stream, answer, sizeof(answer), 5000);
	close(stream);
	assert_non_null(strstr(answer, "\"seq\":602"));
	assert_non_null(strstr(answer, "\r\n0\r\n\r\n"));
}

static int with_log(void **state)
{
	if (set_up(state))
		return -1;
	if (!b.runs)
		return 0;
	b.log_goal->points = true;
	witness(&(struct note_signer){0});
	start_writer();
	write_log(RECORDS);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_are_read_strictly),
		cmocka_unit_test(arguments_are_those_of_the_resource),
		cmocka_unit_test(a_stranger_rebuilds_the_tree),
		cmocka_unit_test(proofs_hold),
		cmocka_unit_test(what_there_is_not_is_said),
		cmocka_unit_test(an_answer_waits_for_no_turn),
		cmocka_unit_test(a_witness_cosigns),
		cmocka_unit_test(who_hangs_up_is_forgotten),
		cmocka_unit_test(a_question_without_an_answer_ends),
		cmocka_unit_test(a_log_that_is_closed_is_told),
	};

	return cmocka_run_group_tests(tests, with_log, tear_down);
}
