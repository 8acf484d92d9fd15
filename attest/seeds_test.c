/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzzer of the TPM's answers begins with leads as far as answers of
 * another day can: to the signature, of which the session's check is made of
 * numbers that were drawn anew. Else all that lies behind would be dark. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "attest/tpm.h"

/* Answers, each behind its length; then it is gone. */
static struct tpm *on(const char *path, int *peer)
{
	static uint8_t octets[1 << 16];
	FILE *f = fopen(path, "rb");
	struct tpm *t;
	struct cur c;
	struct err e = {0};
	int pair[2];

	if (!f)
		fail_msg("%s", path);
	c = cur_of(span_of(octets, fread(octets, 1, sizeof(octets), f)));
	assert_int_equal(fclose(f), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0,
				    pair),
			 0);
	while (cur_left(&c) > 2) {
		struct span s = cur_take(&c, cur_u16(&c));

		assert_true(cur_ok(&c));
		assert_int_equal(send(pair[1], s.p, s.n, MSG_NOSIGNAL), s.n);
	}
	shutdown(pair[1], SHUT_WR);
	*peer = pair[1];
	if (tpm_open_fd(&t, pair[0], &e))
		fail_msg("%s", e.text);
	return t;
}

static void leads_to_the_signature(void **state)
{
	static const char *const paths[] = {"tests/corpus/tpm/fresh",
					    "tests/corpus/tpm/again"};
	static const uint8_t seed[TPM_DIGEST];
	static const struct key_policy policy = {.pcrs = 0x395};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct tpm_bound bound = {0};
		uint8_t spki[TPM_SPKI];
		struct tpm_state s;
		struct err e = {0};
		uint64_t n = 0;
		int peer;
		struct tpm *t = on(paths[i], &peer);

		if (tpm_begin(t, &e) ||
		    tpm_counter(t, TPM_NV_FIRST, true, &e) ||
		    tpm_state(t, &s, &e) || tpm_increment(t, &n, &e) ||
		    tpm_extend(t, seed, &e) ||
		    tpm_key(t, seed, &policy, &bound, spki, &e))
			fail_msg("%s ends early: %s", paths[i], e.text);
		tpm_close(t, true);
		close(peer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leads_to_the_signature),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
