/* SPDX-License-Identifier: Apache-2.0 */
#include "dissectors/tls/clear.h"

#include "core/reason.h"

#define DUMMY  (T(TYPE_CCS) | T(TYPE_ALERT)) /* RFC 8446 D.4, 6 */
#define SEALED (DUMMY | T(TYPE_DATA))
#define ALL    (SEALED | T(TYPE_HANDSHAKE))

#define CHANGES 2 /* of cipher, in clear: one behind each server's hello */
#define ALERTS	4 /* in clear */
#define WARNING 1
#define FATAL	2
#define CLOSES	0 /* close_notify */

static int bad(struct err *e, enum reason why, const char *what)
{
	return err_reason(e, E_SYNTAX, (int)why, 0, "%s", what);
}

unsigned clear_types(enum tls_stage stage, const struct tls_side *s)
{
	if (stage == TLS_ANY)
		return ALL | T(TYPE_HEARTBEAT);
	if (s->over)
		return 0;
	if (stage == TLS_NEW)
		return s->data ? SEALED & ~T(TYPE_ALERT) : SEALED;
	if (!s->ciphered)
		return DUMMY | T(TYPE_HANDSHAKE);
	return s->finished ? ALL : T(TYPE_ALERT) | T(TYPE_HANDSHAKE);
}

static bool in_message(const struct tls_side *s)
{
	return s->rest > 0 || s->head_n > 0;
}

/* Is the whole connection, or what this side says from now on, sealed? */
static bool unread(enum tls_stage stage, const struct tls_side *s, uint8_t type)
{
	return stage == TLS_ANY || s->ciphered || type == TYPE_DATA;
}

/* What is in clear has its length. */
static bool length_ok(uint8_t type, uint16_t n)
{
	return type == TYPE_CCS	      ? n == 1 :
	       type == TYPE_ALERT     ? n == 2 :
	       type == TYPE_HANDSHAKE ? n <= TLS_PLAIN_MAX :
					true;
}

int clear_begin(enum tls_stage stage, struct tls_side *s, uint8_t type,
		uint16_t n, struct err *e)
{
	s->left = n;
	s->kind = 0;
	s->data |= type == TYPE_DATA;
	if (unread(stage, s, type)) {
		s->finished |= s->ciphered && type == TYPE_HANDSHAKE;
		return 0;
	}
	if (!length_ok(type, n))
		return bad(e, REASON_MALFORMED, "length of a record");
	if (in_message(s) && type != TYPE_HANDSHAKE)
		return bad(e, REASON_SUSPICIOUS, "a record within a message");
	if ((type == TYPE_CCS && s->changes == CHANGES) ||
	    (type == TYPE_ALERT && s->alerts == ALERTS))
		return bad(e, REASON_TOO_MANY_UNITS, "records in clear");
	s->kind = type;
	return 0;
}

/* RFC 8446 B.2, RFC 5246 7.2; IANA, TLS Alerts. */
static bool is_alert(uint8_t level, uint8_t what)
{
	static const struct {
		uint8_t from, to;
	} rows[] = {
		{0, 0},	  {10, 10}, {20, 22}, {30, 30},	  {40, 52},
		{60, 60}, {70, 71}, {80, 80}, {86, 86},	  {90, 90},
		{100, 100}, {109, 116}, {120, 121},
	};

	if (level != WARNING && level != FATAL)
		return false;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (what >= rows[i].from && what <= rows[i].to)
			return true;
	}
	return false;
}

static int alert(struct tls_side *s, uint8_t octet, struct err *e)
{
	if (s->left == 1) {
		s->head[0] = octet; /* its level */
		return 0;
	}
	if (!is_alert(s->head[0], octet))
		return bad(e, REASON_MALFORMED, "an alert that is none");
	s->alerts++;
	s->over = s->head[0] == FATAL || octet == CLOSES;
	return 0;
}

/* The octet that says that keys are used from now on; of version 1.3 it says
 * nothing (RFC 8446 D.4). */
static int change(enum tls_stage stage, struct tls_side *s, uint8_t octet,
		  struct err *e)
{
	if (octet != 1)
		return bad(e, REASON_MALFORMED, "change of cipher");
	s->changes++;
	s->ciphered = stage == TLS_OLD;
	return 0;
}

/* Messages behind the hellos of version 1.2 and older, in their order (RFC 5246
 * 7.3, RFC 5077 3.3, RFC 6066 8), each once at most. Another hello, a request
 * for one, and what is sealed there are none of them. */
static const struct {
	bool client;
	uint8_t type, rank;
	uint32_t octets;
} messages[] = {
	{false, 11, 1, 0x10000}, /* certificate */
	{false, 22, 2, 0x4000 }, /* certificate status */
	{false, 12, 3, 0x2000 }, /* server key exchange */
	{false, 13, 4, 0x4000 }, /* certificate request */
	{false, 14, 5, 0      }, /* server hello done */
	{false, 4,  6, 0x1000 }, /* new session ticket */
	{true,  11, 1, 0x10000}, /* certificate */
	{true,  16, 2, 0x1000 }, /* client key exchange */
	{true,  15, 3, 0x1000 }, /* certificate verify */
};

static int message(struct tls_side *s, bool client, struct err *e)
{
	uint32_t n = (uint32_t)s->head[1] << 16 | (uint32_t)s->head[2] << 8 |
		     s->head[3];

	for (size_t i = 0; i < sizeof(messages) / sizeof(*messages); i++) {
		if (messages[i].client != client ||
		    messages[i].type != s->head[0])
			continue;
		if (messages[i].rank <= s->rank)
			return bad(e, REASON_SESSION_STATE,
				   "a handshake message out of its order");
		if (n > messages[i].octets)
			return bad(e, REASON_TOO_LONG,
				   "a handshake message longer than its kind");
		s->rank = messages[i].rank;
		s->rest = n;
		s->head_n = 0;
		return 0;
	}
	return bad(e, REASON_SESSION_STATE,
		   "a handshake message that may not come in clear");
}

int clear_take(enum tls_stage stage, struct tls_side *s, bool client,
	       struct span in, size_t *used, struct err *e)
{
	size_t n = span_sub(in, 0, s->left).n;
	int rc = 0;

	if (s->kind == TYPE_HANDSHAKE && s->rest > 0)
		n = n < s->rest ? n : s->rest;
	else if (s->kind)
		n = 1;
	s->left = (uint16_t)(s->left - n);
	*used = n;
	if (s->kind == TYPE_CCS) {
		rc = change(stage, s, in.p[0], e);
	} else if (s->kind == TYPE_ALERT) {
		rc = alert(s, in.p[0], e);
	} else if (s->kind == TYPE_HANDSHAKE && s->rest > 0) {
		s->rest -= (uint32_t)n;
	} else if (s->kind == TYPE_HANDSHAKE) {
		s->head[s->head_n++] = in.p[0];
		if (s->head_n == sizeof(s->head))
			rc = message(s, client, e);
	}
	return rc;
}

void clear_hello(struct tls_side *s, uint16_t left)
{
	s->left = left;
	s->kind = left ? TYPE_HANDSHAKE : 0;
}

bool clear_whole(const struct tls_side *s)
{
	return s->head_n == 0 &&
	       (s->left == 0 ||
		(s->kind != TYPE_CCS && s->kind != TYPE_ALERT));
}
