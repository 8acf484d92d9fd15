/* SPDX-License-Identifier: Apache-2.0 */
/* metergated.conf: every key, good and bad, with its place; and its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "enforcer/daemon/conf.h"
#include "enforcer/daemon/share.h"
#include "policy-lang/front/config.h"

static const char needed[] = "policies: /etc/metergate/policies\n"
			     "uplink: eth0\n"
			     "origin: meter-1.meter.example/audit\n"
			     "platform-key: /etc/metergate/platform.key\n";

static int load(struct conf *c, const char *more, struct err *e)
{
	char path[] = "/tmp/conf_test_XXXXXX";
	int fd = mkstemp(path), rc;
	FILE *f = fdopen(fd, "w");

	assert_non_null(f);
	fputs(needed, f);
	fputs(more, f);
	fclose(f);
	rc = conf_load(c, path, e);
	unlink(path);
	return rc;
}

static void defaults(void **s)
{
	struct conf c;
	struct net_addr a;
	struct err e;

	(void)s;
	assert_int_equal(load(&c, "", &e), 0);
	assert_string_equal(c.policies, "/etc/metergate/policies");
	assert_int_equal(c.n_uplinks, 1);
	assert_string_equal(c.uplink[0], "eth0");
	assert_string_equal(c.origin, "meter-1.meter.example/audit");
	assert_true(c.signatures);
	assert_string_equal(c.platform_key, "/etc/metergate/platform.key");
	assert_string_equal(c.keys, "");
	assert_string_equal(c.audit, "/var/lib/metergate/audit/audit.db");
	assert_string_equal(c.state, "/var/lib/metergate/state");
	assert_string_equal(c.runtime, "/run/metergate");
	assert_string_equal(c.resolver, "");
	assert_int_equal(conf_resolver(&c, &a, &e), 0);
	assert_string_equal(c.listen, "");
	assert_string_equal(c.portal, "");
	assert_false(c.bridged);
	assert_false(c.offload);
	assert_false(c.clock_trusted);
	assert_int_equal(c.backend, RULES_AUTO);
	assert_int_equal(c.queue_base, 100);
	assert_int_equal(c.queue_len, 16384);
	assert_int_equal(c.socket_buffer, 64 << 20);
	assert_int_equal(c.cpu, CPU_PAIR);
	assert_int_equal(c.uid_base, 59200);
	assert_int_equal(c.max_flows, 4096);
	assert_int_equal(c.max_held, 1024);
	assert_int_equal(c.min_ttl, 1);
	assert_int_equal(c.audit_batch_ms, 20);
	assert_int_equal(c.listen_port, 8480);
	assert_int_equal(c.panel_gid, 0);
	assert_int_equal(c.control_gid, 0);
}

static void every_key(void **s)
{
	static const uint8_t named[] = {192, 0, 2, 53};
	struct conf c;
	struct net_addr a;
	struct err e;

	(void)s;
	assert_int_equal(
		load(&c,
		     "keys: /etc/metergate/keys.yaml\n"
		     "audit: /srv/audit/a.db\nstate: /srv/state\n"
		     "runtime: /run/mg\nresolver: 192.0.2.53\n"
		     "bridged: true\nbackend: nft\noffload: true\n"
		     "clock: trusted\nqueue-base: 2000\nqueue-length: 64\n"
		     "socket-buffer: 256 KiB\ncpu: 0\nuid-base: 70000\n"
		     "max-flows: 64\nmax-held: 16\nmin-ttl: 5\n"
		     "audit-batch-ms: 1000\nlisten: \"fd00::1\"\n"
		     "listen-port: 443\nportal: screens\ncontrol-gid: 27\n"
		     "tpm: device:/dev/tpmrm0\ntpm-counter: 29360127\n"
		     "log-key: software\nlog-key-pcrs: 11 8 9\n"
		     "log-key-approvals: /etc/metergate/approvals\n",
		     &e),
		0);
	assert_string_equal(c.keys, "/etc/metergate/keys.yaml");
	assert_string_equal(c.audit, "/srv/audit/a.db");
	assert_string_equal(c.state, "/srv/state");
	assert_string_equal(c.runtime, "/run/mg");
	assert_string_equal(c.resolver, "192.0.2.53");
	assert_int_equal(conf_resolver(&c, &a, &e), 1);
	assert_true(net_addr_is4(&a));
	assert_memory_equal(a.b + 12, named, 4);
	assert_string_equal(c.listen, "fd00::1");
	assert_string_equal(c.portal, "screens");
	assert_true(c.bridged && c.offload && c.clock_trusted);
	assert_int_equal(c.backend, RULES_NFT);
	assert_int_equal(c.queue_base, 2000);
	assert_int_equal(c.queue_len, 64);
	assert_int_equal(c.socket_buffer, 256 << 10);
	assert_int_equal(c.cpu, 0);
	assert_int_equal(c.uid_base, 70000);
	assert_int_equal(c.max_flows, 64);
	assert_int_equal(c.max_held, 16);
	assert_int_equal(c.min_ttl, 5);
	assert_int_equal(c.audit_batch_ms, 1000);
	assert_int_equal(c.listen_port, 443);
	assert_int_equal(c.control_gid, 27);
	assert_string_equal(c.tpm, "device:/dev/tpmrm0");
	assert_int_equal(c.tpm_counter, 0x01bfffff);
	assert_false(c.log_key_tpm);
	assert_string_equal(c.log_key_pcrs, "11 8 9");
	assert_string_equal(c.log_key_approvals, "/etc/metergate/approvals");
}

/* What the queue may hold finds room in its socket, within bounds. */
static void a_socket_for_its_queue(void **s)
{
	static const struct {
		const char *text;
		uint32_t want;
	} rows[] = {
		{"queue-length: 16384\n", 64u << 20},
		{"queue-length: 1000\n", 4096000},
		{"queue-length: 64\n", 256u << 10},
		{"queue-length: 63\n", 0},
		{"queue-length: 1048576\n", 256u << 20},
		{"queue-length: 64\nsocket-buffer: 8 MiB\n", 8u << 20},
		{"socket-buffer: 0\n", 0},
	};

	(void)s;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct conf c;
		struct err e;
		int rc = load(&c, rows[i].text, &e);

		assert_int_equal(rc, rows[i].want ? 0 : E_SYNTAX);
		if (rc == 0)
			assert_int_equal(c.socket_buffer, rows[i].want);
	}
}

static void lists(void **s)
{
	struct conf c;
	struct err e;
	char path[] = "/tmp/conf_test_XXXXXX";
	int fd = mkstemp(path);
	FILE *f = fdopen(fd, "w");

	(void)s;
	fputs("policies: /p\norigin: o\nuplink: [eth0, eth1.5]\n"
	      "signatures: off\n",
	      f);
	fclose(f);
	assert_int_equal(conf_load(&c, path, &e), 0);
	unlink(path);
	assert_false(c.signatures);
	assert_int_equal(c.n_uplinks, 2);
	assert_string_equal(c.uplink[1], "eth1.5");
}

/* Line 5 is the first behind what is needed. */
static void refused(void **s)
{
	static const struct {
		const char *why, *text, *place, *says;
	} rows[] = {
		{"unknown key",	     "queue: 5\n",	      ":5:1:",	"no key 'queue'"	 },
		{"near an own key",  "min-tll: 5\n",	      ":5:1:",	"did you mean 'min-ttl'?"},
		{"twice",	     "uplink: eth1\n",	      ":5:1:",	"stands here twice"	 },
		{"no number",	     "min-ttl: five\n",	      ":5:10:", "a number from 1 to 255" },
		{"too small",	     "min-ttl: 0\n",	      ":5:10:", "a number from 1 to 255" },
		{"too large",	     "min-ttl: 256\n",	      ":5:10:", "a number from 1 to 255" },
		{"negative",	     "cpu: -1\n",	      ":5:6:",	"a number from 0"	 },
		{"no such processor", "cpu: 1023\n",	      ":5:6:",	"a number from 0 to "	 },
		{"leading zero",     "min-ttl: 07\n",	      ":5:10:", "'07'"			 },
		{"queues overflow",  "queue-base: 65535\n",   ":5:13:", "to 65519"		 },
		{"queue length",     "queue-length: 1\n",     ":5:15:", "a number from 64"	 },
		{"held",	     "max-held: 70000\n",     ":5:11:", "to 65536"		 },
		{"flows",	     "max-flows: 1\n",	      ":5:12:", "a number from 16"	 },
		{"uids of the system", "uid-base: 0\n",	      ":5:11:", "a number from 100"	 },
		{"batch",	     "audit-batch-ms: 5000\n", ":5:17:", "to 1000"		 },
		{"port",	     "listen-port: 70000\n",  ":5:14:", "to 65535"		 },
		{"group",	     "control-gid: wheel\n",  ":5:14:", "a number from 0"	 },
		{"size without unit", "socket-buffer: 9\n",   ":5:16:", "a unit"		 },
		{"size too large",   "socket-buffer: 1 GiB\n", ":5:16:", "not in range"		 },
		{"not a boolean",    "bridged: yes\n",	      ":5:10:", "'yes'"			 },
		{"offload",	     "offload: 1\n",	      ":5:10:", "'1'"			 },
		{"no TPM",	     "tpm: tpm0\n",	      ":5:6: tpm: ", "'tpm0' names no TPM"	 },
		{"a TPM's path",     "tpm: swtpm:path=s\n",   ":5:6: tpm: ", "swtpm:path=/SOCKET"	 },
		{"a counter's place", "tpm-counter: 1\n",     ":5:14:", "a number from 25165824" },
		{"log key",	     "log-key: file\n",	      ":5:10:", "tpm software"		 },
		{"no PCR",	     "log-key-pcrs: 0 24\n",  ":5:15: log-key-pcrs: ", "no PCR 24"	 },
		{"a PCR that moves", "log-key-pcrs: 13\n",    ":5:15: log-key-pcrs: ", "each checkpoint"	 },
		{"a word",	     "backend: ipfw\n",	      ":5:10:", "auto iptables nft"	 },
		{"signatures",	     "signatures: on\n",      ":5:13:", "required off"	 },
		{"clock",	     "clock: true\n",	      ":5:8:",	"synchronised trusted"	 },
		{"an address",	     "resolver: dns\n",	      ":5:11:", "203.0.113.9"		 },
		{"a portal without an address", "portal: screens\n", ":5:9: portal: 'screens'", "name one by listen:" },
		{"an address for all", "listen: 10.0.0.1\n", ":5:9: listen: whoever", "by portal:" },
		{"with length",	     "listen: 10.0.0.1/8\n",  ":5:9:",	"an address"		 },
		{"relative path",    "state: var/lib\n",      ":5:8: error[P3133]: ", "not an absolute path"},
		{"path upwards",     "state: /var/../etc\n",  ":5:8:",	"not an absolute path"	 },
		{"double slash",     "keys: //keys\n",	      ":5:7:",	"not an absolute path"	 },
		{"relative runtime", "runtime: run\n",	      ":5:10:", "not an absolute path"	 },
		{"a mapping",	     "audit: {a: b}\n",	      ":5:8:",	"a mapping where"	 },
		{"no value",	     "audit:\n",	      ":5:",	"no value"		 },
		{"an anchor",	     "audit: &a /x/y\n",      ":5:8:",	"anchor"		 },
		{"outside ASCII",    "audit: /x/\xc3\xa4\n",  ":5:8:",	"outside ASCII"		 },
		{"no directory of its own", "audit: /var/lib/metergate/state/a.db\n", ":5:8: audit:", "of its own"},
		{"pruned when cosigned, by nobody", "audit-prune: cosigned\n", ":5:14: audit-prune: nobody", "by witness-keys:, or say needed"},
		{"in the root",	     "audit: /a.db\n",	      ":5:8: audit:", "of its own"		 },
	};

	(void)s;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct conf c;
		struct err e = {0};
		int rc = load(&c, rows[i].text, &e);

		if (rc != E_SYNTAX || !strstr(e.text, rows[i].place) ||
		    !strstr(e.text, rows[i].says))
			fail_msg("%s: %d: %s", rows[i].why, rc, e.text);
	}
}

static void whole_files(void **s)
{
	static const struct {
		const char *why, *text, *says;
	} rows[] = {
		{"missing key",	  "policies: /p\norigin: o\n",	      "'uplink' is missing"  },
		{"interface",	  "uplink: \"eth0 -j ACCEPT\"\norigin: o\npolicies: /p\n", "not an interface"},
		{"long interface", "uplink: sixteen-octets-x\norigin: o\npolicies: /p\n", "15 characters"},
		{"five uplinks",  "uplink: [a, b, c, d, e]\norigin: o\npolicies: /p\n", "from 1 to 4"},
		{"no uplink",	  "uplink: []\norigin: o\npolicies: /p\n", "from 1 to 4"},
		{"an uplink twice", "uplink: [a, a]\norigin: o\npolicies: /p\n", "twice"},
		{"a log's name with a space", "uplink: a\norigin: meter 1\npolicies: /p\n", "cannot name a log"},
		{"a log's name with a plus", "uplink: a\norigin: a+b\npolicies: /p\n", "cannot name a log"},
		{"who signs",	  "uplink: a\norigin: o\npolicies: /p\n", "platform-key: policies have to be signed"},
		{"a sequence",	  "[a]\n",			      "1:1:"		     },
		{"empty",	  "",				      "1:1:"		     },
		{"several errors", "a: 1\nb: 2\n",		      "more)"		     },
	};
	struct conf c;
	struct err e;

	(void)s;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char path[] = "/tmp/conf_test_XXXXXX";
		FILE *f = fdopen(mkstemp(path), "w");
		int rc;

		fputs(rows[i].text, f);
		fclose(f);
		rc = conf_load(&c, path, &e);
		unlink(path);
		if (rc != E_SYNTAX || !strstr(e.text, rows[i].says))
			fail_msg("%s: %d: %s", rows[i].why, rc, e.text);
	}
	assert_int_equal(conf_load(&c, "/nonexistent/x", &e), E_IO);
}

#define LOG_KEY                                                                \
	"example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2" \
	"k\n"
#define WITNESS "witness.example+9a073b7a+BOkyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k\n"

/* What is wrong in a file that the file names is found with it. */
static void named_files(void **s)
{
	const struct {
		const char *why, *key, *text, *says[3];
	} rows[] = {
		{"a witness", "witness-keys", WITNESS, {0}},
		{"a log's key", "witness-keys", WITNESS LOG_KEY,
		 {":5:15: witness-keys: ", "line 2: ", "the key of a log"}},
		{"not there", "witness-keys", NULL,
		 {":5:15: witness-keys: /tmp/conf_test_", "cannot be read",
		  ""}},
		{"empty", "witness-keys", "", {":5:15: witness-keys: ",
		 "holds no key", ""}},
		{"no key", "witness-keys", "# one\nnokey\n",
		 {":5:15: witness-keys: ", "line 2: ", ""}},
		{"no authority", "log-key-approvals", "nonsense\n",
		 {":5:20: log-key-approvals: ", "", ""}},
	};

	(void)s;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char path[] = "/tmp/conf_test_XXXXXX";
		char conf[] = "/tmp/conf_test_XXXXXX";
		FILE *f = fdopen(mkstemp(path), "w");
		FILE *g = fdopen(mkstemp(conf), "w");
		struct err e = {0};
		struct conf c;
		int rc;

		fputs(rows[i].text ? rows[i].text : "", f);
		fclose(f);
		if (!rows[i].text)
			unlink(path);
		fprintf(g, "%s%s: %s\n", needed, rows[i].key, path);
		fclose(g);
		assert_int_equal(conf_load(&c, conf, &e), 0);
		rc = conf_files(&c, conf, &e);
		unlink(path);
		unlink(conf);
		if (!rows[i].says[0] && rc)
			fail_msg("%s: %s", rows[i].why, e.text);
		for (size_t k = 0; rows[i].says[0] && k < 3; k++) {
			if (rc == 0 || !strstr(e.text, rows[i].says[k]))
				fail_msg("%s: %d: %s", rows[i].why, rc,
					 e.text);
		}
	}
}

/* metergated.conf(5) has every key with its default, and no other. */
static void manual(void **s)
{
	FILE *f = fopen("enforcer/metergated.conf.5", "r");
	char text[65536], item[128], line[256];
	size_t n, count, items = 0;
	const struct config_key *keys = conf_keys(&count);

	(void)s;
	assert_non_null(f); /* tests run in the root of the tree */
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = 0;
	for (size_t i = 0; i < count; i++) {
		const char *at;

		snprintf(item, sizeof(item), "\n.It Ic %s ", keys[i].name);
		at = strstr(text, item);
		if (!at)
			fail_msg("no entry for %s", keys[i].name);
		if (keys[i].fallback && keys[i].fallback[0]) {
			const char *end = strstr(at + 1, "\n.It ");

			snprintf(line, sizeof(line), "Default: %s.",
				 keys[i].fallback);
			at = strstr(at, line);
			if (!at || (end && at > end))
				fail_msg("%s: does not say '%s'", keys[i].name,
					 line);
		}
	}
	for (const char *at = text; (at = strstr(at, "\n.It Ic ")); at++)
		items++;
	assert_int_equal(items, count);
	snprintf(line, sizeof(line), "The first of %d user and group ids",
		 CONF_UIDS);
	if (!strstr(text, line))
		fail_msg("uid-base: does not say '%s'", line);
}

/* The example for sysusers.d(5) keeps each id of ours, from the default on. */
static void ids_are_kept(void **s)
{
	FILE *f = fopen("examples/metergate.sysusers", "r");
	char line[256];
	unsigned id, n = 0;

	(void)s;
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		if (line[0] != 'u')
			continue;
		assert_int_equal(sscanf(line, "u %*s %u", &id), 1);
		assert_int_equal(id, 59200 + n);
		n++;
	}
	fclose(f);
	assert_int_equal(n, CONF_UIDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_are_kept),
		cmocka_unit_test(defaults), cmocka_unit_test(every_key),
		cmocka_unit_test(a_socket_for_its_queue),
		cmocka_unit_test(lists),    cmocka_unit_test(refused),
		cmocka_unit_test(whole_files), cmocka_unit_test(manual),
		cmocka_unit_test(named_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
