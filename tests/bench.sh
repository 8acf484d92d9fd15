#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Ratios, both sides measured in this run on this machine: metergate-replay
# against a bare pcap_next_ex loop and against tshark, over C12.22 and over
# small HTTP and oBIX transactions, there against ndpiReader and Suricata too
# where they are installed; policy evaluation with 10 and 250 rules, and with all
# that the language allows beside a bare hash lookup; the audit beside a bare
# sqlite loop and a bare SHA-256; memory of a small and a large replay. A table on stdout, JSON in build/bench/bench.json.
# Medians of RUNS (5) runs, spread beside.
#   SIZE_MB (200): size of the generated capture; TSHARK_MB (10): of the part
#   that tshark reads, since it is slow; MEMORY_MB ("100 1000"): the two sizes
#   whose peaks of memory are compared.
set -eu
cd "$(dirname "$0")/.."
BUILD=${BUILD:-build}
runs=${RUNS:-5} size=${SIZE_MB:-200} small=${TSHARK_MB:-10}
read -r less more <<<"${MEMORY_MB:-100 1000}"
work=$BUILD/bench
mkdir -p "$work"

echo "bench: making captures of $small, $less, $size and $more MB" >&2
for n in $small $less $size $more; do
	[ -s "$work/polling-$n.pcap" ] ||
		python3 tests/gen_polling.py --size "${n}M" --out "$work/polling-$n.pcap" >&2
done
for n in $small $size; do
	[ -s "$work/web-$n.pcap" ] ||
		python3 tests/gen_web.py --size "${n}M" --out "$work/web-$n.pcap" >&2
done
python3 tests/bench.py --build "$BUILD" --runs "$runs" \
	--big "$work/polling-$size.pcap" --small "$work/polling-$small.pcap" \
	--less "$work/polling-$less.pcap" --more "$work/polling-$more.pcap" \
	--web "$work/web-$size.pcap" --small-web "$work/web-$small.pcap" \
	--json "$work/bench.json"
