/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the courier may say of the policies in force: who made them, since when
 * and until when they count, and the label that each one's image carries (LABL
 * of layout.h). The parent fills it when a set comes into force; the courier,
 * which has no files and no images (the area of those holds keys too), reads
 * it. No pointers; text is cut to its field between characters.
 */
#ifndef ENFORCER_DAEMON_CARDS_H
#define ENFORCER_DAEMON_CARDS_H

#include "enforcer/daemon/share.h"
#include "policy-lang/image/layout.h"

#define CARDS_MAX  (SHARE_GUESTS + 3)
#define CARD_NAME  128 /* octets of ids and names, terminated */
#define CARD_TITLE 512
#define CARD_LIBS  16 /* compiled with; of more only the number */
#define CARD_RULES 32 /* that are only monitored; of more only the number */

struct card_row { /* what one recipient outside is told */
	struct lay_label label;
	char operator_[CARD_TITLE], country[8];
	uint8_t role; /* enum pol_role */
};

struct card {
	char id[CARD_NAME], machine[CARD_NAME];
	char title[CARD_TITLE], contact[CARD_TITLE];
	char vendor[CARD_NAME]; /* the key of the binding that signs it, or "" */
	char signed_with[80];	/* that key itself, as notefile.h's; or "" */
	uint32_t kind;		/* enum pol_kind */
	uint64_t serial;
	uint8_t digest[32], source[32];
	uint8_t file[32]; /* the image as it lies there */
	uint32_t n_libs;
	struct {
		char id[CARD_NAME];
		uint64_t serial;
		uint8_t digest[32];
	} lib[CARD_LIBS];
	int64_t not_before, not_after, monitor_until; /* s; 0: open, no */
	uint32_t n_monitored; /* rules, each with its own end */
	struct {
		char id[CARD_NAME];
		int64_t until;
	} monitored[CARD_RULES];
	bool carried; /* the image has its label; else it was worked out here */
	uint32_t n_rows;
	struct card_row row[LAY_MAX_PARTIES];
};

struct cards {
	_Atomic uint32_t seq; /* odd while the parent writes */
	uint32_t generation;
	uint32_t n;
	struct card card[CARDS_MAX];
	/* Who is the portal: connections from elsewhere are not taken. */
	bool has_portal;
	char portal[48];
	uint32_t n_addr;
	struct pol_prefix addr[16];
};

/* The parent's side. label_rows' errors. guest: of the portal; NULL: none. */
struct rules_guest;
int cards_fill(struct cards *c, const struct pol_image *const *image, size_t n,
	       uint32_t generation, const struct rules_guest *portal,
	       struct err *e) __attribute__((warn_unused_result));
/* The courier's: false while it is written, or when nothing is there yet. A
 * reader that finds another seq behind its reading begins anew. */
bool cards_begin(const struct cards *c, uint32_t *seq);
bool cards_same(const struct cards *c, uint32_t seq);
/* May somebody with this address speak as the portal? */
bool cards_is_portal(const struct cards *c, const struct net_addr *a);

#endif
