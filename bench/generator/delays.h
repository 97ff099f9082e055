/* How long messages took, and what that says of all of them. */
#ifndef DELAYS_H
#define DELAYS_H

#include <stddef.h>

struct delays {
    double *seconds;
    size_t count;
    size_t room;
};

void delays_record(struct delays *delays, double seconds);

/* Sorts. */
void delays_sort(struct delays *delays);

/* Of sorted delays the least that `share` of them do not pass; 0 where there are none. */
double delays_quantile(const struct delays *delays, double share);

#endif
