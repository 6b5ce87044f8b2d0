// SPDX-License-Identifier: BSD-2-Clause
// The tiny prompt of the rescue init: a line, split at blanks, the first word a command.

#include "../newlib/linux.h"
#include "init.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_MAX 16

static void command_help(char **words);

static void command_report(char **words)
{
    (void)words;
    report_board();
}

static void command_check(char **words)
{
    (void)words;
    int failed = checks_run();
    printf("%d failed\n", failed);
}

static void command_cat(char **words)
{
    if (!words[1])
        printf("usage: cat FILE\n");
    else
        report_file(words[1], words[1]);
}

static void print_line(const char *name, void *ctx)
{
    (void)ctx;
    printf("%s\n", name);
}

static void command_ls(char **words)
{
    const char *path = words[1] ? words[1] : ".";

    if (dir_for_each(path, print_line, NULL) < 0)
        printf("%s: %s\n", path, strerror(errno));
}

static void command_cd(char **words)
{
    if (!words[1] || chdir(words[1]) != 0)
        printf("cd: %s\n", words[1] ? strerror(errno) : "where to?");
}

static void command_log(char **words)
{
    static char log[65536];
    long n = linux_call(LINUX_syslog, 3, log, sizeof(log));

    (void)words;
    if (n < 0)
        printf("log: %s\n", strerror(errno));
    else
        fwrite(log, 1, (size_t)n, stdout);
}

static void command_run(char **words)
{
    int status;

    if (!words[1]) {
        printf("usage: run PROGRAM [ARGUMENT...]\n");
        return;
    }
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        execve(words[1], words + 1, environ);
        printf("%s: %s\n", words[1], strerror(errno));
        fflush(stdout);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        printf("run: %s\n", strerror(errno));
    else if (status & 0x7f)
        printf("killed by signal %d\n", status & 0x7f);
    else
        printf("exit status %d\n", status >> 8);
}

static void reboot_with(unsigned long how)
{
    fflush(stdout);
    linux_syscall(LINUX_sync);
    linux_call(LINUX_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, how, 0);
    printf("reboot: %s\n", strerror(errno));
}

static void command_poweroff(char **words)
{
    (void)words;
    reboot_with(LINUX_REBOOT_POWER_OFF);
}

static void command_reboot(char **words)
{
    (void)words;
    reboot_with(LINUX_REBOOT_RESTART);
}

static const struct {
    const char *name, *what;
    void (*run)(char **words);
} commands[] = {
    {"board", "what was found on the board", command_report},
    {"check", "run the self-checks again", command_check},
    {"log", "the kernel's log", command_log},
    {"ls", "[DIR] names in a directory", command_ls},
    {"cd", "DIR", command_cd},
    {"cat", "FILE", command_cat},
    {"run", "PROGRAM [ARGUMENT...]", command_run},
    {"reboot", "", command_reboot},
    {"poweroff", "", command_poweroff},
    {"help", "", command_help},
};

static void command_help(char **words)
{
    (void)words;
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        printf("  %-9s %s\n", commands[i].name, commands[i].what);
}

static void run_line(char *line)
{
    char *words[WORDS_MAX + 1], *rest = NULL;
    int n = 0;

    for (char *w = strtok_r(line, " \t\n", &rest); w && n < WORDS_MAX;
         w = strtok_r(NULL, " \t\n", &rest))
        words[n++] = w;
    words[n] = NULL;
    if (n == 0)
        return;
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(words[0], commands[i].name) == 0) {
            commands[i].run(words);
            return;
        }
    }
    printf("%s: not known; `help` lists what is\n", words[0]);
}

void prompt_run(void)
{
    char line[256];

    for (;;) {
        printf("vireo> ");
        fflush(stdout);
        if (!fgets(line, sizeof(line), stdin))
            return;
        run_line(line);
    }
}
