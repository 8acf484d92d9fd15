/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Laws of texts (section 23 of the language), over random policies:
 *
 *   1  keys of mappings in any order give the same binary apart from LOCS
 *   2  the canonical layout is stable, says the same and compiles to the same
 */
#include "policy-lang/lawworld.h"

static char text_a[64 * 1024], text_b[64 * 1024];
static struct world wa, wb;

/* Any of the kinds of file; t[0] is it. */
static void make_any(struct draws *d, struct lt *t, const char **kind)
{
	const struct lt *of[1];

	switch (draw(d, 4)) {
	case 0:
	case 1:
		make_vendor(d, &t[0], "mdma", draw(d, 2) ? "dr" : NULL);
		*kind = "vendor";
		break;
	case 2:
		make_baseline(d, &t[0]);
		*kind = "baseline";
		break;
	default:
		make_vendor(d, &t[1], "mdma", NULL);
		of[0] = &t[1];
		make_customer(d, &t[0], of, 1);
		*kind = "customer";
		break;
	}
}

/* Everything but LOCS and the header's checksum of the section table. */
static bool same_sections(const uint8_t *a, size_t na, const uint8_t *b,
			  size_t nb)
{
	struct lay_header h, g;
	size_t at = sizeof(h);

	if (na != nb)
		return false;
	memcpy(&h, a, sizeof(h));
	memcpy(&g, b, sizeof(g));
	h.crc = g.crc = 0;
	if (memcmp(&h, &g, sizeof(h)) != 0)
		return false;
	for (size_t i = 0; i < h.n_sections; i++, at += sizeof(struct lay_section)) {
		struct lay_section s, t;

		memcpy(&s, a + at, sizeof(s));
		memcpy(&t, b + at, sizeof(t));
		if (s.type == LAY_TYPE('L', 'O', 'C', 'S'))
			s.crc = t.crc = 0;
		if (memcmp(&s, &t, sizeof(s)) != 0)
			return false;
		if (s.type != LAY_TYPE('L', 'O', 'C', 'S') &&
		    memcmp(a + s.off, b + s.off, s.len) != 0)
			return false;
	}
	return true;
}

static bool law_1(struct law *l)
{
	static struct lt t[2];
	const char *kind;
	size_t n, m;
	char why[300];

	make_any(&l->history, t, &kind);
	n = lt_write(&t[0], text_a, sizeof(text_a), NULL, false);
	m = lt_write(&t[0], text_b, sizeof(text_b), &l->history, true);
	world_free(&wa);
	world_free(&wb);
	if (!world_text(&wa, text_a, n)) {
		/* In every order it is none, and for the same reasons. */
		if (world_text(&wb, text_b, m))
			return law_broken(l, "only one order is a policy");
		if (wa.d.errors != wb.d.errors)
			return law_broken(l, "%zu errors and %zu",
					  wa.d.errors, wb.d.errors);
		l->saw[3] = true;
		return true;
	}
	l->saw[0] = strcmp(kind, "vendor") == 0;
	l->saw[1] = strcmp(text_a, text_b) != 0;
	l->saw[2] = lt_count(&t[0], lt_get(&t[0], 1, "allow")) > 1 ||
		    !l->saw[0];
	law_tell(l, "---\n%s---\n%s", text_a, text_b);
	if (!world_text(&wb, text_b, m)) {
		world_why(&wb, why, sizeof(why));
		return law_broken(l, "in another order: %s", why);
	}
	if (wa.d.warnings != wb.d.warnings || wa.d.infos != wb.d.infos)
		return law_broken(l, "%zu warnings and %zu", wa.d.warnings,
				  wb.d.warnings);
	if (!same_sections(wa.octets[0], wa.n_octets[0], wb.octets[0],
			   wb.n_octets[0]))
		return law_broken(l, "another binary");
	return true;
}

static bool law_2(struct law *l)
{
	static struct lt t[2];
	static struct diags d;
	char *out = NULL, *again = NULL, why[300];
	const char *kind;
	size_t n, n_out = 0, n_again = 0;
	struct err e;
	bool held = true;

	make_any(&l->history, t, &kind);
	n = lt_write(&t[0], text_a, sizeof(text_a), &l->history, true);
	world_free(&wa);
	world_free(&wb);
	law_tell(l, "---\n%s", text_a);
	d.n = d.errors = 0;
	if (pol_format(&out, &n_out, "x", span_of(text_a, n), &d, &e))
		return law_broken(l, "no layout: %s", e.text);
	law_tell(l, "---\n%.*s", (int)n_out, out);
	l->saw[0] = n != n_out || memcmp(text_a, out, n) != 0;
	l->saw[1] = strchr(text_a, '#') != NULL;
	if (pol_format(&again, &n_again, "x", span_of(out, n_out), &d, &e) ||
	    n_again != n_out || memcmp(out, again, n_out) != 0)
		held = law_broken(l, "laid out again it is another");
	if (held && world_text(&wa, text_a, n)) {
		l->saw[2] = true;
		if (!world_text(&wb, out, n_out)) {
			world_why(&wb, why, sizeof(why));
			held = law_broken(l, "laid out: %s", why);
		} else if (memcmp(wa.file[0]->source_digest,
				  wb.file[0]->source_digest, 32) != 0) {
			held = law_broken(l, "another canonical source");
		} else if (!same_sections(wa.octets[0], wa.n_octets[0],
					  wb.octets[0], wb.n_octets[0])) {
			held = law_broken(l, "another binary");
		}
	}
	free(out);
	free(again);
	return held;
}

static void test_order_never_matters(void **ctx)
{
	static const struct law_share shares[] = {
		{"a vendor's", 30}, {"texts that differ", 75},
		{"several rules", 60}, {"refused in both orders", 1}, {0}};

	(void)ctx;
	law_run("law 1", law_1, shares);
}

static void test_layout(void **ctx)
{
	static const struct law_share shares[] = {
		{"not canonical", 95}, {"remarks", 60}, {"compiled", 60}, {0}};

	(void)ctx;
	law_run("law 2", law_2, shares);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_never_matters),
		cmocka_unit_test(test_layout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
