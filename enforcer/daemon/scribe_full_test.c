/* SPDX-License-Identifier: Apache-2.0 */
/* A log that is full, and of which nothing may be pruned before a witness
 * cosigned it: nothing is recorded until he does, and he can. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "audit/sample.h"
#include "audit/verify.h"
#include "crypto/sign.h"
#include "enforcer/daemon/scribe_bench.h"

static struct sign_key secret;

static int sign(void *arg, struct span octets, struct wbuf *out, struct err *e)
{
	uint8_t sig[SIGN_LEN];
	int rc = sign_make(arg, octets, sig, e);

	wbuf_put(out, span_of(sig, sizeof(sig)));
	return rc;
}

/* Whose key the scribe is told. */
static void make_witness(struct bench *b, struct note_signer *by)
{
	uint8_t line[NOTE_NAME_MAX + 128];
	struct wbuf w = wbuf_of(line, sizeof(line));
	struct err e = {0};
	FILE *f;

	*by = (struct note_signer){.sign = sign, .arg = &secret};
	assert_int_equal(sign_new_key(&secret, &e), 0);
	assert_int_equal(note_key_make(&by->key, span_str("portal.example"),
				       NOTE_COSIGNATURE,
				       span_of(secret.public_, SIGN_KEY_LEN),
				       &e), 0);
	note_key_put(&w, &by->key);
	snprintf(b->conf.witness_keys, sizeof(b->conf.witness_keys),
		 "%s/witnesses", dir);
	f = fopen(b->conf.witness_keys, "w");
	assert_non_null(f);
	fprintf(f, "%.*s\n", (int)w.n, (const char *)line);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(b->conf.witness_keys, 0644), 0);
}

/* The last checkpoint that he is given, with his line. */
static int cosign(struct bench *b, const struct note_signer *by)
{
	static uint8_t note[NOTE_MAX];
	struct window *w = b->arg.window;
	struct wbuf line = wbuf_of(w->post, sizeof(w->post));
	struct checkpoint c;
	struct err e = {0};
	struct note n;
	size_t octets;

	assert_int_equal(ask_window(b, WINDOW_CHECKPOINT, 0), 0);
	octets = w->octets;
	memcpy(note, w->data, octets);
	assert_int_equal(checkpoint_read(&c, &n, span_of(note, octets), &e), 0);
	assert_int_equal(note_sign(&line, n.text, by, 1764082800, &e), 0);
	w->n_post = (uint32_t)line.n;
	return ask_window(b, WINDOW_COSIGN, c.size);
}

static const struct event *some(struct sample *s, uint64_t i)
{
	struct event *ev = sample_decision(s, i);

	ev->now.mono = live_mono();
	ev->guest = span_str("guest0");
	return ev;
}

static void a_full_log_goes_on_when_it_is_cosigned(void **state)
{
	struct verify_result r;
	struct note_signer by;
	struct err e = {0};
	struct sample s;
	struct bench b;
	uint64_t sent = 0, tail, failures;

	(void)state;
	NEEDS_ROOT();
	bench_init(&b, 1);
	b.conf.audit_bound = UINT64_C(32) << 20;
	b.conf.audit_rate = UINT64_C(1) << 30;
	b.conf.audit_prune = PRUNE_COSIGNED;
	b.log = log_init("scribe", LOG_LEVEL_INFO, false);
	b.said = tmpfile();
	assert_non_null(b.said);
	make_witness(&b, &by);
	start(&b);
	for (int waits = 0;
	     !atomic_load(&b.arg.control->audit_closed) && waits < WITHIN_MS;) {
		if (put(&b, 0, some(&s, sent))) {
			sent++;
		} else {
			waits++;
			usleep(1000);
		}
	}
	assert_int_equal(atomic_load(&b.arg.control->audit_closed), 1);
	assert_non_null(strstr(b.arg.view->error, "no witness cosigned"));
	tail = atomic_load(&b.ring[0].s->tail);
	while (put(&b, 0, some(&s, sent)))
		sent++;
	/* It stays so, whoever asks, and for a successor. */
	for (int i = 0; i < 2; i++) {
		usleep(1300000);
		assert_int_equal(ask_window(&b, WINDOW_CHECKPOINT, 0), 0);
		assert_int_equal(atomic_load(&b.arg.control->audit_closed), 1);
		assert_int_equal(tail, atomic_load(&b.ring[0].s->tail));
		if (i)
			break;
		end(&b, SIGKILL);
		start(&b);
	}
	failures = b.arg.view->failures;
	assert_int_equal(times_said(&b, "nothing can be recorded"), 2);
	assert_int_equal(times_said(&b, "written again"), 0);
	assert_int_equal(atomic_load(&b.arg.window->first), 0);
	/* A witness does, and there is room. */
	assert_int_equal(cosign(&b, &by), 0);
	within(atomic_load(&b.arg.control->audit_closed) == 0);
	assert_true(drained(&b));
	assert_true(atomic_load(&b.arg.window->first) > 0);
	assert_false(b.arg.view->error[0]);
	assert_int_equal(times_said(&b, "written again"), 1);
	print_message("%llu records, %llu failures\n",
		      (unsigned long long)sent, (unsigned long long)failures);
	end(&b, SIGTERM);
	fclose(b.said);
	if (verify_file(b.conf.audit, NULL, &r, NULL, NULL, &e))
		fail_msg("%s", e.text);
	assert_true(r.records > sent);
	bench_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_log_goes_on_when_it_is_cosigned),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
