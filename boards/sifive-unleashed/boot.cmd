mmc rescan
sysboot mmc 0:3 any ${pxefile_addr_r} /extlinux/extlinux.conf
