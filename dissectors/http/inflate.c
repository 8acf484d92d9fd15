/* SPDX-License-Identifier: Apache-2.0 */
#include "dissectors/http/inflate.h"

#define ZLIB_CONST /* what is decoded is only read */
#include <zlib.h>

#include "core/arena.h"
#include "core/reason.h"

/* Of a coded body: blocks of nothing, and octets that a block may take beyond
 * those of its content, as one that is stored does (RFC 1951 3.2.4). */
#define BLOCKS_EMPTY 2
#define BLOCK_HEAD   6

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

/* A head of gzip (RFC 1952 2.3) that says what it has to and no more: no flag,
 * so no field that holds text, and of the rest what encoders write. The time
 * remains, which some of them take from their clock. */
static bool head_is_bare(struct span in)
{
	static const uint8_t begin[] = {0x1f, 0x8b, 8, 0};
	struct span sys;

	if (!span_eq(span_sub(in, 0, 4), span_of(begin, 4)))
		return false;
	sys = span_sub(in, 8, 2);
	return sys.n == 2 &&
	       (sys.p[0] == 0 || sys.p[0] == 2 || sys.p[0] == 4) &&
	       (sys.p[1] <= 13 || sys.p[1] == 255);
}

/* The bits in front of octet `at` that nothing reads, `unused` of them: where the
 * last block ended all, else those behind the three of a block that is stored. */
static bool padding_is_zero(struct span in, size_t at, unsigned unused,
			    bool end)
{
	unsigned bits = (unsigned)in.p[at - 1] >> (8 - unused);

	if (end)
		return bits == 0;
	if (unused < 3) { /* its kind goes on in the next octet */
		if (at == in.n)
			return true;
		bits |= (unsigned)in.p[at] << unused;
	}
	return (bits & 6) || bits >> 3 == 0;
}

/* The head, a block or the checksum. A block that takes more octets than its
 * content would as it stands says something beside it, and so does one of none,
 * but for the last and one that an encoder was flushed with. */
static int next_part(z_stream *z, struct span in, unsigned *blocks,
		     unsigned *empty)
{
	uInt in_was = z->avail_in, out_was = z->avail_out, took, gave;
	int rc = inflate(z, Z_BLOCK);
	bool stands = z->data_type & 128, end = z->data_type & 64;

	if (rc != Z_OK || !stands)
		return rc;
	took = in_was - z->avail_in;
	gave = out_was - z->avail_out;
	if ((*blocks)++ && (took > gave + BLOCK_HEAD ||
			    (gave == 0 && ++*empty > BLOCKS_EMPTY)))
		return Z_DATA_ERROR;
	return padding_is_zero(in, in.n - z->avail_in,
			       (unsigned)z->data_type & 7, end) ?
		       Z_OK :
		       Z_DATA_ERROR;
}

int inflate_body(struct inflate_block *mem, bool gzip, struct span in,
		 uint8_t *out, struct span *plain, struct err *e)
{
	struct arena a = arena_of(mem->p, sizeof(mem->p));
	size_t cap = in.n < INFLATE_MAX / INFLATE_RATIO ?
			     in.n * INFLATE_RATIO :
			     INFLATE_MAX;
	z_stream z = {.zalloc = take, .zfree = give, .opaque = &a};
	unsigned blocks = 0, empty = 0;
	int rc;

	if (gzip && !head_is_bare(in))
		return refuse(e, E_SYNTAX, "a head of gzip that says more "
					   "than it has to, or none");
	/* 15: the largest window; 16: gzip's head and checksum */
	if (inflateInit2(&z, gzip ? 15 + 16 : 15) != Z_OK)
		return refuse(e, E_LIMIT, "no memory to decode it");
	z.next_in = in.p;
	z.avail_in = (uInt)in.n;
	z.next_out = out;
	z.avail_out = (uInt)cap;
	/* Each round takes octets or ends. */
	do {
		rc = next_part(&z, in, &blocks, &empty);
	} while (rc == Z_OK);
	if (rc == Z_BUF_ERROR && z.avail_out == 0)
		return refuse(e, E_LIMIT, "decodes to more than its bounds");
	if (rc != Z_STREAM_END)
		return refuse(e, E_SYNTAX, "cannot be decoded, or says more "
					   "than its content");
	if (z.avail_in > 0)
		return refuse(e, E_SYNTAX, "octets behind the coded content");
	*plain = span_of(out, cap - z.avail_out);
	return 0;
}
