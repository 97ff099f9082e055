#include "delays.h"

#include <stdlib.h>

#include "fatal.h"

enum { FIRST_ROOM = 4096 };

void delays_record(struct delays *delays, double seconds)
{
    if (delays->count == delays->room) {
        delays->room = delays->room ? delays->room * 2 : FIRST_ROOM;
        delays->seconds = realloc(delays->seconds, delays->room * sizeof *delays->seconds);
        if (delays->seconds == NULL)
            fatal("out of memory for %zu delays", delays->room);
    }
    delays->seconds[delays->count++] = seconds;
}

static int compare(const void *left, const void *right)
{
    double difference = *(const double *)left - *(const double *)right;
    return (difference > 0) - (difference < 0);
}

void delays_sort(struct delays *delays) { qsort(delays->seconds, delays->count, sizeof *delays->seconds, compare); }

double delays_quantile(const struct delays *delays, double share)
{
    if (delays->count == 0)
        return 0;
    size_t at = (size_t)(share * (double)delays->count);
    return delays->seconds[at < delays->count ? at : delays->count - 1];
}
