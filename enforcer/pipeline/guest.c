/* SPDX-License-Identifier: Apache-2.0 */
/* Whose packet is it? The machines, and what tells that a packet is theirs. */
#include "enforcer/pipeline/state.h"

/* --- whose packet ------------------------------------------------------------------ */

static bool in_prefix(const struct net_addr *a, const struct pipeline_guest *r)
{
	unsigned whole = r->prefix / 8u, bits = r->prefix % 8u;

	if (memcmp(a->b, r->addr.b, whole) != 0)
		return false;
	return bits == 0 ||
	       ((a->b[whole] ^ r->addr.b[whole]) >> (8 - bits)) == 0;
}

/* The IPv6 link-local address of a MAC is bound with it (RFC 4291, modified
 * EUI-64). */
static bool is_link_local_of(const struct net_addr *a, const uint8_t mac[6])
{
	const uint8_t want[16] = {0xfe,   0x80,	  0,	  0,	0,    0,
				  0,	  0,	  (uint8_t)(mac[0] ^ 2),
				  mac[1], mac[2], 0xff,	  0xfe, mac[3],
				  mac[4], mac[5]};

	return memcmp(a->b, want, sizeof(want)) == 0;
}

static bool guest_addr(const struct pipeline_guest *r,
		       const struct net_addr *a)
{
	return !r->has_addr || in_prefix(a, r) ||
	       (r->has_mac && is_link_local_of(a, r->mac));
}

/* Does the rule's address say that this end is the guest? */
static bool addr_is(const struct pipeline_guest *r, const struct net_addr *a,
		    uint16_t port)
{
	return guest_addr(r, a) && (r->port == 0 || r->port == port);
}

/* The guest that sent the packet, or -1; *spoofed: by its interface or MAC it
 * is, but not by its address, or the reverse (policy-language section 6). */
int guest_sender(const struct pipeline *p, const struct packet_in *in,
		  const struct packet *pkt, bool *spoofed)
{
	int half = -1, found = -1;

	for (size_t i = 0; i < p->n_rules; i++) {
		const struct pipeline_guest *r = &p->rule[i];
		bool iface = !r->iface[0] || in->iface.n == 0 ||
			     span_is(in->iface, r->iface);
		bool mac = !r->has_mac || !pkt->has_mac ||
			   memcmp(r->mac, pkt->src_mac, 6) == 0;
		bool addr = addr_is(r, &pkt->tup.src, pkt->tup.sport);
		bool by_link = (r->has_mac && pkt->has_mac) ||
			       (r->iface[0] && in->iface.n);

		if (!r->has_addr && r->port == 0 && !by_link)
			continue; /* nothing that could tell */
		if (iface && mac && addr)
			found = found < 0 ? p->rule_guest[i] : found;
		else if ((iface && mac && by_link) || (addr && r->has_addr))
			half = p->rule_guest[i];
	}
	*spoofed = found < 0 && half >= 0;
	return found >= 0 ? found : half;
}

static int receiver(const struct pipeline *p, const struct packet *pkt)
{
	for (size_t i = 0; i < p->n_rules; i++) {
		const struct pipeline_guest *r = &p->rule[i];
		bool tells = r->has_addr || r->port ||
			     (r->has_mac && pkt->has_dst_mac);

		if (r->has_mac && pkt->has_dst_mac && !r->has_addr &&
		    memcmp(r->mac, pkt->dst_mac, 6) != 0)
			continue;
		if (tells && addr_is(r, &pkt->tup.dst, pkt->tup.dport))
			return p->rule_guest[i];
	}
	return -1;
}

#define DHCP4_PORT 67
#define DHCP6_HOST 546
#define DHCP6_PORT 547

/* A machine is no DHCP server (policy-language section 6, item 4). */
static bool claims_too_much(const struct packet *pkt)
{
	return pkt->tup.proto == PROTO_UDP &&
	       (pkt->tup.sport == DHCP4_PORT || pkt->tup.sport == DHCP6_PORT);
}

/* Nothing reads DHCPv6, and a server may answer from any port: only what it
 * is sent to tells (RFC 8415 7.2). */
bool guest_unread(const struct packet *pkt)
{
	return pkt->tup.proto == PROTO_UDP &&
	       (pkt->tup.sport == DHCP6_HOST || pkt->tup.dport == DHCP6_HOST ||
		pkt->tup.dport == DHCP6_PORT);
}

bool guest_has(const struct pipeline *p, int guest, const struct net_addr *a)
{
	for (size_t i = 0; i < p->n_rules; i++) {
		if (p->rule_guest[i] == guest && guest_addr(&p->rule[i], a))
			return true;
	}
	return false;
}

/* ARP from a guest claims only what is bound to it; to a guest it may come. */
enum reason guest_arp(const struct pipeline *p,
			     const struct packet_in *in, struct packet *pkt)
{
	struct cur c = cur_of(pkt->arp);
	struct span sha, spa, tpa;
	bool spoofed;

	if (cur_u16(&c) != 1 || cur_u16(&c) != 0x0800 || cur_u8(&c) != 6 ||
	    cur_u8(&c) != 4)
		return REASON_NOT_IP;
	cur_u16(&c);
	sha = cur_take(&c, 6);
	spa = cur_take(&c, 4);
	cur_take(&c, 6);
	tpa = cur_take(&c, 4);
	if (!cur_ok(&c))
		return REASON_TRUNCATED;
	pkt->tup.src = pkt->tup.dst = (struct net_addr){{[10] = 0xff,
							 [11] = 0xff}};
	memcpy(&pkt->tup.src.b[12], spa.p, 4);
	memcpy(&pkt->tup.dst.b[12], tpa.p, 4);
	if (pkt->has_mac && memcmp(sha.p, pkt->src_mac, 6) != 0)
		return REASON_SPOOFED_SOURCE;
	if (guest_sender(p, in, pkt, &spoofed) >= 0)
		return spoofed ? REASON_SPOOFED_SOURCE : REASON_NONE;
	return receiver(p, pkt) >= 0 ? REASON_NONE : REASON_NOT_IP;
}

static bool is_multicast(const struct net_addr *a)
{
	return net_addr_is4(a) ? a->b[12] >= 224 : a->b[0] == 0xff;
}

/* The end with the lower port, or that asks a whole group, is the guest. */
static enum dir guessed_dir(const struct packet *pkt)
{
	return pkt->tup.sport < pkt->tup.dport || is_multicast(&pkt->tup.dst) ?
		       DIR_OUT :
		       DIR_IN;
}

/* An interface has both directions: alone it says whose, not which way. */
static bool known_by_iface_only(const struct pipeline *p, int guest)
{
	for (size_t i = 0; i < p->n_rules; i++) {
		const struct pipeline_guest *r = &p->rule[i];

		if (p->rule_guest[i] == guest &&
		    (r->has_mac || r->has_addr || r->port))
			return false;
	}
	return true;
}

/* Who is the guest, and which way does the packet go? */
int guest_of(struct work *w, const struct packet_in *in,
		    enum dir *dir, int *peer)
{
	struct pipeline *p = w->p;
	const struct packet *pkt = w->pkt;
	bool spoofed = false;
	int from, to;

	*peer = -1;
	if (p->anonymous) {
		*dir = guessed_dir(pkt);
		return 0;
	}
	from = guest_sender(p, in, pkt, &spoofed);
	to = receiver(p, pkt);
	if (strict(p) &&
	    (spoofed || (from >= 0 && claims_too_much(pkt)))) {
		packet_drop(w, REASON_SPOOFED_SOURCE);
		return -1;
	}
	if (p->self >= 0 && from != p->self && to != p->self)
		from = to = -1; /* another machine's, or nobody's */
	if (from < 0 && to < 0) {
		packet_drop(w, REASON_UNKNOWN_GUEST);
		return -1;
	}
	/* The sender is another machine, which judges its own end. */
	if (p->self >= 0 && from != p->self) {
		*dir = DIR_IN;
		*peer = from >= 0 ? p->guest[from].machine : -1;
		return to;
	}
	*dir = from >= 0 ? DIR_OUT : DIR_IN;
	if (from >= 0 && to < 0 && known_by_iface_only(p, from))
		*dir = guessed_dir(pkt);
	if (from >= 0 && to >= 0 && from != to)
		*peer = p->guest[to].machine;
	return from >= 0 ? from : to;
}

int guest_told(const struct work *w, enum dir *dir)
{
	const struct pipeline *p = w->p;
	bool spoofed;
	int from, to;

	*dir = DIR_OUT;
	if (!w->in || !w->pkt || !w->pkt->has_tuple || p->anonymous)
		return -1;
	from = guest_sender(p, w->in, w->pkt, &spoofed);
	to = receiver(p, w->pkt);
	if (from >= 0 && (p->self < 0 || from == p->self || to != p->self))
		return from;
	*dir = DIR_IN;
	return to;
}

/* --- what dissectors are told of it ----------------------------------------------- */

/* By address, not only by its interface. */
static bool is_own_addr(const void *arg, const struct net_addr *a)
{
	const struct guest *g = arg;
	const struct pipeline *p = g->p;

	for (size_t i = 0; i < p->n_rules; i++) {
		if (&p->guest[p->rule_guest[i]] == g && p->rule[i].has_addr &&
		    guest_addr(&p->rule[i], a))
			return true;
	}
	return false;
}

static void declare(struct pipeline *p, struct guest *g)
{
	g->p = p;
	g->self = (struct dis_self){
		.has_addr = is_own_addr, .arg = g, .others = g->others};
	if (g->machine >= 0)
		g->self.n_others = pol_set_titles(p->conf.policy,
						  (size_t)g->machine,
						  g->others, TITLES_MAX);
}

/* --- start ------------------------------------------------------------------------ */

/* The guest of that name, made when it is new; -1: too many, or the policy
 * knows no such machine. */
static int guest_index(struct pipeline *p, struct span name)
{
	struct guest *g;

	for (size_t i = 0; i < p->n_guests; i++) {
		if (span_is(name, p->guest[i].name))
			return (int)i;
	}
	if (p->n_guests == GUESTS_MAX || name.n >= sizeof(g->name))
		return -1;
	g = &p->guest[p->n_guests];
	memset(g, 0, sizeof(*g));
	if (name.n)
		memcpy(g->name, name.p, name.n);
	g->machine = strict(p) ?
			     pol_set_find_machine(p->conf.policy, name) :
			     -1;
	if (strict(p) && g->machine < 0)
		return -1;
	declare(p, g);
	return (int)p->n_guests++;
}

static bool add_rule(struct pipeline *p, const struct pipeline_guest *r)
{
	int g = guest_index(p, span_str(r->name));

	if (g < 0 || p->n_rules == p->max_rules)
		return false;
	p->rule[p->n_rules] = *r;
	p->rule_guest[p->n_rules++] = (uint16_t)g;
	return true;
}

/* One rule for each address that the binding gives the machine; iface, if it
 * is not empty, instead of the binding's. */
static bool add_machine(struct pipeline *p, size_t i, const char *iface)
{
	struct pipeline_guest r = {0};
	struct pol_machine m;

	pol_set_machine(p->conf.policy, i, &m);
	if (m.name.n >= sizeof(r.name) || m.interface.n >= sizeof(r.iface))
		return false;
	if (m.name.n)
		memcpy(r.name, m.name.p, m.name.n);
	if (iface[0])
		memcpy(r.iface, iface, strlen(iface));
	else if (m.interface.n)
		memcpy(r.iface, m.interface.p, m.interface.n);
	r.has_mac = m.has_mac;
	memcpy(r.mac, m.mac, 6);
	for (size_t k = 0; k < m.n_addr; k++) {
		r.has_addr = true;
		r.addr = m.addr[k].addr;
		r.prefix = m.addr[k].len;
		if (!add_rule(p, &r))
			return false;
	}
	/* Without a binding nobody is known by anything. */
	return true;
}

/* Who is a guest by its interface has the binding's MAC and addresses there;
 * without a policy there are none to tell the ends apart by. */
static bool add_given(struct pipeline *p, const struct pipeline_guest *g)
{
	int m = strict(p) ? pol_set_find_machine(p->conf.policy,
						 span_str(g->name)) :
			    -1;

	if (m < 0 || g->has_mac || g->has_addr || g->port)
		return add_rule(p, g);
	return add_machine(p, (size_t)m, g->iface);
}

static size_t addresses(const struct pol_set *set)
{
	size_t n = 0;

	for (size_t i = 0; i < pol_set_machines(set); i++) {
		struct pol_machine m;

		pol_set_machine(set, i, &m);
		n += m.n_addr;
	}
	return n;
}

static bool add_machines(struct pipeline *p)
{
	for (size_t i = 0; i < pol_set_machines(p->conf.policy); i++) {
		if (!add_machine(p, i, ""))
			return false;
	}
	return true;
}

bool guests_new(struct pipeline *p)
{
	size_t n = p->conf.n_guests;

	p->self = -1;
	p->bound = !n && strict(p);
	if (p->bound)
		n = addresses(p->conf.policy);
	else if (strict(p)) /* each may stand for all of one machine's */
		n += n * addresses(p->conf.policy);
	p->max_rules = n > RULES_MIN || !p->bound ? n : RULES_MIN;
	p->rule = pipeline_take(p, p->max_rules, sizeof(*p->rule));
	p->rule_guest = pipeline_take(p, p->max_rules, sizeof(*p->rule_guest));
	if (!p->rule || !p->rule_guest)
		return false;
	/* First of all, so that it is there even without an address. */
	if (p->conf.self[0])
		p->self = guest_index(p, span_str(p->conf.self));
	if (p->conf.self[0] && p->self < 0)
		return false;
	for (size_t i = 0; i < p->conf.n_guests; i++) {
		if (!add_given(p, &p->conf.guests[i]))
			return false;
	}
	if (p->bound && !add_machines(p))
		return false;
	if (!p->n_rules && !strict(p) && p->self < 0) {
		p->anonymous = true;
		guest_index(p, (struct span){0});
	}
	return true;
}

/* May the machines of set stand in the place of those there are? */
static bool fits(const struct pipeline *p, const struct pol_set *set)
{
	size_t n = p->n_guests;

	for (size_t g = 0; g < p->n_guests; g++) {
		struct span name = span_str(p->guest[g].name);

		if (pol_set_find_machine(set, name) < 0)
			return false;
	}
	if (!p->bound)
		return true;
	for (size_t i = 0; i < pol_set_machines(set); i++) {
		struct pol_machine m;
		bool known = false;

		pol_set_machine(set, i, &m);
		if (m.name.n >= sizeof(p->guest[0].name) ||
		    m.interface.n >= sizeof(p->rule[0].iface))
			return false;
		for (size_t g = 0; g < p->n_guests; g++)
			known |= span_is(m.name, p->guest[g].name);
		/* Only as the other end: it gets no blocks of its own. */
		if (!known && m.n_addr && p->self < 0)
			return false;
		n += !known && m.n_addr;
	}
	return n <= GUESTS_MAX && addresses(set) <= p->max_rules;
}

bool guests_change(struct pipeline *p, const struct pol_set *set)
{
	if (!fits(p, set))
		return false;
	p->conf.policy = set;
	for (size_t g = 0; g < p->n_guests; g++) {
		p->guest[g].machine = pol_set_find_machine(
			set, span_str(p->guest[g].name));
		declare(p, &p->guest[g]);
	}
	if (!p->bound)
		return true;
	p->n_rules = 0;
	return add_machines(p);
}
