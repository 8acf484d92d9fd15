/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/layout_named.h"

#include <stdlib.h>

struct said {
	struct checkpoint c;
	struct anchor_bound bound;
};

struct layout_named {
	uint64_t begin;
	/* Announced since the last that was named, by size. */
	struct said *said;
	size_t n, cap;
	uint64_t last;		  /* size of the last one named; 0: none */
	uint8_t text[SHA256_LEN]; /* its hash, as it was named */
	struct anchor anchor;
	bool stepped; /* the anchor knows one */
};

int layout_named_open(struct layout_named **out, uint64_t begin, struct err *e)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return err_set(e, E_NOMEM, 0, "out of memory");
	(*out)->begin = begin;
	return 0;
}

void layout_named_close(struct layout_named *n)
{
	if (!n)
		return;
	free(n->said);
	free(n);
}

int layout_named_said(struct layout_named *n, const struct checkpoint *c,
		      const struct anchor_bound *b, struct err *e)
{
	struct said *more;

	if (n->n == n->cap) {
		n->cap = n->cap ? 2 * n->cap : 16;
		more = reallocarray(n->said, n->cap, sizeof(*more));
		if (!more)
			return err_set(e, E_NOMEM, 0, "out of memory");
		n->said = more;
	}
	n->said[n->n++] = (struct said){*c, *b};
	return 0;
}

static struct span put_text(uint8_t text[CHECKPOINT_TEXT_MAX],
			    const struct checkpoint *c)
{
	struct wbuf w = wbuf_of(text, CHECKPOINT_TEXT_MAX);

	checkpoint_put(&w, c);
	return wbuf_span(&w);
}

/* It was made; so were none of those before it that were not named. */
static int step(struct layout_named *n, const struct said *s, struct err *e)
{
	uint8_t text[CHECKPOINT_TEXT_MAX];
	int rc;

	/* What those before made of PCR 13 is not here. */
	if (n->begin && !n->stepped)
		anchor_resume(&n->anchor, &s->bound);
	n->stepped = true;
	rc = anchor_step(&n->anchor, &s->bound, put_text(text, &s->c), e);
	return rc ? rc : anchor_begins(&n->anchor, s->c.origin, e);
}

/* This one of those that were announced is named. */
static int take(struct layout_named *n, size_t i,
		const uint8_t text[SHA256_LEN], uint64_t *bad, struct err *e)
{
	uint8_t octets[CHECKPOINT_TEXT_MAX], hash[SHA256_LEN];
	uint64_t size = n->said[i].c.size;
	int rc;

	sha256_of(put_text(octets, &n->said[i].c), hash);
	/* Up to the one before they are what was named. */
	if (memcmp(text, hash, SHA256_LEN) != 0) {
		*bad = n->last > n->begin ? n->last : 0;
		return err_set(e, E_INTEGRITY, 0, "the checkpoint that it "
			       "names, of %llu records, is of others",
			       (unsigned long long)size);
	}
	rc = step(n, &n->said[i], e);
	n->last = size;
	memcpy(n->text, text, SHA256_LEN);
	return rc;
}

/* Those behind it that had been announced when it was named were not made, and
 * never will be. Without a TPM there is none of these (points.h). */
static int forget(struct layout_named *n, struct err *e)
{
	size_t i = 0;

	while (i < n->n &&
	       (n->said[i].c.size <= n->last || n->said[i].bound.has_pcr))
		i++;
	if (i < n->n)
		return err_set(e, E_INTEGRITY, 0, "the checkpoint that it "
			       "names, of %llu records, is not the last before "
			       "it", (unsigned long long)n->last);
	n->n = 0;
	return 0;
}

int layout_named_is(struct layout_named *n, uint64_t size,
		    const uint8_t text[SHA256_LEN], uint64_t *bad,
		    struct err *e)
{
	size_t i = 0;
	int rc;

	if (size == n->last &&
	    (size == 0 || memcmp(text, n->text, SHA256_LEN) == 0))
		return forget(n, e);
	if (size > n->last && size <= n->begin) {
		n->last = size;
		memcpy(n->text, text, SHA256_LEN);
		return forget(n, e);
	}
	while (i < n->n && n->said[i].c.size < size)
		i++;
	if (i < n->n && n->said[i].c.size == size) {
		rc = take(n, i, text, bad, e);
		return rc ? rc : forget(n, e);
	}
	return err_set(e, E_INTEGRITY, 0, "the checkpoint that it names, of "
		       "%llu records, is none that those before it announce",
		       (unsigned long long)size);
}

int layout_named_end(struct layout_named *n, const struct checkpoint *c,
		     bool *anchored, struct err *e)
{
	uint8_t octets[CHECKPOINT_TEXT_MAX], hash[SHA256_LEN];
	uint64_t bad;
	int rc;

	if (n->n == 0 || n->said[n->n - 1].c.size != c->size)
		return err_set(e, E_INTEGRITY, 0, "the checkpoint of %llu "
			       "records: nothing in the log announces it",
			       (unsigned long long)c->size);
	sha256_of(put_text(octets, c), hash);
	rc = layout_named_is(n, c->size, hash, &bad, e);
	*anchored = n->anchor.begun;
	return rc;
}
