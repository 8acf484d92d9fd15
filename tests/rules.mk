# SPDX-License-Identifier: Apache-2.0
#
# Unit tests (x_test.c) and fuzz targets (x_fuzz.c), found beside their
# modules; each is linked with its folder's archive and what that may use.

TEST_DIRS := core crypto dissectors dissectors/c1222 dissectors/http \
	dissectors/net dissectors/obix dissectors/tls \
	policy-lang/image \
	policy-lang/eval policy-lang/analysis policy-lang/front \
	enforcer/pipeline audit attest enforcer enforcer/daemon policy-lang
ARCH_core := core
ARCH_crypto := crypto
ARCH_dissectors := dissect
ARCH_dissectors/c1222 := dissect
ARCH_dissectors/obix := dissect
ARCH_dissectors/http := dissect
ARCH_dissectors/net := dissect
ARCH_dissectors/tls := dissect
ARCH_policy-lang/image := image
ARCH_policy-lang/eval := eval
ARCH_policy-lang/analysis := analysis
ARCH_policy-lang/front := front
ARCH_enforcer/pipeline := pipeline
ARCH_audit := audit
ARCH_attest := attest
ARCH_enforcer := enforcer
ARCH_enforcer/daemon := daemon
ARCH_policy-lang := policy-lang

TESTS := $(filter-out policy-lang/cmd_test.c,$(foreach d,$(TEST_DIRS),\
	$(wildcard $(d)/*_test.c)))
FUZZERS := $(foreach d,$(TEST_DIRS),$(wildcard $(d)/*_fuzz.c))
TEST_BINS := $(patsubst %.c,$(BUILD)/test/%,$(TESTS))
FUZZ_BINS := $(patsubst %.c,$(BUILD)/fuzz/%,$(FUZZERS))

dir_of = $(patsubst %/,%,$(dir $(1)))
need_of = $(NEED_$(ARCH_$(call dir_of,$(1))))

define test_rule
$(BUILD)/test/$(basename $(1)): $(call obj,$(1)) $(call libs_for,$(call need_of,$(1)))
	$$(call say,LD)
	$(Q)mkdir -p $$(@D)
	$(Q)$$(CC) $$(LDFLAGS) $$(LDTEST_$$(MODE)) -o $$@ $$^ -lcmocka $$(TEST_LIBS) $(call libs_of,$(call need_of,$(1)))
endef
$(foreach t,$(TESTS),$(eval $(call test_rule,$(t))))

# What is law for polc's own files stands on them.
CLAIMS_OBJS := $(call obj,policy-lang/scene.c policy-lang/suppose.c \
	policy-lang/witness.c)
$(BUILD)/test/policy-lang/laws_claims_test: $(CLAIMS_OBJS)
$(BUILD)/test/policy-lang/laws_claims_test: TEST_LIBS := \
	$(call libs_for,$(NEED_policy-lang))

# The other reader of XML, where it is installed; without it the test says so.
XML2_LIBS := $(shell pkg-config --libs libxml-2.0 2>/dev/null)
$(BUILD)/obj/dissectors/obix/differ_test.o: CPPFLAGS += \
	$(shell pkg-config --cflags libxml-2.0 2>/dev/null)
$(BUILD)/test/dissectors/obix/differ_test: TEST_LIBS := $(XML2_LIBS)
# What TLS sounds like when OpenSSL speaks it.
$(BUILD)/test/dissectors/tls/differ_test: TEST_LIBS := -lssl -lcrypto

# Another receiver of HTTP.
$(BUILD)/test/dissectors/http/mhd_test: TEST_LIBS := -lmicrohttpd

# In the fuzz mode libFuzzer drives; in all others a main of ours runs the
# target over the files it is given.
ifeq ($(MODE),fuzz)
FUZZ_MAIN :=
FUZZ_LD := -fsanitize=fuzzer
else
FUZZ_MAIN := $(call obj,tests/fuzz_main.c)
FUZZ_LD :=
endif
define fuzz_rule
$(BUILD)/fuzz/$(basename $(1)): $(call obj,$(1)) $(FUZZ_MAIN) $(call libs_for,$(call need_of,$(1)))
	$$(call say,LD)
	$(Q)mkdir -p $$(@D)
	$(Q)$$(CC) $$(LDFLAGS) $$(LDTEST_$$(MODE)) $(FUZZ_LD) -o $$@ $$^ $(call libs_of,$(call need_of,$(1)))
endef
$(foreach t,$(FUZZERS),$(eval $(call fuzz_rule,$(t))))

# Tools of the live tests; they need libc only.
E2E_BINS := $(patsubst tests/%.c,$(BUILD)/%,$(wildcard tests/e2e/*.c))
$(BUILD)/e2e/%: $(BUILD)/obj/tests/e2e/%.o
	$(call say,LD)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) $(LDTEST_$(MODE)) -o $@ $^

# The one that loads rules stands on the gateway's own code.
$(BUILD)/e2e/rules_load: $(BUILD)/obj/tests/e2e/rules_load.o $(call libs_for,$(NEED_daemon))
	$(call say,LD)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) $(LDTEST_$(MODE)) -o $@ $^ $(call libs_of,$(NEED_daemon))

# The one that writes a log without its key, on that of the audit.
$(BUILD)/e2e/forge: $(BUILD)/obj/tests/e2e/forge.o $(call libs_for,$(NEED_audit))
	$(call say,LD)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) $(LDTEST_$(MODE)) -o $@ $^ $(call libs_of,$(NEED_audit))

.PHONY: unit-bins fuzz-bins
unit-bins: $(TEST_BINS) $(E2E_BINS)
fuzz-bins: $(FUZZ_BINS)

# Scripts that are tests: each prints "ok NAME", "not ok NAME" or "SKIP: why".
SCRIPT_TESTS := tests/layers.sh tests/docs.sh tests/corpus_test.sh \
	$(wildcard tests/*_test.sh tests/*_test.py) \
	$(wildcard tests/e2e/*_test.sh tests/e2e/*_test.py)
SCRIPT_TESTS := $(sort $(SCRIPT_TESTS))

# Programs of the benchmarks.
BENCH_SRCS := $(wildcard tests/bench_*.c)
BENCH_BINS := $(patsubst tests/%.c,$(BUILD)/bench/%,$(BENCH_SRCS))
# The audit's runs the scribe.
bench_need = $(if $(filter %/bench_audit.c,$(1)),$(NEED_daemon),$(NEED_enforcer))
define bench_rule
$(BUILD)/bench/$(patsubst tests/%.c,%,$(1)): $(call obj,$(1)) $(call libs_for,$(call bench_need,$(1)))
	$$(call say,LD)
	$(Q)mkdir -p $$(@D)
	$(Q)$$(CC) $$(LDFLAGS) $$(LDPROG_$$(MODE)) -o $$@ $$^ $(call libs_of,$(call bench_need,$(1)))
endef
$(foreach t,$(BENCH_SRCS),$(eval $(call bench_rule,$(t))))
# Of the live ones: on libmnl alone, sharing no code with the gateway.
LOAD_SRCS := $(wildcard tests/bench/*.c)
LOAD_BINS := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(LOAD_SRCS))
$(BUILD)/bench/%: $(BUILD)/obj/tests/bench/%.o
	$(call say,LD)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) $(LDTEST_$(MODE)) -o $@ $^ -lmnl
.PHONY: bench-bins
bench-bins: $(BENCH_BINS) $(LOAD_BINS)
