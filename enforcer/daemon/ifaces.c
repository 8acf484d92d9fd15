/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libnfnetlink's nlif listens to what comes and goes and keeps the names; it
 * has no way to list them, so the indices come from the C library. An
 * interface that only one of the two knows is about to come or to go, and
 * another message says so: it is left out until both agree.
 */
#include <errno.h>
#include <libnfnetlink/libnfnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "enforcer/daemon/ifaces.h"

struct ifaces {
	struct nlif_handle *nlif;
	int sock; /* for MAC addresses */
};

int ifaces_open(struct ifaces **out, struct err *e)
{
	struct ifaces *i = calloc(1, sizeof(*i));

	if (!i)
		return err_set(e, E_NOMEM, 0, "the table of interfaces");
	i->sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	i->nlif = nlif_open();
	if (i->sock < 0 || !i->nlif || nlif_query(i->nlif) < 0) {
		ifaces_close(i);
		return err_sys(e, "the table of interfaces");
	}
	*out = i;
	return 0;
}

void ifaces_close(struct ifaces *i)
{
	if (!i)
		return;
	if (i->nlif)
		nlif_close(i->nlif);
	if (i->sock >= 0)
		close(i->sock);
	free(i);
}

int ifaces_fd(const struct ifaces *i)
{
	return nlif_fd(i->nlif);
}

/* Take in every message there is; after a lost one, ask for everything. */
static void catch_up(struct ifaces *i)
{
	struct timeval now = {0};
	fd_set set;
	int fd = nlif_fd(i->nlif);

	/* bounded: a storm of changes ends this turn, not the next */
	for (int turn = 0; turn < 1024 && fd >= 0 && fd < FD_SETSIZE; turn++) {
		FD_ZERO(&set);
		FD_SET(fd, &set);
		now = (struct timeval){0};
		if (select(fd + 1, &set, NULL, NULL, &now) <= 0)
			return;
		if (nlif_catch(i->nlif) < 0 && errno != EINTR &&
		    errno != EAGAIN && nlif_query(i->nlif) < 0)
			return;
	}
}

static bool mac_of(const struct ifaces *i, const char *name, uint32_t index,
		   uint8_t mac[6])
{
	struct ifreq r = {0};

	memcpy(r.ifr_name, name, strnlen(name, IFNAMSIZ - 1));
	if (ioctl(i->sock, SIOCGIFHWADDR, &r) < 0)
		return false;
	memcpy(mac, r.ifr_hwaddr.sa_data, 6);
	/* Still the same one? Names can be given again. */
	return ioctl(i->sock, SIOCGIFINDEX, &r) == 0 &&
	       (uint32_t)r.ifr_ifindex == index;
}

/* What is not shown to be one is none. */
static bool is_port(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/class/net/%s/brport", name);
	return access(path, F_OK) == 0;
}

static int8_t guest_of(const char *name, const struct rules_guest *guest,
		       size_t n)
{
	for (size_t k = 0; k < n && k < SHARE_GUESTS; k++) {
		if (strcmp(guest[k].iface, name) == 0)
			return (int8_t)k;
	}
	return -1;
}

/* Guests' interfaces first, so that a host with many others loses none. */
static uint32_t list(const struct ifaces *i, struct share_iface *row,
		     const struct rules_guest *guest, size_t n)
{
	struct if_nameindex *all = if_nameindex();
	uint32_t rows = 0;

	if (!all)
		return 0;
	for (int others = 0; others < 2; others++) {
		for (size_t k = 0; all[k].if_index && rows < SHARE_IFACES;
		     k++) {
			struct share_iface *r = &row[rows];
			char name[IFNAMSIZ] = "";

			*r = (struct share_iface){.index = all[k].if_index};
			if (nlif_index2name(i->nlif, r->index, name) < 0 ||
			    strncmp(name, all[k].if_name, IFNAMSIZ) != 0)
				continue;
			memcpy(r->name, name,
			       strnlen(name, sizeof(r->name) - 1));
			r->guest = guest_of(r->name, guest, n);
			if ((r->guest < 0) != others)
				continue;
			r->port = is_port(r->name);
			if (mac_of(i, r->name, r->index, r->mac))
				rows++;
		}
	}
	if_freenameindex(all);
	return rows;
}

static bool same(const struct control *c, const struct share_iface *row,
		 uint32_t n)
{
	if (c->n_ifaces != n)
		return false;
	for (uint32_t k = 0; k < n; k++) {
		const struct share_iface *o = &c->iface[k];

		if (o->index != row[k].index || o->guest != row[k].guest ||
		    o->port != row[k].port ||
		    strcmp(o->name, row[k].name) != 0 ||
		    memcmp(o->mac, row[k].mac, sizeof(o->mac)) != 0)
			return false;
	}
	return true;
}

bool ifaces_update(struct ifaces *i, struct control *c,
		   const struct rules_guest *guest, size_t n_guests)
{
	struct share_iface row[SHARE_IFACES];
	uint32_t n, seq;

	catch_up(i);
	n = list(i, row, guest, n_guests);
	if (same(c, row, n))
		return false;
	seq = atomic_load_explicit(&c->ifaces_seq, memory_order_relaxed) | 1u;
	atomic_store_explicit(&c->ifaces_seq, seq, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	memcpy(c->iface, row, n * sizeof(row[0]));
	c->n_ifaces = n;
	atomic_store_explicit(&c->ifaces_seq, seq + 1, memory_order_release);
	return true;
}
