/* SPDX-License-Identifier: Apache-2.0 */
/* Standard procedures: ST-7 starts one, ST-8 holds its result (c1219.md 4). */
#include "dissectors/c1222/layout.h"
#include "dissectors/c1222/tables.h"

#define PROC_NUMBER   0x07ff
#define PROC_MFG      0x0800
#define PROC_STD_LAST 32
#define PROC_MFG_SURE 256 /* when the octet order has to be told by value */

static const char *const names[PROC_STD_LAST + 1] = {
	"cold-start",
	"warm-start",
	"save-configuration",
	"clear-data",
	"reset-list-pointers",
	"update-last-read-entry",
	"change-end-device-mode",
	"clear-standard-status-flags",
	"clear-manufacturer-status-flags",
	"remote-reset",
	"set-date-and-time",
	"diagnostics",
	"activate-all-pending-tables",
	"activate-specific-pending-tables",
	"clear-all-pending-tables",
	"clear-specific-pending-tables",
	"start-load-profile",
	"stop-load-profile",
	"log-in",
	"log-out",
	"immediate-call",
	"direct-load-control",
	"modify-credit",
	"register",
	"deregister",
	"network-interface-control",
	"exception-report",
	"clear-pending-call-status",
	"start-quality-of-service-monitors",
	"stop-quality-of-service-monitors",
	"start-secured-registers",
	"stop-secured-registers",
	"set-precision-date-and-time",
};

const char *c1219_proc_name(uint16_t id)
{
	return id <= PROC_STD_LAST ? names[id] : NULL;
}

/* A number that may be believed without knowing the octet order. */
static bool plausible(uint16_t word)
{
	uint16_t n = word & PROC_NUMBER;

	return word & PROC_MFG ? n < PROC_MFG_SURE : n <= PROC_STD_LAST;
}

/* TABLE_IDB: bits 0..10 number, 11 manufacturer, 12..15 selector. */
static int read_id(const struct c1219_shape *s, struct cur *c,
		   struct c1219_proc *out, struct err *e)
{
	struct span b = cur_take(c, 2);
	uint16_t le, be, word;
	struct cur t = cur_of(b);

	if (!cur_ok(c))
		return err_set(e, E_SYNTAX, c->off, "procedure id cut short");
	be = (uint16_t)cur_be(&t, 2);
	t = cur_of(b);
	le = (uint16_t)cur_le(&t, 2);
	if (shape_has(s, HAS_ST0))
		word = s->msb_first ? be : le;
	else if (be == le || plausible(le) != plausible(be))
		word = plausible(le) ? le : be;
	else
		return err_set(e, E_SYNTAX, 0,
			       "octet order of the procedure id not known");
	if (!shape_has(s, HAS_ST0) && !plausible(word))
		return err_set(e, E_SYNTAX, 0, "no such procedure");
	out->id = word & (PROC_NUMBER | PROC_MFG);
	out->selector = (uint8_t)(word >> 12);
	return 0;
}

int c1219_proc_request(const struct c1219_shape *s, struct span data,
		       struct c1219_proc *out, struct err *e)
{
	struct cur c = cur_of(data);
	int rc;

	memset(out, 0, sizeof(*out));
	rc = read_id(s, &c, out, e);
	if (rc)
		return rc;
	out->seq = cur_u8(&c);
	out->params = cur_rest(&c);
	if (!cur_ok(&c))
		return err_set(e, E_SYNTAX, c.off, "no sequence number");
	if (out->selector > 3)
		return err_set(e, E_SYNTAX, 0, "reserved selector");
	return 0;
}

int c1219_proc_response(const struct c1219_shape *s, struct span data,
			struct c1219_proc *out, struct err *e)
{
	struct cur c = cur_of(data);
	int rc;

	memset(out, 0, sizeof(*out));
	rc = read_id(s, &c, out, e);
	if (rc)
		return rc;
	out->seq = cur_u8(&c);
	out->result = cur_u8(&c);
	out->params = cur_rest(&c);
	if (!cur_ok(&c))
		return err_set(e, E_SYNTAX, c.off, "no result");
	return 0;
}
