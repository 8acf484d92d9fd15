/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "audit/cmd_verify.h"
#include "core/json.h"

/* Records that were read: of what was pruned, or is not in a part,
 * there are hashes, and of a log whose protected records are alone nothing. */
static uint64_t checked(const struct verify_result *r)
{
	return r->protected_only       ? r->records
	       : r->records > r->first ? r->records - r->first
				       : 0;
}

/* --- text --- */

/* Held, and signed by the log's key; more is not known. */
static void print_thinned(const struct points_thinned *t, bool part)
{
	printf("\nthe checkpoint of %llu records that you hold was not "
	       "compared: those records\n%s",
	       (unsigned long long)t->size,
	       part ? "are not in this part"
		    : "were pruned, and the log's own of that size was thinned "
		      "out");
	if (t->after)
		printf("; proved is what is\nbehind, from the log's checkpoint "
		       "of %llu records on",
		       (unsigned long long)t->after);
	if (t->before)
		printf(" (the one before it is\nof %llu)",
		       (unsigned long long)t->before);
}

/* What the file alone cannot say, and who can. */
static void print_anchors(const struct verify_result *r, bool compared)
{
	if (compared || !r->anchored)
		return;
	printf("anchored in a TPM that this was not compared with: that its "
	       "end was not cut off or\ntaken away shows --tpm, or --pcr and "
	       "--counter\n");
	if (r->announced)
		printf("record %llu announces a checkpoint that is not there: "
		       "its writer died before\nit was signed, or somebody "
		       "took it away, which only the TPM knows\n",
		       (unsigned long long)r->announced - 1);
}

/* It may be anything where no key was given, and nothing is to reach a terminal
 * but text. */
static void print_origin(const char *origin)
{
	printf("log ");
	for (; *origin; origin++)
		printf(*origin > ' ' && *origin < 0x7f ? "%c" : "\\x%02x",
		       (unsigned char)*origin);
	printf("\n");
}

/* Records that no checkpoint covers: who can write the file can have made
 * them. */
static uint64_t behind(const struct verify_result *r)
{
	return r->checkpoints && r->size > r->checkpoint
		       ? r->size - r->checkpoint
		       : 0;
}

/* A signature says that they were there then, not that they are what was
 * written. Of a log that nobody signs that is nothing new. */
static void print_starts(const struct verify_result *r)
{
	uint64_t n = verify_listed(r);

	if (r->checkpoints == 0)
		return;
	for (uint64_t i = 0; i < n; i++)
		printf("records %llu to %llu had no checkpoint when the log "
		       "was opened in boot %u, and were signed after that\n",
		       (unsigned long long)r->starts[i].first,
		       (unsigned long long)r->starts[i].end - 1,
		       r->starts[i].boot);
	if (r->n_starts > n)
		printf("and likewise %llu times before these\n",
		       (unsigned long long)(r->n_starts - n));
}

static void print_root(const struct verify_result *r, bool by_key)
{
	if (r->origin[0])
		print_origin(r->origin);
	printf("root ");
	for (size_t i = 0; i < sizeof(r->root); i++)
		printf("%02x", r->root[i]);
	printf("\n");
	if (r->protected_only)
		printf("protected records alone, each proved; that none was "
		       "left out cannot be seen\n");
	else
		printf("%llu boots, %llu pages\n",
		       (unsigned long long)r->boots,
		       (unsigned long long)r->pages);
	printf("%llu checkpoints%s", (unsigned long long)r->checkpoints,
	       r->checkpoints == 0 ? "" : by_key ? ", signed by the log's key"
						 : ", signatures not checked");
	if (r->checkpoints)
		printf(", the last of %llu records",
		       (unsigned long long)r->checkpoint);
	if (behind(r))
		printf("\nof the records behind it, %llu, nobody vouched yet "
		       "that they are what was written",
		       (unsigned long long)behind(r));
	if (r->checkpoints_pruned)
		printf("\nof them %llu over pruned records: only compared with "
		       "what is held",
		       (unsigned long long)r->checkpoints_pruned);
	for (size_t i = 0; i < r->n_thinned; i++)
		print_thinned(&r->thinned[i], r->part);
	if (r->has_cosigned)
		printf("\ncosigned up to %llu records",
		       (unsigned long long)r->cosigned);
	printf("\n");
}

/* All that are known to be, whatever else was found. */
static void print_missing(const struct verify_result *r)
{
	uint64_t n = r->n_missing < POINTS_MISSING ? r->n_missing
						   : POINTS_MISSING;

	for (uint64_t i = 0; i < n; i++)
		printf("the checkpoint of %llu records is missing\n",
		       (unsigned long long)r->missing[i]);
	if (r->n_missing > n)
		printf("and %llu more\n",
		       (unsigned long long)(r->n_missing - n));
}

static void print_range(const struct verify_result *r)
{
	uint64_t n = checked(r);

	if (r->part)
		printf("a part: records before %llu are not in it, only their "
		       "hashes; the others\nwere read, and of those before "
		       "them the protected ones that are there,\nwhich "
		       "may not be all\n", (unsigned long long)r->first);
	else if (r->first)
		printf("records before %llu were pruned, and the log says so; "
		       "of these the protected ones were read\n",
		       (unsigned long long)r->first);
	if (!r->salts && !r->protected_only)
		printf("the keys of the salts are not in it: the salts were "
		       "not compared\n");
	if (r->going)
		printf("records before %llu are to be removed, as soon as a "
		       "checkpoint covers what says so\n",
		       (unsigned long long)r->going);
	printf("ok %llu ", (unsigned long long)n);
	if (n != r->size)
		printf("of %llu ", (unsigned long long)r->size);
	printf("records\n");
}

void verified_text(const struct verified *v)
{
	const struct verify_result *r = &v->r;

	if (v->rc == 0) {
		print_root(r, v->points->n_keys > 0);
		print_starts(r);
		print_anchors(r, v->compared);
		print_range(r);
	} else if (v->rc == E_INTEGRITY) {
		print_missing(r);
		if (r->has_bad)
			printf("not whole: first wrong record %llu: %s\n",
			       (unsigned long long)r->bad, v->e->text);
		else
			printf("not whole: %s\n", v->e->text);
	}
}

/* --- an object --- */

static void put_records(struct json *j, const struct verify_result *r)
{
	json_obj(j, "records");
	json_u64(j, "checked", checked(r));
	json_u64(j, "of", r->size);
	if (!r->protected_only) {
		json_u64(j, "first", r->first);
		json_u64(j, "end", r->records);
	}
	if (r->going)
		json_u64(j, "going", r->going);
	json_str(j, "scope", r->protected_only ? "protected"
			     : r->part	       ? "part"
			     : r->first	       ? "pruned"
					       : "all");
	json_obj_end(j);
}

static void put_checkpoints(struct json *j, const struct verified *v)
{
	const struct verify_result *r = &v->r;

	json_obj(j, "checkpoints");
	json_u64(j, "checked", r->checkpoints);
	json_u64(j, "last", r->checkpoint);
	json_u64(j, "behind", behind(r));
	json_u64(j, "over_pruned", r->checkpoints_pruned);
	json_bool(j, "signed", v->points->n_keys > 0 && r->checkpoints > 0);
	if (r->has_cosigned)
		json_u64(j, "cosigned", r->cosigned);
	if (r->announced)
		json_u64(j, "announced", r->announced);
	json_arr(j, "not_compared");
	for (size_t i = 0; i < r->n_thinned; i++)
		json_u64(j, NULL, r->thinned[i].size);
	json_arr_end(j);
	json_arr(j, "missing");
	for (uint64_t i = 0; i < r->n_missing && i < POINTS_MISSING; i++)
		json_u64(j, NULL, r->missing[i]);
	json_arr_end(j);
	json_u64(j, "missing_in_all", r->n_missing);
	json_obj_end(j);
}

static void put_starts(struct json *j, const struct verify_result *r)
{
	json_arr(j, "unsigned_at_start");
	for (uint64_t i = 0; i < verify_listed(r); i++) {
		json_obj(j, NULL);
		json_u64(j, "boot", r->starts[i].boot);
		json_u64(j, "first", r->starts[i].first);
		json_u64(j, "end", r->starts[i].end);
		json_obj_end(j);
	}
	json_arr_end(j);
	json_u64(j, "unsigned_at_start_in_all", r->n_starts);
}

static void put_keys(struct json *j, const struct points_conf *points)
{
	json_arr(j, "keys");
	for (size_t i = 0; i < points->n_keys; i++) {
		const struct note_key *k = &points->keys[i];
		uint8_t id[] = {(uint8_t)(k->id >> 24), (uint8_t)(k->id >> 16),
				(uint8_t)(k->id >> 8), (uint8_t)k->id};

		json_obj(j, NULL);
		/* One in PEM has neither. */
		if (k->name[0]) {
			json_str(j, "name", k->name);
			json_hex(j, "id", span_of(id, sizeof(id)));
		}
		json_hex(j, "public", span_of(k->pub, k->n));
		json_obj_end(j);
	}
	json_arr_end(j);
}

size_t verified_json(const struct verified *v, uint8_t *line, size_t cap)
{
	const struct verify_result *r = &v->r;
	struct json j = json_of(line, cap);
	bool wrong = v->rc == E_INTEGRITY;

	json_obj(&j, NULL);
	json_str(&j, "verdict", v->rc == 0 ? "whole"
				: wrong	   ? "not-whole"
					   : "not-read");
	json_str(&j, "log", v->path);
	json_str(&j, "origin", r->origin);
	put_records(&j, r);
	if (v->rc == 0)
		json_hex(&j, "root", span_of(r->root, sizeof(r->root)));
	json_u64(&j, "boots", r->boots);
	json_u64(&j, "pages", r->pages);
	json_bool(&j, "salts", r->salts);
	put_checkpoints(&j, v);
	put_starts(&j, r);
	put_keys(&j, v->points);
	json_bool(&j, "anchored", r->anchored);
	json_bool(&j, "compared_with_tpm", v->compared);
	if (v->rc) {
		json_obj(&j, "finding");
		if (wrong && r->has_bad)
			json_u64(&j, "record", r->bad);
		json_str(&j, "text", v->e->text);
		json_obj_end(&j);
	}
	json_obj_end(&j);
	return json_line(&j) ? j.w.n : 0;
}
