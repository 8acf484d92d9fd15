/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does the machine register what is its own (c1222.md section 10)? A title is
 * its own when a registration was granted to it; before one was, when it calls
 * itself so and its policy gives the title to nobody else. An address is its
 * own when it is bound to it or the message comes from there.
 *
 * Only what leaves the machine is looked at: what others register with it is
 * a matter of rules.
 */
#include "dissectors/c1222/state.h"

static bool of_another(const struct message *x, struct span title)
{
	const struct dis_self *self = x->c->self;

	for (size_t i = 0; self && i < self->n_others; i++) {
		if (span_eq(self->others[i], title))
			return true;
	}
	return false;
}

static bool granted(const struct message *x, struct span title)
{
	const struct own *o = &x->m->own;

	for (uint32_t i = 0; i < o->n; i++) {
		if (title_is(&o->title[i], title))
			return true;
	}
	return false;
}

static const char *title_fault(const struct message *x, struct span title)
{
	bool named = acse_has(&x->acse, ACSE_CALLING);

	if (title.n == 0) /* none yet */
		return NULL;
	if (named && !span_eq(x->acse.calling, title))
		return "registers another title than it calls itself";
	if (of_another(x, title))
		return "registers the title of a party of its policy";
	if (x->m->own.n > 0)
		return granted(x, title) ? NULL
					 : "registers another title than was "
					   "granted to it";
	return named ? NULL : "registers a title, but does not call itself so";
}

/* The address in front of a native address; ports and protocols are free. */
static bool native_addr(struct span native, struct net_addr *a)
{
	struct cur c = cur_of(native);
	bool is4 = native.n < 16;
	struct span s = cur_take(&c, is4 ? 4 : 16);

	*a = (struct net_addr){
		{[10] = 0xff, [11] = 0xff}
        };
	if (s.n)
		memcpy(a->b + (is4 ? 12 : 0), s.p, s.n);
	return s.n > 0;
}

static const char *address_fault(const struct message *x, struct span native)
{
	const struct dis_self *self = x->c->self;
	struct net_addr a;

	if (native_addr(native, &a) &&
	    (memcmp(&a, &x->c->tup.src, sizeof(a)) == 0 ||
	     (self && self->has_addr(self->arg, &a))))
		return NULL;
	return "registers an address that is not its own";
}

/* Reading facts only, nobody may have said which end the machine is. */
static bool leaves(const struct message *x)
{
	return x->c->lenient || x->c->dir == DIR_OUT;
}

int own_check(struct message *x, const struct service_req *req,
	      struct obs *leaf)
{
	const char *fault;

	if (!leaves(x) ||
	    (req->code != SERVICE_REGISTER && req->code != SERVICE_DEREGISTER))
		return 0;
	fault = title_fault(x, obs_get_span(leaf, F_AP_TITLE));
	if (!fault && req->code == SERVICE_REGISTER)
		fault = address_fault(x, obs_get_span(leaf, F_NATIVE));
	if (!fault)
		return 0;
	if (!x->c->lenient)
		return err_reason(x->e, E_SYNTAX, REASON_SUSPICIOUS, 0, "%s",
				  fault);
	obs_u64(leaf, F_NOTE, REASON_SUSPICIOUS);
	return 0;
}

/* --- what was granted ------------------------------------------------------
 */

static struct own *stage_own(struct message *x)
{
	struct stage *st = &x->m->stage;

	if (!(st->flags & STAGE_OWN))
		st->own = x->m->own;
	st->flags |= STAGE_OWN;
	return &st->own;
}

static void forget(struct own *o, struct span title)
{
	for (uint32_t i = 0; i < o->n; i++) {
		if (!title_is(&o->title[i], title))
			continue;
		memmove(&o->title[i], &o->title[i + 1],
			(o->n - i - 1) * sizeof(o->title[0]));
		o->n--;
		return;
	}
}

static void add(struct own *o, struct span title)
{
	forget(o, title);
	if (o->n == OWN_MAX) /* the one granted longest ago */
		forget(o, title_span(&o->title[0]));
	title_set(&o->title[o->n++], title);
}

void own_service(struct message *x, const struct req *asked,
		 const struct service_req *req, const struct obs *leaf)
{
	if ((x->c->dir != DIR_IN && !x->c->lenient) ||
	    obs_get(leaf, F_RESULT, 1) != 0)
		return;
	if (req->code == SERVICE_REGISTER)
		add(stage_own(x), obs_get_span(leaf, F_AP_TITLE));
	else if (req->code == SERVICE_DEREGISTER)
		forget(stage_own(x), title_span(&asked->calling));
}

void own_settle(struct c1222_machine *m)
{
	if (m->stage.flags & STAGE_OWN)
		m->own = m->stage.own;
}
