# Documents made while building: $(BUILD)/man and $(BUILD)/completion.  Small programs read the same tables as the daemon and the command
# line do; hand-written pages stand in the folder of what they describe and are copied.

GENOBJ := $(BUILD)/obj/unpriv/gen
$(GEN)/rpc_man: $(GENOBJ)/rpc_man.o $(GENOBJ)/mdoc.o $(BUILD)/obj/unpriv/postern/verbs.o $(PROTO_RPC)
$(GEN)/completion: $(GENOBJ)/completion.o $(BUILD)/obj/unpriv/postern/verbs.o $(PROTO_RPC)
$(GEN)/helper_man: $(GENOBJ)/helper_man.o $(GENOBJ)/mdoc.o $(PROTO_HELPER)
$(GEN)/rpc_man $(GEN)/completion $(GEN)/helper_man:
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(LDFLAGS_ALL) $^ -o $@

MAN_COPIED := unpriv/postern/postern.1 unpriv/posternd/posternd.8 unpriv/posternd/postern.toml.5 helper/common/policy.conf.5 guest-init/postern-init.8
MAN_PAGES  := $(addprefix $(BUILD)/man/,$(notdir $(MAN_COPIED)) postern-rpc.7 postern-helper.8)
COMPLETION := $(addprefix $(BUILD)/completion/,postern.bash postern.zsh postern.fish)

define man_copy
$(BUILD)/man/$(notdir $(1)): $(1)
	@mkdir -p $$(@D)
	@cp $$< $$@
endef
$(foreach m,$(MAN_COPIED),$(eval $(call man_copy,$(m))))

$(BUILD)/man/postern-rpc.7: $(GEN)/rpc_man
	@mkdir -p $(@D)
	$(call say,GEN)$< >$@
$(BUILD)/man/postern-helper.8: $(GEN)/helper_man helper/launcher/postern-helper.8
	@mkdir -p $(@D)
	$(call say,GEN)$^ >$@
$(BUILD)/completion/postern.%: $(GEN)/completion
	@mkdir -p $(@D)
	$(call say,GEN)$< $* >$@

.PHONY: docs
docs: $(MAN_PAGES) $(COMPLETION)
all: docs
