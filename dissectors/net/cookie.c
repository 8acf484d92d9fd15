/* SPDX-License-Identifier: Apache-2.0 */
#include "dissectors/net/cookie.h"

#include "core/reason.h"

static struct span client_of(struct span cookie)
{
	return span_sub(cookie, 0, COOKIE_CLIENT);
}

static struct span server_of(struct span cookie)
{
	return span_from(cookie, COOKIE_CLIENT);
}

static bool known(const struct cookie *c, struct span server)
{
	for (int i = 0; i < 2; i++) {
		if (c->n[i] && span_eq(span_of(c->given[i], c->n[i]), server))
			return true;
	}
	return false;
}

static void note(struct cookie *c, struct span server)
{
	if (server.n == 0 || span_eq(span_of(c->given[0], c->n[0]), server))
		return;
	memcpy(c->given[1], c->given[0], sizeof(c->given[1]));
	c->n[1] = c->n[0];
	memcpy(c->given[0], server.p, server.n);
	c->n[0] = (uint8_t)server.n;
}

static uint32_t find(const struct cookies *j, struct span client,
		     const struct net_addr *server)
{
	uint32_t i = 0;

	while (i < COOKIES_MAX &&
	       !(j->row[i].used && net_addr_eq(&j->row[i].server, server) &&
		 span_eq(span_of(j->row[i].client, COOKIE_CLIENT), client)))
		i++;
	return i;
}

/* A free place, or that of one of an hour ago which was not shown for longest;
 * COOKIES_MAX: there is none. */
static uint32_t room(const struct cookies *j, int64_t now_ns)
{
	uint32_t best = COOKIES_MAX;

	for (uint32_t i = 0; i < COOKIES_MAX; i++) {
		const struct cookie *c = &j->row[i];

		if (!c->used)
			return i;
		if (now_ns - c->since_ns < COOKIE_NEW_NS)
			continue;
		if (best == COOKIES_MAX || c->last_ns < j->row[best].last_ns)
			best = i;
	}
	return best;
}

int cookie_ask(struct cookies *j, struct span cookie,
	       const struct net_addr *server, int64_t now_ns, struct err *e)
{
	struct span shown = server_of(cookie);
	uint32_t i = find(j, client_of(cookie), server);

	if (i < COOKIES_MAX) {
		if (shown.n && !known(&j->row[i], shown))
			return err_reason(e, E_SYNTAX, REASON_SUSPICIOUS, 0,
					  "a cookie that no server gave");
		j->next = j->row[i];
	} else {
		i = room(j, now_ns);
		if (i == COOKIES_MAX)
			return err_reason(e, E_LIMIT, REASON_TOO_MANY_UNITS, 0,
					  "a new cookie again and again");
		j->next = (struct cookie){.used = true, .since_ns = now_ns,
					  .server = *server};
		memcpy(j->next.client, cookie.p, COOKIE_CLIENT);
		note(&j->next, shown);
	}
	j->next.last_ns = now_ns;
	j->place = i;
	j->change = true;
	return 0;
}

void cookie_given(struct cookies *j, struct span cookie,
		  const struct net_addr *server)
{
	uint32_t i = find(j, client_of(cookie), server);

	if (i == COOKIES_MAX) /* another has its place */
		return;
	j->next = j->row[i];
	note(&j->next, server_of(cookie));
	j->place = i;
	j->change = true;
}

void cookie_settle(struct cookies *j, bool passed)
{
	if (passed && j->change)
		j->row[j->place] = j->next;
	j->change = false;
}
