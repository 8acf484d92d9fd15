#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Writes docs/audit-record.md to standard output, from the tables of
# audit/record.h and audit/schema.h. `make docs` keeps it; a test compares.
set -u
cd "$(dirname "$0")/.." || exit 2

# The X(...) rows of one macro, one per line, without X( and )
rows() {
	awk -v name="#define $1(X)" '
		index($0, name) == 1 { on = 1; next }
		on && match($0, /X\(.*\)/) { print substr($0, RSTART + 2, RLENGTH - 3) }
		on && !/\\$/ { exit }' audit/record.h
}

cat <<'EOT'
<!-- SPDX-License-Identifier: Apache-2.0 -->
# The audit record and database

Made from `audit/record.h` and `audit/schema.h` by `make docs`; do not edit.

All numbers are unsigned, most significant octet first. A record is 56 fixed
octets and a body; it has exactly one encoding, and octets that are not the
encoding of what they say are refused. At most 4096 octets.

## Fixed part

| octet | length | field |
|---|---|---|
| 0 | 1 | version, 1 |
| 1 | 1 | kind |
| 2 | 2 | class and flags: 8000 protected (never pruned), 4000 synchronous, 2000 a text or fact was cut |
| 4 | 8 | sequence number: index of the leaf in the tree |
| 12 | 8 | monotonic clock, ns |
| 20 | 8 | wall clock, µs since 1970-01-01 UTC; 0 not set |
| 28 | 4 | boot number |
| 32 | 4 | sequence number of the policy set in force |
| 36 | 4 | rule: CRC-32C of `policy/rule` of the body; 0 none |
| 40 | 4 | subject: CRC-32C of the guest of the body; 0 none |
| 44 | 4 | action: 1 + number of the judged observation's kind; flows: 1 start, 2 end; else 0 |
| 48 | 8 | salt: first octets of HMAC-SHA-256(boot key, sequence number) |

Rule, subject and action repeat what the body says, for filters and indexes.

## Kinds

| number | name | meaning | written |
|---|---|---|---|
EOT
rows RECORD_KINDS | awk -F', ' '{
	gsub(/"/, ""); m = $6; for (i = 7; i <= NF; i++) m = m ", " $i
	print "| " $2 " | `" $4 "` | " m " | " ($5 == "true" ? "yes" : "not yet") " |" }'
cat <<'EOT'

Kinds that are not written yet are refused when read.

## Body

Elements: type (1 octet), length (2), value; types ascending, each at most
once, none empty. Types above the last of this table are kept as they are.

| type | name | longest | value |
|---|---|---|---|
EOT
rows RECORD_ELEMENTS | awk -F', ' '{
	m = $5; for (i = 6; i <= NF; i++) m = m ", " $i
	gsub(/"/, "", m); gsub(/_/, "-", $1)
	print "| " $3 " | `" $1 "` | " $4 " | " m " |" }'
cat <<'EOT'

*number*: 1 to 8 octets, as few as possible; absent when 0. In lists a number
or text is preceded by its length in one octet, and 0 is a number of no octets.

*Facts* of carrier and observation: the field's row in `core/fields.def`
(1 octet, the first row is 0), then length (1 octet) and value. Numbers as
above; signed numbers in zigzag form; notes as their reason's text; octets,
texts and object identifiers at most 255 octets. Kinds are rows of
`core/obs.def`. The facts `data`, `value-min`, `value-max` and `auth-value` are
never recorded: the log says what a transmission was about, not what it said.

## Tree and chain

- Leaf = SHA-256(00 ‖ record), node = SHA-256(01 ‖ left ‖ right), tree as in
  RFC 9162 section 2.1; the empty tree is SHA-256 of nothing.
- Bundle: up to 256 records, each behind its length (2 octets); begins at a
  multiple of 256. Chain: head = SHA-256(02 ‖ head before ‖ first index (8) ‖
  count (4) ‖ SHA-256(bundle)); before the first bundle 32 zero octets.
- Tile: 256 hashes, of leaves (level 0) or of full tiles of the level below.
- Frontier: one hash for each set bit of the size, largest subtree first.

## Checkpoints

A signed note (C2SP `signed-note`) whose text is a checkpoint (C2SP
`tlog-checkpoint`): origin, size, root, and no other lines.

- Signature types: 01 Ed25519, 02 ECDSA on P-256 with SHA-256, 04 cosignatures
  (C2SP `tlog-cosignature`). Lines of other types are passed over.
- The record before each checkpoint has the kind `checkpoint`; its element
  `chain` is the head over all records before it, a bundle that is not full
  included. Both are written by one transaction.
- `checkpoint.note` is the note as it was signed by the log, `cosigned` the
  lines of cosignatures that came later.

## Open counts

Table `tally`: several alike, counted so far, which a record will tell later.
`said` is the record that it would be if it were told now: kind `aggregate`,
its number that of the slot, salt zero, clocks of when counting began.

- Digest of a count = SHA-256(03 ‖ slot (8) ‖ `said`), of several =
  SHA-256(04 ‖ the digests of all, by slot); of none there is none.
- `state.tally` is the digest of those in `tally`.
- `checkpoint.open` of the last checkpoint is a list of those that were open at
  it, by slot: slot (8), length (2), `said`. The element `open` of the record
  before the checkpoint is the digest of these.
- What that list has is in `tally`, in the same slot, of the same boot and with
  the same first one, no fewer, no fewer octets and no earlier last one; or a
  record behind the checkpoint tells it, no fewer. The same are two whose
  elements but `detail`, `count`, `count_octets`, `first`, `last`, `last_tuple`
  and `last_flow` are equal.

## Tables

sqlite, WAL, `synchronous=FULL`, pages of 4096 octets of which the last 8 are
reserved, application id `6d674175`, user version 4. Bundles that were moved
out are in files beside, `PATH.seg-1` and so on (user version 1002, one table
`bundle(first, n, data, chain)`), which have their rows in `segment`; those of
pruned ones are gone, and only these rows, their roots and protected records
left, with `path`, the eight hashes from the record to its bundle's root.

```sql
EOT
awk '
	/^static const char \*const store_schema/ { on = 1; next }
	on && /^};/ { exit }
	!on || !/"/ { next }
	{
		s = $0; sub(/^[^"]*"/, "", s)
		last = s ~ /",$/
		sub(/",?$/, "", s)
		text = text s
		if (last) {
			if (text ~ /^CREATE TABLE/) print text ";"
			else trig[++n] = text
			text = ""
		}
	}
	END { print ""; for (i = 1; i <= n; i++) print trig[i] ";" }' audit/schema.h
cat <<'EOT'
```

## Seals

Tree and chain cover what the log says. Octets of the file that say nothing
(free pages, unused space, counters of headers) are covered by a seal at the
end of each page: with the page's octets as 1022 little-endian words w0, w1, …
and a = page number (the first is 1), b = the complement of its lower half
exclusive-or its upper half, for each pair: a += w(2i) + b, b += w(2i+1) + a,
modulo 2³²; a and b are stored little-endian. A page that differs in one word
never has the same seal. Whoever writes the file on purpose can make seals;
against that stand the tree and what others hold of it. A page of zeros that
was never written has none.
EOT
