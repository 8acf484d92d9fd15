/* SPDX-License-Identifier: Apache-2.0 */
/* Is this the log that a TPM knows? */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "attest/tpm.h"
#include "audit/anchor.h"
#include "audit/checkpoint.h"
#include "audit/db.h"
#include "audit/store.h"
#include "audit/tool.h"
#include "audit/tool_anchor.h"

#define INDEX 0x0180004d /* metergated.conf's */

static void help(void)
{
	puts("Usage: " TOOL " anchor [--tpm NAME [--index N]] "
	     "[--pcr HEX --counter N] DB\n"
	     "Make PCR 13 and the counter of a TPM from the checkpoints, and "
	     "compare them with\nthose of the TPM. A log that was cut, rolled "
	     "back or replaced has others.\n\n"
	     "      --tpm NAME   ask this TPM: device:/dev/tpmrm0, "
	     "swtpm:path=SOCKET\n"
	     "      --index N    where its counter is (0x0180004d)\n"
	     "      --pcr HEX    what its PCR 13 is, if you were told\n"
	     "      --counter N  and its counter\n"
	     "  -l, --list       every checkpoint, with what it says of the "
	     "TPM\n"
	     "  -h, --help       this text\n\n"
	     "Exit: 0 they agree, or nothing was to be compared; 1 they do "
	     "not; 2 it cannot be\nread.");
}

/* --- what it is compared with --------------------------------------------- */

static bool hex(uint8_t out[SHA256_LEN], const char *s)
{
	if (strlen(s) != 2 * SHA256_LEN ||
	    strspn(s, "0123456789abcdefABCDEF") != 2 * SHA256_LEN)
		return false;
	for (size_t i = 0; i < SHA256_LEN; i++) {
		const char two[3] = {s[2 * i], s[2 * i + 1], 0};

		out[i] = (uint8_t)strtoul(two, NULL, 16);
	}
	return true;
}

static int bad(const char *option, const char *why)
{
	tool_say(option, why);
	return EXIT_TROUBLE;
}

int tool_anchor_option(struct tool_anchor *t, int option, const char *arg)
{
	char *end;
	unsigned long index;

	switch (option) {
	case TOOL_ANCHOR_TPM:
		t->tpm = arg;
		return EXIT_DONE;
	case TOOL_ANCHOR_INDEX:
		index = strtoul(arg, &end, 0);
		if (*end || index < TPM_NV_FIRST || index > TPM_NV_LAST)
			return bad("--index", "not 0x01800000 to 0x01bfffff");
		t->index = (uint32_t)index;
		return EXIT_DONE;
	case TOOL_ANCHOR_PCR:
		t->has_pcr = hex(t->pcr, arg);
		return t->has_pcr ? EXIT_DONE
				  : bad("--pcr", "not 64 hex digits");
	default:
		t->has_counter = checkpoint_number(span_str(arg), &t->counter);
		return t->has_counter ? EXIT_DONE
				      : bad("--counter", "not a number");
	}
}

int tool_anchor_read(struct tool_anchor *t, struct err *e)
{
	struct tpm_state s;
	struct tpm *tpm;
	int rc;

	if (!t->tpm) {
		if (t->has_pcr != t->has_counter)
			return err_set(e, E_SYNTAX, 0, "--pcr and --counter "
				       "are needed together");
		t->compare = t->has_pcr;
		return 0;
	}
	if (t->has_pcr || t->has_counter)
		return err_set(e, E_SYNTAX, 0, "--tpm and values exclude each "
			       "other");
	rc = tpm_open(&tpm, t->tpm, e);
	if (rc)
		return rc;
	rc = tpm_begin(tpm, e);
	if (rc == 0)
		rc = tpm_counter(tpm, t->index ? t->index : INDEX, false, e);
	/* None at all: as if it had never counted. */
	if (rc == 0 || rc == E_NOTFOUND)
		rc = tpm_state(tpm, &s, e);
	tpm_close(tpm, false);
	if (rc)
		return rc;
	t->compare = true;
	t->counter = s.counter;
	memcpy(t->pcr, s.pcr, sizeof(t->pcr));
	return 0;
}

/* --- comparing ------------------------------------------------------------ */

static void put_hex(const char *what, const uint8_t p[SHA256_LEN])
{
	printf("%s ", what);
	for (size_t i = 0; i < SHA256_LEN; i++)
		printf("%02x", p[i]);
}

static int list_one(void *arg, uint64_t size, const struct anchor *a,
		    const struct anchor_bound *b, struct err *e)
{
	(void)arg;
	(void)a;
	(void)e;
	printf("checkpoint %llu ", (unsigned long long)size);
	if (b->has_pcr) {
		put_hex("pcr13", b->pcr);
		printf(" counter %llu\n", (unsigned long long)b->counter);
	} else {
		printf("made without a TPM\n");
	}
	return 0;
}

static void summary(const struct anchor *a, uint64_t points)
{
	printf("%llu checkpoints, %llu resets of the TPM\n",
	       (unsigned long long)points, (unsigned long long)a->resets);
	if (!a->begun) {
		printf("none is anchored\n");
		return;
	}
	put_hex("pcr13", a->pcr);
	printf("\ncounter %llu\n", (unsigned long long)a->counter);
}

#define TRIES 3 /* while the gateway prunes */

static int find(const struct tool_anchor *t, struct db *d, struct err *e)
{
	static const uint8_t zeros[SHA256_LEN];
	struct anchor_place p;
	int rc = E_STATE;

	for (int i = 0; rc == E_STATE && i < TRIES; i++)
		rc = anchor_find(&p, d, t->compare ? t->pcr : zeros,
				 t->counter, !t->compare, e);

	/* What it should be helps who looks for what is wrong. */
	if (!t->quiet && (rc == 0 || p.whole.has_last))
		summary(&p.whole, p.points);
	if (rc || t->quiet)
		return rc;
	if (!t->compare)
		printf("not compared with a TPM\n");
	else if (p.reset && p.points)
		printf("the TPM was reset since, and has got nothing yet\n");
	else if (p.pending)
		printf("the TPM lacks the last %llu checkpoints; it has all "
		       "up to %llu records\n", (unsigned long long)p.pending,
		       (unsigned long long)p.at);
	else
		printf("the TPM has all checkpoints\n");
	return 0;
}

int tool_anchor_compare(const struct tool_anchor *t, const char *path,
			bool list, struct err *e)
{
	struct anchor a = {0};
	struct err ignored;
	struct db *d;
	int rc = db_open(&d, path, DB_READ, e);

	if (rc == 0)
		rc = store_identify(d, NULL, e);
	if (rc == 0 && list)
		rc = anchor_replay(&a, d, list_one, NULL, e);
	if (rc == 0)
		rc = find(t, d, e);
	if (db_close(d, &ignored) && rc == 0)
		rc = err_set(e, E_IO, 0, "%s", ignored.text);
	return rc;
}

/* --- the command ---------------------------------------------------------- */

static int run(struct tool_anchor *t, const char *path, bool list)
{
	struct err e = {0};
	/* The TPM first: what the log gets meanwhile is pending. */
	int rc = tool_anchor_read(t, &e);

	if (rc) {
		tool_say(t->tpm ? t->tpm : "anchor", e.text);
		return EXIT_TROUBLE;
	}
	rc = tool_anchor_compare(t, path, list, &e);
	if (rc == E_INTEGRITY)
		printf("not the TPM's log: %s\n", e.text);
	return rc ? tool_flush(tool_failed(path, &e), 0)
		  : tool_flush(EXIT_DONE, 0);
}

int cmd_anchor(int argc, char **argv)
{
	static const struct option options[] = {
		TOOL_ANCHOR_OPTIONS,
		{"list", no_argument, NULL, 'l'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct tool_anchor t = {0};
	int c, rc = EXIT_DONE;
	bool list = false;

	while (rc == EXIT_DONE &&
	       (c = getopt_long(argc, argv, "lh", options, NULL)) != -1) {
		switch (c) {
		case TOOL_ANCHOR_TPM:
		case TOOL_ANCHOR_INDEX:
		case TOOL_ANCHOR_PCR:
		case TOOL_ANCHOR_COUNTER:
			rc = tool_anchor_option(&t, c, optarg);
			break;
		case 'l':
			list = true;
			break;
		case 'h':
			help();
			return tool_flush(EXIT_DONE, 0);
		default:
			rc = tool_usage("anchor");
		}
	}
	if (rc == EXIT_DONE && optind + 1 != argc) {
		tool_say("anchor", "exactly one database is needed");
		rc = tool_usage("anchor");
	}
	return rc == EXIT_DONE ? run(&t, argv[optind], list) : rc;
}
