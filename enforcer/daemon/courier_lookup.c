/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Single answers out of the log: checkpoints, proofs, tiles and bundles. Tiles
 * and bundles have the paths of C2SP tlog-tiles: the index in groups of three
 * digits, all but the last behind an x ("x001/x234/067"), and ".p/W" for one
 * of which only the first W are there.
 */
#include <stdlib.h>
#include <string.h>

#include "enforcer/daemon/courier.h"

#define DIGITS_MAX 7 /* groups of an index: below 2^62 */

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

/* One group of three digits at *at. */
static bool group(const char **at, uint64_t *v)
{
	const char *p = *at;

	if (!digit(p[0]) || !digit(p[1]) || !digit(p[2]))
		return false;
	*v = *v * 1000 + (uint64_t)(p[0] - '0') * 100 +
	     (uint64_t)(p[1] - '0') * 10 + (uint64_t)(p[2] - '0');
	*at = p + 3;
	return true;
}

/* There is one way to write an index: no group of zeros in front, and none that
 * comes round to another. */
static bool index_of(const char **at, uint64_t *v)
{
	int groups = 0;

	*v = 0;
	while (**at == 'x') {
		++*at;
		if (!group(at, v) || *(*at)++ != '/' || *v == 0 ||
		    *v > LOOKUP_MAX / 1000 || ++groups == DIGITS_MAX)
			return false;
	}
	return group(at, v);
}

/* ".p/W", 1 to 255, or nothing: 256. */
static bool width_of(const char *at, uint32_t *width)
{
	char *end;
	unsigned long w;

	*width = TREE_TILE;
	if (!*at)
		return true;
	if (strncmp(at, ".p/", 3) != 0 || !digit(at[3]) || at[3] == '0')
		return false;
	w = strtoul(at + 3, &end, 10);
	*width = (uint32_t)w;
	return !*end && w < TREE_TILE;
}

static bool level_of(const char **at, uint64_t *level)
{
	if (!digit(**at) || (*at)[1] != '/')
		return false;
	*level = (uint64_t)(**at - '0');
	*at += 2;
	return *level < TREE_LEVELS;
}

static bool tile_path(struct lookup *l, const char *at)
{
	static const char entries[] = "entries/";

	*l = (struct lookup){.type = "application/octet-stream"};
	if (strncmp(at, entries, sizeof(entries) - 1) == 0) {
		at += sizeof(entries) - 1;
		l->key.kind = WINDOW_BUNDLE;
		if (!index_of(&at, &l->key.a) ||
		    l->key.a > LOOKUP_MAX / STORE_BUNDLE)
			return false;
		l->key.a *= STORE_BUNDLE;
	} else {
		l->key.kind = WINDOW_TILE;
		if (!level_of(&at, &l->key.a) || !index_of(&at, &l->key.b) ||
		    l->key.b > LOOKUP_MAX / TREE_TILE)
			return false;
	}
	return width_of(at, &l->width);
}

bool lookup_of(struct lookup *l, const char *path)
{
	static const struct {
		const char *path;
		enum window_kind kind;
		const char *a, *b; /* names of the arguments */
	} rows[] = {
		{"/v1/checkpoint", WINDOW_CHECKPOINT, "size", NULL},
		{"/v1/proof/inclusion", WINDOW_INCLUSION, "index", "size"},
		{"/v1/proof/consistency", WINDOW_CONSISTENCY, "old", "size"},
	};
	static const char tiles[] = "/v1/tile/";

	if (strncmp(path, tiles, sizeof(tiles) - 1) == 0)
		return tile_path(l, path + sizeof(tiles) - 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strcmp(path, rows[i].path) != 0)
			continue;
		*l = (struct lookup){
			.key.kind = rows[i].kind,
			.width = 1,
			.type = "text/plain; charset=utf-8",
			.a = rows[i].a,
			.b = rows[i].b,
			.needs_a = rows[i].b != NULL,
		};
		return true;
	}
	return false;
}

int lookup_set(struct lookup *l, const char *name, const char *value,
	       struct err *e)
{
	bool is_a = l->a && strcmp(name, l->a) == 0;
	bool is_b = l->b && strcmp(name, l->b) == 0;

	if (!is_a && !is_b)
		return err_set(e, E_NOTFOUND, 0, "'%.40s' is no argument of "
			       "this resource", name);
	l->needs_a = l->needs_a && !is_a;
	/* Size 0 would be the last: a log of nothing has no checkpoint. */
	return courier_number(name, value ? value : "",
			      strcmp(name, "size") == 0,
			      is_a ? &l->key.a : &l->key.b, e);
}

int lookup_ready(const struct lookup *l, struct err *e)
{
	return l->needs_a ? err_set(e, E_SYNTAX, 0, "%s= is missing", l->a)
			  : 0;
}

bool lookup_there(const struct lookup *l, uint64_t size)
{
	uint64_t first = l->key.a;

	if (l->key.kind == WINDOW_TILE) {
		size >>= 8 * l->key.a;
		first = l->key.b * TREE_TILE;
	} else if (l->key.kind != WINDOW_BUNDLE) {
		return true;
	}
	return first < size && size - first >= l->width;
}

/* The first so many of what there is. */
struct span lookup_cut(const struct lookup *l, struct span octets)
{
	struct cur c = cur_of(octets);
	struct span record;

	if (l->key.kind == WINDOW_TILE)
		return span_sub(octets, 0, (size_t)l->width * SHA256_LEN);
	if (l->key.kind != WINDOW_BUNDLE)
		return octets;
	for (uint32_t i = 0; i < l->width && store_next(&c, &record); i++)
		;
	return span_sub(octets, 0, c.off);
}

bool lookup_gone(const struct lookup *l, uint64_t first)
{
	switch (l->key.kind) {
	case WINDOW_BUNDLE:
	case WINDOW_INCLUSION:
	case WINDOW_CONSISTENCY:
		return l->key.a < first;
	case WINDOW_TILE:
		return l->key.a == 0 && l->key.b < first / TREE_TILE;
	default:
		return false;
	}
}

struct lookup lookup_cosign(void)
{
	return (struct lookup){
		.key.kind = WINDOW_COSIGN, .a = "size", .needs_a = true};
}

unsigned lookup_refusal(int rc, const char **why)
{
	static const struct {
		int rc;
		unsigned status;
		const char *why;
	} rows[] = {
		{E_NOTFOUND, 404, "no such checkpoint"},
		{E_AUTH, 403, "of no witness that is known"},
		{E_INTEGRITY, 400, "the signature is wrong"},
		{E_SYNTAX, 400, "not one line of a signed note"},
		{E_LIMIT, 409, "the checkpoint has as many as it may have"},
		{0, 503, "it cannot be taken now"},
	};
	size_t i = 0;

	while (rows[i].rc && rows[i].rc != rc)
		i++;
	*why = rows[i].why;
	return rows[i].status;
}
