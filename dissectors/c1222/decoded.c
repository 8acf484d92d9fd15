/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoded values as one JSON object. Values of one name need not follow each
 * other in a table (registers come in blocks), so the data are read once for
 * the names and once more for each of them; only for people who asked.
 */
#include "core/json.h"
#include "dissectors/c1222/tables.h"

#define NAMES_MAX   32 /* of one table; ST-0 has 25 */
#define DECODED_MAX (64 * 1024)
#define DATE_OCTETS (sizeof("2023-11-15T00:15:00") - 1)

struct name {
	const char *text;
	unsigned depth; /* of its lists: 0, 1 or 2 */
};

struct names {
	struct name v[NAMES_MAX];
	unsigned n;
	bool too_many;
	int32_t first; /* block; -1 = none yet */
};

static unsigned depth_of(const struct c1219_value *v)
{
	if (v->index[1] >= 0)
		return 2;
	return v->index[0] >= 0 || v->form == C1219_MEMBER ? 1 : 0;
}

static void collect(void *arg, const struct c1219_value *v)
{
	struct names *n = arg;

	if (v->index[0] >= 0 && (n->first < 0 || v->index[0] < n->first))
		n->first = v->index[0];
	for (unsigned i = 0; i < n->n; i++) {
		if (strcmp(n->v[i].text, v->name) == 0)
			return;
	}
	if (n->n == NAMES_MAX)
		n->too_many = true;
	else
		n->v[n->n++] = (struct name){v->name, depth_of(v)};
}

/* One name being written. A place whose value could not be read is null. */
struct writer {
	struct json *j;
	const struct name *name;
	bool open;     /* the list of block `block` */
	int32_t block; /* next one, or the one that is open */
	int32_t next;  /* place in it */
};

static void put_value(struct json *j, const struct c1219_value *v)
{
	char when[CLOCK_TEXT];

	if (v->is_time && v->v >= 0 && v->v <= UINT32_MAX) {
		clock_eve(when, (struct wall){.us = v->v * US_PER_S});
		json_text(j, NULL, span_of(when, DATE_OCTETS));
	} else if (v->form == C1219_TEXT) {
		json_text(j, NULL, v->text);
	} else if (v->form == C1219_BCD) {
		json_hex(j, NULL, v->text);
	} else {
		json_i64(j, NULL, v->v);
	}
}

/* Up to that place: at most as many as the layout has. */
static void skip_to(struct writer *w, int32_t *at, int32_t place)
{
	for (; *at < place && !w->j->w.failed; ++*at)
		json_null(w->j, NULL);
	++*at;
}

static void enter_block(struct writer *w, int32_t block)
{
	if (w->open && w->block == block)
		return;
	if (w->open) {
		json_arr_end(w->j);
		w->block++;
	}
	for (; w->block < block && !w->j->w.failed; w->block++)
		json_null(w->j, NULL);
	json_arr(w->j, NULL);
	w->open = true;
	w->next = 0;
}

static void write_one(void *arg, const struct c1219_value *v)
{
	struct writer *w = arg;

	if (strcmp(w->name->text, v->name) != 0)
		return;
	if (w->name->depth == 2) {
		enter_block(w, v->index[0]);
		skip_to(w, &w->next, v->index[1]);
	} else if (w->name->depth == 1 && v->form != C1219_MEMBER) {
		skip_to(w, &w->block, v->index[0]);
	}
	put_value(w->j, v);
}

static int write_all(const struct c1219_shape *s, const struct c1219_part *part,
		     struct span data, const struct names *names,
		     struct json *j)
{
	json_obj(j, NULL);
	if (names->first > 0)
		json_i64(j, "first", names->first);
	for (unsigned i = 0; i < names->n; i++) {
		struct writer w = {.j = j,
				   .name = &names->v[i],
				   .block =
					   names->first > 0 ? names->first : 0};
		int rc;

		if (w.name->depth)
			json_arr(j, w.name->text);
		else
			json_key(j, span_str(w.name->text));
		rc = c1219_values(s, part, data, write_one, &w);
		if (rc)
			return rc;
		if (w.open)
			json_arr_end(j);
		if (w.name->depth)
			json_arr_end(j);
	}
	json_obj_end(j);
	return j->w.failed ? E_NOMEM : 0;
}

int c1219_decoded(const struct c1219_shape *s, const struct c1219_part *part,
		  struct span data, struct arena *arena, struct span *out)
{
	struct names names = {.first = -1};
	size_t mark = arena_mark(arena);
	struct json j;
	void *room;
	int rc = c1219_values(s, part, data, collect, &names);

	if (rc)
		return rc;
	room = names.too_many ? NULL : arena_alloc(arena, DECODED_MAX);
	if (!room)
		return E_NOMEM;
	j = json_of(room, DECODED_MAX);
	rc = write_all(s, part, data, &names, &j);
	if (rc) {
		arena_release(arena, mark);
		return rc;
	}
	/* What was not needed is given back. */
	arena_release(arena, arena_mark(arena) - (DECODED_MAX - j.w.n));
	*out = wbuf_span(&j.w);
	return 0;
}
