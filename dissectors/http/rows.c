/* SPDX-License-Identifier: Apache-2.0 */
#include "core/reason.h"
#include "dissectors/http/read.h"
#include "dissectors/http/text.h"

/* One that nobody waits for, else the one that was asked first: connections
 * end without a word. */
static uint16_t victim(const struct http_machine *m)
{
	uint16_t old = 0;

	for (uint16_t i = 0; i < REQUEST_MAX; i++) {
		if (!m->row[i].live)
			return i;
		if (m->row[i].serial < m->row[old].serial)
			old = i;
	}
	return old;
}

static int fill(struct http_row *r, const struct head *h, struct err *e)
{
	struct wbuf w = wbuf_of(r->text, TEXT_MAX);
	struct span host, raw;
	struct uri u;
	int rc = uri_read(h->target, &w, &u, e);

	if (rc)
		return rc;
	if (u.absolute || u.fragment)
		return err_reason(e, E_SYNTAX, REASON_TWO_READINGS, 0,
				  "a target with an authority or a fragment");
	/* `/a/../b` and `%62` say more than the path that they are. */
	raw = text_before(h->target, '?');
	r->said = span_eq(raw, u.path) ? 0 : (uint16_t)raw.n;
	r->path_n = (uint16_t)u.path.n;
	r->has_query = u.query.p != NULL;
	r->query_n = (uint16_t)u.query.n;
	wbuf_put(&w, u.query);
	rc = uri_host(h->host, &w, &host, e);
	if (rc)
		return rc;
	r->host_n = (uint16_t)host.n;
	return 0;
}

int row_take(struct http_machine *m, const struct head *h,
	     struct http_row **row, struct err *e)
{
	uint16_t i = victim(m);
	struct http_row *r = &m->row[i];
	int rc;

	r->live = false;
	r->serial = 0;
	rc = fill(r, h, e);
	if (rc)
		return rc;
	/* 2^32 requests later a number comes again; by then nobody has it. */
	if (++m->serial == 0)
		m->serial = 1;
	r->serial = m->serial;
	r->live = true;
	r->method = h->method;
	memset(&r->ask, 0, sizeof(r->ask));
	m->row_taken = (uint16_t)(i + 1);
	*row = r;
	return 0;
}

struct http_row *row_find(struct http_machine *m, uint16_t row, uint32_t serial)
{
	struct http_row *r;

	if (row == 0 || row > REQUEST_MAX)
		return NULL;
	r = &m->row[row - 1];
	return r->live && r->serial == serial ? r : NULL;
}
