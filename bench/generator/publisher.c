#include "publisher.h"

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "fatal.h"
#include "wire.h"

enum {
    PACKET_IDS = 65535,
    ID_BITS = 64,
    ACK_INBOX = 64 * 1024,
    /* A saturating publisher writes so much at a time: large enough to make the system call's cost vanish, small enough
     * that the subscribers get their turn in between. */
    SATURATING_WRITE = 64 * 1024,
};

/* Ids are dealt in turn, and a window is at most half of them: a free one is always next. */
static uint16_t packet_id(uint64_t sequence) { return (uint16_t)(sequence % PACKET_IDS + 1); }

static uint64_t *id_word(struct publisher *publisher, uint16_t id) { return &publisher->outstanding[id / ID_BITS]; }

static uint64_t id_bit(uint16_t id) { return UINT64_C(1) << id % ID_BITS; }

static void build(struct publisher *publisher, size_t index)
{
    uint16_t id = packet_id(publisher->sequence);
    if (publisher->block.qos) {
        if (*id_word(publisher, id) & id_bit(id))
            fatal("%s: packet id %d comes round again and was never acknowledged", publisher->connection.client_id, id);
        *id_word(publisher, id) |= id_bit(id);
    }
    block_patch(&publisher->block, index, publisher->sequence++, id);
}

/* A schedule's share of one publisher, and some to spare for rounding. */
static size_t scheduled_at_most(const struct options *options)
{
    return (size_t)(options->rate * (options->warm_up + options->seconds + 1) / options->publishers) + 2;
}

static size_t allowance(const struct publisher *publisher)
{
    if (!publisher->publishing)
        return 0;
    uint64_t left = publisher->last - publisher->sequence;
    uint64_t open = publisher->window ? publisher->window - (publisher->sequence - publisher->completed)
                                      : publisher->block.frames;
    return left < open ? left : open;
}

static void pump(struct publisher *publisher)
{
    struct block *block = &publisher->block;
    if (publisher->sent_to == publisher->filled_to) {
        size_t messages = allowance(publisher);
        for (size_t index = 0; index < messages; index++)
            build(publisher, index);
        publisher->sent_to = 0;
        publisher->filled_to = messages * block->frame_size;
    }
    if (publisher->sent_to < publisher->filled_to)
        publisher->sent_to += connection_write(&publisher->connection, block->bytes + publisher->sent_to,
                                               publisher->filled_to - publisher->sent_to);

    bool more = publisher->sent_to < publisher->filled_to || allowance(publisher) > 0;
    connection_want(&publisher->connection, more ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void take_frame(struct connection *connection, const struct mqtt_frame *frame)
{
    struct publisher *publisher = (struct publisher *)connection;
    if (mqtt_type(frame) != MQTT_PUBACK || frame->length != 2)
        fatal("%s: expected PUBACK, got packet type %d", connection->client_id, mqtt_type(frame));
    uint16_t id = get_u16(frame->body);
    if (!publisher->block.qos || !(*id_word(publisher, id) & id_bit(id)))
        fatal("%s: PUBACK for packet id %d, which is not outstanding", connection->client_id, id);
    *id_word(publisher, id) &= ~id_bit(id);
    publisher->completed++;
}

/* Acknowledgements of one read open the window together, and one write fills it. */
static void ready(struct connection *connection, uint32_t events)
{
    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
        do
            connection_read(connection);
        while (connection_pending(connection));
    pump((struct publisher *)connection);
}

void publisher_prepare(struct publisher *publisher, uint32_t index, const struct options *options)
{
    snprintf(publisher->topic, sizeof publisher->topic, "%s/%u", options->topic, index);
    snprintf(publisher->arrives, sizeof publisher->arrives, "%s/%u", options->arrives, index);
    size_t size = mqtt_publish_size(strlen(publisher->topic), options->payload, options->qos);
    size_t saturating = SATURATING_WRITE / size + 1;
    publisher->window = options->window;
    publisher->block = block_create(index, publisher->topic, options->form, options->payload, options->qos,
                                    options->window ? options->window : saturating);
    publisher->last = options->count ? options->count : UINT64_MAX;
    if (options->qos)
        publisher->outstanding = allocate(PACKET_IDS / ID_BITS + 1, sizeof *publisher->outstanding);
    if (options->rate > 0) {
        publisher->last = 0;
        publisher->due = allocate(scheduled_at_most(options), sizeof *publisher->due);
    }
}

void publisher_open(struct publisher *publisher, uint32_t index, const struct options *options)
{
    struct connection *connection = &publisher->connection;
    publisher_prepare(publisher, index, options);
    snprintf(connection->client_id, sizeof connection->client_id, "bench-pub-%u", index);
    connection->on_ready = ready;
    connection->on_frame = take_frame;
    connection_open(connection, options, ACK_INBOX, false);
}

void publisher_start(struct publisher *publisher, int poll)
{
    connection_watch(&publisher->connection, poll, EPOLLIN);
    publisher->publishing = true;
    pump(publisher);
}

void publisher_release(struct publisher *publisher, double due)
{
    publisher->due[publisher->last++] = due;
    pump(publisher);
}

void publisher_complete(struct publisher *publisher)
{
    publisher->completed++;
    pump(publisher);
}

void publisher_stop(struct publisher *publisher)
{
    publisher->publishing = false;
    pump(publisher);
}

bool publisher_finished(const struct publisher *publisher)
{
    bool counted = publisher->block.qos || (publisher->window && !publisher->due);
    return publisher->sent_to == publisher->filled_to && (!counted || publisher->completed == publisher->sequence);
}
