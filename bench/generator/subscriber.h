/* A subscribing client: verifies every message, enters it into a ledger per publisher, acknowledges QoS 1. */
#ifndef SUBSCRIBER_H
#define SUBSCRIBER_H

#include <stdbool.h>
#include <stdint.h>

#include "connection.h"
#include "ledger.h"
#include "options.h"
#include "publisher.h"

struct subscriber {
    struct connection connection; /* first: epoll hands this back */
    const struct options *options;
    struct publisher *publishers;
    uint32_t index;
    struct ledger *ledgers; /* one per publisher */
    uint64_t received;      /* distinct messages of all publishers */
    uint64_t corrupt;       /* messages that nobody sent, or not like this, or not here */
    uint8_t *acks;
    size_t acks_sent_to;
    size_t acks_filled_to;
};

/* Connects and subscribes; `publishers` (all of the run) are what arrivals are checked against. */
void subscriber_open(struct subscriber *subscriber, uint32_t index, const struct options *options,
                     struct publisher *publishers);

void subscriber_start(struct subscriber *subscriber, int poll);

/* Whether this subscriber is to get this publisher's messages. */
bool subscriber_expects(const struct subscriber *subscriber, uint32_t publisher);

#endif
