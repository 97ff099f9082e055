#include "offline.h"

#include "fatal.h"
#include "loop.h"
#include "publisher.h"
#include "subscriber.h"

#include <sys/epoll.h>

enum { POLL_MS = 20 };

struct start {
    double at;
    struct cpu broker;
    struct cpu generator;
};

static struct start start(const struct options *options)
{
    return (struct start){.broker = cpu_of(options->broker), .generator = cpu_own(), .at = clock_now()};
}

/* Lets events happen until `counter` has reached the count, or has not moved for as long as we are patient. */
static void await_count(int poll, const uint64_t *counter, const struct options *options)
{
    double last_progress = clock_now();
    uint64_t progress = *counter;
    while (*counter < options->count) {
        loop_once(poll, POLL_MS);
        double now = clock_now();
        if (*counter != progress)
            last_progress = now;
        progress = *counter;
        if (now - last_progress > options->patience)
            return;
    }
}

static struct outcome since(const struct start *start, const struct options *options)
{
    return (struct outcome){
        .seconds = clock_now() - start->at,
        .broker = cpu_between(start->broker, cpu_of(options->broker)),
        .generator = cpu_between(start->generator, cpu_own()),
    };
}

struct outcome run_store(const struct options *options)
{
    struct subscriber subscriber = {0};
    struct publisher publisher = {0};
    subscriber_open(&subscriber, 0, options, &publisher, true);
    subscriber_subscribe(&subscriber);
    connection_close(&subscriber.connection);

    int poll = loop_create();
    publisher_open(&publisher, 0, options);
    struct start begin = start(options);
    publisher_start(&publisher, poll);
    await_count(poll, &publisher.completed, options);
    struct outcome outcome = since(&begin, options);
    outcome.delivered = outcome.acknowledged = publisher.completed;
    outcome.published = publisher.sequence;
    connection_close(&publisher.connection);
    return outcome;
}

struct outcome run_drain(const struct options *options)
{
    struct subscriber subscriber = {0};
    struct publisher publisher = {0};
    publisher_prepare(&publisher, 0, options);
    publisher.sequence = options->count; /* they were all published, in another run */

    int poll = loop_create();
    struct start begin = start(options);
    bool present = subscriber_open(&subscriber, 0, options, &publisher, true);
    connection_watch(&subscriber.connection, poll, EPOLLIN);
    if (present)
        await_count(poll, &subscriber.received, options);
    struct outcome outcome = since(&begin, options);
    outcome.delivered = outcome.received = subscriber.received;
    outcome.expected = outcome.published = outcome.acknowledged = options->count;
    outcome.missing = options->count - subscriber.received;
    outcome.duplicated = subscriber.ledgers[0].duplicated;
    outcome.out_of_order = subscriber.ledgers[0].out_of_order;
    outcome.corrupt = subscriber.corrupt;
    connection_close(&subscriber.connection);
    return outcome;
}
