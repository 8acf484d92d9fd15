/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever the text: look-ups stay inside it, and members of a valid value are
 * valid themselves. */
#include <assert.h>

#include "core/json_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_of(data, size), k, v;
	bool valid = json_valid(text);
	char buf[64];
	size_t at = 0, n = 0;
	int64_t number;

	while (json_next(text, &at, &k, &v)) {
		assert(v.n > 0 && v.p >= data && v.p + v.n <= data + size);
		assert(json_valid(v));
		assert(k.n == 0 || (k.p >= data && k.p + k.n <= data + size));
		if (json_string(buf, sizeof(buf), v))
			assert(strlen(buf) < sizeof(buf));
		if (json_int(v, &number))
			assert(!json_string(buf, sizeof(buf), v));
		n++;
	}
	assert(n <= size);
	if (valid && size && data[0] == '{')
		(void)json_get(text, "ok");
	return 0;
}
