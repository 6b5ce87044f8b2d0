sources += core/syscall.c
sources += core/sys_pipe.c
sources += core/sys_poll.c
