/* SPDX-License-Identifier: Apache-2.0 */
/* Private keys in files that nobody else reads. */
#ifndef POLICY_LANG_KEYFILE_H
#define POLICY_LANG_KEYFILE_H

#include "crypto/sign.h"

/* A new file of mode 0600; one that is there is never touched: E_EXISTS. */
int keyfile_write(const char *path, const struct sign_key *k, struct err *e)
	__attribute__((warn_unused_result));
/* E_STATE: others may read or write it. */
int keyfile_read(struct sign_key *k, const char *path, struct err *e)
	__attribute__((warn_unused_result));

#endif
