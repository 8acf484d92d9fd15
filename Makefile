# SPDX-License-Identifier: Apache-2.0
#
# The build; tests/rules.mk has what is built for tests, fuzzing and benchmarks.
# Targets for people: all, check, demo, bench, fuzz-smoke, soak, install, setup,
# clean; `make help` lists them.
#
# Every folder of section "archives" is one archive made of its *.c files;
# x_test.c and x_fuzz.c beside them are programs of their own; files named in
# PROG_SRCS are programs' own files. Adding a source file needs no edit here.

MODE ?= release
MODES := release debug asan ubsan fuzz coverage
ifeq ($(filter $(MODE),$(MODES)),)
$(error MODE=$(MODE): no such mode; one of $(MODES))
endif
ifeq ($(MODE),release)
BUILD ?= build
else
BUILD ?= build/$(MODE)
endif
PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man
# Policies to start from; nothing reads them there.
POLICYDIR ?= $(PREFIX)/share/metergate/policies
COMPLETIONDIR ?= $(PREFIX)/share/bash-completion/completions
VERSION := 0.1.0

# --- modes -------------------------------------------------------------------
CC_release  ?= gcc
CC_debug    ?= gcc
CC_asan     ?= clang
CC_ubsan    ?= clang
CC_fuzz     ?= clang
CC_coverage ?= gcc
ifeq ($(origin CC),default)
CC := $(CC_$(MODE))
endif
# Programs and benchmarks are linked across folders (-flto), some 20 s each; tests
# are not: they link fast from the same objects. The driver never gets both
# options: of -fno-lto followed by -flto the first wins when it links.
OPT_release  := -O2 -g
ifeq ($(findstring clang,$(CC)),)
OPT_release += -flto -ffat-lto-objects
# For x86-64 at large it copies and clears a few dozen octets by `rep movsq`, which
# takes longer to begin than they do.
ifneq ($(filter x86_64-%,$(shell $(CC) -dumpmachine)),)
STRINGS := unrolled_loop:128:noalign,libcall:-1:noalign
OPT_release += -mmemcpy-strategy=$(STRINGS) -mmemset-strategy=$(STRINGS)
endif
endif
# What reads octets one by one is the most of an engine's time.
$(BUILD)/obj/dissectors/%.o: OPT_release += -O3
OPT_debug    := -O0 -g3 -DCOUNT_COST
OPT_asan     := -O1 -g -DCOUNT_COST -fsanitize=address -fno-omit-frame-pointer
OPT_ubsan    := -O1 -g -fsanitize=undefined -fno-sanitize-recover=undefined
OPT_fuzz     := -O1 -g -fsanitize=fuzzer-no-link,address,undefined \
		-fno-sanitize-recover=undefined -fno-omit-frame-pointer
OPT_coverage := -O0 -g --coverage
LD_asan      := -fsanitize=address
LD_ubsan     := -fsanitize=undefined
LD_fuzz      := -fsanitize=address,undefined
LD_coverage  := --coverage
ifeq ($(findstring clang,$(CC)),)
LDTEST_release := -fno-lto
LDPROG_release ?= -O2 -flto=auto
endif

WARN := -Wall -Wextra -Wconversion -Wshadow -Wmissing-prototypes -Wcast-qual \
	-Wvla -Werror
# Assertions stay on in every mode.
CPPFLAGS += -D_GNU_SOURCE -I. -I$(BUILD)/gen -DMETERGATE_VERSION='"$(VERSION)"'
CFLAGS   += -std=c17 $(OPT_$(MODE)) $(WARN) -fstack-protector-strong
LDFLAGS  += $(LD_$(MODE)) -Wl,--as-needed

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' '$(1)' '$(patsubst $(BUILD)/%,%,$@)')

# --- archives: folder, and what each may link against (style: layers) --------
ARCHIVES := core crypto dissect image eval analysis front pipeline audit attest \
	capture daemon
DIR_core     := core
DIR_crypto   := crypto
DIR_dissect  := dissectors dissectors/c1222 dissectors/http dissectors/net \
	dissectors/obix dissectors/tls
DIR_image    := policy-lang/image
DIR_eval     := policy-lang/eval
DIR_analysis := policy-lang/analysis
DIR_front    := policy-lang/front
DIR_pipeline := enforcer/pipeline
DIR_audit    := audit
DIR_attest   := attest
DIR_capture  :=
DIR_daemon   := enforcer/daemon
# Files of enforcer/ and audit/ that are in an archive or in a program.
SRC_capture  := $(wildcard enforcer/capture*.c)

NEED_core     := core
NEED_crypto   := crypto core
NEED_dissect  := dissect crypto core
NEED_image    := image crypto core
NEED_eval     := eval image crypto core
NEED_analysis := analysis eval image crypto core
NEED_front    := front image crypto core
NEED_pipeline := pipeline eval image dissect crypto core
NEED_audit    := audit crypto core
NEED_attest   := attest crypto core
NEED_capture  := capture front pipeline eval image dissect crypto core
NEED_daemon   := daemon capture pipeline audit attest front analysis eval image dissect \
	crypto core
NEED_enforcer := capture pipeline audit front analysis eval image dissect crypto core
NEED_policy-lang := capture pipeline audit front analysis eval image dissect crypto core

# Third-party libraries, linked as needed.
LIBS_core     :=
LIBS_crypto   := -lcrypto
LIBS_dissect  := -lexpat -lz
LIBS_front    := -lyaml
LIBS_audit    := -lsqlite3
LIBS_attest   := -ltss2-esys -ltss2-rc -ltss2-sys
LIBS_pipeline :=
LIBS_capture  := -lpcap
LIBS_daemon   := -lnetfilter_queue -lmnl -lnfnetlink -lseccomp -lmicrohttpd
libs_of = $(sort $(foreach a,$(1),$(LIBS_$(a)))) -lm -lpthread

# --- programs: their own files ------------------------------------------------
PROGS := polc metergate-replay metergate-audit
PROGS += $(if $(wildcard enforcer/daemon/main.c),metergated)
PROGS += $(if $(wildcard enforcer/ctl/*.c),metergatectl)
PROG_SRCS_polc             := $(wildcard policy-lang/*.c)
PROG_SRCS_metergate-replay := enforcer/replay.c $(wildcard enforcer/replay_*.c)
PROG_SRCS_metergate-audit  := audit/verify_main.c $(wildcard audit/cmd_*.c) \
	enforcer/ctl/client.c
PROG_SRCS_metergated       := enforcer/daemon/main.c
PROG_SRCS_metergatectl     := $(wildcard enforcer/ctl/*.c)
NEED_polc             := $(NEED_policy-lang)
NEED_metergate-replay := $(NEED_enforcer)
NEED_metergate-audit  := audit attest crypto core
NEED_metergated       := $(NEED_daemon)
NEED_metergatectl     := core
ALL_PROG_SRCS := $(foreach p,$(PROGS),$(PROG_SRCS_$(p)))

tests_and_fuzz := %_test.c %_fuzz.c
$(foreach a,$(ARCHIVES),$(eval SRCS_$(a) := $(filter-out $(tests_and_fuzz) \
	$(ALL_PROG_SRCS),$(SRC_$(a)) $(foreach d,$(DIR_$(a)),$(wildcard $(d)/*.c)))))
$(foreach p,$(PROGS),$(eval PROG_SRCS_$(p) := $(filter-out $(tests_and_fuzz),$(PROG_SRCS_$(p)))))
# `polc test` is a command, not a test of one.
PROG_SRCS_polc += policy-lang/cmd_test.c

lib_of = $(BUILD)/lib/lib$(1).a
libs_for = $(foreach a,$(1),$(call lib_of,$(a)))
obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

.PHONY: all
all: $(addprefix $(BUILD)/bin/,$(PROGS))

include tests/rules.mk

# --- for people -----------------------------------------------------------------
JOBS := $(shell nproc 2>/dev/null || echo 2)
MANS := policy-lang/polc.1 policy-lang/metergate-policy.5 \
	enforcer/metergate-replay.1 audit/metergate-audit.1 \
	enforcer/metergated.8 enforcer/metergated.conf.5 enforcer/metergatectl.8

.PHONY: help setup check check-fast demo bench fuzz-smoke soak laws-long \
	law-mutants install clean docs
help:
	@echo 'make             build everything into build/bin (MODE=$(MODE))'
	@echo 'make check       every test: unit, golden, layers, bad input, sanitizers, fuzz'
	@echo 'make check-fast  the same without sanitizers and fuzzing'
	@echo 'make demo        captures in, decisions out; then live, in network namespaces'
	@echo 'make bench       ratios against a bare libpcap loop, tshark and, live, an accept-all queue'
	@echo 'make fuzz-smoke  each fuzz target for FUZZ_SECONDS (20)'
	@echo 'make soak        the long forms: fuzzing for 30 CPU-minutes a target, 1 GB replays, live'
	@echo 'make laws-long   a million cases of every law of the language (a part of soak)'
	@echo 'make law-mutants which law notices which mistake in the evaluator'
	@echo 'make docs        write the generated documents again'
	@echo 'make install     into DESTDIR and PREFIX ($(PREFIX))'
	@echo 'make MODE=...    release debug asan ubsan fuzz coverage'

setup:
	@tests/setup.sh check

# Setup may install the compiler, so what needs it is made by a second make.
check: setup
	@$(MAKE) --no-print-directory -j$(JOBS) all unit-bins fuzz-bins
	@$(MAKE) --no-print-directory MODE=asan -j$(JOBS) unit-bins
	@$(MAKE) --no-print-directory MODE=fuzz -j$(JOBS) fuzz-bins
	@BUILD=$(BUILD) FUZZ_SECONDS=$${FUZZ_SECONDS:-5} tests/check.sh \
		$(TEST_BINS) $(SCRIPT_TESTS) $(patsubst $(BUILD)/%,build/asan/%,$(TEST_BINS)) \
		tests/fuzz_smoke.sh

check-fast: setup
	@$(MAKE) --no-print-directory -j$(JOBS) all unit-bins fuzz-bins
	@BUILD=$(BUILD) tests/check.sh $(TEST_BINS) $(SCRIPT_TESTS)

demo: setup
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@BUILD=$(BUILD) demo/replay.sh
	@BUILD=$(BUILD) demo/live.py

bench: setup
	@$(MAKE) --no-print-directory -j$(JOBS) all bench-bins
	@BUILD=$(BUILD) tests/bench.sh
	@tests/bench/live.py --build $(BUILD) --json $(BUILD)/bench/live.json

fuzz-smoke: setup
	@$(MAKE) --no-print-directory MODE=fuzz -j$(JOBS) fuzz-bins
	@BUILD=$(BUILD) tests/fuzz_smoke.sh

soak: setup
	@$(MAKE) --no-print-directory -j$(JOBS) all bench-bins
	@$(MAKE) --no-print-directory MODE=fuzz -j$(JOBS) fuzz-bins
	@BUILD=$(BUILD) FUZZ_SEED=0 FUZZ_SECONDS=120 FUZZ_CPU_SECONDS=1800 \
		tests/fuzz_smoke.sh
	@BUILD=$(BUILD) tests/memory_test.sh 100 1000
	@$(MAKE) --no-print-directory -j$(JOBS) unit-bins
	@METERGATE_YEAR=1 $(BUILD)/test/audit/room_test
	@METERGATE_CUTS=1000 $(BUILD)/test/audit/power_test
	@BUILD=$(abspath $(BUILD)) tests/e2e/soak.sh
	@BUILD=$(BUILD) tests/laws_long.sh

laws-long: setup
	@$(MAKE) --no-print-directory -j$(JOBS) unit-bins
	@BUILD=$(BUILD) tests/laws_long.sh

law-mutants: setup
	@tests/law_mutants.py

docs:
	@tests/docs.sh write

install: all
	install -d $(DESTDIR)$(BINDIR) $(addprefix $(DESTDIR)$(MANDIR)/,man1 man5 man8)
	install -m 755 $(addprefix $(BUILD)/bin/,$(PROGS)) $(DESTDIR)$(BINDIR)
	install -m 644 $(filter %.1,$(MANS)) $(DESTDIR)$(MANDIR)/man1
	install -m 644 $(filter %.5,$(MANS)) $(DESTDIR)$(MANDIR)/man5
	install -m 644 $(filter %.8,$(MANS)) $(DESTDIR)$(MANDIR)/man8
	install -d $(DESTDIR)$(COMPLETIONDIR)
	for p in $(PROGS); do \
		install -m 644 completion/metergate.bash "$(DESTDIR)$(COMPLETIONDIR)/$$p" || exit 1; \
	done
	install -d $(addprefix $(DESTDIR)$(POLICYDIR)/,. $(notdir $(patsubst %/,%,$(wildcard policies/*/))))
	for f in policies/*.* policies/*/*.yaml; do \
		install -m 644 "$$f" "$(DESTDIR)$(POLICYDIR)/$${f#policies/}" || exit 1; \
	done

clean:
	rm -rf build

# --- generated sources ---------------------------------------------------------
# C12.19: the table list as data becomes a C table.
$(BUILD)/gen/c1219_tables.inc: dissectors/c1222/c1219_tables.csv dissectors/c1222/tables.awk
	$(call say,GEN)
	$(Q)mkdir -p $(@D) && awk -f dissectors/c1222/tables.awk $< > $@.tmp && mv $@.tmp $@
$(BUILD)/obj/dissectors/c1222/tables.o: $(BUILD)/gen/c1219_tables.inc
# Facts: their names become the keys of JSON.
$(BUILD)/gen/field_keys.inc: core/fields.def core/keys.awk
	$(call say,GEN)
	$(Q)mkdir -p $(@D) && awk -f core/keys.awk $< > $@.tmp && mv $@.tmp $@
$(BUILD)/obj/core/obs.o: $(BUILD)/gen/field_keys.inc

# --- compiling -----------------------------------------------------------------
$(BUILD)/obj/%.o: %.c Makefile
	$(call say,CC)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

define archive_rule
$(call lib_of,$(1)): $(call obj,$(SRCS_$(1)))
	$$(call say,AR)
	$(Q)mkdir -p $$(@D) && rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach a,$(ARCHIVES),$(eval $(call archive_rule,$(a))))

define prog_rule
$(BUILD)/bin/$(1): $(call obj,$(PROG_SRCS_$(1))) $(call libs_for,$(NEED_$(1)))
	$$(call say,LD)
	$(Q)mkdir -p $$(@D)
	$(Q)$$(CC) $$(LDFLAGS) $$(LDPROG_$$(MODE)) -o $$@ $$^ $(call libs_of,$(NEED_$(1)))
endef
$(foreach p,$(PROGS),$(eval $(call prog_rule,$(p))))

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
