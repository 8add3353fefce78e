# Tests, fuzzing and benchmarks; included by the Makefile.

# A test's first lines name the objects and libraries it links:
#   // LINK: proto/mp.o unpriv/common/log.o
#   // LIBS: -levent_core
UNIT_SRCS := $(shell find tests/unit -name '*_test.c' 2>/dev/null | sort)
UNIT_BINS := $(patsubst tests/%.c,$(BUILD)/tests/%,$(UNIT_SRCS))
# Tests of confinement in C: on the release's flags only, since a sanitizer's own system calls aren't in any filter.
PROBE_SRCS := $(sort $(wildcard tests/attack/*_test.c))
PROBES := $(patsubst tests/%.c,$(BUILD)/tests/%,$(PROBE_SRCS))
link_of = $(addprefix $(BUILD)/obj/,$(shell sed -n '1,10s,^// LINK: *,,p' $(1)))
libs_of = $(shell sed -n '1,10s,^// LIBS: *,,p' $(1))

define unit_rule
$(patsubst tests/%.c,$(BUILD)/tests/%,$(1)): $(1) $(call link_of,$(1)) tests/lib/test.h Makefile tests/tests.mk | $$(GENERATED)
	@mkdir -p $$(@D)
	$$(call say,TEST)$$(CC) $$(CFLAGS_ALL) $$(LDFLAGS_ALL) $(1) $(call link_of,$(1)) -o $$@ $(call libs_of,$(1))
endef
$(foreach t,$(UNIT_SRCS) $(PROBE_SRCS),$(eval $(call unit_rule,$(t))))

# Programs that end-to-end tests start: they name what they link, as unit tests do.
# Those that must be static can't have sanitizers.
PROGRAM_SRCS := $(sort $(if $(SAN),$(shell grep -L '^// LIBS:.*-static' tests/guest/*.c),$(wildcard tests/guest/*.c)))
PROGRAMS := $(patsubst tests/%.c,$(BUILD)/tests/%,$(PROGRAM_SRCS))
$(foreach t,$(PROGRAM_SRCS),$(eval $(call unit_rule,$(t))))

# All filters with their tables of rules, for the test that judges them.
$(GEN)/filters_list.h: $(FILTER_DEFS) tests/tests.mk
	@mkdir -p $(@D)
	@printf 'FILTER(%s)\n' $(basename $(notdir $(FILTER_DEFS))) >$@
	@echo '#undef FILTER' >>$@
$(GEN)/filters_all.h: $(FILTERS) tests/tests.mk
	@mkdir -p $(@D)
	@{ echo '#include "helper/filters/rule.h"'; for d in $(FILTER_DEFS); do n=$$(basename $$d .def); \
		printf '#include "filter_%s.h"\nstatic const struct filter_rule rules_%s[] = {\n#include "%s"\n};\n' $$n $$n $$d; done; } >$@
$(PROBES): | $(GEN)/filters_list.h $(GEN)/filters_all.h

.PHONY: unit probes programs guest
unit: $(UNIT_BINS)
probes: $(PROBES)
programs: $(PROGRAMS)

# The guest that tests boot: $(BUILD)/guest/default/{kernel,initrd,root.ext4}.
guest: $(BUILD)/bin/postern-init
	BUILD=$(BUILD) tests/guest/bundle

# Fuzz targets: clang's libFuzzer with both sanitizers, over objects built the same way.
FUZZ_SRCS := $(wildcard tests/fuzz/*_fuzz.c)
FUZZ_BINS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(FUZZ_SRCS))
FUZZ_SECONDS ?= 3600
FUZZ_CFLAGS := -std=gnu11 -O1 -g -I. -I$(GEN) -D_GNU_SOURCE -DPOSTERN_VERSION='"$(VERSION)"' -MMD -MP -fsanitize=fuzzer-no-link,address,undefined \
	-fno-sanitize-recover=all -fno-omit-frame-pointer
fuzz_link_of = $(addprefix $(BUILD)/fuzz/obj/,$(shell sed -n '1,10s,^// LINK: *,,p' $(1)))

$(BUILD)/fuzz/obj/%.o: %.c Makefile tests/tests.mk | $(GENERATED)
	@mkdir -p $(@D)
	$(call say,CC)$(CLANG) $(FUZZ_CFLAGS) -c $< -o $@
define fuzz_rule
$(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(1)): $(1) $(call fuzz_link_of,$(1)) tests/tests.mk | $$(GENERATED)
	@mkdir -p $$(@D)
	$$(call say,FUZZ)$$(CLANG) $$(FUZZ_CFLAGS) -fsanitize=fuzzer $(1) $(call fuzz_link_of,$(1)) -o $$@ $(call libs_of,$(1))
endef
$(foreach t,$(FUZZ_SRCS),$(eval $(call fuzz_rule,$(t))))

.PHONY: fuzz-bins
fuzz-bins: $(FUZZ_BINS)
fuzz: fuzz-bins
	FUZZ_SECONDS=$(FUZZ_SECONDS) BUILD=$(BUILD) tests/fuzz/run $(FUZZ_BINS)

# ---- check: one list of programs, one closing line ---------------------------------------------------------------------------------------
E2E := $(sort $(shell find tests/e2e tests/attack -name '*.py' -o -name '*.sh' 2>/dev/null))
# Those that mostly wait, for deadlines of the network's, say so at their top, and share the time.
PAIRED := $(shell grep -l 'Two of its kind run at a time' $(E2E) /dev/null)
LINT := tests/layers tests/conformity tests/cppcheck tests/clang-tidy tests/builds
SAN_BINS := $(patsubst $(BUILD)/%,$(BUILD)/san/%,$(UNIT_BINS))

check: deps
	+$(MAKE) --no-print-directory -j2 all unit probes programs fuzz-bins guest
	+$(MAKE) --no-print-directory -j2 SAN=1 BUILD=$(BUILD)/san unit programs
	@rm -rf $(BUILD)/test-output/succeeded
	@BUILD=$(BUILD) tests/run -o $(BUILD)/test-output $(UNIT_BINS) $(PROBES) TAG=sanitizers $(SAN_BINS) TAG= $(filter-out $(PAIRED),$(E2E)) \
		--parallel $(PAIRED) --serial tests/methods \
		--parallel $(LINT) FUZZ_SECONDS=30 $(addprefix tests/fuzz/run:,$(notdir $(FUZZ_BINS)))

# ---- bench: small programs to measure against, and the driver ------------------------------------------------------------------------------
BENCH_BINS := $(addprefix $(BUILD)/bench/,rpc_load floor_raw floor_evhttp tap_floor taps_floor route_add_floor dump_floor ct_floor fw_floor verify_floor)
BENCH_GUEST := $(addprefix $(BUILD)/bench/,vsock_echo bare_init)
BENCH_FLAGS := -std=gnu11 -O2 -D_GNU_SOURCE -Wall -Wextra -Werror

$(BENCH_BINS): $(BUILD)/bench/%: tests/bench/%.c tests/bench/floor.h
	@mkdir -p $(@D)
	$(call say,BENCH)$(CC) $(BENCH_FLAGS) $< -o $@ $(call libs_of,$<)
$(BENCH_GUEST): $(BUILD)/bench/%: tests/bench/%.c $(BUILD)/musl-include/.made
	@mkdir -p $(@D)
	$(call say,BENCH)$(MUSLCC) $(BENCH_FLAGS) -isystem $(BUILD)/musl-include -static -s $< -o $@

.PHONY: bench
bench: deps
	+$(MAKE) --no-print-directory -j2 all guest $(BENCH_BINS) $(BENCH_GUEST)
	POSTERN_TEST_RULES=20000 BUILD=$(BUILD) tests/with-daemon $(CURDIR)/tests/bench/run
	BUILD=$(BUILD) tests/bench/net-writes
	BUILD=$(BUILD) tests/bench/net-ping
