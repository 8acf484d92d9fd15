/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP in datagrams, under a policy that grants opaque octets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "enforcer/pipeline/testkit.h"

static uint64_t datagram(struct kit *k, bool out, struct span s)
{
	uint8_t b[2048];
	struct wbuf w = wbuf_of(b, sizeof(b));

	wbuf_be(&w, out ? 40000 : 9000, 2);
	wbuf_be(&w, out ? 9000 : 40000, 2);
	wbuf_be(&w, 8 + s.n, 2);
	wbuf_be(&w, 0, 2);
	wbuf_put(&w, s);
	return kit_send(k, LINK_RAW,
			kit_ip4(k, &(struct kit_ip){out, PROTO_UDP, 0, 0,
						    false},
				wbuf_span(&w)));
}

/* Heads of HTTP in datagrams are no opaque octets, whatever the port, whoever
 * sends them and whatever came before. */
static void heads_over_udp(void **state)
{
	static const char *const heads[] = {
		"GET /x HTTP/1.1\r\nHost: a\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1",
		"M-SEARCH * HTTP/1.1\r\nMAN: \"ssdp:discover\"\r\n\r\n",
		"put /x HTTP/1.0\r\n\r\nenergy 4711 Wh",
		"\r\n\r\nGET /x\r\n",
	};

	(void)state;
	for (size_t i = 0; i < 4 * sizeof(heads) / sizeof(heads[0]); i++) {
		struct kit *k = kit_new(true, false);
		bool out = i & 1, behind = i & 2;
		struct span head = span_str(heads[i / 4]);
		uint64_t id;

		kit_live(k, true);
		k->p->conf.checksums = false;
		k->bulk = true;
		/* Behind other octets what has no version may be chance. */
		if (behind && i / 4 == 4) {
			kit_free(k);
			continue;
		}
		if (behind) {
			id = datagram(k, out, span_str("hello"));
			assert_int_equal(k->verdict[id].why, REASON_NONE);
		}
		id = datagram(k, out, head);
		assert_int_equal(k->verdict[id].n, 1);
		if (k->verdict[id].why != REASON_UNKNOWN_PROTOCOL)
			fail_msg("%s: %s", heads[i / 4],
				 reason_text(k->verdict[id].why));
		kit_end(k);
		assert_string_equal(k->bad, "");
		kit_free(k);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heads_over_udp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
