/* SPDX-License-Identifier: Apache-2.0 */
/* Landlock:
 * By the plain calls; its library is young and rarely there. The structure as
 * of ABI 6; an older kernel is told the part it knows. */
#include "enforcer/daemon/sandbox_files.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

struct ruleset {
	uint64_t fs, net, scoped;
};

static const struct abi {
	long since;
	size_t size;
	uint64_t fs, net, scoped;
} abis[] = {
	/* All rights there are are handled, so that what is not granted is
	 * refused. net: bind and connect of TCP; scoped: abstract sockets and
	 * signals outwards. */
	{6, 24, 0xffff, 3, 3},
	{5, 16, 0xffff, 3, 0},
	{4, 16, 0x7fff, 3, 0},
	{3,  8, 0x7fff, 0, 0},
	{2,  8, 0x3fff, 0, 0},
	{1,  8, 0x1fff, 0, 0},
};

static int grant_dir(int rules, const char *dir, uint64_t rights,
		     struct err *e)
{
	struct landlock_path_beneath_attr below = {.allowed_access = rights};
	int rc = 0;

	below.parent_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (below.parent_fd < 0)
		return err_sys(e, "%s", dir);
	if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH,
		    &below, 0))
		rc = err_sys(e, "landlock: %s", dir);
	close(below.parent_fd);
	return rc;
}

static const struct abi *abi_here(void)
{
	long v = syscall(SYS_landlock_create_ruleset, NULL, 0,
			 LANDLOCK_CREATE_RULESET_VERSION);

	for (size_t i = 0; i < sizeof(abis) / sizeof(abis[0]); i++) {
		if (v >= abis[i].since)
			return &abis[i];
	}
	return NULL;
}

int sandbox_files(const char *name, uint64_t fs, bool opens, const char *dir,
		  struct err *e)
{
	const struct abi *abi = abi_here();
	struct ruleset all;
	int rules, rc = 0;

	if (!abi) {
		/* Who can open nothing needs no rule about what. */
		if (!opens)
			return 0;
		return err_set(e, E_UNSUPPORTED, 0, "the kernel has no "
			       "Landlock (CONFIG_SECURITY_LANDLOCK, lsm=): "
			       "the %s may not run without", name);
	}
	all = (struct ruleset){abi->fs, abi->net, abi->scoped};
	rules = (int)syscall(SYS_landlock_create_ruleset, &all, abi->size, 0);
	if (rules < 0)
		return err_sys(e, "landlock");
	if (fs && dir)
		rc = grant_dir(rules, dir, fs & abi->fs, e);
	if (rc == 0 && syscall(SYS_landlock_restrict_self, rules, 0))
		rc = err_sys(e, "landlock");
	close(rules);
	return rc;
}
