# StarFive VisionFive 2 (JH7110). Its device tree comes from U-Boot; for the twin, from Debian's kernel package.
drivers      := plic serial uart_ns16550 clk jh7110_crg dw_mshc sd_card i2c_pmic watchdog jh7110_wdt gpio gpio_request gpio_jh7110
modules      := mm sync fs ipc core
limits       := FUTEX_BUCKETS=2048 TLB_FLUSH_PAGES=64
firmware     := u-boot-starfive
image_parts  := spl:4096:2E54B353-1271-4842-806F-E436D6AF6985:starfive_visionfive2/u-boot-spl.bin.normal.out uboot:8192:BC13C2FF-59E6-4262-A352-B275FD6F7172:starfive_visionfive2/u-boot.itb
image_boot   := 16384
image_size   := 128M
image_dtbs   := starfive/jh7110-starfive-visionfive-2-v1.2a.dtb starfive/jh7110-starfive-visionfive-2-v1.3b.dtb starfive/jh7110-milkv-mars.dtb starfive/jh7110-pine64-star64.dtb
recovery     := yes
console      := ttyS0,115200
qemu_machine := visionfive2
qemu_cpu     :=
qemu_smp     := 4
qemu_mem     := 4G
qemu_build   := built
qemu_dtb     := starfive/jh7110-starfive-visionfive-2-v1.3b.dtb
qemu_monitor := 1
qemu_card    := 1
