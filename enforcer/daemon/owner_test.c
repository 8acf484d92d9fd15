/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger's owner, asked without end: by an engine that was taken over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "enforcer/daemon/live.h"
#include "enforcer/daemon/owner.h"
#include "enforcer/daemon/policies.h"

#define GUESTS 2
#define BURST  2000 /* as owner.c has it */
#define EACH   (NS_PER_S / 100)

static struct rig {
	struct conf conf;
	struct policies policies;
	struct log log;
	struct policy_half *half;
	struct guest_share guest[GUESTS];
	struct scribe_arg arg;
	struct owner *owner;
} r;

static void *zeroed(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED);
	return p;
}

/* Two engines of one machine: which one it is matters to nobody here. */
static int make(void **state)
{
	struct err e = {0};

	(void)state;
	r.conf = (struct conf){.queue_base = 300, .n_uplinks = 1};
	strcpy(r.conf.policies, "tests/policies/metering");
	strcpy(r.conf.uplink[0], "eth0");
	r.log = log_init("scribe", LOG_LEVEL_ERR, false);
	if (policies_load(&r.policies, &r.conf, &e))
		fail_msg("%s", e.text);
	r.half = zeroed(POLICY_HALF);
	assert_int_equal(policies_half(&r.policies, r.half, POLICY_HALF, 1, &e),
			 0);
	r.arg = (struct scribe_arg){
		.log = &r.log,
		.conf = &r.conf,
		.guest = r.guest,
		.n_guests = GUESTS,
		.control = zeroed(sizeof(struct control)),
		.state_octets = 4 * pol_state_octets(r.policies.files.set),
		.ledger_fd = {memfd_create("ledger-0", 0),
			      memfd_create("ledger-1", 0)},
		.half = {r.half, r.half},
	};
	r.arg.state = zeroed(r.arg.state_octets);
	atomic_store(&r.arg.control->policy_generation, 1);
	for (size_t i = 0; i < GUESTS; i++) {
		strcpy(r.guest[i].name, "mdma");
		r.guest[i].lane = zeroed(sizeof(struct lane));
	}
	if (owner_open(&r.owner, &r.arg, &e))
		fail_msg("%s", e.text);
	return 0;
}

static bool waits(size_t i)
{
	struct lane_claim *c = &r.guest[i].lane->claim;

	return atomic_load(&c->asked) != atomic_load(&c->answered);
}

static void claim(size_t i)
{
	atomic_fetch_add(&r.guest[i].lane->claim.asked, 1);
}

/* Engine i claims again as soon as it is answered: how often it is. */
static unsigned answered(size_t i, int64_t ns)
{
	int64_t end = live_mono().ns + ns;
	unsigned n = 0;

	while (live_mono().ns < end) {
		if (!waits(i))
			claim(i);
		/* In this order: who was held back may be asked for now. */
		assert_true(owner_holds_back(r.owner) || owner_asked(r.owner));
		owner_turn(r.owner);
		n += !waits(i);
	}
	return n;
}

static void who_claims_without_end_waits_alone(void **state)
{
	int64_t begin = live_mono().ns;
	unsigned n = 0;

	(void)state;
	assert_false(owner_asked(r.owner) || owner_holds_back(r.owner));
	/* So many at once, and what comes back meanwhile. */
	while (!owner_holds_back(r.owner)) {
		if (!waits(0))
			claim(0);
		owner_turn(r.owner);
		n += !waits(0);
		if (n > 100 * BURST)
			fail_msg("it is never made to wait");
	}
	assert_in_range(n, BURST,
			BURST + 2 + (live_mono().ns - begin) / EACH);
	/* The scribe need not look at it. */
	assert_false(owner_asked(r.owner));
	/* Others are answered at once. */
	claim(1);
	assert_true(owner_asked(r.owner));
	owner_turn(r.owner);
	assert_false(waits(1));
	assert_true(waits(0));
	/* And it, at its pace. */
	begin = live_mono().ns;
	n = answered(0, NS_PER_S / 2);
	assert_in_range(n, 1, 2 + (live_mono().ns - begin) / EACH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_claims_without_end_waits_alone),
	};

	return cmocka_run_group_tests(tests, make, NULL);
}
