/* A benchmark run either holds or is worthless: any surprise ends it with one line on stderr and status 1. */
#ifndef FATAL_H
#define FATAL_H

__attribute__((noreturn, format(printf, 1, 2))) void fatal(const char *format, ...);

/* `fatal` with errno's text appended. */
__attribute__((noreturn, format(printf, 1, 2))) void fatal_errno(const char *format, ...);

/* `calloc` that never returns NULL. */
void *allocate(unsigned long count, unsigned long size);

#endif
