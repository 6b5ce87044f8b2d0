# From sources to Image. Included by the Makefile after the lists of sources.

libfdt := fdt fdt_ro fdt_rw fdt_sw fdt_wip fdt_addresses
zlib   := inflate inffast inftrees zutil adler32 crc32

objects := $(patsubst %,$(out)/%.o,$(basename $(sources))) \
           $(libfdt:%=$(out)/external/dtc/libfdt/%.o) $(zlib:%=$(out)/external/zlib/%.o)
headers := $(out)/include/generated/offsets.h $(external)/uapi/.ready \
           $(external)/dtc/.fetched $(external)/zlib/.fetched
elf     := $(out)/vireo.elf

$(external)/%/.fetched: flash/sources.lock
	@flash/fetch.sh src:$*

$(external)/uapi/.ready:
	@mkdir -p $(@D)
	@for part in asm asm-generic linux; do \
	    ln -sfn /usr/riscv64-linux-gnu/include/$$part $(@D)/$$part; done; touch $@

# A change of compiler or flags rebuilds what it touches.
$(out)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(LD) $(CFLAGS_KERNEL)' | cmp -s - $@ || echo '$(CC) $(LD) $(CFLAGS_KERNEL)' > $@

# So does a change of what is linked: objects that are missing alone wouldn't (.SECONDARY).
$(out)/objects: FORCE
	@mkdir -p $(@D)
	@echo '$(objects)' | cmp -s - $@ || echo '$(objects)' > $@

$(out)/%.o: %.c $(out)/flags | $(headers)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_KERNEL) -MMD -MP -c $< -o $@

$(out)/%.o: %.S $(out)/flags | $(headers)
	$(call say,AS,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ASFLAGS_KERNEL) -MMD -MP -c $< -o $@

$(out)/external/%.o: $(out)/flags | $(headers)
	$(call say,CC,$(external)/$*.c)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_EXTERNAL) -MMD -MP -c $(external)/$*.c -o $@

# Structure offsets for assembly: the compiler prints them as marked lines in its output.
offsets := $(wildcard arch/riscv/offsets.c core/offsets.c)

$(out)/%/offsets.s: %/offsets.c $(out)/flags | $(filter-out %/offsets.h,$(headers))
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -g,$(CFLAGS_KERNEL)) $(if $(is_clang),-fno-integrated-as) -MMD -MP -S $< -o $@

$(out)/include/generated/offsets.h: $(offsets:%.c=$(out)/%.s)
	$(call say,OFFSETS,$@)
	@mkdir -p $(@D)
	$(Q)flash/offsets.sh $^ > $@ < /dev/null

# The vDSO: code for user mode, a shared object of its own inside the kernel's read-only data.
vdso_flags := -fPIC -fno-stack-protector -fno-sanitize=all -fvisibility=default -mcmodel=medany
vdso       := $(out)/arch/riscv/vdso

$(vdso)/calls.o: arch/riscv/vdso_calls.c $(out)/flags | $(headers)
	$(call say,VDSO,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -fno-pie -ffunction-sections -fdata-sections,$(common_flags)) $(warn_flags) \
	    $(vdso_flags) $(defines) $(includes) -MMD -MP -c $< -o $@

$(vdso)/vdso.ld: arch/riscv/vdso.ld $(out)/flags | $(headers)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ASFLAGS_KERNEL) -MMD -MP -MT $@ -E -P -x assembler-with-cpp $< -o $@

$(vdso)/vdso.so: $(vdso)/calls.o $(out)/arch/riscv/vdso_sigreturn.o $(vdso)/vdso.ld
	$(Q)$(LD) -shared --hash-style=both -soname linux-vdso.so.1 --no-undefined -z noexecstack --build-id=none \
	    -z norelro -z max-page-size=4096 -T $(vdso)/vdso.ld -o $@.full $(vdso)/calls.o $(out)/arch/riscv/vdso_sigreturn.o
	$(Q)$(OBJCOPY) -S $@.full $@

$(out)/arch/riscv/vdso_page.o: $(vdso)/vdso.so
$(out)/arch/riscv/vdso_page.o: ASFLAGS_KERNEL += -DVDSO_IMAGE='"$(vdso)/vdso.so"'

# The symbol table for backtraces: link without it, read the addresses, link with it. Text lies
# before it, so that the second link moves no function; flash/ksym.py --check proves that.
link = $(LD) $(LDFLAGS_KERNEL) -T $(out)/kernel.ld -o $(1) $(objects) $(extra_objects) $(2)

$(out)/kernel.ld: arch/riscv/kernel.ld $(out)/flags | $(headers)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ASFLAGS_KERNEL) -MMD -MP -MT $@ -E -P -x assembler-with-cpp $< -o $@

$(elf): $(objects) $(out)/objects $(out)/kernel.ld flash/ksym.py $$(extra_objects)
	$(call say,LINK,$@)
	$(Q)flash/ksym.py < /dev/null > $(out)/ksym0.S
	$(Q)$(CC) $(ASFLAGS_KERNEL) -c $(out)/ksym0.S -o $(out)/ksym0.o
	$(Q)$(call link,$(out)/pass1.elf,$(out)/ksym0.o)
	$(Q)$(NM) -n $(out)/pass1.elf | flash/ksym.py > $(out)/ksym.S
	$(Q)$(CC) $(ASFLAGS_KERNEL) -c $(out)/ksym.S -o $(out)/ksym.o
	$(Q)$(call link,$@,$(out)/ksym.o)
	$(Q)$(NM) -n $@ | flash/ksym.py | cmp - $(out)/ksym.S
	@rm -f $(out)/pass1.elf

$(image): $(elf)
	$(call say,IMAGE,$@)
	$(Q)$(OBJCOPY) -O binary $< $@

-include $(vdso)/calls.d $(vdso)/vdso.d
-include $(objects:.o=.d) $(offsets:%.c=$(out)/%.d) $(out)/kernel.d
