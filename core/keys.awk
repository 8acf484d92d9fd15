# SPDX-License-Identifier: Apache-2.0
#
# fields.def -> the facts' keys in JSON: the name with '_', and the unit where
# the key has two: {"granularity_s", 13},
/^X\(/ {
	split($0, q, "\"")
	key = q[2]
	gsub(/-/, "_", key)
	if (key == "granularity" || key == "span")
		key = key "_s"
	printf "{(const uint8_t *)\"%s\", %d},\n", key, length(key)
}
