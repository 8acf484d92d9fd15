#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Which law notices what: small mistakes are put into a copy of the evaluator,
one at a time, and the laws are run over it. Prints a row for each mistake and
ends with how many no law noticed.

  tests/law_mutants.py [--cases N] [--only REGEX] [--jobs N] [--first]

Works in a folder of its own (METERGATE_MUTANTS, else a temporary one), which a
second run uses again. --first: the first law that notices is enough.
"""
import argparse
import filecmp
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
COPIED = ["core", "crypto", "policy-lang", "dissectors", "enforcer", "audit",
          "tests/rules.mk", "Makefile"]
LAWS = [  # the quick ones first
    ("second opinion", "policy-lang/laws_reference_test", 4),
    ("laws 3, 4, 5, 7, 12", "policy-lang/laws_test", 1),
    ("law 9", "policy-lang/laws_explain_test", 2),
    ("law 10", "policy-lang/laws_cost_test", 2),
    ("law 11", "policy-lang/laws_image_test", 1),
    ("law 6", "policy-lang/analysis/most_test", 0.2),
    ("law 6", "policy-lang/laws_bound_test", 1),
    ("law 8", "policy-lang/eval/history_test", 1),
    ("laws 1, 2", "policy-lang/laws_text_test", 0.2),
]

# what it is, file, before, after
E = "policy-lang/eval/"
MUTANTS = [
    ("granularity is not asked for", E + "guards.c",
     "if (ns < d->gran_lo)", "if (ns < -1)"),
    ("an unknown granularity passes", E + "guards.c",
     "\t\tns = -1;", "\t\tns = d->gran_lo;"),
    ("history twice as long", E + "guards.c",
     "if (s > d->history / NS_PER_S)", "if (s > 2 * (d->history / NS_PER_S))"),
    ("an unknown oldest value passes", E + "guards.c",
     "if (!known && !now)", "if (!known && now)"),
    ("delay off by a second", E + "guards.c",
     "(d->delay + NS_PER_S - 1) / NS_PER_S)", "d->delay / NS_PER_S - 1)"),
    ("ages by the other clock", E + "guards.c",
     "(older == (top > now) ? top : now)", "(older == (top > now) ? now : top)"),
    ("any step above the resolution", E + "guards.c",
     "step % (uint64_t)d->res_milli))", "step < (uint64_t)d->res_milli))"),
    ("values have no upper bound", E + "guards.c",
     "lo < d->value_lo || hi > d->value_hi)", "lo < d->value_lo)"),
    ("one channel more", E + "guards.c",
     "obs_get(leaf, F_CHANNELS, 0) > d->channels))",
     "obs_get(leaf, F_CHANNELS, 0) > d->channels + 1u))"),
    ("a refused consent counts as given", E + "guards.c",
     "a != CONSENT_REFUSED", "a != CONSENT_GRANTED"),
    ("a required state is forbidden", E + "guards.c",
     "if (g->requires_ >> k & 1 && !on)", "if (g->requires_ >> k & 1 && on)"),
    ("a forbidden state does not matter", E + "guards.c",
     "if (g->forbids >> k & 1 && on)", "if (g->forbids >> k & 2 && on)"),
    ("hours end later", E + "guards.c",
     "if (since < len &&", "if (since < len + 3600 &&"),
    ("days of the week shifted", E + "guards.c",
     "g->days >> day & 1", "g->days >> (day + 1) % 7 & 1"),
    ("an answer needs no request", E + "guards.c",
     "\t\telse\n\t\t\tfail_as(st, proto, REASON_NOT_AN_ANSWER, 0, 0);",
     "\t\telse\n\t\t\t(void)0;"),
    ("values of two leaves do not add up", E + "count.c",
     "q->amount += p->amount;", "q->amount = p->amount;"),
    ("restrictions hold for what comes in", E + "look.c",
     "\t\t\tif (sd->dir != DIR_OUT)\n\t\t\t\tcontinue;\n", ""),
    ("a block does not block", E + "look.c",
     "if (r->flags & LAY_RULE_BLOCK)", "if (r->flags & LAY_RULE_BLOCK && k->is_leaf && 0)"),
    ("a vendor's denials are forgotten", E + "look.c",
     "look_denials(st, side, (enum layer)l, k);",
     "if (l != LAYER_VENDOR)\n\t\t\tlook_denials(st, side, (enum layer)l, k);"),
    ("a baseline's denials are forgotten", E + "look.c",
     "look_denials(st, side, (enum layer)l, k);",
     "if (l != LAYER_BASE)\n\t\t\tlook_denials(st, side, (enum layer)l, k);"),
    ("ceilings have no hours", E + "look.c",
     "if (r->guard != LAY_NONE)\n\t\tguard_when(",
     "if (r->guard != LAY_NONE && l == LAYER_VENDOR)\n\t\tguard_when("),
    ("limits of ceilings are not charged", E + "look.c",
     "\tpend_rule(st, side, l, r, k->m, k->o, k->meas, f.monitored);",
     "\tif (l == LAYER_VENDOR)\n\t\tpend_rule(st, side, l, r, k->m, k->o, k->meas, f.monitored);"),
    ("one of several types is enough", E + "match.c",
     "if (granted >> m & 1)\n\t\t\t\tall[w] &= row[w];",
     "if (granted >> m & 1)\n\t\t\t\tall[w] |= row[w];"),
    ("the start of a range belongs to the one before", E + "match.c",
     "if (x < v[mid])", "if (x <= v[mid])"),
    ("a star crosses slashes", E + "match.c",
     "return c == '/' ? a->slash : a->other;", "return a->other;"),
    ("one more in a calendar window", E + "limits.c",
     "st->w[at + 1] > l->n - amount)", "st->w[at + 1] > l->n)"),
    ("one more in a sliding window", E + "limits.c",
     "if (amount <= l->n && sum <= l->n - amount)",
     "if (amount <= l->n && sum <= l->n)"),
    ("half the spacing", E + "limits.c",
     "since < l->window_ns)", "since < l->window_ns / 2)"),
    ("a bucket overflows by one", E + "limits.c",
     "if (amount > l->burst || ahead + need > room)",
     "if (amount > l->burst || ahead > room)"),
    ("a bucket is told too short a wait", E + "limits.c",
     "*wait = amount > l->burst || over > INT64_MAX ? -1\n"
     "\t\t\t\t\t\t\t      : (int64_t)over;",
     "*wait = (int64_t)(over / 2);"),
    ("what is different is not told apart", E + "limits.c",
     "if (st->w[w] == hash)", "if (st->w[w] != 0)"),
    ("a window once left is entered again", E + "windows.c",
     "if (no <= was && st->trusted)", "if (no == was && st->trusted)"),
    ("weeks begin on Tuesday", E + "windows.c",
     "floor_div(floor_div(s, DAY_S) + 3, 7)",
     "floor_div(floor_div(s, DAY_S) + 2, 7)"),
    ("an undone word stays", E + "state.c",
     "st->w[u->at] = u->was;", "if (live->n_undo > mark + 1)\n\t\t\tst->w[u->at] = u->was;"),
    ("a state is not cleared", E + "state.c",
     "st_put_final(st, state_word(st, m, party, state), 0);", "(void)0;"),
    ("states last twice as long", E + "state.c",
     "(st->now.mono.ns + s->expires);", "(st->now.mono.ns + 2 * s->expires);"),
    ("a refused message charges", E + "judge.c",
     "\tif (judge_blocked(st)) {\n\t\tst_undo(st, mark);",
     "\tif (judge_blocked(st)) {\n\t\t(void)mark;"),
    ("the other machine is not asked", E + "judge.c",
     "if (other < 0 || (size_t)other == m || st->one_sided)",
     "if (other != -7)"),
    ("quarantine does not hold", E + "judge.c",
     "if (st_builtin(st, m, BUILTIN_QUARANTINED)) {",
     "if (st_builtin(st, m, BUILTIN_QUARANTINED) && !st->fresh) {"),
    ("a request is answered twice", E + "answers.c",
     "st->w[at + AN_FLAGS] | FL_USED", "st->w[at + AN_FLAGS]"),
    ("a new spacing knows no last one", E + "ledger_fill.c",
     "w[0] = s.last;\n\t\tw[1] = 1;", "w[0] = s.last;\n\t\tw[1] = 0;"),
    ("a new calendar window is empty", E + "ledger_fill.c",
     "w[1] = used < l->n ? used : l->n;", "w[1] = used < l->n ? 0 : l->n;"),
    ("the ledger forgets what a bucket holds", E + "ledger_house.c",
     "? ledger_bucket_since(st, i)", "? now"),
    ("a message counts with each of its units", E + "course.c",
     "\t\t\treturn !reads || now", "\t\t\treturn reads && now"),
    ("readings go on as one for two hours", E + "course.c",
     "c->at[i] < COURSE_NS;", "c->at[i] < 2 * COURSE_NS;"),
    ("what begins under another rule never counts", E + "count.c",
     "if (!course_counted(st, sd, m, key, (*meas & of & ~MEAS_ABOUT) != 0)) {",
     "if (!course_counted(st, sd, m, key, (*meas & of & ~MEAS_ABOUT) != 0) &&\n"
     "\t    !m->message) {"),
    ("all messages of a connection are one", E + "course.c",
     "\t\tif (!goes_on) {", "\t\tif (!goes_on && c->n == COURSE_BY) {"),
    ("a snapshot in a later unit is no reading", E + "count.c",
     "return meas & ~(obs_get(m->message, F_CARRIED, 0) &\n"
     "\t\t       ~meas_moments(MEAS_ALL));",
     "return meas & ~obs_get(m->message, F_CARRIED, 0);"),
    ("a type that begins late is no reading", E + "count.c",
     "*meas = look_new_types(m, *meas);",
     "*meas = meas_moments(look_new_types(m, *meas));"),
    ("what says something may be the rest of a message", E + "look.c",
     "\t    !obs_has(k->o, F_CONTINUES) || k->meas)", "\t    k->meas > 1)"),
    ("messages of two leaves are two", E + "count.c",
     "else if (q->amount < p->amount)\n\t\t\tq->amount = p->amount;",
     "else\n\t\t\tq->amount += p->amount;"),
    ("a calendar window takes two for one", E + "limits.c",
     "st_put(st, at + 1, st->w[at + 1] + amount);",
     "st_put(st, at + 1, st->w[at + 1] + 2 * amount);"),
    ("a sliding window takes two for one", E + "limits.c",
     "st_put(st, at + 1, sum + amount);",
     "st_put(st, at + 1, sum + 2 * amount);"),
    ("a sliding window begins late", E + "limits.c",
     "*oldest = floor_div(now - l->window_ns, s);",
     "*oldest = floor_div(now - l->window_ns, s) + 1;"),
    ("a bucket holds one less", E + "limits.c",
     "u128 room = burst_ns(l);", "u128 room = burst_ns(l) - 1;"),
    ("a bucket drains at half its rate", E + "limits.c",
     "u128 need = units_ns(l, amount);",
     "u128 need = 2 * units_ns(l, amount);"),
    ("a second more of spacing", E + "limits.c",
     "since < l->window_ns)", "since < l->window_ns + NS_PER_S)"),
    ("what is the same is told apart", E + "limits.c",
     "if (st->w[w] == hash)", "if (st->w[w] == hash && !l->n)"),
    ("a connection takes two places", E + "limits.c",
     "return true; /* it has one */", "continue;"),
    ("a connection that is closed keeps its place", E + "limits.c",
     "st_put_final(st, at + i, 0);", "(void)st;"),
    ("a connection without room for one rule is shut", E + "flow.c",
     "\t\troom |= rule_connections(", "\t\troom = rule_connections("),
    ("octets count with the message and with its packets", E + "count.c",
     "p.check_only = sl->check_only;", "p.check_only = false;"),
    ("parties count together", E + "set.c",
     "l->l->each & LAY_EACH_PARTY && layer != LAYER_CUSTOMER;", "false;"),
    ("parties of one operator count apart", E + "set.c",
     "l->by_group = l->by_party && layer == LAYER_BASE && !l->by_vm;",
     "l->by_group = false;"),
    ("machines count together", E + "set.c",
     "l->by_vm = layer != LAYER_VENDOR && l->l->each & LAY_EACH_VM;",
     "l->by_vm = false;"),
    ("measurements count together", E + "set.c",
     "l->by_meas = l->l->each & LAY_EACH_MEAS;", "l->by_meas = false;"),
    ("ports do not matter", E + "party.c",
     "if (other < 0 && !port_fits(m->vendor, p, peer))", "if (other < -1)"),
    ("a header with a wrong checksum is taken", "policy-lang/image/load.c",
     "if (crc != h->crc)", "if (crc == h->crc + 1)"),
    ("rows of bits beyond those that there are",
     "policy-lang/image/load_rows.c", "if (!in(d->first, d->n_rows, rows) ||",
     "if ((d->first > rows && !rows) ||"),
    ("what comes in has the bits of what goes out",
     "policy-lang/image/dims.c", "(c->dir == DIRSEL_OUT) == (v == DIR_OUT)",
     "v < 2"),
    ("a grant that is full may be used all the same", E + "look.c",
     "\tshut(st, side, l, k, &f);", "\t(void)shut;"),
    ("bounds forget the edge of a window", "policy-lang/eval/most.c",
     "return up(ns, MOST_DAY_NS) + 1;", "return up(ns, MOST_DAY_NS);"),
    ("new values of one quantity pass for those of all",
     "policy-lang/analysis/bound_flow.c",
     "uint64_t channels = f->channels ? f->channels : 1, each = channels;",
     "uint64_t channels = 1, each = channels;"),
]


def run(args, **kw):
    return subprocess.run(args, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, **kw)


def copy_other(at, to):
    """What is the same stays, with the time of its last mistake: it is built
    again."""
    if not os.path.exists(to) or not filecmp.cmp(at, to, shallow=False):
        shutil.copy(at, to)


def copy_to(folder):
    for name in COPIED:
        at, to = os.path.join(ROOT, name), os.path.join(folder, name)
        os.makedirs(os.path.dirname(to), exist_ok=True)
        if os.path.isdir(at):
            shutil.copytree(at, to, dirs_exist_ok=True,
                            copy_function=copy_other)
        else:
            copy_other(at, to)


def build(folder, jobs, law):
    """True if it compiles."""
    binary = os.path.join("build", "test", law[1])
    done = run(["make", "-s", "-j%d" % jobs, "BUILD=build",
                "OPT_release=-O1", "WARN=-w", binary], cwd=folder)
    return done.returncode == 0, done.stdout.decode(errors="replace")


def notices(folder, law, cases):
    """What the law says: its name and the seed, or None."""
    env = dict(os.environ, LAW_CASES=str(max(300, int(cases * law[2]))))
    try:
        done = run([os.path.join("build", "test", law[1])], cwd=folder,
                   env=env, timeout=600)
    except subprocess.TimeoutExpired:
        return "no end"
    if done.returncode == 0:
        return None
    text = done.stdout.decode(errors="replace")
    found = (re.findall(r"ERROR: (law \d+|second opinion)", text) +
             re.findall(r"# (law \d+|second opinion): signal", text))
    return ", ".join(dict.fromkeys(found)) or law[0] + " (a fixed case)"


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--cases", type=int, default=2000)
    ap.add_argument("--only", default="")
    ap.add_argument("--jobs", type=int, default=2)
    ap.add_argument("--first", action="store_true",
                    help="the first law that notices is enough")
    args = ap.parse_args()
    folder = os.environ.get("METERGATE_MUTANTS") or tempfile.mkdtemp()
    copy_to(folder)
    unseen, n, wrong = [], 0, 0
    # A law that breaks by itself would notice everything.
    for law in LAWS:
        fine, text = build(folder, args.jobs, law)
        said = notices(folder, law, args.cases) if fine else text[-600:]
        if said:
            print("not ok: without any mistake: %s" % said, flush=True)
            return 1
    for what, name, before, after in MUTANTS:
        if not re.search(args.only, what):
            continue
        path = os.path.join(folder, name)
        with open(path) as f:
            source = f.read()
        if source.count(before) != 1:
            print("not ok %s: %s has %d such lines, not 1"
                  % (what, name, source.count(before)), flush=True)
            wrong += 1
            continue
        with open(path, "w") as f:
            f.write(source.replace(before, after, 1))
        n += 1
        seen = []
        for law in LAWS:
            fine, text = build(folder, args.jobs, law)
            if not fine:
                print("not ok %s: it does not compile\n%s"
                      % (what, text[-600:]), flush=True)
                wrong += 1
                break
            said = notices(folder, law, args.cases)
            if said:
                seen.append(said)
                if args.first:
                    break
        with open(path, "w") as f:
            f.write(source)
        print("%-48s %s" % (what, ", ".join(seen) or "-"), flush=True)
        if not seen:
            unseen.append(what)
    print("# %d mutants, %d noticed by no law" % (n, len(unseen)))
    if not os.environ.get("METERGATE_MUTANTS"):
        shutil.rmtree(folder)
    return 1 if unseen or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
