/* One run: connect everybody, warm up, measure, stop publishing, drain, account. */
#ifndef RUN_H
#define RUN_H

#include <stdint.h>

#include "clock.h"
#include "options.h"

struct outcome {
    /* the measured span */
    double seconds;
    uint64_t delivered; /* distinct messages that arrived in it */
    struct cpu broker;
    struct cpu generator;
    /* the whole run, warm-up and drain included */
    uint64_t published;
    uint64_t acknowledged; /* QoS 1 */
    uint64_t expected;     /* deliveries that the published messages call for */
    uint64_t received;     /* distinct */
    uint64_t missing;
    uint64_t duplicated;
    uint64_t out_of_order;
    uint64_t corrupt;
    double drain_seconds;
};

struct outcome run(const struct options *options);

#endif
