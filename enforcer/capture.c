/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/capture.h"

#include "enforcer/capture_names.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER       (1024 * 1024)
#define FILE_HEAD    24     /* octets of a pcap file's header */
#define PACKET_HEAD  16     /* and of a packet's */
#define PACKET_LIMIT 262144 /* octets of a packet; libpcap's too */
/* The end of the year 9999: later times have no place in any output. */
#define TIME_MAX_S INT64_C(253402300799)

struct capture {
	pcap_t *pcap; /* owns file */
	FILE *file;
	char *buffer, *file_buffer;
	struct span rest; /* octets in buffer that nobody has taken yet */
	bool plain;       /* packets are read here, see next_plain */
	bool swapped;     /* most significant octet first */
	struct capture_names *names; /* NULL: the format has none */
	const char *name; /* the caller's path, or "standard input" */
	int fd;
	enum link_type link;
	struct capture_format format;
	uint64_t packets, at, size;
	int error; /* errno of the read that failed */
	bool pipe;
	void (*wait)(void *arg);
	void *arg;
	char path[PATH_MAX];
};

/* Link types that the pipeline reads. A type in no row is refused. */
static const struct {
	int dlt;
	enum link_type link;
} links[] = {
	{DLT_NULL,       LINK_NULL    },
	{DLT_EN10MB,     LINK_ETHERNET},
	{DLT_RAW,        LINK_RAW     },
	{DLT_LOOP,       LINK_NULL    },
	{DLT_LINUX_SLL,  LINK_SLL     },
	{DLT_IPV4,       LINK_RAW     },
	{DLT_IPV6,       LINK_RAW     },
	{DLT_LINUX_SLL2, LINK_SLL2    },
};

static int find_link(int dlt, enum link_type *out, struct err *e)
{
	const char *name = pcap_datalink_val_to_name(dlt);

	for (size_t i = 0; i < sizeof(links) / sizeof(*links); i++) {
		if (links[i].dlt == dlt) {
			*out = links[i].link;
			return 0;
		}
	}
	if (name)
		return err_set(e, E_UNSUPPORTED, 0,
			       "its link type %s is not one that is read",
			       name);
	return err_set(e, E_UNSUPPORTED, 0,
		       "its link type, number %d, is not one that is read",
		       dlt);
}

static ssize_t read_some(struct capture *c, char *buf, size_t n)
{
	ssize_t got;

	if (c->pipe && c->wait)
		c->wait(c->arg);
	got = read(c->fd, buf, n);
	if (got < 0)
		c->error = errno;
	else
		c->at += (uint64_t)got;
	return got;
}

/* Have n octets in rest: 1, or fewer before the end of the file: 0, or -1. */
static int fill(struct capture *c, size_t n)
{
	while (c->rest.n < n) {
		ssize_t got;

		if (c->rest.n)
			memmove(c->buffer, c->rest.p, c->rest.n);
		got = read_some(c, c->buffer + c->rest.n, BUFFER - c->rest.n);
		if (got < 0)
			return -1;
		c->rest = span_of(c->buffer, c->rest.n + (size_t)got);
		if (got == 0)
			return 0;
	}
	return 1;
}

/* libpcap reads through this. */
static ssize_t serve(void *cookie, char *buf, size_t n)
{
	struct capture *c = cookie;
	struct span s = span_sub(c->rest, 0, n);
	ssize_t got = (ssize_t)s.n;

	if (s.n) {
		memcpy(buf, s.p, s.n);
		c->rest = span_from(c->rest, s.n);
	} else {
		got = read_some(c, buf, n);
	}
	if (c->names && got > 0)
		capture_names_read(c->names, span_of(buf, (size_t)got));
	return got;
}

static int close_fd(void *cookie)
{
	struct capture *c = cookie;

	return c->fd == STDIN_FILENO ? 0 : close(c->fd);
}

static int open_fd(struct capture *c, const char *path, struct err *e)
{
	struct stat st;

	if (strcmp(path, "-") == 0) {
		c->name = "standard input";
		c->fd = STDIN_FILENO;
	} else {
		if (strlen(path) >= sizeof(c->path))
			return err_set(e, E_LIMIT, 0, "the name is too long");
		strcpy(c->path, path);
		c->name = c->path;
		c->fd = open(path, O_RDONLY | O_CLOEXEC);
		if (c->fd < 0)
			return err_set(e, E_IO, 0, "%s: %s", path,
				       strerror(errno));
	}
	if (fstat(c->fd, &st) < 0)
		return err_set(e, E_IO, 0, "%s: %s", c->name, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return err_set(e, E_IO, 0, "%s: is a directory, not a capture",
			       c->name);
	c->pipe = !S_ISREG(st.st_mode);
	if (!c->pipe)
		c->size = (uint64_t)st.st_size;
	return 0;
}

/* The plain pcap formats. Others (pcapng, old and odd ones) are libpcap's; a
 * pcapng file may have any precision, which comes as nanoseconds. */
static const struct {
	uint8_t magic[4];
	bool swapped, nano;
} plain[] = {
	{{0xd4, 0xc3, 0xb2, 0xa1}, false, false},
	{{0xa1, 0xb2, 0xc3, 0xd4}, true,  false},
	{{0x4d, 0x3c, 0xb2, 0xa1}, false, true },
	{{0xa1, 0xb2, 0x3c, 0x4d}, true,  true },
};

static void look_at_head(struct capture *c)
{
	struct cur h = cur_of(c->rest);
	struct span magic = cur_take(&h, 4);

	c->format.nano = true;
	for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++) {
		bool swapped = plain[i].swapped;
		uint64_t major, minor;

		if (!span_eq(magic, span_of(plain[i].magic, 4)))
			continue;
		major = swapped ? cur_be(&h, 2) : cur_le(&h, 2);
		minor = swapped ? cur_be(&h, 2) : cur_le(&h, 2);
		c->plain = major == 2 && minor == 4;
		c->swapped = swapped;
		c->format.nano = plain[i].nano;
		return;
	}
}

static bool is_pcapng(const struct capture *c)
{
	return span_eq(span_sub(c->rest, 0, 4), span_of("\x0a\x0d\x0d\x0a", 4));
}

static int start_pcap(struct capture *c, struct err *e)
{
	char text[PCAP_ERRBUF_SIZE];

	c->pcap = pcap_fopen_offline_with_tstamp_precision(
		c->file, PCAP_TSTAMP_PRECISION_NANO, text);
	if (!c->pcap) {
		if (c->error)
			return err_set(e, E_IO, 0, "%s", strerror(c->error));
		if (c->at == 0)
			return err_set(e, E_SYNTAX, 0, "the file is empty");
		return err_set(e, E_SYNTAX, 0, "not a capture: %s", text);
	}
	c->format.linktype = pcap_datalink(c->pcap);
	c->format.snaplen = (uint32_t)pcap_snapshot(c->pcap);
	/* It took the header and nothing else, or it goes on reading. */
	c->plain = c->plain && c->at - c->rest.n == FILE_HEAD;
	return find_link(c->format.linktype, &c->link, e);
}

static int open_file(struct capture *c, struct err *e)
{
	const cookie_io_functions_t io = {.read = serve, .close = close_fd};

	c->buffer = malloc(BUFFER);
	c->file_buffer = malloc(BUFFER);
	if (!c->buffer || !c->file_buffer)
		return err_set(e, E_NOMEM, 0, "out of memory");
	if (fill(c, FILE_HEAD) < 0)
		return err_set(e, E_IO, 0, "%s", strerror(c->error));
	look_at_head(c);
	if (is_pcapng(c)) {
		c->names = calloc(1, sizeof(*c->names));
		if (!c->names)
			return err_set(e, E_NOMEM, 0, "out of memory");
	}
	c->file = fopencookie(c, "r", io);
	if (!c->file)
		return err_set(e, E_NOMEM, 0, "out of memory");
	/* Without a buffer libpcap takes no more than it needs. */
	setvbuf(c->file, c->plain ? NULL : c->file_buffer,
		c->plain ? _IONBF : _IOFBF, c->plain ? 0 : BUFFER);
	/* One thread reads it. */
	__fsetlocking(c->file, FSETLOCKING_BYCALLER);
	return start_pcap(c, e);
}

int capture_open(struct capture **out, const char *path, struct err *e)
{
	struct capture *c = calloc(1, sizeof(*c));
	int rc;

	if (!c)
		return err_set(e, E_NOMEM, 0, "%s: out of memory", path);
	c->fd = -1;
	rc = open_fd(c, path, e);
	if (rc == 0) {
		rc = open_file(c, e);
		if (rc < 0)
			err_wrap(e, "%s", c->name);
	}
	if (rc < 0)
		capture_close(c);
	else
		*out = c;
	return rc;
}

void capture_close(struct capture *c)
{
	if (!c)
		return;
	if (c->pcap)
		pcap_close(c->pcap); /* and file, and fd */
	else if (c->file)
		fclose(c->file);
	else if (c->fd > STDIN_FILENO)
		close(c->fd);
	free(c->buffer);
	free(c->file_buffer);
	free(c->names);
	free(c);
}

static int failed(const struct capture *c, struct err *e, const char *what)
{
	return err_set(e, c->error ? E_IO : E_SYNTAX, 0, "%s: packet %llu: %s",
		       c->name, (unsigned long long)c->packets + 1,
		       c->error ? strerror(c->error) : what);
}

static uint32_t word(const struct capture *c, struct cur *h)
{
	return c->swapped ? cur_u32(h) : cur_le32(h);
}

/*
 * The next packet of a plain pcap file. libpcap calls fread twice for each,
 * which costs more than all that this program needs to find out what the
 * packet is; so here packets are taken from a large buffer. As there, one that
 * is longer than the file's own limit is cut to it.
 */
static int next_plain(struct capture *c, struct capture_packet *out,
		      struct err *e)
{
	uint32_t sub, caplen;
	struct cur h;

	if (fill(c, PACKET_HEAD) != 1) {
		if (c->rest.n == 0 && !c->error)
			return 0;
		return failed(c, e, "its header is cut short");
	}
	h = cur_of(span_sub(c->rest, 0, PACKET_HEAD));
	out->us = word(c, &h) * US_PER_S;
	sub = word(c, &h);
	caplen = word(c, &h);
	out->wire_len = word(c, &h);
	if (caplen > PACKET_LIMIT)
		return failed(c, e, "it has an impossible length");
	if (fill(c, PACKET_HEAD + caplen) != 1)
		return failed(c, e, "it is cut short");
	out->us += c->format.nano ? sub / 1000 : sub;
	out->sub_ns = c->format.nano ? (uint16_t)(sub % 1000) : 0;
	out->octets = span_sub(c->rest, PACKET_HEAD, caplen);
	c->rest = span_from(c->rest, PACKET_HEAD + caplen);
	if (caplen > c->format.snaplen)
		out->octets = span_sub(out->octets, 0, c->format.snaplen);
	out->link = c->link;
	out->iface = (struct span){0};
	c->packets++;
	return 1;
}

int capture_next(struct capture *c, struct capture_packet *out, struct err *e)
{
	struct pcap_pkthdr *h;
	const u_char *octets;
	int64_t ns;
	int rc;

	if (c->plain)
		return next_plain(c, out, e);
	rc = pcap_next_ex(c->pcap, &h, &octets);
	if (rc == PCAP_ERROR_BREAK)
		return 0;
	if (rc != 1)
		return failed(c, e, pcap_geterr(c->pcap));
	if (h->ts.tv_sec > TIME_MAX_S || h->ts.tv_sec < -TIME_MAX_S)
		return failed(c, e, "its time is out of range");
	c->packets++;
	ns = h->ts.tv_usec; /* nanoseconds, as asked for; may be nonsense */
	out->sub_ns = (uint16_t)((ns % 1000 + 1000) % 1000);
	out->us = h->ts.tv_sec * US_PER_S + (ns - out->sub_ns) / 1000;
	out->octets = span_of(octets, h->caplen);
	out->wire_len = h->len;
	out->link = c->link;
	out->iface = c->names ? capture_names_next(c->names) : (struct span){0};
	return 1;
}

void capture_progress(const struct capture *c, uint64_t *at, uint64_t *size)
{
	*at = c->at;
	*size = c->size;
}

void capture_on_wait(struct capture *c, void (*wait)(void *arg), void *arg)
{
	c->wait = wait;
	c->arg = arg;
}

void capture_format(const struct capture *c, struct capture_format *out)
{
	*out = c->format;
}

int capture_format_join(struct capture_format *f,
			const struct capture_format *g, struct err *e)
{
	const char *a = pcap_datalink_val_to_name(f->linktype);
	const char *b = pcap_datalink_val_to_name(g->linktype);

	if (f->linktype != g->linktype)
		return err_set(e, E_UNSUPPORTED, 0,
			       "packets of link types %s and %s do not go into "
			       "one file",
			       a ? a : "?", b ? b : "?");
	if (g->snaplen > f->snaplen)
		f->snaplen = g->snaplen;
	f->nano = f->nano || g->nano;
	return 0;
}

/* --- writing ---------------------------------------------------------------
 */

struct capture_out {
	pcap_t *dead;
	pcap_dumper_t *dump; /* owns file */
	FILE *file;
	char *buffer;
	bool nano, finished;
	char path[PATH_MAX], temp[PATH_MAX + 16];
};

/* A temporary file beside path, with the permissions a new file would have. */
static int create_temp(struct capture_out *o, const char *path, struct err *e)
{
	struct stat st;
	mode_t mask;
	int fd;

	if (strlen(path) >= sizeof(o->path))
		return err_set(e, E_LIMIT, 0, "the name is too long");
	strcpy(o->path, path);
	/* The rename at the end would replace a device by a file. */
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return err_set(e, E_EXISTS, 0,
			       "exists and is not a regular file");
	snprintf(o->temp, sizeof(o->temp), "%s.XXXXXX.tmp", path);
	fd = mkostemps(o->temp, 4, O_CLOEXEC);
	if (fd < 0) {
		o->temp[0] = 0;
		return err_set(e, E_IO, 0, "%s", strerror(errno));
	}
	mask = umask(0);
	umask(mask);
	o->file = fchmod(fd, 0666 & ~mask) == 0 ? fdopen(fd, "w") : NULL;
	if (!o->file) {
		close(fd);
		return err_set(e, E_IO, 0, "%s", strerror(errno));
	}
	return 0;
}

int capture_create(struct capture_out **out, const char *path,
		   const struct capture_format *f, struct err *e)
{
	struct capture_out *o = calloc(1, sizeof(*o));
	int rc;

	if (!o)
		return err_set(e, E_NOMEM, 0, "%s: out of memory", path);
	o->nano = f->nano;
	rc = create_temp(o, path, e);
	if (rc < 0)
		goto fail;
	rc = E_NOMEM;
	err_set(e, rc, 0, "out of memory");
	o->buffer = malloc(BUFFER);
	o->dead = pcap_open_dead_with_tstamp_precision(
		f->linktype, (int)f->snaplen,
		f->nano ? PCAP_TSTAMP_PRECISION_NANO
			: PCAP_TSTAMP_PRECISION_MICRO);
	if (!o->buffer || !o->dead)
		goto fail;
	setvbuf(o->file, o->buffer, _IOFBF, BUFFER);
	__fsetlocking(o->file, FSETLOCKING_BYCALLER);
	o->dump = pcap_dump_fopen(o->dead, o->file);
	if (!o->dump) {
		rc = err_set(e, E_IO, 0, "%s", pcap_geterr(o->dead));
		goto fail;
	}
	*out = o;
	return 0;
fail:
	err_wrap(e, "%s", path);
	capture_abort(o);
	return rc;
}

int capture_write(struct capture_out *o, const struct capture_packet *p,
		  struct err *e)
{
	int64_t s = p->us / US_PER_S, us = p->us % US_PER_S;
	struct pcap_pkthdr h = {.caplen = (bpf_u_int32)p->octets.n,
				.len = p->wire_len};

	if (us < 0) {
		us += US_PER_S;
		s--;
	}
	h.ts.tv_sec = s;
	h.ts.tv_usec = o->nano ? us * 1000 + p->sub_ns : us;
	pcap_dump((u_char *)o->dump, &h, p->octets.p);
	if (ferror_unlocked(o->file))
		return err_set(e, E_IO, 0, "%s: %s", o->path, strerror(errno));
	return 0;
}

static int close_file(struct capture_out *o)
{
	int rc;

	if (o->dump) {
		/* Says nothing about errors; there is nothing unwritten. */
		pcap_dump_close(o->dump);
		o->dump = NULL;
		o->file = NULL;
		return 0;
	}
	rc = o->file ? fclose(o->file) : 0;
	o->file = NULL;
	return rc;
}

int capture_finish(struct capture_out *o, struct err *e)
{
	if (o->finished)
		return 0;
	if (fflush(o->file) != 0 || fsync(fileno(o->file)) != 0 ||
	    close_file(o) != 0)
		return err_set(e, E_IO, 0, "%s: %s", o->path, strerror(errno));
	o->finished = true;
	return 0;
}

static int sync_directory(const char *path)
{
	char copy[PATH_MAX];
	int fd, rc;

	strcpy(copy, path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	rc = fsync(fd);
	if (rc != 0 && errno == EINVAL) /* a file system without it */
		rc = 0;
	close(fd);
	return rc;
}

int capture_commit(struct capture_out *o, struct err *e)
{
	int rc = capture_finish(o, e);

	if (rc == 0) {
		if (rename(o->temp, o->path) == 0)
			o->temp[0] = 0;
		if (o->temp[0] || sync_directory(o->path) != 0)
			rc = err_set(e, E_IO, 0, "%s: %s", o->path,
				     strerror(errno));
	}
	capture_abort(o);
	return rc;
}

void capture_abort(struct capture_out *o)
{
	if (!o)
		return;
	(void)close_file(o); /* it is thrown away, or closed already */
	if (o->temp[0])
		unlink(o->temp);
	if (o->dead)
		pcap_close(o->dead);
	free(o->buffer);
	free(o);
}
