#!/bin/sh
# fetch.sh ITEM...: bring what Vireo does not keep in its repository, each only once.
#   src:NAME    a source of flash/sources.lock, its SHA-256 checked -> build/external/NAME
#   deb:NAME    a Debian trixie riscv64 package                     -> build/debian/NAME
#   tree:NAME   that package and all it depends on                  -> build/debian/NAME
# Packages come through apt with its signature checks, sources through apt with the pinned checksum,
# both from the mirror that this machine's own apt uses (or VIREO_MIRROR=). Files are kept in
# ${XDG_CACHE_HOME:-~/.cache}/vireo: what is there once is never asked for again, by any clone.
set -eu

suite=trixie
top=$(cd "$(dirname "$0")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/vireo
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

die() {
    echo "fetch: $*" >&2
    exit 1
}

# The Debian mirror of this machine's apt; its lists may be missing in a fresh container.
mirror() {
    [ -z "${VIREO_MIRROR:-}" ] || { echo "${VIREO_MIRROR%/}/" && return; }
    for try in 1 2; do
        # shellcheck disable=SC2016  # $(REPO_URI) is for apt
        found=$(apt-get indextargets --format '$(REPO_URI)' \
            'Created-By: Packages' 'Origin: Debian' 'Component: main' | head -n 1)
        [ -z "$found" ] || { echo "${found%/}/" && return; }
        [ "$try" = 2 ] || [ "$(id -u)" != 0 ] || apt-get -q update > /dev/null 2>&1 || true
    done
    die "this machine's apt names no Debian mirror: run 'apt-get update', or set VIREO_MIRROR="
}

# apt with a root of its own: riscv64, the suite we want, nothing installed.
private_apt() {
    tool=$1
    shift
    root=$cache/apt
    "$tool" -q -oAPT::Architecture=riscv64 -oAPT::Architectures=riscv64 -oAPT::Sandbox::User=root \
        -oDir::State="$root" -oDir::State::status="$root/status" -oDir::State::Lists="$root/lists" \
        -oDir::Cache="$root/cache" -oDir::Etc::SourceList="$root/sources.list" \
        -oDir::Etc::SourceParts=/dev/null -oDir::Etc::Preferences=/dev/null \
        -oDir::Etc::PreferencesParts=/dev/null "$@"
}

private_apt_update() {
    [ -z "$(find "$cache/apt/updated" -mmin -60 2> /dev/null)" ] || return 0
    [ -r $keyring ] || die "$keyring is missing (package debian-archive-keyring)"
    from=$(mirror)
    mkdir -p "$cache/apt/lists/partial" "$cache/apt/cache/archives/partial"
    : > "$cache/apt/status"
    echo "deb [signed-by=$keyring] $from $suite main" > "$cache/apt/sources.list"
    echo "fetch: Debian $suite riscv64 package lists"
    private_apt apt-get -oAPT::Update::Error-Mode=any update > "$cache/apt/log" 2>&1 || {
        tail -n 3 "$cache/apt/log" >&2
        die "no package lists for $suite (no network, or a mirror without that suite)"
    }
    touch "$cache/apt/updated"
}

# Download the packages of one item and note their names and checksums in the list file.
download_packages() {
    kind=$1 name=$2 list=$3
    private_apt_update
    packages=$name
    case $kind:$name in
    deb:linux-image-*) # a meta-package: the kernel is in the package it depends on
        packages=$(private_apt apt-cache depends --important "$name" | sed -n 's/.*Depends: //p') ;;
    tree:*)
        packages=$(private_apt apt-get -s install --no-install-recommends "$name" \
            | sed -n 's/^Inst \([^ ]*\) .*/\1/p') ;;
    esac
    [ -n "$packages" ] || die "apt knows no package $name in $suite"
    rm -rf "$cache/partial"
    mkdir -p "$cache/partial" "$cache/packages"
    echo "fetch: $(echo "$packages" | tr '\n' ' ')"
    # shellcheck disable=SC2086
    (cd "$cache/partial" && private_apt apt-get download $packages) > "$cache/apt/log" 2>&1 || {
        tail -n 3 "$cache/apt/log" >&2
        rm -f "$cache/apt/updated"
        die "could not download $name"
    }
    (cd "$cache/partial" && sha256sum ./*.deb) > "$cache/list"
    mv "$cache/partial"/*.deb "$cache/packages/"
    mv "$cache/list" "$list"
}

# Of the kernel's package only what is used here: it has 400 MB of modules and 1000 device trees.
unpack() {
    case $1 in
    linux-image-*)
        tar -C "$2" -x --wildcards ./boot './usr/lib/linux-image-*/starfive' \
            './usr/lib/linux-image-*/microchip' './usr/lib/linux-image-*/sifive' \
            './usr/lib/modules/*/drivers/mmc' './usr/lib/modules/*/drivers/watchdog/watchdog.ko*' \
            './usr/lib/modules/*/drivers/watchdog/starfive*' \
            './usr/lib/modules/*/drivers/i2c/busses/i2c-designware*' \
            './usr/lib/modules/*/fs/fat' './usr/lib/modules/*/fs/nls' './usr/lib/modules/*/drivers/virtio' \
            './usr/lib/modules/*/drivers/block/virtio_blk.ko*'
        ln -sfn "$(cd "$2" && echo usr/lib/linux-image-*)" "$2/dtbs"
        ln -sfn "$(cd "$2" && echo usr/lib/modules/*/kernel)" "$2/modules"
        ;;
    *) tar -C "$2" -x ;;
    esac
}

fetch_packages() {
    kind=$1 name=$2
    out=$top/build/debian/$name
    stamp=$out/.fetched
    # A kernel's folder from before it had all of this is made anew.
    case $name in linux-image-*) [ -e "$out/modules/fs/fat" ] || rm -f "$stamp" ;; esac
    [ "$(cat "$stamp" 2> /dev/null)" != "$kind" ] || return 0
    list=$cache/$suite-$kind-$name.list
    if [ ! -s "$list" ] || ! (cd "$cache/packages" && sha256sum --quiet -c "$list") > /dev/null 2>&1
    then
        download_packages "$kind" "$name" "$list"
    fi
    rm -rf "$out"
    mkdir -p "$out"
    sed 's/^[0-9a-f]*  //' "$list" | while read -r file; do
        dpkg-deb --fsys-tarfile "$cache/packages/$file" | unpack "$name" "$out"
    done
    echo "$kind" > "$stamp"
}

fetch_source() {
    name=$1
    out=$top/build/external/$name
    # shellcheck disable=SC2046
    set -- $(sed -n "s/^$name  *//p" "$top/flash/sources.lock")
    [ $# = 3 ] || die "flash/sources.lock has no source $name"
    path=$2 sum=$3 file=$cache/sources/${2##*/}
    if [ "$(cat "$out/.fetched" 2> /dev/null)" = "$sum" ]; then
        touch "$out/.fetched"
        return
    fi
    if ! echo "$sum  $file" | sha256sum --quiet -c > /dev/null 2>&1; then
        from=$(mirror)
        mkdir -p "$cache/sources"
        echo "fetch: ${path##*/}"
        /usr/lib/apt/apt-helper -oAPT::Sandbox::User=root -q download-file "$from$path" \
            "$file" "SHA256:$sum" > "$cache/log" 2>&1 || {
            tail -n 3 "$cache/log" >&2
            die "could not get ${path##*/} (no network? or not the file pinned in flash/sources.lock)"
        }
    fi
    rm -rf "$out"
    mkdir -p "$out"
    without=
    case $name in qemu) without='--exclude=*/roms/*' ;; esac # firmware's sources: 280 MB, not used
    # shellcheck disable=SC2086
    tar -C "$out" --strip-components=1 $without -xf "$file"
    echo "$sum" > "$out/.fetched"
}

[ $# -gt 0 ] || die "usage: fetch.sh {src:|deb:|tree:}NAME..."
mkdir -p "$cache"
exec 9> "$cache/lock" # one fetch at a time, whichever clone it runs for
flock 9
for item; do
    case $item in
    src:*) fetch_source "${item#*:}" ;;
    deb:* | tree:*) fetch_packages "${item%%:*}" "${item#*:}" ;;
    *) die "unknown item '$item'" ;;
    esac
done
