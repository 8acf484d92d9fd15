/* SPDX-License-Identifier: Apache-2.0 */
#include "dissectors/obix/names.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

struct word {
	uint8_t n;
	const char *text;
};
#define WORD(text) sizeof(text) - 1, text

static bool word_is(const struct word *w, struct span s)
{
	return w->n == s.n && s.n && w->text[0] == (char)s.p[0] &&
	       memcmp(w->text, s.p, s.n) == 0;
}

/* --- elements and attributes ------------------------------------------------- */

static const struct word elements[EL_COUNT] = {
#define X(id, name, value, silent) {WORD(name)},
#include "dissectors/obix/elements.def"
#undef X
};

static const uint8_t values[EL_COUNT + 1] = {
#define X(id, name, value, silent) VALUE_##value,
#include "dissectors/obix/elements.def"
#undef X
	/* An unknown element's val is text of unknown meaning. */
	VALUE_TEXT,
};

static const struct word silent[EL_COUNT] = {
#define X(id, name, value, silent) {WORD(silent)},
#include "dissectors/obix/elements.def"
#undef X
};

static const struct word attributes[AT_COUNT] = {
#define X(id, name) {WORD(name)},
#include "dissectors/obix/attributes.def"
#undef X
};

enum obix_el obix_element(struct span local)
{
	for (unsigned i = 0; i < EL_COUNT; i++) {
		if (word_is(&elements[i], local))
			return (enum obix_el)i;
	}
	return EL_UNKNOWN;
}

enum obix_value obix_value(enum obix_el el)
{
	return (enum obix_value)values[el];
}

struct span obix_silent(enum obix_el el)
{
	return span_of(silent[el].text, silent[el].n);
}

enum obix_attr obix_attribute(struct span local)
{
	for (unsigned i = 0; i < AT_COUNT; i++) {
		if (word_is(&attributes[i], local))
			return (enum obix_attr)i;
	}
	return AT_UNKNOWN;
}

/* --- the same again ---------------------------------------------------------- */

static unsigned memo_slot(struct span s)
{
	return (s.p[0] * 2u ^ s.p[s.n - 1] ^ (unsigned)s.n * 8) % OBIX_MEMO;
}

enum obix_el obix_element_again(struct obix_memo *m, struct span local)
{
	uint8_t *at;

	if (!local.n)
		return EL_UNKNOWN;
	at = &m->el[memo_slot(local)];
	if (!word_is(&elements[*at], local)) {
		enum obix_el el = obix_element(local);

		if (el == EL_UNKNOWN)
			return el;
		*at = (uint8_t)el;
	}
	return (enum obix_el)*at;
}

enum obix_attr obix_attribute_again(struct obix_memo *m, const char *name)
{
	uint8_t first = (uint8_t)name[0], *at;

	if (!first)
		return AT_UNKNOWN;
	at = &m->at[(first * 3u + (uint8_t)name[1] * 5u) % OBIX_MEMO];
	if (strcmp(attributes[*at].text, name) != 0) {
		enum obix_attr attr = obix_attribute(span_str(name));

		if (attr == AT_UNKNOWN)
			return attr;
		*at = (uint8_t)attr;
	}
	return (enum obix_attr)*at;
}

/* --- contracts --------------------------------------------------------------- */

static const struct {
	struct word name;
	uint8_t asks, answers;
} contracts[C_COUNT] = {
	{{0, ""}, OP_NONE, OP_NONE},
#define X(id, name, asks, answers) {{WORD(name)}, OP_##asks, OP_##answers},
#include "dissectors/obix/contracts.def"
#undef X
};

static const struct {
	uint8_t contract, use, value;
	struct word name;
} members[] = {
#define X(contract, name, use, value)                                          \
	{C_##contract, USE_##use, VALUE_##value, {WORD(name)}},
#include "dissectors/obix/members.def"
#undef X
};

static bool is_space(uint8_t ch)
{
	return ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r';
}

/* The next item of a white-space separated list, from *at; n = 0: none. */
static struct span next_item(struct span list, size_t *at)
{
	size_t from;

	while (*at < list.n && is_space(list.p[*at]))
		++*at;
	from = *at;
	while (*at < list.n && !is_space(list.p[*at]))
		++*at;
	return span_sub(list, from, *at - from);
}

/* What stands behind the last '/' and '#'. */
static struct span last_segment(struct span uri)
{
	size_t i = uri.n;

	while (i > 0 && uri.p[i - 1] != '/' && uri.p[i - 1] != '#')
		i--;
	return span_from(uri, i);
}

static enum obix_contract contract(struct span uri)
{
	struct span name = last_segment(uri);

	if (!span_is(span_sub(name, 0, 5), "obix:"))
		return C_NONE;
	name = span_from(name, 5);
	for (unsigned i = 1; i < C_COUNT; i++) {
		if (word_is(&contracts[i].name, name))
			return (enum obix_contract)i;
	}
	/* One client writes historyAppendIn. */
	if (span_is(name, "historyAppendIn"))
		return C_HISTORY_APPEND_IN;
	return C_NONE;
}

contract_set obix_contracts(struct span list, bool *other)
{
	contract_set set = 0;
	struct span item;
	size_t at = 0;

	while ((item = next_item(list, &at)).n) {
		enum obix_contract c = contract(item);

		if (c == C_NONE)
			*other = true;
		else
			set |= C_BIT(c);
	}
	return set;
}

struct span obix_contract_text(struct span list, size_t *at)
{
	struct span next = next_item(list, at), name = last_segment(next);

	return name.n ? name : next;
}

enum obix_op obix_asks(contract_set c)
{
	for (; c; c &= c - 1) {
		unsigned i = (unsigned)__builtin_ctzll(c);

		if (contracts[i].asks != OP_NONE)
			return (enum obix_op)contracts[i].asks;
	}
	return OP_NONE;
}

enum obix_op obix_answers(contract_set c)
{
	for (; c; c &= c - 1) {
		unsigned i = (unsigned)__builtin_ctzll(c);

		if (contracts[i].answers != OP_NONE)
			return (enum obix_op)contracts[i].answers;
	}
	return OP_NONE;
}

enum obix_use obix_member(contract_set parent, struct span name,
			  enum obix_value *value)
{
	*value = VALUE_NONE;
	for (size_t i = 0; parent && i < N(members); i++) {
		if (parent & C_BIT(members[i].contract) &&
		    word_is(&members[i].name, name)) {
			*value = (enum obix_value)members[i].value;
			return (enum obix_use)members[i].use;
		}
	}
	return USE_VALUE;
}

/* --- units -------------------------------------------------------------------- */

static const struct obix_unit units[] = {
#define X(name, quantity, num, den, kg, m, sec, k, a, cd)                      \
	{{(const uint8_t *)name, sizeof(name) - 1},                            \
	 Q_##quantity,                                                         \
	 num,                                                                  \
	 den,                                                                  \
	 {kg, m, sec, k, a, cd}},
#include "dissectors/obix/units.def"
#undef X
};

static int digit(uint8_t ch)
{
	if (ch >= '0' && ch <= '9')
		return ch - '0';
	ch |= 0x20;
	return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

/* Lower case, '_' for space and hyphen, %20 decoded. */
static struct span fold_unit(struct span name, uint8_t buf[OBIX_UNIT_NAME])
{
	size_t n = 0;

	for (size_t i = 0; i < name.n; i++) {
		uint8_t ch = name.p[i];

		if (ch == '%' && i + 2 < name.n && digit(name.p[i + 1]) >= 0 &&
		    digit(name.p[i + 2]) >= 0) {
			ch = (uint8_t)(digit(name.p[i + 1]) << 4 |
				       digit(name.p[i + 2]));
			i += 2;
		}
		if (n == OBIX_UNIT_NAME)
			return (struct span){0};
		if (ch >= 'A' && ch <= 'Z')
			ch |= 0x20;
		buf[n++] = ch == ' ' || ch == '-' ? '_' : ch;
	}
	return span_of(buf, n);
}

const struct obix_unit *obix_unit_named(struct span name, bool *null)
{
	uint8_t buf[OBIX_UNIT_NAME];
	struct span folded, one;

	/* One trailing slash is a spelling of the same URI. */
	if (name.n && name.p[name.n - 1] == '/')
		name.n--;
	folded = fold_unit(name, buf);
	*null = folded.n == 0 ? name.n == 0 : span_is(folded, "null");
	/* Of "kilowatts", too. */
	one = folded;
	one.n -= one.n > 1 && one.p[one.n - 1] == 's';
	for (size_t i = 0; folded.n && i < N(units); i++) {
		if (span_eq(units[i].name, one) ||
		    span_eq(units[i].name, folded))
			return &units[i];
	}
	return NULL;
}

const struct obix_unit *obix_unit(struct span uri, bool *null)
{
	static const char mark[] = "units/";
	size_t from = 0;

	*null = false;
	for (size_t i = sizeof(mark) - 1; i <= uri.n; i++) {
		if (memcmp(uri.p + i - (sizeof(mark) - 1), mark,
			   sizeof(mark) - 1) == 0)
			from = i;
	}
	if (from == 0)
		return NULL;
	return obix_unit_named(span_from(uri, from), null);
}

enum obix_quantity obix_by_dimension(const int8_t dim[6])
{
	static const int8_t power[6] = {1, 2, -3}, energy[6] = {1, 2, -2};
	static const int8_t none[6];

	/* Without a dimension anything can be counted. */
	if (memcmp(dim, none, sizeof(none)) == 0)
		return Q_UNKNOWN;
	if (memcmp(dim, power, sizeof(power)) == 0)
		return Q_SOME_POWER;
	if (memcmp(dim, energy, sizeof(energy)) == 0)
		return Q_ENERGY;
	for (size_t i = 0; i < N(units); i++) {
		if (memcmp(units[i].dim, dim, sizeof(units[i].dim)) == 0)
			return (enum obix_quantity)units[i].quantity;
	}
	return Q_UNKNOWN;
}

bool obix_has_dimension(const int8_t dim[6])
{
	static const int8_t none[6];

	for (size_t i = 0; i < N(units); i++) {
		if (memcmp(units[i].dim, dim, sizeof(units[i].dim)) == 0)
			return true;
	}
	return memcmp(dim, none, sizeof(none)) == 0;
}

/* --- hints --------------------------------------------------------------------- */

enum { HINT_WORD, HINT_PART };

static const struct {
	struct word text;
	uint8_t how, quantity;
} hints[] = {
#define X(text, how, quantity) {{WORD(text)}, HINT_##how, Q_##quantity},
#include "dissectors/obix/hints.def"
#undef X
};

#define NAME_MAX_OCTETS 128 /* of a name; what is longer is cut */

static uint8_t lower(uint8_t ch)
{
	return ch >= 'A' && ch <= 'Z' ? ch | 0x20 : ch;
}

static bool is_letter(uint8_t ch)
{
	return lower(ch) >= 'a' && lower(ch) <= 'z';
}

static bool is_upper(uint8_t ch)
{
	return ch >= 'A' && ch <= 'Z';
}

/* "activePower" is two words, and so is "ACPower". */
static bool case_changes(struct span name, size_t i)
{
	if (i == 0 || !is_upper(name.p[i]) || !is_letter(name.p[i - 1]))
		return false;
	return !is_upper(name.p[i - 1]) ||
	       (i + 1 < name.n && is_letter(name.p[i + 1]) &&
		!is_upper(name.p[i + 1]));
}

static quantity_set hints_of(struct span text, unsigned how)
{
	quantity_set set = 0;

	for (size_t i = 0; i < N(hints); i++) {
		const struct word *w = &hints[i].text;

		if (how == HINT_WORD && hints[i].how == HINT_WORD &&
		    word_is(w, text))
			set |= Q_BIT(hints[i].quantity);
		if (how == HINT_PART && hints[i].how == HINT_PART &&
		    w->n <= text.n && memmem(text.p, text.n, w->text, w->n))
			set |= Q_BIT(hints[i].quantity);
	}
	return set;
}

/* Hints of the words of a name, and, folded, all its letters. */
static quantity_set words(struct span name, bool by_case,
			  uint8_t folded[NAME_MAX_OCTETS], size_t *n)
{
	quantity_set set = 0;
	size_t word = 0;

	*n = 0;
	for (size_t i = 0; i <= name.n; i++) {
		bool letter = i < name.n && is_letter(name.p[i]);

		if (*n > word &&
		    (!letter || (by_case && case_changes(name, i)))) {
			set |= hints_of(span_of(folded + word, *n - word),
					HINT_WORD);
			word = *n;
		}
		if (letter)
			folded[(*n)++] = lower(name.p[i]);
	}
	return set;
}

quantity_set obix_hints(struct span name)
{
	uint8_t folded[NAME_MAX_OCTETS];
	quantity_set set, whole;
	size_t n;

	name = span_sub(name, 0, NAME_MAX_OCTETS);
	set = words(name, false, folded, &n);
	if (n == 0)
		return 0;
	whole = hints_of(span_of(folded, n), HINT_WORD);
	if (whole)
		return whole;
	set |= hints_of(span_of(folded, n), HINT_PART);
	return set ? set : words(name, true, folded, &n);
}

/* --- quantities and operations --------------------------------------------------- */

#define M(t) MEAS_BIT(MEAS_##t)
static const struct {
	uint8_t base;
	meas_set now, series;
} quantities[Q_COUNT] = {
#define X(id, base, now, series) {UNIT_##base, now, series},
#include "dissectors/obix/quantities.def"
#undef X
};

meas_set obix_meas(enum obix_quantity q, bool series)
{
	return series ? quantities[q].series : quantities[q].now;
}

enum unit obix_base(enum obix_quantity q)
{
	return (enum unit)quantities[q].base;
}

static const struct {
	struct word name;
	uint8_t op;
} operations[] = {
#define X(name, op) {{WORD(name)}, OP_##op},
#include "dissectors/obix/ops.def"
#undef X
};

enum obix_op obix_operation(struct span segment)
{
	uint8_t folded[32];
	size_t n = 0;

	for (size_t i = 0; i < segment.n; i++) {
		if (segment.p[i] == '~')
			continue;
		if (n == sizeof(folded))
			return OP_NONE;
		folded[n++] = lower(segment.p[i]);
	}
	for (size_t i = 0; n && i < N(operations); i++) {
		if (word_is(&operations[i].name, span_of(folded, n)))
			return (enum obix_op)operations[i].op;
	}
	return OP_NONE;
}

static const struct {
	uint8_t request, response;
} kinds[OP_COUNT] = {
#define K(op) [OP_##op] = {OBS_OBIX_##op##_REQUEST, OBS_OBIX_##op##_RESPONSE}
	K(READ),
	K(WRITE),
	K(INVOKE),
	K(DELETE),
	K(BATCH),
	K(SIGNUP),
	K(WATCH_MAKE),
	K(WATCH_ADD),
	K(WATCH_REMOVE),
	K(WATCH_POLL),
	K(HISTORY_QUERY),
	K(HISTORY_ROLLUP),
	K(HISTORY_APPEND),
	K(ALARM_QUERY),
	K(ALARM_ACK),
#undef K
};

enum obs_kind obix_request_kind(enum obix_op op)
{
	return (enum obs_kind)kinds[op].request;
}

enum obs_kind obix_response_kind(enum obix_op op)
{
	return (enum obs_kind)kinds[op].response;
}

enum obix_op obix_op_of(uint16_t kind)
{
	for (unsigned i = 1; i < OP_COUNT; i++) {
		if (kinds[i].request == kind || kinds[i].response == kind)
			return (enum obix_op)i;
	}
	return OP_NONE;
}
