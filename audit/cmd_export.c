/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/checkpoint.h"
#include "audit/cmd_ask.h"
#include "audit/eve.h"
#include "audit/eve_word.h"
#include "audit/reader.h"
#include "audit/record.h"
#include "audit/tool.h"

struct export {
	bool csv;
	FILE *to;
	int out_errno; /* of a write that failed */
	uint64_t from, size; /* of a part; size 0: to the end */
	struct record_view view;
	uint8_t line[EVE_LINE_MAX];
};

static void help(void)
{
	puts("Usage: " TOOL " export [--format ndjson|csv|tiles|proofs] [-o OUT] DB\n"
	     "Write all records. OUT appears only when it is complete.\n\n"
	     "  -F, --format FORMAT  ndjson (EVE lines; the default), csv, or "
	     "tiles: a directory\n"
	     "                       with tiles, entries, checkpoint and proofs; "
	     "or proofs: a\n"
	     "                       directory with protected records alone, "
	     "each proved\n"
	     "      --from N         a part: from record N on; of tiles, from "
	     "its bundle on\n"
	     "      --size N         as it was with N records; of tiles and "
	     "proofs, under the\n"
	     "                       checkpoint of that size\n"
	     "      --for CLIENT     of proofs: agency (a utility, too; the "
	     "default) gets\n"
	     "                       nothing that the customer chose; customer "
	     "gets all\n"
	     "  -c, --certificate FILE  of tiles and proofs: put it beside; "
	     "up to 8 times\n"
	     "  -o, --output OUT     a file; without it standard output. Of "
	     "tiles and proofs:\n"
	     "                       a directory that is not there yet\n"
	     "      --control SOCKET  of the gateway that writes the log, which "
	     "records the\n"
	     "                       export first "
	     "(/run/metergate/control)\n"
	     "      --unrecorded     do without that record\n"
	     "  -h, --help           this text");
}

/* --- CSV (RFC 4180) --- */

static const char csv_head[] =
	"seq,timestamp,kind,verdict,reason,guest,direction,party,src_ip,"
	"src_port,dest_ip,dest_port,proto,app_proto,op,object,measurement,"
	"granularity_s,readings,span_s,octets,policy,rule,file,line,detail,"
	"count,count_octets,would_refuse,severity\n";

static void csv_text(FILE *f, struct span s)
{
	bool quote = false;

	putc(',', f);
	for (size_t i = 0; i < s.n; i++)
		quote |= s.p[i] < 0x20 || strchr(",\"\x7f", s.p[i]);
	if (!quote) {
		fwrite(s.p, 1, s.n, f);
		return;
	}
	putc('"', f);
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"')
			putc('"', f);
		if (s.p[i] < 0x20 || s.p[i] == 0x7f)
			putc(' ', f); /* one record, one line */
		else
			putc(s.p[i], f);
	}
	putc('"', f);
}

static void csv_number(FILE *f, bool have, uint64_t v)
{
	if (have)
		fprintf(f, ",%llu", (unsigned long long)v);
	else
		putc(',', f);
}

static void csv_fact(FILE *f, const struct obs *o, enum field field)
{
	csv_number(f, o && obs_has(o, field), o ? obs_get(o, field, 0) : 0);
}

static void csv_obs(FILE *f, const struct obs *o)
{
	char text[MEAS_TEXT] = "";

	csv_text(f, span_str(o ? obs_name((enum obs_kind)o->kind) : ""));
	if (o && obs_has(o, F_PROCEDURE))
		snprintf(text, sizeof(text), "procedure %llu",
			 (unsigned long long)obs_get(o, F_PROCEDURE, 0));
	else if (o && obs_has(o, F_TABLE))
		snprintf(text, sizeof(text), "table %llu",
			 (unsigned long long)obs_get(o, F_TABLE, 0));
	csv_text(f, span_str(text));
	text[0] = 0;
	if (o && obs_has(o, F_MEASUREMENT))
		meas_text(text, sizeof(text), obs_get(o, F_MEASUREMENT, 0));
	csv_text(f, span_str(text));
	csv_fact(f, o, F_GRANULARITY);
	csv_fact(f, o, F_READINGS);
	csv_fact(f, o, F_SPAN_S);
}

static void csv_tuple(FILE *f, const struct event *ev)
{
	const struct net_tuple *t = &ev->tup;
	char a[NET_ADDR_TEXT] = "", b[NET_ADDR_TEXT] = "";

	if (ev->has_tuple) {
		net_addr_text(a, &t->src);
		net_addr_text(b, &t->dst);
	}
	csv_text(f, span_str(a));
	csv_number(f, ev->has_tuple, t->sport);
	csv_text(f, span_str(b));
	csv_number(f, ev->has_tuple, t->dport);
	if (ev->has_tuple && eve_proto(t->proto))
		csv_text(f, span_str(eve_proto(t->proto)));
	else
		csv_number(f, ev->has_tuple, t->proto);
}

static void csv_line(FILE *f, const struct record_view *v, uint64_t seq)
{
	static const char *const verdicts[] = {"", "allow", "deny"};
	const struct event *ev = &v->ev;
	const struct event_rule *r = record_rule(ev);
	bool judged = v->r.kind == RECORD_ALLOW || v->r.kind == RECORD_DENY;
	char when[CLOCK_TEXT];

	fprintf(f, "%llu,%s,%s,%s", (unsigned long long)seq,
		clock_eve(when, ev->now.wall), record_kind_name(v->r.kind),
		verdicts[ev->verdict]);
	csv_text(f, span_str(ev->reason ? reason_text(ev->reason) : ""));
	csv_text(f, ev->guest);
	csv_text(f, span_str(!ev->has_tuple ? "" : ev->dir ? "in" : "out"));
	csv_text(f, ev->party);
	csv_tuple(f, ev);
	csv_text(f, span_str(ev->app_proto ? ev->app_proto : ""));
	csv_obs(f, judged && ev->leaf < ev->n_leaves ? &ev->leaves[ev->leaf]
						      : NULL);
	csv_number(f, ev->octets > 0, ev->octets);
	csv_text(f, r ? r->policy : (struct span){0});
	csv_text(f, r ? r->rule : (struct span){0});
	csv_text(f, r ? r->file : (struct span){0});
	csv_number(f, r && r->line, r ? r->line : 0);
	csv_text(f, span_str(ev->detail ? ev->detail : ""));
	/* A record of several alike is one row: who counts rows sums this. */
	csv_number(f, true, ev->count ? ev->count : 1);
	csv_number(f, true, ev->count ? ev->count_octets : ev->octets);
	csv_number(f, judged, ev->monitored);
	csv_text(f, span_str(severity_name(ev->severity)
				     ? severity_name(ev->severity)
				     : ""));
	putc('\n', f);
}

/* --- both --- */

static int one(struct export *x, uint64_t seq, struct span record,
	       struct err *e)
{
	struct json j = json_of(x->line, sizeof(x->line));
	struct eve_opts o = {.has_seq = true, .seq = seq};

	if (record_decode(&x->view, record, e)) {
		err_wrap(e, "record %llu", (unsigned long long)seq);
		return e->code = E_INTEGRITY;
	}
	o.service = x->view.r.service;
	if (x->csv) {
		csv_line(x->to, &x->view, seq);
		return 0;
	}
	if (!eve_event(&j, &x->view.ev, &o))
		return err_set(e, E_LIMIT, 0, "record %llu: its line is too "
			       "long", (unsigned long long)seq);
	fwrite(j.w.p, 1, j.w.n, x->to);
	return 0;
}

static int all(struct export *x, struct reader *r, struct err *e)
{
	struct span record;
	uint64_t seq, end = 0; /* behind the last that was read */
	int rc;

	if (x->csv)
		fputs(csv_head, x->to);
	reader_seek(r, x->from);
	while ((rc = reader_next(r, &seq, &record, e)) == 1 &&
	       (x->size == 0 || seq < x->size)) {
		end = seq + 1;
		rc = one(x, seq, record, e);
		if (rc)
			return rc;
		if (ferror(x->to)) {
			x->out_errno = errno;
			return 0; /* said by who flushes it */
		}
	}
	if (rc < 0)
		return rc;
	if (end < x->size)
		return err_set(e, E_LIMIT, 0, "the log ends before %llu records",
			       (unsigned long long)x->size);
	return 0;
}

/* Durable under its own name, or not there at all. */
static int finish(FILE *f, const char *tmp, const char *out)
{
	char dir[4096];
	int fd;

	if (fflush(f) || ferror(f) || fsync(fileno(f)) || fclose(f))
		return -1;
	if (rename(tmp, out))
		return -1;
	snprintf(dir, sizeof(dir), "%s", out);
	fd = open(dirname(dir), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return 0; /* a directory that may not be read: renamed anyway */
	fsync(fd);
	close(fd);
	return 0;
}

/* What stands behind a log's name in that of a file that belongs to it. */
static bool is_tail(const char *tail)
{
	static const char *const whole[] = {"",	    "-wal", "-shm",  "-journal",
					    ".lock", ".key", ".vkey", ".tpmkey"};
	static const char *const begun[] = {".seg-", ".recovery-"};

	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
		if (strcmp(tail, whole[i]) == 0)
			return true;
	}
	for (size_t i = 0; i < sizeof(begun) / sizeof(begun[0]); i++) {
		if (strncmp(tail, begun[i], strlen(begun[i])) == 0)
			return true;
	}
	return false;
}

static bool is_part(const char *name, const char *log)
{
	size_t n = strlen(log);

	return strncmp(name, log, n) == 0 && is_tail(name + n);
}

struct place {
	char octets[4096], *name, *dir; /* its last part, and where that is */
};

static bool place_of(struct place *p, const char *path)
{
	const char *slash = strrchr(path, '/');

	if (strlen(path) >= sizeof(p->octets))
		return false;
	snprintf(p->octets, sizeof(p->octets), "%s", path);
	p->name = p->octets + (slash ? slash + 1 - path : 0);
	p->dir = slash == path ? strdup("/") : realpath(".", NULL);
	if (slash && slash != path) {
		free(p->dir);
		p->octets[slash - path] = '\0';
		p->dir = realpath(p->octets, NULL);
	}
	return p->dir != NULL;
}

/* Is `out`, which need not be there yet, a part of the log of that name: by its
 * own name, or as another one of the same file? */
static bool is_of_log(const char *out, const char *path)
{
	struct place o = {0}, l = {0};
	struct stat st, part;
	struct dirent *d;
	DIR *dir = NULL;
	bool is = false;

	if (place_of(&o, out) && place_of(&l, path)) {
		is = strcmp(o.dir, l.dir) == 0 && is_part(o.name, l.name);
		dir = stat(out, &st) == 0 ? opendir(l.dir) : NULL;
	}
	while (!is && dir && (d = readdir(dir)))
		is = is_part(d->d_name, l.name) &&
		     fstatat(dirfd(dir), d->d_name, &part, 0) == 0 &&
		     part.st_dev == st.st_dev && part.st_ino == st.st_ino;
	if (dir)
		closedir(dir);
	free(o.dir);
	free(l.dir);
	return is;
}

/* Only a regular file is written over, and never the log that is read or
 * what lies beside it: or why not. */
static const char *may_replace(const char *out, const char *path)
{
	char *own = realpath(path, NULL);
	bool is = is_of_log(out, path) || (own && is_of_log(out, own));
	struct stat st;

	free(own);
	if (is)
		return "is the log that is exported, or a part of it";
	if (stat(out, &st))
		return errno == ENOENT ? NULL : strerror(errno);
	return S_ISREG(st.st_mode) ? NULL : "exists and is not a regular file";
}

/* What a signal must not leave behind. */
static char unfinished[4096];

static void on_signal(int sig)
{
	unlink(unfinished);
	signal(sig, SIG_DFL);
	raise(sig);
}

static void catch_signals(void)
{
	static const int caught[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

	for (size_t i = 0; i < sizeof(caught) / sizeof(caught[0]); i++) {
		if (signal(caught[i], on_signal) == SIG_IGN)
			signal(caught[i], SIG_IGN); /* nohup stays nohup */
	}
}

static int to_file(struct export *x, struct reader *r, const char *path,
		   const char *out, struct export_ask *ask)
{
	char *tmp = unfinished;
	struct err e = {0};
	const char *why = may_replace(out, path);
	mode_t mask = umask(0);
	int fd, rc;

	umask(mask);
	if (why) {
		tool_say(out, why);
		return EXIT_TROUBLE;
	}
	if ((size_t)snprintf(tmp, sizeof(unfinished), "%s.XXXXXX", out) >=
	    sizeof(unfinished)) {
		tool_say(out, "the name is too long");
		return EXIT_TROUBLE;
	}
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd >= 0)
		catch_signals();
	if (fd >= 0) /* as any new file, not as a secret */
		fchmod(fd, 0666 & ~mask);
	x->to = fd < 0 ? NULL : fdopen(fd, "w");
	if (!x->to) {
		tool_say(out, strerror(errno));
		return EXIT_TROUBLE;
	}
	rc = export_recorded(ask, path);
	if (rc) {
		unlink(tmp);
		return rc;
	}
	rc = all(x, r, &e);
	if (rc == 0 && finish(x->to, tmp, out) == 0)
		return EXIT_DONE;
	if (rc)
		rc = tool_failed(path, &e);
	else
		tool_say(out, strerror(x->out_errno ? x->out_errno : errno));
	unlink(tmp);
	return rc ? rc : EXIT_TROUBLE;
}

static int run(struct export *x, const char *path, const char *out,
	       struct export_ask *ask)
{
	struct reader *r;
	struct err e = {0};
	uint64_t first = 0;
	int rc = reader_open(&r, path, false, &e);

	if (rc == 0)
		rc = reader_first(r, &first, &e);
	if (rc) {
		tool_say(path, e.text);
		return EXIT_TROUBLE;
	}
	if (x->from < first)
		tool_pruned(path, first);
	if (out) {
		rc = to_file(x, r, path, out, ask);
	} else if ((rc = export_recorded(ask, path)) == EXIT_DONE) {
		x->to = stdout;
		rc = all(x, r, &e);
		rc = rc ? tool_failed(path, &e)
			: tool_flush(EXIT_DONE, x->out_errno);
	}
	reader_close(r);
	if (rc == EXIT_DONE)
		export_unrecorded(ask, path);
	return rc;
}

/* Who it is for, and whether the options go together. */
static int settle(struct export_dir *d, const char *client, bool is_dir)
{
	d->for_customer = client && strcmp(client, "customer") == 0;
	if (client && !d->proofs)
		tool_say("export --for", "only proofs are for somebody; what "
			 "else is exported is all of the log");
	else if (client && !d->for_customer && strcmp(client, "agency") != 0)
		tool_say("export --for", "only agency (a utility is one) and "
					 "customer are known");
	else if (d->from && d->proofs)
		tool_say("export --from", "not of proofs: who gets some is to "
			 "get all that he may have");
	else if (d->n_beside && !is_dir)
		tool_say("export --certificate", "only beside tiles or proofs");
	else
		return EXIT_DONE;
	return tool_usage("export");
}

int cmd_export(int argc, char **argv)
{
	static const struct option options[] = {
		{"format", required_argument, NULL, 'F'},
		{"for", required_argument, NULL, 'f'},
		{"from", required_argument, NULL, 'n'},
		{"size", required_argument, NULL, 's'},
		{"certificate", required_argument, NULL, 'c'},
		{"output", required_argument, NULL, 'o'},
		{"control", required_argument, NULL, 'C'},
		{"unrecorded", no_argument, NULL, 'U'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct export_dir dir = {0};
	struct export_ask ask = {0};
	bool is_dir;
	const char *out = NULL, *format = "ndjson", *client = NULL;
	struct export *x;
	int c, rc;

	while ((c = getopt_long(argc, argv, "F:c:o:h", options, NULL)) != -1) {
		switch (c) {
		case 'F':
			format = optarg;
			break;
		case 'c':
			if (dir.n_beside == sizeof(dir.beside) /
						    sizeof(dir.beside[0])) {
				tool_say("export --certificate",
					 "at most 8 files");
				return EXIT_TROUBLE;
			}
			dir.beside[dir.n_beside++] = optarg;
			break;
		case 'o':
			out = optarg;
			break;
		case 'f':
			client = optarg;
			break;
		case 'n':
			if (checkpoint_number(span_str(optarg), &dir.from))
				break;
			tool_say("export --from", "not the number of a record");
			return tool_usage("export");
		case 's':
			if (checkpoint_number(span_str(optarg), &dir.size) &&
			    dir.size)
				break;
			tool_say("export --size", "not a number of records");
			return tool_usage("export");
		case 'C':
			ask.control = optarg;
			break;
		case 'U':
			ask.unrecorded = true;
			break;
		case 'h':
			help();
			return tool_flush(EXIT_DONE, 0);
		default:
			return tool_usage("export");
		}
	}
	if (strcmp(format, "ndjson") != 0 && strcmp(format, "csv") != 0 &&
	    strcmp(format, "tiles") != 0 && strcmp(format, "proofs") != 0) {
		tool_say("export --format", "only ndjson, csv, tiles and "
					    "proofs are known");
		return EXIT_TROUBLE;
	}
	dir.proofs = strcmp(format, "proofs") == 0;
	is_dir = dir.proofs || strcmp(format, "tiles") == 0;
	rc = settle(&dir, client, is_dir);
	if (rc != EXIT_DONE)
		return rc;
	if (optind + 1 != argc) {
		tool_say("export", "exactly one database is needed");
		return tool_usage("export");
	}
	ask.form = dir.proofs && !dir.for_customer ? "proofs-for-agency"
						   : format;
	if (is_dir)
		return export_dir(argv[optind], out, &dir, &ask);
	x = calloc(1, sizeof(*x));
	if (!x) {
		tool_say("export", "out of memory");
		return EXIT_TROUBLE;
	}
	x->csv = strcmp(format, "csv") == 0;
	x->from = dir.from;
	x->size = dir.size;
	rc = run(x, argv[optind], out, &ask);
	free(x);
	return rc;
}
