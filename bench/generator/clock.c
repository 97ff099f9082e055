#include "clock.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "fatal.h"

double clock_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double seconds(struct timeval time) { return (double)time.tv_sec + (double)time.tv_usec / 1e6; }

struct cpu cpu_own(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (struct cpu){.user = seconds(usage.ru_utime), .system = seconds(usage.ru_stime)};
}

struct cpu cpu_of(pid_t pid)
{
    if (pid == 0)
        return (struct cpu){0, 0};
    char path[64], line[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fatal_errno("%s: the broker is gone", path);
    size_t length = fread(line, 1, sizeof line - 1, file);
    fclose(file);
    line[length] = '\0';

    /* The second field is the command in parentheses and may hold anything, so the rest is counted from its end. */
    const char *rest = strrchr(line, ')');
    unsigned long user, system;
    if (rest == NULL || sscanf(rest, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
        fatal("%s: not in the form of proc(5)", path);
    double tick = (double)sysconf(_SC_CLK_TCK);
    return (struct cpu){.user = (double)user / tick, .system = (double)system / tick};
}

struct cpu cpu_between(struct cpu before, struct cpu after)
{
    return (struct cpu){.user = after.user - before.user, .system = after.system - before.system};
}
