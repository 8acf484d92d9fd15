/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/tally.h"

#include <stdlib.h>

#include "audit/db.h"
#include "core/wbuf.h"

void tally_fini(struct tally_set *set)
{
	free(set->at);
	*set = (struct tally_set){0};
}

static void digest_of(uint64_t slot, struct span said, uint8_t out[SHA256_LEN])
{
	uint8_t octets[1 + 8 + RECORD_MAX];
	struct wbuf w = wbuf_of(octets, sizeof(octets));

	wbuf_u8(&w, 3);
	wbuf_be(&w, slot, 8);
	wbuf_put(&w, said);
	sha256_of(wbuf_span(&w), out);
}

/* Where that slot is, or belongs. */
static size_t find(const struct tally_set *set, uint64_t slot)
{
	size_t from = 0, to = set->n;

	while (from < to) {
		size_t i = from + (to - from) / 2;

		if (set->at[i].slot < slot)
			from = i + 1;
		else
			to = i;
	}
	return from;
}

static int grow(struct tally_set *set, struct err *e)
{
	size_t room = set->room ? 2 * set->room : 64;
	struct tally_one *at;

	if (set->n < set->room)
		return 0;
	at = realloc(set->at, room * sizeof(*at));
	if (!at)
		return err_set(e, E_NOMEM, 0, "out of memory");
	set->at = at;
	set->room = room;
	return 0;
}

int tally_put(struct tally_set *set, uint64_t slot, struct span said,
	      struct err *e)
{
	size_t i = find(set, slot), behind = set->n - i;
	bool there = behind && set->at[i].slot == slot;

	if (said.n == 0) {
		if (there)
			memmove(&set->at[i], &set->at[i + 1],
				(behind - 1) * sizeof(set->at[0]));
		set->n -= there;
		return 0;
	}
	if (!there) {
		int rc = grow(set, e);

		if (rc)
			return rc;
		memmove(&set->at[i + 1], &set->at[i],
			behind * sizeof(set->at[0]));
		set->at[i].slot = slot;
		set->n++;
	}
	digest_of(slot, said, set->at[i].digest);
	return 0;
}

bool tally_digest(const struct tally_set *set, struct sha256 *h,
		  uint8_t out[SHA256_LEN])
{
	static const uint8_t prefix = 4;

	memset(out, 0, SHA256_LEN);
	if (set->n == 0)
		return false;
	sha256_begin(h);
	sha256_add(h, span_of(&prefix, 1));
	for (size_t i = 0; i < set->n; i++)
		sha256_add(h, span_of(set->at[i].digest, SHA256_LEN));
	sha256_end(h, out);
	return true;
}

/* --- the table ------------------------------------------------------------ */

static int no_count(struct err *e, uint64_t slot, const char *what)
{
	return err_set(e, E_INTEGRITY, 0, "open count %llu: %s",
		       (unsigned long long)slot, what);
}

int tally_read(struct record_view *v, uint64_t slot, struct span said,
	       struct err *e)
{
	static const uint8_t salt[RECORD_SALT];
	struct err why = {0};

	if (record_decode(v, said, &why))
		return no_count(e, slot, why.text);
	if (v->r.kind != RECORD_AGGREGATE || v->r.tail.n)
		return no_count(e, slot, "it is none");
	if (v->r.seq != slot)
		return no_count(e, slot, "it is of another slot");
	return memcmp(v->r.salt, salt, sizeof(salt)) == 0
		       ? 0
		       : no_count(e, slot, "it has a salt");
}

int tally_each(struct db *d, tally_f *f, void *arg, struct err *e)
{
	struct db_stmt *st;
	struct span said;
	uint64_t slot;
	int rc = db_prepare(&st, d, "SELECT slot, said FROM tally"
			    " ORDER BY slot", e);

	if (rc)
		return rc;
	while ((rc = db_step(st, e)) == 1) {
		rc = db_u64(st, 0, &slot) && db_span(st, 1, &said)
			     ? f(arg, slot, said, e)
			     : err_set(e, E_INTEGRITY, 0,
				       "an open count is damaged");
		if (rc)
			break;
	}
	db_finish(st);
	return rc;
}

struct loading {
	struct tally_set *set;
	struct record_view *v;
};

static int load_one(void *arg, uint64_t slot, struct span said, struct err *e)
{
	struct loading *l = arg;
	int rc = tally_read(l->v, slot, said, e);

	return rc ? rc : tally_put(l->set, slot, said, e);
}

int tally_load(struct tally_set *set, struct db *d, struct err *e)
{
	struct loading l = {set, malloc(sizeof(*l.v))};
	int rc = l.v ? tally_each(d, load_one, &l, e)
		     : err_set(e, E_NOMEM, 0, "out of memory");

	free(l.v);
	return rc;
}

/* --- what goes beside a checkpoint ---------------------------------------- */

struct listing {
	const struct tally_set *set;
	struct wbuf w;
	size_t n;
};

static int list_one(void *arg, uint64_t slot, struct span said, struct err *e)
{
	struct listing *l = arg;
	uint8_t digest[SHA256_LEN];

	if (said.n > RECORD_MAX)
		return no_count(e, slot, "it is too long");
	digest_of(slot, said, digest);
	if (l->n < l->set->n && l->set->at[l->n].slot < slot)
		return no_count(e, l->set->at[l->n].slot, "it was taken away");
	if (l->n == l->set->n || l->set->at[l->n].slot != slot ||
	    memcmp(l->set->at[l->n].digest, digest, sizeof(digest)) != 0)
		return no_count(e, slot, "it is not what was written");
	l->n++;
	wbuf_be(&l->w, slot, 8);
	wbuf_be(&l->w, said.n, 2);
	wbuf_put(&l->w, said);
	return 0;
}

int tally_list(const struct tally_set *set, struct db *d, uint8_t **list,
	       size_t *n, struct err *e)
{
	size_t room = set->n * (8 + 2 + RECORD_MAX) + 1;
	struct listing l = {.set = set};
	int rc;

	*n = 0;
	*list = malloc(room);
	if (!*list)
		return err_set(e, E_NOMEM, 0, "out of memory");
	l.w = wbuf_of(*list, room);
	rc = tally_each(d, list_one, &l, e);
	if (rc == 0 && l.n != set->n)
		rc = no_count(e, set->at[l.n].slot, "it was taken away");
	if (rc) {
		free(*list);
		*list = NULL;
	} else {
		*n = l.w.n;
	}
	return rc;
}
