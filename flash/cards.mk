# To a board: card, network, serial line; and the table of all boards. Included by the Makefile.
# make flash BOARD= DEV=/dev/sdX (YES=1: without a question; PLAIN=1: DEV is a file); make netboot BOARD= (SERVER=
# address); make recovery BOARD= PORT=/dev/ttyUSB0; make boards.

PORT   ?= /dev/ttyUSB0
SERVER ?=
tftp   := $(out)/tftp

.PHONY: flash netboot recovery boards

flash: $(if $(image_parts),$(card),$(disk))
	@[ -n '$(DEV)' ] || { echo 'flash: name the card: make flash BOARD=$(BOARD) DEV=/dev/sdX; there are:' >&2; \
	    lsblk -d -n -o PATH,SIZE,RM,MODEL >&2; exit 1; }
	@flash/write.py $(if $(YES),--yes) $(if $(PLAIN),--plain-file) '$(DEV)' $<

# A folder for a TFTP server, and what to type at U-Boot's prompt.
netboot: $(image) $(card_initrd)
	@mkdir -p $(tftp)
	@cp $(image) $(tftp)/Image
	@$(if $(card_initrd),cp $(card_initrd) $(tftp)/initrd.img)
	@flash/netboot.sh '$(console)' '$(SERVER)' "$$APPEND" > $(tftp)/uboot.txt
	@echo 'netboot: serve $(tftp) by TFTP, then type at the prompt of U-Boot:'
	@sed 's/^/    /' $(tftp)/uboot.txt

recovery: $(debian)/$(firmware)/.fetched
	@[ -n '$(recovery)' ] || { echo 'recovery: $(BOARD) has no ROM that takes a program by its serial line' >&2; exit 1; }
	@flash/setup.sh recovery
	@flash/recover.py '$(PORT)' $(foreach part,$(image_parts),$(debian)/$(firmware)/usr/lib/u-boot/$(lastword $(subst :, ,$(part))))

all_boards := $(notdir $(patsubst %/,%,$(dir $(wildcard boards/*/board.mk))))

# Each board's kernel, and the table in README.md.
boards:
	@for board in $(all_boards); do \
	    $(MAKE) -s BOARD=$$board || exit 1; \
	    echo "$(BUILD)/$$board/Image"; \
	done
	@flash/boards.py README.md

# The suite for whole machines, on the one that a labgrid environment describes.
ENV     ?= test/hil/env/$(BOARD).yaml
hil_out := $(out)/hil/$(basename $(notdir $(ENV)))

.PHONY: hil
hil: $(image)
	@flash/setup.sh run image uboot test
	$(if $(qemu_build),@$(MAKE) machine)
	@mkdir -p $(hil_out)
	@HIL_ENV='$(ENV)' HIL_OUT=$(hil_out) $(pytest)/hil -q --junitxml=$(hil_out)/junit.xml $(PYTEST); \
	    status=$$?; echo 'hil: $(hil_out)/report.html'; exit $$status
