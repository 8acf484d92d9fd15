/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What OpenSSL says is read: whole connections between a client and a server
 * of OpenSSL go through the dissector, in pieces of several sizes, and what
 * it tells of them is what OpenSSL was told to say and what it agreed on.
 */
#include "dissectors/tls/tls.h"

#include "dissectors/tls/hello.h"

/* cmocka wants these first */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>

#define COUNT(a) (sizeof(a) / sizeof(*(a)))
#define HELLOS_MAX 8
#define BUFFER	   65536
#define DATA	   50000 /* octets of the application, each way */

/* What was read of one connection. */
struct reader {
	void *machine;
	struct tls_flow flow;
	struct arena arena;
	uint8_t memory[16384];
	struct dis_ctx c;
	uint8_t in[2][BUFFER]; /* not judged yet */
	size_t n[2];
	uint64_t judged[2];
	uint32_t hellos, notes;
	enum dir from[HELLOS_MAX];
	char name[HELLOS_MAX][256], alpn[HELLOS_MAX][256];
	uint64_t version[HELLOS_MAX]; /* the highest */
};

static void copy_text(char to[256], struct span s)
{
	assert_true(s.n < 256);
	memcpy(to, s.p, s.n);
	to[s.n] = 0;
}

static void keep(struct reader *r, const struct obs *o)
{
	uint32_t i = r->hellos++;

	assert_true(i < HELLOS_MAX);
	r->from[i] = r->c.dir;
	for (unsigned k = 0; k < o->n; k++) {
		const struct fact *f = &o->f[k];

		if (f->field == F_DNS_NAME)
			copy_text(r->name[i], span_of(f->p, f->n));
		if (f->field == F_ALPN && r->alpn[i][0] == 0)
			copy_text(r->alpn[i], span_of(f->p, f->n));
		if (f->field == F_TLS_VERSION && f->u > r->version[i])
			r->version[i] = f->u;
		r->notes += f->field == F_NOTE;
	}
}

/* Octets that one side sent; whole units are judged. */
static void hear(struct reader *r, enum dir dir, struct span octets)
{
	size_t len;

	assert_true(octets.n <= BUFFER - r->n[dir]);
	memcpy(r->in[dir] + r->n[dir], octets.p, octets.n);
	r->n[dir] += octets.n;
	r->c.dir = dir;
	for (;;) {
		struct span in = span_of(r->in[dir], r->n[dir]);
		struct obs obs[2];
		struct obs_list out = {obs, 0, 2};
		struct err e = {0};
		enum frame fr = dissector_tls.frame(&r->c, in, &len, &e);

		if (fr == FRAME_BAD)
			fail_msg("frame: %s", e.text);
		if (in.n == 0 || fr == FRAME_MORE)
			break;
		arena_reset(&r->arena);
		if (dissector_tls.dissect(&r->c, span_sub(in, 0, len), &out,
					  &e) != 0)
			fail_msg("dissect: %s", e.text);
		dissector_tls.settle(&r->c, true);
		if (obs[0].kind == OBS_TLS_HELLO)
			keep(r, &obs[0]);
		r->judged[dir] += len;
		memmove(r->in[dir], r->in[dir] + len, in.n - len);
		r->n[dir] = in.n - len;
	}
	/* Nothing waits but a hello and the header of a record. */
	assert_true(r->n[dir] < TLS_UNIT_MAX);
}

static struct reader *reader_new(void)
{
	struct reader *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	r->machine = calloc(1, dissector_tls.machine_size);
	assert_non_null(r->machine);
	r->arena = arena_of(r->memory, sizeof(r->memory));
	r->c = (struct dis_ctx){.machine = r->machine,
				.flow = &r->flow,
				.arena = &r->arena,
				.tup.proto = PROTO_TCP};
	dissector_tls.machine_init(r->machine, NULL);
	return r;
}

static void reader_free(struct reader *r)
{
	free(r->machine);
	free(r);
}

/* --- OpenSSL ----------------------------------------------------------------------- */

struct how {
	const char *why;
	int min, max; /* of the client */
	int server_max;
	const char *name, *alpn;
	bool other_group; /* than the client guesses */
	bool no_dummies, large_chain, resume, early;
	uint32_t hellos;
};

static const struct how rows[] = {
	{"1.3", 0, 0, 0, "meter.example", "http/1.1", 0, 0, 0, 0, 0, 2},
	{"1.3 without a name", 0, 0, 0, NULL, NULL, 0, 0, 0, 0, 0, 2},
	{"1.3 without dummies", 0, 0, 0, "a.b", "h2", 0, 1, 0, 0, 0, 2},
	{"1.3, a long chain", 0, 0, 0, "a.b", "h2", 0, 0, 1, 0, 0, 2},
	{"1.3 again", 0, 0, 0, "a.b", "h2", 0, 0, 0, 1, 0, 2},
	{"1.3 with early data", 0, 0, 0, "a.b", "h2", 0, 0, 0, 1, 1, 2},
	{"another hello", 0, 0, 0, "a.b", "h2", 1, 0, 0, 0, 0, 4},
	{"another hello, no dummies", 0, 0, 0, "a.b", "h2", 1, 1, 0, 0, 0,
	 4},
	{"1.3 or older, 1.2 chosen", 0, 0, TLS1_2_VERSION, "a.b", "h2", 0, 0,
	 0, 0, 0, 2},
	{"1.2", 0, TLS1_2_VERSION, 0, "a.b", "h2", 0, 0, 0, 0, 0, 2},
	{"1.2, a long chain", 0, TLS1_2_VERSION, 0, "a.b", "h2", 0, 0, 1, 0,
	 0, 2},
	{"1.2 again", 0, TLS1_2_VERSION, 0, "a.b", "h2", 0, 0, 0, 1, 0, 2},
	{"1.1", TLS1_1_VERSION, TLS1_1_VERSION, 0, "a.b", NULL, 0, 0, 0, 0,
	 0, 2},
	{"1.0", TLS1_VERSION, TLS1_VERSION, 0, "a.b", NULL, 0, 0, 0, 0, 0, 2},
	{"1.3 or older, 1.0 chosen", TLS1_VERSION, 0, TLS1_VERSION, "a.b", NULL,
	 0, 0, 0, 0, 0, 2},
};

/* A certificate of its own authority; extra: octets of a comment in it. */
static X509 *certificate(EVP_PKEY *key, size_t extra)
{
	X509 *x = X509_new();
	X509_NAME *name;

	assert_non_null(x);
	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, key);
	name = X509_get_subject_name(x);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
				   (const unsigned char *)"test", -1, -1, 0);
	for (size_t i = 0; i < extra; i += 60) {
		X509_NAME_add_entry_by_txt(
			name, "OU", MBSTRING_ASC,
			(const unsigned char *)"sixty octets of nothing that "
					       "make a certificate longer and",
			58, -1, 0);
	}
	X509_set_issuer_name(x, name);
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	return x;
}

static int choose(SSL *s, const unsigned char **out, unsigned char *n,
		  const unsigned char *in, unsigned in_n, void *arg)
{
	(void)s;
	(void)arg;
	*out = in + 1;
	*n = in[0];
	return in_n > in[0] ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

/* Security level 0, or nothing older than 1.2 is spoken at all. */
static SSL_CTX *context(const SSL_METHOD *method)
{
	SSL_CTX *c = SSL_CTX_new(method);

	assert_non_null(c);
	SSL_CTX_set_security_level(c, 0);
	assert_int_equal(SSL_CTX_set_cipher_list(c, "ALL:@SECLEVEL=0"), 1);
	SSL_CTX_set_min_proto_version(c, TLS1_VERSION);
	return c;
}

static SSL_CTX *server_context(const struct how *h)
{
	SSL_CTX *c = context(TLS_server_method());
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	X509 *x;

	assert_non_null(key);
	x = certificate(key, h->large_chain ? 12000 : 0);
	assert_int_equal(SSL_CTX_use_certificate(c, x), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(c, key), 1);
	X509_free(x);
	EVP_PKEY_free(key);
	SSL_CTX_set_max_proto_version(c, h->server_max);
	SSL_CTX_set_alpn_select_cb(c, choose, NULL);
	if (h->other_group)
		assert_int_equal(SSL_CTX_set1_groups_list(c, "P-384"), 1);
	SSL_CTX_set_max_early_data(c, 16384);
	SSL_CTX_set_session_id_context(c, (const unsigned char *)"t", 1);
	if (h->no_dummies)
		SSL_CTX_clear_options(c, SSL_OP_ENABLE_MIDDLEBOX_COMPAT);
	return c;
}

static SSL_CTX *client_context(const struct how *h)
{
	SSL_CTX *c = context(TLS_client_method());

	SSL_CTX_set_min_proto_version(c, h->min ? h->min : TLS1_VERSION);
	SSL_CTX_set_max_proto_version(c, h->max);
	assert_int_equal(SSL_CTX_set1_groups_list(c, "X25519:P-384"), 1);
	SSL_CTX_set_max_cert_list(c, 200000);
	if (h->no_dummies)
		SSL_CTX_clear_options(c, SSL_OP_ENABLE_MIDDLEBOX_COMPAT);
	return c;
}

/* One end of a connection. */
struct end {
	SSL *s;
	BIO *in, *out;
	bool done;
	size_t sent, got; /* of the application */
};

static struct end end_new(SSL_CTX *c)
{
	struct end e = {.s = SSL_new(c),
			.in = BIO_new(BIO_s_mem()),
			.out = BIO_new(BIO_s_mem())};

	assert_true(e.s && e.in && e.out);
	SSL_set_bio(e.s, e.in, e.out);
	return e;
}

/* What it said goes through the reader to the other, in pieces of step. */
static bool carry(struct reader *r, enum dir dir, struct end *from,
		  struct end *to, size_t step)
{
	uint8_t octets[4096];
	bool some = false;
	int n;

	while ((n = BIO_read(from->out, octets, (int)step)) > 0) {
		hear(r, dir, span_of(octets, (size_t)n));
		assert_int_equal(BIO_write(to->in, octets, n), n);
		some = true;
	}
	return some;
}

static void work(struct end *e)
{
	static const uint8_t data[4096];
	uint8_t got[4096];
	int n;

	if (!e->done)
		e->done = SSL_do_handshake(e->s) == 1;
	if (!e->done)
		return;
	if (e->sent < DATA && SSL_write(e->s, data, sizeof(data)) > 0)
		e->sent += sizeof(data);
	while ((n = SSL_read(e->s, got, sizeof(got))) > 0)
		e->got += (size_t)n;
}

static void early_out(struct end *c)
{
	static const uint8_t data[600];
	size_t n;

	assert_int_equal(SSL_write_early_data(c->s, data, sizeof(data), &n), 1);
	assert_int_equal(n, sizeof(data));
}

/* The server reads early data first: until there are no more of them. */
static bool early_in(struct end *s, size_t *total)
{
	uint8_t got[4096];
	size_t n = 0;
	int rc;

	while ((rc = SSL_read_early_data(s->s, got, sizeof(got), &n)) ==
	       SSL_READ_EARLY_DATA_SUCCESS)
		*total += n;
	return rc == SSL_READ_EARLY_DATA_FINISH;
}

static void talk(struct reader *r, const struct how *h, struct end *c,
		 struct end *s, bool early, size_t step)
{
	size_t early_got = 0;
	bool ended = !early;

	for (int round = 0; round < 200; round++) {
		bool some;

		if (early && round == 0)
			early_out(c);
		else
			work(c);
		some = carry(r, DIR_OUT, c, s, step);
		ended = ended || early_in(s, &early_got);
		if (ended)
			work(s);
		some |= carry(r, DIR_IN, s, c, step);
		if (!some && c->got >= DATA && s->got >= DATA)
			break;
	}
	if (!c->done || !s->done || c->got < DATA || s->got < DATA)
		fail_msg("%s: the connection itself failed", h->why);
	if (early)
		assert_int_equal(early_got, 600);
	SSL_shutdown(c->s);
	carry(r, DIR_OUT, c, s, step);
	SSL_shutdown(s->s);
	carry(r, DIR_IN, s, c, step);
}

static uint64_t client_highest(const struct how *h)
{
	return h->max ? (uint64_t)h->max : TLS_1_3;
}

static void check(const struct reader *r, const struct how *h, SSL *c)
{
	uint32_t last = r->hellos - 1;

	assert_int_equal(r->hellos, h->hellos);
	for (uint32_t i = 0; i < r->hellos; i++) {
		assert_int_equal(r->from[i], i % 2 ? DIR_IN : DIR_OUT);
		if (i % 2)
			continue;
		assert_string_equal(r->name[i], h->name ? h->name : "");
		assert_string_equal(r->alpn[i], h->alpn ? h->alpn : "");
		assert_int_equal(r->version[i], client_highest(h));
	}
	assert_int_equal(r->version[last], (uint64_t)SSL_version(c));
	/* In 1.3 the choice of ALPN is sealed. */
	assert_string_equal(r->alpn[last], h->alpn && SSL_version(c) < TLS_1_3 ?
						   h->alpn :
						   "");
	assert_string_equal(r->name[last], "");
	assert_int_equal(r->notes, 0);
	for (int d = 0; d < 2; d++) {
		assert_int_equal(r->n[d], 0);
		assert_int_equal(r->flow.side[d].left, 0);
		assert_true(r->judged[d] > DATA);
	}
}

static SSL_SESSION *connection(const struct how *h, SSL_CTX *cc, SSL_CTX *sc,
			       SSL_SESSION *again, size_t step)
{
	struct reader *r = reader_new();
	struct end c = end_new(cc), s = end_new(sc);
	SSL_SESSION *session;

	SSL_set_connect_state(c.s);
	SSL_set_accept_state(s.s);
	if (h->name) {
		char name[64]; /* OpenSSL's macro is not const */

		snprintf(name, sizeof(name), "%s", h->name);
		SSL_set_tlsext_host_name(c.s, name);
	}
	if (h->alpn) {
		unsigned char list[64];
		size_t n = strlen(h->alpn);

		list[0] = (unsigned char)n;
		memcpy(list + 1, h->alpn, n);
		assert_int_equal(SSL_set_alpn_protos(c.s, list,
						     (unsigned)n + 1), 0);
	}
	if (again)
		assert_int_equal(SSL_set_session(c.s, again), 1);
	talk(r, h, &c, &s, again && h->early, step);
	assert_int_equal(SSL_session_reused(c.s), again != NULL);
	check(r, h, c.s);
	session = SSL_get1_session(c.s);
	SSL_free(c.s);
	SSL_free(s.s);
	reader_free(r);
	return session;
}

static void test_openssl(void **state)
{
	static const size_t steps[] = {4096, 1448, 100, 1};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		for (size_t k = 0; k < COUNT(steps); k++) {
			const struct how *h = &rows[i];
			SSL_CTX *c = client_context(h), *s = server_context(h);
			SSL_SESSION *first = connection(h, c, s, NULL,
							steps[k]);

			assert_non_null(first);
			if (h->resume)
				SSL_SESSION_free(connection(h, c, s, first,
							    steps[k]));
			SSL_SESSION_free(first);
			SSL_CTX_free(c);
			SSL_CTX_free(s);
		}
	}
}

/* A handshake that fails: the alert is read, whoever sends it. */
static void test_alert(void **state)
{
	static const struct how h = {.why = "no common version",
				     .min = TLS1_3_VERSION,
				     .server_max = TLS1_2_VERSION,
				     .name = "a.b"};
	SSL_CTX *cc = client_context(&h), *sc = server_context(&h);
	struct end c = end_new(cc), s = end_new(sc);
	struct reader *r = reader_new();

	(void)state;
	SSL_set_connect_state(c.s);
	SSL_set_accept_state(s.s);
	work(&c);
	assert_true(carry(r, DIR_OUT, &c, &s, 1448));
	work(&s);
	assert_true(carry(r, DIR_IN, &s, &c, 1448));
	assert_int_equal(r->hellos, 1);
	assert_int_equal(r->judged[DIR_IN], 7);
	SSL_free(c.s);
	SSL_free(s.s);
	SSL_CTX_free(cc);
	SSL_CTX_free(sc);
	reader_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_openssl),
		cmocka_unit_test(test_alert),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
