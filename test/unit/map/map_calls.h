// SPDX-License-Identifier: BSD-2-Clause
// One process's map, called as its threads call it, and a file of FILE_PAGES; for the tests of maps
// on several harts. Each test begins with an empty map and loses no page.
#pragma once

#include <errno.h>
#include <lib/assert.h>
#include <linux/mman.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../../mm/slab_priv.h"
#include "../../../mm/vm_map_priv.h"
#include "../space/cursor_host.h"
#include "map_harts.h"

#define THREADS     HARTS
#define RW          (VM_READ | VM_WRITE)
#define SIZE(pages) ((size_t)(pages)*PAGE_SIZE)
#define FILE_PAGES  24U

extern struct vm_map *map;
extern struct vm_object file;
extern __thread void (*fill_hook)(void); // before a page of the file is read

uint64_t file_word(uint64_t index); // the first word of a page of the file
// Anonymous memory; a private or shared mapping of the file. The address or -errno.
long map_new(vaddr_t addr, unsigned int pages, unsigned int prot, unsigned int flags);
long map_file(unsigned int flags);
// A load or store of the word at `addr`: the signal, or 0.
int access_word(struct vm_map *m, vaddr_t addr, uint64_t *word, bool write);
int store(vaddr_t addr, uint64_t word);
void expect(struct vm_map *m, vaddr_t addr, uint64_t word);
// Nothing is mapped outside of regions, and no page with rights that its region hasn't. Who has the
// map and the cursor waits for whoever has only a cursor.
void check_rights(vaddr_t start, vaddr_t end);

int map_setup(void **state);
int map_teardown(void **state);
// As main(): what all tests need first.
void map_start(void);
