# Host tests: `make unit` builds and runs test/unit/*/*_test.c with cmocka under ASan and UBSan. A
# test links the parts it proves: all of mm for test/unit/mm, else what unit_sources_<test> lists.

unit_out   := $(BUILD)/unit
unit_cc    := gcc
comma      := ,
unit_flags := -std=gnu11 -O1 -g -D_GNU_SOURCE -fno-omit-frame-pointer -fno-strict-aliasing \
              -fsanitize=address,undefined -fno-sanitize-recover=all -Wall -Wextra -Werror \
              -Wno-unused-parameter -Itest/unit/host/include -Itest/unit/host \
              $(foreach folder,lib arch/riscv sync mm fs ipc core,-I$(folder)/include) \
              -isystem $(external)/dtc/libfdt -isystem $(external)/zlib
unit_libfdt := $(patsubst %,$(unit_out)/external/dtc/libfdt/%.o,$(libfdt) fdt_empty_tree)
unit_zlib   := $(patsubst %,$(unit_out)/external/zlib/%.o,$(zlib) deflate trees)

unit_sources_arch/tlb_test     := test/unit/arch/hart_model.c test/unit/arch/tlb_model.c
unit_sources_core/elf_test     := core/elf.c
unit_sources_core/period_test   := core/period.c
unit_sources_core/sched_queue_test := core/sched_queue.c lib/rbtree.c
unit_sources_core/signal_queue_test := core/signal_queue.c
unit_ipc                      := test/unit/ipc/ipc_host.c ipc/ids.c ipc/permission.c ipc/limits.c \
                                 ipc/shm_none.c $(filter ipc/sem% ipc/msg%,$(sources)) lib/cred.c
unit_sources_ipc/ids_test     := $(unit_ipc)
unit_sources_ipc/sem_test     := $(unit_ipc)
unit_sources_ipc/sem_model_test := $(unit_ipc)
unit_sources_ipc/msg_test     := $(unit_ipc)
unit_sources_ipc/msg_model_test := $(unit_ipc)
unit_sources_lib/cpio_test    := lib/cpio.c
unit_sources_lib/dt_test      := lib/dt.c lib/dt_system.c
unit_objects_lib/dt_test      := $(unit_libfdt)
unit_sources_lib/inflate_test := lib/inflate.c
unit_objects_lib/inflate_test := $(unit_zlib)
unit_sources_lib/rbtree_test  := lib/rbtree.c
unit_fs                       := test/unit/fs/fs_host.c mm/uio.c
unit_sources_fs/epoll_test    := $(unit_fs) fs/poll.c lib/rbtree.c
unit_sources_fs/fat_model_test := fs/fat_volume.c fs/fat_dir.c fs/fat_name.c
unit_sources_fs/mqueue_model_test := test/unit/ipc/ipc_host.c fs/mqueue.c lib/rbtree.c lib/cred.c
unit_sources_fs/partition_test := fs/partition.c
unit_objects_fs/partition_test := $(unit_zlib)
unit_sources_fs/pipe_test     := $(unit_fs) fs/poll.c fs/pipe.c fs/pipe_fifo.c
unit_sources_fs/poll_test     := $(unit_fs) fs/poll.c
unit_sources_fs/procfs_test   := $(unit_fs) fs/poll.c fs/procfs.c fs/text.c
unit_sources_fs/tty_ioctl_test := $(unit_fs) fs/poll.c fs/tty.c fs/tty_ldisc.c fs/tty_ioctl.c
unit_sources_fs/tty_test      := $(unit_fs) fs/poll.c fs/tty.c fs/tty_ldisc.c fs/tty_ioctl.c

# sync runs on threads of the host under ThreadSanitizer, which excludes ASan: objects of its own.
# TSan knows no fences (-Wno-tsan): what pairs by one alone is atomic in the tests.
tsan_out   := $(unit_out)/tsan
tsan_flags := -Itest/unit/sync/include \
              $(subst -fsanitize=address$(comma)undefined,-fsanitize=thread -Wno-tsan,$(unit_flags))
tsan_code  := $(patsubst %.c,$(tsan_out)/%.o,$(filter sync/%,$(sources)) \
                                        lib/rbtree.c test/unit/sync/sync_host.c)

# So do cursors, with harts that are threads.
space_out   := $(unit_out)/tsan-space
space_flags := -Itest/unit/space/include $(tsan_flags)
space_code  := $(patsubst %.c,$(space_out)/%.o,$(filter sync/%,$(sources)) lib/rbtree.c \
                         $(addprefix mm/vm_,table.c space.c unmap.c clone.c share.c huge.c) \
                         test/unit/sync/sync_host.c test/unit/space/cursor_host.c)

# And maps: all of mm above pages.
map_code := $(sort $(space_code) $(patsubst %.c,$(space_out)/%.o,\
              $(filter mm/vm_% mm/radix.c,$(sources)) test/unit/map/map_host.c test/unit/map/map_harts.c \
              test/unit/map/map_calls.c))

# A TLB and allocators that tell: see host.h.
unit_wrap  := $(foreach f,page_alloc page_put page_free_last slab_alloc slab_zalloc,-Wl,--wrap=$(f))

unit_tests    := $(patsubst test/unit/%.c,$(unit_out)/%,$(wildcard test/unit/*/*_test.c))
unit_mm       := $(filter mm/%,$(sources)) lib/rbtree.c
unit_host     := $(wildcard test/unit/host/*.c)
unit_mm_tests := $(filter $(unit_out)/mm/%,$(unit_tests))
unit_sync_tests := $(filter $(unit_out)/sync/%,$(unit_tests))
unit_space_tests := $(filter $(unit_out)/space/%,$(unit_tests))
unit_map_tests := $(filter $(unit_out)/map/%,$(unit_tests))

# The VFS over the real mm.
unit_vfs       := $(filter fs/dentry.c fs/inode.c fs/path%.c fs/mount.c fs/fs_context.c fs/file%.c \
                           fs/fd_table.c fs/tmpfs%.c fs/initramfs%.c,$(sources)) \
                  fs/hugetlbfs.c lib/cred.c lib/cpio.c lib/inflate.c test/unit/fs/vfs_host.c
# Segments over the real mm.
unit_shm       := $(filter ipc/shm%,$(sources)) ipc/ids.c ipc/permission.c ipc/limits.c \
                  ipc/sem_none.c ipc/msg_none.c lib/cred.c
unit_shm_tests := $(unit_out)/ipc/shm_test
# Ids, semaphores, messages, segments and POSIX queues on threads.
unit_race       := ipc/ids.c ipc/permission.c ipc/limits.c lib/cred.c
unit_race_ipc/race_test     := $(unit_race) ipc/shm_none.c $(filter ipc/sem% ipc/msg%,$(sources))
unit_race_ipc/shm_race_test := $(unit_race) ipc/sem_none.c ipc/msg_none.c \
                               $(filter ipc/shm%,$(sources))
unit_race_fs/mqueue_race_test := fs/mqueue.c
unit_race_tests := $(addprefix $(unit_out)/,ipc/race_test ipc/shm_race_test fs/mqueue_race_test)
unit_vfs_tests := $(addprefix $(unit_out)/fs/,path_test initramfs_test)

.PHONY: unit
.SECONDARY:

$(unit_out)/%.o: %.c test/unit/unit.mk | $(external)/dtc/.fetched $(external)/zlib/.fetched
	@mkdir -p $(@D)
	$(call say,HOSTCC,$<)
	$(Q)$(unit_cc) $(unit_flags) -MMD -MP -c $< -o $@

# Other people's code: their warnings are theirs, and zlib leans on pointer sums beyond its arrays.
$(unit_out)/external/%.o: | $(external)/dtc/.fetched $(external)/zlib/.fetched
	@mkdir -p $(@D)
	$(call say,HOSTCC,$(external)/$*.c)
	$(Q)$(unit_cc) $(unit_flags) -w -fno-sanitize=undefined -c $(external)/$*.c -o $@

$(unit_mm_tests): $(unit_out)/%: $(unit_out)/test/unit/%.o $(unit_mm:%.c=$(unit_out)/%.o) \
                                 $(unit_host:%.c=$(unit_out)/%.o)
	$(Q)mkdir -p $(@D) && $(unit_cc) $(unit_flags) $(unit_wrap) $^ -lcmocka -o $@

$(unit_vfs_tests): $(unit_out)/%: $(unit_out)/test/unit/%.o $(unit_vfs:%.c=$(unit_out)/%.o) \
                                  $(unit_mm:%.c=$(unit_out)/%.o) \
                                  $(unit_host:%.c=$(unit_out)/%.o) $(unit_zlib)
	$(Q)mkdir -p $(@D) && $(unit_cc) $(unit_flags) $(unit_wrap) $^ -lcmocka -o $@

$(unit_shm_tests): $(unit_out)/%: $(unit_out)/test/unit/%.o $(unit_shm:%.c=$(unit_out)/%.o) \
                                  $(unit_mm:%.c=$(unit_out)/%.o) \
                                  $(unit_host:%.c=$(unit_out)/%.o)
	$(Q)mkdir -p $(@D) && $(unit_cc) $(unit_flags) $(unit_wrap) $^ -lcmocka -o $@

$(tsan_out)/%.o: %.c test/unit/unit.mk
	@mkdir -p $(@D)
	$(call say,HOSTCC,$<)
	$(Q)$(unit_cc) $(tsan_flags) -MMD -MP -c $< -o $@

$(unit_race_tests): $(unit_out)/%: $(tsan_out)/test/unit/%.o $(tsan_code) \
                                   $$(patsubst %.c,$(tsan_out)/%.o,$$(unit_race_$$*))
	$(Q)mkdir -p $(@D) && $(unit_cc) $(tsan_flags) $^ -lcmocka -pthread -o $@

$(unit_sync_tests): $(unit_out)/%: $(tsan_out)/test/unit/%.o $(tsan_code)
	$(Q)mkdir -p $(@D) && $(unit_cc) $(tsan_flags) $^ -lcmocka -pthread -o $@

$(space_out)/%.o: %.c test/unit/unit.mk
	@mkdir -p $(@D)
	$(call say,HOSTCC,$<)
	$(Q)$(unit_cc) $(space_flags) -MMD -MP -c $< -o $@

$(unit_space_tests): $(unit_out)/%: $(space_out)/test/unit/%.o $(space_code)
	$(Q)mkdir -p $(@D) && $(unit_cc) $(space_flags) $^ -lcmocka -pthread -o $@

$(unit_map_tests): $(unit_out)/%: $(space_out)/test/unit/%.o $(map_code)
	$(Q)mkdir -p $(@D) && $(unit_cc) $(space_flags) -Wl,--wrap=vm_cursor_open $^ -lcmocka -pthread -o $@

$(filter-out $(unit_mm_tests) $(unit_race_tests) $(unit_shm_tests) $(unit_vfs_tests) $(unit_sync_tests) $(unit_space_tests) \
             $(unit_map_tests),$(unit_tests)): \
                                 $(unit_out)/%: $(unit_out)/test/unit/%.o \
                                 $$(patsubst %.c,$(unit_out)/%.o,$$(unit_sources_$$*)) \
                                 $$(unit_objects_$$*)
	$(Q)mkdir -p $(@D) && $(unit_cc) $(unit_flags) $^ -lcmocka -o $@

# Every test runs, whatever the ones before it did; cmocka's closing lines stay to be seen.
unit: $(unit_tests)
	@failed=; for test in $(unit_tests); do \
	    echo "== $${test#$(unit_out)/}"; timeout 300 $$test || failed="$$failed $${test#$(unit_out)/} (status $$?)"; \
	done; [ -z "$$failed" ] || { echo "unit: failed:$$failed"; exit 1; }; \
	echo "unit: all $(words $(unit_tests)) programs passed"

# Random calls beside their models: walks from another seed each time, and libFuzzer, which looks for
# choices that reach new code and keeps them in build/fuzz/NAME. ROUNDS= steps of a walk, SECONDS= of a
# fuzzer. `make test` has both with bounds (fuzz-short).
fuzz_tests := ipc/sem_model_test ipc/msg_model_test fs/mqueue_model_test fs/fat_model_test
fuzz_out   := $(BUILD)/fuzz
fuzz_flags := $(filter-out -fsanitize%,$(unit_flags)) -DFUZZER -fsanitize=fuzzer$(comma)address$(comma)undefined \
              -fno-sanitize-recover=all -Wno-unused-function
.PHONY: fuzz fuzz-short

$(fuzz_tests:%=$(fuzz_out)/%): $(fuzz_out)/%: test/unit/%.c $$(unit_sources_$$*) test/unit/ipc/ipc_walk.h
	@mkdir -p $(@D)
	$(call say,FUZZER,$@)
	$(Q)clang $(fuzz_flags) $(filter %.c,$^) -lcmocka -pthread -o $@

fuzz-short: $(fuzz_tests:%=$(fuzz_out)/%)
	@for test in $^; do mkdir -p $$test.corpus; CMOCKA_TEST_ABORT=1 $$test -seed=1 -runs=400 -len_control=0 -max_len=1000 \
	    -rss_limit_mb=0 -artifact_prefix=$$test. $$test.corpus > $$test.log 2>&1 \
	    || { tail -40 $$test.log; exit 1; }; grep -h DONE $$test.log; done

fuzz: $(fuzz_tests:%=$(unit_out)/%) $(fuzz_tests:%=$(fuzz_out)/%)
	@seed=$$$$; echo "seed $$seed"; for test in $(fuzz_tests:%=$(unit_out)/%); do \
	    SEED=$$seed ROUNDS=$(or $(ROUNDS),1000000) $$test || exit 1; done
	@for test in $(fuzz_tests:%=$(fuzz_out)/%); do mkdir -p $$test.corpus; CMOCKA_TEST_ABORT=1 $$test \
	    -max_total_time=$(or $(SECONDS),300) -len_control=0 -max_len=4000 -rss_limit_mb=0 -print_final_stats=1 \
	    -artifact_prefix=$$test. $$test.corpus || exit 1; done

-include $(wildcard $(unit_out)/*/*.d $(unit_out)/test/unit/*/*.d \
                    $(tsan_out)/*/*.d $(tsan_out)/test/unit/*/*.d \
                    $(space_out)/*/*.d $(space_out)/test/unit/*/*.d)
