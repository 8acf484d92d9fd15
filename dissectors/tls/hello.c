/* SPDX-License-Identifier: Apache-2.0 */
#include "dissectors/tls/hello.h"

#include "core/reason.h"

#define RANDOM	       32
#define SESSION_ID_MAX 32
#define LABEL_MAX      63

/* Those that are looked for before they are read. */
enum {
	EXT_PRE_SHARED_KEY = 41,
	EXT_VERSIONS = 43,
};
#define GREASE_MAX 4 /* extensions of no meaning */

static int bad(struct err *e, enum reason why, const char *what)
{
	return err_reason(e, E_SYNTAX, (int)why, 0, "%s", what);
}

uint16_t tls_highest(uint8_t versions)
{
	for (int n = TLS_1_3 - TLS_1_0; n >= 0; n--) {
		if (versions >> n & 1)
			return (uint16_t)(TLS_1_0 + n);
	}
	return 0;
}

/* --- names --------------------------------------------------------------------- */

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool is_label_char(uint8_t c)
{
	uint8_t low = c | 0x20;

	return is_digit(c) || (low >= 'a' && low <= 'z') || c == '-' ||
	       c == '_';
}

static bool label_ok(struct span l)
{
	if (l.n == 0 || l.n > LABEL_MAX || l.p[0] == '-' ||
	    l.p[l.n - 1] == '-')
		return false;
	for (size_t i = 0; i < l.n; i++) {
		if (!is_label_char(l.p[i]))
			return false;
	}
	return true;
}

/* A last label of digits is the end of an address, in all its spellings. */
static bool is_number(struct span l)
{
	if (l.n > 1 && l.p[0] == '0' && (l.p[1] | 0x20) == 'x')
		return true;
	for (size_t i = 0; i < l.n; i++) {
		if (!is_digit(l.p[i]))
			return false;
	}
	return true;
}

bool tls_name_ok(struct span name)
{
	struct span label = {0};
	size_t at = 0;

	if (name.n == 0 || name.n > TLS_NAME_MAX)
		return false;
	for (size_t i = 0; i <= name.n; i++) {
		if (i < name.n && name.p[i] != '.')
			continue;
		label = span_sub(name, at, i - at);
		if (!label_ok(label))
			return false;
		at = i + 1;
	}
	return !is_number(label);
}

/* --- extensions ------------------------------------------------------------------ */

struct extension {
	uint16_t type;
	struct span data;
};

/* All of them, each once. */
static int split(const struct tls_hello *h, struct cur *c,
		 struct extension to[TLS_EXT_MAX], uint32_t *n, struct err *e)
{
	unsigned grease = 0;

	while (cur_left(c)) { /* at most TLS_EXT_MAX */
		struct extension x = {.type = cur_u16(c)};

		x.data = cur_take(c, cur_u16(c));
		if (!cur_ok(c))
			return bad(e, REASON_MALFORMED,
				   "length of an extension");
		for (uint32_t i = 0; i < *n; i++) {
			if (to[i].type == x.type)
				return bad(e, REASON_SUSPICIOUS,
					   "an extension that comes twice");
		}
		grease += tls_is_grease(x.type);
		if (*n == TLS_EXT_MAX || grease > GREASE_MAX)
			return bad(e, REASON_TOO_MANY_UNITS, "extensions");
		to[(*n)++] = x;
		/* RFC 8446 4.2.11: what binds it covers all in front. */
		if (h->client && x.type == EXT_PRE_SHARED_KEY && cur_left(c))
			return bad(e, REASON_SUSPICIOUS,
				   "an extension behind the last one");
	}
	return 0;
}

static int read_extensions(struct tls_hello *h, struct cur *c,
			   struct arena *arena, struct err *e)
{
	struct extension all[TLS_EXT_MAX];
	uint32_t n = 0;
	int rc = split(h, c, all, &n, e);

	for (uint32_t i = 0; i < n && h->in == TLS_IN_OLD; i++) {
		if (all[i].type == EXT_VERSIONS)
			h->in = TLS_IN_NEW;
	}
	for (uint32_t i = 0; i < n && rc == 0; i++) {
		struct cur data = cur_of(all[i].data);

		rc = tls_extension_read(h, all[i].type, &data, arena, e);
	}
	if (rc == 0 && h->unchecked > TLS_UNCHECKED_MAX)
		return bad(e, REASON_TOO_LONG,
			   "more than may go unchecked in a hello");
	return rc;
}

/* --- hellos ---------------------------------------------------------------------- */

/* RFC 8446 4.1.3: the hash that marks a request for another hello. */
static const uint8_t retry_random[RANDOM] = {
	0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c,
	0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb,
	0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
};

/* IANA, TLS Cipher Suites, and values of the same field that are none: what a
 * client can do (RFC 5746, 7507). */
static bool suite_ok(uint16_t v)
{
	static const struct {
		uint16_t from, to;
	} rows[] = {
		{0x0001, 0x006d}, {0x0084, 0x00c7}, {0x00ff, 0x00ff},
		{0x1301, 0x1307}, {0x5600, 0x5600}, {0xc001, 0xc0b7},
		{0xc100, 0xc107}, {0xcca8, 0xccae}, {0xd001, 0xd005},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (v >= rows[i].from && v <= rows[i].to)
			return true;
	}
	return false;
}

static int suites_ok(struct span suites, struct err *e)
{
	struct cur c = cur_of(suites);

	if (suites.n > 2 * TLS_SUITES_MAX)
		return bad(e, REASON_TOO_MANY_UNITS, "suites");
	for (size_t at = 0; at < suites.n; at += 2) { /* TLS_SUITES_MAX */
		uint16_t v = cur_u16(&c);

		if (!suite_ok(v) && !tls_is_grease(v))
			return bad(e, REASON_SUSPICIOUS,
				   "a suite that is not assigned");
		for (size_t k = 0; k < at; k += 2) {
			if (span_eq(span_sub(suites, k, 2),
				    span_sub(suites, at, 2)))
				return bad(e, REASON_SUSPICIOUS,
					   "a suite that comes twice");
		}
	}
	return 0;
}

/* None, DEFLATE, LZS (RFC 3749, 3943), each once. */
static int compress_ok(struct span compress, struct err *e)
{
	for (size_t i = 0; i < compress.n; i++) { /* at most 3 are */
		uint8_t v = compress.p[i];

		if ((v > 1 && v != 64) || memchr(compress.p, v, i))
			return bad(e, REASON_SUSPICIOUS, "compressions");
	}
	return memchr(compress.p, 0, compress.n) ?
		       0 :
		       bad(e, REASON_SUSPICIOUS, "must be compressed");
}

/* CipherSuite cipher_suites<2..2^16-2>; opaque legacy_compression<1..2^8-1> */
static int client_lists(struct tls_hello *h, struct cur *c,
			size_t *compressions, struct err *e)
{
	struct span compress;
	int rc;

	h->suites = cur_take(c, cur_u16(c));
	compress = cur_take(c, cur_u8(c));
	*compressions = compress.n;
	if (!cur_ok(c) || h->suites.n == 0 || h->suites.n % 2 ||
	    compress.n == 0)
		return bad(e, REASON_MALFORMED, "suites or compressions");
	rc = suites_ok(h->suites, e);
	return rc ? rc : compress_ok(compress, e);
}

static int server_lists(struct tls_hello *h, struct cur *c, struct err *e)
{
	struct cur suite;

	h->suites = cur_take(c, 2);
	suite = cur_of(h->suites);
	if (cur_u8(c) != 0 && cur_ok(c))
		return bad(e, REASON_SUSPICIOUS, "compressed");
	if (!cur_ok(c))
		return bad(e, REASON_MALFORMED, "cut short");
	return suite_ok(cur_u16(&suite)) ?
		       0 :
		       bad(e, REASON_SUSPICIOUS, "a suite that is not assigned");
}

/* Without the extension, the field in front says it (RFC 5246 E.1). */
static int settle_versions(struct tls_hello *h, size_t compressions,
			   struct err *e)
{
	uint16_t v = h->legacy_version;

	if (v < TLS_1_0)
		return bad(e, REASON_LEGACY, "SSL");
	if (v > TLS_1_2)
		return bad(e, REASON_SUSPICIOUS, "version");
	if (!h->listed) {
		/* A client takes any up to its own. */
		unsigned all = (2u << (v - TLS_1_0)) - 1;

		h->versions = (uint8_t)(h->client ? all :
						    all ^ all >> 1);
		return h->retry || h->early
			       ? bad(e, REASON_SUSPICIOUS,
				     "of version 1.3 without saying so")
			       : 0;
	}
	if (v != TLS_1_2)
		return bad(e, REASON_SUSPICIOUS,
			   "the versions contradict each other");
	if (tls_highest(h->versions) == TLS_1_3 && compressions > 1)
		return bad(e, REASON_SUSPICIOUS, "compression with 1.3");
	return 0;
}

int tls_hello_read(struct tls_hello *h, struct span msg, struct arena *arena,
		   struct err *e)
{
	struct cur c = cur_of(msg), body;
	size_t compressions = 1;
	uint8_t type = cur_u8(&c);
	int rc;

	*h = (struct tls_hello){.client = type == TLS_CLIENT_HELLO};
	body = cur_sub(&c, cur_be(&c, 3));
	if (!cur_done(&c))
		return bad(e, REASON_MALFORMED, "length of the message");
	if (type != TLS_CLIENT_HELLO && type != TLS_SERVER_HELLO)
		return bad(e, REASON_SESSION_STATE, "not a hello");
	h->legacy_version = cur_u16(&body);
	h->random = cur_take(&body, RANDOM);
	h->session = cur_take(&body, cur_u8(&body));
	if (!cur_ok(&body) || h->session.n > SESSION_ID_MAX)
		return bad(e, REASON_MALFORMED, "session");
	h->unchecked = (uint32_t)(h->random.n + h->session.n);
	h->retry = !h->client &&
		   span_eq(h->random, span_of(retry_random, RANDOM));
	h->in = h->client  ? TLS_IN_CLIENT :
		h->retry   ? TLS_IN_RETRY :
			     TLS_IN_OLD;
	rc = h->client ? client_lists(h, &body, &compressions, e) :
			 server_lists(h, &body, e);
	if (rc)
		return rc;
	if (cur_left(&body)) { /* older ones may have no extensions at all */
		struct cur ext = cur_sub(&body, cur_u16(&body));

		if (!cur_done(&body))
			return bad(e, REASON_MALFORMED,
				   "length of the extensions");
		rc = read_extensions(h, &ext, arena, e);
	}
	return rc ? rc : settle_versions(h, compressions, e);
}
