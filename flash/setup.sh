#!/bin/sh
# setup.sh [GROUP...]: see that the Debian packages which these groups of make targets need are there.
# Says what it installs, and nothing when all is there (then it needs no network and no rights).
set -eu

packages_of() {
    case $1 in
    build) echo make gcc-riscv64-linux-gnu linux-libc-dev-riscv64-cross python3 xz-utils ;;
    clang) echo clang lld ;;
    fuzz) echo clang libclang-rt-14-dev ;;
    run) echo qemu-system-misc cpio gzip ;;
    uboot) echo genimage mtools dosfstools ;;
    image) echo gdisk u-boot-tools lrzsz ;;
    recovery) echo lrzsz ;;
    dts) echo device-tree-compiler ;;
    debug) echo gdb-multiarch ;;
    user) echo gcc-riscv64-unknown-elf gcc libc6-dev ;;
    test) echo gcc libc6-dev libcmocka-dev python3-pytest python3-labgrid python3-libfdt device-tree-compiler \
        libc6-dev-riscv64-cross ;;
    machine) echo gcc libc6-dev ninja-build pkg-config patch python3 libglib2.0-dev libfdt-dev libslirp-dev ;;
    bench) echo python3-matplotlib ;;
    check) echo clang-format clang-tidy cppcheck shellcheck spin ;;
    *) echo "setup: unknown group '$1' (build clang fuzz run uboot dts image recovery debug user test machine bench check)" >&2; return 1 ;;
    esac
}

wanted=
for group in "${@:-build}"; do
    wanted="$wanted $(packages_of "$group")"
done

command -v dpkg-query > /dev/null || {
    echo "setup: this is not a Debian system; please install yourself:$wanted" >&2
    exit 1
}
# shellcheck disable=SC2086
have=" $(dpkg-query -W -f '${db:Status-Status}=${Package} ' $wanted 2> /dev/null || true)"
missing=
for package in $wanted; do
    case "$have" in *" installed=$package "*) ;; *) missing="$missing $package" ;; esac
done
[ -n "$missing" ] || exit 0

echo "setup: installing$missing"
as_root=
if [ "$(id -u)" != 0 ]; then
    command -v sudo > /dev/null || {
        echo "setup: not root and no sudo here; please have these installed:$missing" >&2
        exit 1
    }
    as_root=sudo
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() {
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=900 "$@" \
        > "$log" 2>&1 < /dev/null
}
# apt's lists may be absent (a fresh container) or old (their files gone from the mirror).
# shellcheck disable=SC2086
apt install --no-install-recommends $missing \
    || { apt update && apt install --no-install-recommends $missing; } \
    || {
        tail -n 5 "$log" >&2
        echo "setup: apt could not install:$missing" >&2
        exit 1
    }
