/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/transport.h"

#include <stdlib.h>
#include <tss2/tss2_tcti.h>

#include "attest/link.h"

#define OUR_MAGIC INT64_C(0x6d676174746c6e6b)

/* The library knows the first member only. */
struct transport {
	TSS2_TCTI_CONTEXT_COMMON_V1 v1;
	int fd;
	struct err why;
};

static TSS2_RC transmit(TSS2_TCTI_CONTEXT *c, size_t n, const uint8_t *command)
{
	struct transport *w = (struct transport *)c;

	return link_send(w->fd, span_of(command, n), &w->why)
		       ? TSS2_TCTI_RC_IO_ERROR
		       : TSS2_RC_SUCCESS;
}

/* Whoever calls waits until it is there, whatever timeout says: the link has
 * one of its own. */
static TSS2_RC receive(TSS2_TCTI_CONTEXT *c, size_t *n, uint8_t *answer,
		       int32_t timeout)
{
	struct transport *w = (struct transport *)c;
	size_t cap = *n < LINK_MAX ? *n : LINK_MAX;

	(void)timeout;
	if (!answer) {
		*n = LINK_MAX;
		return TSS2_RC_SUCCESS;
	}
	return link_receive(w->fd, answer, cap, n, &w->why)
		       ? TSS2_TCTI_RC_IO_ERROR
		       : TSS2_RC_SUCCESS;
}

static void no_finalize(TSS2_TCTI_CONTEXT *c)
{
	(void)c;
}

static TSS2_RC no_cancel(TSS2_TCTI_CONTEXT *c)
{
	(void)c;
	return TSS2_TCTI_RC_NOT_SUPPORTED;
}

static TSS2_RC no_locality(TSS2_TCTI_CONTEXT *c, uint8_t locality)
{
	(void)c;
	(void)locality;
	return TSS2_TCTI_RC_NOT_SUPPORTED;
}

static TSS2_RC no_handles(TSS2_TCTI_CONTEXT *c, TSS2_TCTI_POLL_HANDLE *h,
			  size_t *n)
{
	(void)c;
	(void)h;
	*n = 0;
	return TSS2_RC_SUCCESS;
}

struct transport *transport_new(int fd)
{
	struct transport *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->v1 = (TSS2_TCTI_CONTEXT_COMMON_V1){
		.magic = OUR_MAGIC,
		.version = 1,
		.transmit = transmit,
		.receive = receive,
		.finalize = no_finalize,
		.cancel = no_cancel,
		.getPollHandles = no_handles,
		.setLocality = no_locality,
	};
	w->fd = fd;
	return w;
}

const char *transport_why(const struct transport *w)
{
	return w->why.text;
}
