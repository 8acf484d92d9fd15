/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/daemon/telling.h"

#include <stdarg.h>
#include <stdio.h>

#define TEXT(s) (int)(s).n, (const char *)(s).p

void tell(struct telling *t, const char *fmt, ...)
{
	size_t room = t->cap - t->n;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->text + t->n, room, fmt, ap);
	va_end(ap);
	if (n > 0 && (size_t)n < room)
		t->n += (size_t)n;
	else
		t->cut = true;
	t->text[t->n] = 0;
}

static const char *subject(const struct diff_item *i)
{
	return i->what == DIFF_FLOW    ? meas_name(i->meas)
	       : i->what == DIFF_POWER ? "may switch or limit"
				       : "sealed channel";
}

void tell_item(struct telling *t, const struct diff_item *i)
{
	char a[64], b[64];

	if (i->n_row == 0)
		tell(t, "  %.*s to %.*s: %s %s\n", TEXT(i->machine),
		     TEXT(i->operator_), diff_change_name(i->change),
		     subject(i));
	for (size_t k = 0; k < i->n_row; k++) {
		const struct diff_row *r = &i->row[k];

		tell(t, "  %.*s to %.*s: %s %s, %s: %s -> %s\n",
		     TEXT(i->machine), TEXT(i->operator_),
		     diff_change_name(r->change), subject(i),
		     diff_scale_name(r->scale),
		     diff_figure(a, sizeof(a), r, false, i),
		     diff_figure(b, sizeof(b), r, true, i));
	}
}
