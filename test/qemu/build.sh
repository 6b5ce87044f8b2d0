#!/bin/sh
# build.sh [plain]: Debian's QEMU with our files/ and patches/ in it -> build/machine/qemu-system-riscv64;
# plain: the same without what is ours, to compare with -> build/machine/plain-qemu-system-riscv64.
# The binary is kept by the hash of all that goes into it in ${XDG_CACHE_HOME:-~/.cache}/vireo/machine,
# for all clones, and is linked to from there. Only where that hash is new is anything built: about
# five minutes the first time, seconds after a change of our own, in build/machine/tree.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
out=$top/build/machine
source=$top/build/external/qemu # patched in place; the originals are kept in its .orig
variant=${1:-ours}
case $variant in
    ours) tree=$out/tree link=$out/qemu-system-riscv64 patches=$(echo "$here"/patches/*.patch) files=$here/files ;;
    # The one patch that is about how Debian packs the source.
    plain) tree=$out/plain-tree link=$out/plain-qemu-system-riscv64 patches=$(echo "$here"/patches/0001-*.patch) files= ;;
    *) echo "usage: build.sh [plain]" >&2 && exit 2 ;;
esac
cache=${XDG_CACHE_HOME:-$HOME/.cache}/vireo/machine
config=configs/devices/riscv64-softmmu
jobs=${VIREO_JOBS:-2}
log=$out/build.log

options="--target-list=riscv64-softmmu --without-default-features --enable-system --enable-tcg
    --enable-slirp --enable-fdt=system --disable-docs --disable-tools --disable-werror
    --disable-debug-info --disable-install-blobs --without-default-devices
    --with-devices-riscv64=vireo"

die() {
    echo "machine: $*" >&2
    [ ! -s "$log" ] || tail -n 25 "$log" >&2
    exit 1
}

inputs() {
    echo "$variant"
    grep '^qemu ' "$top/flash/sources.lock"
    cc --version | head -n 1
    (cd "$here" && find build.sh files patches -type f -print | LC_ALL=C sort | xargs sha256sum)
}

# The files that the patches change, as they came from Debian.
originals() {
    # shellcheck disable=SC2086
    sed -n 's|^+++ b/\([^	]*\).*|\1|p' $patches | LC_ALL=C sort -u
}

# Lay our files and the patched ones over the source; touch only what differs, so that ninja builds
# only that, and put back what we no longer change.
overlay() {
    stage=$out/stage
    rm -rf "$stage"
    mkdir -p "$stage" "$source/.orig"
    for file in $(originals); do
        keep=$source/.orig/$file
        mkdir -p "$(dirname "$keep")" "$(dirname "$stage/$file")"
        [ -e "$keep" ] || [ ! -e "$source/$file" ] || cp -p "$source/$file" "$keep"
        [ ! -e "$keep" ] || cp -p "$keep" "$stage/$file"
    done
    for patch in $patches; do
        patch -d "$stage" -p1 -s --no-backup-if-mismatch -F 0 < "$patch" > "$log" 2>&1 \
            || die "${patch##*/} does not apply"
    done
    if [ -n "$files" ]; then
        cp -R "$files/." "$stage/"
    else
        mkdir -p "$stage/$config"
        grep -v VISIONFIVE2 "$here/files/$config/vireo.mak" > "$stage/$config/vireo.mak"
    fi
    (cd "$stage" && find . -type f) | LC_ALL=C sort > "$out/overlay.new"
    [ ! -e "$source/.overlay" ] || LC_ALL=C comm -23 "$source/.overlay" "$out/overlay.new" \
        | while read -r file; do
            rm -f "$source/$file"
            [ ! -e "$source/.orig/$file" ] || cp "$source/.orig/$file" "$source/$file"
        done
    mv "$out/overlay.new" "$source/.overlay"
    while read -r file; do
        mkdir -p "$(dirname "$source/$file")"
        cmp -s "$stage/$file" "$source/$file" || cp "$stage/$file" "$source/$file"
    done < "$source/.overlay"
}

# Debian 12's meson is too old for this QEMU: use trixie's, unpacked.
configure() {
    echo "$options" | cmp -s - "$tree/options" || rm -rf "$tree"
    [ ! -e "$tree/build.ninja" ] || return 0
    echo 'machine: configuring QEMU'
    mkdir -p "$tree"
    # shellcheck disable=SC2086
    (cd "$tree" && "$source/configure" --python=/usr/bin/python3 $options) > "$log" 2>&1 || die 'configure failed'
    echo "$options" > "$tree/options"
}

# A terminal shows ninja's own counter; a log gets a line every tenth.
compile() {
    if [ -t 1 ]; then
        (cd "$tree" && nice ninja -j "$jobs" qemu-system-riscv64) || die 'QEMU does not build'
        return
    fi
    (cd "$tree" && nice ninja -j "$jobs" qemu-system-riscv64 || echo 'BUILD FAILED') 2>&1 \
        | tee "$log" | sed -u -n 's|^\[\([0-9]*\)/\([0-9]*\)\].*|\1 \2|p' | while read -r ready all; do
            tenth=$((ready * 10 / all))
            [ "$tenth" = "${last:-0}" ] || echo "machine: $ready of $all files, $(date +%T)"
            last=$tenth
        done
    ! grep -q 'BUILD FAILED' "$log" || die 'QEMU does not build'
}

mkdir -p "$out" "$cache"
hash=$(inputs | sha256sum | cut -c 1-24)
binary=$cache/$hash/qemu-system-riscv64
if [ ! -x "$binary" ]; then
    "$top/flash/setup.sh" machine
    "$top/flash/fetch.sh" src:qemu deb:meson
    meson=$top/build/debian/meson/usr
    export PYTHONPATH="$meson/lib/python3/dist-packages" PATH="$meson/bin:$PATH"
    overlay
    configure
    compile
    mkdir -p "$cache/$hash"
    strip -o "$binary.new" "$tree/qemu-system-riscv64"
    mv "$binary.new" "$binary"
    inputs > "$cache/$hash/inputs"
    # Eight are enough: the oldest go.
    find "$cache" -mindepth 1 -maxdepth 1 -type d -printf '%T@ %p\n' | sort -rn | sed '1,8d; s/^[^ ]* //' \
        | while read -r old; do rm -rf "$old"; done
fi
touch "$cache/$hash"
ln -sfn "$binary" "$link"
