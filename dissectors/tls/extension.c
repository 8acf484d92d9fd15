/* SPDX-License-Identifier: Apache-2.0 */
/* What may stand in each extension of a hello (extensions.def). */
#include "core/reason.h"
#include "dissectors/tls/hello.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

#define IDENTITIES   4	  /* of pre-shared keys */
#define SHARES	     4	  /* keys of one hello, and one of GREASE */
#define COOKIE_MAX   512
#define SETTINGS_SENT "\0\3\2h2"
/* OCSP, nobody who answers in particular, no extension (RFC 6066 8); and the
 * same of several (RFC 6961 2.2). */
#define OCSP	  "\1\0\0\0\0"
#define OCSP_LIST "\0\7\2\0\4\0\0\0\0"

struct values {
	uint16_t from, to;
};

static int bad(struct err *e, enum reason why, const char *what)
{
	return err_reason(e, E_SYNTAX, (int)why, 0, "%s", what);
}

bool tls_is_grease(uint16_t v)
{
	return (v & 0x0f0f) == 0x0a0a && v >> 8 == (v & 0xff);
}

/* --- lists ------------------------------------------------------------------- */

static bool assigned(const struct values *of, size_t n, uint16_t v)
{
	for (size_t i = 0; i < n; i++) {
		if (v >= of[i].from && v <= of[i].to)
			return true;
	}
	return false;
}

/* A list whose length has as many octets as head, of values with as many as
 * each: assigned ones or GREASE, none twice. */
static int list(struct cur *c, size_t head, size_t each,
		const struct values *of, size_t n, struct err *e)
{
	struct cur in = cur_sub(c, cur_be(c, head));
	struct span all = span_sub(in.in, 0, cur_left(&in));

	if (!cur_done(c) || all.n == 0 || all.n % each)
		return bad(e, REASON_MALFORMED, "length of a list");
	for (size_t at = 0; at < all.n; at += each) { /* at most 48 times */
		uint16_t v = (uint16_t)cur_be(&in, each);

		if (!assigned(of, n, v) && !(each == 2 && tls_is_grease(v)))
			return bad(e, REASON_SUSPICIOUS,
				   "a value that is not assigned");
		for (size_t k = 0; k < at; k += each) {
			if (span_eq(span_sub(all, k, each),
				    span_sub(all, at, each)))
				return bad(e, REASON_SUSPICIOUS,
					   "a value that comes twice");
		}
	}
	return 0;
}

/* IANA, TLS Supported Groups: curves, finite fields, ML-KEM and hybrids. */
static const struct values group_values[] = {
	{0x0001, 0x0029}, {0x0100, 0x0104}, {0x0200, 0x0202},
	{0x11eb, 0x11ed}, {0x6399, 0x639a}, {0xff01, 0xff02},
};

/* IANA, TLS SignatureScheme, and pairs of hash and signature before. */
static const struct values scheme_values[] = {
	{0x0101, 0x0103}, {0x0201, 0x0203}, {0x0301, 0x0303},
	{0x0401, 0x0403}, {0x0420, 0x0420}, {0x0501, 0x0503},
	{0x0520, 0x0520}, {0x0601, 0x0603}, {0x0620, 0x0620},
	{0x0704, 0x070f}, {0x0804, 0x080b}, {0x081a, 0x081c},
	{0x0840, 0x0841}, {0x0904, 0x0906}, {0x0911, 0x0919},
	{0xeded, 0xefef},
};

#define ARGS                                                                   \
	struct tls_hello *h, struct cur *c, struct arena *arena, struct err *e
#define UNUSED (void)h, (void)arena

static int groups(ARGS)
{
	UNUSED;
	return list(c, 2, 2, group_values, COUNT(group_values), e);
}

static int schemes(ARGS)
{
	UNUSED;
	return list(c, 2, 2, scheme_values, COUNT(scheme_values), e);
}

static int point_formats(ARGS)
{
	static const struct values of[] = {{0, 2}};

	UNUSED;
	return list(c, 1, 1, of, COUNT(of), e);
}

static int compressions(ARGS)
{
	static const struct values of[] = {{1, 3}};

	UNUSED;
	return list(c, 1, 2, of, COUNT(of), e);
}

/* With those of RFC 8701. */
static int modes(ARGS)
{
	static const struct values of[] = {
		{0, 1},	      {0x0b, 0x0b}, {0x2a, 0x2a},
		{0x49, 0x49}, {0x68, 0x68}, {0x87, 0x87},
		{0xa6, 0xa6}, {0xc5, 0xc5}, {0xe4, 0xe4}};

	UNUSED;
	return list(c, 1, 1, of, COUNT(of), e);
}

/* --- one value ------------------------------------------------------------- */

static int one(struct cur *c, size_t octets, uint64_t from, uint64_t to,
	       struct err *e)
{
	uint64_t v = cur_be(c, octets);

	if (!cur_done(c))
		return bad(e, REASON_MALFORMED, "length of an extension");
	return v >= from && v <= to ? 0 : bad(e, REASON_SUSPICIOUS,
					      "a value that is not assigned");
}

static int exactly(struct cur *c, const char *text, size_t n, struct err *e)
{
	struct span s = cur_take(c, cur_left(c));

	return span_eq(s, span_of(text, n)) ?
		       0 :
		       bad(e, REASON_SUSPICIOUS,
			   "an extension that says more than it may");
}

static int nothing(ARGS)
{
	UNUSED;
	return exactly(c, "", 0, e);
}

static int fragment_length(ARGS)
{
	UNUSED;
	return one(c, 1, 1, 4, e);
}

static int heartbeat(ARGS)
{
	UNUSED;
	return one(c, 1, 1, 2, e);
}

static int size_limit(ARGS)
{
	UNUSED;
	return one(c, 2, 64, (1 << 14) + 1, e);
}

static int renegotiation(ARGS)
{
	UNUSED;
	return one(c, 1, 0, 0, e);
}

static int status_request(ARGS)
{
	UNUSED;
	return h->client ? exactly(c, OCSP, sizeof(OCSP) - 1, e) :
			   exactly(c, "", 0, e);
}

static int status_request_v2(ARGS)
{
	UNUSED;
	return exactly(c, OCSP_LIST, sizeof(OCSP_LIST) - 1, e);
}

static int settings(ARGS)
{
	UNUSED;
	return exactly(c, SETTINGS_SENT, sizeof(SETTINGS_SENT) - 1, e);
}

static int certificate_type(ARGS)
{
	static const struct values of[] = {{0, 3}};

	UNUSED;
	return h->client ? list(c, 1, 1, of, COUNT(of), e) :
			   one(c, 1, 0, 3, e);
}

/* RFC 7685 3 */
static int padding(ARGS)
{
	struct span s = cur_take(c, cur_left(c));

	UNUSED;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i])
			return bad(e, REASON_SUSPICIOUS,
				   "padding that is not zero");
	}
	return 0;
}

/* --- what is told ---------------------------------------------------------- */

static int lower_copy(struct span *to, struct span s, struct arena *arena,
		      struct err *e)
{
	uint8_t text[TLS_NAME_MAX];

	for (size_t i = 0; i < s.n; i++)
		text[i] = s.p[i] >= 'A' && s.p[i] <= 'Z' ? s.p[i] | 0x20
							 : s.p[i];
	*to = arena_copy(arena, span_of(text, s.n));
	return to->p ? 0 : bad(e, REASON_RESOURCE, "no room for the name");
}

/* ServerNameList, RFC 6066 3: one name, of the only type there is. A server
 * says with an empty one that it took the name. */
static int server_name(ARGS)
{
	struct cur list;
	struct span name;

	if (!h->client)
		return cur_done(c) ? 0 : bad(e, REASON_MALFORMED,
					     "a name from the server");
	list = cur_sub(c, cur_u16(c));
	if (!cur_done(c))
		return bad(e, REASON_MALFORMED, "length of the list of names");
	if (cur_u8(&list) != 0 && cur_ok(&list))
		return bad(e, REASON_SUSPICIOUS, "a name of another type");
	name = cur_take(&list, cur_u16(&list));
	if (!cur_ok(&list))
		return bad(e, REASON_MALFORMED, "length of the name");
	if (!cur_done(&list))
		return bad(e, REASON_SUSPICIOUS, "more than one name");
	if (!tls_name_ok(name))
		return bad(e, REASON_MALFORMED, "not a host name");
	return lower_copy(&h->name, name, arena, e);
}

static bool alpn_ok(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] <= 0x20 || s.p[i] >= 0x7f)
			return false;
	}
	return s.n > 0;
}

/* ProtocolNameList, RFC 7301 3.1; of a server exactly one. */
static int alpn(ARGS)
{
	struct cur list = cur_sub(c, cur_u16(c));
	struct span s;

	if (!cur_done(c) || cur_left(&list) == 0)
		return bad(e, REASON_MALFORMED, "length of the ALPN list");
	while (cur_left(&list)) { /* at most TLS_ALPN_MAX, and what is GREASE */
		s = cur_take(&list, cur_u8(&list));
		if (!cur_ok(&list) || s.n == 0)
			return bad(e, REASON_MALFORMED, "a protocol of ALPN");
		if (s.n == 2 && tls_is_grease((uint16_t)(s.p[0] << 8 | s.p[1])))
			continue;
		if (!alpn_ok(s))
			return bad(e, REASON_SUSPICIOUS,
				   "odd octets in a protocol of ALPN");
		if (h->n_alpn == TLS_ALPN_MAX)
			return bad(e, REASON_TOO_MANY_UNITS,
				   "protocols of ALPN");
		s = arena_copy(arena, s);
		if (!s.p)
			return bad(e, REASON_RESOURCE, "no room for ALPN");
		h->alpn[h->n_alpn++] = s;
	}
	return h->client || h->n_alpn == 1
		       ? 0
		       : bad(e, REASON_SUSPICIOUS, "ALPN from the server");
}

/* RFC 8446 4.2.1. A server that chooses an older version sends none. */
static int versions(ARGS)
{
	static const struct values of[] = {{0x0300, TLS_1_3}};
	struct cur in = *c;
	int rc;

	UNUSED;
	h->listed = true;
	if (!h->client) {
		h->versions = 1 << (TLS_1_3 - TLS_1_0);
		return one(c, 2, TLS_1_3, TLS_1_3, e);
	}
	rc = list(c, 1, 2, of, COUNT(of), e);
	(void)cur_u8(&in);
	while (rc == 0 && cur_left(&in)) { /* at most 16 */
		uint16_t v = cur_u16(&in);

		if (v >= TLS_1_0 && v <= TLS_1_3)
			h->versions |= (uint8_t)(1 << (v - TLS_1_0));
	}
	return rc || h->versions ? rc : bad(e, REASON_SUSPICIOUS,
					    "no version that is known");
}

/* RFC 8446 4.2.10 */
static int early_data(ARGS)
{
	UNUSED;
	h->early = true;
	return cur_done(c) ? 0 : bad(e, REASON_MALFORMED, "early data");
}

/* --- what nobody can check --------------------------------------------------- */

static int timestamps(ARGS)
{
	UNUSED;
	if (h->client)
		return exactly(c, "", 0, e);
	h->unchecked += (uint32_t)cur_left(c);
	(void)cur_sub(c, cur_u16(c));
	return cur_done(c) ? 0 : bad(e, REASON_MALFORMED, "length of a list");
}

static int ticket(ARGS)
{
	UNUSED;
	h->unchecked += (uint32_t)cur_left(c);
	(void)cur_take(c, h->client ? cur_left(c) : 0);
	return cur_done(c) ? 0 : bad(e, REASON_SUSPICIOUS,
				     "a ticket in a server's hello");
}

static int cookie(ARGS)
{
	UNUSED;
	h->cookie = cur_take(c, cur_u16(c));
	h->unchecked += h->client ? 0 : (uint32_t)h->cookie.n;
	return cur_done(c) && h->cookie.n && h->cookie.n <= COOKIE_MAX ?
		       0 :
		       bad(e, REASON_MALFORMED, "length of a cookie");
}

/* RFC 8446 4.2.11 */
static int pre_shared_key(ARGS)
{
	struct cur ids, binders;
	unsigned n = 0;

	UNUSED;
	if (!h->client)
		return one(c, 2, 0, IDENTITIES - 1, e);
	ids = cur_sub(c, cur_u16(c));
	binders = cur_sub(c, cur_u16(c));
	if (!cur_done(c) || cur_left(&ids) == 0)
		return bad(e, REASON_MALFORMED, "length of a list of keys");
	for (; cur_left(&ids) && n <= IDENTITIES; n++) {
		struct span id = cur_take(&ids, cur_u16(&ids));
		size_t mac;

		(void)cur_u32(&ids);
		mac = cur_u8(&binders);
		(void)cur_take(&binders, mac);
		h->unchecked += (uint32_t)(id.n + 4 + mac);
		/* Of SHA-256 and SHA-384. */
		if (!cur_ok(&ids) || !cur_ok(&binders) || id.n == 0 ||
		    (mac != 32 && mac != 48))
			return bad(e, REASON_MALFORMED, "a pre-shared key");
	}
	if (n > IDENTITIES)
		return bad(e, REASON_TOO_MANY_UNITS, "pre-shared keys");
	return cur_done(&binders) ? 0 : bad(e, REASON_MALFORMED,
					    "more binders than keys");
}

/* Octets of a key, of the client and of the server. point: it begins as one of
 * a curve that is not compressed. */
static const struct {
	uint16_t group, client, server;
	bool point;
} keys[] = {
	{0x0017, 65,   65,   true },
	{0x0018, 97,   97,   true },
	{0x0019, 133,  133,  true },
	{0x001d, 32,   32,   false},
	{0x001e, 56,   56,   false},
	{0x001f, 65,   65,   true },
	{0x0020, 97,   97,   true },
	{0x0021, 129,  129,  true },
	{0x0029, 65,   65,   true },
	{0x0100, 256,  256,  false},
	{0x0101, 384,  384,  false},
	{0x0102, 512,  512,  false},
	{0x0103, 768,  768,  false},
	{0x0104, 1024, 1024, false},
	{0x0200, 800,  768,  false},
	{0x0201, 1184, 1088, false},
	{0x0202, 1568, 1568, false},
	{0x11eb, 1249, 1153, true },
	{0x11ec, 1216, 1120, false},
	{0x11ed, 1665, 1665, true },
	{0x6399, 1216, 1120, false},
};

static bool key_ok(bool client, uint16_t group, struct span key)
{
	for (size_t i = 0; i < COUNT(keys); i++) {
		if (keys[i].group == group)
			return key.n == (client ? keys[i].client :
						  keys[i].server) &&
			       (!keys[i].point || key.p[0] == 4);
	}
	return client && tls_is_grease(group) && key.n == 1 && key.p[0] == 0;
}

/* RFC 8446 4.2.8 */
static int key_share(ARGS)
{
	uint16_t seen[SHARES + 1];
	unsigned n = 0;
	struct cur in = *c;

	UNUSED;
	if (h->in == TLS_IN_RETRY) {
		uint16_t group = cur_u16(c);

		return cur_done(c) && assigned(group_values,
					       COUNT(group_values), group) ?
			       0 :
			       bad(e, REASON_SUSPICIOUS, "group of a key");
	}
	if (h->client) {
		in = cur_sub(c, cur_u16(c));
		if (!cur_done(c))
			return bad(e, REASON_MALFORMED, "length of the keys");
	}
	for (; cur_left(&in) && n <= SHARES; n++) {
		uint16_t group = cur_u16(&in);
		struct span key = cur_take(&in, cur_u16(&in));

		if (!cur_ok(&in))
			return bad(e, REASON_MALFORMED, "length of a key");
		if (!key_ok(h->client, group, key))
			return bad(e, REASON_SUSPICIOUS,
				   "a key of no group, or not of its length");
		for (unsigned i = 0; i < n; i++) {
			if (seen[i] == group)
				return bad(e, REASON_SUSPICIOUS,
					   "two keys of a group");
		}
		seen[n] = group;
		h->unchecked += (uint32_t)key.n;
	}
	if (cur_left(&in))
		return bad(e, REASON_TOO_MANY_UNITS, "keys");
	return h->client || n == 1 ? 0 : bad(e, REASON_MALFORMED,
					     "keys of a server");
}

/* RFC 9849 5: of the outer hello; a server's says that it took it. */
static int encrypted(ARGS)
{
	struct span enc, payload;
	uint8_t type;

	UNUSED;
	h->unchecked += (uint32_t)cur_left(c);
	if (!h->client)
		return cur_left(c) == 8 ? 0 : bad(e, REASON_MALFORMED,
						  "length of an answer to ECH");
	h->encrypted = true;
	type = cur_u8(c);
	(void)cur_u16(c); /* how it is sealed */
	(void)cur_u16(c);
	(void)cur_u8(c); /* with which key */
	enc = cur_take(c, cur_u16(c));
	payload = cur_take(c, cur_u16(c));
	if (!cur_done(c) || type != 0 || payload.n == 0)
		return bad(e, REASON_MALFORMED, "a sealed hello");
	/* Of X25519 and P-256; none the second time. */
	return enc.n == 0 || enc.n == 32 || enc.n == 65 ?
		       0 :
		       bad(e, REASON_SUSPICIOUS, "a key of no group");
}

/* --- the table --------------------------------------------------------------- */

#define CLIENT TLS_IN_CLIENT
#define OLD    TLS_IN_OLD
#define NEW    TLS_IN_NEW
#define RETRY  TLS_IN_RETRY

static const struct {
	uint16_t type, octets;
	uint8_t where;
	int (*read)(ARGS);
} rows[] = {
#define X(type, name, where, octets, read, what) {type, octets, where, read},
#include "dissectors/tls/extensions.def"
#undef X
};

_Static_assert(COUNT(rows) <= 64, "tls_hello.has has a bit for each");

/* Of no meaning, so nothing may be said by it. */
static int grease(const struct tls_hello *h, struct cur *c, struct err *e)
{
	struct span s = cur_take(c, cur_left(c));

	return h->client && (s.n == 0 || (s.n == 1 && s.p[0] == 0)) ?
		       0 :
		       bad(e, REASON_SUSPICIOUS,
			   "octets in an extension of no meaning");
}

uint64_t tls_unasked(void)
{
	uint64_t set = 0;

	for (size_t i = 0; i < COUNT(rows); i++) {
		/* A suite says it (RFC 5746 3.3); a server begins with it. */
		if (rows[i].type == 0xff01 || rows[i].type == 0x002c)
			set |= UINT64_C(1) << i;
	}
	return set;
}

int tls_extension_read(struct tls_hello *h, uint16_t type, struct cur *c,
		       struct arena *arena, struct err *e)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (rows[i].type != type)
			continue;
		if (!(rows[i].where & h->in))
			return bad(e, REASON_SUSPICIOUS,
				   "an extension of another message");
		if (cur_left(c) > rows[i].octets)
			return bad(e, REASON_TOO_LONG,
				   "an extension longer than its kind is");
		h->has |= UINT64_C(1) << i;
		return rows[i].read(h, c, arena, e);
	}
	if (tls_is_grease(type))
		return grease(h, c, e);
	return bad(e, REASON_UNKNOWN_EXTENSION,
		   "an extension that is in no table");
}
