// SPDX-License-Identifier: BSD-2-Clause
// kmalloc: a slab cache for each usual size up to half a page, whole blocks of pages above. kfree()
// learns which from the page. No locking of its own.
#include <lib/assert.h>
#include <mm/page.h>
#include <string.h>

#include "page_priv.h"
#include "slab_priv.h"

#define KMALLOC_SLAB_MAX 2048U

static const struct {
    uint16_t size;
    const char *name;
} kmalloc_classes[] = {
    {16, "kmalloc-16"},     {32, "kmalloc-32"},     {64, "kmalloc-64"},   {96, "kmalloc-96"},
    {128, "kmalloc-128"},   {192, "kmalloc-192"},   {256, "kmalloc-256"}, {512, "kmalloc-512"},
    {1024, "kmalloc-1024"}, {2048, "kmalloc-2048"},
};

static struct slab_cache *kmalloc_caches[ARRAY_SIZE(kmalloc_classes)];
// Index of the class for (size + 15) / 16.
static uint8_t kmalloc_class_of[KMALLOC_SLAB_MAX / 16 + 1];

void kmalloc_init(void)
{
    unsigned int class = 0;
    for (unsigned int i = 0; i < ARRAY_SIZE(kmalloc_classes); i++)
        kmalloc_caches[i] = slab_cache_create(kmalloc_classes[i].name, kmalloc_classes[i].size, 16);
    for (unsigned int i = 0; i < ARRAY_SIZE(kmalloc_class_of); i++) {
        if (i * 16 > kmalloc_classes[class].size)
            class ++;
        kmalloc_class_of[i] = (uint8_t) class;
    }
}

static unsigned int kmalloc_order(size_t size_bytes)
{
    unsigned int order = 0;
    while (PAGE_SIZE << order < size_bytes)
        order++;
    return order;
}

void *kmalloc(size_t size_bytes)
{
    if (likely(size_bytes <= KMALLOC_SLAB_MAX))
        return slab_alloc(kmalloc_caches[kmalloc_class_of[(size_bytes + 15) / 16]]);
    if (size_bytes > PAGE_SIZE << PAGE_ORDER_MAX)
        return NULL;
    struct page *p = page_alloc(kmalloc_order(size_bytes), 0);
    return p ? page_to_virt(p) : NULL;
}

void *kzalloc(size_t size_bytes)
{
    void *p = kmalloc(size_bytes);
    if (p)
        memset(p, 0, size_bytes);
    return p;
}

static size_t kmalloc_size(const void *p)
{
    const struct page *page = virt_to_page(p);
    return page->kind == PAGE_SLAB ? slab_object_size(page->slab) : PAGE_SIZE << page->order;
}

void *krealloc(void *p, size_t size_bytes)
{
    if (!p)
        return kmalloc(size_bytes);
    size_t have = kmalloc_size(p);
    if (size_bytes <= have)
        return p;
    void *fresh = kmalloc(size_bytes);
    if (!fresh)
        return NULL;
    memcpy(fresh, p, have);
    kfree(p);
    return fresh;
}

void kfree(void *p)
{
    if (!p)
        return;
    struct page *page = virt_to_page(p);
    ASSERT(page);
    if (likely(page->kind == PAGE_SLAB))
        slab_free(page->slab, p);
    else
        page_put(page);
}

char *kstrdup(const char *s)
{
    size_t size = strlen(s) + 1;
    char *copy = kmalloc(size);
    if (copy)
        memcpy(copy, s, size);
    return copy;
}
