/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A first policy from a capture. What the capture holds is what a policy that
 * grants everything would let pass, judged by the gateway's own pipeline; the
 * draft made of that is judged again before it is shown.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/json.h"
#include "policy-lang/draft.h"
#include "policy-lang/played.h"
#include "policy-lang/polc.h"
#include "policy-lang/replace.h"

struct init {
	struct played_args args;
	const char *pcap, *binding, *out; /* or NULL */
	bool json;
	const char *vm, *id, *guest;
	char guest_text[256], pcap_text[PATH_MAX], keys_text[PATH_MAX];
	struct pol_files files; /* of the binding */
	struct diags diags;
	struct draft draft;
	struct dns_conf dns; /* who was asked for names */
	uint64_t seen;	/* observations that some policy lets pass */
	uint64_t permit, deny[REASON_COUNT]; /* of the draft */
};

/* --- a policy from text, composed with the binding --------------------------- */

static int compose(struct init *in, const char *text, size_t n,
		   struct pol_file **f, struct scene *s, struct err *e)
{
	const struct pol_file *list[64];
	size_t k = 0;
	int rc;

	memset(&in->diags, 0, sizeof(in->diags));
	rc = pol_read(f, in->out ? in->out : "draft", span_of(text, n), NULL,
		      &in->diags, e);
	if (rc)
		return rc;
	for (size_t i = 0; i < in->files.n && k < 63; i++) {
		if (in->files.f[i]->kind == POL_BINDING ||
		    in->files.f[i]->kind == POL_LIBRARY)
			list[k++] = in->files.f[i];
	}
	list[k++] = *f;
	rc = scene_new(s, list, k, e);
	if (rc == 0)
		rc = scene_reset(s, (struct wall){.trusted = true}, e);
	return rc;
}

/* Judge the capture under that text. */
static int judge(struct init *in, const char *text, size_t n,
		 const struct played_sink *sink, struct err *e)
{
	struct scene *s = calloc(1, sizeof(*s));
	struct pol_file *f = NULL;
	int rc;

	if (!s)
		return err_set(e, E_NOMEM, 0, "out of memory");
	rc = compose(in, text, n, &f, s, e);
	/* Slots of spread are a matter of the meter, as live. */
	if (rc == 0)
		rc = played_run(s->set, s->state, &in->args, in->pcap, sink,
				NULL, e);
	scene_free(s);
	pol_file_free(f);
	free(s);
	return rc;
}

/* --- what it needs -------------------------------------------------------------- */

/* Everything, to anybody; what even this refuses no policy lets pass. */
static const char everything[] =
	"polc: 1\nkind: vendor\nid: %s\nserial: 1\ntitle: x\ncontact: x\n"
	"vm: %s\n"
	"parties:\n  all: {name: x, role: metering, address: [0.0.0.0/0, "
	"'::/0']}\n"
	"allow:\n"
	"  i: {direction: in, party: all, match: {any: {}}, limits: [%s]}\n"
	"  o: {direction: out, party: all, match: {any: {}}, purpose: x, "
	"consent: none, limits: [%s]}\n"
	"  j: {direction: in, party: all, match: {any: {}}, data: {%s}, "
	"limits: [%s]}\n"
	"  p: {direction: out, party: all, match: {any: {}}, purpose: x, "
	"consent: none, data: {%s}, limits: [%s]}\n";

static void on_needed(void *arg, uint64_t n, const struct event *ev)
{
	struct init *in = arg;

	(void)n;
	in->seen += ev->type == EV_DECISION;
	draft_event(&in->draft, ev);
}

static int gather(struct init *in, struct err *e)
{
	/* More than one a nanosecond, so that nothing is read too often. */
	static const char many[] = "2000000000 messages per 1 s, 60 GiB per "
				   "hour";
	const struct played_sink sink = {on_needed, in};
	char data[2048] = "granularity: 1 s or coarser, history: 36500 d, "
			  "measurement: [",
	     text[8192];
	size_t n = strlen(data);
	int k;

	for (unsigned i = 0; i < MEAS_COUNT; i++) {
		if (MEAS_BIT(i) & MEAS_ABOUT)
			continue;
		n += (size_t)snprintf(data + n, sizeof(data) - n, "%s%s",
				      data[n - 1] == '[' ? "" : ", ",
				      meas_name((enum meas)i));
	}
	snprintf(data + n, sizeof(data) - n, "]");
	k = snprintf(text, sizeof(text), everything, in->id, in->vm, many, many,
		     data, many, data, many);
	in->seen = 0;
	draft_reset(&in->draft);
	return judge(in, text, (size_t)k, &sink, e);
}

#define ROUNDS 8 /* in which names turn out to be no party's */

/* All that it needs; parties by the names that its name server gave, if
 * asked for. What that said is looked at when it is known who it is. */
static int gather_all(struct init *in, bool names, struct err *e)
{
	int rc = gather(in, e);

	if (rc || !names || in->draft.n_resolver != 1)
		goto out;
	in->dns.resolver = in->draft.resolver[0];
	in->args.dns = &in->dns;
	for (int i = 0; i < ROUNDS; i++) {
		rc = gather(in, e);
		draft_shared(&in->draft);
		if (rc || !in->draft.again)
			break;
	}
	in->args.dns = NULL;
	if (rc == 0 && in->draft.again)
		rc = gather(in, e);
out:
	draft_settle(&in->draft);
	return rc;
}

/* --- what the draft makes of it ------------------------------------------------ */

static void on_drafted(void *arg, uint64_t n, const struct event *ev)
{
	struct init *in = arg;

	if (n == 0)
		return;
	if (ev->type == EV_DECISION)
		in->permit += ev->verdict == VERDICT_ALLOW;
	else if (ev->verdict == VERDICT_DENY && ev->reason < REASON_COUNT)
		in->deny[ev->reason]++;
}

static int try_draft(struct init *in, struct draft_form *form, char **text,
		     size_t *n, struct err *e)
{
	const struct played_sink sink = {on_drafted, in};
	int rc = draft_write(&in->draft, form, text, n, e);

	in->permit = 0;
	memset(in->deny, 0, sizeof(in->deny));
	return rc ? rc : judge(in, *text, *n, &sink, e);
}

/* With room, where counts as they were are too tight: limits know nothing of
 * a message that was repeated, and windows begin at other moments. */
static int make_draft(struct init *in, char **text, size_t *n, struct err *e)
{
	struct draft_form form = {.id = in->id, .pcap = in->pcap_text,
				  .guest = in->guest,
				  .tls = true,
				  .keys = in->args.keys ? in->keys_text : NULL};
	struct diags *d = calloc(1, sizeof(*d));
	char *raw = NULL;
	int rc = d ? try_draft(in, &form, &raw, n, e)
		   : err_set(e, E_NOMEM, 0, "out of memory");

	/* A party was not where its name was. */
	if (rc == 0 && in->permit < in->seen && draft_by_name(&in->draft)) {
		free(raw);
		raw = NULL;
		rc = gather_all(in, false, e);
		if (rc == 0)
			rc = try_draft(in, &form, &raw, n, e);
	}
	/* Not every word with a party is within TLS. */
	if (rc == 0 && in->permit < in->seen) {
		free(raw);
		raw = NULL;
		form.tls = false;
		rc = try_draft(in, &form, &raw, n, e);
	}
	if (rc == 0 && in->permit < in->seen) {
		free(raw);
		raw = NULL;
		form.loose = true;
		rc = try_draft(in, &form, &raw, n, e);
	}
	form.permit = in->permit;
	form.deny = in->deny;
	form.partial = in->args.partial;
	free(raw);
	raw = NULL;
	if (rc == 0)
		rc = draft_write(&in->draft, &form, &raw, n, e);
	if (rc == 0)
		rc = pol_format(text, n, "draft", span_of(raw, *n), d, e);
	free(raw);
	free(d);
	return rc;
}

/* --- the command ------------------------------------------------------------------ */

static void print_json(const struct init *in, const char *text, size_t n)
{
	size_t cap = 8192 + 6 * n;
	char *buf = malloc(cap);
	struct json j = json_of(buf, buf ? cap : 0);
	char addr[NET_ADDR_TEXT];

	json_obj(&j, NULL);
	if (in->out)
		json_str(&j, "file", in->out);
	json_u64(&j, "parties", in->draft.n_party);
	json_u64(&j, "rules", in->draft.n_need);
	if (draft_by_name(&in->draft))
		json_str(&j, "resolver",
			 net_addr_text(addr, &in->draft.resolver[0]));
	else
		json_null(&j, "resolver");
	json_u64(&j, "permitted", in->permit);
	json_u64(&j, "needed", in->seen);
	json_obj(&j, "refused");
	for (unsigned r = 1; r < REASON_COUNT; r++) {
		if (in->deny[r])
			json_u64(&j, reason_text((enum reason)r), in->deny[r]);
	}
	json_obj_end(&j);
	json_bool(&j, "cut", in->draft.cut);
	json_u64(&j, "starred", in->draft.starred);
	if (!in->out)
		json_text(&j, "policy", span_of(text, n));
	json_obj_end(&j);
	if (json_line(&j))
		fwrite(j.w.p, 1, j.w.n, stdout);
	free(buf);
}

static int show(struct init *in, const char *text, size_t n, struct err *e)
{
	int rc = in->out ? replace_file(in->out, text, n, e) : 0;

	if (rc) {
		polc_say("%s", e->text);
		return POLC_IO;
	}
	if (in->json)
		print_json(in, text, n);
	else if (!in->out)
		fwrite(text, 1, n, stdout);
	if (in->permit >= in->seen)
		return POLC_OK;
	polc_say("init: the draft lets %llu of %llu observations pass that a "
		 "policy could let pass; see polc replay",
		 (unsigned long long)in->permit, (unsigned long long)in->seen);
	return POLC_ERRORS;
}

static int draft(struct init *in)
{
	struct err e = {0};
	char *text = NULL;
	size_t n = 0;
	int rc = gather_all(in, true, &e);

	if (rc == 0 && in->draft.n_need == 0) {
		polc_say("init: %s: nothing of %s in it that a policy could "
			 "let pass; see metergate-replay -g %s=%s",
			 in->pcap, in->vm, in->vm, in->guest);
		return POLC_ERRORS;
	}
	if (rc == 0)
		rc = make_draft(in, &text, &n, &e);
	if (rc == 0) {
		rc = show(in, text, n, &e);
		free(text);
		return rc;
	}
	if (in->diags.errors)
		polc_diags(stderr, &in->diags, &in->files,
			   in->json ? SAY_JSON : SAY_TEXT);
	else
		polc_say("init: %s", e.text);
	return e.code == E_NOTFOUND ? POLC_USAGE : POLC_IO;
}

/* The policy that the binding wants of the machine. */
static int read_binding(struct init *in)
{
	struct err e = {0};
	int rc;

	in->id = "example.draft";
	if (!in->binding)
		return 0;
	rc = pol_read_paths(&in->files, &in->binding, 1, &in->diags, &e);
	if (rc) {
		polc_diags(stderr, &in->diags, &in->files,
			   in->json ? SAY_JSON : SAY_TEXT);
		if (!in->diags.errors)
			polc_say("%s", e.text);
		return polc_exit(rc);
	}
	for (size_t i = 0; i < in->files.n; i++) {
		const struct pol_file *f = in->files.f[i];

		for (size_t k = 0; k < f->n_machine; k++) {
			if (strcmp(f->machine[k].id, in->vm) == 0)
				in->id = f->machine[k].policy;
		}
	}
	return 0;
}

/* A test names files relative to its own: beside a draft in this directory
 * as they were given, else from the root. */
static void name_file(char out[PATH_MAX], const char *path, const char *draft)
{
	if ((draft && strchr(draft, '/')) || !realpath(path, out)) {
		if (!realpath(path, out))
			snprintf(out, PATH_MAX, "%s", path);
		return;
	}
	snprintf(out, PATH_MAX, "%s", path);
}

static int parse(struct init *in, int argc, char **argv)
{
	const struct option_row options[] = {
		PLAYED_OPTIONS(&in->args),
		{"--from",    OPTION_TEXT, &in->pcap,    NULL},
		{"--binding", OPTION_TEXT, &in->binding, NULL},
		{"-o",        OPTION_TEXT, &in->out,     NULL},
		{"--json",    OPTION_FLAG, &in->json,    NULL},
	};
	int rc = options_read(&argc, argv, options, PLAYED_N + 4);

	if (rc)
		return rc;
	if (argc != 1)
		return polc_usage("init: unexpected %s", argv[1]);
	if (!in->pcap || in->args.n_guest != 1)
		return polc_usage("init: --from PCAP and one -g "
				  "GUEST=INTERFACE|MAC|CIDR are needed");
	in->vm = in->args.guest[0].name;
	snprintf(in->guest_text, sizeof(in->guest_text), "%s",
		 strchr(in->args.guest_text, '=') + 1);
	in->guest = in->guest_text;
	in->draft.vm = in->vm;
	name_file(in->pcap_text, in->pcap, in->out);
	if (in->args.keys)
		name_file(in->keys_text, in->args.keys, in->out);
	return 0;
}

int cmd_init(int argc, char **argv)
{
	struct init *in = calloc(1, sizeof(*in));
	int rc;

	if (!in) {
		polc_say("out of memory");
		return POLC_IO;
	}
	rc = parse(in, argc, argv);
	if (rc == 0)
		rc = read_binding(in);
	if (rc == 0)
		rc = draft(in);
	pol_files_free(&in->files);
	free(in);
	return rc;
}
