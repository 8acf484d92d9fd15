/* SPDX-License-Identifier: Apache-2.0 */
/* A directory of policies as the parent takes it: guests, halves, what is
 * refused and what a reload may change. Runs in the root of the tree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "enforcer/daemon/live.h"
#include "enforcer/daemon/policies.h"
#include "policy-lang/front/front.h"
#include "policy-lang/image/build.h"

static const char *const files[] = {"baseline.yaml", "binding.yaml",
				    "customer.yaml", "library.yaml",
				    "metering.yaml"};
/* A second machine of the binding. */
#define OTHER                                                                  \
	"  other:\n    title: Other\n    interface: vif2.0\n"                  \
	"    mac: \"02:00:0a:14:00:0b\"\n    policy: com.example.other\n"       \
	"    addresses: [10.20.0.11/32]\n    signed-by: mdma-vendor\n"         \
	"    attestation: none\n"
#define FILES (sizeof(files) / sizeof(files[0]))

/* A copy of tests/policies/metering with one text replaced in one file. */
struct folder {
	char path[64];
};

static char *slurp(const char *path)
{
	char *text = calloc(1, 65536);
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	assert_non_null(text);
	assert_true(fread(text, 1, 65535, f) > 0);
	fclose(f);
	return text;
}

static struct folder copy(const char *file, const char *from, const char *to)
{
	struct folder d = {"/tmp/policies_test_XXXXXX"};
	char path[256];

	assert_non_null(mkdtemp(d.path));
	for (size_t i = 0; i < FILES; i++) {
		char *text, *at = NULL;
		FILE *f;

		snprintf(path, sizeof(path), "tests/policies/metering/%s",
			 files[i]);
		text = slurp(path);
		if (file && strcmp(file, files[i]) == 0) {
			at = strstr(text, from);
			assert_non_null(at);
		}
		snprintf(path, sizeof(path), "%s/%s", d.path, files[i]);
		f = fopen(path, "w");
		assert_non_null(f);
		if (at)
			fprintf(f, "%.*s%s%s", (int)(at - text), text, to,
				at + strlen(from));
		else
			fputs(text, f);
		fclose(f);
		free(text);
	}
	return d;
}

static void forget(const struct folder *d)
{
	char path[256];

	for (size_t i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "%s/%s", d->path, files[i]);
		unlink(path);
	}
	rmdir(d->path);
}

static struct conf conf_of(const char *path)
{
	struct conf c = {.queue_base = 300, .n_uplinks = 1};

	snprintf(c.policies, sizeof(c.policies), "%s", path);
	strcpy(c.uplink[0], "eth0");
	return c;
}

static void guests(void **s)
{
	struct conf c = conf_of("tests/policies/metering");
	struct policies p;
	struct err e;

	(void)s;
	if (policies_load(&p, &c, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(p.n_guests, 1);
	assert_string_equal(p.guest[0].name, "mdma");
	assert_string_equal(p.guest[0].iface, "vif1.0");
	assert_int_equal(p.guest[0].queue, 300);
	assert_true(p.guest[0].has_mac);
	assert_int_equal(p.guest[0].mac[5], 10);
	assert_int_equal(p.guest[0].n_addr, 1);
	assert_int_equal(p.guest[0].addr[0].len, 128);
	policies_free(&p);
	/* The portal is one of them. */
	strcpy(c.portal, "mdma");
	assert_int_equal(policies_load(&p, &c, &e), 0);
	policies_free(&p);
	strcpy(c.portal, "mdm");
	assert_int_equal(policies_load(&p, &c, &e), E_NOTFOUND);
	assert_non_null(strstr(e.text, "portal: the binding has no machine"));
}

static void refused(void **s)
{
	static const struct {
		const char *why, *file, *from, *to;
		int want;
		const char *says;
	} rows[] = {
		{"a limit over all machines is no matter with one machine",
		 "baseline.yaml", "each: [vm]", "each: []", 0, ""},
		{"and one with two", "binding.yaml", "  mdma:\n",
		 OTHER "  mdma:\n", 0, ""},
		{"a party whose TLS the gateway would have to seal",
		 "metering.yaml", "    aptitle: .71.1\n",
		 "    tls: {names: [a.example], mode: gateway}\n",
		 E_UNSUPPORTED, "tls.mode gateway"},
		{"sealed end to end is nothing to us",
		 "metering.yaml", "    aptitle: .71.1\n",
		 "    tls: {names: [a.example], mode: end-to-end}\n", 0, ""},
		{"the uplink is no guest's", "binding.yaml", "vif1.0", "eth0",
		 E_STATE, "is the uplink"},
		{"a broken policy", "metering.yaml", "vm: mdma", "vm:mdma",
		 E_SYNTAX, "metering.yaml:"},
		{"another machine's policy", "metering.yaml", "vm: mdma",
		 "vm: portal", E_STATE, "portal"},
		{"consent below the baseline's minimum", "metering.yaml",
		 "    consent: opt-in\n", "    consent: none\n", E_STATE,
		 "wants opt-out at least"},
		{"a time zone that is none", "binding.yaml", "Europe/London",
		 "Europe/Londen", E_SYNTAX, "P3125"},
		{"monitored for good", "metering.yaml", "vm: mdma\n",
		 "vm: mdma\nmode: {monitor-until: 2199-01-01}\n", E_SYNTAX,
		 "P3134"},
	};

	(void)s;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct folder d = copy(rows[i].file, rows[i].from, rows[i].to);
		struct conf c = conf_of(d.path);
		struct policies p;
		struct err e = {0};
		int rc = policies_load(&p, &c, &e);

		if (rc != rows[i].want || !strstr(e.text, rows[i].says))
			fail_msg("%s: %d: %s", rows[i].why, rc, e.text);
		if (rc == 0)
			policies_free(&p);
		forget(&d);
	}
}

/* A vendor's policy, or a rule of it, in monitor mode until then. */
static void add_monitored(struct capture_policy *cp, const struct pol_file *of,
			  bool rule, int64_t until)
{
	struct pol_file f = *of;
	struct pol_rule_src *r = calloc(f.n_rule + 1, sizeof(*r));
	struct err e = {0};
	size_t n = cp->n++;

	assert_non_null(r);
	memcpy(r, f.rule, f.n_rule * sizeof(*r));
	if (f.kind == POL_VENDOR && rule)
		r[0].monitor_until_s = until;
	else if (f.kind == POL_VENDOR)
		f.monitor_until_s = until;
	f.rule = r;
	if (pol_image_build(&cp->octets[n], &cp->n_octets[n], &f, &e) ||
	    pol_image_load(&cp->image[n],
			   span_of(cp->octets[n], cp->n_octets[n]), &e))
		fail_msg("%s", e.text);
	free(r);
}

/* Compiled policies were checked when they were made, perhaps long before, and
 * perhaps by another compiler. */
static void monitored(void **s)
{
	struct diags *d = calloc(1, sizeof(*d));
	struct pol_files set;
	struct err e = {0};

	(void)s;
	assert_non_null(d);
	assert_int_equal(pol_read_set(&set, "tests/policies/metering", false,
				      d, &e), 0);
	/* What is on trial asks nobody, which no minimum of consent takes. */
	for (size_t k = 0; k < set.n; k++)
		set.f[k]->n_consent_rule = 0;
	for (int i = 0; i < 8; i++) {
		/* By a clock that is not trusted nothing is monitored. */
		bool trusted = !(i & 4) || live_synced();
		bool far = i & 1, late = far && trusted;
		int64_t until = time(NULL) + POL_MONITOR_MOST_S +
				(far ? 3600 : -3600);
		struct conf c = conf_of("policies");
		struct capture_policy cp = {.n = 0};
		const struct pol_image *im[CAPTURE_POLICIES];
		struct policies p;
		int rc;

		c.clock_trusted = !(i & 4);
		for (size_t k = 0; k < set.n; k++) {
			add_monitored(&cp, set.f[k], i & 2, until);
			im[k] = cp.image[k];
		}
		assert_int_equal(pol_set_new(&cp.set, im, cp.n, &e), 0);
		rc = policies_of(&p, &cp, &c, &e);
		if (rc != (late ? E_STATE : 0) ||
		    (late && !strstr(e.text, "30 days")))
			fail_msg("%d: %d %s", i, rc, e.text);
		if (rc == 0)
			policies_free(&p);
	}
	pol_files_free(&set);
	free(d);
}

static void a_compiled_zone(void **s)
{
	static const struct {
		const char *zone;
		int want;
	} rows[] = {{"UTC", 0}, {"Europe/London", 0},
		    {"Europe/Londen", E_NOTFOUND}, {"Europe", E_NOTFOUND},
		    {"../zoneinfo/UTC", E_NOTFOUND}, {"localtime", E_NOTFOUND}};
	struct diags *d = calloc(1, sizeof(*d));
	struct pol_files set;
	struct err e = {0};

	(void)s;
	assert_non_null(d);
	assert_int_equal(pol_read_set(&set, "tests/policies/metering", false,
				      d, &e), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct conf c = conf_of("policies");
		struct capture_policy cp = {.n = 0};
		const struct pol_image *im[CAPTURE_POLICIES];
		struct policies p;
		int rc;

		for (size_t k = 0; k < set.n; k++) {
			struct pol_file f = *set.f[k];

			if (f.kind == POL_BINDING)
				f.timezone = rows[i].zone;
			add_monitored(&cp, &f, false, 0);
			im[k] = cp.image[k];
		}
		assert_int_equal(pol_set_new(&cp.set, im, cp.n, &e), 0);
		rc = policies_of(&p, &cp, &c, &e);
		if (rc != rows[i].want)
			fail_msg("%s: %d %s", rows[i].zone, rc, e.text);
		if (rc == 0)
			policies_free(&p);
	}
	pol_files_free(&set);
	free(d);
}

/* A party with port 53 is the resolver, or the set is refused. */
static void resolver(void **s)
{
	static const struct {
		const char *why, *resolver, *ports;
		int want;
	} rows[] = {
		{"none is named",	  "",		"[udp/53]",	0	},
		{"it is the party",	  "10.20.0.1",	"[udp/53]",	0	},
		{"it is not",		  "10.20.0.2",	"[udp/53]",	E_STATE },
		{"in a range",		  "10.20.0.2",	"[tcp/1-100]",	E_STATE },
		{"of the other family",	  "fd00::1",	"[tcp/53]",	E_STATE },
		{"the party has no names", "10.20.0.2", "[tcp/1153]",	0	},
	};

	(void)s;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char ports[64];
		struct folder d;
		struct conf c;
		struct policies p;
		struct err e = {0};
		int rc;

		snprintf(ports, sizeof(ports), "ports: %s", rows[i].ports);
		d = copy("metering.yaml", "ports: [tcp/1153, udp/1153]", ports);
		c = conf_of(d.path);
		snprintf(c.resolver, sizeof(c.resolver), "%s",
			 rows[i].resolver);
		rc = policies_load(&p, &c, &e);
		if (rc != rows[i].want)
			fail_msg("%s: %d: %s", rows[i].why, rc, e.text);
		if (rc == 0)
			policies_free(&p);
		forget(&d);
	}
}

/* Two machines, and a limit of connections that both share. */
static void shared_limit(void **s)
{
	struct folder d = copy("baseline.yaml",
			       "    each: [vm]\n    limit: 256 KiB per day",
			       "    each: []\n    limit: at most 3 "
			       "connections at once");
	struct conf c = conf_of(d.path);
	struct policies p;
	struct err e;
	char path[256], *text, *at;
	FILE *f;

	(void)s;
	snprintf(path, sizeof(path), "%s/binding.yaml", d.path);
	text = slurp(path);
	at = strstr(text, "  mdma:\n    title");
	assert_non_null(at);
	f = fopen(path, "w");
	fprintf(f, "%.*s" OTHER "%s", (int)(at - text), text, at);
	fclose(f);
	free(text);
	if (policies_load(&p, &c, &e))
		fail_msg("%s", e.text);
	policies_free(&p);
	forget(&d);
}

static void keys(void **s)
{
	struct conf c = conf_of("tests/policies/metering");
	char path[] = "/tmp/policies_test_XXXXXX";
	int fd = mkstemp(path);
	FILE *f = fdopen(fd, "w");
	struct policies p;
	struct err e;

	(void)s;
	fputs("\"*\":\n  1: 2b7e151628aed2a6abf7158809cf4f3c\n", f);
	fclose(f);
	snprintf(c.keys, sizeof(c.keys), "%s", path);
	assert_int_equal(policies_load(&p, &c, &e), 0);
	assert_true(p.n_keys > 32);
	policies_free(&p);
	f = fopen(path, "w");
	fputs("\"*\":\n  1: short\n", f);
	fclose(f);
	assert_int_equal(policies_load(&p, &c, &e), E_SYNTAX);
	assert_non_null(strstr(e.text, ":2:6:"));
	unlink(path);
	assert_int_equal(policies_load(&p, &c, &e), E_IO);
}

/* What the parent writes, an engine can verify. */
static void half(void **s)
{
	struct conf c = conf_of("tests/policies/metering");
	struct policy_half *h = aligned_alloc(4096, POLICY_HALF);
	struct policies p;
	struct err e;
	size_t room = POLICY_HALF - sizeof(*h);

	(void)s;
	assert_non_null(h);
	memset(h, 0, POLICY_HALF);
	assert_int_equal(policies_load(&p, &c, &e), 0);
	assert_int_equal(policies_half(&p, h, POLICY_HALF, 7, &e), 0);
	assert_int_equal(h->generation, 7);
	assert_int_equal(h->n_images, p.files.n);
	assert_int_equal(h->keys.n, 0);
	for (uint32_t i = 0; i < h->n_images; i++) {
		struct pol_image *im;

		assert_int_equal(h->image[i].at % 8, 0);
		assert_true(h->image[i].at + h->image[i].n <= room);
		assert_int_equal(
			pol_image_load(&im,
				       span_of(h->octets + h->image[i].at,
					       h->image[i].n),
				       &e),
			0);
		pol_image_free(im);
	}
	/* Too small a half is refused, not written over. */
	assert_int_equal(policies_half(&p, h, sizeof(*h) + 64, 8, &e), E_LIMIT);
	policies_free(&p);
	free(h);
}

static void compare(void **s)
{
	static const struct {
		const char *why, *from, *to;
		int want;
		bool addresses;
	} rows[] = {
		{"nothing",	 "serial: 1",	 "serial: 2",	    0,	     false},
		{"an address",	 "10.20.0.10/32", "10.20.0.11/32",  0,	     true },
		{"one more",	 "10.20.0.10/32", "10.20.0.10/32, 10.20.0.11/32", 0, true},
		{"an interface", "vif1.0",	 "vif9.0",	    E_STATE, false},
		{"a MAC",	 "14:00:0a",	 "14:00:0b",	    E_STATE, false},
	};
	struct conf c = conf_of("tests/policies/metering");
	struct policies old;
	struct err e;

	(void)s;
	assert_int_equal(policies_load(&old, &c, &e), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct folder d = copy("binding.yaml", rows[i].from, rows[i].to);
		struct conf k = conf_of(d.path);
		struct policies p;
		bool addresses;
		int rc;

		if (policies_load(&p, &k, &e) < 0)
			fail_msg("%s: %s", rows[i].why, e.text);
		rc = policies_compare(&old, &p, &addresses, &e);
		if (rc != rows[i].want ||
		    (rc == 0 && addresses != rows[i].addresses))
			fail_msg("%s: %d", rows[i].why, rc);
		policies_free(&p);
		forget(&d);
	}
	policies_free(&old);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(guests), cmocka_unit_test(refused),
		cmocka_unit_test(monitored),
		cmocka_unit_test(a_compiled_zone),
		cmocka_unit_test(shared_limit), cmocka_unit_test(resolver),
		cmocka_unit_test(keys),
		cmocka_unit_test(half),	  cmocka_unit_test(compare),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
