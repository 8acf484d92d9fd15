/* SPDX-License-Identifier: Apache-2.0 */
/* A log is opened, or another beside it, and let go of. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "audit/audit_own.h"

#define BATCH 1000
#define RECOVERIES 99 /* logs beside one that was altered */

/* What the last record said; its clocks, when it is of the boot that is
 * continued. */
static int take_last(struct audit *a, struct err *e)
{
	struct span last = store_last(a->store);
	struct span said = store_last_said(a->store);
	struct record_view *v;
	int rc = 0;

	if (last.n == 0)
		return 0;
	v = malloc(sizeof(*v));
	if (!v)
		return err_set(e, E_NOMEM, 0, "out of memory");
	if (said.n)
		rc = record_decode(v, said, e);
	if (rc == 0 && said.n && v->ev.detail)
		memcpy(a->last_detail, v->detail, sizeof(a->last_detail));
	if (rc == 0)
		rc = record_decode(v, last, e);
	if (rc == 0 && v->r.boot == store_boot(a->store)) {
		a->has_last = true;
		a->last_mono = v->ev.now.mono;
		a->last_wall = v->ev.now.wall.us;
	}
	free(v);
	return rc;
}

/* Who signs is named as the log is, also where it is another than was meant. */
static int take_signer(struct audit *a, const struct audit_conf *conf,
		       const char *path, struct err *e)
{
	const struct note_key *k;
	int rc;

	if (conf->own_key && !conf->signer) {
		/* A log that was signed goes on with its key or not at all. */
		rc = log_key_open(&a->key, conf->path, path, a->origin,
				  store_checkpointed(a->store) == 0, e);
		a->by = &a->key.by;
		return rc ? rc : store_signed(a->store, &a->key.by.key, e);
	}
	if (!conf->signer)
		return 0;
	k = &conf->signer->key;
	a->signer = *conf->signer;
	a->by = &a->signer;
	rc = note_key_make(&a->signer.key, span_str(a->origin), k->type,
			   span_of(k->pub, k->n), e);
	if (rc == 0 && conf->show_key)
		rc = log_key_show(&a->signer.key, path,
				  store_checkpointed(a->store) == 0, e);
	return rc ? rc : store_signed(a->store, &a->signer.key, e);
}

/* The lock goes with the process, however it ends; the file stays. */
static int hold(struct audit *a, const char *path, struct err *e)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char name[AUDIT_PATH];

	if (snprintf(name, sizeof(name), "%s.lock", path) >=
	    (int)sizeof(name))
		return err_set(e, E_LIMIT, 0, "the name is too long");
	a->lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (a->lock < 0)
		return err_sys(e, "%s", name);
	if (fcntl(a->lock, F_SETLK, &whole) == 0)
		return 0;
	return errno == EACCES || errno == EAGAIN
		       ? err_set(e, E_STATE, 0, "somebody else writes it")
		       : err_sys(e, "%s", name);
}

static void let_go(const struct audit *a)
{
	if (a->lock >= 0)
		close(a->lock);
}

/* What was found out about one that was not what it says is of no other. */
static void begin(struct audit *a)
{
	a->going.end = a->going.at = 0;
	a->withdraws = a->has_last = false;
	a->last_detail[0] = '\0';
}

static int open_at(struct audit *a, const struct audit_conf *conf,
		   const char *path, struct err *e)
{
	struct err ignored;
	uint32_t boot = conf->boot	 ? conf->boot
			: conf->last	 ? STORE_BOOT_LAST
			: conf->resume	 ? STORE_BOOT_RESUME
					 : 0;
	int rc = store_open(&a->store, path, a->origin, boot, conf->boot_key,
			    conf->bulk, e);

	begin(a);
	if (rc)
		return rc;
	record_salt_row(&a->salts, store_key(a->store));
	rc = take_last(a, e);
	if (rc == 0)
		rc = take_signer(a, conf, path, e);
	if (rc == 0 && conf->agree)
		rc = conf->agree(conf->arg, a, e);
	a->anchors = conf->agree != NULL;
	if (rc == 0)
		rc = audit_going(a, e);
	if (rc == 0 && conf->counts)
		rc = audit_counts(a, conf->counts, e);
	if (rc == 0) {
		a->path = strdup(path);
		rc = a->path ? 0 : err_set(e, E_NOMEM, 0, "out of memory");
	}
	if (rc == 0)
		audit_know(a);
	if (rc && store_close(a->store, &ignored))
		rc = e ? e->code : rc;
	return rc;
}

static int name_recovery(char *out, size_t cap, const char *base,
			 const char *between, unsigned n, struct err *e)
{
	int len = snprintf(out, cap, "%s%srecovery-%u", base, between, n);

	return len >= 0 && (size_t)len < cap
		       ? 0
		       : err_set(e, E_LIMIT, 0, "%s: the name is too long",
				 base);
}

/* The file is not what it says. It is evidence: it stays as it is, and records
 * go to another log beside it, of another origin. */
static int recover(struct audit *a, const struct audit_conf *conf,
		   struct err *e)
{
	char path[AUDIT_PATH];
	int rc = E_INTEGRITY;

	snprintf(a->why, sizeof(a->why), "%s", e->text);
	for (unsigned n = 1; rc == E_INTEGRITY && n <= RECOVERIES; n++) {
		rc = name_recovery(path, sizeof(path), conf->path, ".", n, e);
		if (rc == 0)
			rc = name_recovery(a->origin, sizeof(a->origin),
					   conf->origin ? conf->origin : "",
					   "/", n, e);
		a->recovery = n;
		if (rc == 0)
			rc = open_at(a, conf, path, e);
	}
	return rc ? err_wrap(e, "%.100s; %s", a->why, path) : 0;
}

int audit_open(struct audit **out, const struct audit_conf *conf,
	       struct err *e)
{
	struct err own = {0};
	struct audit *a;
	int rc;

	*out = NULL;
	e = e ? e : &own;
	if (conf->origin && strlen(conf->origin) > NOTE_NAME_MAX)
		return err_set(e, E_LIMIT, 0, "audit: origin: at most %d "
			       "octets", NOTE_NAME_MAX);
	if (conf->policy_seq > UINT32_MAX)
		return err_set(e, E_LIMIT, 0, "audit: policy sequence");
	a = calloc(1, sizeof(*a));
	if (!a)
		return err_set(e, E_NOMEM, 0, "audit: out of memory");
	a->batch = conf->batch ? conf->batch : BATCH;
	a->policy_seq = (uint32_t)conf->policy_seq;
	a->service_name = conf->service_name;
	a->can_sign = conf->can_sign;
	a->arg = conf->arg;
	a->lock = -1;
	a->most = conf->bound;
	a->cosigned = conf->cosigned;
	a->witnesses = conf->witnesses;
	a->n_witnesses = conf->n_witnesses;
	snprintf(a->origin, sizeof(a->origin), "%s",
		 conf->origin ? conf->origin : "");
	rc = conf->alone ? hold(a, conf->path, e) : 0;
	if (rc == 0)
		rc = open_at(a, conf, conf->path, e);
	if (rc == E_INTEGRITY && conf->recover)
		rc = recover(a, conf, e);
	a->new_boot = !a->has_last;
	a->counted = rc == 0 && store_any_open(a->store);
	if (rc) {
		err_wrap(e, "audit %s", conf->path);
		let_go(a);
		free(a);
		return rc;
	}
	*out = a;
	return 0;
}

unsigned audit_recovery(const struct audit *a, const char **why)
{
	*why = a->why;
	return a->recovery;
}

const char *audit_path(const struct audit *a)
{
	return a->path;
}

const char *audit_origin(const struct audit *a)
{
	return a->origin;
}

bool audit_boot_is_new(const struct audit *a)
{
	return a->new_boot;
}

const char *audit_last_detail(const struct audit *a)
{
	return a->last_detail;
}

/* Whatever the store was not told to commit, closing it takes back. */
int audit_end(struct audit *a, struct err *e)
{
	int rc = store_close(a->store, e);

	log_key_wipe(&a->key);
	let_go(a);
	free(a->path);
	free(a->open);
	free(a);
	return rc;
}
