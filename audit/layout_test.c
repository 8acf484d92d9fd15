/* SPDX-License-Identifier: Apache-2.0 */
/* A log as a directory: what is in it, and what is found when it was changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "audit/layout.h"
#include "audit/notefile.h"
#include "audit/testdb.h"

static void an_index_is_written_in_threes(void **state)
{
	static const struct {
		uint64_t idx;
		unsigned width;
		const char *want;
	} rows[] = {
		{0, 256, "d/tile/0/000"},
		{7, 1, "d/tile/0/007.p/1"},
		{999, 255, "d/tile/0/999.p/255"},
		{1000, 256, "d/tile/0/x001/000"},
		{1234067, 256, "d/tile/0/x001/x234/067"},
		{UINT64_MAX, 256,
		 "d/tile/0/x018/x446/x744/x073/x709/x551/615"},
	};
	char name[LAYOUT_PATH], dir[LAYOUT_PATH];
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(layout_tile(name, "d", "0", rows[i].idx,
					     rows[i].width, &e), 0);
		assert_string_equal(name, rows[i].want);
	}
	memset(dir, 'd', sizeof(dir) - 1);
	dir[sizeof(dir) - 1] = '\0';
	assert_int_equal(layout_tile(name, dir, "0", 0, 256, &e), E_LIMIT);
}

/* 602 records: two full bundles and one of 90. */
static const char *const files[] = {
	"checkpoint",	     "boots",		     "tile/0/000",
	"tile/0/001",	     "tile/0/002.p/90",	     "tile/1/000.p/2",
	"tile/entries/000",  "tile/entries/001",     "tile/entries/002.p/90",
	"proof/99.tlog-proof",
};

static void write_dir(void)
{
	struct err e = {0};
	char cmd[200];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s' && mkdir '%s'", test_other,
		 test_other);
	assert_int_equal(system(cmd), 0);
	if (layout_write(test_path, test_other, &e))
		fail_msg("%s", e.text);
}

static int check(struct verify_result *r, struct err *e)
{
	char name[80];
	struct note_key key;
	struct points_conf conf = {.keys = &key, .n_keys = 1};

	snprintf(name, sizeof(name), "%s.vkey", test_path);
	assert_int_equal(note_file_key(&key, name, e), 0);
	return layout_verify(test_other, &conf, r, e);
}

static void it_is_whole_and_has_all_its_files(void **state)
{
	struct verify_result r, db;
	struct err e = {0};
	char name[128];

	(void)state;
	test_make_signed();
	write_dir();
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(name, sizeof(name), "%s/%s", test_other, files[i]);
		if (access(name, F_OK))
			fail_msg("%s is missing", files[i]);
	}
	if (check(&r, &e))
		fail_msg("%s", e.text);
	assert_int_equal(r.records, 602);
	assert_int_equal(r.boots, 2);
	assert_int_equal(verify_file(test_path, NULL, &db, NULL, NULL, &e), 0);
	assert_memory_equal(r.root, db.root, sizeof(r.root));
}

/* Records behind the last checkpoint are not part of it. */
static void it_ends_at_its_checkpoint(void **state)
{
	struct audit *a;
	struct verify_result r;
	struct err e = {0};

	(void)state;
	test_make_signed();
	a = test_open(0); /* by nobody's key: no checkpoint follows */
	for (uint64_t i = 600; i < 640; i++) {
		struct sample s;

		assert_int_equal(audit_append(a, test_event(&s, i), NULL, &e),
				 0);
	}
	test_close(a);
	write_dir();
	if (check(&r, &e))
		fail_msg("%s", e.text);
	assert_int_equal(r.records, 602);
	/* A log without any has none to end at. */
	test_make(10);
	assert_int_equal(layout_write(test_path, test_other, &e), E_NOTFOUND);
}

#define ANY UINT64_MAX

static const struct {
	const char *why, *cmd; /* in the directory */
	const char *text;
	uint64_t bad;
} rows[] = {
	{"no checkpoint", "rm checkpoint", "checkpoint: not there", ANY},
	{"another size", "sed -i 's/^602$/601/' checkpoint",
	 "the signature of meter-1", ANY},
	{"no signature", "sed -i '$d' checkpoint", "no signature", ANY},
	{"an unknown signature", "sed -i 's/audit /audit2 /' checkpoint",
	 "not signed by the log's key", ANY},
	{"no boots", "rm boots", "boots: not there", ANY},
	{"a boot less", "sed -i '$d' boots", "its boot is not the next", 301},
	{"a boot more", "sed -n '$p' boots >> boots",
	 "a boot without records", ANY},
	{"another key", "sed -i '1s/ 01/ 00/' boots",
	 "its salt is not of its boot's key", 0},
	{"a bundle gone", "rm tile/entries/001", "its bundle is missing", 256},
	{"the last one gone", "rm tile/entries/002.p/90",
	 "its bundle is missing", 512},
	{"bundles swapped",
	 "mv tile/entries/000 x; mv tile/entries/001 tile/entries/000;"
	 " mv x tile/entries/001", "its number is another's", 0},
	{"a bundle cut", "truncate -s -1 tile/entries/001",
	 "its bundle is damaged", 511},
	{"octets behind it", "printf x >> tile/entries/001",
	 "its bundle is damaged", 512},
	{"an octet of the first record",
	 "printf '\\377' | dd of=tile/entries/000 bs=1 seek=60 conv=notrunc"
	 " status=none", "record 0: ", 0},
	{"a tile gone", "rm tile/0/001", "its tile is missing", 256},
	{"a partial tile gone", "rm tile/1/000.p/2", "its tile is missing", 0},
	{"a tile's hash",
	 "printf '\\0\\1\\2\\3' | dd of=tile/0/001 bs=1 seek=320 conv=notrunc"
	 " status=none", "tree's tile", 256},
	{"a tile too wide", "printf x >> tile/0/002.p/90", "tree's tile", 512},
};

static void every_change_is_found(void **state)
{
	struct verify_result r;

	(void)state;
	test_make_signed();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e = {0};
		char cmd[400];
		int rc;

		write_dir();
		snprintf(cmd, sizeof(cmd), "cd '%s' && { %s; }", test_other,
			 rows[i].cmd);
		assert_int_equal(system(cmd), 0);
		rc = check(&r, &e);
		if (rc != E_INTEGRITY || !strstr(e.text, rows[i].text))
			fail_msg("%s: %d %s", rows[i].why, rc, e.text);
		if (r.has_bad != (rows[i].bad != ANY) ||
		    (r.has_bad && r.bad != rows[i].bad))
			fail_msg("%s: record %lld: %s", rows[i].why,
				 r.has_bad ? (long long)r.bad : -1, e.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_index_is_written_in_threes),
		cmocka_unit_test(it_is_whole_and_has_all_its_files),
		cmocka_unit_test(it_ends_at_its_checkpoint),
		cmocka_unit_test(every_change_is_found),
	};

	return cmocka_run_group_tests(tests, test_setup, test_teardown);
}
