# Tests, fuzzing and benchmarks; included by the Makefile.

# A test's first lines name the objects and libraries it links:
#   // LINK: proto/mp.o unpriv/common/log.o
#   // LIBS: -levent_core
UNIT_SRCS := $(shell find tests/unit -name '*_test.c' 2>/dev/null | sort)
UNIT_BINS := $(patsubst tests/%.c,$(BUILD)/tests/%,$(UNIT_SRCS))
link_of = $(addprefix $(BUILD)/obj/,$(shell sed -n '1,10s,^// LINK: *,,p' $(1)))
libs_of = $(shell sed -n '1,10s,^// LIBS: *,,p' $(1))

define unit_rule
$(patsubst tests/%.c,$(BUILD)/tests/%,$(1)): $(1) $(call link_of,$(1)) tests/lib/test.h Makefile tests/tests.mk | $$(GENERATED)
	@mkdir -p $$(@D)
	$$(CC) $$(CFLAGS_ALL) $$(LDFLAGS_ALL) $(1) $(call link_of,$(1)) -o $$@ $(call libs_of,$(1))
endef
$(foreach t,$(UNIT_SRCS),$(eval $(call unit_rule,$(t))))

.PHONY: unit
unit: $(UNIT_BINS)
