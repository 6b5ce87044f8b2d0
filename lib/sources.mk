sources += lib/ubsan.c
sources += lib/bits.c
sources += lib/cpio.c
sources += lib/cred.c
sources += lib/dt.c
sources += lib/dt_system.c
sources += lib/inflate.c
sources += lib/printf.c
sources += lib/rbtree.c
sources += lib/string.c
# The compiler must not turn the loops of memcpy into calls of memcpy.
$(out)/lib/string.o: file_flags := $(if $(is_clang),,-fno-tree-loop-distribute-patterns)
sources += lib/strtoul.c
