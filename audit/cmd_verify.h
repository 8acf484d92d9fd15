/* SPDX-License-Identifier: Apache-2.0 */
/* metergate-audit verify: what was found, as text or as one object. */
#ifndef AUDIT_CMD_VERIFY_H
#define AUDIT_CMD_VERIFY_H

#include "audit/verify.h"

struct verified {
	const char *path;
	int rc; /* as verify_file's, and what it was compared with */
	const struct err *e;
	struct verify_result r;
	const struct points_conf *points;
	bool compared; /* with a TPM */
};

/* The finding is the answer, so it is on standard output; what could not be
 * read is no answer, and only the object has it there. */
void verified_text(const struct verified *v);
#define VERIFIED_MAX 65536
/* One line into room for so many octets; how many it takes. */
size_t verified_json(const struct verified *v, uint8_t *line, size_t cap);

#endif
