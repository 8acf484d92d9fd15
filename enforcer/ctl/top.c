/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guests, live: rates since the last look, and the last refusals. Whatever
 * ends it, the terminal is left as it was found: signals are read from a
 * descriptor, so that there is one way out.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "enforcer/ctl/tool.h"

#define TOP_GUESTS 16
#define PERIOD_MS  1000

#define ENTER "\033[?1049h\033[?25l" /* other screen, no cursor */
#define LEAVE "\033[?25h\033[?1049l"
#define HOME  "\033[H"
#define REST  "\033[J" /* clear from here on */
#define EOL   "\033[K"

struct seen {
	char guest[FIELD_TEXT];
	int64_t packets, octets, dropped, allowed, denied;
};

struct top {
	const struct tool *t;
	struct seen last[TOP_GUESTS], now[TOP_GUESTS];
	size_t n_last, n_now;
	struct timespec at;
	double passed_s; /* since the last look; 0: there was none */
	struct termios saved;
	bool raw;
	int signals;
	FILE *out; /* one frame */
};

static int64_t rate(const struct top *p, int64_t now, int64_t last)
{
	return p->passed_s > 0 && now > last
		       ? (int64_t)((double)(now - last) / p->passed_s + 0.5)
		       : 0;
}

static const struct seen *find(const struct top *p, const char *guest)
{
	for (size_t i = 0; i < p->n_last; i++) {
		if (strcmp(p->last[i].guest, guest) == 0)
			return &p->last[i];
	}
	return NULL;
}

static void one_guest(struct top *p, struct table *table, struct span line)
{
	struct seen s = {.packets = field_int(line, "packets"),
			 .octets = field_int(line, "octets"),
			 .dropped = field_int(line, "dropped"),
			 .allowed = field_int(line, "allowed"),
			 .denied = field_int(line, "denied")};
	const struct seen *was;
	char n[SHORT_TEXT];

	field(s.guest, line, "guest");
	was = find(p, s.guest);
	if (!was)
		was = &s;
	table_cell(table, BOLD, "%s", s.guest);
	table_cell(table, guest_colour(line), "%s", guest_state(line));
	table_cell(table, NULL, "%s",
		   short_count(n, rate(p, s.packets, was->packets)));
	table_cell(table, NULL, "%s",
		   short_octets(n, rate(p, s.octets, was->octets)));
	table_cell(table, s.dropped > was->dropped ? RED : NULL, "%s",
		   short_count(n, rate(p, s.dropped, was->dropped)));
	table_cell(table, NULL, "%s",
		   short_count(n, field_int(line, "flows_now")));
	table_cell(table, NULL, "%s",
		   short_count(n, field_int(line, "held_now")));
	table_cell(table, NULL, "%s",
		   short_count(n, field_int(line, "kernel_queued")));
	table_cell(table, NULL, "%s", short_count(n, s.allowed));
	table_cell(table, s.denied > was->denied ? RED : NULL, "%s",
		   short_count(n, s.denied));
	if (p->n_now < TOP_GUESTS)
		p->now[p->n_now++] = s;
}

static void look(struct top *p)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	p->passed_s = p->n_last ? (double)(now.tv_sec - p->at.tv_sec) +
					  (double)(now.tv_nsec -
						   p->at.tv_nsec) / 1e9
				: 0;
	p->at = now;
	p->n_now = 0;
}

static int guests(struct top *p, struct err *e)
{
	struct table *table = table_new("GUEST|STATE|>PKT/S|>OCTETS/S|>DROP/S|"
					">FLOWS|>HELD|>QUEUED|>ALLOWED|>DENIED");
	struct span line;
	struct answer a;
	int rc = client_ask(&a, p->t->socket, "guests", (struct span){0}, e);

	look(p);
	if (rc == 0)
		(void)answer_line(&a, &line);
	while (rc == 0 && answer_line(&a, &line))
		one_guest(p, table, line);
	if (rc == 0)
		table_print(table, &p->t->style, p->out);
	memcpy(p->last, p->now, sizeof(p->last));
	p->n_last = p->n_now;
	table_free(table);
	answer_free(&a);
	return rc;
}

/* The last that fit, the newest at the end. */
static int refusals(struct top *p, size_t rows, size_t width, struct err *e)
{
	struct span line;
	struct answer a;
	size_t n = 0;
	int rc = client_ask(&a, p->t->socket, "why", (struct span){0}, e);

	if (rc < 0) {
		answer_free(&a);
		return rc;
	}
	(void)answer_line(&a, &line);
	while (answer_line(&a, &line))
		n++;
	a.at = 0;
	(void)answer_line(&a, &line);
	fprintf(p->out, "\n%sLAST REFUSALS%s\n", paint(&p->t->style, BOLD),
		paint(&p->t->style, RESET));
	for (size_t i = 0; answer_line(&a, &line); i++) {
		if (i + rows < n)
			continue;
		why_line(line, width, p->out);
		fputc('\n', p->out);
	}
	answer_free(&a);
	return 0;
}

/* What the last frame left behind a line's end is cleared with it. */
static void show(const char *text, bool raw)
{
	/* No wrapping: a line that is too long is cut. */
	if (raw)
		fputs("\033[?7l" HOME, stdout);
	for (; *text; text++) {
		if (raw && *text == '\n')
			fputs(EOL, stdout);
		fputc(*text, stdout);
	}
	if (raw)
		fputs(DIM "q ends" RESET EOL REST "\033[?7h", stdout);
	fflush(stdout);
}

static int frame(struct top *p, struct err *e)
{
	struct winsize w = {.ws_row = 24, .ws_col = 80};
	char *text = NULL;
	size_t n, used, rows;
	int rc;

	if (p->raw)
		(void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &w);
	p->out = open_memstream(&text, &n);
	if (!p->out)
		return err_sys(e, "top");
	rc = guests(p, e);
	used = p->n_now + 5;
	rows = w.ws_row > used ? w.ws_row - used : 0;
	if (rc == 0 && rows)
		rc = refusals(p, rows, w.ws_col, e);
	if (fclose(p->out) != 0 && rc == 0)
		rc = err_sys(e, "top");
	if (rc == 0)
		show(text, p->raw);
	free(text);
	return rc;
}

/* --- the terminal ----------------------------------------------------------------------------- */

static int enter(struct top *p, struct err *e)
{
	struct termios raw;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGTSTP);
	sigaddset(&set, SIGCONT);
	sigaddset(&set, SIGWINCH);
	sigaddset(&set, SIGPIPE);
	sigprocmask(SIG_BLOCK, &set, NULL);
	p->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (p->signals < 0 || tcgetattr(STDIN_FILENO, &p->saved) < 0)
		return err_sys(e, "terminal");
	raw = p->saved;
	raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw) < 0)
		return err_sys(e, "terminal");
	p->raw = true;
	printf(ENTER);
	return 0;
}

static void leave(struct top *p)
{
	if (!p->raw)
		return;
	printf("\033[?7h" LEAVE);
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &p->saved);
	p->raw = false;
}

static void sleep_in_background(struct top *p)
{
	struct err e;

	leave(p);
	kill(getpid(), SIGSTOP);
	close(p->signals);
	(void)enter(p, &e);
}

/* Keys and signals until the next look is due; true: the end. */
static bool wait(struct top *p)
{
	struct pollfd fds[] = {{p->signals, POLLIN, 0},
			       {STDIN_FILENO, POLLIN, 0}};
	struct signalfd_siginfo si;
	char key;

	if (poll(fds, 2, PERIOD_MS) < 0 && errno != EINTR)
		return true;
	if (fds[0].revents &&
	    read(p->signals, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		if (si.ssi_signo == SIGTSTP)
			sleep_in_background(p);
		else if (si.ssi_signo != SIGWINCH && si.ssi_signo != SIGCONT)
			return true;
	}
	if (fds[1].revents) {
		ssize_t n = read(STDIN_FILENO, &key, 1);

		return n <= 0 || key == 'q' || key == 'Q' || key == 3;
	}
	return false;
}

int top(const struct tool *t, struct err *e)
{
	struct top *p = calloc(1, sizeof(*p));
	int rc = 0;

	if (!p)
		return err_set(e, E_NOMEM, 0, "out of memory");
	p->t = t;
	p->signals = -1;
	if (!isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO)) {
		/* Nobody to refresh it for: one look. */
		rc = frame(p, e);
		free(p);
		return rc;
	}
	rc = enter(p, e);
	while (rc == 0) {
		rc = frame(p, e);
		if (rc < 0 || wait(p))
			break;
	}
	leave(p);
	if (p->signals >= 0)
		close(p->signals);
	free(p);
	return rc;
}
