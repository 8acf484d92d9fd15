/* SPDX-License-Identifier: Apache-2.0 */
/* A refusal in a stream that is answered: to the octet, once, in order, with
 * the end behind it; and where it cannot be, a reset. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "enforcer/pipeline/testkit.h"

#define PORT 41000
#define E    "\r\n"
#define HOST "Host: gw.example" E
#define ENDS "Cache-Control: no-store" E "Connection: close" E E
#define ERR_HEAD(n)                                                            \
	"HTTP/1.1 200 OK" E "Content-Type: text/xml; charset=utf-8" E          \
	"Content-Length: " n E ENDS

/* What one end was given by the gateway: a stream, and its end. */
struct end {
	char text[1024];
	uint32_t from, n; /* place of the first octet; octets */
	bool fin;
	unsigned segments, resets;
	struct segment_out last; /* without octets */
};

struct seen {
	struct kit *k;
	struct end end[2]; /* by enum dir of the segments */
	char detail[512];
	enum reason why;
	uint64_t flow;
};

static void on_inject(void *arg, const struct segment_out *s)
{
	struct seen *seen = arg;
	struct end *e = &seen->end[s->dir];

	e->last = *s;
	e->last.payload = (struct span){0};
	if (s->flags & TCP_RST) {
		e->resets++;
		return;
	}
	if (s->payload.n == 0 && !(s->flags & TCP_FIN))
		return;
	if (e->segments++ == 0)
		e->from = s->seq;
	/* Again, or the next. */
	assert_true(seq_diff(s->seq, e->from + e->n) <= 0);
	for (uint32_t i = 0; i < s->payload.n; i++) {
		uint32_t at = s->seq + i - e->from;

		assert_true(at < sizeof(e->text) - 1);
		assert_true(at >= e->n || e->text[at] == (char)s->payload.p[i]);
		e->text[at] = (char)s->payload.p[i];
		if (at == e->n)
			e->n++;
	}
	if (s->flags & TCP_FIN) {
		assert_int_equal(s->seq + (uint32_t)s->payload.n,
				 e->from + e->n);
		e->fin = true;
	}
}

static void on_event(void *arg, const struct event *ev)
{
	struct seen *seen = arg;

	if (ev->type != EV_VIOLATION || seen->detail[0])
		return;
	seen->why = ev->reason;
	seen->flow = ev->flow_id;
	snprintf(seen->detail, sizeof(seen->detail), "%s",
		 ev->detail ? ev->detail : "");
}

static struct pol_kinds families(void)
{
	struct pol_kinds k = {{0}};

	for (int i = 0; i < OBS_COUNT; i++) {
		enum obs_family f = obs_family((enum obs_kind)i);

		if (f == OBS_FAMILY_C1222 || f == OBS_FAMILY_HTTP ||
		    f == OBS_FAMILY_OBIX || f == OBS_FAMILY_OPAQUE)
			k.w[i / 64] |= UINT64_C(1) << (i % 64);
	}
	return k;
}

static struct pol_kinds only(enum obs_kind kind)
{
	struct pol_kinds k = {{0}};

	k.w[kind / 64] |= UINT64_C(1) << (kind % 64);
	return k;
}

/*
 * Everything may be asked and told, except: requests below /no and oBIX below
 * /obix/no; of /slow and /obix/slow one in 10 s; answers with 299; reads of
 * table 42; values of tables, which have to be a day old.
 */
static struct kit *kit_that(enum pol_action_kind action, struct seen *seen)
{
	static const uint16_t the_party[] = {0};
	static const char *const no[] = {"/no/**", "/obix/no/**"};
	static const char *const slow[] = {"/slow/**", "/obix/slow/**"};
	struct pol_prefix net = kit_net(0, 0, 16);
	struct pol_party_src party = {.id = "headend", .name = "Head end",
				      .addr = &net, .n_addr = 1};
	struct pol_range t42 = {42, 42}, odd = {299, 299};
	struct pol_attr a42 = {.field = F_TABLE, .num = &t42, .n_num = 1};
	struct pol_attr as = {.field = F_STATUS, .num = &odd, .n_num = 1};
	struct pol_attr ano = {.field = F_PATH, .text = no, .n_text = 2};
	struct pol_attr aslow = {.field = F_PATH, .text = slow, .n_text = 2};
	struct pol_obs_match any = {.kinds = families()};
	struct pol_obs_match refused[] = {
		{.kinds = only(OBS_C1222_READ_REQUEST), .attr = &a42,
		 .n_attr = 1},
		{.kinds = only(OBS_HTTP_REQUEST), .attr = &ano, .n_attr = 1},
		{.kinds = only(OBS_OBIX_WRITE_REQUEST), .attr = &ano,
		 .n_attr = 1},
		{.kinds = only(OBS_HTTP_RESPONSE), .attr = &as, .n_attr = 1},
	};
	struct pol_obs_match slowly = {.kinds = only(OBS_HTTP_REQUEST),
				       .attr = &aslow, .n_attr = 1};
	struct pol_rule_src rule[] = {
		{.kind = RULE_GRANT, .id = "ask", .dir = DIRSEL_ANY,
		 .party = {.party = the_party, .n_party = 1}, .match = &any,
		 .n_match = 1},
		{.kind = RULE_GRANT, .id = "tell", .dir = DIRSEL_ANY,
		 .party = {.party = the_party, .n_party = 1}, .match = &any,
		 .n_match = 1,
		 .data = {.present = true, .meas = MEAS_ALL & ~MEAS_ABOUT,
			  .has_delay = true, .delay_ns = 86400 * NS_PER_S}},
		{.kind = RULE_DENY, .id = "never", .dir = DIRSEL_ANY,
		 .party.any = true, .match = refused, .n_match = 4,
		 .exceed = {.kind = action}},
	};
	struct pol_limit_src apart = {
		.id = "apart", .dir = DIRSEL_ANY, .party.any = true,
		.match = &slowly, .n_match = 1,
		.phrase = {.kind = LIMIT_SPACING, .thing = THING_MESSAGES,
			   .window_ns = 10 * NS_PER_S,
			   .text = "at least 10 s apart"}};
	struct pol_file f = {.kind = POL_VENDOR, .unique = true,
			     .id = "v", .vm = "mdma",
			     .path = "v.yaml", .party = &party, .n_party = 1,
			     .rule = rule, .n_rule = 3,
			     .limit = &apart, .n_limit = 1};
	struct kit *k = kit_new_of(&f);

	kit_live(k, true);
	*seen = (struct seen){.k = k};
	k->on_inject = on_inject;
	k->more = on_event;
	k->arg = seen;
	return k;
}

/* Both ends, and where they are. */
struct talk {
	struct seen *seen;
	uint32_t seq[2]; /* by enum dir: next to send */
	bool ts;
	uint16_t window;
};

static uint64_t say_flags(struct talk *t, enum dir d, struct span s,
			  uint8_t flags)
{
	struct kit_seg g = {.out = d == DIR_OUT, .port = PORT,
			    .seq = t->seq[d], .ack = t->seq[!d],
			    .flags = flags, .has_ts = t->ts, .ts = 200,
			    .window = t->window};

	t->seq[d] += (uint32_t)s.n + !!(flags & TCP_FIN);
	return kit_tcp(t->seen->k, &g, s);
}

static uint64_t say(struct talk *t, enum dir d, struct span s)
{
	return say_flags(t, d, s, TCP_ACK | TCP_PSH);
}

static struct talk begin_in(struct seen *seen, uint16_t far, bool ts,
			    uint16_t window)
{
	struct talk t = {.seen = seen, .ts = ts, .window = window,
			 .seq = {[DIR_OUT] = KIT_ISN, [DIR_IN] = KIT_ISN2}};
	struct span none = {0};

	seen->k->far = far;
	say_flags(&t, DIR_OUT, none, TCP_SYN);
	t.seq[DIR_OUT]++;
	say_flags(&t, DIR_IN, none, TCP_SYN | TCP_ACK);
	t.seq[DIR_IN]++;
	say_flags(&t, DIR_OUT, none, TCP_ACK);
	return t;
}

static struct talk begin(struct seen *seen, uint16_t far, bool ts)
{
	return begin_in(seen, far, ts, 0);
}

static void finish(struct seen *seen, const char *why)
{
	kit_end(seen->k);
	if (seen->k->bad[0])
		fail_msg("%s: %s", why, seen->k->bad);
	kit_free(seen->k);
}

/* --- what is said --------------------------------------------------------- */

#define XML	     "<real href=\"/obix/no/x/\" val=\"1\"/>"
#define PUT(p, len)  "PUT " p " HTTP/1.1" E HOST "Content-Length: " len E E
#define GET(p)	     "GET " p " HTTP/1.1" E HOST E
#define OK_TEXT	     "HTTP/1.1 200 OK" E "Content-Length: 2" E E "ok"
/* The lengths count the flow's number as the one octet that it is here. */
#define FLOW	     ", recorded as flow #"
#define BODY_NO	     "refused: denied by v/never" FLOW "\n"
#define TO_OWN(n, b)                                                           \
	"HTTP/1.1 403 Forbidden" E                                             \
	"Content-Type: text/plain; charset=utf-8" E "Content-Length: " n E     \
	ENDS b
#define TO_OTHERS                                                              \
	"HTTP/1.1 403 Forbidden" E "Content-Length: 0" E ENDS

static const struct {
	const char *why;
	/* Said in turns, '<' in front: by the other end. The last is refused. */
	const char *said[4];
	/* To the machine, and to the other end; NULL: both ends are reset. */
	const char *own, *other;
	const char *name;
} web[] = {
	{"a page that nobody may read", {GET("/no/x")},
	 TO_OWN("47", BODY_NO), TO_OTHERS, "403"},
	{"HEAD: nothing but the head", {"HEAD /no/x HTTP/1.1" E HOST E},
	 TO_OWN("47", ""), TO_OTHERS, "403"},
	{"an object of oBIX, by its path", {GET("/obix/no/x/")},
	 ERR_HEAD("87") "<err is=\"obix:PermissionErr\" "
			"display=\"refused: denied by v/never" FLOW "\"/>",
	 ERR_HEAD("48") "<err is=\"obix:PermissionErr\" "
			"display=\"refused\"/>", "obix err"},
	{"a write, by its body", {PUT("/no/x/", "34") XML},
	 ERR_HEAD("87") "<err is=\"obix:PermissionErr\" "
			"display=\"refused: denied by v/never" FLOW "\"/>",
	 ERR_HEAD("48") "<err is=\"obix:PermissionErr\" "
			"display=\"refused\"/>", "obix err"},
	{"behind one that was answered",
	 {GET("/yes"), "<" OK_TEXT, GET("/no/x")},
	 TO_OWN("47", BODY_NO), TO_OTHERS, "403"},
	{"more behind it: the end says that it was not read",
	 {GET("/no/x") GET("/yes")}, TO_OWN("47", BODY_NO), TO_OTHERS, "403"},
	{"one in front of it was not answered", {GET("/yes"), GET("/no/x")},
	 NULL, NULL, NULL},
	{"the same, in one packet", {GET("/yes") GET("/no/x")}, NULL, NULL,
	 NULL},
	{"half an answer stands in front of it",
	 {GET("/yes"), "<HTTP/1.1 200 OK" E "Content-Length: 4" E E "ok",
	  GET("/no/x")},
	 NULL, NULL, NULL},
	{"its body is to follow",
	 {PUT("/no/x", "9000") "no oBIX, but long"}, NULL, NULL, NULL},
	{"an answer that may not be given",
	 {GET("/yes"), "<HTTP/1.1 299 Odd" E "Content-Length: 2" E E "ok"},
	 TO_OWN("47", BODY_NO), TO_OTHERS, "403"},
	{"the same to HEAD",
	 {"HEAD /yes HTTP/1.1" E HOST E,
	  "<HTTP/1.1 299 Odd" E "Content-Length: 2" E E},
	 TO_OWN("47", ""), TO_OTHERS, "403"},
	{"the same, of oBIX",
	 {GET("/obix/x/"), "<HTTP/1.1 299 Odd" E "Content-Length: 2" E E "ok"},
	 ERR_HEAD("87") "<err is=\"obix:PermissionErr\" "
			"display=\"refused: denied by v/never" FLOW "\"/>",
	 ERR_HEAD("48") "<err is=\"obix:PermissionErr\" "
			"display=\"refused\"/>", "obix err"},
	{"the same, while others wait",
	 {GET("/yes") GET("/yes"),
	  "<HTTP/1.1 299 Odd" E "Content-Length: 2" E E "ok"},
	 NULL, NULL, NULL},
	{"one in 10 s, and this is the second",
	 {GET("/slow/x"), "<" OK_TEXT, GET("/slow/x")},
	 "HTTP/1.1 429 Too Many Requests" E
	 "Content-Type: text/plain; charset=utf-8" E
	 "Content-Length: 47" E "Retry-After: 10" E ENDS
	 "refused: too-soon by v/ask" FLOW "\n",
	 "HTTP/1.1 429 Too Many Requests" E
	 "Content-Length: 0" E "Retry-After: 10" E ENDS, "429"},
	{"the same, of oBIX",
	 {GET("/obix/slow/x"), "<" OK_TEXT, GET("/obix/slow/x")},
	 ERR_HEAD("71") "<err display=\"refused for now: "
			"too-soon by v/ask" FLOW "\"/>",
	 ERR_HEAD("32") "<err display=\"refused for now\"/>", "obix err"},
};

/* Both ends say that in turns, the asker first; the number of the last packet.
 * *place: where the other end's stream goes on, if that packet does not pass. */
static uint64_t exchange(struct talk *t, enum dir asker,
			 const char *const *said, uint32_t *place)
{
	uint64_t id = 0;

	for (unsigned n = 0; n < 4 && said[n]; n++) {
		bool back = said[n][0] == '<';

		*place = t->seq[!asker];
		id = say(t, back ? (enum dir)!asker : asker,
			 span_str(said[n] + back));
		/* It waits: the other end has not got it. */
		if (back && t->seen->k->verdict[id].n == 0)
			t->seq[!asker] = *place;
	}
	return id;
}

/* What the machine itself is told names the flow of the record. */
static const char *to_own(char buf[1024], const char *text, uint64_t flow)
{
	static const char length[] = "Content-Length: ";
	const char *at = strstr(text, length) + sizeof(length) - 1;
	char *rest, id[24];
	size_t n = strtoul(at, &rest, 10), body;

	body = strcspn(rest, "#");
	snprintf(id, sizeof(id), "%llu", (unsigned long long)flow);
	snprintf(buf, 1024, "%.*s%zu%.*s%s%s", (int)(at - text), text,
		 n + strlen(id) - 1, (int)body, rest, rest[body] ? id : "",
		 rest + body + (rest[body] != 0));
	return buf;
}

static void web_row(size_t i, enum dir asker, bool ts)
{
	const char *want = asker == DIR_OUT ? web[i].own : web[i].other;
	char own[1024];
	struct seen seen;
	struct kit *k = kit_that(ACTION_REFUSE, &seen);
	struct talk t = begin(&seen, 80, ts);
	struct end *told = &seen.end[!asker], *asked = &seen.end[asker];
	const char *name = NULL;
	uint32_t place = 0;
	uint64_t id = exchange(&t, asker, web[i].said, &place);

	name = strstr(seen.detail, "answered: ");
	if (k->verdict[id].v != PACKET_DROP)
		fail_msg("%s: it passed", web[i].why);
	if (!want) {
		if (told->segments || asked->segments || !told->resets ||
		    !asked->resets || name)
			fail_msg("%s: answered '%s'; %u, %u segments, %u, %u "
				 "resets; %s", web[i].why, told->text,
				 told->segments, asked->segments,
				 told->resets, asked->resets, seen.detail);
		finish(&seen, web[i].why);
		return;
	}
	if (asker == DIR_OUT)
		want = to_own(own, want, seen.flow);
	if (strcmp(told->text, want) != 0 || told->resets)
		fail_msg("%s (%s): '%s', not '%s'", web[i].why,
			 asker == DIR_OUT ? "out" : "in", told->text, want);
	if (told->from != place || !told->fin ||
	    told->last.ack != t.seq[asker] || told->last.has_ts != ts)
		fail_msg("%s: at %u for %u", web[i].why, told->from, place);
	if (asked->segments || asked->resets != 1)
		fail_msg("%s: %u resets, %u segments to the end that was asked",
			 web[i].why, asked->resets, asked->segments);
	if (!name || strcmp(name + 10, web[i].name) != 0)
		fail_msg("%s: told as '%s'", web[i].why, seen.detail);
	finish(&seen, web[i].why);
}

static void the_web_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(web) / sizeof(web[0]); i++) {
		for (int ts = 0; ts < 2; ts++) {
			web_row(i, DIR_OUT, ts);
			web_row(i, DIR_IN, ts);
		}
	}
}

/* --- C12.22 --------------------------------------------------------------- */

static struct span unhex(uint8_t *b, size_t cap, const char *hex)
{
	struct wbuf w = wbuf_of(b, cap);

	for (; *hex; hex++) {
		char two[3] = {hex[0], hex[1], 0};

		if (*hex == ' ')
			continue;
		wbuf_u8(&w, (uint8_t)strtoul(two, NULL, 16));
		hex++;
	}
	assert_false(w.failed);
	return wbuf_span(&w);
}

#define TO   "a2 05 80 03 478769"
#define FROM "a6 04 80 02 4701"
#define BACK(id) "a2 04 80 02 4701 a4" id " a6 05 80 03 478769 "
#define ONE  "03 02 01 01"
#define TWO  "03 02 01 02"
#define LONG "05 02 03 00 87 65"
#define ASK(id, table) TO FROM "a8" id "be 09 28 07 81 05 80 03 30" table
#define CODE(code) "be 07 28 05 81 03 80 01" code
/* Two octets of a table, in answer. */
#define DATA(id) BACK(id) "a8" id "be 0c 28 0a 81 08 82 06 00 00 02 41 42 7d"

static const struct {
	const char *why, *said[4], *told, *name;
} meter[] = {
	{"a read that a rule denies",
	 {"60 1d" ASK(ONE, "002a")}, "60 20" BACK(ONE) "a8" ONE CODE("03"),
	 "isc"},
	{"while another waits for its answer: the id says which is meant",
	 {"60 1d" ASK(ONE, "0017"), "60 1d" ASK(TWO, "002a")},
	 "60 20" BACK(TWO) "a8" TWO CODE("03"), "isc"},
	{"behind another in its packet",
	 {"60 1d" ASK(ONE, "0017") "60 1d" ASK(TWO, "002a")}, NULL, NULL},
	{"an answer with what is too fresh: dnr in its place",
	 {"60 1d" ASK(ONE, "0017"), "<60 25" DATA(ONE)},
	 "60 20" BACK(ONE) "a8" ONE CODE("07"), "dnr"},
	{"the same, by another id",
	 {"60 1f" ASK(LONG, "0017"), "<60 29" DATA(LONG)},
	 "60 24" BACK(LONG) "a8" LONG CODE("07"), "dnr"},
};

static void meter_row(size_t i, enum dir asker)
{
	struct seen seen;
	struct kit *k = kit_that(ACTION_REFUSE, &seen);
	struct talk t = begin(&seen, 1153, false);
	struct end *told = &seen.end[!asker], *asked = &seen.end[asker];
	uint8_t b[256], c[256];
	uint32_t place = 0;
	uint64_t id = 0;
	struct span want;

	for (unsigned n = 0; n < 4 && meter[i].said[n]; n++) {
		bool back = meter[i].said[n][0] == '<';

		place = t.seq[!asker];
		id = say(&t, back ? (enum dir)!asker : asker,
			 unhex(b, sizeof(b), meter[i].said[n] + back));
	}
	assert_int_equal(k->verdict[id].v, PACKET_DROP);
	want = unhex(c, sizeof(c), meter[i].told ? meter[i].told : "");
	if (!span_eq(want, span_of(told->text, told->n)))
		fail_msg("%s: %u octets; %s", meter[i].why, told->n,
			 seen.detail);
	if (asked->segments || asked->resets != 1 ||
	    told->resets != !meter[i].told ||
	    (meter[i].told && (!told->fin || told->from != place ||
			       !strstr(seen.detail, meter[i].name))))
		fail_msg("%s: %u and %u resets; %s", meter[i].why,
			 told->resets, asked->resets, seen.detail);
	finish(&seen, meter[i].why);
}

static void the_meter_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(meter) / sizeof(meter[0]); i++) {
		meter_row(i, DIR_OUT);
		meter_row(i, DIR_IN);
	}
}

/* Over UDP a refused answer is replaced on its way. */
static void a_datagram_goes_in_the_place_of_an_answer(void **state)
{
	(void)state;
	for (int out = 0; out < 2; out++) {
		struct seen seen;
		struct kit *k = kit_that(ACTION_REFUSE, &seen);
		uint8_t b[256], c[256], d[256];
		struct end *told = &seen.end[out ? DIR_IN : DIR_OUT];
		struct span want = unhex(
			c, sizeof(c), "60 20" BACK(ONE) "a8" ONE CODE("07"));
		uint64_t id = 0;

		for (int n = 0; n < 2; n++) {
			struct span s = unhex(
				b, sizeof(b), n ? "60 25" DATA(ONE) :
						  "60 1d" ASK(ONE, "0017"));

			id = kit_send(k, LINK_RAW,
				      kit_ip4(k, &(struct kit_ip){
							 out != n, PROTO_UDP, 0, 0,
							 false},
					      kit_udp(d, sizeof(d), out != n,
						      PORT, s)));
		}
		assert_int_equal(k->verdict[id].v, PACKET_DROP);
		assert_int_equal(told->segments, 1);
		assert_int_equal(told->last.tup.proto, PROTO_UDP);
		assert_int_equal(out ? told->last.tup.dport :
				       told->last.tup.sport, PORT);
		assert_true(span_eq(want, span_of(told->text, told->n)));
		assert_int_equal(seen.end[out ? DIR_OUT : DIR_IN].segments, 0);
		finish(&seen, "UDP");
	}
}

/* --- the end of it -------------------------------------------------------- */

#define REFUSED "GET /no/x HTTP/1.1" E HOST E

/* A connection of the machine in which that was answered. */
static struct talk refused(struct seen *seen, uint16_t window)
{
	struct talk t;

	kit_that(ACTION_REFUSE, seen);
	t = begin_in(seen, 80, true, window);
	say(&t, DIR_OUT, span_str(REFUSED));
	assert_true(seen->end[DIR_IN].segments);
	return t;
}

/* Nothing of the machine's reaches anybody, whatever it is. */
static void nothing_passes(const struct seen *seen, uint64_t from)
{
	for (uint64_t i = from; i <= seen->k->id; i++)
		assert_int_equal(seen->k->verdict[i].v, PACKET_DROP);
	assert_int_equal(seen->end[DIR_OUT].segments, 0);
	assert_int_equal(seen->end[DIR_OUT].resets, 1);
}

/* It has the answer and closes: its end is acknowledged, and that is all. */
static void it_closes_in_order(void **state)
{
	struct seen seen;
	struct talk t = refused(&seen, 0);
	struct end *told = &seen.end[DIR_IN];
	uint64_t from = seen.k->id + 1;

	(void)state;
	assert_true(told->fin);
	t.seq[DIR_IN] = told->from + told->n + 1;
	say_flags(&t, DIR_OUT, (struct span){0}, TCP_ACK);
	assert_int_equal(seen.k->n_acks, 0);
	say_flags(&t, DIR_OUT, (struct span){0}, TCP_ACK | TCP_FIN);
	assert_int_equal(seen.k->n_acks, 1);
	assert_int_equal(told->last.ack, t.seq[DIR_OUT]);
	assert_int_equal(told->last.seq, t.seq[DIR_IN]);
	/* The acknowledgement was lost. */
	t.seq[DIR_OUT]--;
	say_flags(&t, DIR_OUT, (struct span){0}, TCP_ACK | TCP_FIN);
	assert_int_equal(seen.k->n_acks, 2);
	kit_tick(seen.k, 30);
	assert_int_equal(told->segments, 1);
	assert_int_equal(told->resets, 0);
	nothing_passes(&seen, from);
	finish(&seen, "in order");
}

static void what_is_lost_is_said_again(void **state)
{
	struct seen seen;
	struct talk t = refused(&seen, 0);
	struct end *told = &seen.end[DIR_IN];
	uint64_t from = seen.k->id + 1;
	unsigned n = told->segments;

	(void)state;
	kit_tick(seen.k, 1);
	assert_true(told->segments > n);
	/* All of it but the end. */
	t.seq[DIR_IN] = told->from + told->n;
	say_flags(&t, DIR_OUT, (struct span){0}, TCP_ACK);
	told->fin = false;
	n = told->segments;
	kit_tick(seen.k, 2);
	assert_true(told->fin && told->segments > n);
	t.seq[DIR_IN]++;
	say_flags(&t, DIR_OUT, (struct span){0}, TCP_ACK);
	n = told->segments;
	kit_tick(seen.k, 30);
	assert_int_equal(told->segments, n);
	nothing_passes(&seen, from);
	finish(&seen, "again");
}

/* Nobody is there any more. */
static void whoever_never_takes_it_is_reset(void **state)
{
	struct seen seen;
	struct end *told = &seen.end[DIR_IN];

	(void)state;
	refused(&seen, 0);
	for (int i = 0; i < 590; i++) {
		kit_wait(seen.k, NS_PER_S / 10);
		pipeline_tick(seen.k->p, seen.k->now, &seen.k->sink);
	}
	assert_int_equal(told->resets, 1);
	assert_int_equal(seen.end[DIR_OUT].resets, 1);
	finish(&seen, "never");
}

static void a_small_window_takes_it_in_parts(void **state)
{
	struct seen seen;
	struct talk t = refused(&seen, 100);
	struct end *told = &seen.end[DIR_IN];
	char own[1024];

	(void)state;
	assert_int_equal(told->n, 100);
	for (int i = 0; i < 10 && !told->fin; i++) {
		t.seq[DIR_IN] = told->from + told->n;
		say_flags(&t, DIR_OUT, (struct span){0}, TCP_ACK);
	}
	assert_true(told->fin);
	assert_string_equal(told->text,
			    to_own(own, TO_OWN("47", BODY_NO), seen.flow));
	finish(&seen, "a window");
}

/* What was on its way is acknowledged and goes nowhere; whoever knows of the
 * end and goes on is reset. */
static void whoever_goes_on_is_reset(void **state)
{
	struct seen seen;
	struct talk t = refused(&seen, 0);
	struct end *told = &seen.end[DIR_IN];
	uint64_t from = seen.k->id + 1;

	(void)state;
	say(&t, DIR_OUT, span_str(REFUSED));
	assert_int_equal(seen.k->n_acks, 1);
	assert_int_equal(told->last.ack, t.seq[DIR_OUT]);
	assert_int_equal(told->resets, 0);
	t.seq[DIR_IN] = told->from + told->n + 1;
	say(&t, DIR_OUT, span_str(REFUSED));
	assert_int_equal(told->resets, 1);
	assert_int_equal(told->last.seq, t.seq[DIR_IN]);
	nothing_passes(&seen, from);
	finish(&seen, "it goes on");
}

/* The end that was reset hears that again, whatever it says, and nothing of
 * that reaches the one who asked. */
static void who_was_asked_stays_reset(void **state)
{
	struct seen seen;
	struct talk t = refused(&seen, 0);
	struct end *told = &seen.end[DIR_IN];
	unsigned n = told->segments;

	(void)state;
	kit_wait(seen.k, NS_PER_S / 10);
	t.seq[DIR_IN] = told->from;
	say(&t, DIR_IN, span_str(OK_TEXT));
	assert_int_equal(seen.k->verdict[seen.k->id].why,
			 REASON_TCP_FLOW_DENIED);
	assert_int_equal(seen.end[DIR_OUT].resets, 2);
	assert_int_equal(told->segments, n);
	finish(&seen, "who was asked");
}

/* The one who asked gives up: nothing more is said to it. */
static void a_reset_ends_it(void **state)
{
	struct seen seen;
	struct talk t = refused(&seen, 0);
	struct end *told = &seen.end[DIR_IN];
	unsigned n = told->segments;

	(void)state;
	say_flags(&t, DIR_OUT, (struct span){0}, TCP_ACK | TCP_RST);
	kit_tick(seen.k, 30);
	assert_int_equal(told->segments, n);
	assert_int_equal(told->resets, 0);
	finish(&seen, "a reset");
}

/* A new connection of the same ends begins anew. */
static void the_next_connection_is_as_any(void **state)
{
	struct seen seen;
	struct talk t = refused(&seen, 0);
	uint64_t id;

	(void)state;
	kit_wait(seen.k, NS_PER_S);
	kit_handshake(seen.k, PORT, KIT_ISN + 50000, true);
	t.seq[DIR_OUT] = KIT_ISN + 50001;
	t.seq[DIR_IN] = KIT_ISN2 + 1;
	id = say(&t, DIR_OUT, span_str(GET("/yes")));
	/* The SYN ACK had the number of the one before: it may be that one's. */
	assert_int_equal(seen.k->verdict[id].v, PACKET_PASS);
	finish(&seen, "the next");
}

static void drop_and_reset_mean_what_they_say(void **state)
{
	static const struct {
		enum pol_action_kind action;
		unsigned resets;
	} rows[] = {{ACTION_DROP, 0}, {ACTION_RESET, 1}};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct seen seen;
		struct talk t;

		kit_that(rows[i].action, &seen);
		t = begin(&seen, 80, false);
		say(&t, DIR_OUT, span_str(REFUSED));
		for (int d = 0; d < 2; d++) {
			assert_int_equal(seen.end[d].segments, 0);
			assert_int_equal(seen.end[d].resets, rows[i].resets);
		}
		assert_null(strstr(seen.detail, "answered"));
		finish(&seen, "an action");
	}
}

/* Where nothing waits for acknowledgements (a capture), both are reset. */
static void a_capture_is_not_answered(void **state)
{
	struct seen seen;
	struct talk t;

	(void)state;
	kit_live(kit_that(ACTION_REFUSE, &seen), false);
	t = begin(&seen, 80, false);
	say(&t, DIR_OUT, span_str(REFUSED));
	assert_int_equal(seen.end[DIR_IN].segments, 0);
	assert_int_equal(seen.end[DIR_IN].resets, 1);
	finish(&seen, "a capture");
}

/* A limit of packets or octets that nothing selects is asked when the packet
 * is about to leave, and says what is done as any other. */
static void a_limit_of_packets_may_be_silent(void **state)
{
	static const uint16_t the_party[] = {0};
	struct pol_prefix net = kit_net(0, 0, 16);
	struct pol_party_src party = {.id = "headend", .name = "Head end",
				      .addr = &net, .n_addr = 1};
	struct pol_obs_match any = {.kinds = families()};
	struct pol_rule_src rule = {
		.kind = RULE_GRANT, .id = "ask", .dir = DIRSEL_ANY,
		.party = {.party = the_party, .n_party = 1}, .match = &any,
		.n_match = 1};
	struct pol_limit_src few = {
		.id = "few", .dir = DIRSEL_ANY, .party.any = true,
		.phrase = {.kind = LIMIT_CALENDAR, .thing = THING_PACKETS,
			   .n = 4, .window = WINDOW_DAY,
			   .text = "4 packets per day"}};
	struct pol_file f = {.kind = POL_VENDOR, .unique = true,
			     .id = "v", .vm = "mdma",
			     .path = "v.yaml", .party = &party, .n_party = 1,
			     .rule = &rule, .n_rule = 1,
			     .limit = &few, .n_limit = 1};

	(void)state;
	for (int drop = 0; drop < 2; drop++) {
		struct seen seen = {.why = REASON_NONE};
		struct talk t;
		uint64_t id;

		few.exceed.kind = drop ? ACTION_DROP : ACTION_REFUSE;
		seen.k = kit_new_of(&f);
		kit_live(seen.k, true);
		seen.k->on_inject = on_inject;
		seen.k->arg = &seen;
		t = begin(&seen, 80, false);
		/* Of two requests at once each has room, the second behind the
		 * first has none. */
		t.seq[DIR_OUT] += (uint32_t)sizeof(GET("/yes")) - 1;
		id = say(&t, DIR_OUT, span_str(GET("/yes")));
		t.seq[DIR_OUT] -= 2 * ((uint32_t)sizeof(GET("/yes")) - 1);
		say(&t, DIR_OUT, span_str(GET("/yes")));
		assert_int_equal(seen.k->verdict[id].v, PACKET_DROP);
		for (int d = 0; d < 2; d++)
			assert_int_equal(seen.end[d].resets, !drop);
		finish(&seen, "packets");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_web_is_told),
		cmocka_unit_test(the_meter_is_told),
		cmocka_unit_test(a_datagram_goes_in_the_place_of_an_answer),
		cmocka_unit_test(it_closes_in_order),
		cmocka_unit_test(what_is_lost_is_said_again),
		cmocka_unit_test(whoever_never_takes_it_is_reset),
		cmocka_unit_test(a_small_window_takes_it_in_parts),
		cmocka_unit_test(whoever_goes_on_is_reset),
		cmocka_unit_test(who_was_asked_stays_reset),
		cmocka_unit_test(a_reset_ends_it),
		cmocka_unit_test(the_next_connection_is_as_any),
		cmocka_unit_test(drop_and_reset_mean_what_they_say),
		cmocka_unit_test(a_capture_is_not_answered),
		cmocka_unit_test(a_limit_of_packets_may_be_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
