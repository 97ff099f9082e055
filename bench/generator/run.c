#include "run.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "fatal.h"
#include "publisher.h"
#include "subscriber.h"

enum { EVENTS = 256, DRAIN_POLL_MS = 20 };

/* Draining goes on while messages keep coming, but a broker that repeats itself for ever must not hold us for ever. */
static const double LONGEST_DRAIN = 60;
/* Nothing says that a QoS 0 message was dropped; a silence this long does. */
static const double QOS_0_PATIENCE = 0.5;

struct bench {
    const struct options *options;
    int poll;
    struct publisher *publishers;
    struct subscriber *subscribers;
};

/* The counters as they stood at one instant. */
struct mark {
    double at;
    uint64_t delivered;
    struct cpu broker;
    struct cpu generator;
};

static void open_all(struct bench *bench)
{
    const struct options *options = bench->options;
    for (uint32_t index = 0; index < options->subscribers; index++)
        subscriber_open(&bench->subscribers[index], index, options, bench->publishers);
    for (uint32_t index = 0; index < options->publishers; index++)
        publisher_open(&bench->publishers[index], index, options);
}

static void start_all(struct bench *bench)
{
    for (uint32_t index = 0; index < bench->options->subscribers; index++)
        subscriber_start(&bench->subscribers[index], bench->poll);
    for (uint32_t index = 0; index < bench->options->publishers; index++)
        publisher_start(&bench->publishers[index], bench->poll);
}

static void stop_all(struct bench *bench)
{
    for (uint32_t index = 0; index < bench->options->publishers; index++)
        publisher_stop(&bench->publishers[index]);
}

static void close_all(struct bench *bench)
{
    for (uint32_t index = 0; index < bench->options->publishers; index++)
        connection_close(&bench->publishers[index].connection);
    for (uint32_t index = 0; index < bench->options->subscribers; index++)
        connection_close(&bench->subscribers[index].connection);
}

static void poll_once(struct bench *bench, int milliseconds)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(bench->poll, events, EVENTS, milliseconds);
    if (count < 0 && errno != EINTR)
        fatal_errno("epoll_wait");
    for (int index = 0; index < count; index++) {
        struct connection *connection = events[index].data.ptr;
        connection->on_ready(connection, events[index].events);
    }
}

static void poll_until(struct bench *bench, double deadline)
{
    double left;
    while ((left = deadline - clock_now()) > 0)
        poll_once(bench, (int)(left * 1000) + 1);
}

static uint64_t total_received(const struct bench *bench)
{
    uint64_t total = 0;
    for (uint32_t index = 0; index < bench->options->subscribers; index++)
        total += bench->subscribers[index].received;
    return total;
}

static uint64_t total_completed(const struct bench *bench)
{
    uint64_t total = 0;
    for (uint32_t index = 0; index < bench->options->publishers; index++)
        total += bench->publishers[index].completed;
    return total;
}

static uint64_t total_published(const struct bench *bench)
{
    uint64_t total = 0;
    for (uint32_t index = 0; index < bench->options->publishers; index++)
        total += bench->publishers[index].sequence;
    return total;
}

static uint64_t total_expected(const struct bench *bench)
{
    bool everybody = bench->options->topology == FAN_OUT;
    return total_published(bench) * (everybody ? bench->options->subscribers : 1);
}

static bool drained(const struct bench *bench)
{
    for (uint32_t index = 0; index < bench->options->publishers; index++)
        if (!publisher_finished(&bench->publishers[index]))
            return false;
    return total_received(bench) == total_expected(bench);
}

/* Ends when everything has arrived, or when nothing has moved for as long as we are patient. */
static void drain(struct bench *bench)
{
    double patience = bench->options->qos ? bench->options->patience : QOS_0_PATIENCE;
    double start = clock_now();
    double last_progress = start;
    uint64_t progress = 0;
    while (!drained(bench)) {
        double now = clock_now();
        uint64_t current = total_received(bench) + total_completed(bench);
        if (current != progress)
            last_progress = now;
        progress = current;
        if (now - last_progress > patience || now - start > LONGEST_DRAIN)
            return;
        poll_once(bench, DRAIN_POLL_MS);
    }
}

static struct mark mark(const struct bench *bench)
{
    return (struct mark){
        .at = clock_now(),
        .delivered = total_received(bench),
        .broker = cpu_of(bench->options->broker),
        .generator = cpu_own(),
    };
}

static struct cpu used(struct cpu before, struct cpu after)
{
    return (struct cpu){.user = after.user - before.user, .system = after.system - before.system};
}

static void account(const struct bench *bench, struct outcome *outcome)
{
    outcome->published = total_published(bench);
    outcome->acknowledged = bench->options->qos ? total_completed(bench) : 0;
    outcome->expected = total_expected(bench);
    outcome->received = total_received(bench);
    outcome->missing = outcome->expected - outcome->received;
    for (uint32_t each = 0; each < bench->options->subscribers; each++) {
        const struct subscriber *subscriber = &bench->subscribers[each];
        outcome->corrupt += subscriber->corrupt;
        for (uint32_t origin = 0; origin < bench->options->publishers; origin++) {
            outcome->duplicated += subscriber->ledgers[origin].duplicated;
            outcome->out_of_order += subscriber->ledgers[origin].out_of_order;
        }
    }
}

struct outcome run(const struct options *options)
{
    struct bench bench = {
        .options = options,
        .poll = epoll_create1(EPOLL_CLOEXEC),
        .publishers = allocate(options->publishers, sizeof *bench.publishers),
        .subscribers = allocate(options->subscribers, sizeof *bench.subscribers),
    };
    if (bench.poll < 0)
        fatal_errno("epoll_create1");
    open_all(&bench);
    start_all(&bench);
    poll_until(&bench, clock_now() + options->warm_up);
    struct mark begin = mark(&bench);
    poll_until(&bench, begin.at + options->seconds);
    struct mark end = mark(&bench);
    stop_all(&bench);
    drain(&bench);

    struct outcome outcome = {
        .seconds = end.at - begin.at,
        .delivered = end.delivered - begin.delivered,
        .broker = used(begin.broker, end.broker),
        .generator = used(begin.generator, end.generator),
        .drain_seconds = clock_now() - end.at,
    };
    account(&bench, &outcome);
    close_all(&bench);
    return outcome;
}
