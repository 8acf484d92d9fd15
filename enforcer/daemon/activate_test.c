/* SPDX-License-Identifier: Apache-2.0 */
/* What of a directory comes into force: by whom it is signed, its serials, and
 * what is kept over a restart. Runs in the root of the tree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypto/digest.h"
#include "enforcer/daemon/activate.h"
#include "enforcer/daemon/propose.h"
#include "enforcer/daemon/signed_kit.h"
#include "policy-lang/analysis/label.h"
#include "policy-lang/front/file.h"
#include "policy-lang/image/layout.h"
#include "enforcer/daemon/trial.h"

/* When, in which boot; and what was told. */
static uint8_t boot[16];
static struct now at;
static char told[65536];

static void note(void *arg, const char *text)
{
	(void)arg;
	if (strlen(told) + strlen(text) + 2 > sizeof(told))
		fail_msg("more is told than there is room for");
	strcat(told, text);
	strcat(told, "\n");
}

static int open_it(struct activation *a, const struct conf *c, struct err *e)
{
	int rc = activate_open(a, c, boot, at, e);

	a->in_process = true;
	return rc;
}

/* One start of a daemon as far as policies go: the number of them in force, or
 * the error. */
static int begin(struct activation *a, struct policies *p,
		 const struct conf *c, struct err *e)
{
	int rc = open_it(a, c, e);

	*p = (struct policies){0};
	if (rc == 0)
		rc = activate_first(a, p, c, e);
	if (rc == 0 && !a->refused[0])
		rc = activate_see(a, p, c, note, NULL, e);
	if (rc == 0 && !a->refused[0])
		rc = activate_done(a, p, c, e);
	return rc < 0 ? rc : (int)p->files.n;
}

static void end(struct activation *a, struct policies *p)
{
	policies_free(p);
	activate_close(a);
}

/* --- signatures ------------------------------------------------------------------ */

enum who { NOBODY, PLATFORM, VENDOR, STRANGER };

static const struct sign_key *key_of(const struct kit *k, enum who w)
{
	return w == PLATFORM   ? &k->platform
	       : w == VENDOR   ? &k->vendor
	       : w == STRANGER ? &k->stranger
			       : NULL;
}

static void who_may(void **s)
{
	static const struct {
		const char *why;
		enum who binding, baseline, vendor;
		int want;
		const char *says;
	} rows[] = {
		{"each by who may", PLATFORM, PLATFORM, VENDOR, 0, ""},
		{"a binding without", NOBODY, PLATFORM, VENDOR, E_AUTH,
		 "binding net.example.platform.binding serial 1: not signed"},
		{"a baseline without", PLATFORM, NOBODY, VENDOR, E_AUTH,
		 "baseline net.example.platform.baseline"},
		{"a policy without", PLATFORM, PLATFORM, NOBODY, E_AUTH,
		 "vendor policy com.example.mdma"},
		{"the vendor signs no binding", VENDOR, PLATFORM, VENDOR,
		 E_AUTH, "signed with another key"},
		{"nor a baseline", PLATFORM, VENDOR, VENDOR, E_AUTH,
		 "a key of the platform"},
		{"the platform signs no vendor's policy", PLATFORM, PLATFORM,
		 PLATFORM, E_AUTH, "the key 'mdma-vendor' of machine mdma"},
		{"a stranger signs nothing: binding", STRANGER, PLATFORM,
		 VENDOR, E_AUTH, "binding"},
		{"baseline", PLATFORM, STRANGER, VENDOR, E_AUTH, "baseline"},
		{"policy", PLATFORM, PLATFORM, STRANGER, E_AUTH, "mdma"},
	};

	(void)s;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct activation a;
		struct policies p;
		struct err e = {0};
		struct kit k;
		struct conf c;
		int rc;

		kit_new(&k);
		c = kit_conf(&k);
		kit_put(&k, "binding", "binding", key_of(&k, rows[i].binding));
		kit_put(&k, "baseline", "base", key_of(&k, rows[i].baseline));
		kit_put(&k, "metering", "mdma", key_of(&k, rows[i].vendor));
		assert_int_equal(open_it(&a, &c, &e), 0);
		rc = activate_next(&a, &p, &c, &e);
		if (rc != rows[i].want || !strstr(e.text, rows[i].says))
			fail_msg("%s: %d: %s", rows[i].why, rc, e.text);
		policies_free(&p);
		activate_close(&a);
		kit_free(&k);
	}
}

/* No checksum guards the signature itself. */
static void forged(void **s)
{
	struct activation a;
	struct policies p;
	struct err e = {0};
	struct kit k;
	struct conf c;
	char path[256];
	FILE *f;
	int last;
	long n;

	(void)s;
	kit_new(&k);
	c = kit_conf(&k);
	kit_all(&k);
	f = fopen(kit_path(path, &k, "policies/metering.polc"), "r+");
	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	n = ftell(f);
	fseek(f, n - 1, SEEK_SET);
	last = fgetc(f);
	fseek(f, n - 1, SEEK_SET);
	fputc(last ^ 1, f);
	fclose(f);
	assert_int_equal(open_it(&a, &c, &e), 0);
	assert_int_equal(activate_next(&a, &p, &c, &e), E_INTEGRITY);
	assert_non_null(strstr(e.text, "the signature is wrong"));
	activate_close(&a);
	kit_free(&k);
}

/* The vendor's policy with a label of its own, or a better one, signed. */
static void put_label(const struct kit *k, bool better)
{
	struct lay_label row[LAY_MAX_PARTIES];
	char path[256];
	uint8_t *p, *q, *r;
	struct pol_image *im, *with;
	struct err e = {0};
	uint32_t rows;
	size_t n, m, o;

	kit_put(k, "metering", "metering", NULL);
	kit_path(path, k, "policies/metering.polc");
	assert_int_equal(file_read(&p, &n, path, LAY_MAX_FILE, &e), 0);
	assert_int_equal(pol_image_load(&im, span_of(p, n), &e), 0);
	assert_int_equal(label_rows(row, &rows, im, &e), 0);
	assert_true(rows > 0);
	assert_int_equal(row[0].grade, 'D');
	if (better)
		row[0].grade = 'A';
	assert_int_equal(pol_image_label(&q, &m, im, row, rows, &e), 0);
	assert_int_equal(pol_image_load(&with, span_of(q, m), &e), 0);
	assert_int_equal(pol_image_sign(&r, &o, with, &k->vendor, &e), 0);
	kit_write(path, r, o);
	pol_image_free(with);
	pol_image_free(im);
	free(p);
	free(q);
	free(r);
}

/* Whoever signs it: nobody's label is believed. */
static void labelled(void **s)
{
	(void)s;
	for (int better = 0; better < 2; better++) {
		struct activation a;
		struct policies p;
		struct err e = {0};
		struct kit k;
		struct conf c;
		int rc;

		kit_new(&k);
		c = kit_conf(&k);
		kit_all(&k);
		put_label(&k, better);
		assert_int_equal(open_it(&a, &c, &e), 0);
		rc = activate_next(&a, &p, &c, &e);
		assert_int_equal(rc, better ? E_INTEGRITY : 0);
		if (better)
			assert_non_null(strstr(e.text, "com.example.mdma: the "
						       "label"));
		policies_free(&p);
		activate_close(&a);
		kit_free(&k);
	}
}

static void not_images(void **s)
{
	struct activation a;
	struct policies p;
	struct err e = {0};
	struct kit k;
	struct conf c;
	char path[256];

	(void)s;
	kit_new(&k);
	c = kit_conf(&k);
	assert_int_equal(open_it(&a, &c, &e), 0);
	assert_int_equal(activate_next(&a, &p, &c, &e), E_NOTFOUND);
	kit_all(&k);
	/* The customer's file has no key, and comes another way. */
	kit_put(&k, "customer", "customer", &k.platform);
	assert_int_equal(activate_next(&a, &p, &c, &e), E_AUTH);
	assert_non_null(strstr(e.text, "no key may sign this kind"));
	unlink(kit_path(path, &k, "policies/customer.polc"));
	kit_write(kit_path(path, &k, "policies/more.yaml"), "polc: 1\n", 8);
	assert_int_equal(activate_next(&a, &p, &c, &e), E_AUTH);
	assert_non_null(strstr(e.text, "more.yaml: a source carries no"));
	/* Without signatures it is read. */
	c.signatures = false;
	assert_int_equal(activate_next(&a, &p, &c, &e), E_SYNTAX);
	unlink(path);
	assert_int_equal(activate_next(&a, &p, &c, &e), 0);
	end(&a, &p);
	kit_free(&k);
}

static void another_meter(void **s)
{
	struct activation a;
	struct policies p, q;
	struct err e = {0};
	struct kit k;
	struct conf c;

	(void)s;
	kit_new(&k);
	c = kit_conf(&k);
	kit_all(&k);
	assert_int_equal(begin(&a, &p, &c, &e), 3);
	kit_edit(&k, "binding", "serial: 1", "serial: 2");
	kit_edit(&k, "binding", "SM0000001234", "SM0000009999");
	kit_put(&k, "binding", "binding", &k.platform);
	assert_int_equal(activate_next(&a, &q, &c, &e), E_AUTH);
	assert_non_null(strstr(e.text, "of meter SM0000009999, and this is "
				       "SM0000001234"));
	end(&a, &p);
	kit_free(&k);
}

/* --- serials ---------------------------------------------------------------------- */

/* Each row after the one before, with a restart in between. */
static void serials(void **s)
{
	static const struct {
		const char *why, *from, *to;
		int want;
		const char *says;
	} rows[] = {
		{"the first", "serial: 2023110101", "serial: 50", 0, ""},
		{"the same again", "serial: 50", "serial: 50", 0, ""},
		{"a higher one", "serial: 50", "serial: 60", 0, ""},
		{"the one before", "serial: 60", "serial: 50", E_STATE,
		 "com.example.mdma serial 50: serial 60 was here before"},
		{"the same with other contents", "serial: 50",
		 "serial: 60\nvalid: {from: 2023-11-02, until: 2033-11-01}",
		 E_STATE, "another policy of this serial"},
		{"that one with a higher serial", "serial: 60", "serial: 61",
		 0, ""},
	};
	struct kit k;
	struct conf c;

	(void)s;
	kit_new(&k);
	c = kit_conf(&k);
	kit_edit(&k, "metering",
		 "valid: {from: 2023-11-01, until: 2033-11-01}\n", "");
	kit_all(&k);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct activation a;
		struct policies p;
		struct err e = {0};
		int rc;

		kit_edit(&k, "metering", rows[i].from, rows[i].to);
		kit_put(&k, "metering", "metering", &k.vendor);
		rc = begin(&a, &p, &c, &e);
		/* A start goes on with what there was. */
		if (rc != 3 || (rows[i].want == 0) != (a.refused[0] == 0) ||
		    !strstr(a.refused, rows[i].says))
			fail_msg("%s: %d: %s%s", rows[i].why, rc, e.text,
				 a.refused);
		end(&a, &p);
	}
	kit_free(&k);
}

/* What was seen and not put in force is remembered too, and does not shut out
 * what is in force. */
static void seen(void **s)
{
	struct activation a;
	struct policies p, q;
	struct err e = {0};
	struct kit k;
	struct conf c;

	(void)s;
	kit_new(&k);
	c = kit_conf(&k);
	kit_edit(&k, "metering", "serial: 2023110101", "serial: 5");
	kit_all(&k);
	assert_int_equal(begin(&a, &p, &c, &e), 3);
	kit_edit(&k, "metering", "serial: 5", "serial: 7");
	kit_all(&k);
	assert_int_equal(activate_next(&a, &q, &c, &e), 0);
	assert_int_equal(activate_see(&a, &q, &c, note, NULL, &e), 0);
	policies_free(&q); /* an engine refused it */
	kit_edit(&k, "metering", "serial: 7", "serial: 6");
	kit_all(&k);
	assert_int_equal(activate_next(&a, &q, &c, &e), E_STATE);
	end(&a, &p);
	assert_int_equal(begin(&a, &p, &c, &e), 3);
	assert_non_null(strstr(a.refused, "serial 7 was here"));
	kit_edit(&k, "metering", "serial: 6", "serial: 5");
	kit_all(&k);
	assert_int_equal(activate_next(&a, &q, &c, &e), 0);
	policies_free(&q);
	end(&a, &p);
	kit_free(&k);
}

/* --- starts ------------------------------------------------------------------------ */

static void first_start(void **s)
{
	struct activation a;
	struct policies p, q;
	struct pol_machine m;
	struct err e = {0};
	struct kit k;
	struct conf c;

	(void)s;
	kit_new(&k);
	c = kit_conf(&k);
	kit_put(&k, "binding", "binding", &k.platform);
	kit_put(&k, "baseline", "baseline", &k.platform);
	kit_put(&k, "metering", "metering", &k.stranger);
	/* The machines, and none has a policy. */
	assert_int_equal(begin(&a, &p, &c, &e), 1);
	assert_non_null(strstr(a.refused, "com.example.mdma"));
	assert_int_equal(p.n_guests, 1);
	pol_set_machine(p.files.set, 0, &m);
	assert_int_equal(a.store.n_force, 0);
	/* A better directory is all that it takes. */
	kit_put(&k, "metering", "metering", &k.vendor);
	assert_int_equal(activate_next(&a, &q, &c, &e), 0);
	assert_int_equal(q.files.n, 3);
	policies_free(&q);
	end(&a, &p);
	/* Nobody's binding says nothing. */
	kit_put(&k, "binding", "binding", &k.stranger);
	assert_int_equal(begin(&a, &p, &c, &e), E_AUTH);
	end(&a, &p);
	kit_free(&k);
}

static void restarts(void **s)
{
	struct activation a;
	struct policies p;
	struct err e = {0};
	struct kit k;
	struct conf c;
	char path[256], key[SIGN_KEY_TEXT + 1];
	FILE *f;

	(void)s;
	kit_new(&k);
	c = kit_conf(&k);
	kit_all(&k);
	assert_int_equal(begin(&a, &p, &c, &e), 3);
	end(&a, &p);
	kit_empty(&k, "policies");
	assert_int_equal(begin(&a, &p, &c, &e), 3);
	assert_non_null(strstr(a.refused, "no policy in it"));
	end(&a, &p);
	/* A platform that signs no more is not obeyed any longer. */
	sign_key_text(key, k.stranger.public_);
	kit_write(kit_path(path, &k, "platform.key"), key, strlen(key));
	assert_int_equal(begin(&a, &p, &c, &e), E_AUTH);
	end(&a, &p);
	/* Damage is told, and nothing starts. */
	f = fopen(kit_path(path, &k, "state/policies"), "r+");
	assert_non_null(f);
	fseek(f, 40, SEEK_SET);
	fputc(0x99, f);
	fclose(f);
	assert_int_equal(begin(&a, &p, &c, &e), E_INTEGRITY);
	assert_non_null(strstr(e.text, "state/policies: its checksum"));
	end(&a, &p);
	kit_free(&k);
}

/* --- the platform's keys ------------------------------------------------------------ */

static void key_files(void **s)
{
#define HEX "1f1e1d1c1b1a19181716151413121110f0e0d0c0b0a090807060504030201000"
	static const struct {
		const char *why, *text;
		int want;
		size_t n;
	} rows[] = {
		{"one", "ed25519:" HEX "\n", 0, 1},
		{"without an end", "ed25519:" HEX, 0, 1},
		{"two and a word", "# the old\ned25519:" HEX "\n\n# the next\n"
		 "ed25519:" HEX "\r\n", 0, 2},
		{"none", "# later\n", E_SYNTAX, 0},
		{"nothing", "\n", E_SYNTAX, 0},
		{"a digit short", "ed25519:1" "\n", E_SYNTAX, 0},
		{"no digit", "ed25519:zz1e1d1c1b1a19181716151413121110f0e0d0c0b0"
		 "a090807060504030201000\n", E_SYNTAX, 0},
		{"a private one", "-----BEGIN PRIVATE KEY-----\n", E_SYNTAX, 0},
		{"nine", "ed25519:" HEX "\ned25519:" HEX "\ned25519:" HEX
		 "\ned25519:" HEX "\ned25519:" HEX "\ned25519:" HEX
		 "\ned25519:" HEX "\ned25519:" HEX "\ned25519:" HEX "\n",
		 E_LIMIT, 0},
	};
	char path[] = "/tmp/activate_test_XXXXXX";
	struct signers k;
	struct err e;

	(void)s;
	close(mkstemp(path));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int rc;

		kit_write(path, rows[i].text, strlen(rows[i].text));
		rc = signers_read(&k, path, &e);
		if (rc != rows[i].want || (rc == 0 && k.n != rows[i].n))
			fail_msg("%s: %d", rows[i].why, rc);
	}
	kit_write(path, rows[0].text, strlen(rows[0].text));
	chmod(path, 0666);
	assert_int_equal(signers_read(&k, path, &e), E_STATE);
	unlink(path);
	assert_int_equal(signers_read(&k, path, &e), E_IO);
}

/* Any octet that is changed, and any cut, is found. */
static void damaged(void **s)
{
	struct policy_store st;
	struct activation a;
	struct policies p;
	struct err e = {0};
	struct kit k;
	struct conf c;
	char path[256], *all, *image;
	size_t n;
	FILE *f;

	(void)s;
	kit_new(&k);
	c = kit_conf(&k);
	kit_all(&k);
	assert_int_equal(begin(&a, &p, &c, &e), 3);
	end(&a, &p);
	f = fopen(kit_path(path, &k, "state/policies"), "r");
	all = calloc(1, 1 << 20);
	n = fread(all, 1, 1 << 20, f);
	fclose(f);
	assert_true(n > 1000);
	for (size_t i = 0; i < n; i += 997) {
		all[i] ^= 0x20;
		kit_write(path, all, n);
		assert_true(store_read(&st, c.state, &e) < 0);
		all[i] ^= 0x20;
		kit_write(path, all, i);
		assert_true(store_read(&st, c.state, &e) < 0);
	}
	kit_write(path, all, n);
	assert_int_equal(store_read(&st, c.state, &e), 0);
	assert_int_equal(st.n_force, 3);
	assert_int_equal(st.n_seen, 3);
	store_free(&st);
	/* What another version wrote is not damage, and no first start. */
	image = memmem(all, n, LAY_MAGIC, 8);
	assert_non_null(image);
	image[offsetof(struct lay_header, major)] = LAY_MAJOR - 1;
	sha256_of(span_of(all, n - SHA256_LEN),
		  (uint8_t *)all + n - SHA256_LEN);
	kit_write(path, all, n);
	assert_int_equal(begin(&a, &p, &c, &e), E_UNSUPPORTED);
	assert_non_null(strstr(e.text, "state/policies: it holds policies of a "
				       "format that only another version"));
	end(&a, &p);
	free(all);
	kit_free(&k);
}

/* --- the widening gate ------------------------------------------------------------- */

#define DAY_NS (24 * 3600 * NS_PER_S)

struct gate { /* a daemon, and what it reads */
	struct kit k;
	struct conf c;
	struct activation a;
	struct policies p;
	unsigned serial;
};

static void gate_open(struct gate *g, const char *widening)
{
	struct err e = {0};

	*g = (struct gate){.serial = 10};
	at = (struct now){.mono = {1000 * NS_PER_S},
			  .wall = {.us = 1700000000 * US_PER_S,
				   .trusted = true}};
	memset(boot, 1, sizeof(boot));
	told[0] = 0;
	kit_new(&g->k);
	g->c = kit_conf(&g->k);
	kit_edit(&g->k, "metering", "serial: 2023110101", "serial: 10");
	kit_edit(&g->k, "baseline", "consent-rules:", widening);
	kit_all(&g->k);
	if (begin(&g->a, &g->p, &g->c, &e) != 3)
		fail_msg("%s%s", e.text, g->a.refused);
}

static void gate_close(struct gate *g)
{
	end(&g->a, &g->p);
	kit_free(&g->k);
}

static void gate_restart(struct gate *g)
{
	struct err e = {0};

	end(&g->a, &g->p);
	if (begin(&g->a, &g->p, &g->c, &e) < 0)
		fail_msg("%s", e.text);
}

/* A reload. */
static void gate_read(struct gate *g)
{
	struct policies next;
	struct err e = {0};

	if (activate_next(&g->a, &next, &g->c, &e) < 0 ||
	    activate_see(&g->a, &next, &g->c, note, NULL, &e) < 0 ||
	    activate_done(&g->a, &next, &g->c, &e) < 0)
		fail_msg("%s", e.text);
	policies_free(&g->p);
	g->p = next;
}

static uint64_t in_force(const struct gate *g, enum pol_kind kind)
{
	for (size_t i = 0; i < g->p.files.n; i++) {
		if (pol_image_kind(g->p.files.image[i]) == kind)
			return pol_image_serial(g->p.files.image[i]);
	}
	return 0;
}

/* The next serial of the vendor's policy with one text replaced. */
static void vendor_says(struct gate *g, const char *from, const char *to)
{
	char was[32], is[32];

	snprintf(was, sizeof(was), "serial: %u\n", g->serial);
	snprintf(is, sizeof(is), "serial: %u\n", ++g->serial);
	kit_edit(&g->k, "metering", was, is);
	kit_edit(&g->k, "metering", from, to);
	kit_put(&g->k, "metering", "metering", &g->k.vendor);
}

#define NO_NOTICE "consent-rules:"
#define NOTICE                                                                 \
	"widening: {roles: [metering], notice: 30 d}\n\nconsent-rules:"

static void wider_waits(void **s)
{
	enum { AT_ONCE, WAITS, MAY_BY_NOTICE };
	static const struct {
		const char *why, *from, *to;
		int want;
	} rows[] = {
		{"later than before", "delay: 1 h", "delay: 2 h", AT_ONCE},
		{"coarser", "granularity: 15 min or coarser",
		 "granularity: 30 min or coarser", AT_ONCE},
		{"in other words", "purpose: Working out your bill.",
		 "purpose: Your bill.", AT_ONCE},
		{"less often", "1 reading per month, at least 27 d apart",
		 "1 reading per month, at least 28 d apart", AT_ONCE},
		{"fewer tables", "table: [0, 3, 12,", "table: [0, 3,",
		 AT_ONCE},
		{"asked about by another name", "  send-profile:\n",
		 "  send-profiles:\n", AT_ONCE},
		{"sooner", "delay: 1 h", "delay: 30 min", WAITS},
		{"further back", "history: 35 d", "history: 36 d", WAITS},
		{"another measurement", "power.peak]}\n    limits: [at "
		 "least 20 h", "power.peak, event.power]}\n    limits: [at "
		 "least 20 h", WAITS},
		{"more often, and nobody is asked", "30 readings per 24 h",
		 "31 readings per 24 h", MAY_BY_NOTICE},
		{"to more addresses", "address: [10.20.0.1/32]",
		 "address: [10.20.0.0/31]", WAITS},
		{"another recipient by the same name", "address: "
		 "[10.20.0.1/32]", "address: [10.20.0.9/32]", WAITS},
	};

	(void)s;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gate g;
		bool waits;

		gate_open(&g, NOTICE);
		vendor_says(&g, rows[i].from, rows[i].to);
		gate_read(&g);
		waits = rows[i].want != AT_ONCE;
		if (in_force(&g, POL_VENDOR) != (waits ? 10u : 11u) ||
		    g.a.store.n_staged != waits)
			fail_msg("%s: serial %u, %zu wait: %s", rows[i].why,
				 (unsigned)in_force(&g, POL_VENDOR),
				 g.a.store.n_staged, g.a.text);
		if (waits && (activate_left(&g.a, 0) >= 0) !=
				     (rows[i].want == MAY_BY_NOTICE))
			fail_msg("%s: notice", rows[i].why);
		gate_close(&g);
	}
}

static void consent(void **s)
{
	struct gate g;
	struct err e = {0};
	char code[ACTIVATE_CODE], other[ACTIVATE_CODE];

	(void)s;
	gate_open(&g, NO_NOTICE);
	vendor_says(&g, "delay: 1 h", "delay: 30 min");
	gate_read(&g);
	assert_non_null(strstr(told, "com.example.mdma serial 11 staged: waits "
				     "for the customer"));
	assert_non_null(strstr(g.a.text, "WIDER"));
	assert_non_null(strstr(g.a.text, "newest value: 1 h old -> 30 min"));
	activate_code(&g.a, 0, code);
	/* It waits over a restart, by the same code, and another reload. */
	gate_restart(&g);
	gate_read(&g);
	assert_int_equal(in_force(&g, POL_VENDOR), 10);
	activate_code(&g.a, 0, other);
	assert_string_equal(code, other);
	assert_int_equal(activate_confirm(&g.a, "00000000", &g.c, note, NULL,
					  &e), E_NOTFOUND);
	/* What came instead is another thing to confirm. */
	vendor_says(&g, "delay: 30 min", "delay: 20 min");
	gate_read(&g);
	assert_non_null(strstr(told, "serial 11 withdrawn"));
	assert_int_equal(activate_confirm(&g.a, code, &g.c, note, NULL, &e),
			 E_NOTFOUND);
	activate_code(&g.a, 0, code);
	assert_int_equal(activate_confirm(&g.a, code, &g.c, note, NULL, &e),
			 0);
	/* The word is kept: whoever is killed before the reload. */
	gate_restart(&g);
	assert_int_equal(in_force(&g, POL_VENDOR), 12);
	assert_int_equal(g.a.store.n_staged, 0);
	assert_non_null(strstr(told, "serial 12 confirmed on the panel"));
	assert_non_null(strstr(told, "serial 12 activates: confirmed"));
	gate_close(&g);
}

/* Who confirms has read all of it. */
static void every_way_is_told(void **s)
{
	struct gate g;

	(void)s;
	gate_open(&g, NO_NOTICE);
	kit_edit(&g.k, "metering", "delay: 1 h", "delay: 30 min");
	vendor_says(&g, "30 readings per 24 h", "31 readings per 24 h");
	gate_read(&g);
	assert_non_null(strstr(g.a.text, "  may let more pass: 'send-identity' "
			       "is wider: limits\n"));
	assert_non_null(strstr(g.a.text, "  may let more pass: 'send-profile' "
			       "is wider: delay 1 h -> 30 min\n"));
	gate_close(&g);
}

/* One that waits keeps no other waiting. */
static void one_by_one(void **s)
{
	struct gate g;

	(void)s;
	gate_open(&g, NO_NOTICE);
	kit_edit(&g.k, "baseline", "serial: 2023110100", "serial: 2023110101");
	kit_edit(&g.k, "baseline", "limit: 256 KiB", "limit: 255 KiB");
	kit_put(&g.k, "baseline", "baseline", &g.k.platform);
	vendor_says(&g, "delay: 1 h", "delay: 30 min");
	gate_read(&g);
	assert_int_equal(in_force(&g, POL_BASELINE), 2023110101);
	assert_int_equal(in_force(&g, POL_VENDOR), 10);
	/* A baseline that gives more waits as well. */
	kit_edit(&g.k, "baseline", "serial: 2023110101", "serial: 2023110102");
	kit_edit(&g.k, "baseline", "limit: 255 KiB", "limit: 257 KiB");
	kit_put(&g.k, "baseline", "baseline", &g.k.platform);
	gate_read(&g);
	assert_int_equal(in_force(&g, POL_BASELINE), 2023110101);
	assert_int_equal(g.a.store.n_staged, 2);
	gate_close(&g);
}

/* Where there was none it takes away; but not by what it opens. */
static void a_first_baseline(void **s)
{
	static const struct {
		const char *why, *with;
		bool waits;
	} rows[] = {
		{"nothing but ceilings, denials, limits", NO_NOTICE, false},
		{"with a gate", NOTICE, true},
		{"with a floor",
		 "floors:\n  more: {vm: mdma, measurement: event.power, keep: "
		 "1 reading per day}\n\nconsent-rules:", true},
	};

	(void)s;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gate g = {.serial = 10};
		struct err e = {0};

		kit_new(&g.k);
		g.c = kit_conf(&g.k);
		kit_edit(&g.k, "baseline", "consent-rules:", rows[i].with);
		kit_put(&g.k, "binding", "binding", &g.k.platform);
		kit_put(&g.k, "metering", "metering", &g.k.vendor);
		if (begin(&g.a, &g.p, &g.c, &e) != 2)
			fail_msg("%s%s", e.text, g.a.refused);
		kit_put(&g.k, "baseline", "baseline", &g.k.platform);
		gate_read(&g);
		if (g.a.store.n_staged != rows[i].waits ||
		    (in_force(&g, POL_BASELINE) == 0) != rows[i].waits)
			fail_msg("%s: %s", rows[i].why, g.a.text);
		if (rows[i].waits && activate_left(&g.a, 0) >= 0)
			fail_msg("%s: notice is enough", rows[i].why);
		gate_close(&g);
	}
}

static void confirm_all(struct gate *g)
{
	char code[ACTIVATE_CODE];
	struct err e;

	while (g->a.store.n_staged) {
		activate_code(&g->a, 0, code);
		assert_int_equal(activate_confirm(&g->a, code, &g->c, note,
						  NULL, &e), 0);
		gate_read(g);
	}
}

/* Who a machine is, is no less than what it may do. */
static void binding_waits(void **s)
{
	static const struct {
		const char *why, *from, *to;
		bool waits;
	} rows[] = {
		{"other words", "title: Metering", "title: The meter", false},
		{"another address", "addresses: [10.20.0.10/32]",
		 "addresses: [10.20.0.10/32, 10.20.0.99/32]", true},
		{"another interface", "interface: vif1.0", "interface: vif9.0",
		 true},
	};

	(void)s;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gate g;

		gate_open(&g, NOTICE);
		kit_edit(&g.k, "binding", "serial: 1", "serial: 2");
		kit_edit(&g.k, "binding", rows[i].from, rows[i].to);
		kit_put(&g.k, "binding", "binding", &g.k.platform);
		gate_read(&g);
		if (g.a.store.n_staged != rows[i].waits ||
		    in_force(&g, POL_BINDING) != (rows[i].waits ? 1u : 2u) ||
		    (rows[i].waits && activate_left(&g.a, 0) >= 0))
			fail_msg("%s: %zu wait: %s", rows[i].why,
				 g.a.store.n_staged, g.a.text);
		if (rows[i].waits)
			confirm_all(&g);
		assert_int_equal(in_force(&g, POL_BINDING), 2);
		gate_close(&g);
	}
}

#define SECOND                                                                 \
	"  second:\n    title: Second\n    interface: vif2.0\n"                   \
	"    mac: \"52:54:00:aa:00:02\"\n    addresses: [%s]\n"                   \
	"    policy: com.example.second\n    signed-by: mdma-vendor\n"           \
	"    attestation: none\n"

/* Who keeps one machine from another by the second's rules does so no longer
 * where that one is gone, and its address is a party's. */
static void machine_goes(void **s)
{
	static const struct {
		const char *why, *address;
		bool waits;
	} rows[] = {
		{"of nobody's address", "10.20.0.99/32", false},
		{"whose address the head-end has", "10.20.0.1/32", true},
		{"among whose addresses it is", "10.20.0.0/29", true},
	};

	(void)s;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char second[512];
		struct gate g;

		snprintf(second, sizeof(second), SECOND, rows[i].address);
		gate_open(&g, NOTICE);
		kit_edit(&g.k, "binding", "serial: 1", "serial: 2");
		kit_edit(&g.k, "binding", "\nvms:\n", "\nvms:\n#\n");
		kit_edit(&g.k, "binding", "#\n", second);
		kit_put(&g.k, "binding", "binding", &g.k.platform);
		gate_read(&g);
		confirm_all(&g);
		assert_int_equal(in_force(&g, POL_BINDING), 2);
		kit_edit(&g.k, "binding", "serial: 2", "serial: 3");
		kit_edit(&g.k, "binding", second, "");
		kit_put(&g.k, "binding", "binding", &g.k.platform);
		gate_read(&g);
		if (in_force(&g, POL_BINDING) != (rows[i].waits ? 2u : 3u) ||
		    g.a.store.n_staged != rows[i].waits ||
		    (rows[i].waits &&
		     (activate_left(&g.a, 0) >= 0 ||
		      !strstr(g.a.text, "machine 'second' is gone, and party "
				       "'headend' of com.example.mdma"))))
			fail_msg("%s: %s", rows[i].why, g.a.text);
		gate_close(&g);
	}
}

/* What cannot be told in full is not asked about. */
static void too_much_to_tell(void **s)
{
	static char parties[16384], rule[8192];
	struct policies next;
	struct err e = {0};
	struct gate g;
	size_t n = 0, m;

	(void)s;
	gate_open(&g, NO_NOTICE);
	n = (size_t)snprintf(parties, sizeof(parties), "parties:\n");
	m = (size_t)snprintf(rule, sizeof(rule),
			     "allow:\n  leak:\n    purpose: Growing.\n"
			     "    direction: out\n    match: "
			     "{c1222.read-response: {table: [29]}}\n"
			     "    consent: opt-in\n    data: {measurement: "
			     "[energy.register, energy.tou, energy.export, "
			     "energy.snapshot, power.peak, event.power]}\n"
			     "    limits: [1 reading per day, at least 20 h "
			     "apart]\n    party: [");
	for (int i = 1; i <= 50; i++) {
		n += (size_t)snprintf(
			parties + n, sizeof(parties) - n,
			"  p%d: {name: P, role: metering, address: "
			"[198.51.100.%d/32], operator: 'A name as long as "
			"that of somebody who wants to know all of it, on "
			"every day of the year, and more, number %d'}\n",
			i, i, i);
		m += (size_t)snprintf(rule + m, sizeof(rule) - m, "%sp%d",
				      i > 1 ? ", " : "", i);
	}
	snprintf(rule + m, sizeof(rule) - m, "]\n");
	kit_edit(&g.k, "metering", "parties:\n", parties);
	vendor_says(&g, "allow:\n", rule);
	assert_int_equal(activate_next(&g.a, &next, &g.c, &e), E_LIMIT);
	assert_non_null(strstr(e.text, "more is wider than 24576 octets can "
				       "tell"));
	assert_int_equal(in_force(&g, POL_VENDOR), 10);
	assert_int_equal(g.a.store.n_staged, 0);
	gate_close(&g);
}

static void no_baseline(void **s)
{
	struct policies next;
	struct gate g;
	struct err e = {0};
	char path[256];

	(void)s;
	gate_open(&g, NO_NOTICE);
	unlink(kit_path(path, &g.k, "policies/baseline.polc"));
	assert_true(activate_next(&g.a, &next, &g.c, &e) < 0);
	assert_non_null(strstr(e.text, "the baseline is gone"));
	gate_close(&g);
}

/* A baseline that would let more come by itself does not come by itself. */
static void opened_gate(void **s)
{
	static const struct {
		const char *why, *from, *to;
		bool waits;
	} rows[] = {
		{"a notice where none was", "consent-rules:", NOTICE, true},
		{"sooner", "notice: 30 d", "notice: 29 d", true},
		{"later", "notice: 30 d", "notice: 31 d", false},
		{"for more roles", "roles: [metering]",
		 "roles: [metering, service]", true},
		{"for nobody", "widening: {roles: [metering], notice: 30 d}",
		 "", false},
		{"less is asked", "minimum: opt-in", "minimum: opt-out", true},
	};

	(void)s;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gate g;

		gate_open(&g, i == 0 ? NO_NOTICE : NOTICE);
		kit_edit(&g.k, "baseline", "serial: 2023110100",
			 "serial: 2023110101");
		kit_edit(&g.k, "baseline", rows[i].from, rows[i].to);
		kit_put(&g.k, "baseline", "baseline", &g.k.platform);
		gate_read(&g);
		if (g.a.store.n_staged != rows[i].waits ||
		    (rows[i].waits && activate_left(&g.a, 0) >= 0))
			fail_msg("%s: %zu wait: %s", rows[i].why,
				 g.a.store.n_staged, g.a.text);
		gate_close(&g);
	}
}

/* Who was asked and said nothing said no: no notice makes a yes of it. */
static void asked_before(void **s)
{
	static const struct {
		const char *why, *from, *to;
	} rows[] = {
		{"by its name", "[ask-profile]\n    consent: opt-in",
		 "[ask-profile]\n    consent: opt-out"},
		{"and by another", "send-profile:\n", "send-profiles:\n"},
	};
	struct gate g;

	(void)s;
	for (size_t i = 0; i < 2; i++) {
		gate_open(&g, NOTICE);
		kit_edit(&g.k, "baseline", "serial: 2023110100",
			 "serial: 2023110101");
		/* Nothing but the vendor asks. */
		kit_edit(&g.k, "baseline", "minimum: opt-in",
			 "minimum: none");
		kit_put(&g.k, "baseline", "baseline", &g.k.platform);
		gate_read(&g);
		confirm_all(&g);
		assert_int_equal(in_force(&g, POL_BASELINE), 2023110101);
		if (i > 0)
			kit_edit(&g.k, "metering", rows[0].from, rows[0].to);
		vendor_says(&g, rows[i].from, rows[i].to);
		gate_read(&g);
		if (g.a.store.n_staged != 1 || activate_left(&g.a, 0) >= 0)
			fail_msg("%s: %zu wait: %s", rows[i].why,
				 g.a.store.n_staged, g.a.text);
		gate_close(&g);
	}
}

/* Each step adds to the clocks; how much of the notice passed then. */
static void notice(void **s)
{
	static const struct {
		const char *why;
		int mono_days, wall_days;
		bool restart, boot, trusted;
		int want; /* days in all */
	} rows[] = {
		{"it runs", 5, 5, false, false, true, 5},
		{"the wall clock is set forward", 0, 100, false, false, true,
		 5},
		{"and back", 0, -100, false, false, true, 5},
		{"it was away for a day", 1, 1, true, false, true, 6},
		{"with the wall clock set", 0, 100, true, false, true, 6},
		{"away over a boot, the clock is trusted", 0, 2, true, true,
		 true, 8},
		{"the clock is not trusted", 0, 50, true, true, false, 8},
		{"the clock went back", 0, -60, true, true, true, 8},
		{"it runs", 21, 21, false, false, true, 29},
	};
	struct gate g;

	(void)s;
	gate_open(&g, NOTICE);
	vendor_says(&g, "30 readings per 24 h", "31 readings per 24 h");
	gate_read(&g);
	assert_non_null(strstr(told, "waits for notice or consent"));
	assert_int_equal(activate_left(&g.a, 0), 30 * DAY_NS);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t passed;

		/* What is kept is of now. */
		if (rows[i].restart) {
			struct err e;

			assert_int_equal(activate_keep(&g.a, &g.c, &e), 0);
		}
		at.mono.ns += rows[i].mono_days * DAY_NS;
		at.wall.us += rows[i].wall_days * (DAY_NS / 1000);
		at.wall.trusted = rows[i].trusted;
		if (rows[i].boot) {
			boot[0]++;
			at.mono.ns = 10 * NS_PER_S;
		}
		if (rows[i].restart)
			gate_restart(&g);
		assert_false(activate_tick(&g.a, &g.c, at));
		passed = 30 * DAY_NS - activate_left(&g.a, 0);
		if (passed != rows[i].want * DAY_NS)
			fail_msg("row %zu, %s: %lld s", i, rows[i].why,
				 (long long)(passed / NS_PER_S));
		assert_int_equal(in_force(&g, POL_VENDOR), 10);
	}
	at.mono.ns += DAY_NS;
	assert_true(activate_tick(&g.a, &g.c, at));
	assert_false(activate_tick(&g.a, &g.c, at)); /* once */
	gate_read(&g);
	assert_int_equal(in_force(&g, POL_VENDOR), 11);
	assert_non_null(strstr(told, "activates: its notice is over"));
	gate_close(&g);
}

/* --- the customer's file ------------------------------------------------------------ */

#define CUSTOMER(serial, body)                                                 \
	"polc: 1\nkind: customer\nid: org.example.home\nserial: " serial       \
	"\ntitle: Mine\n" body
#define GRANTED "consent:\n  com.example.mdma/send-profile: granted\n"

static void sources(void **s)
{
	static const struct {
		const char *why, *source;
		int want;
		const char *says;
	} rows[] = {
		{"answers", CUSTOMER("1", GRANTED), 0,
		 "send-profile: no answer -> granted"},
		{"a restriction", CUSTOMER("1", "restrict:\n  night:\n    vm: "
					   "mdma\n    block: true\n"), 0,
		 "restriction night: is new"},
		{"it has no word for allow", CUSTOMER("1", "allow:\n  all: {}\n"),
		 E_SYNTAX, "customer.yaml:6:1: error[P"},
		{"another kind", "polc: 1\nkind: library\nid: org.example.lib\n"
		 "serial: 1\ntitle: L\nparties:\n  p: {name: P, role: grid, "
		 "address: [192.0.2.1/32]}\n", E_STATE, "no customer's file"},
		{"an anchor", CUSTOMER("1", "consent: &a\n  b/c: granted\n"),
		 E_SYNTAX, "anchor"},
		{"a key twice", CUSTOMER("1", GRANTED GRANTED), E_SYNTAX,
		 "twice"},
		{"a library, for which it would have to be looked",
		 CUSTOMER("1", "use: {l: org.example.lib@1}\n" GRANTED),
		 E_SYNTAX, "error[P"},
		{"nothing", "", E_SYNTAX, "error[P"},
		{"octets", "\x00\xff\xfe", E_SYNTAX, "error[P"},
		{"an image", "\x8dPOL\r\n\x1a\n", E_SYNTAX, "error[P"},
		{"deep", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", E_SYNTAX,
		 "error[P"},
	};
	const struct capture_policy none = {0};
	struct proposed *o = malloc(sizeof(*o));

	(void)s;
	assert_non_null(o);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memset(o, 0, sizeof(*o));
		propose_compile(o, span_str(rows[i].source), &none, NULL);
		if (o->rc != rows[i].want ||
		    !strstr(o->rc ? o->error : o->text, rows[i].says) ||
		    (o->n_image > 0) != (o->rc == 0))
			fail_msg("%s: %d: %s%s", rows[i].why, o->rc, o->error,
				 o->text);
	}
	free(o);
}

static int propose(struct gate *g, const char *source, struct err *e)
{
	struct proposed *o = calloc(1, sizeof(*o));
	struct capture_policy was;
	int rc;

	assert_non_null(o);
	assert_int_equal(activate_was(&g->a, &was, e), 0);
	propose_compile(o, span_str(source), &was, &g->a.store.voids);
	capture_policy_free(&was);
	rc = o->rc ? err_set(e, o->rc, 0, "%s", o->error)
		   : activate_propose(&g->a, span_of(o->image, o->n_image),
				      span_str(o->text), &g->c, note, NULL, e);
	free(o);
	return rc;
}

static void customer(void **s)
{
	struct gate g;
	struct err e = {0};
	char code[ACTIVATE_CODE];

	(void)s;
	gate_open(&g, NO_NOTICE);
	assert_int_equal(propose(&g, CUSTOMER("3", GRANTED), &e), 0);
	assert_non_null(strstr(told, "serial 3 proposed and staged"));
	/* Nothing but the panel's word brings it into force. */
	gate_restart(&g);
	gate_read(&g);
	assert_int_equal(in_force(&g, POL_CUSTOMER), 0);
	assert_int_equal(g.a.store.n_staged, 1);
	assert_int_equal(activate_left(&g.a, 0), -1);
	activate_code(&g.a, 0, code);
	assert_int_equal(activate_confirm(&g.a, code, &g.c, note, NULL, &e),
			 0);
	gate_read(&g);
	assert_int_equal(in_force(&g, POL_CUSTOMER), 3);
	assert_int_equal(g.a.store.n_staged, 0);
	assert_non_null(strstr(told, "serial 3 activates: confirmed"));
	/* It stays, whatever the directory does. */
	gate_restart(&g);
	vendor_says(&g, "delay: 1 h", "delay: 2 h");
	gate_read(&g);
	assert_int_equal(in_force(&g, POL_VENDOR), 11);
	assert_int_equal(in_force(&g, POL_CUSTOMER), 3);
	kit_empty(&g.k, "policies");
	gate_restart(&g);
	assert_int_equal(in_force(&g, POL_CUSTOMER), 3);
	kit_all(&g.k);
	/* Its serials rise, too. */
	assert_int_equal(propose(&g, CUSTOMER("2", GRANTED), &e), E_STATE);
	assert_int_equal(propose(&g, CUSTOMER("3", ""), &e), E_STATE);
	/* What another proposal takes the place of is not confirmed by it. */
	assert_int_equal(propose(&g, CUSTOMER("4", GRANTED), &e), 0);
	activate_code(&g.a, 0, code);
	assert_int_equal(propose(&g, CUSTOMER("5", "restrict:\n  all:\n    vm: "
					      "any\n    block: true\n"), &e),
			 0);
	assert_non_null(strstr(told, "serial 4 withdrawn"));
	assert_non_null(strstr(g.a.store.customer, "granted -> no answer"));
	assert_int_equal(g.a.store.n_staged, 1);
	assert_int_equal(activate_confirm(&g.a, code, &g.c, note, NULL, &e),
			 E_NOTFOUND);
	/* An answer to what is asked of nobody. */
	assert_int_equal(propose(&g, CUSTOMER("6", "consent:\n  com.example."
					      "mdma/send-month-end: refused\n"),
				 &e), E_STATE);
	gate_close(&g);
}

/* Does the answer of the customer's file in force count? */
static bool counts(const struct gate *g)
{
	return !pol_set_is_void(g->p.files.set, 0);
}

#define VOID "send-profile: its answer is void"

#define RESTRICT(what) "restrict:\n  mine:\n    vm: mdma\n    " what "\n"
#define LATE(d)                                                                \
	RESTRICT("data: {measurement: energy.interval, delay: " d "}")

/* What a file with the same names says, and what comes of it. */
static void shown(void **s)
{
	static const struct {
		const char *why, *was, *is;
		const char *says[3], *not;
	} rows[] = {
		{"the same", LATE("2 d"), LATE("2 d"),
		 {"restriction mine: is there as well"}, "->"},
		{"less late", LATE("2 d"), LATE("3 h"),
		 {"restriction mine: changes", "delay 2 d",
		  "WIDER energy.interval, newest value: 2 d old -> 3 h old"},
		 "as well"},
		{"of another machine", LATE("2 d"),
		 "restrict:\n  mine:\n    vm: any\n    except: {role: "
		 "[metering]}\n    data: {measurement: energy.interval, delay: "
		 "2 d}\n",
		 {"restriction mine: changes", "except role metering",
		  "WIDER"}, "as well"},
		{"all day", RESTRICT("when: {between: 08:00-20:00}"),
		 RESTRICT("when: {between: 00:00-23:59}"),
		 {"restriction mine: changes", "when 08:00-20:00",
		  "when 00:00-23:59"}, "as well"},
		{"more octets", RESTRICT("limit: 1 MiB per day"),
		 RESTRICT("limit: 900 MiB per day"),
		 {"restriction mine: changes", "limit 1 MiB per day",
		  "limit 900 MiB per day"}, "as well"},
		{"none", LATE("2 d"), "", {"restriction mine: ends",
		 "delay 2 d", "2 d old -> 1 h old"}, "as well"},
	};

	(void)s;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char was[512], is[512];
		struct gate g;
		struct err e = {0};

		snprintf(was, sizeof(was), "%s%s", CUSTOMER("1", GRANTED),
			 rows[i].was);
		snprintf(is, sizeof(is), "%s%s", CUSTOMER("2", GRANTED),
			 rows[i].is);
		gate_open(&g, NO_NOTICE);
		if (propose(&g, was, &e) < 0)
			fail_msg("%s: %s", rows[i].why, e.text);
		confirm_all(&g);
		if (propose(&g, is, &e) < 0)
			fail_msg("%s: %s", rows[i].why, e.text);
		for (size_t k = 0; k < 3 && rows[i].says[k]; k++) {
			if (!strstr(g.a.store.customer, rows[i].says[k]))
				fail_msg("%s: no '%s': %s", rows[i].why,
					 rows[i].says[k], g.a.store.customer);
		}
		if (strstr(g.a.store.customer, rows[i].not))
			fail_msg("%s: %s", rows[i].why, g.a.store.customer);
		gate_close(&g);
	}
}

/* Nobody confirms what nobody was shown. */
static void unseen(void **s)
{
	static char many[32 << 10];
	struct gate g;
	struct err e = {0};
	char code[ACTIVATE_CODE];
	size_t n;

	(void)s;
	gate_open(&g, NO_NOTICE);
	/* Answers to nothing, among which one counts. */
	n = (size_t)snprintf(many, sizeof(many), "%s", CUSTOMER("1", GRANTED));
	for (int i = 0; i < 500; i++)
		n += (size_t)snprintf(many + n, sizeof(many) - n,
				      "  a.aa/r%d: granted\n", i);
	if (propose(&g, many, &e) != E_STATE)
		fail_msg("%s", e.text);
	assert_non_null(strstr(e.text, "no policy in force or waiting asks"));
	/* Too much to be shown. */
	n = (size_t)snprintf(many, sizeof(many), "%s", CUSTOMER("1", GRANTED
							      "restrict:\n"));
	for (int i = 0; i < 250; i++)
		n += (size_t)snprintf(many + n, sizeof(many) - n,
				      "  a-restriction-number-%d:\n    vm: "
				      "mdma\n    data: {measurement: "
				      "energy.interval, delay: 2 d}\n", i);
	if (propose(&g, many, &e) != E_LIMIT)
		fail_msg("%s", e.text);
	assert_non_null(strstr(e.text, "nobody could confirm it"));
	assert_int_equal(g.a.store.n_staged, 0);
	/* The text is there after a restart. */
	assert_int_equal(propose(&g, CUSTOMER("1", GRANTED), &e), 0);
	gate_restart(&g);
	assert_int_equal(g.a.store.n_staged, 1);
	assert_true(activate_told(&g.a, 0));
	assert_non_null(strstr(g.a.store.customer,
			       "send-profile: no answer -> granted"));
	/* Kept without one, it is to be proposed again. */
	g.a.store.customer[0] = 0;
	activate_code(&g.a, 0, code);
	assert_false(activate_told(&g.a, 0));
	assert_int_equal(activate_confirm(&g.a, code, &g.c, note, NULL, &e),
			 E_NOTFOUND);
	assert_int_equal(activate_keep(&g.a, &g.c, &e), 0);
	gate_restart(&g);
	assert_int_equal(g.a.store.n_staged, 0);
	/* Nor is it confirmed on top of something else. */
	assert_int_equal(propose(&g, CUSTOMER("1", GRANTED), &e), 0);
	vendor_says(&g, "delay: 1 h", "delay: 2 h");
	gate_read(&g);
	assert_int_equal(in_force(&g, POL_VENDOR), 11);
	assert_int_equal(g.a.store.n_staged, 0);
	assert_non_null(strstr(told, "serial 1 withdrawn: what it was "
			       "compared with changed"));
	gate_close(&g);
}

/* Whoever proposes uses nothing up. */
static void many_proposed(void **s)
{
	char id[128];
	struct gate g;
	struct err e = {0};

	(void)s;
	gate_open(&g, NO_NOTICE);
	for (int i = 0; i < STORE_SEEN + 5; i++) {
		snprintf(id, sizeof(id), "polc: 1\nkind: customer\nid: "
			 "a.n%d\nserial: 1000000\ntitle: M\n" GRANTED, i);
		if (propose(&g, id, &e) < 0)
			fail_msg("%d: %s", i, e.text);
	}
	assert_int_equal(g.a.store.n_seen, 3);
	/* Nor a serial, until it is confirmed; then by whatever id. */
	assert_int_equal(propose(&g, CUSTOMER("7", GRANTED), &e), 0);
	confirm_all(&g);
	assert_int_equal(in_force(&g, POL_CUSTOMER), 7);
	assert_int_equal(g.a.store.n_seen, 4);
	assert_int_equal(propose(&g, "polc: 1\nkind: customer\nid: a.b\n"
				 "serial: 6\ntitle: M\n" GRANTED, &e),
			 E_STATE);
	gate_restart(&g);
	assert_int_equal(g.a.store.n_seen, 4);
	gate_close(&g);
}

static void answers(void **s)
{
	static const struct {
		const char *why, *from, *to;
		bool counts;
	} rows[] = {
		{"later", "delay: 1 h", "delay: 2 h", true},
		{"coarser", "granularity: 15 min or coarser",
		 "granularity: 30 min or coarser", true},
		{"other words", "purpose: Working out your bill.",
		 "purpose: Your bill.", true},
		{"another rule is wider", "power.peak]}\n    limits: [at "
		 "least 20 h", "power.peak, event.power]}\n    limits: [at "
		 "least 20 h", true},
		{"sooner", "delay: 1 h", "delay: 30 min", false},
		{"further back", "history: 35 d", "history: 36 d", false},
		{"to more addresses", "address: [10.20.0.1/32]",
		 "address: [10.20.0.0/31]", false},
		{"under another name", "  send-profile:\n",
		 "  send-profiles:\n", true},
	};

	(void)s;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gate g;
		struct err e = {0};

		gate_open(&g, NO_NOTICE);
		assert_int_equal(propose(&g, CUSTOMER("1", GRANTED), &e), 0);
		confirm_all(&g);
		if (in_force(&g, POL_CUSTOMER) != 1 || !counts(&g))
			fail_msg("%s: before", rows[i].why);
		vendor_says(&g, rows[i].from, rows[i].to);
		gate_read(&g);
		/* While it waits the narrow rule is in force, and answered. */
		if (!counts(&g))
			fail_msg("%s: waits", rows[i].why);
		told[0] = 0;
		confirm_all(&g);
		if (in_force(&g, POL_VENDOR) != 11 ||
		    counts(&g) != rows[i].counts ||
		    (strstr(told, VOID) != NULL) == rows[i].counts)
			fail_msg("%s: %d: %s", rows[i].why, counts(&g), told);
		told[0] = 0;
		gate_restart(&g);
		if (counts(&g) != rows[i].counts || strstr(told, VOID))
			fail_msg("%s: a restart", rows[i].why);
		gate_close(&g);
	}
}

/* What is void stays so, whatever the vendor does, until it is asked again. */
static void asked_again(void **s)
{
	struct gate g;
	struct err e = {0};

	(void)s;
	gate_open(&g, NO_NOTICE);
	assert_int_equal(propose(&g, CUSTOMER("1", GRANTED), &e), 0);
	confirm_all(&g);
	vendor_says(&g, "delay: 1 h", "delay: 30 min");
	gate_read(&g);
	/* Proposed about the narrow rule, it is not confirmed about the wide
	 * one. */
	assert_int_equal(propose(&g, CUSTOMER("2", GRANTED), &e), 0);
	assert_null(strstr(g.a.store.customer, "send-profile"));
	assert_int_equal(g.a.store.n_staged, 2);
	for (size_t i = 0; i < g.a.store.n_staged; i++)
		g.a.store.staged[i].confirmed =
			pol_image_kind(g.a.store.staged[i].image.image) ==
			POL_VENDOR;
	gate_read(&g);
	assert_int_equal(in_force(&g, POL_VENDOR), 11);
	assert_int_equal(in_force(&g, POL_CUSTOMER), 1);
	assert_non_null(strstr(told, "serial 2 withdrawn: a rule that it"));
	assert_int_equal(g.a.store.n_staged, 0);
	assert_false(counts(&g));
	/* Narrow again: nobody said yes since. */
	vendor_says(&g, "delay: 30 min", "delay: 3 h");
	gate_read(&g);
	assert_int_equal(in_force(&g, POL_VENDOR), 12);
	assert_false(counts(&g));
	kit_empty(&g.k, "policies");
	gate_restart(&g);
	assert_false(counts(&g));
	kit_all(&g.k);
	assert_int_equal(propose(&g, CUSTOMER("3", GRANTED), &e), 0);
	assert_non_null(strstr(g.a.store.customer, "send-profile: void, for the "
			       "rule is wider since -> granted"));
	gate_read(&g);
	assert_false(counts(&g));
	confirm_all(&g);
	assert_int_equal(in_force(&g, POL_CUSTOMER), 3);
	assert_true(counts(&g));
	gate_restart(&g);
	assert_true(counts(&g));
	gate_close(&g);
}

/* Who refused less did not agree to more. */
static void refusals_stay(void **s)
{
	struct gate g;
	struct err e = {0};

	(void)s;
	gate_open(&g, NO_NOTICE);
	assert_int_equal(propose(&g, CUSTOMER("1", "consent:\n  com.example."
					      "mdma/send-profile: refused\n"),
				 &e), 0);
	confirm_all(&g);
	vendor_says(&g, "delay: 1 h", "delay: 30 min");
	gate_read(&g);
	confirm_all(&g);
	assert_int_equal(in_force(&g, POL_VENDOR), 11);
	assert_true(counts(&g));
	gate_close(&g);
}

/* In a child that has nothing; where there may be one. */
static void work(void *arg, void *result)
{
	struct capture_policy none = {0};

	propose_compile(result, span_str(arg), &none, NULL);
}

static void endless(void *arg, void *result)
{
	(void)arg;
	for (volatile uint8_t *p = result;; p[0]++)
		;
}

static void greedy(void *arg, void *result)
{
	(void)arg, (void)result;
	for (;;) {
		volatile char *p = malloc(64 << 20);

		if (!p)
			abort();
		p[0] = 1; /* so that it is not left out */
	}
}

static void reaches_out(void *arg, void *result)
{
	(void)arg, (void)result;
	fclose(fopen("/etc/passwd", "r"));
}

static void in_a_child(void **s)
{
	struct trial_job job = {work, NULL, NULL, sizeof(struct proposed),
				64127};
	struct trial t;
	struct err e = {0};
	char source[] = CUSTOMER("1", GRANTED);
	const struct proposed *o;

	(void)s;
#if defined(__SANITIZE_ADDRESS__)
	skip();
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
	skip();
#endif
#endif
	if (geteuid() != 0)
		skip();
	job.arg = source;
	if (trial_run(&t, &job, &e) != 1)
		fail_msg("%s", e.text);
	o = (const struct proposed *)(const void *)t.area.p;
	assert_int_equal(o->rc, 0);
	assert_true(o->n_image > 100);
	trial_end(&t);
	job.work = reaches_out;
	assert_int_equal(trial_run(&t, &job, &e), E_STATE);
	assert_non_null(strstr(e.text, "signal 31"));
	job.work = greedy;
	assert_int_equal(trial_run(&t, &job, &e), E_STATE);
	job.work = endless;
	assert_true(trial_start(&t, &job, 0, &e) == 0);
	assert_int_equal(trial_look(&t, TRIAL_NS - 1, &e), 0);
	assert_int_equal(trial_look(&t, TRIAL_NS, &e), E_LIMIT);
	assert_false(t.on);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_may),	 cmocka_unit_test(forged),
		cmocka_unit_test(labelled),
		cmocka_unit_test(not_images),	 cmocka_unit_test(another_meter),
		cmocka_unit_test(serials),	 cmocka_unit_test(seen),
		cmocka_unit_test(first_start),	 cmocka_unit_test(restarts),
		cmocka_unit_test(key_files),	 cmocka_unit_test(damaged),
		cmocka_unit_test(wider_waits),	 cmocka_unit_test(consent),
		cmocka_unit_test(every_way_is_told),
		cmocka_unit_test(one_by_one),	 cmocka_unit_test(a_first_baseline),
		cmocka_unit_test(no_baseline),
		cmocka_unit_test(binding_waits), cmocka_unit_test(machine_goes),
		cmocka_unit_test(too_much_to_tell),
		cmocka_unit_test(notice),	 cmocka_unit_test(sources),
		cmocka_unit_test(customer),	 cmocka_unit_test(answers),
		cmocka_unit_test(asked_again),	 cmocka_unit_test(refusals_stay),
		cmocka_unit_test(in_a_child),
		cmocka_unit_test(opened_gate),	 cmocka_unit_test(asked_before),
		cmocka_unit_test(shown),	 cmocka_unit_test(unseen),
		cmocka_unit_test(many_proposed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
