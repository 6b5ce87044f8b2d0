# SiFive HiFive Unleashed (FU540). Its device tree comes from U-Boot, or from QEMU's sifive_u.
dts          :=
cpu_flags    :=
drivers      := plic serial uart_sifive spi_sifive mmc_spi sd_card gpio gpio_request gpio_sifive
modules      := mm sync fs ipc core
limits       := FUTEX_BUCKETS=2048 TLB_FLUSH_PAGES=64
firmware     := u-boot-sifive
image_parts  := spl:34:5B193300-FC78-40CD-8002-E86C45580B47:sifive_unleashed/u-boot-spl.bin uboot:2082:2E54B353-1271-4842-806F-E436D6AF6985:sifive_unleashed/u-boot.itb
image_boot   := 10274
image_size   := 128M
console      := ttySIF0,115200
qemu_machine := sifive_u
qemu_cpu     :=
qemu_smp     := 4
qemu_mem     := 8G
qemu_monitor := 1
qemu_card_bios := sifive_unleashed/u-boot-spl.bin
qemu_card_options := ,msel=11
