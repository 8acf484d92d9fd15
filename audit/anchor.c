/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/anchor.h"

#include "audit/checkpoint.h"
#include "audit/db.h"
#include "core/wbuf.h"

static const uint8_t zeros[SHA256_LEN];

/* --- hashes --------------------------------------------------------------- */

void anchor_first(const uint8_t *last, uint64_t counter,
		  uint8_t out[SHA256_LEN])
{
	uint8_t in[4 + SHA256_LEN + 8];
	struct wbuf w = wbuf_of(in, sizeof(in));

	wbuf_put(&w, span_str("AUD0"));
	wbuf_put(&w, span_of(last ? last : zeros, SHA256_LEN));
	wbuf_be(&w, counter, 8);
	sha256_of(wbuf_span(&w), out);
}

void anchor_next(const uint8_t last[SHA256_LEN], uint8_t out[SHA256_LEN])
{
	uint8_t in[4 + SHA256_LEN];
	struct wbuf w = wbuf_of(in, sizeof(in));

	wbuf_put(&w, span_str("AUD1"));
	wbuf_put(&w, span_of(last, SHA256_LEN));
	sha256_of(wbuf_span(&w), out);
}

void anchor_extend(uint8_t pcr[SHA256_LEN], const uint8_t digest[SHA256_LEN])
{
	uint8_t in[2 * SHA256_LEN];

	memcpy(in, pcr, SHA256_LEN);
	memcpy(in + SHA256_LEN, digest, SHA256_LEN);
	sha256_of(span_of(in, sizeof(in)), pcr);
}

/* What PCR 13 is when it was reset and these were the first words. */
static void begin(const struct anchor *a, uint64_t counter,
		  uint8_t pcr[SHA256_LEN])
{
	uint8_t digest[SHA256_LEN];

	anchor_first(a->has_last ? a->last : NULL, counter, digest);
	memset(pcr, 0, SHA256_LEN);
	anchor_extend(pcr, digest);
}

/* --- one after another ---------------------------------------------------- */

static int wrong(struct err *e, const char *what)
{
	return err_set(e, E_INTEGRITY, 0, "anchors: %s", what);
}

static int bound(struct anchor *a, const struct anchor_bound *b, struct err *e)
{
	uint8_t anew[SHA256_LEN];

	if (b->counter == 0)
		return wrong(e, "a PCR without a counter");
	if (b->counter < a->counter)
		return wrong(e, "the counter goes back");
	if (a->begun && memcmp(b->pcr, a->pcr, SHA256_LEN) == 0)
		goto out;
	begin(a, b->counter, anew);
	if (memcmp(b->pcr, anew, SHA256_LEN) == 0) {
		/* Each reset is counted. */
		if (b->counter == a->counter)
			return wrong(e, "the TPM was reset and not counted");
		a->resets++;
		a->foreign = false;
	} else if (a->begun || a->counter) {
		return wrong(e, "PCR 13 before it is not what the checkpoints "
			     "before it make");
	} else {
		a->foreign = !a->cut;
	}
	a->begun = true;
	memcpy(a->pcr, b->pcr, SHA256_LEN);
out:
	a->counter = b->counter;
	return 0;
}

void anchor_resume(struct anchor *a, const struct anchor_bound *b)
{
	memset(a, 0, sizeof(*a));
	a->cut = true;
	a->begun = b->has_pcr;
	a->counter = b->counter;
	memcpy(a->pcr, b->pcr, sizeof(a->pcr));
}

static void point(struct anchor *a, struct span text)
{
	uint8_t digest[SHA256_LEN];

	sha256_of(text, a->last);
	a->has_last = true;
	anchor_next(a->last, digest);
	if (a->begun)
		anchor_extend(a->pcr, digest);
}

int anchor_step(struct anchor *a, const struct anchor_bound *b,
		struct span text, struct err *e)
{
	int rc = 0;

	if (b->has_pcr)
		rc = bound(a, b, e);
	else if (b->counter)
		rc = wrong(e, "a counter without a PCR");
	if (rc == 0)
		point(a, text);
	return rc;
}

/* A log that is begun because another was not what it should be goes on with
 * the PCR that this one left (audit.h). */
int anchor_begins(const struct anchor *a, const char *origin, struct err *e)
{
	const char *last = strrchr(origin, '/');

	if (!a->foreign || (last && strncmp(last, "/recovery-", 10) == 0))
		return 0;
	return wrong(e, "PCR 13 had been extended before the first of them, by "
		     "others or by some that are missing");
}

/* --- the rows ------------------------------------------------------------- */

struct row {
	uint64_t size;
	struct anchor_bound bound;
	struct span text; /* of note */
	uint8_t note[NOTE_MAX];
};

static int read_row(struct db_stmt *st, struct row *r, struct err *e)
{
	struct checkpoint c;
	struct span note, pcr;
	struct note n;
	int rc = 0;

	memset(&r->bound, 0, sizeof(r->bound));
	if (!db_u64(st, 0, &r->size) || !db_span(st, 1, &note) ||
	    note.n > sizeof(r->note) ||
	    (!db_null(st, 3) && !db_u64(st, 3, &r->bound.counter)))
		return wrong(e, "a checkpoint is damaged");
	memcpy(r->note, note.p, note.n);
	if (!db_null(st, 2)) {
		r->bound.has_pcr = db_span(st, 2, &pcr) && pcr.n == SHA256_LEN;
		if (r->bound.has_pcr)
			memcpy(r->bound.pcr, pcr.p, SHA256_LEN);
		else
			rc = wrong(e, "a PCR is damaged");
	}
	if (rc == 0 &&
	    checkpoint_read(&c, &n, span_of(r->note, note.n), e))
		rc = e->code = E_INTEGRITY;
	if (rc == 0)
		r->text = n.text;
	return rc;
}

static int rows(struct db_stmt **st, struct db *d, struct err *e)
{
	return db_prepare(st, d, "SELECT size, note, pcr_anchor, counter FROM"
			  " checkpoint WHERE size >= ?1 ORDER BY size LIMIT 1",
			  e);
}

/* 1: the first of at least that size; 0: there is none. Nothing of the database
 * is held on to while the caller does something with it. */
static int next_row(struct db_stmt *st, uint64_t least, struct row *r,
		    struct err *e)
{
	int rc, read;

	db_put_u64(st, 1, least);
	rc = db_step(st, e);
	read = rc == 1 ? read_row(st, r, e) : 0;
	db_reset(st);
	return read ? read : rc;
}

/* Of what was pruned, only the newest: others are thinned out. */
static int newest_pruned(struct db *d, uint64_t *size, struct err *e)
{
	return db_number(d, "SELECT coalesce((SELECT max(size) FROM checkpoint"
			 " WHERE size <= (SELECT first + n FROM segment WHERE"
			 " pruned = 1 ORDER BY no DESC LIMIT 1)), 0)", size, e);
}

int anchor_replay(struct anchor *a, struct db *d,
		  int (*f)(void *arg, uint64_t size, const struct anchor *a,
			   const struct anchor_bound *b, struct err *e),
		  void *arg, struct err *e)
{
	struct err ignored;
	struct db_stmt *st;
	struct row r = {0};
	uint64_t from = 0, now;
	int rc = newest_pruned(d, &from, e);

	if (rc == 0)
		rc = rows(&st, d, e);
	if (rc)
		return rc;
	for (uint64_t least = from; (rc = next_row(st, least, &r, e)) == 1;
	     least = r.size + 1) {
		if (from && r.size == from)
			anchor_resume(a, &r.bound);
		rc = anchor_step(a, &r.bound, r.text, e);
		if (rc == 0 && f)
			rc = f(arg, r.size, a, &r.bound, e);
		if (rc)
			break;
	}
	if (rc)
		err_wrap(e, "the checkpoint of %llu records",
			 (unsigned long long)r.size);
	db_finish(st);
	/* Between two rows others may have been thinned out. */
	now = from;
	if ((rc == 0 || rc == E_INTEGRITY) &&
	    newest_pruned(d, &now, &ignored) == 0 && now != from)
		return err_set(e, E_STATE, 0, "it was pruned while it was "
			       "read; try again");
	return rc;
}

/* --- a TPM's place -------------------------------------------------------- */

struct search {
	struct anchor_place *out;
	const uint8_t *pcr;
	bool found;
	uint8_t before[SHA256_LEN]; /* what it was before this checkpoint */
	uint64_t size;		    /* of the one before */
};

static void look(struct search *s, uint64_t at)
{
	s->found = true;
	s->out->at = at;
	s->out->pending = 0;
}

static int seek(void *arg, uint64_t size, const struct anchor *a,
		const struct anchor_bound *b, struct err *e)
{
	struct search *s = arg;

	(void)e;
	s->out->points++;
	s->out->pending++;
	if (b->has_pcr && memcmp(b->pcr, s->before, SHA256_LEN) != 0) {
		/* It was reset: what it was before does not count. */
		s->found = false;
		/* What the first that is left of a pruned log says of the time
		 * before could have been chosen to be this; what comes of it
		 * could not. */
		if (!(a->cut && s->out->points == 1) &&
		    memcmp(s->pcr, b->pcr, SHA256_LEN) == 0) {
			look(s, s->size);
			s->out->pending = 1;
		}
	}
	if (a->begun && memcmp(s->pcr, a->pcr, SHA256_LEN) == 0)
		look(s, size);
	memcpy(s->before, a->pcr, SHA256_LEN);
	s->size = size;
	return 0;
}

static int compare_counter(uint64_t tpm, const struct anchor *a, bool beside,
			   struct err *e)
{
	unsigned long long n = tpm, said = a->counter;

	if (said == 0 && (beside || tpm == 0))
		return 0;
	if (said == 0)
		return err_set(e, E_INTEGRITY, 0, "the TPM counts %llu and the "
			       "log knows of no counter: it was replaced, or "
			       "the TPM is another's", n);
	if (n > said)
		return err_set(e, E_INTEGRITY, 0, "the TPM counts %llu and the "
			       "log says %llu: it was rolled back", n, said);
	if (n + 1 < said)
		return err_set(e, E_INTEGRITY, 0, "the TPM counts %llu and the "
			       "log says %llu: the TPM is another, or was "
			       "cleared", n, said);
	return 0;
}

/* The log begins where PCR 13 had a value already. */
static bool may_begin(const struct search *s, bool beside)
{
	return beside && !s->out->whole.begun;
}

int anchor_find(struct anchor_place *out, struct db *d,
		const uint8_t pcr[SHA256_LEN], uint64_t counter, bool beside,
		struct err *e)
{
	struct search s = {.out = out, .pcr = pcr};
	int rc;

	memset(out, 0, sizeof(*out));
	rc = anchor_replay(&out->whole, d, seek, &s, e);
	if (rc == 0)
		rc = compare_counter(counter, &out->whole, beside, e);
	if (rc)
		return rc;
	out->reset = memcmp(pcr, zeros, SHA256_LEN) == 0;
	if (out->reset || may_begin(&s, beside)) {
		out->pending = 0;
		return 0;
	}
	if (s.found && (beside || !out->whole.foreign))
		return 0;
	return err_set(e, E_INTEGRITY, 0, !out->whole.begun
			? "PCR 13 of the TPM was extended, and the log knows "
			  "of no anchor: it was replaced"
		       : s.found
			? "PCR 13 of the TPM was extended before this log "
			  "began: what was before is not here"
			: "PCR 13 of the TPM is not what the checkpoints of "
			  "the log make: it was cut, rolled back or replaced");
}

int anchor_pending(struct db *d, uint64_t at,
		   int (*f)(void *arg, uint64_t size,
			    const uint8_t digest[SHA256_LEN], struct err *e),
		   void *arg, struct err *e)
{
	uint8_t text[SHA256_LEN], digest[SHA256_LEN];
	struct db_stmt *st;
	struct row r;
	int rc = rows(&st, d, e);

	if (rc)
		return rc;
	for (uint64_t least = at + 1; (rc = next_row(st, least, &r, e)) == 1;
	     least = r.size + 1) {
		sha256_of(r.text, text);
		anchor_next(text, digest);
		rc = f(arg, r.size, digest, e);
		if (rc)
			break;
	}
	db_finish(st);
	return rc;
}
