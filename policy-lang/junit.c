/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/junit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy-lang/replace.h"

struct junit {
	const char *path;
	char *text;
	size_t n, tests, failed;
	FILE *out; /* writes to text */
};

int junit_open(struct junit **out, const char *path, struct err *e)
{
	struct junit *j = calloc(1, sizeof(*j));

	*out = NULL;
	if (j)
		j->out = open_memstream(&j->text, &j->n);
	if (!j || !j->out) {
		free(j);
		return err_set(e, E_NOMEM, 0, "out of memory");
	}
	j->path = path;
	*out = j;
	return 0;
}

/* As the value of an attribute. Octets that XML has no place for are shown as
 * question marks. */
static void escaped(FILE *out, const char *s)
{
	for (; *s; s++) {
		switch (*s) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		case '\n':
			fputs("&#10;", out);
			break;
		default:
			putc((unsigned char)*s < 0x20 ? '?' : *s, out);
			break;
		}
	}
}

void junit_test(struct junit *j, const char *file, const char *test,
		const char *why)
{
	if (!j)
		return;
	j->tests++;
	j->failed += why != NULL;
	fputs("  <testcase classname=\"", j->out);
	escaped(j->out, file);
	fputs("\" name=\"", j->out);
	escaped(j->out, test);
	if (!why) {
		fputs("\"/>\n", j->out);
		return;
	}
	fputs("\">\n    <failure message=\"", j->out);
	escaped(j->out, why);
	fputs("\"/>\n  </testcase>\n", j->out);
}

int junit_close(struct junit *j, struct err *e)
{
	char head[200], *all = NULL;
	int rc = 0, n;
	size_t size;

	if (!j)
		return 0;
	n = snprintf(head, sizeof(head),
		     "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		     "<testsuite name=\"polc test\" tests=\"%zu\" "
		     "failures=\"%zu\">\n",
		     j->tests, j->failed);
	fputs("</testsuite>\n", j->out);
	if (fclose(j->out) == 0)
		all = malloc((size_t)n + j->n + 1);
	if (all) {
		memcpy(all, head, (size_t)n);
		memcpy(all + n, j->text, j->n);
		size = (size_t)n + j->n;
		rc = replace_file(j->path, all, size, e);
	} else {
		rc = err_set(e, E_NOMEM, 0, "out of memory");
	}
	free(all);
	free(j->text);
	free(j);
	return rc;
}
