#!/bin/sh
# disk.sh OUT EXTLINUX.CONF IMAGE [INITRD [DTB]]: a disk image with one bootable FAT partition, which
# U-Boot (and any firmware that reads extlinux.conf) boots from: /Image, /initrd, /board.dtb. Needs
# genimage, mtools, dosfstools.
set -eu
out=$1 conf=$2 kernel=$3 initrd=${4:-} dtb=${5:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/root/extlinux" "$work/in"
cp "$conf" "$work/root/extlinux/extlinux.conf"
cp "$kernel" "$work/root/Image"
[ -z "$initrd" ] || cp "$initrd" "$work/root/initrd"
[ -z "$dtb" ] || cp "$dtb" "$work/root/board.dtb"
cat > "$work/genimage.cfg" << END
image boot.vfat {
    vfat { label = "VIREO" }
    size = $(($(du -sm "$work/root" | cut -f1) + 4))M
}
image disk.img {
    hdimage { partition-table-type = "mbr" }
    partition boot {
        partition-type = 0x0c
        bootable = true
        image = "boot.vfat"
        offset = 1M
    }
}
END
genimage --config "$work/genimage.cfg" --rootpath "$work/root" --inputpath "$work/in" \
    --outputpath "$work/out" --tmppath "$work/tmp" > "$work/log" 2>&1 || {
    cat "$work/log" >&2
    exit 1
}
mv "$work/out/disk.img" "$out"
