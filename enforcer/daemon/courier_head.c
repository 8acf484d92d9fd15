/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of a request's head the library leaves to us: the request-target (RFC
 * 9112, 3.2) and the fields that may stand there once. By what name the gateway
 * is asked is no matter: it has none of its own, and who may ask is told by the
 * address he comes from. But a name it has to be, in a target as in Host.
 */
#include <string.h>
#include <strings.h>

#include "dissectors/http/uri.h"
#include "enforcer/daemon/courier.h"

static const char scheme[] = "http://";

static bool absolute(const char *target)
{
	return strncasecmp(target, scheme, sizeof(scheme) - 1) == 0;
}

static bool is_host(struct span authority)
{
	uint8_t octets[256];
	struct wbuf w = wbuf_of(octets, sizeof(octets));
	struct span host;
	struct err ignored;

	return uri_host(authority, &w, &host, &ignored) == 0;
}

const char *asked_bad_target(const char *target)
{
	/* It would end the names that the library gives us, so nobody would
	 * be told that he was not understood. */
	if (strstr(target, "%00"))
		return "a zero octet in the address";
	if (target[0] == '/')
		return NULL;
	if (!absolute(target))
		return "the address is neither a path nor http://HOST/PATH";
	target += sizeof(scheme) - 1;
	return is_host(span_of(target, strcspn(target, "/?")))
		       ? NULL
		       : "the host in the address is none";
}

const char *asked_path(const char *path)
{
	const char *at;

	if (!absolute(path))
		return path;
	at = strchr(path + sizeof(scheme) - 1, '/');
	return at ? at : "/";
}

void asked_field(struct asked_head *h, const char *name, const char *value)
{
	if (strcasecmp(name, "Host") == 0) {
		h->hosts++;
		/* Of nothing: the client has no name for a Unix socket. */
		h->bad_host |= value && *value && !is_host(span_str(value));
	} else if (strcasecmp(name, "Content-Length") == 0) {
		h->lengths++;
	} else if (strcasecmp(name, "Transfer-Encoding") == 0) {
		h->codings++;
	}
}

const char *asked_bad_fields(const struct asked_head *h)
{
	if (h->hosts > 1 || h->bad_host)
		return "Host: not the name of one host";
	/* Where the body ends would be for somebody else to say otherwise. */
	if (h->lengths + h->codings > 1)
		return "Content-Length or Transfer-Encoding, and once";
	return NULL;
}
