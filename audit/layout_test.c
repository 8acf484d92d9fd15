/* SPDX-License-Identifier: Apache-2.0 */
/* A log as a directory: what is in it, and what is found when it was changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "audit/layout_file.h"
#include "audit/notefile.h"
#include "audit/prover.h"
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

static int write_protected(const char *path, const char *dir, struct err *e)
{
	return layout_write_protected(path, dir, LAYOUT_CUSTOMER, 0, e);
}

static int write_for_agency(const char *path, const char *dir, struct err *e)
{
	return layout_write_protected(path, dir, LAYOUT_AGENCY, 0, e);
}

static void write_with(int (*f)(const char *path, const char *dir,
				struct err *e))
{
	struct err e = {0};
	char cmd[200];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s' && mkdir '%s'", test_other,
		 test_other);
	assert_int_equal(system(cmd), 0);
	if (f(test_path, test_other, &e))
		fail_msg("%s", e.text);
}

static void write_dir(void)
{
	write_with(layout_write);
}

static int check(struct verify_result *r, struct err *e)
{
	char name[80];
	struct note_key key;
	struct points_conf conf = {.keys = &key, .n_keys = 1};

	snprintf(name, sizeof(name), "%s.vkey", test_path);
	assert_int_equal(note_file_key(&key, name, e), 0);
	return layout_verify(test_other, &conf, r, NULL, NULL, e);
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

struct change {
	const char *why, *cmd; /* in the directory */
	const char *text;
	uint64_t bad;
};

static const struct change rows[] = {
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
	{"one key less", "sed -i '2s/ [0-9a-f]*$//' boots",
	 "its boot is not the next", 301},
	{"half a key", "sed -i '1s/.$//' boots", "its boot is not the next", 0},
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
	{"a pipe of records", "rm tile/entries/001; mkfifo tile/entries/001",
	 "is no regular file", ANY},
	{"a directory for a proof", "rm proof/199.tlog-proof; "
	 "mkdir proof/199.tlog-proof", "is no regular file", 199},
	{"a pipe for the proofs", "rm -r proof; mkfifo proof",
	 "is no directory", ANY},
	{"a tile gone", "rm tile/0/001", "its tile is missing", 256},
	{"a partial tile gone", "rm tile/1/000.p/2", "its tile is missing", 0},
	{"a tile's hash",
	 "printf '\\0\\1\\2\\3' | dd of=tile/0/001 bs=1 seek=320 conv=notrunc"
	 " status=none", "tree's tile", 266},
	{"a tile too wide", "printf x >> tile/0/002.p/90", "tree's tile", 512},
	{"a bundle more", "cp tile/entries/001 tile/entries/003",
	 "tile/entries/003: a tree of 602 records has none", ANY},
	{"a full one beside the last", "cp tile/entries/001 tile/entries/002",
	 "tile/entries/002: a tree of 602", ANY},
	{"one of another width",
	 "cp tile/entries/002.p/90 tile/entries/002.p/91",
	 "tile/entries/002.p/91: a tree of 602", ANY},
	{"a name spelt otherwise",
	 "mkdir tile/entries/x000; cp tile/entries/001 tile/entries/x000/001",
	 "tile/entries/x000/001: a tree of 602", ANY},
	{"a tile of a higher level", "mkdir tile/2; touch tile/2/000",
	 "tile/2/000: a tree of 602", ANY},
	{"a file among the levels", "touch tile/x", "tile/x: a tree", ANY},
	{"a link", "ln -s 001 tile/0/003", "tile/0/003: a tree", ANY},
	{"a directory with nothing in it", "mkdir tile/3",
	 "tile/3: nothing is in it", ANY},
	{"a file beside the others", "touch notes.txt",
	 "notes.txt: an export has no such file", ANY},
	{"a hidden one", "touch .boots", ".boots: an export has no such", ANY},
	{"lines of records, which nobody reads", "mkdir record; echo {} > "
	 "record/99.json", "record: an export has no such file", ANY},
	{"a link to a place for certificates", "ln -s tile certificate",
	 "certificate: an export has no such file", ANY},
	{"a link among certificates", "mkdir certificate; ln -s ../boots "
	 "certificate/a.pem", "certificate/a.pem: an export has no", ANY},
	{"a link for the checkpoint", "mv checkpoint proof/../c; "
	 "ln -s c checkpoint", "checkpoint is no regular file", ANY},
	{"a beginning that it has not", "printf '256\\n%064d\\n' 0 > minimum",
	 "another chain of bundles", 300},
	{"a proof gone", "rm proof/199.tlog-proof", "its proof is missing",
	 199},
	{"all proofs gone", "rm -r proof", "its proof is missing", 99},
	{"a proof of another", "cp proof/99.tlog-proof proof/400.tlog-proof",
	 "its proof is of something else", 400},
	{"a proof's hash", "sed -i '5s/^..../AAAA/' proof/400.tlog-proof",
	 "it is not under the checkpoint", 400},
};

/* The same, of protected records alone. */
static const struct change alone[] = {
	{"no checkpoint", "rm checkpoint", "checkpoint: not there", ANY},
	{"another size", "sed -i 's/^602$/601/' checkpoint",
	 "the signature of meter-1", ANY},
	{"nobody's signature", "sed -i '5d' checkpoint", "sign", ANY},
	{"a pipe for a checkpoint", "rm checkpoint; mkfifo checkpoint",
	 "is no regular file", ANY},
	{"a link for a proof", "mv proof/99.tlog-proof x; "
	 "ln -s ../x proof/99.tlog-proof", "is no regular file", 99},
	{"a proof gone", "rm proof/199.tlog-proof",
	 "record/199.json: there is no proof of it", ANY},
	{"a line gone", "rm record/199.json", "its line is missing", 199},
	{"a line that says more", "sed -i 's/activated/accepted/' "
	 "record/400.json", "its line says something else", 400},
	{"a line more", "cp record/99.json record/98.json",
	 "record/98.json: there is no proof of it", ANY},
	{"an octet of a record", "sed -i '2s/extra AQ/extra AA/' "
	 "proof/199.tlog-proof", "it is not under the checkpoint", 199},
	{"without the record", "sed -i '2d' proof/199.tlog-proof",
	 "its proof is of something else", 199},
	{"a proof's hash", "sed -i '5s/^..../AAAA/' proof/500.tlog-proof",
	 "it is not under the checkpoint", 500},
	{"a hash less", "sed -i '5d' proof/500.tlog-proof",
	 "it is not under the checkpoint", 500},
	{"proofs swapped", "mv proof/99.tlog-proof x; "
	 "mv proof/199.tlog-proof proof/99.tlog-proof; "
	 "mv x proof/199.tlog-proof", "its proof is of something else", 99},
	{"no proof any more", "echo no > proof/99.tlog-proof",
	 "its proof is none", 99},
	{"too long for one", "truncate -s 1M proof/99.tlog-proof",
	 "too long to be one", 99},
	{"under another checkpoint", "sed -i 's/^602$/603/' "
	 "proof/99.tlog-proof", "its proof is under another checkpoint", 99},
	{"a number that nobody writes", "mv proof/99.tlog-proof "
	 "proof/099.tlog-proof", "no file of an export has that name", ANY},
	{"a file more", "touch proof/x", "no file of an export", ANY},
	{"a beginning, which nobody reads", "echo 256 > part",
	 "part: an export has no such file", ANY},
	{"a file beside the others", "touch x", "x: an export has no", ANY},
};

static void find(const struct change *c, size_t n,
		 int (*f)(const char *path, const char *dir, struct err *e))
{
	struct verify_result r;

	for (size_t i = 0; i < n; i++) {
		struct err e = {0};
		char cmd[400];
		int rc;

		write_with(f);
		snprintf(cmd, sizeof(cmd), "cd '%s' && { %s; }", test_other,
			 c[i].cmd);
		assert_int_equal(system(cmd), 0);
		alarm(60); /* not to wait for ever is part of it */
		rc = check(&r, &e);
		alarm(0);
		if (rc != E_INTEGRITY || !strstr(e.text, c[i].text))
			fail_msg("%s: %d %s", c[i].why, rc, e.text);
		if (r.has_bad != (c[i].bad != ANY) ||
		    (r.has_bad && r.bad != c[i].bad))
			fail_msg("%s: record %lld: %s", c[i].why,
				 r.has_bad ? (long long)r.bad : -1, e.text);
	}
}

static void every_change_is_found(void **state)
{
	(void)state;
	test_make_signed();
	find(rows, sizeof(rows) / sizeof(rows[0]), layout_write);
}

/* --- a part --- */

static int write_end(const char *path, const char *dir, struct err *e)
{
	const struct layout_part part = {.from = 300};

	return layout_write_part(path, dir, &part, e);
}

static const struct change parts[] = {
	{"a record of it", "printf X | dd of=tile/entries/001 bs=1 seek=200"
	 " conv=notrunc 2>/dev/null", "tree's tile", 256},
	{"its last bundle is gone", "rm -r tile/entries/002.p",
	 "its bundle is missing", 512},
	{"hashes of what is before", "printf X | dd of=tile/1/000.p/2 bs=1"
	 " seek=3 conv=notrunc 2>/dev/null", "record 601: the checkpoint that it "
	 "names, of 301 records, is of others", 0},
	{"it says to begin at once", "rm part", "its bundle is missing", 0},
	{"it says that it was pruned", "mv part minimum",
	 "no record says that it was pruned", 0},
	{"it says both", "cp part minimum", "both minimum and part", ANY},
	{"another head of the chain before it",
	 "sed -i '2s/^..../1234/' part",
	 "another chain of bundles", 300},
	{"no head", "sed -i 2d part", "'part' is damaged", ANY},
	{"a head too short", "sed -i '2s/^.//' part", "'part' is damaged", ANY},
	{"a boot of what is before", "sed -i '1s/^1 0/1 2/' boots",
	 "boots: a line is damaged, or not the next", ANY},
	{"a key for one of two", "sed -i \"1s/$/ $(printf %064d 0)/\" boots",
	 "boots: a line is damaged, or not the next", ANY},
	{"a key for the other", "sed -i \"2s/$/ $(printf %064d 0)/\" boots",
	 "boots: a line is damaged, or not the next", ANY},
	{"keys of somebody", "sed -i \"s/$/ $(printf %064d 0)/\" boots",
	 "its salt is not of its boot's key", 256},
	{"it begins within a bundle", "echo 300 >part", "'part' is damaged",
	 ANY},
	{"it begins behind its end", "echo 1024 >part", "'part' is damaged",
	 ANY},
	{"a proof of what is before", "printf X | dd of=proof/99.tlog-proof"
	 " bs=1 seek=300 conv=notrunc 2>/dev/null", "record 99", 99},
};

/* From the second bundle but one: the first boot is all before it. */
static int write_last(const char *path, const char *dir, struct err *e)
{
	const struct layout_part part = {.from = 600};

	return layout_write_part(path, dir, &part, e);
}

static const struct change last[] = {
	{"where a boot before it began", "sed -i '2s/^2 301/2 290/' boots",
	 "record 299: its boot began elsewhere", 299},
	{"no boot before it", "sed -i 1d boots",
	 "boots: a line is damaged, or not the next", ANY},
};

/* With a boot's key the salt of each of its records is known, and so what a
 * record says can be tried against its hash, which is in the proof of another:
 * whoever gets a part gets none. */
static bool has_keys(void)
{
	char cmd[200];

	snprintf(cmd, sizeof(cmd), "grep -rqi 010203000000 '%s'", test_other);
	return system(cmd) == 0;
}

static void a_part_is_proved_by_the_whole(void **state)
{
	static const struct {
		struct layout_part part;
		uint64_t first, records;
	} good[] = {
		{{0, 0}, 0, 602},     {{1, 0}, 0, 602},	 {{255, 0}, 0, 602},
		{{256, 0}, 256, 602}, {{601, 0}, 512, 602}, {{0, 301}, 0, 301},
		{{300, 301}, 256, 301},
	};
	static const struct layout_part none[] = {
		{602, 0}, {301, 301}, {10000, 0}, {0, 300},
	};
	struct verify_result r;
	struct err e = {0};
	char cmd[200];

	(void)state;
	test_make_signed();
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		snprintf(cmd, sizeof(cmd), "rm -rf '%s' && mkdir '%s'",
			 test_other, test_other);
		assert_int_equal(system(cmd), 0);
		if (layout_write_part(test_path, test_other, &good[i].part, &e))
			fail_msg("%zu: %s", i, e.text);
		if (check(&r, &e))
			fail_msg("%zu: %s", i, e.text);
		assert_int_equal(r.records, good[i].records);
		assert_int_equal(r.first, good[i].first);
		assert_int_equal(r.part, good[i].first > 0);
		assert_int_equal(has_keys(), i == 0);
		assert_int_equal(r.salts, i == 0);
		/* Nothing of what is before. */
		snprintf(cmd, sizeof(cmd), "test -e '%s/tile/entries/000' -o "
			 "-e '%s/tile/0/000'", test_other, test_other);
		assert_int_equal(system(cmd) == 0, good[i].first == 0 &&
				 good[i].records > 256);
	}
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_true(layout_write_part(test_path, test_other, &none[i],
					      &e) < 0);
	find(parts, sizeof(parts) / sizeof(parts[0]), write_end);
	find(last, sizeof(last) / sizeof(last[0]), write_last);
}

/* --- protected records alone --- */

static void every_change_of_protected_ones_is_found(void **state)
{
	struct verify_result r;
	struct err e = {0};
	char cmd[200];

	(void)state;
	test_make_signed();
	write_with(write_protected);
	if (check(&r, &e))
		fail_msg("%s", e.text);
	assert_true(r.protected_only);
	assert_int_equal(r.records, 6);
	assert_int_equal(r.checkpoint, 602);
	find(alone, sizeof(alone) / sizeof(alone[0]), write_protected);
	/* What was left out with all that belongs to it nobody can see: it is
	 * said, and the number tells. */
	write_with(write_protected);
	snprintf(cmd, sizeof(cmd), "rm '%s'/*/99.*", test_other);
	assert_int_equal(system(cmd), 0);
	assert_int_equal(check(&r, &e), 0);
	assert_int_equal(r.records, 5);
}

/* A proof that holds, of a record that nobody outside may have. */
static void others_do_not_belong_there(void **state)
{
	static struct proof_text t;
	static uint8_t text[PROOF_TEXT_MAX];
	struct wbuf w = wbuf_of(text, sizeof(text));
	char name[LAYOUT_PATH], file[40];
	struct verify_result r;
	struct prover *p;
	struct err e = {0};

	(void)state;
	test_make_signed();
	write_with(write_protected);
	assert_int_equal(prover_open(&p, test_path, false, &e), 0);
	assert_int_equal(prover_inclusion(p, 150, 602, &t, &e), 0);
	assert_int_equal(proof_text_put(&w, &t, &e), 0);
	prover_close(p);
	snprintf(file, sizeof(file), "proof/150.tlog-proof");
	assert_int_equal(layout_name(name, test_other, file, &e), 0);
	assert_int_equal(layout_put(name, wbuf_span(&w), &e), 0);
	assert_int_equal(check(&r, &e), E_INTEGRITY);
	assert_true(r.has_bad);
	assert_int_equal(r.bad, 150);
	assert_non_null(strstr(e.text, "none of those that are protected"));
}

/* One that is held: of the same size it is compared, of another it cannot be,
 * and nobody is told that it was. */
static void held_ones_are_compared_or_refused(void **state)
{
	static uint8_t octets[NOTE_MAX];
	char name[LAYOUT_PATH], vkey[80];
	struct wbuf w = wbuf_of(octets, sizeof(octets));
	struct note_key key;
	struct span held;
	struct points_conf conf = {.keys = &key, .n_keys = 1, .held = &held,
				   .n_held = 1};
	struct verify_result r;
	struct err e = {0};

	(void)state;
	test_clean();
	test_add_signed(0, 300);
	write_with(write_protected);
	snprintf(vkey, sizeof(vkey), "%s.vkey", test_path);
	assert_int_equal(note_file_key(&key, vkey, &e), 0);
	assert_int_equal(layout_name(name, test_other, "checkpoint", &e), 0);
	assert_int_equal(layout_get(name, &w, &e), 0);
	held = wbuf_span(&w);
	assert_int_equal(layout_verify(test_other, &conf, &r, NULL, NULL, &e), 0);
	test_add_signed(300, 600);
	write_with(write_protected);
	assert_int_equal(layout_verify(test_other, &conf, &r, NULL, NULL, &e),
			 E_UNSUPPORTED);
	assert_non_null(strstr(e.text, "check-proof"));
	/* All of the log can be. */
	write_dir();
	assert_int_equal(layout_verify(test_other, &conf, &r, NULL, NULL, &e), 0);
}

/* What an agency or a utility is told, and the customer. */
static void an_agency_learns_of_no_choice(void **state)
{
	static const struct {
		const char *why;
		enum event_type type;
		enum verdict verdict;
		const char *layer[2];
		bool told;
	} said[] = {
		{"maintenance", EV_MAINTENANCE, 0, {0}, true},
		{"an attestation that failed", EV_ATTESTATION, VERDICT_DENY,
		 {0}, true},
		{"the baseline came into force", EV_POLICY, 0, {"baseline"},
		 true},
		{"a vendor's did", EV_POLICY, 0, {"vendor"}, true},
		{"the binding did", EV_POLICY, 0, {"binding"}, true},
		{"the customer's did", EV_POLICY, 0, {"customer"}, false},
		{"his, beside another", EV_POLICY, 0, {"vendor", "customer"},
		 false},
		{"one that is not known", EV_POLICY, 0, {"layer-5"}, false},
		{"a proposal, in words", EV_POLICY, 0, {0}, false},
		{"an export", EV_EXPORT, 0, {0}, false},
		{"a loss", EV_LOSS, 0, {0}, false},
	};
	enum { N = sizeof(said) / sizeof(said[0]) };
	struct audit_conf conf = {
		.path = test_path,
		.origin = "meter-1.meter.example/audit",
		.boot_key = {1, 2, 3},
		.own_key = true,
		.last = true,
	};
	struct verify_result r;
	struct err e = {0};
	struct audit *a;
	uint64_t seq[N], all = 0;

	(void)state;
	test_clean();
	if (audit_open(&a, &conf, &e))
		fail_msg("%s", e.text);
	for (size_t i = 0; i < N; i++) {
		struct event ev = {
			.type = said[i].type,
			.now.mono.ns = (int64_t)(i + 1) * NS_PER_S,
			.verdict = said[i].verdict,
			.detail = said[i].why,
		};

		for (; ev.n_rules < 2 && said[i].layer[ev.n_rules];
		     ev.n_rules++) {
			ev.rules[ev.n_rules].layer =
				span_str(said[i].layer[ev.n_rules]);
			ev.rules[ev.n_rules].policy = span_str("p");
		}
		if (ev.type == EV_LOSS)
			ev.count = 1;
		if (audit_append(a, &ev, &seq[i], &e))
			fail_msg("%s: %s", said[i].why, e.text);
		all += said[i].told;
	}
	test_close(a);
	write_with(write_for_agency);
	if (check(&r, &e))
		fail_msg("%s", e.text);
	assert_int_equal(r.records, all);
	for (size_t i = 0; i < N; i++) {
		char file[300];

		snprintf(file, sizeof(file), "%s/record/%llu.json", test_other,
			 (unsigned long long)seq[i]);
		if ((access(file, F_OK) == 0) != said[i].told)
			fail_msg("%s: %s", said[i].why,
				 said[i].told ? "not told" : "told");
	}
	write_with(write_protected);
	if (check(&r, &e))
		fail_msg("%s", e.text);
	assert_int_equal(r.records, N);
}

/* --- pruned --- */

static void prune_first(void)
{
	struct audit_conf conf = {
		.path = test_path,
		.origin = "meter-1.meter.example/audit",
		.boot_key = {1, 2, 3},
		.own_key = true,
		.last = true,
	};
	struct now now = {.wall.us = INT64_C(1700009000000000)};
	struct err e = {0};
	struct audit *a;

	if (audit_open(&a, &conf, &e))
		fail_msg("%s", e.text);
	now.mono = audit_last(a);
	if (audit_segment(a, 256, &e) ||
	    audit_prune(a, 256, &now, "for a test", &e) != 1 ||
	    audit_commit(a, &e) ||
	    audit_remove(a, &now, &e) != AUDIT_REMOVED)
		fail_msg("%s", e.text);
	test_close(a);
}

/* Of what was pruned the log itself says how many protected ones stayed. */
static void what_was_kept_is_counted(void **state)
{
	static const struct change kept[] = {
		{"one that was kept is gone", "rm */99.*",
		 "2 protected records stayed of what was pruned, 1 are there",
		 4005},
		{"all of them", "rm */99.* */199.*", "0 are there", 4005},
	};
	struct verify_result r;
	struct err e = {0};

	(void)state;
	test_clean();
	test_add_signed(0, 4000);
	prune_first();
	write_dir();
	if (check(&r, &e))
		fail_msg("%s", e.text);
	assert_int_equal(r.first, 256);
	find(kept, 2, layout_write);
	write_with(write_protected);
	if (check(&r, &e))
		fail_msg("%s", e.text);
	assert_int_equal(r.records, 41); /* and the one that says it */
	find(kept, 2, write_protected);
	/* Who may not have all cannot count them, and is not told that he did
	 * not get as many. */
	write_with(write_for_agency);
	if (check(&r, &e))
		fail_msg("%s", e.text);
	assert_int_equal(r.records, 0);
}

/* A boot that is all pruned: of it there are the protected records. */
static void its_key_is_that_of_what_was_kept(void **state)
{
	static const struct change keys[] = {
		{"another key", "sed -i '1s/ 01/ 00/' boots",
		 "its salt is not of its boot's key", 99},
	};
	struct verify_result r;
	struct err e = {0};

	(void)state;
	test_clean();
	test_add_signed(0, 200);
	test_add_signed(200, 4000);
	prune_first();
	write_dir();
	if (check(&r, &e))
		fail_msg("%s", e.text);
	assert_true(r.salts);
	find(keys, 1, layout_write);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_index_is_written_in_threes),
		cmocka_unit_test(it_is_whole_and_has_all_its_files),
		cmocka_unit_test(it_ends_at_its_checkpoint),
		cmocka_unit_test(every_change_is_found),
		cmocka_unit_test(a_part_is_proved_by_the_whole),
		cmocka_unit_test(every_change_of_protected_ones_is_found),
		cmocka_unit_test(others_do_not_belong_there),
		cmocka_unit_test(held_ones_are_compared_or_refused),
		cmocka_unit_test(an_agency_learns_of_no_choice),
		cmocka_unit_test(what_was_kept_is_counted),
		cmocka_unit_test(its_key_is_that_of_what_was_kept),
	};

	return cmocka_run_group_tests(tests, test_setup, test_teardown);
}
