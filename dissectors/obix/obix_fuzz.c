/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One document: a request, or the answer to one. The first two octets choose
 * what it is and how it comes. Properties: what is said, and what is refused
 * for, is the same however the octets are split and when every unit is undone
 * and read again; no unit is larger than the window; a refusal has a reason;
 * recognising does not change its mind, and a page is the same in any pieces.
 */
#include "dissectors/obix/testkit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
	const char *method, *path;
	bool answer;
} ways[] = {
	{"GET",  "/obix/meter/power/",                true },
	{"PUT",  "/obix/meter/limit",                 false},
	{"POST", "/obix/batch/",                      false},
	{"POST", "/obix/batch/",                      true },
	{"POST", "/obix/watchService/w1/add",         false},
	{"POST", "/obix/watchService/w1/pollChanges", true },
	{"POST", "/obix/meter/log/query/",            true },
	{"POST", "/obix/meter/log/append/",           false},
	{"POST", "/obix/signUp/",                     false},
	{"POST", "/obix/meter/log/rollup",            true },
	{"POST", "/obix/watchService/make",           true },
	{"POST", "/obix/x",                           false},
};

static const char batch[] =
	"<list is='obix:BatchIn'><uri is='obix:Read' val='/obix/a'/>"
	"<uri is='obix:Write' val='/obix/b'><real name='in' val='5'/></uri>"
	"<uri is='obix:Invoke' val='/obix/log/query'>"
	"<obj name='in' is='obix:HistoryFilter'/></uri></list>";

/* What came before: a machine that knows what the answer belongs to. */
static void before(struct kit *k, unsigned way)
{
	struct span body = {0};

	memset(k->m, 0, sizeof(*k->m));
	memset(&k->ask, 0, sizeof(k->ask));
	if (!ways[way].answer)
		return;
	if (strstr(ways[way].path, "batch"))
		body = span_str(batch);
	(void)kit_ask(k, ways[way].method, ways[way].path, body, NULL);
}

static int say(struct kit *k, unsigned way, struct span body,
	       const struct kit_way *split)
{
	before(k, way);
	return ways[way].answer ? kit_answer(k, ways[way].method,
					     ways[way].path, body, split)
				: kit_ask(k, ways[way].method, ways[way].path,
					  body, split);
}

static void recognise(struct span in)
{
	static const char *const types[] = {"text/xml", "text/html", ""};

	for (unsigned t = 0; t < 3; t++) {
		enum obix_is last = OBIX_MORE;
		struct err e = {0};

		for (size_t n = 0; n <= in.n && n < 300; n += 1 + n / 16) {
			enum obix_is is =
				obix_recognise(span_sub(in, 0, n), false,
					       span_str(types[t]), &e);

			assert(last == OBIX_MORE || is == last);
			assert(is != OBIX_BAD || e.reason != REASON_NONE);
			last = is;
		}
		assert(obix_recognise(span_sub(in, 0, OBIX_WINDOW), true,
				      span_str(types[t]), &e) != OBIX_MORE);
	}
}

/* A page says the same in whatever pieces it comes. */
static void page(struct span in, size_t piece)
{
	struct obix_page whole = {0}, parts = {0};
	struct err e = {0};
	int want = obix_page(&whole, in, &e), got = 0;

	assert(want == 0 || e.reason != REASON_NONE);
	for (size_t at = 0; at < in.n && got == 0; at += piece)
		got = obix_page(&parts, span_sub(in, at, piece), &e);
	assert(got == want);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct kit *k;
	static char first[KIT_TEXT];
	const struct kit_way ref = {0};
	struct kit_way split = {0};
	struct span body;
	unsigned way;
	int rc, reason;
	size_t released;

	if (size < 3 || size > 65536)
		return 0;
	if (!k)
		k = kit_new();
	k->values = true;
	way = data[0] % (sizeof(ways) / sizeof(ways[0]));
	body = span_of(data + 2, size - 2);
	recognise(body);
	page(body, 1 + data[1] % 29u);
	rc = say(k, way, body, &ref);
	assert(rc == 0 || k->e.reason != REASON_NONE);
	reason = rc ? k->e.reason : 0;
	released = k->released;
	memcpy(first, k->text, k->text_n + 1);
	/* Chunked with the same cuts, and each unit undone once. */
	split.piece = 1 + data[1] % 97u * (size > 2048 ? 8 : 1);
	split.rest = data[1] & 128 ? OBIX_REST_UNKNOWN : 0;
	split.unsure = true;
	rc = say(k, way, body, &split);
	assert((rc ? k->e.reason : 0) == reason && k->released == released);
	assert(strcmp(first, k->text) == 0);
	return 0;
}
