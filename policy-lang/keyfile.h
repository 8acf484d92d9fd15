/* SPDX-License-Identifier: Apache-2.0 */
/* Private keys in files that nobody else reads, and public ones as text. */
#ifndef POLICY_LANG_KEYFILE_H
#define POLICY_LANG_KEYFILE_H

#include "crypto/sign.h"

#define KEY_TEXT (sizeof("ed25519:") + 2 * SIGN_KEY_LEN)

/* A new file of mode 0600; one that is there is never touched: E_EXISTS. */
int keyfile_write(const char *path, const struct sign_key *k, struct err *e)
	__attribute__((warn_unused_result));
/* E_STATE: others may read or write it. */
int keyfile_read(struct sign_key *k, const char *path, struct err *e)
	__attribute__((warn_unused_result));
/* "ed25519:" and 64 hex digits, as a binding has it. */
void key_text(char out[KEY_TEXT], const uint8_t key[SIGN_KEY_LEN]);
bool key_parse(uint8_t key[SIGN_KEY_LEN], const char *text);

#endif
