sources += sync/futex.c
sources += sync/mutex.c
sources += sync/rwlock.c
sources += sync/spinlock.c
sources += sync/wait_queue.c
