/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "audit/cmd_verify.h"
#include "audit/layout.h"
#include "audit/notefile.h"
#include "audit/tool.h"
#include "audit/tool_anchor.h"

static void help(void)
{
	puts("Usage: " TOOL " verify [--key FILE] [--checkpoint FILE]\n"
	     "         [--witness FILE]... [--cosigned N]\n"
	     "         [--tpm NAME | --pcr HEX --counter N] DB\n"
	     "Read every record again and compare hashes, tree, tiles, chain, "
	     "state, copies,\nboots, clocks, salts and the seals of the file's "
	     "pages. The last line is\n\"ok N records\", \"ok N of M records\", or what is wrong.\n\n"
	     "DB may be a directory that export --format tiles or proofs "
	     "wrote.\n\n"
	     "      --key FILE         public key of the log (its .vkey, or PEM): "
	     "every checkpoint\n"
	     "                         is signed by it\n"
	     "      --checkpoint FILE  a checkpoint that you hold and the log "
	     "must continue\n"
	     "      --witness FILE     public key of one who cosigns\n"
	     "      --cosigned N       some checkpoint is cosigned by N "
	     "witnesses\n"
	     "                         (all that are named)\n"
	     "      --tpm NAME         it is the log that this TPM knows, as "
	     "with the command\n"
	     "                         anchor, and its other options\n"
	     "  -j, --json             one object at the end instead of "
	     "lines\n"
	     "  -q, --quiet            no progress\n"
	     "  -h, --help             this text\n\n"
	     "Exit: 0 whole, 1 not whole, 2 it cannot be read.");
}

struct progress {
	time_t last;
	int shown;
};

/* About once a second, on a terminal only. */
static void progress(void *arg, uint64_t done, uint64_t total)
{
	struct progress *p = arg;
	time_t t = time(NULL);

	if (p->last == 0)
		p->last = t;
	if (t == p->last)
		return;
	p->last = t;
	p->shown = 1;
	fprintf(stderr, "\r%llu of %llu records",
		(unsigned long long)done, (unsigned long long)total);
}

/* Behind the rest: what the checkpoints say of the TPM is known to be what the
 * records say. */
static int compare(const struct tool_anchor *tpm, const char *path, bool dir,
		   struct err *e)
{
	if (!tpm->compare)
		return 0;
	return dir ? err_set(e, E_UNSUPPORTED, 0, "a directory of tiles has "
			     "no anchors")
		   : tool_anchor_compare(tpm, path, false, e);
}

#define SHORTER "the file became shorter while it was read, or cannot be read"

/* What is said then where an object was asked for, made before: a handler of a
 * signal has nothing but this. */
static struct {
	uint8_t line[VERIFIED_MAX];
	size_t n;
} broken;

/* A file that nobody has open is read where the kernel has it (verify.h). */
static void cannot_go_on(int signal_no)
{
	static const char text[] = TOOL ": verify: " SHORTER "\n";
	ssize_t n = write(STDERR_FILENO, text, sizeof(text) - 1);

	(void)signal_no;
	if (broken.n)
		n = write(STDOUT_FILENO, broken.line, broken.n);
	(void)n;
	_exit(EXIT_TROUBLE);
}

static void expect_trouble(const char *path, const struct points_conf *points,
			   bool json)
{
	struct err e = {.code = E_IO, .text = SHORTER};
	const struct verified v = {.path = path, .rc = E_IO, .e = &e,
				   .points = points};

	if (json)
		broken.n = verified_json(&v, broken.line, sizeof(broken.line));
	signal(SIGBUS, cannot_go_on);
}

static void say(const struct verified *v, bool json)
{
	uint8_t line[VERIFIED_MAX];

	if (json)
		fwrite(line, 1, verified_json(v, line, sizeof(line)), stdout);
	else
		verified_text(v);
}

static int run(const char *path, const struct points_conf *points,
	       struct tool_anchor *tpm, bool quiet, bool json)
{
	struct progress p = {0};
	struct err e = {0};
	struct verified v = {.path = path, .e = &e, .points = points};
	int show = !quiet && isatty(STDERR_FILENO);
	struct stat st;
	bool dir = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
	/* The TPM first: what the log gets meanwhile is pending. */
	int rc = tool_anchor_read(tpm, &e);

	if (rc) {
		tool_say(tpm->tpm ? tpm->tpm : "verify", e.text);
		return EXIT_TROUBLE;
	}
	expect_trouble(path, points, json);
	rc = (dir ? layout_verify : verify_file)(
		path, points, &v.r, show ? progress : NULL, &p, &e);
	tpm->quiet = json;
	if (rc == 0)
		rc = compare(tpm, path, dir, &e);
	if (p.shown)
		fprintf(stderr, "\r\033[K");
	v.rc = rc;
	v.compared = tpm->compare;
	say(&v, json);
	if (rc == E_INTEGRITY)
		tool_say(path, e.text);
	return rc == 0		   ? tool_flush(EXIT_DONE, 0)
	       : rc == E_INTEGRITY ? tool_flush(EXIT_NO, 0)
				   : tool_flush(tool_failed(path, &e), 0);
}

#define KEYS 8

struct given {
	struct note_key keys[KEYS], witnesses[NOTE_KEYS_MAX];
	struct note_file held[POINTS_HELD];
	struct span spans[POINTS_HELD];
	struct points_conf conf;
	bool has_need;
};

/* One option that names a file; EXIT_DONE, or said what is wrong. */
static int add_file(struct given *g, int option, const char *path)
{
	struct points_conf *c = &g->conf;
	struct err e = {0};
	int rc;

	if (option == 'k')
		rc = c->n_keys < KEYS
			     ? note_file_key(&g->keys[c->n_keys++], path, &e)
			     : err_set(&e, E_LIMIT, 0, "at most %d keys", KEYS);
	else if (option == 'w')
		rc = c->n_witnesses < NOTE_KEYS_MAX
			     ? note_file_witness(g->witnesses,
						 c->n_witnesses++, path, &e)
			     : err_set(&e, E_LIMIT, 0, "at most %d witnesses",
				       NOTE_KEYS_MAX);
	else
		rc = c->n_held < POINTS_HELD
			     ? note_file_read(&g->held[c->n_held++], path, &e)
			     : err_set(&e, E_LIMIT, 0, "at most %d checkpoints",
				       POINTS_HELD);
	if (rc == 0)
		return EXIT_DONE;
	tool_say(path, e.text);
	return EXIT_TROUBLE;
}

static int check_given(struct given *g)
{
	struct points_conf *c = &g->conf;

	c->keys = g->keys;
	c->witnesses = g->witnesses;
	c->held = g->spans;
	for (size_t i = 0; i < c->n_held; i++)
		g->spans[i] = span_of(g->held[i].octets, g->held[i].n);
	if (!g->has_need)
		c->need = c->n_witnesses;
	/* Silence would read as "the signature was checked". */
	if (c->n_held && c->n_keys == 0) {
		tool_say("--checkpoint", "it is worth nothing without --key");
		return tool_usage("verify");
	}
	if (c->need > c->n_witnesses) {
		tool_say("--cosigned", "more than there are witnesses");
		return tool_usage("verify");
	}
	return EXIT_DONE;
}

int cmd_verify(int argc, char **argv)
{
	static const struct option options[] = {
		{"key", required_argument, NULL, 'k'},
		{"checkpoint", required_argument, NULL, 'c'},
		{"witness", required_argument, NULL, 'w'},
		{"cosigned", required_argument, NULL, 'n'},
		TOOL_ANCHOR_OPTIONS,
		{"json", no_argument, NULL, 'j'},
		{"quiet", no_argument, NULL, 'q'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct given *g = calloc(1, sizeof(*g));
	int c, rc = g ? EXIT_DONE : EXIT_TROUBLE;
	bool quiet = false, json = false;
	struct tool_anchor tpm = {0};
	uint64_t need;

	while (rc == EXIT_DONE &&
	       (c = getopt_long(argc, argv, "jqh", options, NULL)) != -1) {
		switch (c) {
		case 'k':
		case 'c':
		case 'w':
			rc = add_file(g, c, optarg);
			break;
		case TOOL_ANCHOR_TPM:
		case TOOL_ANCHOR_INDEX:
		case TOOL_ANCHOR_PCR:
		case TOOL_ANCHOR_COUNTER:
			rc = tool_anchor_option(&tpm, c, optarg);
			break;
		case 'n':
			if (!checkpoint_number(span_str(optarg), &need) ||
			    need > NOTE_KEYS_MAX) {
				tool_say("--cosigned", "not a number of "
						       "witnesses");
				rc = tool_usage("verify");
				break;
			}
			g->conf.need = (size_t)need;
			g->has_need = true;
			break;
		case 'q':
			quiet = true;
			break;
		case 'j':
			json = true;
			break;
		case 'h':
			help();
			free(g);
			return tool_flush(EXIT_DONE, 0);
		default:
			rc = tool_usage("verify");
		}
	}
	if (rc == EXIT_DONE && optind + 1 != argc) {
		tool_say("verify", "exactly one database is needed");
		rc = tool_usage("verify");
	}
	if (rc == EXIT_DONE)
		rc = check_given(g);
	if (rc == EXIT_DONE)
		rc = run(argv[optind], &g->conf, &tpm, quiet, json);
	free(g);
	return rc;
}
