/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules from a command line: what the daemon does with them, alone.
 *
 *   rules_load VERB [-n] [-B] [-o BOUND] [-u UPLINK]... \
 *       [-g NAME,IFACE,MAC|-,QUEUE,ADDRESS[/LEN]...]...
 *
 * VERB: text closed-text apply update close remove loaded drops check choose
 * ifaces
 * -n nft backend, -B bridged, -o offload: class 1 carries BOUND octets.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "enforcer/daemon/ifaces.h"

#define MAX_ADDR 16

struct args {
	enum rules_backend backend;
	struct rules_conf conf;
	struct rules_guest guest[SHARE_GUESTS];
	struct pol_prefix addr[SHARE_GUESTS][MAX_ADDR];
};

static int usage(void)
{
	fputs("usage: rules_load VERB [-n] [-B] [-o BOUND] [-u UPLINK]... "
	      "[-g NAME,IFACE,MAC|-,QUEUE,ADDRESS...]...\n", stderr);
	return 2;
}

static bool read_prefix(struct pol_prefix *p, char *s)
{
	char *slash = strchr(s, '/');
	bool v6 = strchr(s, ':') != NULL;
	unsigned long len = v6 ? 128 : 32;

	if (slash) {
		*slash = '\0';
		len = strtoul(slash + 1, NULL, 10);
	}
	*p = (struct pol_prefix){{{[10] = 0xff, [11] = 0xff}},
				 (uint8_t)(v6 ? len : len + 96)};
	return inet_pton(v6 ? AF_INET6 : AF_INET, s,
			 v6 ? p->addr.b : p->addr.b + 12) == 1;
}

static bool read_guest(struct args *a, char *s)
{
	size_t i = a->conf.n_guests, n = 0;
	struct rules_guest *g = &a->guest[i];
	char *word[4], *addr, *at = s;

	if (i == SHARE_GUESTS)
		return false;
	for (int k = 0; k < 4; k++) {
		word[k] = strsep(&at, ",");
		if (!word[k])
			return false;
	}
	snprintf(g->name, sizeof(g->name), "%s", word[0]);
	snprintf(g->iface, sizeof(g->iface), "%s", word[1]);
	g->has_mac = sscanf(word[2], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx",
			    &g->mac[0], &g->mac[1], &g->mac[2], &g->mac[3],
			    &g->mac[4], &g->mac[5]) == 6;
	g->queue = (uint16_t)strtoul(word[3], NULL, 10);
	while (n < MAX_ADDR && (addr = strsep(&at, ",")) != NULL) {
		if (!read_prefix(&a->addr[i][n++], addr))
			return false;
	}
	g->addr = a->addr[i];
	g->n_addr = n;
	a->conf.n_guests++;
	return true;
}

static bool read_args(struct args *a, int argc, char **argv)
{
	int opt;

	a->backend = RULES_IPTABLES;
	a->conf.guest = a->guest;
	while ((opt = getopt(argc, argv, "nBo:u:g:")) != -1) {
		switch (opt) {
		case 'n':
			a->backend = RULES_NFT;
			break;
		case 'B':
			a->conf.bridged = true;
			break;
		case 'o':
			a->conf.offload = true;
			a->conf.mark_generation = 0x00700000;
			a->conf.bound[1] = strtoull(optarg, NULL, 10);
			break;
		case 'u':
			if (a->conf.n_uplinks == 4)
				return false;
			snprintf(a->conf.uplink[a->conf.n_uplinks++],
				 sizeof(a->conf.uplink[0]), "%s", optarg);
			break;
		case 'g':
			if (!read_guest(a, optarg))
				return false;
			break;
		default:
			return false;
		}
	}
	return optind == argc;
}

static int print_text(const struct args *a, bool closed, struct err *e)
{
	static uint8_t buf[RULES_TEXT_MAX];

	for (int f = 0; f < RULES_FAMILIES; f++) {
		struct wbuf w = wbuf_of(buf, sizeof(buf));
		enum rules_family family = (enum rules_family)f;
		int rc = closed ? rules_closed_text(&w, a->backend, family,
						    &a->conf, e) :
				  rules_text(&w, a->backend, family, &a->conf,
					     e);

		if (rc < 0)
			return rc;
		fwrite(w.p, 1, w.n, stdout);
	}
	return 0;
}

static int print_drops(const struct args *a, struct err *e)
{
	struct rules_drop d[128];
	size_t n;
	int rc = rules_drops(a->backend, d, 128, &n, e);

	for (size_t i = 0; rc == 0 && i < n; i++)
		printf("%s %s %llu %llu\n", d[i].why, d[i].guest,
		       (unsigned long long)d[i].packets,
		       (unsigned long long)d[i].octets);
	return rc;
}

static int print_choice(struct err *e)
{
	enum rules_backend b = RULES_AUTO;
	int rc = rules_choose(&b, e);

	if (rc == 0)
		puts(b == RULES_NFT ? "nft" : "iptables");
	return rc;
}

/* The table, now and after every change, until the input ends. */
static int print_ifaces(const struct args *a, struct err *e)
{
	static struct control c;
	struct ifaces *i;
	int rc = ifaces_open(&i, e), turns = 0;

	if (rc < 0)
		return rc;
	for (char line[8]; turns++ < 100;) {
		bool changed = ifaces_update(i, &c, a->conf.guest,
					     a->conf.n_guests);

		printf("%s seq %u\n", changed ? "changed" : "same",
		       (unsigned)c.ifaces_seq);
		for (uint32_t k = 0; k < c.n_ifaces; k++)
			printf("%s %d %02x:%02x:%02x:%02x:%02x:%02x\n",
			       c.iface[k].name, c.iface[k].guest,
			       c.iface[k].mac[0], c.iface[k].mac[1],
			       c.iface[k].mac[2], c.iface[k].mac[3],
			       c.iface[k].mac[4], c.iface[k].mac[5]);
		fflush(stdout);
		if (!fgets(line, sizeof(line), stdin))
			break;
	}
	ifaces_close(i);
	return 0;
}

int main(int argc, char **argv)
{
	static struct args a;
	struct err e = {0};
	const char *verb = argc > 1 ? argv[1] : "";
	int rc;

	if (argc < 2 || !read_args(&a, argc - 1, argv + 1))
		return usage();
	if (strcmp(verb, "text") == 0)
		rc = print_text(&a, false, &e);
	else if (strcmp(verb, "closed-text") == 0)
		rc = print_text(&a, true, &e);
	else if (strcmp(verb, "apply") == 0)
		rc = rules_apply(a.backend, &a.conf, &e);
	else if (strcmp(verb, "update") == 0)
		rc = rules_update(a.backend, &a.conf, &e);
	else if (strcmp(verb, "close") == 0)
		rc = rules_close(a.backend, &a.conf, &e);
	else if (strcmp(verb, "loaded") == 0)
		rc = rules_check_loaded(a.backend, &a.conf, &e);
	else if (strcmp(verb, "remove") == 0)
		rc = rules_remove(a.backend, &e);
	else if (strcmp(verb, "drops") == 0)
		rc = print_drops(&a, &e);
	else if (strcmp(verb, "check") == 0)
		rc = rules_check_host(&a.conf, &e);
	else if (strcmp(verb, "choose") == 0)
		rc = print_choice(&e);
	else if (strcmp(verb, "ifaces") == 0)
		rc = print_ifaces(&a, &e);
	else
		return usage();
	if (rc < 0)
		fprintf(stderr, "rules_load: %s: %s\n", verb, e.text);
	return rc < 0;
}
