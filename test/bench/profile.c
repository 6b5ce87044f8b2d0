// SPDX-License-Identifier: BSD-2-Clause
// A plug-in of QEMU (host code): counts instructions by the call stack of kernel functions, between
// two functions of the benchmark program. Arguments: symbols=FILE ("address name" lines,
// ascending), begin= end= reset= addresses in the program, out=FILE (folded stacks: "a;b;c count").
//
// The stack is followed by where execution goes: to the first instruction of a function is a call,
// into the middle of a function that is on the stack is a return to it, elsewhere is a jump. A trap
// from user mode starts a new stack. One hart only.
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// What we use of QEMU's plug-in interface, version 1 (Debian ships no header for it).
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef uint64_t plugin_id;
extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id,
                                                  void (*callback)(plugin_id,
                                                                   struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb,
                                                 void (*callback)(unsigned int, void *), int flags,
                                                 void *data);
extern void qemu_plugin_register_atexit_cb(plugin_id id, void (*callback)(plugin_id, void *),
                                           void *data);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
extern uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
int qemu_plugin_version = 1;
int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv);

struct symbol {
    uint64_t start;
    char *name;
};

// A function at a place in the tree of calls.
struct node {
    struct node *parent, *child, *next;
    const struct symbol *function;
    uint64_t instructions;
};

// A translated block.
struct block {
    uint64_t start;
    unsigned int length;
    const struct symbol *function; // NULL: user mode
};

static struct symbol *symbols;
static size_t nr_symbols;
static uint64_t begin, end, reset;
static const char *out;
static bool counting, was_user = true;
static struct symbol user_symbol = {0, "[user]"}, firmware_symbol = {0, "[firmware]"};
static struct node root, *at = &root;

static void read_symbols(const char *path)
{
    FILE *file = fopen(path, "r");
    char line[512], name[400];
    uint64_t start;
    while (file && fgets(line, sizeof(line), file)) {
        if (sscanf(line, "%" SCNx64 " %399s", &start, name) != 2)
            continue;
        symbols = realloc(symbols, (nr_symbols + 1) * sizeof(*symbols));
        symbols[nr_symbols++] = (struct symbol){start, strdup(name)};
    }
    if (file)
        fclose(file);
}

static const struct symbol *symbol_of(uint64_t address)
{
    size_t low = 0, high = nr_symbols;
    if (address < UINT64_C(1) << 63)
        return address >= 0x80000000 && address < 0x80200000 ? &firmware_symbol : NULL;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (symbols[middle].start <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? &symbols[low - 1] : &firmware_symbol;
}

static struct node *child_of(struct node *parent, const struct symbol *function)
{
    for (struct node *child = parent->child; child; child = child->next) {
        if (child->function == function)
            return child;
    }
    struct node *child = calloc(1, sizeof(*child));
    *child = (struct node){.parent = parent, .next = parent->child, .function = function};
    parent->child = child;
    return child;
}

static void follow(const struct block *block)
{
    const struct symbol *function = block->function;
    if (!function) {
        at = child_of(&root, &user_symbol);
        was_user = true;
        return;
    }
    if (was_user)
        at = &root;
    was_user = false;
    if (at->function == function && block->start != function->start)
        return;
    if (block->start != function->start) {
        for (struct node *up = at; up != &root; up = up->parent) {
            if (up->function == function) {
                at = up;
                return;
            }
        }
        if (at != &root)
            at = at->parent;
    }
    at = child_of(at, function);
}

static void clear(struct node *node)
{
    node->instructions = 0;
    for (struct node *child = node->child; child; child = child->next)
        clear(child);
}

static void on_block(unsigned int hart, void *data)
{
    const struct block *block = data;
    if (block->start == reset)
        clear(&root);
    else if (block->start == begin)
        counting = true;
    else if (block->start == end)
        counting = false;
    if (!counting)
        return;
    follow(block);
    at->instructions += block->length;
}

static void on_translation(plugin_id id, struct qemu_plugin_tb *tb)
{
    struct block *block = malloc(sizeof(*block));
    block->start = qemu_plugin_tb_vaddr(tb);
    block->length = (unsigned int)qemu_plugin_tb_n_insns(tb);
    block->function = symbol_of(block->start);
    qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, 0, block);
}

static void print(FILE *file, const struct node *node, const char *path)
{
    char here[4096];
    const char *name = node->function ? node->function->name : "";
    snprintf(here, sizeof(here), "%s%s%s", path, *path ? ";" : "", name);
    if (node->instructions)
        fprintf(file, "%s %" PRIu64 "\n", here, node->instructions);
    for (const struct node *child = node->child; child; child = child->next)
        print(file, child, here);
}

static void at_exit(plugin_id id, void *data)
{
    FILE *file = fopen(out, "w");
    if (!file)
        return;
    print(file, &root, "");
    fclose(file);
}

__attribute__((visibility("default"))) int qemu_plugin_install(plugin_id id, const void *info,
                                                               int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        if (!value++)
            return -1;
        if (strncmp(argv[i], "symbols=", 8) == 0)
            read_symbols(value);
        else if (strncmp(argv[i], "begin=", 6) == 0)
            begin = strtoull(value, NULL, 0);
        else if (strncmp(argv[i], "end=", 4) == 0)
            end = strtoull(value, NULL, 0);
        else if (strncmp(argv[i], "reset=", 6) == 0)
            reset = strtoull(value, NULL, 0);
        else if (strncmp(argv[i], "out=", 4) == 0)
            out = strdup(value);
    }
    if (!out || !begin || !end || !nr_symbols)
        return -1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, at_exit, NULL);
    return 0;
}
