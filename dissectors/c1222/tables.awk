# SPDX-License-Identifier: Apache-2.0
#
# c1219_tables.csv -> rows of C for tables.c, sorted as the file is:
# {number, "NAME", types, fineness (255 = none), confirmed}
BEGIN { FS = ","; print "/* made from c1219_tables.csv */" }
NR == 1 { next }
{
	n = split($4, m, "+")
	set = ""
	for (i = 1; i <= n; i++) {
		id = toupper(m[i])
		gsub(/\./, "_", id)
		set = set (i > 1 ? " | " : "") "MEAS_BIT(MEAS_" id ")"
	}
	printf "{%d, \"%s\", %s, %s, %s},\n", $1, $2, set,
		$5 == "" ? 255 : $5, $6 == "yes" ? "true" : "false"
}
