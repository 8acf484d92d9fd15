/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/daemon/window.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/prooftext.h"
#include "audit/prover.h"
#include "audit/reader.h"
#include "audit/tree.h"

#define GAP_NS (NS_PER_S / WINDOW_PER_S)

static void wake(const struct window_side *s)
{
	const uint64_t one = 1;

	/* Full already: then it is awake soon. */
	if (s->wake_fd >= 0 &&
	    write(s->wake_fd, &one, sizeof(one)) != (ssize_t)sizeof(one))
		return;
}

void window_commit(struct window_side *s, uint64_t first, uint64_t size)
{
	atomic_store(&s->w->first, first);
	if (atomic_exchange(&s->w->size, size) != size &&
	    atomic_load(&s->w->follows))
		wake(s);
}

/* --- which log ------------------------------------------------------------ */

bool window_log(const struct window *w, struct window_log *out)
{
	out->number = atomic_load_explicit(&w->log, memory_order_acquire);
	out->recovery = w->recovery;
	memcpy(out->origin, w->origin, sizeof(out->origin));
	out->origin[sizeof(out->origin) - 1] = 0;
	atomic_thread_fence(memory_order_acquire);
	return out->number && !(out->number & 1) &&
	       out->number == atomic_load(&w->log);
}

/* Nobody was told of a record that is not durable: a log that is shorter is
 * another, whatever it is called. */
static bool goes_on(const struct window *w, const char *origin,
		    uint32_t recovery, uint64_t size)
{
	struct window_log log;

	return window_log(w, &log) && log.recovery == recovery &&
	       strcmp(log.origin, origin) == 0 &&
	       atomic_load(&w->size) <= size;
}

void window_open(struct window_side *s, const char *path, const char *origin,
		 uint32_t recovery, uint64_t first, uint64_t size)
{
	struct window *w = s->w;
	uint32_t busy = atomic_load(&w->log) | 1;

	s->path = path;
	if (goes_on(w, origin, recovery, size)) {
		window_commit(s, first, size);
		return;
	}
	atomic_store(&w->log, busy);
	atomic_thread_fence(memory_order_seq_cst);
	w->recovery = recovery;
	snprintf(w->origin, sizeof(w->origin), "%s", origin);
	atomic_store(&w->first, first);
	atomic_store(&w->size, size);
	/* Never 0, when so many were opened that it begins anew. */
	atomic_store(&w->log, busy + 1 ? busy + 1 : 2);
	if (s->w->follows)
		wake(s);
}

/* --- what is asked for ---------------------------------------------------- */

struct window_files {
	struct reader *reader;
	struct prover *prover;
	struct proof_text text;
	struct wbuf out; /* in the window */
};

static int files_open(struct window_side *s, struct err *e)
{
	struct window_files *f = calloc(1, sizeof(*f));
	int rc = f ? reader_open(&f->reader, s->path, true, e) : E_NOMEM;

	if (rc == 0)
		rc = prover_open(&f->prover, s->path, true, e);
	s->files = f;
	if (rc)
		window_forget(s);
	return rc;
}

void window_forget(struct window_side *s)
{
	struct window_files *f = s->files;

	s->files = NULL;
	if (!f)
		return;
	reader_close(f->reader);
	prover_close(f->prover);
	free(f);
}

void window_close(struct window_side *s)
{
	window_forget(s);
	s->path = NULL;
}

/* What the reader sees may be a commit that is not told yet: that waits. */
static uint32_t told(const struct window *w, uint64_t first, uint32_t n,
		     struct span *octets)
{
	uint64_t size = atomic_load(&w->size);
	struct cur c = cur_of(*octets);
	struct span record;

	if (first + n <= size)
		return n;
	n = size > first ? (uint32_t)(size - first) : 0;
	for (uint32_t i = 0; i < n && store_next(&c, &record); i++)
		;
	*octets = span_sub(*octets, 0, c.off);
	return n;
}

static int bundle(struct window_side *s, const struct window_key *k,
		  uint32_t *n, struct err *e)
{
	struct window_files *f = s->files;
	struct span octets;
	int rc;

	if (k->a % STORE_BUNDLE)
		return E_SYNTAX;
	rc = reader_bundle(f->reader, k->a, n, &octets, e);
	if (rc)
		return rc;
	*n = told(s->w, k->a, *n, &octets);
	wbuf_put(&f->out, octets);
	return 0;
}

static int tile(struct window_side *s, const struct window_key *k,
		uint32_t *n, struct err *e)
{
	struct window_files *f = s->files;
	struct span hashes;
	int rc;

	if (k->a >= TREE_LEVELS)
		return E_NOTFOUND;
	rc = prover_tile(f->prover, (unsigned)k->a, k->b, &hashes, e);
	if (rc)
		return rc;
	*n = (uint32_t)(hashes.n / SHA256_LEN);
	wbuf_put(&f->out, hashes);
	return 0;
}

static int checkpoint(struct window_side *s, const struct window_key *k,
		      uint32_t *n, struct err *e)
{
	struct window_files *f = s->files;
	struct checkpoint c;
	struct span note;
	int rc = prover_checkpoint(f->prover, k->a, &c, &note, e);

	*n = 1;
	if (rc == 0)
		wbuf_put(&f->out, note);
	return rc;
}

static int proof(struct window_side *s, const struct window_key *k,
		 uint32_t *n, struct err *e)
{
	struct window_files *f = s->files;
	int rc = k->kind == WINDOW_INCLUSION
			 ? prover_inclusion(f->prover, k->a, k->b, &f->text, e)
			 : prover_consistency(f->prover, k->a, k->b, &f->text,
					      e);

	*n = 1;
	return rc ? rc : proof_text_put(&f->out, &f->text, e);
}

static int cosign(struct window_side *s, const struct window_key *k)
{
	const struct window *w = s->w;
	uint8_t line[WINDOW_POST];
	uint32_t n = w->n_post;

	if (!s->cosign)
		return E_AUTH;
	if (n > sizeof(line))
		return E_SYNTAX;
	/* Looked at only when nobody can change it any more. */
	memcpy(line, w->post, n);
	return s->cosign(s->arg, k->a, span_of(line, n));
}

static int fetch(struct window_side *s, const struct window_key *k,
		 uint32_t *n, struct err *e)
{
	static int (*const kinds[])(struct window_side *s,
				    const struct window_key *k, uint32_t *n,
				    struct err *e) = {
		[WINDOW_BUNDLE] = bundle,
		[WINDOW_TILE] = tile,
		[WINDOW_CHECKPOINT] = checkpoint,
		[WINDOW_INCLUSION] = proof,
		[WINDOW_CONSISTENCY] = proof,
	};
	int rc = 0;

	if (k->kind < WINDOW_BUNDLE || k->kind > WINDOW_COSIGN ||
	    k->a >> 62 || k->b >> 62)
		return E_SYNTAX;
	if (!s->path)
		return err_set(e, E_STATE, 0, "no log is open");
	if (k->kind == WINDOW_COSIGN)
		return cosign(s, k);
	if (!s->files)
		rc = files_open(s, e);
	if (rc)
		return rc;
	s->files->out = wbuf_of(s->w->data, sizeof(s->w->data));
	rc = kinds[k->kind](s, k, n, e);
	if (rc == 0 && s->files->out.failed)
		rc = E_LIMIT;
	return rc;
}

/* --- answering ------------------------------------------------------------ */

static bool unread(int rc)
{
	return rc == E_IO || rc == E_STATE || rc == E_INTEGRITY;
}

/* Whoever asked hears why, and so does the scribe. */
static uint32_t put_why(struct window_side *s, const struct window_key *k,
			const struct err *e)
{
	static const char *const kinds[] = {
		[WINDOW_BUNDLE] = "records from",
		[WINDOW_TILE] = "a tile of level",
		[WINDOW_CHECKPOINT] = "the checkpoint of",
		[WINDOW_INCLUSION] = "a proof of record",
		[WINDOW_CONSISTENCY] = "a proof since record",
	};
	char text[ERR_TEXT + 64];

	snprintf(text, sizeof(text), "%s %llu: %s", kinds[k->kind],
		 (unsigned long long)k->a, e->text);
	if (s->damaged)
		s->damaged(s->arg, text);
	memcpy(s->w->data, text, strlen(text));
	return (uint32_t)strlen(text);
}

static int answer(struct window_side *s, const struct window_key *k,
		  uint32_t *n, uint32_t *octets)
{
	bool open = s->files != NULL;
	struct err e = {0};
	int rc = fetch(s, k, n, &e);

	if (k->kind == WINDOW_COSIGN)
		return rc;
	/* Once more, opened anew: the files may be others. */
	if (unread(rc)) {
		window_forget(s);
		if (open)
			rc = fetch(s, k, n, &e);
	}
	if (unread(rc))
		window_forget(s);
	if (rc == 0)
		*octets = (uint32_t)s->files->out.n;
	else if (rc == E_INTEGRITY || rc == E_IO)
		*octets = put_why(s, k, &e);
	return rc;
}

void window_turn(struct window_side *s, struct mono now)
{
	struct window *w = s->w;
	uint32_t asked = atomic_load(&w->asked), n = 0, octets = 0;
	struct window_key key;

	if (asked == atomic_load(&w->answered) || window_due(s, now) > 0)
		return;
	key = w->want;
	s->last = now;
	w->rc = answer(s, &key, &n, &octets);
	w->key = key;
	w->of = atomic_load(&w->log);
	w->n = w->rc ? 0 : n;
	w->octets = octets;
	atomic_store(&w->answered, asked);
	wake(s);
}

int64_t window_due(const struct window_side *s, struct mono now)
{
	int64_t left = GAP_NS - mono_sub(now, s->last);

	if (atomic_load(&s->w->asked) == atomic_load(&s->w->answered))
		return -1;
	return s->last.ns && left > 0 ? left : 0;
}
