/* SPDX-License-Identifier: Apache-2.0 */
#include "dissectors/tls/hello.h"

#include "core/reason.h"

#define RANDOM	       32
#define SESSION_ID_MAX 32
#define LABEL_MAX      63

/* IANA, TLS ExtensionType values. */
enum {
	EXT_SERVER_NAME = 0,
	EXT_ALPN = 16,
	EXT_PRE_SHARED_KEY = 41,
	EXT_EARLY_DATA = 42,
	EXT_VERSIONS = 43,
	EXT_ECH = 0xfe0d,
	EXT_ESNI = 0xffce, /* a draft's form of the same */
};

static int bad(struct err *e, enum reason why, const char *what)
{
	return err_reason(e, E_SYNTAX, (int)why, 0, "%s", what);
}

/* RFC 8701: 0x0a0a, 0x1a1a .. 0xfafa mean nothing. */
static bool is_grease(uint16_t v)
{
	return (v & 0x0f0f) == 0x0a0a && v >> 8 == (v & 0xff);
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

/* --- extensions ------------------------------------------------------------------ */

/* ServerNameList, RFC 6066 3: one name, of the only type there is. A server
 * says with an empty one that it took the name. */
static int server_name(struct tls_hello *h, struct cur *c, struct arena *arena,
		       struct err *e)
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
static int alpn(struct tls_hello *h, struct cur *c, struct arena *arena,
		struct err *e)
{
	struct cur list = cur_sub(c, cur_u16(c));
	struct span s;

	if (!cur_done(c) || cur_left(&list) == 0)
		return bad(e, REASON_MALFORMED, "length of the ALPN list");
	while (cur_left(&list)) { /* at most TLS_ALPN_MAX, and what is GREASE */
		s = cur_take(&list, cur_u8(&list));
		if (!cur_ok(&list) || s.n == 0)
			return bad(e, REASON_MALFORMED, "a protocol of ALPN");
		if (s.n == 2 && is_grease((uint16_t)(s.p[0] << 8 | s.p[1])))
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
static int versions(struct tls_hello *h, struct cur *c, struct arena *arena,
		    struct err *e)
{
	struct cur list;

	(void)arena;
	h->listed = true;
	if (!h->client) {
		uint16_t v = cur_u16(c);

		if (!cur_done(c))
			return bad(e, REASON_MALFORMED, "version chosen");
		h->versions = 1 << (TLS_1_3 - TLS_1_0);
		return v == TLS_1_3 ? 0 : bad(e, REASON_SUSPICIOUS,
					      "version chosen");
	}
	list = cur_sub(c, cur_u8(c));
	if (!cur_done(c) || cur_left(&list) == 0 || cur_left(&list) % 2)
		return bad(e, REASON_MALFORMED, "length of the versions");
	while (cur_left(&list)) { /* at most 127 */
		uint16_t v = cur_u16(&list);

		if (v >= TLS_1_0 && v <= TLS_1_3)
			h->versions |= (uint8_t)(1 << (v - TLS_1_0));
	}
	return h->versions ? 0 : bad(e, REASON_SUSPICIOUS,
				     "no version that is known");
}

/* RFC 8446 4.2.10 */
static int early_data(struct tls_hello *h, struct cur *c, struct arena *arena,
		      struct err *e)
{
	(void)arena;
	h->early = h->client;
	return cur_done(c) && h->client ? 0 : bad(e, REASON_MALFORMED,
						  "early data");
}

static int encrypted(struct tls_hello *h, struct cur *c, struct arena *arena,
		     struct err *e)
{
	(void)c;
	(void)arena;
	(void)e;
	h->encrypted = h->client;
	return 0;
}

/* What is read; all others are passed over. */
static const struct {
	uint16_t type;
	int (*read)(struct tls_hello *h, struct cur *c, struct arena *arena,
		    struct err *e);
} extensions[] = {
	{EXT_SERVER_NAME, server_name},
	{EXT_ALPN,        alpn       },
	{EXT_EARLY_DATA,  early_data },
	{EXT_VERSIONS,    versions   },
	{EXT_ECH,         encrypted  },
	{EXT_ESNI,        encrypted  },
};

static int extension(struct tls_hello *h, uint16_t type, struct cur *c,
		     struct arena *arena, struct err *e)
{
	for (size_t i = 0; i < sizeof(extensions) / sizeof(*extensions); i++) {
		if (extensions[i].type == type)
			return extensions[i].read(h, c, arena, e);
	}
	return 0;
}

static int read_extensions(struct tls_hello *h, struct cur *c,
			   struct arena *arena, struct err *e)
{
	uint16_t seen[TLS_EXT_MAX];
	uint32_t n = 0;
	int rc = 0;

	while (rc == 0 && cur_left(c)) { /* at most TLS_EXT_MAX */
		uint16_t type = cur_u16(c);
		struct cur data = cur_sub(c, cur_u16(c));

		if (!cur_ok(c))
			return bad(e, REASON_MALFORMED,
				   "length of an extension");
		for (uint32_t i = 0; i < n; i++) {
			if (seen[i] == type)
				return bad(e, REASON_SUSPICIOUS,
					   "an extension that comes twice");
		}
		if (n == TLS_EXT_MAX)
			return bad(e, REASON_TOO_MANY_UNITS, "extensions");
		seen[n++] = type;
		/* RFC 8446 4.2.11: what binds it covers all in front. */
		if (h->client && type == EXT_PRE_SHARED_KEY && cur_left(c))
			return bad(e, REASON_SUSPICIOUS,
				   "an extension behind the last one");
		rc = extension(h, type, &data, arena, e);
	}
	return rc;
}

/* --- hellos ---------------------------------------------------------------------- */

/* RFC 8446 4.1.3: the hash that marks a request for another hello. */
static const uint8_t retry_random[RANDOM] = {
	0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c,
	0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb,
	0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
};

/* CipherSuite cipher_suites<2..2^16-2>; opaque legacy_compression<1..2^8-1> */
static int client_lists(struct cur *c, size_t *compressions, struct err *e)
{
	struct span suites = cur_take(c, cur_u16(c));
	struct span compress = cur_take(c, cur_u8(c));

	if (!cur_ok(c) || suites.n == 0 || suites.n % 2 || compress.n == 0)
		return bad(e, REASON_MALFORMED, "suites or compressions");
	if (!memchr(compress.p, 0, compress.n))
		return bad(e, REASON_SUSPICIOUS, "must be compressed");
	*compressions = compress.n;
	return 0;
}

static int server_lists(struct cur *c, struct err *e)
{
	(void)cur_u16(c);
	if (cur_u8(c) != 0 && cur_ok(c))
		return bad(e, REASON_SUSPICIOUS, "compressed");
	return cur_ok(c) ? 0 : bad(e, REASON_MALFORMED, "cut short");
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
	struct span random, session;
	uint8_t type = cur_u8(&c);
	int rc;

	*h = (struct tls_hello){.client = type == TLS_CLIENT_HELLO};
	body = cur_sub(&c, cur_be(&c, 3));
	if (!cur_done(&c))
		return bad(e, REASON_MALFORMED, "length of the message");
	if (type != TLS_CLIENT_HELLO && type != TLS_SERVER_HELLO)
		return bad(e, REASON_SESSION_STATE, "not a hello");
	h->legacy_version = cur_u16(&body);
	random = cur_take(&body, RANDOM);
	session = cur_take(&body, cur_u8(&body));
	if (!cur_ok(&body) || session.n > SESSION_ID_MAX)
		return bad(e, REASON_MALFORMED, "session");
	h->retry = !h->client &&
		   span_eq(random, span_of(retry_random, RANDOM));
	rc = h->client ? client_lists(&body, &compressions, e) :
			 server_lists(&body, e);
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
