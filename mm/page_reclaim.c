// SPDX-License-Identifier: BSD-2-Clause
// What the kernel keeps for itself to be fast, given back when memory is short or somebody asks
// (/proc/sys/vm/drop_caches): kernel stacks, this hart's pages, objects and page tables, and empty
// slabs. No state.
#include <mm/vmap.h>

#include "page_priv.h"
#include "slab_priv.h"
#include "vm_space_priv.h"

bool page_reclaim(void)
{
    vmap_reclaim();
    vm_space_reclaim();
    slab_reclaim();
    return page_give_back();
}
