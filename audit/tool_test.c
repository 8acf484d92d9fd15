/* SPDX-License-Identifier: Apache-2.0 */
/* metergate-audit as its users run it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/wait.h>

#include "audit/notefile.h"
#include "audit/testdb.h"
#include "core/base64.h"
#include "core/wbuf.h"

static char tool[256], out[1 << 20];

/* Run it; %D in args is the database, %O another file. Standard output and
 * error together are in out. Returns the exit code. */
static int run(const char *args)
{
	char cmd[1024];
	struct wbuf w = wbuf_of(cmd, sizeof(cmd) - 1);
	size_t n;
	FILE *p;
	int rc;

	wbuf_put(&w, span_str("{ "));
	wbuf_put(&w, span_str(tool));
	wbuf_u8(&w, ' ');
	for (; *args; args++) {
		if (args[0] == '%' && args[1] == 'D') {
			wbuf_put(&w, span_str(test_path));
			args++;
		} else if (args[0] == '%' && args[1] == 'O') {
			wbuf_put(&w, span_str(test_other));
			args++;
		} else {
			wbuf_u8(&w, (uint8_t)*args);
		}
	}
	wbuf_put(&w, span_str("; } 2>&1"));
	assert_false(w.failed);
	cmd[w.n] = 0;
	p = popen(cmd, "r");
	assert_non_null(p);
	n = fread(out, 1, sizeof(out) - 1, p);
	out[n] = 0;
	rc = pclose(p);
	assert_true(WIFEXITED(rc));
	return WEXITSTATUS(rc);
}

static size_t lines(void)
{
	size_t n = 0;

	for (const char *p = out; (p = strchr(p, '\n')); p++)
		n++;
	return n;
}

static const struct {
	const char *args;
	int want;
	const char *text; /* what it says, somewhere */
} runs[] = {
	{"", 2, "metergate-audit: usage: no command is given"},
	{"--help", 0, "Commands:"},
	{"--version", 0, "metergate-audit "},
	{"--nonsense", 2, "Try"},
	{"frobnicate", 2, "metergate-audit: frobnicate: no such command"},
	{"show --help", 0, "--follow"},
	{"verify --help", 0, "--checkpoint"},
	{"export --help", 0, "--format"},
	{"show", 2, "exactly one database"},
	{"show %D %D", 2, "exactly one database"},
	{"show /nowhere/a.db", 2, "metergate-audit: /nowhere/a.db: "},
	{"show --kind nonsense %D", 2, "--kind"},
	{"show --kind unknown %D", 2, "--kind"},
	{"show --verdict maybe %D", 2, "--verdict"},
	{"show --reason whim %D", 2, "--reason"},
	{"show --since yesterday %D", 2, "--since"},
	{"show --until tomorrow %D", 2, "--until"},
	{"show --color sometimes %D", 2, "--color"},
	{"verify", 2, "exactly one database"},
	{"verify --key /nowhere/k %D", 2, "/nowhere/k: cannot be read: No such"},
	{"verify --key Makefile %D", 2, "not a public key"},
	{"verify --checkpoint /nowhere/c %D", 2, "/nowhere/c: cannot be read"},
	{"verify --checkpoint CONTRIBUTING.md %D", 2, "worth nothing without"},
	{"verify --cosigned 1 %D", 2, "more than there are witnesses"},
	{"verify --cosigned x %D", 2, "not a number of witnesses"},
	{"verify /nowhere/a.db", 2, "No such file"},
	{"verify /dev/null", 2, "metergate-audit: /dev/null: "},
	{"verify " __FILE__, 2, "not an audit database"},
	{"show " __FILE__, 2, "not a database"},
	{"verify %D", 0, "\nok 600 records\n"},
	{"export --format xml %D", 2, "--format"},
	{"export -o /nowhere/x %D", 2, "metergate-audit: /nowhere/x: No such"},
	{"export -o %O /nowhere/a.db", 2, "metergate-audit: /nowhere/a.db"},
	{"show %D > /dev/full", 2, "standard output: No space left"},
	{"export %D > /dev/full", 2, "standard output: No space left"},
	{"verify %D > /dev/full", 2, "standard output: No space left"},
};

static void each_use_has_its_answer(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		int rc = run(runs[i].args);

		if (rc != runs[i].want || !strstr(out, runs[i].text))
			fail_msg("%s: %d: %s", runs[i].args, rc, out);
	}
	assert_true(access(test_other, F_OK) != 0);
}

static void expect(const char *args, int want, const char *text)
{
	int rc = run(args);

	if (rc != want || !strstr(out, text))
		fail_msg("%s: %d: %s", args, rc, out);
}

/* The log's public key in PEM beside it, or, flipped, another one. */
static void put_pem(const char *tail, uint8_t flip)
{
	char name[300];
	uint8_t text[64];
	struct wbuf w = wbuf_of(text, sizeof(text));
	struct note_key k;
	struct err e;
	FILE *f;

	snprintf(name, sizeof(name), "%s.vkey", test_path);
	assert_int_equal(note_file_key(&k, name, &e), 0);
	k.pub[0] ^= flip;
	base64_put(&w, span_of(k.pub, k.n));
	snprintf(name, sizeof(name), "%s%s", test_path, tail);
	f = fopen(name, "w");
	assert_non_null(f);
	/* The head of a SubjectPublicKeyInfo is whole groups of base64. */
	fprintf(f, "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA%.*s\n"
		"-----END PUBLIC KEY-----\n", (int)w.n, (const char *)w.p);
	fclose(f);
}

static void put_witness(void)
{
	static const uint8_t pub[32];
	struct note_key k;
	uint8_t text[256];
	struct wbuf w = wbuf_of(text, sizeof(text));
	char name[80];
	FILE *f;

	assert_int_equal(note_key_make(&k, span_str("w.example/w"),
				       NOTE_COSIGNATURE, span_of(pub, 32),
				       NULL), 0);
	note_key_put(&w, &k);
	snprintf(name, sizeof(name), "%s.witness", test_path);
	f = fopen(name, "w");
	assert_non_null(f);
	fwrite(w.p, 1, w.n, f);
	fclose(f);
}

/* 25 records more, and no key. */
static void add_unsigned(void)
{
	struct audit *a = test_open_log((struct audit_conf){.last = true});

	test_append(a, 602, 627);
	test_close(a);
}

/* And then the writer starts, and signs what it finds. */
static void start(void)
{
	struct audit *a = test_open_log((struct audit_conf){.own_key = true});
	struct err e = {0};
	struct sample s;

	assert_int_equal(audit_append(a, sample_boot(&s, 627), NULL, &e), 0);
	test_close(a);
}

/* Of a signed log; what was printed by one is the file of the next. */
static void proofs_go_from_hand_to_hand(void **state)
{
	static const struct {
		const char *args;
		int want;
		const char *text;
	} rows[] = {
		{"verify --key %D.vkey %D", 0, "2 checkpoints, signed by"},
		{"prove", 2, "what, a number and one database"},
		{"prove --help", 0, "consistency"},
		{"prove whim 1 %D", 2, "neither inclusion nor consistency"},
		{"prove inclusion 01 %D", 2, "not a number"},
		{"prove inclusion 602 %D", 2, "is not among the 602"},
		{"prove inclusion --size 300 5 %D", 2, "no checkpoint of 300"},
		{"prove consistency 603 %D", 2, "are more than"},
		{"prove inclusion 5 /nowhere/a.db", 2, "/nowhere/a.db"},
		{"prove inclusion 5 %D > /dev/full", 2, "No space left"},
		{"prove inclusion 5 %D > %O", 0, ""},
		{"check-proof --help", 0, "--old"},
		{"check-proof %O", 2, "--key is needed"},
		{"check-proof --key %D.vkey", 2, "exactly one proof"},
		{"check-proof --key %D.vkey /nowhere", 2, "/nowhere: cannot"},
		{"check-proof --key %D.vkey %D.vkey", 1, "not a proof"},
		{"check-proof --key %D.vkey %O", 0, "\nok record 5 of meter-1"},
		{"check-proof --key %D.vkey - < %O", 0, "with 602 records"},
		{"check-proof --key %D.vkey - < /dev/null", 1, "no proof"},
		{"check-proof --key %D.vkey - < /dev/zero", 1, "too long"},
		/* A key in PEM, too; never a private one. */
		{"verify --key %D.pem %D", 0, "2 checkpoints, signed by"},
		{"verify --key %D.pem2 %D", 1, "not signed by the log's key"},
		{"check-proof --key %D.pem %O", 0, "\nok record 5 of meter-1"},
		{"check-proof --key %D.pem2 %O", 1, "does not hold: the check"
		 "point is not signed by"},
		{"verify --key %D.key %D", 2, "a private key; public keys "
		 "only"},
		{"check-proof --key %D.key %O", 2, "public keys only"},
		{"check-proof --key %D.vkey --witness %D.key %O", 2,
		 "public keys only"},
		{"check-proof --key %D.vkey --witness %D.vkey %O", 2,
		 "the key of a log"},
		{"check-proof --key %D.vkey --witness %D.pem %O", 1,
		 "not cosigned by as many"},
		{"check-proof --key %D.vkey --witness %D.pem"
		 " --witness %D.pem %O", 2, "does not count as two"},
		{"check-proof --key %D.witness %O", 2, "the key of a witness"},
		{"verify --key %D.witness %D", 2, "the key of a witness"},
		{"verify --witness %D.pem --witness %D.pem %D", 2,
		 "does not count as two"},
		{"check-proof --cosigned 1 --key %D.vkey %O", 2, "more than"},
		{"check-proof --key %D.vkey --witness %D.pem --cosigned 2 %O",
		 2, "more than"},
		{"check-proof --key %D.vkey --record /dev/null %O", 1,
		 "does not hold: the record is not under"},
		{"prove inclusion --bare 5 %D > %O", 0, ""},
		{"check-proof --key %D.vkey %O", 2, "--record names it"},
		{"prove inclusion --size 301 300 %D > %O", 0, ""},
		{"check-proof --key %D.vkey %O", 0, "with 301 records"},
		{"prove consistency 301 %D > %O", 0, ""},
		{"check-proof --key %D.vkey %O", 2, "--old names"},
		{"check-proof --key %D.vkey --old %D.vkey %O", 2,
		 "not a signed note"},
	};

	(void)state;
	test_make_signed();
	put_pem(".pem", 0);
	put_pem(".pem2", 1);
	put_witness();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect(rows[i].args, rows[i].want, rows[i].text);
	/* The old checkpoint lies behind the proof of nothing new. */
	expect("prove consistency --size 301 301 %D | sed 1,2d > %D.old", 0,
	       "");
	expect("check-proof --key %D.vkey --old %D.old %O", 0,
	       "with 602 records continues its 301");
	expect("verify --key %D.vkey --checkpoint %D.old %D", 0,
	       "ok 602 records");
	expect("check-proof --key %D.old %O", 2, "not a public key");
	/* Too few to prune any of, which is said, and not done. */
	expect("prune --dry-run --before 600 %D", 0, "up to 0 would");
	expect("prune --before 600 %D", 0, "nothing was removed: before 600");
	expect("verify --key %D.vkey %D", 0, "ok 602 records");
	expect("verify --key %D.vkey %D", 0, "log meter-1.meter.example/audit\n"
	       "root ");
	/* As a directory. */
	expect("export -F tiles %D", 2, "tiles need a directory");
	expect("export -F tiles -o %O %D", 2, "exists");
	expect("export -F tiles -o /nowhere/x %D", 2, "/nowhere/x: No such");
	expect("export -F tiles -o %O.dir %D", 0, "");
	expect("verify --key %D.vkey %O.dir", 0, "ok 602 records");
	expect("verify --key %D.vkey --checkpoint %D.old %O.dir", 0,
	       "ok 602 records");
	expect("check-proof --key %D.vkey %O.dir/proof/99.tlog-proof", 0,
	       "ok record 99");
	expect("export -F tiles -o %O.dir2 /nowhere/a.db", 2, "/nowhere/a.db");
	/* And without what the home does: policies, not what was passed. */
	expect("export -F proofs %D", 2, "proofs need a directory");
	expect("export -F proofs --for customer -c %D.vkey -o %O.pr %D", 0, "");
	expect("check-proof --key %D.vkey %O.pr/proof/99.tlog-proof", 0,
	       "ok record 99");
	expect("--version && test -s %O.pr/checkpoint && ! test -e %O.pr/tile && "
	      "! test -e %O.pr/boots && "
	      "cmp %D.vkey %O.pr/certificate/$(basename %D.vkey) && "
	      "test $(ls %O.pr/record | wc -l) = $(ls %O.pr/proof | wc -l) && "
	      "grep -q '\"event_type\":\"policy\"' %O.pr/record/99.json && "
	      "! grep -lq decision %O.pr/record/*", 0, "");
	expect("verify --key %D.vkey %O.pr", 0, "\nok 6 of 602 records\n");
	expect("verify --key %D.vkey --checkpoint %D.old %O.pr", 2,
	       "check-proof can");
	expect("export -F proofs -c /nowhere/c -o %O.pr2 %D", 2, "/nowhere/c");
	expect("--version && ! test -e %O.pr2", 0, "");
	/* A part of it, and as it was. */
	expect("export -F tiles --from 300 -o %O.part %D", 0, "");
	expect("verify --key %D.vkey %O.part", 0, "records before 256 are not "
	       "in it, only their hashes; the others\nwere read, and of those "
	       "before them the protected ones that are there,\nwhich may not "
	       "be all\nthe keys of the salts are not in it: the salts were not "
	       "compared\nok 346 of 602 records\n");
	expect("verify --key %D.vkey --checkpoint %D.old %O.part", 0,
	       "\nok 346 of 602 records\n");
	expect("export -F tiles --size 301 -o %O.was %D", 0, "");
	expect("verify --key %D.vkey --checkpoint %D.old %O.was", 0,
	       "salts were not compared\nok 301 records\n");
	expect("export -F proofs --size 301 -o %O.prwas %D", 0, "");
	expect("verify --key %D.vkey %O.prwas", 0, "the last of 301 records");
	expect("export -F tiles --size 300 -o %O.none %D", 2,
	       "no checkpoint of 300");
	expect("export -F tiles --from 602 -o %O.none %D", 2,
	       "record 602 is not among the 602");
	expect("export -F proofs --from 1 -o %O.none %D", 2, "not of proofs");
	expect("export --from x %D", 2, "not the number of a record");
	expect("export --size 0 %D", 2, "not a number of records");
	expect("export --size 603 %D > %O", 2, "ends before 603 records");
	expect("export --from 255 --size 258 %D 2>%O", 0, "\"seq\":257");
	assert_int_equal(lines(), 3);
	expect("export --from 602 %D 2>%O", 0, "");
	assert_int_equal(lines(), 0);
	expect("export -F tiles --for agency -o %O.pr2 %D", 2,
	       "only proofs are for somebody");
	expect("export -F proofs --for mother -o %O.pr2 %D", 2,
	       "only agency (a utility is one) and customer");
	/* An agency's is the default, and has nothing of what the samples say
	 * of policies, which is in words alone. */
	expect("export -F proofs -o %O.pr2 %D", 0, "");
	expect("verify --key %D.vkey %O.pr2", 0, "\nok 0 of 602 records\n");
	expect("export -c %D.vkey %D", 2, "only beside tiles or proofs");
	expect("verify /tmp", 1, "checkpoint: not there");
	expect("verify --key %D.vkey %O.prwas", 0, "log meter-1.meter");
	/* What is added without the key nothing vouches for. */
	expect("verify --key %D.vkey -j %D", 0, "\"behind\":0");
	add_unsigned();
	expect("verify --key %D.vkey %D", 0, "the last of 602 records\nof the "
	       "records behind it, 25, nobody vouched yet");
	expect("verify --key %D.vkey -j %D", 0, "\"behind\":25");
	expect("verify --key %D.vkey -j %D", 0, "\"unsigned_at_start\":[],"
	       "\"unsigned_at_start_in_all\":0");
	start();
	expect("verify --key %D.vkey %D", 0, "\nrecords 602 to 626 had no "
	       "checkpoint when the log was opened in boot 3, and were signed "
	       "after that\n");
	expect("verify --key %D.vkey -j %D", 0, "\"unsigned_at_start\":["
	       "{\"boot\":3,\"first\":602,\"end\":627}],"
	       "\"unsigned_at_start_in_all\":1");
	expect("show -k boot %D", 0, "covered the last 25 records before");
}

/* Of 600: per ten 7 decisions, 1 violation, 1 anomaly and a flow; each
 * hundredth is a policy instead of a flow; all events one second apart. */
static const struct {
	const char *args;
	size_t want;
} filters[] = {
	{"", 600},
	{"--verdict allow", 420 + 6},
	{"--verdict deny", 120},
	{"--kind deny", 60},
	{"--kind anomaly", 60},
	{"--kind flow", 54},
	{"--kind policy", 6},
	{"--kind clock-step", 0},
	{"--reason too-soon", 60},
	{"--reason bad-mac", 60}, /* not the primary one */
	{"--guest mdma", 600},
	{"--guest nobody", 0},
	{"--since 2023-11-14T22:13:20Z", 600},
	{"--since 2023-11-14T22:14:20Z", 540},
	{"--until 2023-11-14T22:14:20Z", 60},
	{"--since 2023-11-14T23:13:21+01:00 --until 2023-11-14T22:13:24Z", 3},
	{"--kind deny --until 2023-11-14T22:13:40Z", 2},
	{"-j", 600},
	{"-j -v deny -g mdma", 120},
};

static void filters_select(void **state)
{
	char args[256];

	(void)state;
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		snprintf(args, sizeof(args), "show %s %%D", filters[i].args);
		assert_int_equal(run(args), 0);
		if (lines() != filters[i].want)
			fail_msg("%s: %zu lines", args, lines());
	}
}

static void colors_are_for_terminals(void **state)
{
	(void)state;
	assert_int_equal(run("show %D"), 0);
	assert_null(strchr(out, '\033'));
	assert_int_equal(run("show --color never %D"), 0);
	assert_null(strchr(out, '\033'));
	assert_int_equal(run("show --color always -k deny %D"), 0);
	assert_memory_equal(out, "\033[31m7 2023", 11);
}

static void exports_are_complete(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(run("export %D 2>%O"), 0);
	assert_int_equal(lines(), 600);
	assert_memory_equal(out, "{\"timestamp\":\"2023", 18);
	assert_int_equal(run("export --format csv -o %O %D"), 0);
	assert_non_null(strstr(out, "nobody writes it, so this export is not "
				    "recorded in it\n"));
	assert_int_equal(lines(), 1);
	assert_int_equal(stat(test_other, &st), 0);
	assert_int_equal(run("--version; cat %O"), 0);
	assert_int_equal(lines(), 602);
	assert_non_null(strstr(
		out, "\n7,2023-11-14T22:13:27.000000+0000,deny,deny,too-soon,"
		     "mdma,out,headend,10.20.0.10,1153,10.20.0.1,40000,UDP,"
		     "c1222,c1222.wait-request,,,,,,96,reference-mdma,"
		     "send-profile,metering.yaml,42,\"3 h after the previous "
		     "one, at least 20 h are needed\",1,96,0,\n"));
	assert_int_equal(unlink(test_other), 0);
	/* No room: one line, and no file. */
	assert_int_equal(run("--version; ulimit -f 8; trap '' XFSZ; "
			     "$TOOL export -o %O %D"), 2);
	if (!strstr(out, "b.db: File too large"))
		fail_msg("%s", out);
	assert_int_equal(run("--version; ls $DIR | grep -c b.db"), 1);
}

/* It has to be recorded in it, by its gateway, which there is none of. */
static void what_is_written_is_not_exported(void **state)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char name[300];
	int fd;

	(void)state;
	snprintf(name, sizeof(name), "%s.lock", test_path);
	fd = open(name, O_RDWR | O_CREAT, 0600);
	assert_true(fd >= 0 && fcntl(fd, F_SETLK, &whole) == 0);
	expect("export --control %O %D", 2, "metergated is not running");
	expect("export -F tiles --control %O -o %O.t %D", 2,
	       "has to be recorded in it first");
	expect("export -F csv --control %O -o %O.c %D", 2, "--unrecorded");
	expect("--version; ls $DIR | grep -c b.db", 1, "0\n");
	expect("--version; ln -s %D %D.link", 0, "");
	expect("export --control %O %D.link", 2, "has to be recorded");
	expect("export --unrecorded %D", 0, "\nmetergate-audit: ");
	expect("export --unrecorded %D", 0, "export is not recorded in it");
	close(fd);
	expect("export %D", 0, "nobody writes it");
}

/* For programs: one object, and what it covers. */
static void verify_tells_programs(void **state)
{
	static const struct {
		const char *args;
		int want;
		const char *has;
	} told[] = {
		{"verify -j %D", 0, "{\"verdict\":\"whole\",\"log\":\""},
		{"verify --json %D", 0, "\"records\":{\"checked\":4004,"
		 "\"of\":4004,\"first\":0,\"end\":4004,\"scope\":\"all\"}"},
		{"verify -j %D", 0, "\"signed\":false"},
		{"verify -j %D", 0, "\"keys\":[]"},
		{"verify -j --key %D.vkey %D", 0, "\"checkpoints\":{\"checked\":"
		 "4,\"last\":4004,\"behind\":0,\"over_pruned\":0,\"signed\":true"},
		{"verify -j --key %D.vkey %D", 0, "\"keys\":[{\"name\":"
		 "\"meter-1.meter.example/audit\",\"id\":\""},
		{"verify -j %O.part", 0, "\"records\":{\"checked\":3748,"
		 "\"of\":4004,\"first\":256,\"end\":4004,\"scope\":\"part\"}"},
		{"verify -j %O.part", 0, "\"salts\":false"},
		{"verify %O.part", 0, "salts were not compared\nok 3748 "},
		{"verify -j %D", 0, "\"salts\":true"},
		{"verify -j %O.pr", 0, "\"records\":{\"checked\":40,\"of\":4004,"
		 "\"scope\":\"protected\"}"},
		{"verify -j --pcr 00 --counter 1 %D", 2, "not 64 hex digits"},
		{"verify -j --key %D.vkey %D.bad 2>/dev/null", 1,
		 "{\"verdict\":\"not-whole\""},
		{"verify -j --key %D.vkey %D.bad 2>/dev/null", 1,
		 "\"missing\":[],\"missing_in_all\":0"},
		{"verify -j --key %D.vkey %D.bad 2>/dev/null", 1,
		 "\"finding\":{\"record\":"},
		{"verify -j /nowhere/a.db 2>/dev/null", 2,
		 "{\"verdict\":\"not-read\",\"log\":\"/nowhere/a.db\""},
	};
	FILE *f;
	char name[80];

	(void)state;
	test_clean();
	test_add_signed(0, 2000);
	test_add_signed(2000, 4000);
	expect("export -F tiles --from 300 -o %O.part %D", 0, "");
	expect("export -F proofs --for customer -o %O.pr %D", 0, "");
	expect("--version; cp %D %D.bad", 0, "");
	snprintf(name, sizeof(name), "%s.bad", test_path);
	f = fopen(name, "r+b");
	assert_non_null(f);
	fseek(f, 20 * 4096 + 100, SEEK_SET);
	fputc('x', f);
	fclose(f);
	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
		expect(told[i].args, told[i].want, told[i].has);
		if (out[0] == '{')
			assert_int_equal(lines(), 1);
	}
	/* Of what was pruned it says how much is read. */
	expect("verify %D", 0, "\nok 4004 records\n");
	expect("prune --before 1024 %D", 0, "");
	expect("verify %D", 0, "records before 1024 were pruned");
	expect("verify %D", 0, "\nok 2983 of 4007 records\n");
	expect("verify -j %D", 0, "\"records\":{\"checked\":2983,"
	       "\"of\":4007,\"first\":1024,\"end\":4007,"
	       "\"scope\":\"pruned\"}");
}

/* Also where it cannot be read to its end, which a signal says: one object. */
static void a_signal_is_told_as_an_object(void **state)
{
	static const char how[] =
		"--version >/dev/null; $TOOL verify -j %%D 2>/dev/null & p=$!; "
		"sleep 0.%03u; kill -BUS $p; wait $p";
	char args[160];
	int rc = 0;

	(void)state;
	test_make(60000);
	/* It may be over by then, or not have begun. */
	for (unsigned ms = 2; rc != 2 && ms < 400; ms += 2) {
		snprintf(args, sizeof(args), how, ms);
		rc = run(args);
	}
	assert_int_equal(rc, 2);
	assert_int_equal(lines(), 1);
	assert_non_null(strstr(out, "{\"verdict\":\"not-read\",\"log\":\""));
	assert_non_null(strstr(out, "the file became shorter"));
	test_make(600);
}

static void tampering_is_exit_1(void **state)
{
	FILE *f;

	(void)state;
	test_make(600);
	f = fopen(test_path, "r+b");
	assert_non_null(f);
	fseek(f, 20 * 4096 + 100, SEEK_SET);
	fputc(fgetc(f) ^ 1, f);
	fclose(f);
	assert_int_equal(run("verify %D"), 1);
	assert_non_null(strstr(out, "page "));
	assert_non_null(strstr(out, "not whole: "));
	assert_int_equal(truncate(test_path, 30 * 4096), 0);
	assert_int_equal(run("verify %D"), 1);
	test_make(600);
}

/* A line of show -f, within its time. */
static void follows_with(FILE *p, const char *begin)
{
	assert_non_null(fgets(out, sizeof(out), p));
	if (strncmp(out, begin, strlen(begin)) != 0)
		fail_msg("%s", out);
}

static void alone_in_its_directory(void)
{
	assert_int_equal(run("--version; ls $DIR"), 0);
	assert_null(strstr(out, "-shm"));
	assert_null(strstr(out, "-wal"));
}

/* Through a writer that comes, writes, ends, and another one; it leaves nothing
 * beside the log. */
static void it_follows(void **state)
{
	struct audit *a;
	char cmd[512];
	FILE *p;

	(void)state;
	test_make(600);
	snprintf(cmd, sizeof(cmd), "timeout 5 %s show -f %s", tool,
		 test_path);
	p = popen(cmd, "r");
	assert_non_null(p);
	for (int i = 0; i < 600; i++)
		assert_non_null(fgets(out, sizeof(out), p));
	alone_in_its_directory();
	a = test_open(0);
	test_append(a, 600, 603);
	assert_int_equal(audit_commit(a, NULL), 0);
	follows_with(p, "600 ");
	follows_with(p, "601 ");
	follows_with(p, "602 ");
	test_append(a, 603, 604);
	assert_int_equal(audit_commit(a, NULL), 0);
	follows_with(p, "603 ");
	usleep(100000); /* it waits then, and has let go */
	test_close(a);
	alone_in_its_directory();
	a = test_open(0);
	test_append(a, 604, 605);
	assert_int_equal(audit_commit(a, NULL), 0);
	follows_with(p, "604 ");
	usleep(100000);
	test_close(a);
	/* It never ends by itself. */
	assert_int_equal(WEXITSTATUS(pclose(p)), 124);
	alone_in_its_directory();
	test_whole(605);
}

/* Who waits for more of a log that gets no more is told so. */
static void it_does_not_follow_what_is_gone(void **state)
{
	static const struct {
		const char *how; /* in the directory; old is shorter */
		int want;
		const char *has;
	} cases[] = {
		{"mv old a.db", 1, "it was replaced"},
		{"cat old > a.db", 1, "ends before record 300, which was there"},
		{"rm a.db", 2, "No such file"},
		{"mkdir a.db.recovery-1", 1, "records go to "},
	};
	struct audit *a;
	char cmd[512];
	FILE *p;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		test_make(300);
		snprintf(cmd, sizeof(cmd), "mv %s %s/old", test_path,
			 test_dir);
		assert_int_equal(system(cmd), 0);
		a = test_open(0);
		test_append(a, 0, 600);
		test_close(a);
		snprintf(cmd, sizeof(cmd), "timeout 5 %s show -f %s 2>&1", tool,
			 test_path);
		p = popen(cmd, "r");
		assert_non_null(p);
		for (int k = 0; k < 600; k++)
			assert_non_null(fgets(out, sizeof(out), p));
		snprintf(cmd, sizeof(cmd), "cd %s && %s", test_dir,
			 cases[i].how);
		assert_int_equal(system(cmd), 0);
		assert_non_null(fgets(out, sizeof(out), p));
		if (!strstr(out, cases[i].has))
			fail_msg("%s: %s", cases[i].how, out);
		assert_int_equal(WEXITSTATUS(pclose(p)), cases[i].want);
	}
}

static int setup(void **state)
{
	const char *build = getenv("BUILD");

	snprintf(tool, sizeof(tool), "%s/bin/metergate-audit",
		 build ? build : "build");
	if (test_setup(state))
		return -1;
	setenv("TOOL", tool, 1);
	setenv("DIR", test_dir, 1);
	test_make(600);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_use_has_its_answer),
		cmocka_unit_test(filters_select),
		cmocka_unit_test(colors_are_for_terminals),
		cmocka_unit_test(exports_are_complete),
		cmocka_unit_test(what_is_written_is_not_exported),
		cmocka_unit_test(verify_tells_programs),
		cmocka_unit_test(a_signal_is_told_as_an_object),
		cmocka_unit_test(tampering_is_exit_1),
		cmocka_unit_test(it_follows),
		cmocka_unit_test(it_does_not_follow_what_is_gone),
		cmocka_unit_test(proofs_go_from_hand_to_hand),
	};
	const char *build = getenv("BUILD");

	snprintf(tool, sizeof(tool), "%s/bin/metergate-audit",
		 build ? build : "build");
	if (access(tool, X_OK) != 0) {
		printf("SKIP: %s is not built\n", tool);
		return 0;
	}
	return cmocka_run_group_tests(tests, setup, test_teardown);
}
