/* A publishing client: as fast as its socket takes messages, with a window of messages outstanding, or when told.
 *
 * A message is outstanding until it completes: at QoS 1 by its PUBACK, at QoS 0 when the run says that it arrived. */
#ifndef PUBLISHER_H
#define PUBLISHER_H

#include <stdbool.h>
#include <stdint.h>

#include "block.h"
#include "connection.h"
#include "options.h"

struct publisher {
    struct connection connection; /* first: epoll hands this back */
    char topic[32];
    char arrives[32]; /* the topic under which subscribers get it */
    struct block block;
    size_t sent_to;      /* of the block's filled part, bytes the socket has taken... */
    size_t filled_to;    /* ...out of these */
    uint64_t sequence;   /* the next message's; so many were built */
    uint64_t completed;
    uint32_t window;     /* 0: no limit */
    uint64_t last;       /* messages after which it has nothing more to say */
    double *due;         /* when each message was to go out, where a schedule says so; else NULL */
    bool publishing;
    uint64_t *outstanding; /* bit per packet id; QoS 1 */
};

/* What it publishes, without a connection. */
void publisher_prepare(struct publisher *publisher, uint32_t index, const struct options *options);

void publisher_open(struct publisher *publisher, uint32_t index, const struct options *options);

/* Puts it under `poll` and sends its first messages. */
void publisher_start(struct publisher *publisher, int poll);

/* On a schedule: one more message goes out, which was due at that time. */
void publisher_release(struct publisher *publisher, double due);

/* One message is through: at QoS 0, where no PUBACK says so. */
void publisher_complete(struct publisher *publisher);

/* No new messages from here on; what is built is still sent. */
void publisher_stop(struct publisher *publisher);

/* All sent and, where that can be known, completed. */
bool publisher_finished(const struct publisher *publisher);

#endif
