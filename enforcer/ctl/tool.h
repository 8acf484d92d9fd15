/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metergatectl: asks metergated on its control socket and shows the answer.
 *
 *   main.c    options and the table of commands
 *   client.c  one request, one answer of JSON lines
 *   table.c   columns that fit what is in them
 *   show.c    status, guests, flows, budgets, policies
 *   why.c     the last refusals
 *   notices.c what somebody should know
 *   top.c     guests, live
 */
#ifndef ENFORCER_CTL_TOOL_H
#define ENFORCER_CTL_TOOL_H

#include <stdio.h>

#include "enforcer/ctl/client.h"

#define PROGRAM "metergatectl"

/* --- table ----------------------------------------------------------------------------- */

struct style {
	bool colour;
};
#define BOLD   "\033[1m"
#define RED    "\033[31m"
#define GREEN  "\033[32m"
#define YELLOW "\033[33m"
#define DIM    "\033[2m"
#define RESET  "\033[0m"
const char *paint(const struct style *s, const char *code); /* or "" */

#define TABLE_COLUMNS 12
struct table; /* rows of text; columns as wide as their longest cell */
/* "NAME" left, "<NAME" too, ">NAME" right; columns separated by '|'. */
struct table *table_new(const char *head);
/* A cell; after the last column the next row begins. NULL table: nothing. */
void table_cell(struct table *t, const char *colour, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void table_print(const struct table *t, const struct style *s, FILE *out);
void table_free(struct table *t);

/* "17", "12.3k", "4.56M": at most 5 characters and a sign. */
#define SHORT_TEXT 32
char *short_count(char buf[SHORT_TEXT], int64_t v);
/* "512 B", "1.5 KiB" */
char *short_octets(char buf[SHORT_TEXT], int64_t v);
/* "350 ms", "12 s", "5 min", "3 h", "2 d" */
char *short_time(char buf[SHORT_TEXT], int64_t ms);

/* --- commands --------------------------------------------------------------------------- */

struct tool {
	const char *socket;
	bool json;
	struct style style;
	const char *guest; /* argument, or NULL */
};

/* "up", "frozen", "quarantine", "down", of a line of guests; its colour. */
const char *guest_state(struct span line);
const char *guest_colour(struct span line);
void show_status(const struct tool *t, struct answer *a);
void show_guests(const struct tool *t, struct answer *a);
void show_flows(const struct tool *t, struct answer *a);
void show_budgets(const struct tool *t, struct answer *a);
void show_ledger(const struct tool *t, struct answer *a);
void show_erased(const struct tool *t, struct answer *a);
void show_released(const struct tool *t, struct answer *a);
void show_policies(const struct tool *t, struct answer *a);
void show_policy(const struct tool *t, struct answer *a);
void show_pending(const struct tool *t, struct answer *a);
void show_metrics(const struct tool *t, struct answer *a);
void show_frozen(const struct tool *t, struct answer *a);
void show_reload(const struct tool *t, struct answer *a);
void show_why(const struct tool *t, struct answer *a);
void show_notices(const struct tool *t, struct answer *a);
/* One line about a refusal, of at most width characters; 0: no bound. */
void why_line(struct span line, size_t width, FILE *out);
int top(const struct tool *t, struct err *e)
	__attribute__((warn_unused_result));

#endif
