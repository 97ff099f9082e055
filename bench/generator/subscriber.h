/* A subscribing client: verifies every message, enters it into a ledger per publisher, acknowledges QoS 1. */
#ifndef SUBSCRIBER_H
#define SUBSCRIBER_H

#include <stdbool.h>
#include <stdint.h>

#include "connection.h"
#include "delays.h"
#include "ledger.h"
#include "options.h"
#include "publisher.h"

struct subscriber {
    struct connection connection; /* first: epoll hands this back */
    const struct options *options;
    struct publisher *publishers;
    uint32_t index;
    struct ledger *ledgers; /* one per publisher */
    struct delays *delays; /* where to note how long messages took; NULL: nowhere */
    uint64_t received;      /* distinct messages of all publishers */
    uint64_t corrupt;       /* messages that nobody sent, or not like this, or not here */
    uint8_t *acks;
    size_t acks_sent_to;
    size_t acks_filled_to;
};

/* Connects; whether the broker had a session. `publishers` (all of the run) are what arrivals are checked against. */
bool subscriber_open(struct subscriber *subscriber, uint32_t index, const struct options *options,
                     struct publisher *publishers, bool persistent);

/* Subscribes to what its place in the topology is. */
void subscriber_subscribe(struct subscriber *subscriber);

void subscriber_start(struct subscriber *subscriber, int poll);

/* Whether this subscriber is to get this publisher's messages. */
bool subscriber_expects(const struct subscriber *subscriber, uint32_t publisher);

#endif
