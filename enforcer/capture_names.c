/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/capture_names.h"

enum block_type {
	BLOCK_SECTION = 0x0a0d0d0a,
	BLOCK_INTERFACE = 1,
	BLOCK_PACKET = 2, /* obsolete, still met */
	BLOCK_SIMPLE_PACKET = 3,
	BLOCK_ENHANCED_PACKET = 6,
};

#define HEAD         8  /* type and length */
#define SECTION_HEAD 12 /* and the magic number that gives the octet order */
#define OPTION_NAME  2  /* if_name */

static uint64_t num(const struct capture_names *c, struct cur *b, size_t n)
{
	return c->msb ? cur_be(b, n) : cur_le(b, n);
}

/* The number of a name, from 1; 0 when it is empty, long or one too many. */
static uint8_t name_number(struct capture_names *c, struct span s)
{
	size_t i;

	/* Writers may count a terminator. */
	while (s.n && s.p[s.n - 1] == 0)
		s.n--;
	if (s.n == 0 || s.n > CAPTURE_NAME_MAX)
		return 0;
	for (i = 0; i < c->n_names; i++) {
		if (span_eq(s, span_of(c->name[i].p, c->name[i].n)))
			return (uint8_t)(i + 1);
	}
	if (i == CAPTURE_NAMES)
		return 0;
	c->name[i].n = (uint8_t)s.n;
	memcpy(c->name[i].p, s.p, s.n);
	c->n_names++;
	return (uint8_t)(i + 1);
}

static void take_interface(struct capture_names *c, struct cur b)
{
	uint8_t number = 0;

	cur_take(&b, 8); /* link type, snap length */
	/* Each option has 4 octets at least, so the block bounds the loop. */
	while (cur_left(&b) >= 4) {
		uint64_t code = num(c, &b, 2), n = num(c, &b, 2);
		struct span value = cur_take(&b, n);

		cur_take(&b, -n & 3);
		if (code == 0)
			break;
		if (code == OPTION_NAME)
			number = name_number(c, value);
	}
	if (c->n_iface < CAPTURE_NAMES)
		c->iface[c->n_iface] = number;
	if (c->n_iface < UINT16_MAX)
		c->n_iface++;
}

static void add_packet(struct capture_names *c, uint64_t iface)
{
	if (c->ahead == CAPTURE_AHEAD) {
		c->lost = true;
		return;
	}
	c->packet[(c->head + c->ahead++) % CAPTURE_AHEAD] =
		iface < c->n_iface && iface < CAPTURE_NAMES ? c->iface[iface]
							    : 0;
}

static void take_block(struct capture_names *c)
{
	struct cur b = cur_of(span_of(c->block, c->n));
	uint64_t type = num(c, &b, 4);

	cur_take(&b, 4);
	switch (type) {
	case BLOCK_SECTION:
		c->n_iface = 0; /* interfaces are counted in each section */
		break;
	case BLOCK_INTERFACE:
		take_interface(c, b);
		break;
	case BLOCK_PACKET:
		add_packet(c, num(c, &b, 2));
		break;
	case BLOCK_SIMPLE_PACKET:
		add_packet(c, 0);
		break;
	case BLOCK_ENHANCED_PACKET:
		add_packet(c, num(c, &b, 4));
		break;
	}
}

/* Octets of the block's beginning that are needed to know its length. */
static size_t head_size(const struct capture_names *c)
{
	static const uint8_t section[4] = {0x0a, 0x0d, 0x0d, 0x0a};

	return c->n >= 4 && memcmp(c->block, section, 4) == 0 ? SECTION_HEAD
							      : HEAD;
}

/* The head is complete: how much follows it? */
static void start_block(struct capture_names *c)
{
	struct cur b = cur_of(span_of(c->block, c->n));
	uint64_t n;

	if (c->n == SECTION_HEAD)
		c->msb = c->block[8] == 0x1a;
	cur_take(&b, 4);
	n = num(c, &b, 4);
	c->lost = n < SECTION_HEAD || n % 4 != 0;
	c->left = c->lost ? 0 : n - c->n;
}

void capture_names_read(struct capture_names *c, struct span octets)
{
	struct cur in = cur_of(octets);

	/* Each round takes an octet or completes a head or a block. */
	while (cur_left(&in) && !c->lost) {
		bool in_head = c->left == 0;
		size_t want = in_head ? head_size(c) - c->n : c->left;
		size_t room = sizeof(c->block) - c->n;
		struct span s = cur_take(
			&in, want < cur_left(&in) ? want : cur_left(&in));

		memcpy(c->block + c->n, s.p, s.n < room ? s.n : room);
		c->n += s.n < room ? s.n : room;
		if (!in_head)
			c->left -= s.n;
		else if (c->n == head_size(c))
			start_block(c);
		else
			continue;
		if (c->left == 0 && !c->lost) {
			take_block(c);
			c->n = 0;
		}
	}
}

struct span capture_names_next(struct capture_names *c)
{
	uint8_t number;

	if (c->lost || c->ahead == 0)
		return (struct span){0};
	number = c->packet[c->head];
	c->head = (c->head + 1) % CAPTURE_AHEAD;
	c->ahead--;
	return number ? span_of(c->name[number - 1].p, c->name[number - 1].n)
		      : (struct span){0};
}
