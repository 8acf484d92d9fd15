/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit beside what bounds it, both sides in one run. JSON on stdout.
 *
 *   write   three rings into the scribe, a process in its sandbox, until the
 *           last record is durable; beside a bare sqlite loop that writes the
 *           same bundles in commits of as many records to the same disk. Wall
 *           time: it is the disk that is waited for.
 *   verify  the log that the scribe wrote; beside a bare SHA-256 over the
 *           octets of its records, and over as many blocks as the format asks
 *           for; and the digests alone. Processor time, one thread.
 *   share   what a record costs its engine: merged or not (storm.h), made one
 *           message, put in the ring. Beside it the scribe's side of the ring,
 *           and a bare copy of as many octets. Processor time.
 *
 * bench_audit DIR: where the logs are made; removed again. Needs root, for
 * the scribe's sandbox.
 */
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit/reader.h"
#include "audit/record.h"
#include "audit/sample.h"
#include "audit/store.h"
#include "audit/verify.h"
#include "core/siphash.h"
#include "enforcer/daemon/flat.h"
#include "enforcer/daemon/live.h"
#include "enforcer/daemon/processes.h"
#include "enforcer/daemon/view.h"
#include "tests/bench_time.h"

#define UID	64125
#define GUESTS	3
#define RECORDS 150000
#define SHARES	200000 /* events of a measurement of the engine's share */
#define RUNS	5

static void fail(const char *what)
{
	fprintf(stderr, "bench_audit: %s\n", what);
	exit(2);
}

static double wall_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* --- events: a permitted reading, a refusal, the end of a flow in turn ------ */

#define KINDS 3
static struct sample sample[KINDS];

static void make_samples(void)
{
	sample_decision(&sample[0], 0);
	sample_violation(&sample[1], 0);
	sample_flow(&sample[2], 0);
}

static const struct event *event_of(uint64_t i, struct span guest)
{
	struct event *ev = &sample[i % KINDS].ev;

	ev->flow_id = i + 1;
	ev->guest = guest;
	return ev;
}

/* --- write ------------------------------------------------------------------ */

struct rig {
	struct conf conf;
	struct log log;
	struct guest_share guest[GUESTS];
	struct scribe_arg arg;
	struct ring ring[GUESTS];
};

static void *shared(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		fail("no memory");
	return p;
}

static void rig_init(struct rig *b, const char *dir)
{
	if (snprintf(b->conf.audit, sizeof(b->conf.audit), "%s/a.db", dir) >=
	    (int)sizeof(b->conf.audit))
		fail("the directory's name is too long");
	snprintf(b->conf.origin, sizeof(b->conf.origin), "bench/audit");
	b->log = log_init("scribe", LOG_LEVEL_ERR, false);
	b->arg = (struct scribe_arg){
		.log = &b->log,
		.conf = &b->conf,
		.guest = b->guest,
		.n_guests = GUESTS,
		.parent_events = shared(ring_octets(EVENT_RING)),
		.control = shared(sizeof(struct control)),
		.view = shared(sizeof(struct view)),
		.window = shared(sizeof(struct window)),
		.courier_fd = -1,
		.boot_key = {1},
		.sandbox = {.uid = UID, .gid = UID, .dir = dir},
	};
	for (size_t i = 0; i < GUESTS; i++) {
		struct guest_share *g = &b->guest[i];

		snprintf(g->name, sizeof(g->name), "guest%zu", i);
		g->lane = shared(sizeof(*g->lane));
		g->events = shared(ring_octets(EVENT_RING));
		ring_writer(&b->ring[i], g->events, EVENT_RING);
	}
}

/* As engines do: put, publish, wake; wait when there is no room. */
static void feed(struct rig *b, uint64_t from, uint64_t n)
{
	static uint8_t buf[FLAT_MAX];

	for (uint64_t i = from; i < from + n; i++) {
		size_t k = i % GUESTS;
		struct wbuf w = wbuf_of(buf, sizeof(buf));
		const struct event *ev;

		sample[i / GUESTS % KINDS].ev.now.mono = live_mono();
		ev = event_of(i / GUESTS, span_str(b->guest[k].name));
		flat_write(&w, ev);
		while (ring_put(&b->ring[k], wbuf_span(&w))) {
			ring_publish(&b->ring[k]);
			ring_wake(&b->arg.control->scribe_sleeps);
			ring_wait_room(&b->ring[k], w.n, 100);
		}
		if (i % 32 < GUESTS)
			ring_publish(&b->ring[k]);
	}
	for (size_t k = 0; k < GUESTS; k++)
		ring_publish(&b->ring[k]);
	ring_wake(&b->arg.control->scribe_sleeps);
}

/* Until all is durable. */
static void drain(struct rig *b)
{
	for (size_t k = 0; k < GUESTS; k++) {
		while (atomic_load(&b->ring[k].s->tail) != b->ring[k].at)
			usleep(200);
	}
}

struct wrote {
	double records_s, user_ns, each; /* each: records of a commit */
	uint64_t records;
};

static double child_ns(pid_t pid)
{
	struct timespec t;
	clockid_t c;

	if (clock_getcpuclockid(pid, &c) || clock_gettime(c, &t))
		fail("the scribe's clock");
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static struct wrote run_scribe(struct rig *b)
{
	struct wrote out = {.records = RECORDS};
	uint64_t commits;
	double at, cpu;
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(scribe_main(&b->arg));
	if (pid < 0)
		fail("fork");
	feed(b, 0, 3000); /* it is up, and warm */
	drain(b);
	commits = b->arg.view->commits;
	cpu = child_ns(pid);
	at = wall_ns();
	feed(b, 3000, RECORDS);
	drain(b);
	out.records_s = RECORDS / (wall_ns() - at) * 1e9;
	out.user_ns = (child_ns(pid) - cpu) / RECORDS;
	out.each = RECORDS / (double)(b->arg.view->commits - commits);
	kill(pid, SIGTERM);
	if (waitpid(pid, &status, 0) != pid || status != 0)
		fail("the scribe did not end in order");
	return out;
}

/* --- the log in memory -------------------------------------------------------- */

struct octets {
	uint8_t *p;	 /* entries: length and record, as bundles have them */
	size_t n;
	size_t *at; /* where record i begins; [records] is the end */
	uint64_t records;
	double each; /* octets of a record */
};

static void load(struct octets *o, const char *path)
{
	struct reader *r = NULL;
	struct span record;
	struct err e;
	uint64_t seq;
	size_t cap = (size_t)RECORDS * 700;

	o->p = malloc(cap);
	o->at = malloc((RECORDS + 8192) * sizeof(*o->at));
	if (!o->p || !o->at || reader_open(&r, path, false, &e))
		fail("the log cannot be read");
	while (reader_next(r, &seq, &record, &e) == 1) {
		if (o->n + record.n + 2 > cap || seq >= RECORDS + 8191)
			fail("the log is too long");
		o->at[o->records++] = o->n;
		o->p[o->n] = (uint8_t)(record.n >> 8);
		o->p[o->n + 1] = (uint8_t)record.n;
		memcpy(o->p + o->n + 2, record.p, record.n);
		o->n += record.n + 2;
	}
	o->at[o->records] = o->n;
	o->each = (double)o->n / (double)o->records - 2;
	reader_close(r);
}

static struct span entries(const struct octets *o, uint64_t from, uint64_t to)
{
	return span_of(o->p + o->at[from], o->at[to] - o->at[from]);
}

/* --- the bare loop -------------------------------------------------------------
 * The same rows of one table, prepared once, in WAL with FULL: a bundle that
 * is not full yet is written anew by the next commit. */

static void put_row(sqlite3_stmt *st, uint64_t first, struct span data)
{
	if (sqlite3_bind_int64(st, 1, (sqlite3_int64)first) ||
	    sqlite3_bind_blob(st, 2, data.p, (int)data.n, SQLITE_STATIC) ||
	    sqlite3_step(st) != SQLITE_DONE || sqlite3_reset(st))
		fail("the bare loop");
}

static double run_bare(const struct octets *o, const char *dir, double each)
{
	char path[512];
	sqlite3 *d;
	sqlite3_stmt *put, *begin, *commit;
	uint64_t done = 0;
	double at;

	snprintf(path, sizeof(path), "%s/bare.db", dir);
	if (sqlite3_open(path, &d) ||
	    sqlite3_exec(d, "PRAGMA page_size = 4096; PRAGMA journal_mode ="
			 " WAL; PRAGMA synchronous = FULL;"
			 "PRAGMA wal_autocheckpoint = 256;"
			 "CREATE TABLE bundle(first INTEGER PRIMARY KEY,"
			 " data BLOB)", NULL, NULL, NULL) ||
	    sqlite3_prepare_v2(d, "INSERT OR REPLACE INTO bundle"
			       " VALUES(?1, ?2)", -1, &put, NULL) ||
	    sqlite3_prepare_v2(d, "BEGIN IMMEDIATE", -1, &begin, NULL) ||
	    sqlite3_prepare_v2(d, "COMMIT", -1, &commit, NULL))
		fail("the bare loop's database");
	at = wall_ns();
	for (unsigned i = 1; done < o->records; i++) {
		uint64_t to = (uint64_t)(i * each), first;

		to = to < o->records ? to : o->records;
		if (sqlite3_step(begin) != SQLITE_DONE || sqlite3_reset(begin))
			fail("the bare loop");
		for (first = done & ~UINT64_C(255); first < to; first += 256)
			put_row(put, first, entries(o, first, first + 256 < to
							? first + 256 : to));
		if (sqlite3_step(commit) != SQLITE_DONE ||
		    sqlite3_reset(commit))
			fail("the bare loop");
		done = to;
	}
	at = wall_ns() - at;
	sqlite3_finalize(put);
	sqlite3_finalize(begin);
	sqlite3_finalize(commit);
	sqlite3_close(d);
	return (double)o->records / at * 1e9;
}

/* --- verify ------------------------------------------------------------------- */

static double run_verify(const char *path)
{
	struct verify_result r;
	struct err e;
	double at = now_ns();

	if (verify_file(path, NULL, &r, NULL, NULL, &e))
		fail(e.text);
	return (now_ns() - at) / (double)r.records;
}

static double bare_sha(struct sha256 *h, const struct octets *o)
{
	uint8_t md[SHA256_LEN];
	double at = now_ns();

	sha256_begin(h);
	sha256_add(h, span_of(o->p, o->n));
	sha256_end(h, md);
	return (now_ns() - at) / (double)o->records;
}

/* Blocks of SHA-256 that the format asks for: of each record its leaf, a node
 * and a salt of two blocks each, and its share of its bundle's octets. */
static double blocks(const struct octets *o)
{
	uint64_t n = 0;

	for (uint64_t i = 0; i < o->records; i++)
		n += (o->at[i + 1] - o->at[i] - 2 + 1 + 9 + 63) / 64 + 2 + 2;
	return (double)n / (double)o->records + (double)o->n / 64 /
						   (double)o->records;
}

/* They as one long message. */
static double bare_blocks(struct sha256 *h, const struct octets *o)
{
	double each = bare_sha(h, o) * (double)o->records;

	return each / ((double)o->n / 64) * blocks(o);
}

/* They alone, as verifying makes them. */
static double digests(struct sha256 *h, const struct octets *o)
{
	static struct store_digests d;
	static uint8_t bundle[STORE_BUNDLE_MAX];
	static struct tree t;
	uint8_t head[SHA256_LEN] = {0}, key[32] = {1};
	uint8_t salt[HMAC_JOBS][RECORD_SALT];
	struct hmac_key salts;
	double spent = 0;

	tree_init(&t, h);
	hmac_key_make(&salts, key);
	for (uint64_t i = 0; i < o->records; i += STORE_BUNDLE) {
		uint64_t n = o->records - i;
		struct span s;
		double at;

		n = n < STORE_BUNDLE ? n : STORE_BUNDLE;
		s = entries(o, i, i + n);
		memcpy(bundle, s.p, s.n); /* sqlite just gave it */
		at = now_ns();
		store_digests(&d, span_of(bundle, s.n));
		for (uint64_t k = 0; k < n; k += HMAC_JOBS)
			record_salts(&salts, i + k, HMAC_JOBS, salt);
		if (tree_add_leaves(&t, span_of(d.leaf, n * SHA256_LEN), NULL))
			fail("the tree");
		store_chain_of(h, head, i, (uint32_t)n, d.all, head);
		spent += now_ns() - at;
	}
	return spent / (double)o->records;
}

/* --- the engine's share ------------------------------------------------------- */

struct share {
	struct storm *storm;
	struct ring w, r;
	uint8_t flat[FLAT_MAX];
	size_t octets;
};

static void share_put(void *arg, const struct event *ev)
{
	struct share *s = arg;
	struct wbuf w = wbuf_of(s->flat, sizeof(s->flat));

	flat_write(&w, ev);
	s->octets += w.n;
	if (ring_put(&s->w, wbuf_span(&w)))
		fail("the ring is full");
}

struct shares {
	double encode, engine, scribe, copy, octets;
};

/* Half a ring at a time, so that nobody waits; each side by itself. */
static struct shares run_share(struct share *s, bool storm, struct flat_event *in)
{
	static uint8_t buf[FLAT_MAX], to[EVENT_RING];
	struct shares out = {0};
	uint64_t i = 0;

	s->octets = 0;
	while (i < SHARES) {
		double at = now_ns();
		uint64_t from = i;
		size_t before = s->octets, n = 0;

		for (; s->octets - before < EVENT_RING / 2; i++) {
			struct event *ev = &sample[0].ev;

			ev->flow_id = i;
			ev->now.mono.ns = 1 + (int64_t)i * 1000;
			if (storm)
				storm_event(s->storm, ev, share_put, s);
			else
				share_put(s, ev);
			if (i % 8 == 0)
				ring_publish(&s->w);
		}
		ring_publish(&s->w);
		out.engine += now_ns() - at;
		at = now_ns();
		for (; from < i; from++) {
			int64_t len = ring_get(&s->r, buf, sizeof(buf));
			struct err e;

			if (len <= 0 || flat_read(in, span_of(buf, (size_t)len),
						  &e))
				fail("a message is not what was written");
		}
		ring_release(&s->r);
		out.scribe += now_ns() - at;
		n = s->octets - before;
		at = now_ns();
		for (size_t k = 0; k < n; k += 512)
			memcpy(to + k, s->flat, 512);
		__asm__ volatile("" ::"r"(to) : "memory");
		out.copy += now_ns() - at;
	}
	out.engine /= (double)i;
	out.scribe /= (double)i;
	out.copy /= (double)i;
	out.octets = (double)s->octets / (double)i;
	return out;
}

static void share(void)
{
	static struct flat_event in;
	struct share *s = calloc(1, sizeof(*s));
	double t[4][RUNS], sip[RUNS];
	struct sipkey key = {1, 2};
	void *mem = shared(ring_octets(EVENT_RING));
	struct shares r = {0};

	in.leaves = malloc(FLAT_LEAVES * sizeof(*in.leaves));
	if (!s || !in.leaves || !(s->storm = calloc(1, sizeof(*s->storm))))
		fail("no memory");
	storm_init(s->storm, &(struct storm_conf){.key = key});
	ring_writer(&s->w, mem, EVENT_RING);
	ring_reader(&s->r, mem, EVENT_RING);
	for (unsigned i = 0; i < RUNS; i++) {
		uint8_t octets[64] = {0};
		uint64_t sum = 0;
		double at;

		r = run_share(s, false, &in);
		t[0][i] = r.engine;
		t[1][i] = r.scribe;
		t[2][i] = r.copy;
		t[3][i] = run_share(s, true, &in).engine;
		at = now_ns();
		for (unsigned k = 0; k < SHARES; k++) {
			octets[0] = (uint8_t)sum;
			sum += siphash24(&key, span_of(octets,
						       sizeof(octets)));
		}
		sip[i] = (now_ns() - at) / SHARES;
		if (sum == 0)
			fail("a sum that cannot be");
	}
	printf("\"share\":{\"octets\":%.0f,\"encode_put_ns\":%.0f,"
	       "\"with_storm_ns\":%.0f,\"scribe_get_read_ns\":%.0f,"
	       "\"copy_ns\":%.0f,\"siphash_64_ns\":%.0f}", r.octets,
	       median(t[0], RUNS), median(t[3], RUNS), median(t[1], RUNS),
	       median(t[2], RUNS), median(sip, RUNS));
}

/* --- all of it ------------------------------------------------------------------ */

static void clean(const char *dir)
{
	char cmd[600];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	if (system(cmd))
		fail("removing the logs");
}

static void logs(const char *dir)
{
	static struct rig b;
	static struct octets o;
	struct sha256 *h = sha256_new();
	double t[4][RUNS], bare;
	struct wrote w;

	rig_init(&b, dir);
	w = run_scribe(&b);
	load(&o, b.conf.audit);
	bare = run_bare(&o, dir, w.each);
	printf("\"write\":{\"records\":%llu,\"octets\":%.0f,\"records_s\":%.0f,"
	       "\"bare_records_s\":%.0f,\"ratio\":%.3f,\"per_commit\":%.0f,"
	       "\"scribe_cpu_ns\":%.0f},",
	       (unsigned long long)w.records, o.each, w.records_s, bare,
	       w.records_s / bare, w.each, w.user_ns);
	for (unsigned i = 0; i < RUNS; i++) {
		t[0][i] = run_verify(b.conf.audit);
		t[1][i] = bare_sha(h, &o);
		t[2][i] = digests(h, &o);
		t[3][i] = bare_blocks(h, &o);
	}
	for (unsigned i = 0; i < 4; i++)
		t[i][0] = median(t[i], RUNS);
	printf("\"verify\":{\"ns\":%.0f,\"records_s\":%.0f,\"sha256_ns\":%.0f,"
	       "\"ratio\":%.3f,\"blocks\":%.1f,\"blocks_ns\":%.0f,"
	       "\"of_blocks\":%.3f,\"digests_ns\":%.0f},",
	       t[0][0], 1e9 / t[0][0], t[1][0], t[1][0] / t[0][0], blocks(&o),
	       t[3][0], t[3][0] / t[0][0], t[2][0]);
	sha256_free(h);
}

int main(int argc, char **argv)
{
	char dir[400];

	if (argc != 2)
		fail("usage: bench_audit DIR");
	snprintf(dir, sizeof(dir), "%s/bench_auditXXXXXX", argv[1]);
	make_samples();
	printf("{");
	if (geteuid() == 0) {
		if (!mkdtemp(dir) || chown(dir, UID, UID))
			fail("no directory");
		logs(dir);
		clean(dir);
	} else {
		fprintf(stderr, "SKIP: writing and verifying need root\n");
	}
	share();
	printf("}\n");
	return 0;
}
