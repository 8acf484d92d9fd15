/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/checkpoint.h"

#include <stdio.h>

#include "core/base64.h"
#include "core/until.h"

void checkpoint_put(struct wbuf *w, const struct checkpoint *c)
{
	char size[24];

	snprintf(size, sizeof(size), "\n%llu\n", (unsigned long long)c->size);
	wbuf_put(w, span_str(c->origin));
	wbuf_put(w, span_str(size));
	base64_put(w, span_of(c->root, sizeof(c->root)));
	wbuf_u8(w, '\n');
}

bool checkpoint_number(struct span s, uint64_t *out)
{
	uint64_t v = 0;

	if (s.n == 0 || s.n > 19 || (s.n > 1 && s.p[0] == '0'))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = 10 * v + (uint64_t)(s.p[i] - '0');
	}
	*out = v;
	return v <= INT64_MAX;
}

int checkpoint_parse(struct checkpoint *c, struct span text, struct err *e)
{
	struct wbuf root = wbuf_of(c->root, sizeof(c->root));
	struct cur in = cur_of(text);
	struct span origin = cur_until(&in, '\n');
	struct span size = cur_until(&in, '\n');
	struct span hash = cur_until(&in, '\n');

	if (!cur_done(&in) || origin.n == 0 || origin.n > NOTE_NAME_MAX ||
	    memchr(origin.p, 0, origin.n) ||
	    !checkpoint_number(size, &c->size) || !base64_get(&root, hash) ||
	    root.n != sizeof(c->root))
		return err_set(e, E_SYNTAX, in.off, "not a checkpoint: origin, "
			       "size and root, one line each");
	memcpy(c->origin, origin.p, origin.n);
	c->origin[origin.n] = '\0';
	return 0;
}

int checkpoint_read(struct checkpoint *c, struct note *n, struct span octets,
		    struct err *e)
{
	int rc = note_parse(n, octets, e);

	return rc ? rc : checkpoint_parse(c, n->text, e);
}
