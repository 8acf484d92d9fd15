/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/prooftext.h"

#include <stdio.h>

#include "core/base64.h"
#include "core/until.h"

#define FIRST_LINE "c2sp.org/tlog-proof@v1"

static void put_number(struct wbuf *w, const char *word, uint64_t v)
{
	char text[40];

	snprintf(text, sizeof(text), "%s %llu\n", word, (unsigned long long)v);
	wbuf_put(w, span_str(text));
}

int proof_text_put(struct wbuf *w, const struct proof_text *t, struct err *e)
{
	if (t->inclusion)
		wbuf_put(w, span_str(FIRST_LINE "\n"));
	if (t->inclusion && t->has_record) {
		wbuf_put(w, span_str("extra "));
		base64_put(w, span_of(t->record, t->record_n));
		wbuf_u8(w, '\n');
	}
	put_number(w, t->inclusion ? "index" : "old", t->at);
	for (uint32_t i = 0; i < t->proof.n; i++) {
		base64_put(w, span_of(t->proof.hash[i], SHA256_LEN));
		wbuf_u8(w, '\n');
	}
	wbuf_u8(w, '\n');
	wbuf_put(w, t->note);
	return w->failed ? err_set(e, E_LIMIT, 0, "no room for the proof") : 0;
}

/* What is behind a word and a space; false: it begins otherwise. */
static bool behind(struct span *s, const char *word)
{
	size_t n = strlen(word);

	if (!span_is(span_sub(*s, 0, n), word) ||
	    !span_is(span_sub(*s, n, 1), " "))
		return false;
	*s = span_from(*s, n + 1);
	return true;
}

static bool read_hashes(struct cur *c, struct proof *p)
{
	for (;;) {
		struct span s = cur_until(c, '\n');
		struct wbuf w;

		if (!cur_ok(c) || s.n == 0)
			return cur_ok(c);
		if (p->n == PROOF_MAX)
			return false;
		w = wbuf_of(p->hash[p->n++], SHA256_LEN);
		if (!base64_get(&w, s) || w.n != SHA256_LEN)
			return false;
	}
}

static bool read_extra(struct proof_text *t, struct span s)
{
	struct wbuf w = wbuf_of(t->record, sizeof(t->record));

	t->has_record = base64_get(&w, s);
	t->record_n = w.n;
	return t->has_record;
}

static bool read_all(struct proof_text *t, struct cur *c)
{
	struct span s = cur_until(c, '\n');

	t->inclusion = span_is(s, FIRST_LINE);
	if (t->inclusion)
		s = cur_until(c, '\n');
	if (t->inclusion && behind(&s, "extra")) {
		if (!read_extra(t, s))
			return false;
		s = cur_until(c, '\n');
	}
	if (!behind(&s, t->inclusion ? "index" : "old") ||
	    !checkpoint_number(s, &t->at) || !read_hashes(c, &t->proof))
		return false;
	t->note = cur_rest(c);
	return cur_ok(c) && t->note.n > 0;
}

int proof_text_parse(struct proof_text *t, struct span text, struct err *e)
{
	struct cur c = cur_of(text);

	memset(t, 0, offsetof(struct proof_text, record));
	return read_all(t, &c) ? 0
			       : err_set(e, E_SYNTAX, c.off, "not a proof "
					 "(tlog-proof, or old and hashes)");
}
