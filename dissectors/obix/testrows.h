/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of single exchanges, what each says as text, and pieces of documents. */
#ifndef DISSECTORS_OBIX_TESTROWS_H
#define DISSECTORS_OBIX_TESTROWS_H

#include "dissectors/obix/testkit.h"

#define DIM                                                                    \
	"<obj href='/u' is='obix:Unit'><obj name='dimension'>"                 \
	"<int name='kg' val='1'/><int name='m' val='2'/>"                      \
	"<int name='sec' val='-2'/></obj><real name='scale' val='3600'/></obj>"
#define KELVIN(u)                                                              \
	"<obj href='" u "' is='obix:Unit'><obj name='dimension'>"              \
	"<int name='K' val='1'/></obj></obj>"
#define RECORD(h, v)                                                           \
	"<obj><abstime name='timestamp' val='2025-11-20T" h ":00Z'/>"          \
	"<real name='value' val='" v "'/></obj>"
#define NOTED(stamp, v)                                                        \
	"<obj is='obix:HistoryRecord'><abstime name='timestamp' val='" stamp   \
	"'/><real name='value' unit='obix:units/watt' val='" v "'/></obj>"
#define HOUR(from, to)                                                         \
	"<obj><abstime name='start' val='2025-11-20T" from ":00Z'/>"           \
	"<abstime name='end' val='2025-11-20T" to ":00Z'/>"                    \
	"<int name='count' val='4'/><real name='avg' val='1'/>"                 \
	"<real name='sum' val='4'/></obj>"
#define WATT(name) "<real name='" name "' val='7' unit='obix:units/watt'/>"
#define WATTS	   WATT("c") WATT("d") WATT("e")
#define CHANNELED(h, more)                                                     \
	"<obj><abstime name='timestamp' val='2025-11-20T" h ":00Z'/>"          \
	WATT("a") WATT("b") more "</obj>"
#define HOURS "<obj is='obix:HistoryRollupOut'><list name='data'>"
#define ROLLED(n) ROLLED_UP(n, "unit='obix:units/kilowatt'/>"                   \
	"<real name='sum' val='" n "' unit='obix:units/kilowatt'/")
#define ROLLED_UP(n, more)                                                     \
	"<obj is='obix:HistoryRollupOut'><list name='data'><obj>"              \
	"<abstime name='start' val='2025-11-20T00:00:00Z'/>"                   \
	"<abstime name='end' val='2025-11-20T01:00:00Z'/>"                     \
	"<int name='count' val='" n "'/><real name='avg' val='1' " more       \
	"></obj></list></obj>"

#define T64 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl"
#define U64 "zyxwvutsrqponmlkjihgfedcbazyxwvutsrqponmlkjihgfedcbazyxwvutsrqpo"
#define READ(path, body, says)                                                 \
	"GET", path, NULL, body, false,                                        \
		"read-request " path "\nread-response " path " " says "\n"

struct kit_row {
	const char *why, *method, *path, *ask, *answer; /* NULL: none */
	bool in; /* the request comes in */
	/* Of the request, then of the answer: its leaves, or "refused for
	 * reason" where it ends. */
	const char *want;
};

/* How many rows say something else than is wanted; each is printed. The
 * machine remembers from row to row. */
static inline unsigned kit_rows(struct kit *k, const struct kit_row *rows,
				size_t n)
{
	static char got[2 * KIT_TEXT];
	unsigned bad = 0;

	for (size_t i = 0; i < n; i++) {
		const struct kit_row *x = &rows[i];
		int rc;

		memset(&k->ask, 0, sizeof(k->ask));
		k->dis.dir = x->in ? DIR_IN : DIR_OUT;
		rc = kit_ask(k, x->method, x->path,
			     x->ask ? span_str(x->ask) : (struct span){0},
			     NULL);
		strcpy(got, k->text);
		if (rc == 0 && x->answer) {
			k->dis.dir = x->in ? DIR_OUT : DIR_IN;
			rc = kit_answer(k, x->method, x->path,
					span_str(x->answer), NULL);
			strcat(got, k->text);
		}
		if (rc)
			sprintf(got + strlen(got), "refused for %s\n",
				reason_text((enum reason)k->e.reason));
		if (strcmp(got, x->want) != 0) {
			print_error("%s:\n%s, not\n%s", x->why, got, x->want);
			bad++;
		}
	}
	return bad;
}

#endif
