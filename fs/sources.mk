sources += fs/chrdev.c
sources += fs/devtmpfs.c
sources += fs/procfs.c
sources += fs/sysfs.c
sources += fs/text.c
