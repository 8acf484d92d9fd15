/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The libraries that two images of one policy were compiled with. What is used
 * of them is in the policy, so they are no part of a verdict; but another
 * library is another author's word, and whoever compares should know.
 */
#include "policy-lang/libraries.h"

#include <stdio.h>

#include "core/json.h"
#include "policy-lang/image/tell.h"

static int by_id(struct span a, struct span b)
{
	return strcmp((const char *)a.p, (const char *)b.p);
}

int libraries_compare(const struct pol_image *was, const struct pol_image *is,
		      int (*each)(void *arg, struct span id,
				  const struct lay_lib *was,
				  const struct lay_lib *is),
		      void *arg)
{
	const struct span none = {0};
	uint32_t i = 0, k = 0;
	int rc = 0;

	/* Both are sorted. */
	while (rc == 0 && (i < was->n_INCL || k < is->n_INCL)) {
		struct span x = i < was->n_INCL ? img_lib(was, i).id : none;
		struct span y = k < is->n_INCL ? img_lib(is, k).id : none;
		int order = !x.n ? 1 : !y.n ? -1 : by_id(x, y);
		const struct lay_lib *a = order <= 0 ? &was->INCL[i++] : NULL;
		const struct lay_lib *b = order >= 0 ? &is->INCL[k++] : NULL;

		if (!a || !b || a->serial != b->serial ||
		    memcmp(a->digest, b->digest, sizeof(a->digest)) != 0)
			rc = each(arg, a ? x : y, a, b);
	}
	return rc;
}

const char *library_text(char out[LIBRARY_TEXT], const struct lay_lib *l)
{
	size_t n;

	if (!l)
		return "none";
	n = (size_t)snprintf(out, LIBRARY_TEXT, "serial %llu sha256:",
			     (unsigned long long)l->serial);
	for (size_t i = 0; i < sizeof(l->digest); i++)
		n += (size_t)snprintf(out + n, LIBRARY_TEXT - n, "%02x",
				      l->digest[i]);
	return out;
}

void libraries_json(struct json *j, const struct pol_image *im)
{
	json_arr(j, "libraries");
	for (uint32_t i = 0; i < im->n_INCL; i++) {
		const struct lay_lib *l = &im->INCL[i];
		struct img_lib t = img_lib(im, i);

		json_obj(j, NULL);
		json_text(j, "id", t.id);
		json_u64(j, "serial", l->serial);
		json_hex(j, "sha256", span_of(l->digest, sizeof(l->digest)));
		json_text(j, "path", t.path);
		json_obj_end(j);
	}
	json_arr_end(j);
}

/* --- as part of a difference ------------------------------------------------- */

struct differ {
	const struct pol_image *was, *is;
	bool json, more; /* more: behind another */
};

static void put_id(struct span id)
{
	char buf[4096];
	struct wbuf w = wbuf_of(buf, sizeof(buf));

	img_put(&w, id);
	fwrite(w.p, 1, w.n, stdout);
}

static void put_lib(struct json *j, const char *key, const struct lay_lib *l)
{
	if (!l) {
		json_null(j, key);
		return;
	}
	json_obj(j, key);
	json_u64(j, "serial", l->serial);
	json_hex(j, "sha256", span_of(l->digest, sizeof(l->digest)));
	json_obj_end(j);
}

static int one_json(const struct differ *d, struct span id,
		    const struct lay_lib *was, const struct lay_lib *is)
{
	char buf[8192];
	struct json j = json_of(buf, sizeof(buf));

	json_obj(&j, NULL);
	json_str(&j, "subject", "library");
	json_text(&j, "policy", pol_image_id(d->is));
	json_text(&j, "library", id);
	put_lib(&j, "was", was);
	put_lib(&j, "is", is);
	json_obj_end(&j);
	if (!json_line(&j))
		return E_LIMIT;
	fwrite(j.w.p, 1, j.w.n, stdout);
	return 0;
}

static int one(void *arg, struct span id, const struct lay_lib *was,
	       const struct lay_lib *is)
{
	char a[LIBRARY_TEXT], b[LIBRARY_TEXT];
	struct differ *d = arg;

	if (d->json)
		return one_json(d, id, was, is);
	if (!d->more) {
		printf("\n  ");
		put_id(pol_image_id(d->is));
		printf(" is compiled with other libraries\n");
	}
	d->more = true;
	printf("    ");
	put_id(id);
	printf("\n      %s\n      -> %s\n", library_text(a, was),
	       library_text(b, is));
	return 0;
}

int diff_libraries(const struct pol_image *was, const struct pol_image *is,
		   bool json)
{
	struct differ d = {was, is, json, false};

	return libraries_compare(was, is, one, &d);
}
