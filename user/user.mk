# Programs on newlib, for the kernel's users: the rescue init, which is built into the kernel, and
# demos. newlib is compiled once for all boards.

user_cc     := riscv64-unknown-elf-gcc
user_flags  := -march=rv64gc -mabi=lp64d -mcmodel=medany -O2 -g -Wall -Wextra -Wshadow -Werror \
               -ffunction-sections -fdata-sections
newlib      := build/external/newlib-riscv64
newlib_libc := $(newlib)/riscv64-unknown-elf/lib/libc.a
user_out    := $(out)/user
user_port   := user/newlib/start.S user/newlib/syscall.S user/newlib/port.c

$(newlib_libc): user/user.mk | $(external)/newlib/.fetched
	@flash/setup.sh user
	@echo '  NEWLIB  $(newlib) (about half a minute)'
	@rm -rf $(newlib)/obj && mkdir -p $(newlib)/obj
	$(Q)cd $(newlib)/obj && env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL sh -c '\
	    $(CURDIR)/$(external)/newlib/configure --target=riscv64-unknown-elf \
	        --prefix=$(CURDIR)/$(newlib) --disable-newlib-supplied-syscalls --disable-multilib \
	        --disable-libgloss --disable-nls --enable-newlib-nano-formatted-io --disable-newlib-wide-orient \
	        CFLAGS_FOR_TARGET="-O2 -march=rv64gc -mabi=lp64d -mcmodel=medany -ffunction-sections \
	        -fdata-sections" && make -j$(shell nproc) all-target-newlib && make install-target-newlib' \
	    > $(CURDIR)/$(newlib)/build.log 2>&1 || { tail -n 5 $(CURDIR)/$(newlib)/build.log; exit 1; }
	@rm -rf $(newlib)/obj

# One program from its sources. $(1): name, $(2): sources.
define user_program
$(user_out)/$(1): $(2) $(user_port) user/newlib/linux.h $(wildcard user/$(1)/*.h) | $(newlib_libc)
	$(call say,USER,$$@)
	@mkdir -p $$(@D)
	$(Q)$(user_cc) $(user_flags) -nostdlib -nostdinc \
	    -isystem $(newlib)/riscv64-unknown-elf/include \
	    -isystem $$$$($(user_cc) -print-file-name=include) \
	    -static -Wl,--gc-sections -Wl,-z,noexecstack -o $$@ $(user_port) $(2) \
	    -L$(newlib)/riscv64-unknown-elf/lib -Wl,--start-group -lc -lgcc -Wl,--end-group
endef
$(eval $(call user_program,init,$(wildcard user/init/*.c)))
$(eval $(call user_program,hello,user/demo/hello.c))

.PHONY: user
user: $(user_out)/init $(user_out)/hello

$(user_out)/init.stripped: $(user_out)/init
	$(Q)riscv64-unknown-elf-strip -o $@ $<

# The rescue init inside the kernel: core starts it when nobody gave an initramfs.
$(user_out)/rescue.o: user/init/rescue.S $(user_out)/init.stripped $(out)/flags
	$(call say,AS,$<)
	$(Q)$(CC) $(ASFLAGS_KERNEL) -DRESCUE_INIT='"$(user_out)/init.stripped"' -c $< -o $@

extra_objects += $(user_out)/rescue.o
