/* SPDX-License-Identifier: Apache-2.0 */
/* The words of a label, in a language, and sentences made of them. */
#ifndef POLICY_LANG_LABEL_SAY_H
#define POLICY_LANG_LABEL_SAY_H

#include "policy-lang/analysis/label.h"

enum word {
#define X(id, key, en) W_##id,
#include "policy-lang/label_words.def"
#undef X
	W_COUNT
};

/* A language by its BCP 47 tag, or NULL; and the tags of all, for an error. */
struct lang {
	const char *tag, *dir; /* dir: "ltr" or "rtl" */
	const char *const *word;
};
const struct lang *lang_find(const char *tag);
const char *lang_tags(void);

#define SAY_MAX 1200
/* A word with {1} to {4} filled in; arguments that are not needed are NULL.
 * What does not fit is cut between characters. Returns buf. */
char *say(const struct lang *l, char buf[SAY_MAX], enum word w, const char *a,
	  const char *b, const char *c, const char *d);
/* A word by a number: one of it, or another number. */
char *say_n(const struct lang *l, char buf[SAY_MAX], enum word one, uint64_t n);
/* "26 days 12 hours", the two largest units. */
char *say_time(const struct lang *l, char buf[SAY_MAX], int64_t ns);
/* "48 KiB"; "any number" for no bound. */
char *say_bytes(const struct lang *l, char buf[SAY_MAX], uint64_t n);
char *say_count(const struct lang *l, char buf[SAY_MAX], uint64_t n);
/* "1 kWh"; for BOUND_NONE any step. */
char *say_step(const struct lang *l, char buf[SAY_MAX],
	       const struct bound_flow *f);
/* How fine and how often a flow is. */
char *say_fine(const struct lang *l, char buf[SAY_MAX],
	       const struct bound_flow *f);
char *say_often(const struct lang *l, char buf[SAY_MAX],
		const struct bound_flow *f);
char *say_choice(const struct lang *l, char buf[SAY_MAX],
		 const struct bound_flow *f);
char *say_power(const struct lang *l, char buf[SAY_MAX],
		const struct bound_power *p);
char *say_grade(const struct lang *l, char buf[SAY_MAX],
		const struct bound_recipient *r);
const char *say_known(const struct lang *l, enum bound_identity id);
/* "Example Ltd (GB)" */
char *say_name(char buf[SAY_MAX], const struct bound_recipient *r);
/* The appliances of a set, "oven, hob". */
char *say_appliances(char buf[SAY_MAX], uint32_t set);
/* A statement with its list filled in. */
char *say_statement(char buf[SAY_MAX], enum statement s, const struct label *l);

/* If the software lied. */
const char *say_hidden(const struct lang *l, char buf[SAY_MAX],
		       const struct bound_recipient *r);
/* Are messages without readings to be told of: all it gets, or without bound?
 * Then what there is to say. */
bool label_other(const struct bound_recipient *r);
char *say_other(const struct lang *l, char buf[SAY_MAX],
		const struct bound_recipient *r);

/* Has a card of its own: it is outside and may get or do something. */
bool label_shown(const struct bound_recipient *r);
/* A rule for several parties has flows to each: it is told once. */
bool label_told(const struct bound_recipient *r, size_t i, bool same_meas);

/* What of a recipient is on trial and until when: a line for each rule. */
void label_trials(const struct lang *l, const struct bound_recipient *r,
		  void (*put)(void *arg, const char *text), void *arg);

#endif
