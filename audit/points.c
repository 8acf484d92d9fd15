/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/points.h"

#include "audit/db.h"

static int wrong(struct err *e, uint64_t size, const char *what)
{
	return err_set(e, E_INTEGRITY, 0, "the checkpoint of %llu records: %s",
		       (unsigned long long)size, what);
}

/* Signed by one of the log's keys. */
static int check_signed(const struct points *p, const struct note *n,
			uint64_t size, struct err *e)
{
	uint64_t by;
	int rc = note_check(n, p->conf->keys, p->conf->n_keys, &by, e);

	if (rc == 0 && p->conf->n_keys && by == 0)
		rc = err_set(e, E_INTEGRITY, 0, "it is not signed by the "
			     "log's key");
	return rc ? err_wrap(e, "the checkpoint of %llu records",
			     (unsigned long long)size)
		  : 0;
}

/* How many of the witnesses cosigned it, among them those that came later. */
static int check_cosigned(struct points *p, struct span note, struct span more,
			  uint64_t size, struct err *e)
{
	const struct points_conf *c = p->conf;
	struct note n;
	uint64_t by = 0;
	int rc;

	p->whole = wbuf_of(p->octets, sizeof(p->octets));
	wbuf_put(&p->whole, note);
	wbuf_put(&p->whole, more);
	if (p->whole.failed)
		return wrong(e, size, "it is too long");
	rc = note_parse(&n, wbuf_span(&p->whole), e);
	if (rc == 0)
		rc = note_check(&n, c->witnesses, c->n_witnesses, &by, e);
	if (rc) {
		err_wrap(e, "the checkpoint of %llu records",
			 (unsigned long long)size);
		return e->code = E_INTEGRITY;
	}
	if (c->need && (size_t)__builtin_popcountll(by) >= c->need &&
	    (!p->has_cosigned || size > p->cosigned)) {
		p->cosigned = size;
		p->has_cosigned = true;
	}
	return 0;
}

/* --- those held elsewhere --- */

static int take_held(struct points *p, struct span octets, struct err *e)
{
	struct checkpoint c;
	struct note n;
	size_t at;
	int rc = checkpoint_read(&c, &n, octets, e);

	if (rc == 0 && strcmp(c.origin, p->origin) != 0)
		rc = err_set(e, E_INTEGRITY, 0, "the checkpoint is of another "
			     "log, '%.100s'", c.origin);
	if (rc == 0)
		rc = check_signed(p, &n, c.size, e);
	if (rc == 0)
		rc = check_cosigned(p, octets, (struct span){0}, c.size, e);
	if (rc)
		return rc;
	for (at = p->n_held++; at > 0 && p->held[at - 1].size > c.size; at--)
		p->held[at] = p->held[at - 1];
	p->held[at] = c;
	return 0;
}

/* --- those that are stored --- */

static bool read_bound(struct points *p)
{
	struct span pcr;

	memset(&p->bound, 0, sizeof(p->bound));
	p->has_wall = !db_null(p->st, 5);
	if (p->has_wall && !db_u64(p->st, 5, &p->wall))
		return false;
	if (!db_null(p->st, 4) && !db_u64(p->st, 4, &p->bound.counter))
		return false;
	if (db_null(p->st, 3))
		return true;
	p->bound.has_pcr = true;
	if (!db_span(p->st, 3, &pcr) || pcr.n != sizeof(p->bound.pcr))
		return false;
	memcpy(p->bound.pcr, pcr.p, pcr.n);
	return true;
}

static int take_row(struct points *p, struct err *e)
{
	struct span octets, more = {0};
	uint64_t size = 0;
	int rc;

	if (!db_u64(p->st, 0, &size) || !db_span(p->st, 1, &octets) ||
	    (!db_null(p->st, 2) && !db_span(p->st, 2, &more)) ||
	    !read_bound(p) || octets.n > sizeof(p->row))
		return wrong(e, size, "it is damaged");
	memcpy(p->row, octets.p, octets.n);
	octets = span_of(p->row, octets.n);
	p->from = size + 1;
	if (checkpoint_read(&p->stored, &p->note, octets, e)) {
		err_wrap(e, "the checkpoint of %llu records",
			 (unsigned long long)size);
		return e->code = E_INTEGRITY;
	}
	if (p->stored.size != size)
		return wrong(e, size, "it says another size");
	if (strcmp(p->stored.origin, p->origin) != 0)
		return wrong(e, size, "it is of another log");
	rc = check_signed(p, &p->note, size, e);
	return rc ? rc : check_cosigned(p, octets, more, size, e);
}

/* Nothing of the database is held on to in between. */
static int next_row(struct points *p, struct err *e)
{
	int rc;

	db_put_u64(p->st, 1, p->from);
	rc = db_step(p->st, e);
	p->has_row = rc == 1;
	if (rc == 1)
		rc = take_row(p, e);
	db_reset(p->st);
	return rc;
}

int points_open(struct points *p, struct db *d, const char *origin,
		const struct points_conf *conf, struct err *e)
{
	int rc = 0;

	memset(p, 0, offsetof(struct points, octets));
	p->conf = conf;
	p->origin = origin;
	if (conf->n_held > POINTS_HELD)
		return err_set(e, E_LIMIT, 0, "at most %d checkpoints",
			       POINTS_HELD);
	for (size_t i = 0; rc == 0 && i < conf->n_held; i++)
		rc = take_held(p, conf->held[i], e);
	if (rc || !d)
		return rc;
	rc = db_prepare(&p->st, d, "SELECT size, note, cosigned, pcr_anchor,"
			" counter, wall FROM checkpoint WHERE size >= ?1"
			" ORDER BY size LIMIT 1", e);
	return rc ? rc : next_row(p, e);
}

void points_close(struct points *p)
{
	db_finish(p->st);
	p->st = NULL;
}

uint64_t points_next(const struct points *p)
{
	uint64_t next = p->has_row ? p->stored.size : UINT64_MAX;

	if (p->at_held < p->n_held && p->held[p->at_held].size < next)
		next = p->held[p->at_held].size;
	return next;
}

/* --- while the log is read --- */

static int differs(struct points *p, const struct checkpoint *c,
		   const uint8_t root[SHA256_LEN], uint64_t *bad,
		   const char *what, struct err *e)
{
	if (memcmp(c->root, root, SHA256_LEN) == 0)
		return 0;
	*bad = p->good;
	return wrong(e, c->size, what);
}

static void miss(struct points *p, uint64_t size)
{
	if (size <= p->last_missing)
		return;
	if (p->n_missing < POINTS_MISSING)
		p->missing[p->n_missing] = size;
	p->n_missing++;
	p->last_missing = size;
	p->gap = true;
}

bool points_named(struct points *p, uint64_t size,
		  const uint8_t text[SHA256_LEN])
{
	if (size > p->last) {
		miss(p, size);
		return true;
	}
	return size == p->last &&
	       (size == 0 || memcmp(p->anchor.last, text, SHA256_LEN) == 0);
}

int points_whole(const struct points *p, int rc, uint64_t *bad, struct err *e)
{
	unsigned long long first = p->missing[0];

	*bad = UINT64_MAX;
	if (p->n_missing == 0 || (rc && rc != E_INTEGRITY))
		return rc;
	*bad = first - 1;
	if (rc)
		return err_wrap(e, "the checkpoint of %llu records: it is "
				"missing; besides", first);
	if (p->n_missing == 1)
		return wrong(e, first, "it is missing");
	return err_set(e, E_INTEGRITY, 0, "the checkpoint of %llu records: it "
		       "is missing, one of %llu that are", first,
		       (unsigned long long)p->n_missing);
}

/* What the record before it says of its time and of the TPM, what the row
 * repeats of that, and what the checkpoints before it make. */
static int anchored(struct points *p, const struct points_sealed *sealed,
		    struct err *e)
{
	const struct anchor_bound *b = &sealed->bound;
	uint64_t size = p->stored.size;
	int rc;

	/* What those that are missing made of PCR 13 nobody knows. */
	if (p->gap)
		anchor_resume(&p->anchor, b);
	p->gap = false;
	if (!p->has_wall || p->wall != sealed->wall)
		return wrong(e, size, "its time is not that of its record");
	if (b->has_pcr != p->bound.has_pcr || b->counter != p->bound.counter ||
	    memcmp(b->pcr, p->bound.pcr, sizeof(b->pcr)) != 0)
		return wrong(e, size, "its anchor is not what its record says");
	rc = anchor_step(&p->anchor, b, p->note.text, e);
	if (rc == 0)
		rc = anchor_begins(&p->anchor, p->origin, e);
	return rc ? err_wrap(e, "the checkpoint of %llu records",
			     (unsigned long long)size)
		  : 0;
}

int points_reach(struct points *p, uint64_t size,
		 const uint8_t root[SHA256_LEN],
		 const struct points_sealed *sealed, uint64_t *bad,
		 struct err *e)
{
	bool stored = p->has_row && p->stored.size == size;
	int rc = 0;

	*bad = UINT64_MAX;
	while (rc == 0 && p->at_held < p->n_held &&
	       p->held[p->at_held].size == size)
		rc = differs(p, &p->held[p->at_held++], root, bad,
			     "one held elsewhere, of another log than this: it "
			     "was replaced, altered or forked", e);
	if (rc == 0 && sealed && !stored && sealed->bound.has_pcr) {
		p->late.size = size;
		p->late.sealed = *sealed;
		memcpy(p->late.root, root, SHA256_LEN);
		return 0;
	}
	if (rc == 0 && sealed && !stored) {
		miss(p, size);
		return 0;
	}
	if (rc == 0 && stored && !sealed) {
		*bad = size - 1;
		rc = wrong(e, size, "nothing in the log announces it");
	}
	if (rc == 0 && stored)
		rc = differs(p, &p->stored, root, bad, "the records up to "
			     "there are others", e);
	if (rc == 0 && stored)
		rc = anchored(p, sealed, e);
	if (rc)
		return rc;
	p->good = size;
	if (!stored)
		return 0;
	p->n++;
	p->last = size;
	return next_row(p, e);
}

int points_look(struct points *p, struct err *e)
{
	uint64_t bad;
	int rc = p->st && !p->has_row ? next_row(p, e) : 0;

	/* It was not signed yet when its record was read. */
	if (rc || !p->has_row || p->stored.size != p->late.size)
		return rc;
	rc = differs(p, &p->stored, p->late.root, &bad, "the records up to "
		     "there are others", e);
	if (rc == 0)
		rc = anchored(p, &p->late.sealed, e);
	if (rc)
		return rc;
	p->n++;
	p->last = p->stored.size;
	return next_row(p, e);
}

/* One that is held, over records of which there is nothing to compare it with.
 * That the log's own of this size was thinned out can be: of those over pruned
 * records the last one never is. An exported log has none. */
static int thinned(struct points *p, uint64_t size, uint64_t end,
		   struct err *e)
{
	if (p->st && (!p->has_row || p->stored.size > end))
		return wrong(e, size, "what it covers was pruned, and the log "
			     "has none of this size, nor one behind it");
	p->thinned[p->n_thinned++] = (struct points_thinned){
		size, p->last, p->has_row ? p->stored.size : 0};
	return 0;
}

static int held_pruned(struct points *p, uint64_t size, uint64_t end,
		       const uint8_t root[SHA256_LEN], uint64_t *bad,
		       struct err *e)
{
	const struct checkpoint *c = &p->held[p->at_held++];

	if (c->size < size && (!p->has_row || p->stored.size != c->size))
		return thinned(p, c->size, end, e);
	return differs(p, c, c->size < size ? p->stored.root : root, bad,
		       "one held elsewhere, of another log than this: it was "
		       "replaced, altered or forked", e);
}

static int stored_pruned(struct points *p, uint64_t size,
			 const uint8_t root[SHA256_LEN], uint64_t *bad,
			 struct err *e)
{
	if (p->stored.size == size &&
	    differs(p, &p->stored, root, bad, "the records up to there are "
		    "others", e))
		return E_INTEGRITY;
	/* The last of them counts. */
	anchor_resume(&p->anchor, &p->bound);
	if (anchor_step(&p->anchor, &p->bound, p->note.text, e))
		return err_wrap(e, "the checkpoint of %llu records",
				(unsigned long long)p->stored.size);
	p->n++;
	p->n_pruned++;
	p->last = p->stored.size;
	return next_row(p, e);
}

int points_pruned(struct points *p, uint64_t size, uint64_t end,
		  const uint8_t root[SHA256_LEN], uint64_t *bad,
		  struct err *e)
{
	bool compared = size == end;
	uint64_t next;
	int rc = 0;

	*bad = UINT64_MAX;
	while (rc == 0 && (next = points_next(p)) <= size) {
		compared |= next == size;
		rc = p->at_held < p->n_held &&
				     p->held[p->at_held].size == next
			     ? held_pruned(p, size, end, root, bad, e)
			     : stored_pruned(p, size, root, bad, e);
	}
	if (rc == 0 && compared)
		p->good = size;
	return rc;
}

int points_end(struct points *p, uint64_t size, uint64_t *bad, struct err *e)
{
	uint64_t next = points_next(p);

	*bad = UINT64_MAX;
	if (next != UINT64_MAX) {
		*bad = size;
		return wrong(e, next, "the log was cut, it ends before");
	}
	if (p->conf->n_keys && p->n + p->n_held == 0)
		return err_set(e, E_INTEGRITY, 0, "no checkpoint is signed by "
			       "the log's key: there is none");
	if (p->conf->need && !p->has_cosigned)
		return err_set(e, E_INTEGRITY, 0, "no checkpoint is cosigned "
			       "by %zu of the witnesses", p->conf->need);
	return 0;
}
