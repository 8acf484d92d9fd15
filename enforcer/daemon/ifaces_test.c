/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interfaces come, change their names and go, in a network namespace that
 * ends with the test.
 */
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "enforcer/daemon/ifaces.h"

static const struct rules_guest guests[] = {
	{.name = "mdma", .iface = "vif1.0"},
	{.name = "dr", .iface = "vif2.0"},
};

/* A tap with a MAC; it goes with its descriptor. -1: the kernel has none. */
static int tap(const char *name, uint8_t last)
{
	struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	if (fd < 0)
		return -1;
	assert_int_equal(ioctl(fd, TUNSETIFF, &r), 0);
	r.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	memcpy(r.ifr_hwaddr.sa_data, (char[]){2, 0, 0, 0, 0, (char)last}, 6);
	assert_int_equal(ioctl(fd, SIOCSIFHWADDR, &r), 0);
	return fd;
}

static void rename_iface(const char *from, const char *to)
{
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq r = {0};

	assert_true(s >= 0);
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", from);
	snprintf(r.ifr_newname, sizeof(r.ifr_newname), "%s", to);
	assert_int_equal(ioctl(s, SIOCSIFNAME, &r), 0);
	close(s);
}

static const struct share_iface *find(const struct control *c,
				      const char *name)
{
	for (uint32_t i = 0; i < c->n_ifaces; i++) {
		if (strcmp(c->iface[i].name, name) == 0)
			return &c->iface[i];
	}
	return NULL;
}

/* A change is there; the sequence is even again and has moved. */
static void changed(struct ifaces *i, struct control *c)
{
	uint32_t before = c->ifaces_seq;

	assert_true(ifaces_update(i, c, guests, 2));
	assert_int_equal(c->ifaces_seq % 2, 0);
	assert_true(c->ifaces_seq > before);
	assert_false(ifaces_update(i, c, guests, 2));
	assert_int_equal(c->ifaces_seq % 2, 0);
}

static void come_and_go(struct ifaces *i, struct control *c)
{
	int one = tap("vif1.0", 7), up = tap("up0", 9);

	changed(i, c);
	assert_non_null(find(c, "vif1.0"));
	assert_int_equal(find(c, "vif1.0")->guest, 0);
	assert_int_equal(find(c, "vif1.0")->index, if_nametoindex("vif1.0"));
	assert_int_equal(find(c, "vif1.0")->mac[5], 7);
	assert_int_equal(find(c, "up0")->guest, -1);
	assert_int_equal(find(c, "up0")->mac[5], 9);

	rename_iface("vif1.0", "vif2.0");
	changed(i, c);
	assert_null(find(c, "vif1.0"));
	assert_int_equal(find(c, "vif2.0")->guest, 1);

	close(one);
	changed(i, c);
	assert_null(find(c, "vif2.0"));
	assert_non_null(find(c, "up0"));
	/* Back under another index: the same guest. */
	one = tap("vif2.0", 7);
	changed(i, c);
	assert_int_equal(find(c, "vif2.0")->guest, 1);
	close(one);
	close(up);
	changed(i, c);
	assert_null(find(c, "up0"));
}

/* More interfaces than the table has rows: those of guests stay. */
static void many(struct ifaces *i, struct control *c)
{
	int fd[SHARE_IFACES + 4], one;
	char name[16];

	for (size_t k = 0; k < SHARE_IFACES + 4; k++) {
		snprintf(name, sizeof(name), "x%zu", k);
		fd[k] = tap(name, (uint8_t)k);
		assert_true(fd[k] >= 0);
	}
	one = tap("vif1.0", 7);
	changed(i, c);
	assert_int_equal(c->n_ifaces, SHARE_IFACES);
	assert_non_null(find(c, "vif1.0"));
	for (size_t k = 0; k < SHARE_IFACES + 4; k++)
		close(fd[k]);
	close(one);
	changed(i, c);
	assert_null(find(c, "x1"));
}

static void test_ifaces(void **state)
{
	static struct control c;
	struct ifaces *i;
	struct err e;
	int fd;

	(void)state;
	ifaces_close(NULL);
	if (unshare(CLONE_NEWNET) < 0) {
		puts("SKIP: interfaces: no right to make a network namespace");
		skip();
	}
	fd = tap("probe0", 1);
	if (fd < 0) {
		puts("SKIP: interfaces: the kernel has no tap");
		skip();
	}
	close(fd);
	assert_int_equal(ifaces_open(&i, &e), 0);
	assert_true(ifaces_fd(i) >= 0);
	ifaces_update(i, &c, guests, 2);
	come_and_go(i, &c);
	many(i, &c);
	ifaces_close(i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_ifaces)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
