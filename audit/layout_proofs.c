/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/layout_proofs.h"

#include <stdio.h>
#include <stdlib.h>

#include "audit/eve.h"
#include "audit/prooftext.h"
#include "audit/said.h"
#include "audit/tree.h"

struct layout_proofs {
	const char *dir;
	const struct checkpoint *c;
	struct span note;
	bool lines;
	struct sha256 *h;
	uint64_t *seq; /* ascending */
	size_t n;
	/* Of the record before, for the rules of order. */
	uint32_t boot;
	int64_t mono;
	struct said said; /* what was pruned */
	/* Of records before `end`: the boot of the one in hand, the next, and
	 * the lines behind that. */
	uint64_t end;
	struct layout_boot of, next;
	bool has_next;
	struct cur boots;
	struct proof_text t;
	struct record_view view;
	uint8_t text[PROOF_TEXT_MAX + 1], line[EVE_LINE_MAX];
	uint8_t have[EVE_LINE_MAX];
};

int layout_proofs_open(struct layout_proofs **out, const char *dir,
		       const struct checkpoint *c, struct span note,
		       bool lines, struct err *e)
{
	struct layout_proofs *p = calloc(1, sizeof(*p));
	uint64_t *beside = NULL;
	size_t n = 0;
	int rc;

	*out = NULL;
	if (!p || !(p->h = sha256_new())) {
		free(p);
		return err_set(e, E_NOMEM, 0, "out of memory");
	}
	p->dir = dir;
	p->c = c;
	p->note = note;
	p->lines = lines;
	rc = layout_list(&p->seq, &p->n, dir, "proof", ".tlog-proof", e);
	if (rc == 0 && lines)
		rc = layout_list(&beside, &n, dir, "record", ".json", e);
	/* A line without a proof says what nobody signed. */
	for (size_t i = 0; rc == 0 && i < n; i++) {
		if (!layout_proofs_has(p, beside[i]))
			rc = err_set(e, E_INTEGRITY, 0, "record/%llu.json: "
				     "there is no proof of it",
				     (unsigned long long)beside[i]);
	}
	free(beside);
	if (rc) {
		layout_proofs_close(p);
		return rc;
	}
	*out = p;
	return 0;
}

void layout_proofs_close(struct layout_proofs *p)
{
	if (!p)
		return;
	sha256_free(p->h);
	free(p->seq);
	free(p);
}

void layout_proofs_boots(struct layout_proofs *p, struct span boots,
			 uint64_t end)
{
	p->boots = cur_of(boots);
	p->end = end;
	p->has_next = layout_boot(&p->boots, &p->next);
}

uint64_t layout_proofs_number(const struct layout_proofs *p)
{
	return p->n;
}

/* How many are of records before this one. */
static size_t before(const struct layout_proofs *p, uint64_t seq)
{
	size_t lo = 0, hi = p->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (p->seq[mid] < seq)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool layout_proofs_has(const struct layout_proofs *p, uint64_t seq)
{
	size_t at = before(p, seq);

	return at < p->n && p->seq[at] == seq;
}

static int wrong(uint64_t seq, struct err *e, const char *what)
{
	return err_set(e, E_INTEGRITY, 0, "record %llu: %s",
		       (unsigned long long)seq, what);
}

/* A file of the directory that belongs to the record. */
static int get(const struct layout_proofs *p, const char *sub,
	       const char *tail, uint64_t seq, struct wbuf *w, struct err *e)
{
	char name[LAYOUT_PATH], file[48];
	int rc;

	snprintf(file, sizeof(file), "%s/%llu%s", sub, (unsigned long long)seq,
		 tail);
	rc = layout_name(name, p->dir, file, e);
	if (rc == 0)
		rc = layout_get(name, w, e);
	if (rc == E_LIMIT)
		rc = wrong(seq, e, "its proof or line is too long to be one");
	return rc;
}

/* Its line is what the record says, to the octet. */
static int check_line(struct layout_proofs *p, uint64_t seq, struct err *e)
{
	struct json j = json_of(p->line, sizeof(p->line));
	struct eve_opts o = {.has_seq = true, .seq = seq,
			     .service = p->view.r.service};
	struct wbuf have = wbuf_of(p->have, sizeof(p->have));
	int rc = get(p, "record", ".json", seq, &have, e);

	if (rc == E_NOTFOUND)
		return wrong(seq, e, "its line is missing");
	if (rc)
		return rc;
	return eve_event(&j, &p->view.ev, &o) &&
			       span_eq(wbuf_span(&j.w), wbuf_span(&have))
		       ? 0
		       : wrong(seq, e, "its line says something else");
}

/* Order: boots and their clocks go on. */
static int check_order(struct layout_proofs *p, uint64_t seq, struct err *e)
{
	const struct record *r = &p->view.r;
	int64_t mono = p->view.ev.now.mono.ns;

	if (r->boot < p->boot)
		return wrong(seq, e, "its boot is before the last");
	if (r->boot == p->boot && mono < p->mono)
		return wrong(seq, e, "its monotonic clock went back");
	p->boot = r->boot;
	p->mono = mono;
	return 0;
}

/* Nobody else has a record that was pruned. */
static int check_salt(struct layout_proofs *p, uint64_t seq, struct err *e)
{
	uint8_t salt[RECORD_SALT];
	struct hmac_key key;

	if (seq >= p->end)
		return 0;
	while (p->has_next && p->next.first <= seq) {
		p->of = p->next;
		p->has_next = layout_boot(&p->boots, &p->next);
	}
	if (p->view.r.boot != p->of.number)
		return wrong(seq, e, "its boot began elsewhere");
	if (!p->of.has_key)
		return 0;
	hmac_key_make(&key, p->of.key);
	record_salts(&key, seq, 1, &salt);
	return memcmp(salt, p->view.r.salt, sizeof(salt)) == 0
		       ? 0
		       : wrong(seq, e, "its salt is not of its boot's key");
}

/* What it says was pruned: of that as many stayed as it says. */
static int check_range(struct layout_proofs *p, uint64_t seq, struct err *e)
{
	const struct event_log *l = p->view.ev.log;
	const char *what;
	char text[96];
	uint64_t n;
	bool range;

	if (p->view.r.kind != RECORD_EXPORT)
		return 0;
	what = said_take(&p->said, seq, l, &range);
	if (what)
		return wrong(seq, e, what);
	if (!range)
		return 0;
	n = before(p, l->end) - before(p, l->first);
	if (n == l->kept)
		return 0;
	snprintf(text, sizeof(text), "%llu protected records stayed of what "
		 "was pruned, %llu are there", (unsigned long long)l->kept,
		 (unsigned long long)n);
	return wrong(seq, e, text);
}

static int check_record(struct layout_proofs *p, uint64_t seq, struct err *e)
{
	struct span record = span_of(p->t.record, p->t.record_n);
	const struct record *r = &p->view.r;
	int rc = 0;

	if (record_decode(&p->view, record, e)) {
		err_wrap(e, "record %llu", (unsigned long long)seq);
		return e->code = E_INTEGRITY;
	}
	if (r->seq != seq)
		return wrong(seq, e, "its number is another's");
	if ((r->flags & ~RECORD_CUT) != record_class(r->kind, r->ev))
		return wrong(seq, e, "its class is not that of its kind");
	if (!(r->flags & RECORD_PROTECTED))
		return wrong(seq, e, "it is none of those that are protected");
	rc = check_order(p, seq, e);
	if (rc == 0)
		rc = check_salt(p, seq, e);
	if (rc == 0)
		rc = check_range(p, seq, e);
	return rc == 0 && p->lines ? check_line(p, seq, e) : rc;
}

static int check_proof(struct layout_proofs *p, uint64_t seq, struct err *e)
{
	struct wbuf w = wbuf_of(p->text, sizeof(p->text));
	struct proof_text *t = &p->t;
	uint8_t leaf[SHA256_LEN];
	int rc = get(p, "proof", ".tlog-proof", seq, &w, e);

	if (rc)
		return rc;
	if (proof_text_parse(t, wbuf_span(&w), e))
		return wrong(seq, e, "its proof is none");
	if (!t->inclusion || !t->has_record || t->at != seq)
		return wrong(seq, e, "its proof is of something else");
	if (!span_eq(t->note, p->note))
		return wrong(seq, e, "its proof is under another checkpoint");
	tree_leaf(p->h, span_of(t->record, t->record_n), leaf);
	if (!proof_includes(p->h, &t->proof, seq, p->c->size, leaf,
			    p->c->root))
		return wrong(seq, e, "it is not under the checkpoint");
	return check_record(p, seq, e);
}

int layout_proofs_check(struct layout_proofs *p, uint64_t *bad, struct err *e)
{
	*bad = UINT64_MAX;
	for (size_t i = 0; i < p->n; i++) {
		int rc = check_proof(p, p->seq[i], e);

		if (rc == E_INTEGRITY)
			*bad = p->seq[i];
		if (rc)
			return rc;
	}
	return 0;
}
