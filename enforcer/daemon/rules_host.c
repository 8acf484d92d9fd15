/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the rules ask of the host, which backend works there, and what the
 * rules counted.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "enforcer/daemon/rules_text.h"

/* --- backend
 * -------------------------------------------------------------------- */

/* Rules of the usual kind in a namespace that goes away with this process. */
static int try_here(enum rules_backend b, struct err *e)
{
	const struct pol_prefix addr[] = {
		{{{[10] = 0xff, [11] = 0xff, 10, 0, 0, 1}}, 128},
		{{{0xfd, [15] = 1}},                        128},
	};
	const struct rules_guest guest = {
		.name = "trial",
		.iface = "vif0.0",
		.has_mac = true,
		.mac = {2, 0, 0, 0, 0, 1},
		.addr = addr,
		.n_addr = 2,
		.queue = 1
        };
	const struct rules_conf c = {.guest = &guest,
				     .n_guests = 1,
				     .uplink = {"up0"},
				     .n_uplinks = 1};

	if (unshare(CLONE_NEWNET) < 0)
		return err_sys(e, "a network namespace to try in");
	return rules_apply(b, &c, e);
}

/* In a child: what it said comes back in shared memory. */
static int try_backend(enum rules_backend b, struct err *e)
{
	struct err *said = mmap(NULL, sizeof(*said), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status = 0, rc;
	pid_t pid;

	if (said == MAP_FAILED)
		return err_sys(e, "memory to try in");
	pid = fork();
	if (pid < 0) {
		rc = err_sys(e, "a process to try in");
	} else if (pid == 0) {
		_exit(try_here(b, said) < 0 ? 1 : 0);
	} else {
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		rc = 0;
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			rc = err_set(e, E_UNSUPPORTED, 0, "%s",
				     said->text[0] ? said->text : "died");
	}
	munmap(said, sizeof(*said));
	return rc;
}

int rules_choose(enum rules_backend *b, struct err *e)
{
	struct err nft;
	int rc = try_backend(RULES_IPTABLES, e);

	if (rc == 0) {
		*b = RULES_IPTABLES;
		return 0;
	}
	if (try_backend(RULES_NFT, &nft) == 0) {
		*b = RULES_NFT;
		return 0;
	}
	return err_wrap(e, "no backend works; nft: %.90s; iptables", nft.text);
}

/* --- settings
 * -------------------------------------------------------------------- */

static bool setting_is(const char *path, char want)
{
	char have = '\0';
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool ok = fd >= 0 && read(fd, &have, 1) == 1 && have == want;

	if (fd >= 0)
		close(fd);
	return ok;
}

static bool speaks(const struct rules_conf *c, bool v6)
{
	for (size_t i = 0; i < c->n_guests; i++) {
		for (size_t k = 0; k < c->guest[i].n_addr; k++) {
			if (net_addr_is4(&c->guest[i].addr[k].addr) != v6)
				return true;
		}
	}
	return false;
}

int rules_check_host(const struct rules_conf *c, struct err *e)
{
	bool routed = !c->bridged;
	const struct {
		bool asked;
		const char *path, *key, *why;
	} settings[] = {
		{routed && speaks(c,					   false), "/proc/sys/net/ipv4/ip_forward",
		 "net.ipv4.ip_forward",																					  "guests are routed"},
		{routed && speaks(c,							    true),
		 "/proc/sys/net/ipv6/conf/all/forwarding",                "net.ipv6.conf.all.forwarding",																		       "guests are routed"},
 /* Of both families, whatever guests speak: what the bridge
  * forwards by itself is not queued. */
		{c->bridged,					 "/proc/sys/net/bridge/bridge-nf-call-iptables",
		 "net.bridge.bridge-nf-call-iptables",								     "a bridge forwards past the queues (modprobe br_netfilter)"},
		{c->bridged, "/proc/sys/net/bridge/bridge-nf-call-ip6tables",
		 "net.bridge.bridge-nf-call-ip6tables","a bridge forwards past the queues (modprobe br_netfilter)"										 },
		{c->offload, "/proc/sys/net/netfilter/nf_conntrack_acct",
		 "net.netfilter.nf_conntrack_acct",								     "offload counts octets of connections"                               },
	};

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		if (settings[i].asked && !setting_is(settings[i].path, '1'))
			return err_set(e, E_STATE, 0,
				       "%s is not 1, but %s; "
				       "run: sysctl -w %s=1",
				       settings[i].key, settings[i].why,
				       settings[i].key);
	}
	return 0;
}

/* --- counters
 * -------------------------------------------------------------------- */

static uint64_t number(struct cur *c)
{
	uint64_t v = 0;

	/* bounded: 19 digits fit */
	for (int i = 0; i < 19; i++) {
		struct span d = cur_peek(c, 1);

		if (d.n == 0 || d.p[0] < '0' || d.p[0] > '9')
			break;
		v = v * 10 + (uint64_t)(cur_u8(c) - '0');
	}
	return v;
}

/* Moves behind the text; false: it is not in the rest of the line. */
static bool skip_to(struct cur *c, const char *text)
{
	struct span rest = cur_peek(c, cur_left(c));
	size_t n = strlen(text);
	const uint8_t *at = rest.n ? memmem(rest.p, rest.n, text, n) : NULL;

	if (!at)
		return false;
	cur_take(c, (size_t)(at - rest.p) + n);
	return true;
}

static bool word(struct cur *c, char end, char *buf, size_t cap)
{
	for (size_t n = 0; n < cap; n++) {
		char ch = (char)cur_u8(c);

		if (!cur_ok(c))
			return false;
		buf[n] = ch == end ? '\0' : ch;
		if (ch == end)
			return true;
	}
	return false;
}

static void add_drop(struct rules_drop *out, size_t cap, size_t *n,
		     const struct rules_drop *d)
{
	size_t i = 0;

	if (d->packets == 0)
		return;
	while (i < *n && (strcmp(out[i].why, d->why) != 0 ||
			  strcmp(out[i].guest, d->guest) != 0))
		i++;
	if (i == cap)
		return;
	if (i == *n) {
		out[(*n)++] = *d;
		return;
	}
	out[i].packets += d->packets;
	out[i].octets += d->octets;
}

/* "[7:420] -A MG-A0 -m comment --comment "mg:spoofed-source:mdma" -j DROP" of
 * iptables-save, or `... counter packets 7 bytes 420 drop comment "mg:arp:dr"`
 * of nft. */
static bool read_drop(struct span line, struct rules_drop *d)
{
	struct cur c = cur_of(line);

	*d = (struct rules_drop){0};
	if (span_is(cur_peek(&c, 1), "[")) {
		cur_take(&c, 1);
		d->packets = number(&c);
		cur_take(&c, 1);
		d->octets = number(&c);
	} else if (skip_to(&c, "counter packets ")) {
		d->packets = number(&c);
		if (!skip_to(&c, "bytes "))
			return false;
		d->octets = number(&c);
	} else {
		return false;
	}
	return skip_to(&c, "\"" RULES_NOTE) &&
	       word(&c, ':', d->why, sizeof(d->why)) &&
	       word(&c, '"', d->guest, sizeof(d->guest));
}

static void read_drops(struct span text, struct rules_drop *out, size_t cap,
		       size_t *n)
{
	struct cur c = cur_of(text);
	struct rules_drop d;

	while (cur_left(&c) > 0) { /* bounded: takes a line each time */
		struct span rest = cur_peek(&c, cur_left(&c));
		const uint8_t *nl = memchr(rest.p, '\n', rest.n);
		size_t len = nl ? (size_t)(nl - rest.p) : rest.n;

		if (read_drop(cur_take(&c, len), &d))
			add_drop(out, cap, n, &d);
		if (nl)
			cur_take(&c, 1);
	}
}

int rules_drops(enum rules_backend b, struct rules_drop *out, size_t cap,
		size_t *n, struct err *e)
{
	/* Other tables of nft are read too, and have no comments like ours. */
	static const enum rules_tool_id lists[] = {TOOL_NFT_LIST, TOOL_IP4_SAVE,
						   TOOL_IP6_SAVE};
	struct wbuf w = wbuf_of(malloc(RULES_SAVED_MAX), RULES_SAVED_MAX);
	int last = b == RULES_NFT ? 1 : 3, rc = 0;

	*n = 0;
	if (!w.p)
		return err_set(e, E_NOMEM, 0, "memory for the counters");
	for (int i = 0; rc == 0 && i < last; i++) {
		w.n = 0;
		rc = rules_run(rules_tool(lists[i]), (struct span){0}, &w, e);
		if (rc == 0)
			read_drops(wbuf_span(&w), out, cap, n);
	}
	free(w.p);
	return rc < 0 ? err_wrap(e, "reading the counters of the rules") : 0;
}
