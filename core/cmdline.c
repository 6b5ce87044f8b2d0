// SPDX-License-Identifier: BSD-2-Clause
// The command line, split into words at boot and constant afterwards. A double-quoted part may hold
// spaces. Words that nobody here knows go to init: `name=value` to its environment, others to its
// arguments; all that follows `--` are arguments (Linux
// Documentation/admin-guide/kernel-parameters).
#include <arch/log.h>
#include <core/cmdline.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct cmdline cmdline = {.loglevel = -1, .maxcpus = NR_CPUS_MAX};

static char words[sizeof(cmdline.text)]; // cut in place
static unsigned int nr_argv = 1, nr_envp, nr_dropped;

static bool parse_number(const char *name, const char *value, unsigned long max, unsigned long *n)
{
    char *end;
    *n = strtoul(value, &end, 0);
    if (isdigit(*value) && *end == '\0' && *n <= max)
        return true;
    log_warn("command line: %s=%s: not a number from 0 to %lu, ignored", name, value, max);
    return false;
}

static void take_init(const char *value)
{
    cmdline.init = value;
}

static void take_console(const char *value)
{
    cmdline.console = value;
}

static void take_loglevel(const char *value)
{
    unsigned long n;
    if (parse_number("loglevel", value, 15, &n))
        cmdline.loglevel = (int)n;
}

static void take_maxcpus(const char *value)
{
    unsigned long n;
    if (parse_number("maxcpus", value, INT_MAX, &n))
        cmdline.maxcpus = n == 0 ? 1 : (unsigned int)n;
}

static void take_panic(const char *value)
{
    unsigned long n;
    if (parse_number("panic", value, INT_MAX, &n))
        cmdline.panic_seconds = (int)n;
}

static void take_quiet(const char *value)
{
    cmdline.loglevel = 4;
}

static void take_nothing(const char *value)
{
}

static const struct {
    const char *name;
    void (*take)(const char *value); // "" when the word has no '='
    bool needs_value;
} known[] = {
    {"init", take_init, true},          {"rdinit", take_init, true},
    {"console", take_console, true},    {"loglevel", take_loglevel, true},
    {"maxcpus", take_maxcpus, true},    {"panic", take_panic, true},
    {"quiet", take_quiet, false},       {"earlycon", take_nothing, false},
    {"root", take_nothing, true},       {"ro", take_nothing, false},
    {"rw", take_nothing, false},        {"rootwait", take_nothing, false},
    {"rootfstype", take_nothing, true},
};

static void add_word(const char **list, unsigned int *nr, unsigned int max, const char *word)
{
    if (*nr + 1 < max) {
        list[(*nr)++] = word;
    } else if (nr_dropped++ == 0) {
        log_warn("command line: too many words for init, dropped from \"%s\" on", word);
    }
}

static void take_word(char *word)
{
    char *value = strchr(word, '=');
    size_t length = value ? (size_t)(value - word) : strlen(word);
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        if (strlen(known[i].name) != length || memcmp(known[i].name, word, length) != 0)
            continue;
        if (!value && known[i].needs_value)
            log_warn("command line: %s needs a value, ignored", word);
        else
            known[i].take(value ? value + 1 : "");
        return;
    }
    if (nr_dropped == 0)
        log_info("command line: \"%s\" is unknown here, passed to init", word);
    if (value)
        add_word(cmdline.init_envp, &nr_envp, ARRAY_SIZE(cmdline.init_envp), word);
    else
        add_word(cmdline.init_argv, &nr_argv, ARRAY_SIZE(cmdline.init_argv), word);
}

// The next word, its quotes removed, or NULL. *text moves on.
static char *next_word(char **text)
{
    char *in = *text;
    while (isspace(*in))
        in++;
    if (*in == '\0')
        return NULL;
    char *word = in, *out = in;
    bool quoted = false;
    for (; *in != '\0' && (quoted || !isspace(*in)); in++) {
        if (*in == '"')
            quoted = !quoted;
        else
            *out++ = *in;
    }
    *text = *in == '\0' ? in : in + 1;
    *out = '\0';
    return word;
}

void cmdline_parse(const char *bootargs)
{
    if (strlcpy(cmdline.text, bootargs, sizeof(cmdline.text)) >= sizeof(cmdline.text))
        log_warn("command line: cut after %zu bytes", sizeof(cmdline.text) - 1);
    memcpy(words, cmdline.text, sizeof(words));
    add_word(cmdline.init_envp, &nr_envp, ARRAY_SIZE(cmdline.init_envp), "HOME=/");
    add_word(cmdline.init_envp, &nr_envp, ARRAY_SIZE(cmdline.init_envp), "TERM=linux");
    char *text = words, *word;
    bool rest = false;
    while ((word = next_word(&text))) {
        if (rest)
            add_word(cmdline.init_argv, &nr_argv, ARRAY_SIZE(cmdline.init_argv), word);
        else if (strcmp(word, "--") == 0)
            rest = true;
        else
            take_word(word);
    }
}
