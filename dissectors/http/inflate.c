/* SPDX-License-Identifier: Apache-2.0 */
#include "dissectors/http/inflate.h"

#define ZLIB_CONST /* what is decoded is only read */
#include <zlib.h>

#include "core/arena.h"
#include "core/reason.h"

static void *take(void *arg, unsigned items, unsigned size)
{
	return arena_alloc(arg, (size_t)items * size);
}

static void give(void *arg, void *p)
{
	(void)arg; /* all of it goes with the block */
	(void)p;
}

static int refuse(struct err *e, int code, const char *what)
{
	return err_reason(e, code, REASON_ENCODING, 0, "%s", what);
}

int inflate_body(struct inflate_block *mem, bool gzip, struct span in,
		 uint8_t *out, struct span *plain, struct err *e)
{
	struct arena a = arena_of(mem->p, sizeof(mem->p));
	size_t cap = in.n < INFLATE_MAX / INFLATE_RATIO ?
			     in.n * INFLATE_RATIO :
			     INFLATE_MAX;
	z_stream z = {.zalloc = take, .zfree = give, .opaque = &a};
	int rc;

	/* 15: the largest window; 16: gzip's head and checksum */
	if (inflateInit2(&z, gzip ? 15 + 16 : 15) != Z_OK)
		return refuse(e, E_LIMIT, "no memory to decode it");
	z.next_in = in.p;
	z.avail_in = (uInt)in.n;
	z.next_out = out;
	z.avail_out = (uInt)cap;
	rc = inflate(&z, Z_FINISH);
	if (rc == Z_BUF_ERROR && z.avail_out == 0)
		return refuse(e, E_LIMIT, "decodes to more than its bounds");
	if (rc != Z_STREAM_END)
		return refuse(e, E_SYNTAX, "cannot be decoded");
	if (z.avail_in > 0)
		return refuse(e, E_SYNTAX, "octets behind the coded content");
	*plain = span_of(out, cap - z.avail_out);
	return 0;
}
