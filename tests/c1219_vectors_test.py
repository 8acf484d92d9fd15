#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Turns the tables of tests/pcaps/meter_A_tables.json, images and values, into
tests/c1219_vectors.inc, which dissectors/c1222/tables_test.c compares with
what it decodes. With `write` it makes the file; else it says whether the file
is what it would make."""

import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.join(HERE, "pcaps", "meter_A_tables.json")
TARGET = os.path.join(HERE, "c1219_vectors.inc")

# Names of bits in SET and BIT FIELD values, as the source writes them.
BITS = {
    "ed_mode": {"METERING": 0, "TEST_MODE": 1, "METERSHOP": 2, "FACTORY": 3},
    "ed_std_status1": {"POWER_FAILURE_FLAG": 11},
    "reg_func1": {"SEASON_INFO_FIELD_FLAG": 0, "DATE_TIME_FIELD_FLAG": 1,
                  "DEMAND_RESET_CTR_FLAG": 2, "CUM_DEMAND_FLAG": 4},
    "lp_flags": {"BLK_END_READ_FLAG": 4, "BLK_END_PULSE_FLAG": 5,
                 "SIMPLE_INT_STATUS_FLAG": 11},
    "lp_fmats": {"INV_UINT8_FLAG": 0, "INV_UINT16_FLAG": 1},
}
TIMES = {"event_time", "clock_calendar", "blk_end_time"}


def row(name, value, i=-1, j=-1):
    return name, i, j, value


def plain(decoded):
    """Numbers, texts, bit names and lists, under their own names."""
    for name, v in decoded.items():
        if name in BITS:
            yield row(name, sum(1 << BITS[name][b] for b in v))
        elif isinstance(v, list):
            yield from (row(name, x, k) for k, x in enumerate(v))
        else:
            yield row(name, v)


def table_0(decoded):
    for name, v in decoded.items():
        values = v if isinstance(v, list) else [v]
        yield from (row(name, x) for x in values)


def table_3(decoded):
    status = bytes.fromhex(decoded["ed_mfg_status"])
    yield from plain({k: v for k, v in decoded.items()
                      if k != "ed_mfg_status"})
    yield from (row("ed_mfg_status", x, k) for k, x in enumerate(status))


def table_22(decoded):
    for name in ("summation_select", "demand_select"):
        yield from (row(name, x, k) for k, x in enumerate(decoded[name]))
    flags = bytes.fromhex(decoded["min_or_max_flags"])
    yield from (row("min_or_max_flags", k) for k in range(8 * len(flags))
                if flags[k // 8] >> (k % 8) & 1)


def table_23(decoded):
    yield row("nbr_demand_resets", decoded["nbr_demand_resets"])
    for b, block in enumerate([decoded["tot"]] + decoded["tiers"]):
        for k, x in enumerate(block["summations"]):
            yield row("summations", x, b, k)
        for k, demand in enumerate(block["demands"]):
            yield from (row(n, x, b, k) for n, x in demand.items())


def table_61(decoded):
    for name, i, j, v in plain(decoded):
        if name.endswith("_set1"):
            name, i = name[:-1], 0
        yield row(name, v, i, j)


def table_62(decoded):
    for k, channel in enumerate(decoded["lp_sel_set1"]):
        yield row("lp_sel_flags", channel["end_rdg_flag"], 0, k)
        yield row("lp_sel_source", channel["source"], 0, k)
    yield row("int_fmt_cde", decoded["int_fmt_cde1"], 0)


def table_63(decoded):
    yield row("lp_set_status_flags",
              decoded["order"] | decoded["active_mode_flag"] << 5, 0)
    for name, v in decoded.items():
        if name not in ("order", "active_mode_flag"):
            yield row(name, v, 0)


def table_64(decoded):
    for b, block in enumerate(decoded["blocks"]):
        yield row("blk_end_time", block["blk_end_time"], b)
        for k, x in enumerate(block["end_readings"]):
            yield row("end_readings", x, b, k)
        flat = [x for interval in block["intervals"] for x in interval]
        yield from (row("intervals", x, b, k) for k, x in enumerate(flat))


READERS = {0: table_0, 1: plain, 3: table_3, 5: plain, 21: plain,
           22: table_22, 23: table_23, 27: plain, 28: plain, 52: plain,
           61: table_61, 62: table_62, 63: table_63, 64: table_64}


def lines(tables):
    yield "/* SPDX-License-Identifier: Apache-2.0 */"
    yield "/* made from meter_A_tables.json by c1219_vectors_test.py */"
    yield "static const struct image {\n\tuint16_t table;\n" \
          "\tconst char *hex;\n} images[] = {"
    for number, t in tables.items():
        yield '\t{%s, "%s"},' % (number, t["hex"])
    yield "};"
    yield "static const struct vector {\n\tuint16_t table;\n" \
          "\tconst char *name;\n\tint32_t i, j;\n\tbool is_time;\n" \
          "\tint64_t v;\n\tconst char *text;\n} vectors[] = {"
    for number, reader in READERS.items():
        for name, i, j, v in reader(tables[str(number)]["decoded"]):
            text = isinstance(v, str)
            yield '\t{%d, "%s", %d, %d, %s, %d, %s},' % (
                number, name, i, j, "true" if name in TIMES else "false",
                0 if text else v, '"%s"' % v if text else "NULL")
    yield "};"


def main():
    with open(SOURCE) as f:
        text = "\n".join(lines(json.load(f)["tables"])) + "\n"
    if sys.argv[1:] == ["write"]:
        with open(TARGET, "w") as f:
            f.write(text)
        return 0
    with open(TARGET) as f:
        same = f.read() == text
    print("%s values of tables are those of the source" %
          ("ok" if same else "not ok"))
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
