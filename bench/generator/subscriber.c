#include "subscriber.h"

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "clock.h"
#include "fatal.h"

/* No PUBLISH is smaller than its payload's header, so the acknowledgements of one full inbox always fit. */
enum { INBOX = 256 * 1024, ACKS = INBOX / SMALLEST_PAYLOAD * MQTT_PUBACK_SIZE };

bool subscriber_expects(const struct subscriber *subscriber, uint32_t publisher)
{
    return subscriber->options->topology != PAIRS || subscriber->index == publisher;
}

/* Whether this is, byte for byte, a message that was sent to us; `origin` and `sequence` then tell which. */
static bool verify(const struct subscriber *subscriber, const struct mqtt_publish *publish, uint32_t *origin,
                   uint64_t *sequence)
{
    const struct options *options = subscriber->options;
    if (!payload_read(publish->payload, publish->payload_length, options->form, options->payload, origin, sequence))
        return false;
    if (*origin >= options->publishers || !subscriber_expects(subscriber, *origin))
        return false;
    const struct publisher *publisher = &subscriber->publishers[*origin];
    return *sequence < publisher->sequence && publish->topic_length == strlen(publisher->arrives) &&
           memcmp(publish->topic, publisher->arrives, publish->topic_length) == 0;
}

static void acknowledge(struct subscriber *subscriber, uint16_t packet_id)
{
    mqtt_puback(subscriber->acks + subscriber->acks_filled_to, packet_id);
    subscriber->acks_filled_to += MQTT_PUBACK_SIZE;
}

static void take_frame(struct connection *connection, const struct mqtt_frame *frame)
{
    struct subscriber *subscriber = (struct subscriber *)connection;
    struct mqtt_publish publish;
    uint32_t origin;
    uint64_t sequence;
    if (mqtt_type(frame) != MQTT_PUBLISH || !mqtt_read_publish(frame, &publish))
        fatal("%s: expected PUBLISH, got packet type %d", connection->client_id, mqtt_type(frame));
    if (publish.packet_id)
        acknowledge(subscriber, publish.packet_id);
    if (!verify(subscriber, &publish, &origin, &sequence)) {
        subscriber->corrupt++;
        return;
    }
    if (!ledger_record(&subscriber->ledgers[origin], sequence))
        return;
    subscriber->received++;
    if (subscriber->delays)
        delays_record(subscriber->delays, clock_now() - subscriber->publishers[origin].due[sequence]);
    if (subscriber->options->qos == 0 && subscriber->options->window && subscriber->options->rate == 0)
        publisher_complete(&subscriber->publishers[origin]);
}

/* While acknowledgements wait for the socket nothing more is read: the broker gets to feel it, our memory doesn't. */
static void flush(struct subscriber *subscriber)
{
    struct connection *connection = &subscriber->connection;
    if (subscriber->acks_sent_to < subscriber->acks_filled_to)
        subscriber->acks_sent_to += connection_write(connection, subscriber->acks + subscriber->acks_sent_to,
                                                     subscriber->acks_filled_to - subscriber->acks_sent_to);
    bool done = subscriber->acks_sent_to == subscriber->acks_filled_to;
    if (done)
        subscriber->acks_sent_to = subscriber->acks_filled_to = 0;
    connection_want(connection, done ? EPOLLIN : EPOLLOUT);
}

static void ready(struct connection *connection, uint32_t events)
{
    struct subscriber *subscriber = (struct subscriber *)connection;
    (void)events; /* a failed connection shows itself in whichever of the two is due */
    do {
        if (subscriber->acks_filled_to == 0)
            connection_read(connection);
        flush(subscriber);
    } while (subscriber->acks_filled_to == 0 && connection_pending(connection));
}

bool subscriber_open(struct subscriber *subscriber, uint32_t index, const struct options *options,
                     struct publisher *publishers, bool persistent)
{
    struct connection *connection = &subscriber->connection;
    subscriber->options = options;
    subscriber->publishers = publishers;
    subscriber->index = index;
    subscriber->ledgers = allocate(options->publishers, sizeof *subscriber->ledgers);
    subscriber->acks = allocate(ACKS, 1);
    snprintf(connection->client_id, sizeof connection->client_id, "bench-sub-%u", index);
    connection->on_ready = ready;
    connection->on_frame = take_frame;
    return connection_open(connection, options, INBOX, persistent);
}

void subscriber_subscribe(struct subscriber *subscriber)
{
    const struct options *options = subscriber->options;
    char filter[32];
    if (options->topology == FAN_IN)
        snprintf(filter, sizeof filter, "%s/+", options->arrives);
    else
        snprintf(filter, sizeof filter, "%s/%u", options->arrives, options->topology == PAIRS ? subscriber->index : 0);
    connection_subscribe(&subscriber->connection, filter, options->qos);
}

void subscriber_start(struct subscriber *subscriber, int poll)
{
    connection_watch(&subscriber->connection, poll, EPOLLIN);
}
