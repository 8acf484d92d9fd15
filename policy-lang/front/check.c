/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/front/schema.h"

void check_file(struct rd *r)
{
	(void)r;
}
