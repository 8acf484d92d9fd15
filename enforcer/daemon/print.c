/* SPDX-License-Identifier: Apache-2.0 */
/* metergated -n: what would be put in place, without touching anything. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "enforcer/daemon/parent.h"

static const char *const backends[] = {
	[RULES_AUTO] = "auto",
	[RULES_IPTABLES] = "iptables",
	[RULES_NFT] = "nft",
};

static void print_guests(const struct conf *c, const struct policies *p)
{
	for (size_t i = 0; i < p->n_guests; i++) {
		const struct rules_guest *g = &p->guest[i];
		char text[NET_ADDR_TEXT];

		printf("# guest %s: interface %s, queue %u", g->name, g->iface,
		       g->queue);
		if (g->has_mac)
			printf(", mac %02x:%02x:%02x:%02x:%02x:%02x", g->mac[0],
			       g->mac[1], g->mac[2], g->mac[3], g->mac[4],
			       g->mac[5]);
		for (size_t k = 0; k < g->n_addr; k++) {
			bool v4 = net_addr_is4(&g->addr[k].addr);

			printf(", %s/%u",
			       net_addr_text(text, &g->addr[k].addr),
			       v4 ? g->addr[k].len - 96u : g->addr[k].len);
		}
		printf("\n# process engine of %s: uid %u\n", g->name,
		       (unsigned)(c->uid_base + 3 + i));
		printf("# process gate of %s: uid %u, CAP_NET_ADMIN\n", g->name,
		       (unsigned)(c->uid_base + 3 + SHARE_GUESTS + i));
	}
	printf("# process scribe: uid %u, writes %s\n", c->uid_base + 1,
	       c->audit);
	printf("# process courier: uid %u\n", c->uid_base + 2);
	if (c->tpm[0])
		printf("# process attester: uid %u, TPM %s\n",
		       (unsigned)(c->uid_base + 3 + 2 * SHARE_GUESTS), c->tpm);
}

static void print_vain(void *arg, const char *text)
{
	(void)arg;
	printf("# %s\n", text);
}

static int print_rules(const struct rules_conf *r, enum rules_backend b,
		       struct err *e)
{
	static const char *const family[RULES_FAMILIES] = {
		[RULES_IP4] = "iptables-restore",
		[RULES_IP6] = "ip6tables-restore",
		[RULES_ARP] = "nft -f (ARP)",
		[RULES_BRIDGE] = "nft -f (ports of the bridge)",
	};
	uint8_t *text = malloc(RULES_TEXT_MAX);
	int rc = 0;

	if (!text)
		return err_set(e, E_NOMEM, 0, "out of memory");
	for (int f = RULES_IP4; rc == 0 && f < RULES_FAMILIES; f++) {
		struct wbuf w = wbuf_of(text, RULES_TEXT_MAX);

		rc = rules_text(&w, b, (enum rules_family)f, r, e);
		if (rc < 0 || w.n == 0)
			continue; /* a family that this set-up does not need */
		printf("\n# rules for %s\n",
		       b == RULES_NFT && f <= RULES_IP6 ? "nft -f" : family[f]);
		fwrite(w.p, 1, w.n, stdout);
	}
	free(text);
	return rc;
}

int parent_print(const struct conf *c, struct err *e)
{
	enum rules_backend b = c->backend;
	struct rules_conf r;
	struct policies p;
	const char *how = "";
	struct activation a;
	/* A notice that is over shows at the next start, not here. */
	int rc = activate_open(&a, c, (const uint8_t[16]){0},
			       (struct now){0}, e);

	a.in_process = true;
	if (rc == 0)
		rc = activate_next(&a, &p, c, e);
	if (rc < 0) {
		activate_close(&a);
		return rc;
	}
	/* Trying takes a right that a look at the configuration need not have:
	 * then what would be tried first. */
	if (b == RULES_AUTO && geteuid() != 0) {
		b = RULES_IPTABLES;
		how = "not tried without root, the first of two: ";
	} else if (b == RULES_AUTO) {
		rc = rules_choose(&b, e);
		how = "chosen: ";
	}
	if (rc < 0)
		goto out;
	printf("# metergated %s: %zu policies, %zu guests, backend %s%s, %s%s\n",
	       METERGATE_VERSION, p.files.n, p.n_guests, how, backends[b],
	       c->bridged ? "bridged" : "routed",
	       c->offload ? ", offload" : "");
	print_guests(c, &p);
	policies_in_vain(&p, print_vain, NULL);
	/* The generation of marks is another one with each start. */
	setup_rules(&r, c, &p, 1u << 20);
	rc = print_rules(&r, b, e);
	if (rc == 0 && (fflush(stdout) != 0 || ferror(stdout)))
		rc = err_sys(e, "writing");
out:
	policies_free(&p);
	activate_close(&a);
	return rc;
}
