/* SPDX-License-Identifier: Apache-2.0 */
/* A TPM that answers anything: each answer is behind its length u16; where
 * there is no more, it is gone. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "attest/tpm.h"

static void use(struct tpm *t)
{
	static const uint8_t seed[TPM_DIGEST];
	static const struct key_policy policy = {.pcrs = 0x395};
	struct tpm_bound bound = {0};
	uint8_t spki[TPM_SPKI], der[TPM_SIG];
	struct wbuf w = wbuf_of(der, sizeof(der));
	struct tpm_state s;
	struct err e;
	uint64_t n = 0;
	int rc = tpm_begin(t, &e);

	if (rc == 0)
		rc = tpm_counter(t, TPM_NV_FIRST, true, &e);
	if (rc == 0)
		rc = tpm_state(t, &s, &e);
	if (rc == 0)
		rc = tpm_increment(t, &n, &e);
	if (rc == 0 && (n == 0 || n > INT64_MAX))
		abort();
	if (rc == 0)
		rc = tpm_extend(t, seed, &e);
	if (rc == 0)
		rc = tpm_key(t, seed, &policy, &bound, spki, &e);
	if (rc == 0)
		rc = tpm_sign(t, seed, &w, &e);
	if (rc == 0 && w.n > TPM_SIG)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct cur c = cur_of(span_of(data, n));
	struct tpm *t;
	struct err e;
	int pair[2];

	/* A packet is an answer, so none runs into the next. */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair))
		return 0;
	while (cur_left(&c) > 2) {
		struct span s = cur_take(&c, cur_u16(&c));

		if (!cur_ok(&c) || send(pair[1], s.p, s.n, MSG_NOSIGNAL) < 0)
			break;
	}
	shutdown(pair[1], SHUT_WR);
	if (tpm_open_fd(&t, pair[0], &e) == 0) {
		use(t);
		tpm_close(t, true);
	}
	close(pair[1]);
	return 0;
}
