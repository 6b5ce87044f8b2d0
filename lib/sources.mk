sources += lib/ubsan.c
