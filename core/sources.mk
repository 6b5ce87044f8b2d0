sources += core/syscall.c
