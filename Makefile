# postern: build, tests, demo, install.  `make help` says what there is.
#
# Every program is one folder: its sources are globbed, so that a new file needs no line here, and its objects mirror the folders under
# $(BUILD).  The libraries of each program are written out below; that list is a promise which tests/layers reads back with readelf.

BUILD   ?= build
PREFIX  ?= /usr
DESTDIR ?=
ifeq ($(origin CC),default)
CC      := gcc
endif
CLANG   ?= clang
MUSLCC  ?= musl-gcc
SAN     ?=

.DEFAULT_GOAL := all
MAKEFLAGS += --no-builtin-rules
# A recipe that fails leaves no half-made file behind.
.DELETE_ON_ERROR:

VERSION := 0.1.0

# One short line per command; `make V=1` shows the commands themselves.
V ?=
say = $(if $(V),,@printf '  %-5s %s\n' $(1) $@;)

# ---- flags ---------------------------------------------------------------------------------------------------------------------------
WARN  := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wswitch-enum -Wvla -Werror
HARD  := -fPIE -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection -fcf-protection=full -ftrivial-auto-var-init=zero
SANF  := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
BASE  := -std=gnu11 -O2 -g -I. -I$(BUILD)/gen -isystem /usr/include/libnl3 -D_GNU_SOURCE -DPOSTERN_VERSION='"$(VERSION)"' -ffile-prefix-map=$(CURDIR)=. -MMD -MP
HARDLD := -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code,-z,nodlopen
# clang 14 wants this switch before it takes -ftrivial-auto-var-init=zero.
ifneq ($(findstring clang,$(CC)),)
HARD  += -enable-trivial-auto-var-init-zero-knowing-it-will-be-removed-from-clang -Wno-unused-command-line-argument
endif
ifeq ($(SAN),)
CFLAGS_ALL = $(BASE) $(WARN) $(HARD) $(CFLAGS)
LDFLAGS_ALL = -pie $(HARDLD) $(LDFLAGS)
else
CFLAGS_ALL = $(BASE) $(WARN) -O1 $(SANF) $(CFLAGS)
LDFLAGS_ALL = $(SANF) $(LDFLAGS)
endif
STATIC_LD = -static-pie $(HARDLD)
MUSL_FLAGS = -std=gnu11 -Os -I. -I$(BUILD)/gen -isystem $(BUILD)/musl-include -D_GNU_SOURCE -DPOSTERN_VERSION='"$(VERSION)"' -ffile-prefix-map=$(CURDIR)=. \
	-MMD -MP $(WARN) -fPIE -fstack-protector-strong -fstack-clash-protection -fcf-protection=full -ftrivial-auto-var-init=zero -ffunction-sections -fdata-sections \
	-fno-asynchronous-unwind-tables -flto -DPOSTERN_TERSE
# musl-gcc's specs don't know -static-pie: they would make a dynamic program.  So its start file and switches are written out here.
MUSL_LIB := /usr/lib/$(subst gnu,musl,$(shell gcc -print-multiarch))
MUSL_LD = -Os -flto -fPIE -static -nostartfiles -Wl,-pie,--no-dynamic-linker,-z,text $(MUSL_LIB)/rcrt1.o $(MUSL_LIB)/crti.o \
	$(HARDLD) -Wl,--gc-sections -Wl,--build-id=none -s

# ---- programs ------------------------------------------------------------------------------------------------------------------------
srcs = $(sort $(wildcard $(1)/*.c))
objs = $(patsubst %.c,$(BUILD)/obj/%.o,$(call srcs,$(1)))

PROTO_WIRE := $(addprefix $(BUILD)/obj/proto/,mp.o wire.o wire_kinds.o)
PROTO_HELPER := $(PROTO_WIRE) $(BUILD)/obj/proto/helper.o
PROTO_GUEST := $(PROTO_WIRE) $(BUILD)/obj/proto/guest.o
PROTO_RPC := $(BUILD)/obj/proto/rpc.o

posternd_OBJS = $(call objs,unpriv/posternd) $(call objs,unpriv/common) $(PROTO_HELPER) $(BUILD)/obj/proto/guest.o $(PROTO_RPC)
posternd_LIBS = -levent_core -ljansson -lsqlite3 -lcrypto -lcap-ng -lnftnl
postern_OBJS  = $(call objs,unpriv/postern) $(call objs,unpriv/common) $(PROTO_HELPER) $(BUILD)/obj/proto/guest.o $(PROTO_RPC)
postern_LIBS  = -ljansson
postern-keeper_OBJS = $(call objs,unpriv/keeper) $(BUILD)/obj/unpriv/common/vmspec.o
postern-vsock_OBJS  = $(call objs,unpriv/vsock)
helper_objs = $(call objs,helper/$(1)) $(call objs,helper/common) $(PROTO_HELPER)
postern-helper_OBJS = $(call helper_objs,launcher)
postern-broker_OBJS = $(call helper_objs,broker)
postern-net_OBJS    = $(call helper_objs,net)
postern-vol_OBJS    = $(call helper_objs,vol)
postern-jail_OBJS   = $(call helper_objs,jail)
postern-spawn_OBJS  = $(call helper_objs,spawn) $(addprefix $(BUILD)/obj/helper/jail/,layout.o cgroup.o)
postern-helper_LIBS = -lcap-ng
postern-broker_LIBS = -lcap-ng
postern-net_LIBS    = -lcap-ng -lnftnl -lmnl -lnl-3
postern-vol_LIBS    = -lcap-ng
postern-jail_LIBS   = -lcap-ng
postern-spawn_LIBS  = -lcap-ng

DYNAMIC := posternd postern postern-helper postern-broker postern-net postern-vol postern-jail postern-spawn
STATIC  := postern-keeper postern-vsock
HELPERS := $(filter postern-helper postern-broker postern-net postern-vol postern-jail postern-spawn,$(DYNAMIC))
ALLBINS := $(DYNAMIC) $(STATIC) postern-init
BINS    := $(addprefix $(BUILD)/bin/,$(ALLBINS))

.PHONY: all help deps demo check bench fuzz install clean
all: $(BINS)

help:
	@echo 'make deps     install what building and testing need (Debian 12, root)'
	@echo 'make          build everything into $(BUILD)/bin'
	@echo 'make demo     boot a real microVM behind an unprivileged daemon and run a command in it'
	@echo 'make check    run every test'
	@echo 'make bench    measure, each figure beside its floor'
	@echo 'make fuzz     fuzz for an hour (FUZZ_SECONDS=…)'
	@echo 'make install  install below $$(DESTDIR)$$(PREFIX)'
	@echo 'make clean    remove $(BUILD)'
	@echo 'V=1 shows each command'

# ---- generated files -----------------------------------------------------------------------------------------------------------------
DEFS := $(sort $(wildcard proto/*.def proto/rpc/*.def))
GEN  := $(BUILD)/gen

# Daemon and helper compare this on their first packet: built from different rows, they refuse each other.
$(GEN)/rows_sha256.h: proto/helper.def proto/wire_kinds.def
	@mkdir -p $(@D)
	$(call say,GEN)cat $^ | sha256sum | sed 's/ .*//; s/\(..\)/0x\1,/g; s/^/#define ROWS_SHA256 {/; s/$$/}/' >$@

# Seccomp filters: libseccomp turns the rows of filters/<process>.def into BPF while building, and only then.
FILTER_DEFS := $(wildcard helper/filters/*.def unpriv/filters/*.def)
FILTERS := $(foreach d,$(FILTER_DEFS),$(GEN)/filter_$(basename $(notdir $(d))).h)
vpath %.def helper/filters unpriv/filters
$(GEN)/filter_%.h: %.def helper/filters/mkfilter.c $(wildcard helper/filters/*.inc helper/filters/*.h proto/helper.def)
	@mkdir -p $(@D)
	$(call say,GEN)$(CC) -std=gnu11 -D_GNU_SOURCE -I. -I$(GEN) -Wall -Wextra -Werror -O1 -DFILTER_NAME='"$*"' -DFILTER_DEF='"$<"' helper/filters/mkfilter.c -o $(GEN)/mkfilter-$* -lseccomp
	@$(GEN)/mkfilter-$* >$@

GENERATED := $(GEN)/rows_sha256.h $(FILTERS)

# musl has no kernel headers and no msgpack-c of its own; both are plain headers.
$(BUILD)/musl-include/.made:
	@mkdir -p $(@D)
	@for h in linux asm asm-generic msgpack msgpack.h mtd; do \
		for d in /usr/include/$$(gcc -print-multiarch) /usr/include; do [ -e $$d/$$h ] && ln -sfn $$d/$$h $(@D)/$$h && break; done; done; touch $@

# ---- compiling and linking -----------------------------------------------------------------------------------------------------------
$(BUILD)/obj/%.o: %.c Makefile | $(GENERATED)
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CFLAGS_ALL) -c $< -o $@

define link_dynamic
$(BUILD)/bin/$(1): $$($(1)_OBJS) Makefile
	@mkdir -p $$(@D)
	$$(call say,LD)$$(CC) $$(LDFLAGS_ALL) $$($(1)_OBJS) -o $$@ $$($(1)_LIBS)
endef
$(foreach p,$(DYNAMIC),$(eval $(call link_dynamic,$(p))))

define link_static
$(BUILD)/bin/$(1): $$($(1)_OBJS) Makefile
	@mkdir -p $$(@D)
	$$(call say,LD)$$(CC) $$(if $$(SAN),$$(LDFLAGS_ALL),$$(STATIC_LD)) $$($(1)_OBJS) -o $$@
endef
$(foreach p,$(STATIC),$(eval $(call link_static,$(p))))

INIT_OBJS := $(patsubst %.c,$(BUILD)/musl/%.o,$(call srcs,guest-init) proto/mp.c proto/wire.c proto/wire_kinds.c proto/guest.c)
$(BUILD)/musl/%.o: %.c Makefile $(BUILD)/musl-include/.made | $(GENERATED)
	@mkdir -p $(@D)
	$(call say,CC)$(MUSLCC) $(MUSL_FLAGS) -c $< -o $@
$(BUILD)/bin/postern-init: $(INIT_OBJS) Makefile
	@mkdir -p $(@D)
	$(call say,LD)$(MUSLCC) $(MUSL_LD) $(INIT_OBJS) $(MUSL_LIB)/crtn.o -o $@

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
include tests/tests.mk
# Man pages and completion; installing.
include unpriv/gen/gen.mk unpriv/dist/install.mk

# ---- everything else -----------------------------------------------------------------------------------------------------------------
deps:
	tests/deps

# Small makes, so that a bare machine needs nothing but make and git.
demo:
	tests/deps
	+$(MAKE) --no-print-directory -j2 all guest
	BUILD=$(BUILD) tests/demo

clean:
	rm -rf $(BUILD)
