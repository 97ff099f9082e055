/* What a run has to tell. */
#ifndef OUTCOME_H
#define OUTCOME_H

#include <stdint.h>

#include "clock.h"

struct outcome {
    /* the measured span */
    double seconds;
    uint64_t delivered; /* distinct messages that arrived in it (handshakes: that were done; store: acknowledged) */
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
    double delay_p50; /* seconds from when a message was due to its arrival; 0 without a schedule */
    double delay_p99;
};

#endif
