/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secured messages (c1222.md section 12): which key and IV, is the MAC right,
 * was it seen before; and the sessions that remember a key id and IV.
 *
 * The order is: what can be refused without a key, then the MAC, and only
 * then what depends on the content being authentic.
 */
#include "crypto/digest.h"
#include "dissectors/c1222/state.h"

#define KEYS_TRIED 3

static int refuse(struct message *x, int code, enum reason why,
		  const char *what)
{
	return err_reason(x->e, code, (int)why, x->acse.octets_at, "%s", what);
}

/* --- sessions ------------------------------------------------------------- */

static bool between(const struct session *s, struct span a, struct span b)
{
	return (title_is(&s->caller, a) && title_is(&s->callee, b)) ||
	       (title_is(&s->caller, b) && title_is(&s->callee, a));
}

static struct session *find_session(struct message *x)
{
	struct c1222_machine *m = x->m;

	for (uint32_t i = 0; i < SESSION_MAX; i++) {
		struct session *s = &m->session[i];

		if (!s->live ||
		    (s->timeout_s != 0 && s->until_ns < x->c->now.mono.ns))
			continue;
		if (between(s, x->acse.calling, x->acse.called))
			return s;
	}
	return NULL;
}

/* The session as it will be when this message has passed. */
static struct session *stage_session(struct message *x)
{
	struct stage *st = &x->m->stage;
	struct session *s;

	if (st->flags & STAGE_SESSION)
		return &st->session_new;
	s = find_session(x);
	if (s) {
		st->session = (uint32_t)(s - x->m->session);
		st->session_new = *s;
	} else {
		uint32_t old = 0;

		for (uint32_t i = 1; i < SESSION_MAX; i++) {
			if (x->m->session[i].used < x->m->session[old].used)
				old = i;
		}
		st->session = old;
		st->session_new = (struct session){.live = false};
	}
	st->flags |= STAGE_SESSION;
	return &st->session_new;
}

static void extend(struct message *x, struct session *s, uint32_t more_s)
{
	s->until_ns =
		x->c->now.mono.ns + ((int64_t)s->timeout_s + more_s) * NS_PER_S;
}

void session_service(struct message *x, const struct req *asked,
		     const struct service_req *req, const struct obs *leaf)
{
	bool ok =
		asked ? obs_get(leaf, F_RESULT, 1) == 0 : x->head.respond == 2;
	struct session *s;

	if (!ok)
		return;
	switch (req->code) {
	case SERVICE_LOGON:
		/* Without security nothing needs to be remembered. */
		if (!asked || asked->mode == 0)
			return;
		s = stage_session(x);
		*s = (struct session){
			.live = true,
			.key_id = asked->key_id,
			.iv = asked->iv,
			.other_key_id = x->key_id,
			.other_iv = x->iv,
			.timeout_s = (uint16_t)obs_get(leaf, F_IDLE_TIMEOUT, 0),
		};
		title_set(&s->caller, title_span(&asked->calling));
		title_set(&s->callee, title_span(&asked->called));
		extend(x, s, 0);
		break;
	case SERVICE_LOGOFF:
	case SERVICE_TERMINATE:
		if (find_session(x))
			stage_session(x)->live = false;
		break;
	case SERVICE_WAIT:
		if (find_session(x))
			extend(x, stage_session(x), req->param);
		break;
	}
}

/* A message that relies on the session's IV: its id must be the next one. */
static int check_session(struct message *x)
{
	struct session *s = stage_session(x);
	uint32_t id = x->acse.calling_inv;

	if (x->answer) {
		if (id < s->next_answer)
			return refuse(x, E_AUTH, REASON_REPLAY,
				      "session: an id used before");
		s->next_answer = (uint64_t)id + 1;
	} else {
		if (!title_is(&s->caller, x->acse.calling))
			return refuse(x, E_STATE, REASON_SESSION_STATE,
				      "session: a request from the called");
		if (id < s->next_id)
			return refuse(x, E_AUTH, REASON_REPLAY,
				      "session: an id used before");
		if (id != s->next_id)
			return refuse(x, E_STATE, REASON_SESSION_STATE,
				      "session: not the next id");
		s->next_id = id + 1;
	}
	extend(x, s, 0);
	return 0;
}

/* A message of a session that brings its own key id and IV: those that follow
 * without may imply them, and count from its id on (4.2, 9). Never back: what
 * was counted stays counted. */
static void follow_session(struct message *x)
{
	uint32_t id = x->acse.calling_inv;
	struct session *s = find_session(x);

	if (!s || (!x->answer && !title_is(&s->caller, x->acse.calling)))
		return;
	s = stage_session(x);
	if (x->answer && id >= s->next_answer)
		s->next_answer = (uint64_t)id + 1;
	if (!x->answer && id >= s->next_id && id < UINT32_MAX)
		s->next_id = id + 1;
	if (s->key_id != x->key_id || s->iv != x->iv) {
		s->other_key_id = s->key_id;
		s->other_iv = s->iv;
		s->key_id = x->key_id;
		s->iv = x->iv;
	}
	extend(x, s, 0);
}

/* --- replay window -------------------------------------------------------- */

static int seen_cmp(const struct seen *a, const struct seen *b)
{
	if (a->iv != b->iv)
		return a->iv < b->iv ? -1 : 1;
	if (a->id != b->id)
		return a->id < b->id ? -1 : 1;
	if (a->answers != b->answers)
		return a->answers < b->answers ? -1 : 1;
	return 0;
}

/* The first place whose entry is not below s. */
static uint32_t seen_place(const struct pair *p, const struct seen *s)
{
	uint32_t lo = 0, hi = p->n;

	while (lo < hi) { /* 10 rounds at most */
		uint32_t mid = (lo + hi) / 2;

		if (seen_cmp(&p->seen[mid], s) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct pair *find_pair(struct c1222_machine *m, uint8_t key_id,
			      struct span calling, struct span called)
{
	for (uint32_t i = 0; i < PAIR_MAX; i++) {
		struct pair *p = &m->pair[i];

		if (p->live && p->key_id == key_id &&
		    title_is(&p->calling, calling) &&
		    title_is(&p->called, called))
			return p;
	}
	return NULL;
}

/* Within the acceptance window, and above everything that was forgotten? */
static bool fresh(const struct message *x, const struct pair *p,
		  const struct seen *s)
{
	int64_t age = wall_s(x->c->now.wall) - (int64_t)s->iv;

	if (age > C1222_IV_WINDOW_S || age < -C1222_IV_WINDOW_S)
		return false;
	if (!p)
		return s->iv > x->m->forgotten_iv;
	if (p->floor.iv != 0 && seen_cmp(s, &p->floor) <= 0)
		return false;
	return p->n == 0 ||
	       (int64_t)s->iv + C1222_IV_WINDOW_S >= p->seen[p->n - 1].iv;
}

static int check_replay(struct message *x)
{
	struct stage *st = &x->m->stage;
	struct pair *p =
		find_pair(x->m, x->key_id, x->acse.calling, x->acse.called);
	struct seen s = {
		.iv = x->iv,
		.id = x->acse.calling_inv,
		.answers = x->answer ? x->acse.called_inv + 1 : 0,
	};

	if (p) {
		uint32_t i = seen_place(p, &s);

		if (i < p->n && seen_cmp(&p->seen[i], &s) == 0)
			return refuse(x, E_AUTH, REASON_REPLAY,
				      "seen before: the same ids and IV");
	}
	if (!fresh(x, p, &s)) {
		if (!x->c->lenient)
			return refuse(x, E_AUTH, REASON_STALE_IV,
				      "IV outside the acceptance window");
		message_note(x, REASON_OLD_IV);
	}
	st->flags |= STAGE_SEEN;
	st->seen = s;
	st->seen_key = x->key_id;
	title_set(&st->seen_calling, x->acse.calling);
	title_set(&st->seen_called, x->acse.called);
	return 0;
}

/* A new row, at the cost of the one used longest ago: whatever it could have
 * told apart is from then on too old. */
static struct pair *new_pair(struct c1222_machine *m)
{
	struct pair *p = &m->pair[0];

	for (uint32_t i = 0; i < PAIR_MAX; i++) {
		if (!m->pair[i].live) {
			p = &m->pair[i];
			break;
		}
		if (m->pair[i].used < p->used)
			p = &m->pair[i];
	}
	if (p->live && p->n > 0 && p->seen[p->n - 1].iv > m->forgotten_iv)
		m->forgotten_iv = p->seen[p->n - 1].iv;
	p->live = true;
	p->n = 0;
	p->floor = (struct seen){m->forgotten_iv, UINT32_MAX, UINT32_MAX};
	return p;
}

static void remember_seen(struct c1222_machine *m)
{
	const struct stage *st = &m->stage;
	struct span calling = title_span(&st->seen_calling);
	struct span called = title_span(&st->seen_called);
	struct pair *p = find_pair(m, st->seen_key, calling, called);
	uint32_t i;

	if (!p) {
		p = new_pair(m);
		p->key_id = st->seen_key;
		p->calling = st->seen_calling;
		p->called = st->seen_called;
	}
	p->used = m->tick;
	i = seen_place(p, &st->seen);
	if (p->n == PAIR_SEEN) {
		if (i == 0) { /* below all that is kept (lenient only) */
			if (seen_cmp(&st->seen, &p->floor) > 0)
				p->floor = st->seen;
			return;
		}
		p->floor = p->seen[0];
		memmove(&p->seen[0], &p->seen[1],
			(PAIR_SEEN - 1) * sizeof(p->seen[0]));
		p->n--;
		i--;
	}
	memmove(&p->seen[i + 1], &p->seen[i], (p->n - i) * sizeof(p->seen[0]));
	p->seen[i] = st->seen;
	p->n++;
}

void session_settle(struct c1222_machine *m)
{
	const struct stage *st = &m->stage;

	if (st->flags & STAGE_SESSION) {
		m->session[st->session] = st->session_new;
		m->session[st->session].used = m->tick;
	}
	if (st->flags & STAGE_SEEN)
		remember_seen(m);
}

/* --- keys ----------------------------------------------------------------- */

/* The EAX' constants of a key. They follow from the key alone, so what is
 * kept here is no state of the traffic. */
static const struct eaxp_key *prepared(struct message *x,
				       const struct c1222_key *key)
{
	struct c1222_machine *m = x->m;
	struct key_cache *k = &m->key[0];

	aes128_key(x->conf->aes, key->key);
	for (uint32_t i = 0; i < KEY_CACHE; i++) {
		if (m->key[i].live &&
		    crypto_equal(m->key[i].key, key->key, sizeof(key->key))) {
			m->key[i].used = m->tick;
			return &m->key[i].k;
		}
		if (!m->key[i].live || m->key[i].used < k->used)
			k = &m->key[i];
	}
	k->live = true;
	k->used = m->tick;
	memcpy(k->key, key->key, sizeof(k->key));
	eaxp_prepare(&k->k, x->conf->aes);
	return &k->k;
}

/* Keys for the called, the calling, and for any title, in this order. */
static uint32_t find_keys(const struct message *x,
			  const struct c1222_key *found[KEYS_TRIED])
{
	const struct c1222_conf *conf = x->conf;
	const struct c1222_key *at[KEYS_TRIED] = {NULL, NULL, NULL};
	uint32_t n = 0;

	if (!conf || !conf->aes)
		return 0;
	for (size_t i = 0; i < conf->n_keys; i++) {
		const struct c1222_key *k = &conf->keys[i];
		struct span title = span_of(k->title, k->title_n);

		if (k->key_id != x->key_id)
			continue;
		if (title.n == 0)
			at[2] = at[2] ? at[2] : k;
		else if (span_eq(title, x->acse.called))
			at[0] = at[0] ? at[0] : k;
		else if (span_eq(title, x->acse.calling))
			at[1] = at[1] ? at[1] : k;
	}
	for (uint32_t i = 0; i < KEYS_TRIED; i++) {
		if (at[i])
			found[n++] = at[i];
	}
	return n;
}

/* --- failed MACs ---------------------------------------------------------- */

/* The MAC has 32 bits: guessing must be slow (12.5, guard 3). */
static struct limiter_row *limiter(struct message *x)
{
	struct net_addr peer = remote_addr(x->c);
	struct limiter_row *l = &x->m->limiter[0];

	for (uint32_t i = 0; i < LIMITER_MAX; i++) {
		struct limiter_row *r = &x->m->limiter[i];

		if (r->live && r->key_id == x->key_id &&
		    memcmp(&r->peer, &peer, sizeof(peer)) == 0)
			return r;
		if (!r->live || (l->live && r->since_ns < l->since_ns))
			l = r;
	}
	*l = (struct limiter_row){.peer = peer, .key_id = x->key_id};
	return l;
}

static void count_failure(struct message *x)
{
	struct limiter_row *l = limiter(x);
	int64_t now = x->c->now.mono.ns;

	if (!l->live || now - l->since_ns > LIMITER_WINDOW_S * NS_PER_S) {
		l->live = true;
		l->since_ns = now;
		l->failures = 0;
	}
	if (++l->failures >= LIMITER_FAILURES)
		l->until_ns = now + LIMITER_WINDOW_S * NS_PER_S;
}

static bool paused(struct message *x)
{
	struct net_addr peer = remote_addr(x->c);

	for (uint32_t i = 0; i < LIMITER_MAX; i++) {
		const struct limiter_row *r = &x->m->limiter[i];

		if (r->live && r->key_id == x->key_id &&
		    r->until_ns > x->c->now.mono.ns &&
		    memcmp(&r->peer, &peer, sizeof(peer)) == 0)
			return true;
	}
	return false;
}

/* --- opening -------------------------------------------------------------- */

/* Key id and IV: the message's own, else its session's. */
static int choose_iv(struct message *x)
{
	const struct acse *a = &x->acse;
	const struct session *s = find_session(x);

	x->in_session = !a->has_iv;
	if (x->in_session && !s)
		return refuse(x, E_STATE, REASON_SESSION_STATE,
			      "no IV, and no session to take it from");
	x->iv = a->has_iv ? a->iv : s->iv;
	if (a->has_key_id) {
		x->key_id = a->key_id;
	} else if (s) {
		x->key_id = s->key_id;
	} else {
		x->key_id = 0; /* the default of sessionless messages */
		message_note(x, REASON_REPORTED);
	}
	return 0;
}

/* With the key id and IV that are in x. Returns 0; E_STATE when no key fits,
 * which is not counted here; or what refuses the message at once. */
static int open_with(struct message *x, uint8_t *out)
{
	const struct c1222_key *keys[KEYS_TRIED];
	uint32_t n_keys = find_keys(x, keys);
	uint8_t buf[EAXP_N_MAX];
	struct wbuf n = wbuf_of(buf, sizeof(buf));

	if (n_keys == 0)
		return refuse(x, E_AUTH, REASON_UNKNOWN_KEY,
			      "the key is not held");
	/* Whoever only reads gives no guesser an answer. */
	if (!x->c->lenient && paused(x))
		return refuse(x, E_AUTH, REASON_MAC_LIMIT,
			      "too many wrong codes: not looked at");
	eaxp_canonical(&x->acse, x->key_id, x->iv, &n);
	if (n.failed)
		return refuse(x, E_LIMIT, REASON_TOO_LONG,
			      "canonical cleartext too long");
	for (uint32_t i = 0; i < n_keys; i++) { /* at most KEYS_TRIED */
		int rc = eaxp_open(prepared(x, keys[i]), x->conf->aes,
				   (enum eaxp_mode)x->head.mode, wbuf_span(&n),
				   x->head.body, x->head.mac.p, out);

		if (rc == E_LIMIT)
			return refuse(x, E_AUTH, REASON_FORGERY,
				      "canonical cleartext of one block");
		if (rc == 0)
			return 0;
	}
	return refuse(x, E_STATE, REASON_BAD_MAC, "wrong MAC");
}

/* What else the message may imply, if it implies its IV at all. */
static bool take_other(struct message *x)
{
	const struct session *s = x->in_session ? find_session(x) : NULL;

	if (!s || (s->other_iv == s->iv && s->other_key_id == s->key_id))
		return false;
	x->iv = s->other_iv;
	if (!x->acse.has_key_id)
		x->key_id = s->other_key_id;
	return true;
}

static int verify(struct message *x, uint8_t *out)
{
	uint8_t key_id = x->key_id;
	uint32_t iv = x->iv;
	int rc = open_with(x, out);

	if (rc == E_STATE && take_other(x) && open_with(x, out) == 0)
		return 0;
	if (rc != E_STATE)
		return rc;
	x->key_id = key_id;
	x->iv = iv;
	count_failure(x);
	return refuse(x, E_AUTH, REASON_BAD_MAC, "wrong MAC");
}

int session_open(struct message *x)
{
	const struct acse *a = &x->acse;
	uint8_t *out = NULL;
	int rc;

	x->body = x->head.body;
	if (x->head.mode == 0) {
		if (a->auth == ACSE_AUTH_C1222)
			return refuse(x, E_AUTH, REASON_DOWNGRADE,
				      "key id and IV, but not secured");
		return 0;
	}
	/* Both titles make the canonical cleartext longer than one block. */
	if (!acse_has(a, ACSE_CALLED) || !acse_has(a, ACSE_CALLING))
		return refuse(x, E_AUTH, REASON_FORGERY,
			      "secured, but without both ApTitles");
	if (a->auth != ACSE_AUTH_C1222 && a->auth != ACSE_AUTH_NONE)
		return refuse(x, E_AUTH, REASON_SUSPICIOUS,
			      "secured, with another authentication value");
	rc = choose_iv(x);
	if (rc)
		return rc;
	if (x->head.mode == EAXP_CIPHER && x->head.body.n > 0) {
		out = arena_alloc(x->c->arena, x->head.body.n);
		if (!out)
			return refuse(x, E_NOMEM, REASON_RESOURCE,
				      "no memory for the plaintext");
	}
	rc = verify(x, out);
	if (rc)
		return rc;
	if (out)
		x->body = span_of(out, x->head.body.n);
	if (x->retry)
		return 0; /* seen before, and permitted */
	if (x->in_session)
		return check_session(x);
	rc = check_replay(x);
	if (rc == 0)
		follow_session(x);
	return rc;
}
