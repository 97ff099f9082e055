/* Which of one publisher's sequence numbers one subscriber has received.
 *
 * Throughput counted in bytes or packets hides loss and repetition; a bit per sequence number hides nothing and costs
 * 2 MB for sixteen million messages. */
#ifndef LEDGER_H
#define LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ledger {
    uint64_t *seen; /* bit per sequence number */
    size_t words;
    uint64_t next;         /* one past the highest sequence number seen */
    uint64_t received;     /* distinct sequence numbers */
    uint64_t duplicated;   /* arrivals of a number already seen */
    uint64_t out_of_order; /* first arrivals below a number already seen */
};

/* Enters an arrival; true where this number was not seen before. The caller has bounded `sequence`. */
bool ledger_record(struct ledger *ledger, uint64_t sequence);

#endif
