/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/daemon/conf.h"

#include <arpa/inet.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "attest/link.h"
#include "attest/tpm.h"
#include "audit/audit.h"
#include "audit/notefile.h"
#include "policy-lang/front/config.h"

static const struct config_word backends[] = {
	{"auto",     RULES_AUTO	   },
	{"iptables", RULES_IPTABLES},
	{"nft",	     RULES_NFT	   },
	{NULL,	     0		   },
};
static const struct config_word clocks[] = {
	{"synchronised", false},
	{"trusted",	 true },
	{NULL,		 0    },
};
static const struct config_word signatures[] = {
	{"required", true },
	{"off",	     false},
	{NULL,	     0	  },
};
static const struct config_word prunes[] = {
	{"needed",   PRUNE_NEEDED  },
	{"cosigned", PRUNE_COSIGNED},
	{NULL,	     0		   },
};
static const struct config_word log_keys[] = {
	{"tpm",	     true },
	{"software", false},
	{NULL,	     0	  },
};
static const struct config_word no_cpu[] = {
	{"pair", CPU_PAIR},
	{"any",	 CPU_ANY },
	{NULL,	 0	 },
};

#define AT(member) offsetof(struct conf, member), sizeof(((struct conf *)0)->member)
#define EACH(member)                                                           \
	offsetof(struct conf, member), sizeof(((struct conf *)0)->member[0])
#define SYSTEM_UIDS 100 /* below are users of the system's own */

/* The socket is to hold what the queue may: 64 MiB for 16384. The kernel takes
 * the number twice and counts what a message takes up, 2304 octets for
 * a packet of 1400, so a place of the queue has room for three such. What
 * super-packets need is no buffer's size (64 KiB each): of them fewer wait.
 * Memory is taken by what waits, and given back when it is received. */
#define SOCKET_EACH (4u << 10)
#define SOCKET_MIN  (256u << 10)
#define SOCKET_MAX  (256u << 20)

static uint32_t socket_buffer(uint32_t queue_len)
{
	uint64_t n = (uint64_t)queue_len * SOCKET_EACH;

	return n < SOCKET_MIN	? SOCKET_MIN
	       : n > SOCKET_MAX ? SOCKET_MAX
				: (uint32_t)n;
}

/* A record of an ordinary transmission, once a second. */
#define AUDIT_RATE_LEAST 1024

/* clang-format off */
static const struct config_key keys[] = {
	/* name, type, member, min, max, default, words, list */
	{"policies",	  CONFIG_PATH,	 AT(policies),	0, 0, NULL, NULL, 0, 0},
	{"uplink",	  CONFIG_IFACE,	 EACH(uplink),	0, 0, NULL, NULL, 4,
	 offsetof(struct conf, n_uplinks)},
	{"origin",	  CONFIG_TEXT,	 AT(origin),	0, 0, NULL, NULL, 0, 0},
	{"signatures",	  CONFIG_WORD,	 AT(signatures), 0, 0, "required",
	 signatures, 0, 0},
	{"platform-key",  CONFIG_PATH,	 AT(platform_key), 0, 0, "", NULL, 0, 0},
	{"keys",	  CONFIG_PATH,	 AT(keys),	0, 0, "", NULL, 0, 0},
	{"audit",	  CONFIG_PATH,	 AT(audit),	0, 0,
	 "/var/lib/metergate/audit/audit.db", NULL, 0, 0},
	{"state",	  CONFIG_PATH,	 AT(state),	0, 0,
	 "/var/lib/metergate/state", NULL, 0, 0},
	{"runtime",	  CONFIG_PATH,	 AT(runtime),	0, 0,
	 "/run/metergate", NULL, 0, 0},
	{"resolver",	  CONFIG_ADDR,	 AT(resolver),	0, 0, "", NULL, 0, 0},
	{"bridged",	  CONFIG_BOOL,	 AT(bridged),	0, 0, "false", NULL, 0, 0},
	{"backend",	  CONFIG_WORD,	 AT(backend),	0, 0, "auto", backends, 0, 0},
	{"offload",	  CONFIG_BOOL,	 AT(offload),	0, 0, "false", NULL, 0, 0},
	{"classify",	  CONFIG_BOOL,	 AT(classify),	0, 0, "false", NULL, 0, 0},
	{"clock",	  CONFIG_WORD,	 AT(clock_trusted), 0, 0, "synchronised",
	 clocks, 0, 0},
	{"queue-base",	  CONFIG_NUMBER, AT(queue_base), 0, 65535 - SHARE_GUESTS,
	 "100", NULL, 0, 0},
	{"queue-length",  CONFIG_NUMBER, AT(queue_len),	64, 1 << 20, "16384",
	 NULL, 0, 0},
	{"socket-buffer", CONFIG_SIZE,	 AT(socket_buffer), SOCKET_MIN,
	 SOCKET_MAX, "", NULL, 0, 0},
	{"cpu",		  CONFIG_NUMBER, AT(cpu),	0, CPU_SETSIZE - 1, "pair", no_cpu, 0, 0},
	{"uid-base",	  CONFIG_NUMBER, AT(uid_base),	SYSTEM_UIDS, 2000000000,
	 "59200", NULL, 0, 0},
	{"max-flows",	  CONFIG_NUMBER, AT(max_flows),	16, 1 << 20, "4096",
	 NULL, 0, 0},
	{"max-held",	  CONFIG_NUMBER, AT(max_held),	16, 65536, "1024",
	 NULL, 0, 0},
	{"min-ttl",	  CONFIG_NUMBER, AT(min_ttl),	1, 255, "1", NULL, 0, 0},
	{"audit-batch-ms", CONFIG_NUMBER, AT(audit_batch_ms), 1, 1000, "20",
	 NULL, 0, 0},
	{"audit-bound",	  CONFIG_SIZE,	 AT(audit_bound), AUDIT_BOUND_LEAST,
	 INT64_C(1) << 40, "192 MiB", NULL, 0, 0},
	{"audit-rate",	  CONFIG_SIZE,	 AT(audit_rate), AUDIT_RATE_LEAST,
	 INT64_C(1) << 40, "", NULL, 0, 0},
	{"audit-prune",	  CONFIG_WORD,	 AT(audit_prune), 0, 0, "needed",
	 prunes, 0, 0},
	{"witness-keys",  CONFIG_PATH,	 AT(witness_keys), 0, 0, "", NULL, 0, 0},
	{"tpm",		  CONFIG_TEXT,	 AT(tpm),	0, 0, "", NULL, 0, 0},
	{"tpm-counter",	  CONFIG_NUMBER, AT(tpm_counter), TPM_NV_FIRST,
	 TPM_NV_LAST, "25165901", NULL, 0, 0},
	{"log-key",	  CONFIG_WORD,	 AT(log_key_tpm), 0, 0, "tpm", log_keys,
	 0, 0},
	{"log-key-pcrs",  CONFIG_TEXT,	 AT(log_key_pcrs), 0, 0, "0 2 4 7 8 9",
	 NULL, 0, 0},
	{"log-key-approvals", CONFIG_PATH, AT(log_key_approvals), 0, 0, "",
	 NULL, 0, 0},
	{"listen",	  CONFIG_ADDR,	 AT(listen),	0, 0, "", NULL, 0, 0},
	{"listen-port",	  CONFIG_NUMBER, AT(listen_port), 1, 65535, "8480",
	 NULL, 0, 0},
	{"portal",	  CONFIG_TEXT,	 AT(portal),	0, 0, "", NULL, 0, 0},
	{"panel-gid",	  CONFIG_NUMBER, AT(panel_gid),	0, 4294967294, "0",
	 NULL, 0, 0},
	{"control-gid",	  CONFIG_NUMBER, AT(control_gid), 0, 4294967294, "0",
	 NULL, 0, 0},
};
/* clang-format on */

#define KEYS (sizeof(keys) / sizeof(keys[0]))

const struct config_key *conf_keys(size_t *n)
{
	*n = KEYS;
	return keys;
}

static bool same_directory(const char *file, const char *dir)
{
	const char *slash = strrchr(file, '/');
	size_t n = (size_t)(slash - file);

	return strlen(dir) == n && strncmp(file, dir, n) == 0;
}

/* Those that a process of ours may be pinned to: that are there, and given to
 * us. Asked by taking all of them for a moment. */
static bool processors(cpu_set_t *out)
{
	cpu_set_t was, all;
	bool ok;

	memset(&all, 0xff, sizeof(all));
	if (sched_getaffinity(0, sizeof(was), &was) < 0)
		return false;
	ok = sched_setaffinity(0, sizeof(all), &all) == 0 &&
	     sched_getaffinity(0, sizeof(*out), out) == 0;
	return sched_setaffinity(0, sizeof(was), &was) == 0 && ok;
}

static int last_processor(const cpu_set_t *set)
{
	int last = 0;

	for (int i = 0; i < CPU_SETSIZE; i++) {
		if (CPU_ISSET((size_t)i, set))
			last = i;
	}
	return last;
}

/* Where the file says it, in front of what is wrong with it. */
static int at(const char *path, const char *key, struct err *e)
{
	char place[CONFIG_PLACE];

	config_place(place, sizeof(place), path, key);
	return err_wrap(e, "%s: %s", place, key);
}

static int check_uplinks(const struct conf *c, struct err *e)
{
	for (size_t i = 0; i < c->n_uplinks; i++) {
		for (size_t k = 0; k < i; k++) {
			if (strcmp(c->uplink[i], c->uplink[k]) == 0)
				return err_set(e, E_SYNTAX, 0, "%s stands "
					       "there twice; remove one",
					       c->uplink[i]);
		}
	}
	return 0;
}

/* The scribe may write all of the audit's directory. */
static bool alone(const struct conf *c)
{
	return strrchr(c->audit, '/') != c->audit &&
	       !same_directory(c->audit, c->state) &&
	       !same_directory(c->audit, c->runtime) &&
	       !same_directory(c->audit, c->policies);
}

/* What one key alone cannot show; *key: which it is about. */
static int check(const struct conf *c, const cpu_set_t *cpus, const char **key,
		 struct err *e)
{
	uint32_t pcrs;

	*key = "cpu";
	if (c->cpu >= 0 && !CPU_ISSET((size_t)c->cpu, cpus))
		return err_set(e, E_SYNTAX, 0, "processor %d is not online, or "
			       "not given to this process; name another",
			       c->cpu);
	*key = "uplink";
	if (check_uplinks(c, e))
		return e->code;
	/* Else nothing could be signed, so nothing recorded; there is room for
	 * "/recovery-99" behind it. */
	*key = "origin";
	if (!note_name_ok(span_str(c->origin)) ||
	    strlen(c->origin) > NOTE_NAME_MAX - 16)
		return err_set(e, E_SYNTAX, 0, "'%.60s' cannot name a log in "
			       "its checkpoints; no spaces, no plus, at most "
			       "%d octets", c->origin, NOTE_NAME_MAX - 16);
	*key = "tpm";
	if (c->tpm[0] && link_named(c->tpm, e))
		return e->code;
	*key = "log-key-pcrs";
	if (policy_pcrs(&pcrs, c->log_key_pcrs, e))
		return e->code;
	*key = "platform-key";
	if (c->signatures && !c->platform_key[0])
		return err_set(e, E_SYNTAX, 0, "policies have to be signed, "
			       "and this says by whom; name a file of public "
			       "keys, or say signatures: off");
	*key = "portal";
	if (c->portal[0] && !c->listen[0])
		return err_set(e, E_SYNTAX, 0, "'%.40s' has no address to "
			       "connect to; name one by listen:", c->portal);
	*key = "listen";
	if (c->listen[0] && !c->portal[0])
		return err_set(e, E_SYNTAX, 0, "whoever a policy lets reach "
			       "%.60s would read the records of all guests; "
			       "name the guest that may by portal:, or say "
			       "portal: \"*\"", c->listen);
	*key = "audit-prune";
	if (c->audit_prune == PRUNE_COSIGNED && !c->witness_keys[0])
		return err_set(e, E_SYNTAX, 0, "nobody may cosign, so nothing "
			       "could ever be pruned; name a file of public "
			       "keys by witness-keys:, or say needed");
	*key = "audit";
	if (!alone(c))
		return err_set(e, E_SYNTAX, 0, "%s does not lie in a directory "
			       "of its own; give it one", c->audit);
	return 0;
}

int conf_load(struct conf *out, const char *path, struct err *e)
{
	struct config_key here[KEYS]; /* with what is so on this machine */
	cpu_set_t cpus;
	const char *key;
	int rc;

	if (!processors(&cpus))
		return err_sys(e, "the processors of this machine");
	memcpy(here, keys, sizeof(keys));
	for (size_t i = 0; i < KEYS; i++) {
		if (here[i].off == offsetof(struct conf, cpu))
			here[i].max = last_processor(&cpus);
	}
	rc = config_read_file(out, sizeof(*out), here, KEYS, path, e);
	if (rc == 0 && out->socket_buffer == 0)
		out->socket_buffer = socket_buffer(out->queue_len);
	if (rc == 0 && check(out, &cpus, &key, e))
		rc = at(path, key, e);
	return rc;
}

/* Read by who uses them, later and in another process: here to find what is
 * wrong before anything is changed. */
int conf_files(const struct conf *c, const char *path, struct err *e)
{
	struct note_key *k = calloc(NOTE_KEYS_MAX, sizeof(*k));
	struct key_policy approvals;
	size_t n;
	int rc = k ? 0 : err_set(e, E_NOMEM, 0, "out of memory");

	if (rc == 0 && c->witness_keys[0] &&
	    note_file_keys(k, NOTE_KEYS_MAX, &n, c->witness_keys, e)) {
		err_wrap(e, "%s", c->witness_keys);
		rc = at(path, "witness-keys", e);
	}
	free(k);
	if (rc == 0 && c->log_key_approvals[0] &&
	    policy_load(&approvals, c->log_key_approvals, e))
		rc = at(path, "log-key-approvals", e);
	return rc;
}

int conf_resolver(const struct conf *c, struct net_addr *a, struct err *e)
{
	*a = (struct net_addr){.b = {[10] = 0xff, [11] = 0xff}};
	if (!c->resolver[0])
		return 0;
	if (inet_pton(AF_INET, c->resolver, a->b + 12) != 1 &&
	    inet_pton(AF_INET6, c->resolver, a->b) != 1)
		return err_set(e, E_SYNTAX, 0, "resolver: %s", c->resolver);
	return 1;
}
