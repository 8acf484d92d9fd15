/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Do two selections meet, and does one contain the other? Every attribute is
 * a finite set, a range, a prefix or a simple glob, so both are decided by
 * looking, without a solver.
 */
#ifndef POLICY_LANG_FRONT_OVERLAP_H
#define POLICY_LANG_FRONT_OVERLAP_H

#include "core/wbuf.h"
#include "policy-lang/image/model.h"

/* A text that both globs match goes to out, which may be NULL. '*' stands
 * for octets other than '/', "**" for any. */
bool glob_meet(const char *a, const char *b, struct wbuf *out);
/* Does every text of b match a? May say no where it would take more than
 * comparing prefixes to see it. */
bool glob_covers(const char *a, const char *b);

/* The orders of values of an attribute (model.h): of texts, and of ApTitles. */
int glob_order(const char *a, const char *b);
int oid_order(struct span a, struct span b);

bool dir_meet(enum pol_dirsel a, enum pol_dirsel b);
bool dir_covers(enum pol_dirsel a, enum pol_dirsel b);
bool vm_meet(const struct pol_vm_sel *a, const struct pol_vm_sel *b);
bool vm_covers(const struct pol_vm_sel *a, const struct pol_vm_sel *b);
/* The parties that a selection names, a bit each: a file has at most 64. */
uint64_t party_bits(const struct pol_party_sel *s);
bool party_meet(const struct pol_party_sel *a, const struct pol_party_sel *b);
bool party_covers(const struct pol_party_sel *a, const struct pol_party_sel *b);
/* Could one remote end be both? Told apart by machine, addresses, ports, two
 * ApTitles, and by names in DNS: two of them, or a name alone and an address,
 * where what was asked for by name is that party. Not by TLS, since one server
 * may show the certificates of both; nor by role, operator or country, which
 * are what the author says. */
bool parties_meet(const struct pol_party_src *a, const struct pol_party_src *b);

/* Of each party of a file, of which there are at most 64, those that it meets;
 * a bit each. */
void parties_meeting(const struct pol_file *f, uint64_t *meets);
/* Two rules of f of one kind, grants or ceilings: could a message be permitted
 * by both (P4001)? meets: of its parties. x and y: by which parties both know
 * the remote end, which are one, or two that meet; NULL where the rules select
 * none by name. */
bool rules_meet(const struct pol_file *f, const uint64_t *meets,
		const struct pol_rule_src *a, const struct pol_rule_src *b,
		const struct pol_party_src **x, const struct pol_party_src **y);

/* No match at all (n 0) selects everything. A common observation is written
 * to out: "c1222.read-request table=64". */
bool match_meet(const struct pol_obs_match *a, size_t na,
		const struct pol_obs_match *b, size_t nb, struct wbuf *out);
bool match_covers(const struct pol_obs_match *a, size_t na,
		  const struct pol_obs_match *b, size_t nb);
bool match_has(const struct pol_obs_match *m, size_t n, enum obs_kind k);

/* Both select messages with a measurement of common interval and value. */
bool data_meet(const struct pol_data_src *a, const struct pol_data_src *b);

/* Does an observation of that kind state that attribute? (read_obs.c) */
bool obs_has_attr(enum obs_kind k, enum field f);

#endif
