# What the kernel boots with: firmware, initramfs, disk. Included by the Makefile.

firmware_files := $(debian)/opensbi/.fetched
initramfs      := $(out)/initramfs.cpio
initrd         := $(or $(INITRD),$(initramfs))
disk           := $(out)/disk.img
card           := $(out)/card.img
initrd_file    := $(filter-out none,$(initrd))
boot_files     := $(firmware_files) $(initrd_file)
test_files     := $(firmware_files) $(initramfs)
# The board's own device tree, where the firmware has none.
ifneq ($(dts),)
dtb        := $(out)/board.dtb
boot_files += $(dtb)
test_files += $(dtb)

$(dtb): dts/$(dts)
	@flash/setup.sh dts
	$(call say,DTC,$@)
	@mkdir -p $(@D)
	$(Q)dtc -q -W error -I dts -O dtb -o $@ $<
endif

# A board that QEMU has only in our build of it, with Debian's device tree.
ifneq ($(qemu_dtb),)
boot_files += $(debian)/linux-image-riscv64/.fetched
endif
ifeq ($(qemu_build),built)
boot_files += machine
endif

ifeq ($(BOOT),uboot)
boot_files     += $(debian)/u-boot-qemu/.fetched $(disk)
else ifeq ($(BOOT),card)
boot_files     += $(if $(DISK),,$(card))
else ifneq ($(BOOT),sbi)
$(error BOOT=$(BOOT): there are sbi, uboot and card)
endif
# What flash/qemu.py reads; make hands over APPEND with any quotes that are in it.
export BUILD BOARD SMP MEM CPU BOOT APPEND DISK MACHINE
qemu_env = INITRD='$(initrd)'

$(debian)/%/.fetched:
	@flash/fetch.sh $(if $(filter bash,$*),tree,deb):$*

# Debian's busybox, our init script, and whatever is in FILES=dir.
$(initramfs): $(debian)/busybox-static/.fetched $(out)/files flash/initramfs.py \
              $(if $(shell find flash/rootfs $(FILES) -newer $(initramfs) -print -quit 2>&1),FORCE)
	$(call say,CPIO,$@)
	@mkdir -p $(@D)
	$(Q)flash/initramfs.py -o $@ $(debian)/busybox-static/usr/bin/busybox:bin/busybox \
	    flash/rootfs $(FILES)

$(out)/files: FORCE
	@mkdir -p $(@D)
	@echo '$(FILES)' | cmp -s - $@ || echo '$(FILES)' > $@

# A disk that U-Boot boots from: one partition with the kernel, the initramfs and extlinux.conf.
$(out)/extlinux.conf: FORCE
	@mkdir -p $(@D)
	@$(qemu_env) flash/qemu.py extlinux | cmp -s - $@ || $(qemu_env) flash/qemu.py extlinux > $@

$(disk): $(out)/extlinux.conf $(image) $(initrd_file) flash/disk.sh
	@flash/setup.sh uboot
	$(call say,DISK,$@)
	$(Q)flash/disk.sh $@ $(out)/extlinux.conf $(image) $(initrd_file)

# The card that the board boots from: its firmware, and a FAT with the kernel and an initramfs that has Debian's bash.
card_initrd := $(or $(initrd_file:$(initramfs)=),$(if $(filter none,$(INITRD)),,$(out)/card.cpio.gz))
libraries   := usr/lib/riscv64-linux-gnu
card_bash   := usr/bin/bash $(libraries)/libc.so.6 $(libraries)/libtinfo.so.6 \
               $(libraries)/ld-linux-riscv64-lp64d.so.1 usr/lib/ld-linux-riscv64-lp64d.so.1
card_files  := $(image) $(card_initrd) $(debian)/$(firmware)/.fetched $(wildcard boards/$(BOARD)/boot.cmd) \
               boards/$(BOARD)/board.mk flash/image.py flash/qemu.py $(if $(image_dtbs),$(debian)/linux-image-riscv64/.fetched)

$(out)/card.cpio.gz: $(debian)/busybox-static/.fetched $(debian)/bash/.fetched $(out)/files flash/initramfs.py \
              $(if $(shell find flash/rootfs $(FILES) -newer $(out)/card.cpio.gz -print -quit 2>&1),FORCE)
	$(call say,CPIO,$@)
	@mkdir -p $(@D)
	$(Q)flash/initramfs.py -z -o $@ $(debian)/busybox-static/usr/bin/busybox:bin/busybox flash/rootfs \
	    $(foreach file,$(card_bash),$(shell readlink -f $(debian)/bash/$(file)):$(file)) $(FILES)

$(card): $(card_files) $(out)/append
	@flash/setup.sh uboot
	$(call say,CARD,$@)
	$(Q)flash/image.py $(BOARD) $@ $(image) $(card_initrd) "$$APPEND"

$(out)/append: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' "$$APPEND" | cmp -s - $@ || printf '%s\n' "$$APPEND" > $@

.PHONY: image
image: $(if $(image_parts),$(card),$(disk))
	@echo 'image: $<'
