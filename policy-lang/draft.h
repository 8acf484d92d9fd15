/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a capture needs of a policy, and the draft made from it (polc init).
 *
 * A draft grants what was seen and nothing else: the parties by their names
 * where the name server and every hello of TLS agree on them, else by their
 * addresses, each observation with the values it had, measurements as coarse,
 * old and rare as they were. It is a beginning for a person, who knows what
 * the capture does not show.
 */
#ifndef POLICY_LANG_DRAFT_H
#define POLICY_LANG_DRAFT_H

#include "core/clock.h"
#include "core/err.h"
#include "core/event.h"

#define DRAFT_NEEDS	    120
#define DRAFT_PARTIES	    64
#define DRAFT_VALUES	    48 /* of one attribute in one rule */
#define DRAFT_VALUE_OCTETS 128
#define DRAFT_ATTRS	    6
#define DRAFT_FLOWS	    1024
#define DRAFT_NAMES	    128 /* that a name server gave to addresses */
#define DRAFT_RESOLVERS	    4

struct draft_attr {
	uint16_t field; /* enum field */
	size_t n;
	uint32_t num[DRAFT_VALUES];
	char text[DRAFT_VALUES][DRAFT_VALUE_OCTETS + 1];
};

/* What a name server said, for as long as the gateway would go by it. */
struct draft_name {
	char name[DRAFT_VALUE_OCTETS + 1];
	struct net_addr addr;
	int64_t until_ns; /* of the stepless clock; included */
};

struct draft_party {
	struct net_addr addr;
	/* "", or its name: then addr is one that it stood for. */
	char dns[DRAFT_VALUE_OCTETS + 1];
	struct draft_attr stood; /* names that stood for an address */
	struct {
		uint8_t proto;
		uint16_t port;
	} port[16];
	size_t n_port;
	bool portless; /* something came that has none: all ports then */
	const char *role; /* a guess by the protocol */
	uint8_t title[64]; /* the ApTitle that all its messages had */
	size_t n_title;
	bool titled, untitled;
	struct draft_attr names; /* that the hellos of TLS asked for */
	bool unnamed;		 /* one asked for none, or for no host */
};

/* One rule to be. */
struct draft_need {
	size_t party;
	enum dir dir;
	enum obs_kind kind;
	meas_set meas; /* without what is no measurement; 0: none carried */
	bool alone;    /* carries some, or asks for some: one thing, one rule */
	struct draft_attr attr[DRAFT_ATTRS];
	size_t n_attr;
	/* what the values were, where every message said so */
	bool has_gran, has_delay, has_res, has_value, has_channels;
	int64_t gran_s, oldest_s, delay_s; /* ages */
	uint64_t res_milli;
	enum unit res_unit;
	int64_t value_lo, value_hi;
	uint32_t channels;
	/* how often */
	uint64_t messages, octets;
	int64_t day, last_ns, gap_ns; /* gap: the shortest; INT64_MAX: one */
	uint64_t in_day, most, octets_day, octets_most;
	uint64_t halves; /* of the civil day: the half hours it was seen in */
	bool days;	 /* on several */
	uint16_t answers[16]; /* needs */
	size_t n_answers;
	char id[48];
};

struct draft_flow {
	uint64_t id;
	uint8_t proto;
	uint16_t port;	    /* the server's */
	bool out;	    /* the machine began it */
	/* Of draft.name, those that stood for the far end when it began. */
	uint64_t named[DRAFT_NAMES / 64];
	bool placed;   /* something was said, and its party is known: */
	size_t by; /* the row of draft.name + 1, or 0: by its address */
	/* the needs of the last request, by its direction: a message may ask
	 * for several things at once */
	uint16_t asked[2][8];
	size_t n_asked[2];
};

struct draft {
	const char *vm;
	/* By these no party is known: something else was said to what they
	 * stood for. again: one was found that is new here, and all has to be
	 * gathered once more. */
	char not_by[DRAFT_NAMES][DRAFT_VALUE_OCTETS + 1];
	bool wanted[DRAFT_NAMES]; /* a hello asked for it all the same */
	size_t n_not_by;
	bool again;
	/* From here on draft_reset makes it empty. */
	struct draft_party party[DRAFT_PARTIES];
	size_t n_party;
	struct draft_need need[DRAFT_NEEDS];
	size_t n_need;
	struct draft_flow flow[DRAFT_FLOWS];
	size_t n_flow;
	/* the message whose leaves are being told, and what it counted for */
	const struct obs *message;
	uint64_t pcap_cnt;
	size_t first_in_message;
	int64_t day, first_day_us; /* of the out octets; of the capture */
	uint64_t out_day, out_most, packets_most;
	uint64_t refused[REASON_COUNT]; /* what no policy lets pass */
	struct draft_name name[DRAFT_NAMES];
	size_t n_name;
	/* Who was asked for names or answered, the first few. */
	struct net_addr resolver[DRAFT_RESOLVERS];
	size_t n_resolver;
	bool cut; /* more than there is room for */
	uint64_t starred; /* observations with a star in a text */
};

void draft_event(struct draft *d, const struct event *ev);
/* Empty, but for the machine and not_by. */
void draft_reset(struct draft *d);
/* Is any party known by its name? */
bool draft_by_name(const struct draft *d);
/* Names, answers and what has to fit together; once, after the events. */
void draft_settle(struct draft *d);

/* draft_names.c: what a name server said; who was asked; which names stand for
 * the far end of a flow that begins; and the row + 1 of the name that its first
 * words ask for, or 0. */
void draft_answer(struct draft *d, const struct event *ev, const struct obs *o);
void draft_begin(const struct draft *d, struct draft_flow *f,
		 const struct net_addr *far, struct mono now);
size_t draft_place(struct draft *d, const struct draft_flow *f,
		   const struct event *ev);
/* After the events: names that share an address are told apart by nobody. */
void draft_shared(struct draft *d);
void draft_stood(const struct draft *d, struct draft_party *p,
		 const struct draft_flow *f);
/* Small letters, digits, '-' and dots, as a policy writes hosts. */
bool draft_is_host(struct span s);

/* Between draft.c and draft_settle.c. Is v's first value one of a's? Add those
 * of v; false: no room. */
bool draft_has_value(const struct draft_attr *a, const struct draft_attr *v);
bool draft_add_values(struct draft_attr *a, const struct draft_attr *v);
void draft_add_answer(struct draft_need *n, size_t request);
uint64_t draft_gcd(uint64_t a, uint64_t b);

struct draft_form {
	const char *id, *zone; /* of the policy; zone of the meter or NULL */
	const char *pcap, *guest, *keys; /* as the test names them */
	bool partial; /* checksums: a test of the capture would refuse it */
	bool tls;   /* parties are known by the names of TLS, too */
	bool loose; /* spacing and counts with room: the first try was tight */
	/* what a replay of the draft gave; 0 and NULL before it */
	uint64_t permit;
	const uint64_t *deny;
};
/* The text, each line marked; a heap block of *n octets. */
int draft_write(const struct draft *d, const struct draft_form *f, char **out,
		size_t *n, struct err *e) __attribute__((warn_unused_result));

#endif
