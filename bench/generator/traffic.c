#include "traffic.h"

#include <stdbool.h>

#include "delays.h"
#include "fatal.h"
#include "loop.h"
#include "publisher.h"
#include "subscriber.h"

enum { DRAIN_POLL_MS = 20 };

/* Draining goes on while messages keep coming, but a broker that repeats itself for ever must not hold us for ever. */
static const double LONGEST_DRAIN = 60;
/* Without acknowledgements a publisher can be a minute ahead of a broker that queues without limit: no promise is at
 * stake, and nobody need wait for all of it. */
static const double LONGEST_QOS_0_DRAIN = 10;
/* Nothing says that a QoS 0 message was dropped; a silence this long does. */
static const double QOS_0_PATIENCE = 0.5;

struct bench {
    const struct options *options;
    int poll;
    struct publisher *publishers;
    struct subscriber *subscribers;
    double scheduled_from; /* with a rate: when the first message is due... */
    uint64_t scheduled;    /* ...and how many were due so far */
    struct delays delays;
};

/* The counters as they stood at one instant. */
struct mark {
    double at;
    uint64_t delivered;
    struct cpu broker;
    struct cpu generator;
};

static void open_subscriber(struct bench *bench, uint32_t index)
{
    struct subscriber *subscriber = &bench->subscribers[index];
    subscriber_open(subscriber, index, bench->options, bench->publishers, false);
    subscriber_subscribe(subscriber);
    if (bench->options->rate > 0)
        subscriber->delays = &bench->delays;
}

static void open_all(struct bench *bench)
{
    const struct options *options = bench->options;
    for (uint32_t index = 0; index < options->subscribers; index++)
        open_subscriber(bench, index);
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

/* The publishers take turns; a message that could not go out in time counts from when it should have. */
static void release_due(struct bench *bench, double now)
{
    const struct options *options = bench->options;
    double due;
    if (options->rate == 0)
        return;
    while ((due = bench->scheduled_from + (double)bench->scheduled / options->rate) <= now)
        publisher_release(&bench->publishers[bench->scheduled++ % options->publishers], due);
}

static uint64_t total_published(const struct bench *bench)
{
    uint64_t total = 0;
    for (uint32_t index = 0; index < bench->options->publishers; index++)
        total += bench->publishers[index].sequence;
    return total;
}

static bool finished(const struct bench *bench)
{
    for (uint32_t index = 0; index < bench->options->publishers; index++)
        if (!publisher_finished(&bench->publishers[index]))
            return false;
    return true;
}

/* Where messages are counted: whether all of them are through. */
static bool exhausted(const struct bench *bench)
{
    uint64_t count = bench->options->count * bench->options->publishers;
    return count > 0 && total_published(bench) == count && finished(bench);
}

/* Everything up to `deadline`, or to the last message where they are counted. On a schedule the core is never given up: a sleep would be measured as the broker's. */
static void go_on_until(struct bench *bench, double deadline)
{
    double now;
    while ((now = clock_now()) < deadline && !exhausted(bench)) {
        release_due(bench, now);
        loop_once(bench->poll, bench->options->rate > 0 ? 0 : (int)((deadline - now) * 1000) + 1);
    }
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

static uint64_t total_expected(const struct bench *bench)
{
    switch (bench->options->topology) {
    case FAN_OUT: return total_published(bench) * bench->options->subscribers;
    case NOWHERE: return 0;
    default: return total_published(bench);
    }
}

static bool drained(const struct bench *bench)
{
    return finished(bench) && total_received(bench) == total_expected(bench);
}

/* Ends when everything has arrived, or when nothing has moved for as long as we are patient. */
static void drain(struct bench *bench)
{
    double patience = bench->options->qos ? bench->options->patience : QOS_0_PATIENCE;
    double longest = bench->options->qos ? LONGEST_DRAIN : LONGEST_QOS_0_DRAIN;
    double start = clock_now();
    double last_progress = start;
    uint64_t progress = 0;
    while (!drained(bench)) {
        double now = clock_now();
        uint64_t current = total_received(bench) + total_completed(bench);
        if (current != progress)
            last_progress = now;
        progress = current;
        if (now - last_progress > patience || now - start > longest)
            return;
        loop_once(bench->poll, DRAIN_POLL_MS);
    }
}

/* To the broker: by its word at QoS 1, else as far as we know. */
static uint64_t total_handed_over(const struct bench *bench)
{
    return bench->options->qos ? total_completed(bench) : total_published(bench);
}

static struct mark mark(const struct bench *bench)
{
    return (struct mark){
        .at = clock_now(),
        .delivered = bench->options->topology == NOWHERE ? total_handed_over(bench) : total_received(bench),
        .broker = cpu_of(bench->options->broker),
        .generator = cpu_own(),
    };
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

struct outcome run_traffic(const struct options *options)
{
    struct bench bench = {
        .options = options,
        .poll = loop_create(),
        .publishers = allocate(options->publishers, sizeof *bench.publishers),
        .subscribers = allocate(options->subscribers, sizeof *bench.subscribers),
    };
    open_all(&bench);
    start_all(&bench);
    bench.scheduled_from = clock_now();
    go_on_until(&bench, clock_now() + options->warm_up);
    bench.delays.count = 0;
    struct mark begin = mark(&bench);
    go_on_until(&bench, begin.at + options->seconds);
    struct mark end = mark(&bench);
    stop_all(&bench);
    drain(&bench);

    struct outcome outcome = {
        .seconds = end.at - begin.at,
        .delivered = end.delivered - begin.delivered,
        .broker = cpu_between(begin.broker, end.broker),
        .generator = cpu_between(begin.generator, end.generator),
        .drain_seconds = clock_now() - end.at,
    };
    account(&bench, &outcome);
    delays_sort(&bench.delays);
    outcome.delay_p50 = delays_quantile(&bench.delays, 0.50);
    outcome.delay_p99 = delays_quantile(&bench.delays, 0.99);
    close_all(&bench);
    return outcome;
}
