/* SPDX-License-Identifier: Apache-2.0 */
/* Files, in a sandbox: what a process may open, by Landlock. */
#ifndef ENFORCER_DAEMON_SANDBOX_FILES_H
#define ENFORCER_DAEMON_SANDBOX_FILES_H

#include <linux/landlock.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/err.h"

#define FS(right)  LANDLOCK_ACCESS_FS_##right
#define FS_TRUNCATE (UINT64_C(1) << 14) /* since ABI 3 */

/* From here on the process named so opens nothing but what fs grants below dir
 * (NULL: nowhere). Where the kernel has no Landlock, one whose other rights
 * let it open (opens) is refused: E_UNSUPPORTED. */
int sandbox_files(const char *name, uint64_t fs, bool opens, const char *dir,
		  struct err *e) __attribute__((warn_unused_result));

#endif
