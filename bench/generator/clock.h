/* Time and CPU time, in seconds. */
#ifndef CLOCK_H
#define CLOCK_H

#include <sys/types.h>

struct cpu {
    double user;
    double system;
};

/* Monotonic. */
double clock_now(void);

/* What this process has used. */
struct cpu cpu_own(void);

/* What another process has used, all threads (proc(5), /proc/PID/stat); zeros for pid 0. */
struct cpu cpu_of(pid_t pid);

/* What was used from one look to the next. */
struct cpu cpu_between(struct cpu before, struct cpu after);

#endif
