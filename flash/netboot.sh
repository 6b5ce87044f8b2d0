#!/bin/sh
# netboot.sh CONSOLE SERVER APPEND: what to type at U-Boot's prompt to start what `make netboot` laid out. Without a
# SERVER, whoever answers DHCP is taken.
set -eu
server=${2:+$2:}
echo 'setenv autoload no'
echo 'dhcp'
echo "setenv bootargs console=$1${3:+ $3}"
# shellcheck disable=SC2016 # U-Boot's variables
{
    printf 'tftpboot ${kernel_addr_r} %sImage\n' "$server"
    printf 'tftpboot ${ramdisk_addr_r} %sinitrd.img\n' "$server"
    echo 'booti ${kernel_addr_r} ${ramdisk_addr_r}:${filesize} ${fdtcontroladdr}'
}
