/* The least that can be called a broker: it shows how much the load generator can drive on this machine.
 *
 * It copies each PUBLISH as it came to whoever subscribed to `bench/N` or `bench/+`, answers QoS 1 with a PUBACK and
 * writes once per connection and turn. No sessions, no checks, one client it trusts: the generator. Where a real
 * broker's figure comes near the reflector's, the generator or the kernel is being measured, not the broker.
 *
 * Writes may block: the generator never waits for a write of its own, so it always gets around to reading. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../generator/fatal.h"
#include "../generator/mqtt.h"
#include "../generator/wire.h"

enum {
    CONNECT = 1,
    SUBSCRIBE = 8,
    INBOX = 256 * 1024,
    OUTBOX = 1024 * 1024,
    FILTER = 32,
    DESCRIPTORS = 4096,
    EVENTS = 256,
};

struct client {
    int socket;
    uint8_t *inbox;
    size_t held;
    uint8_t *outbox;
    size_t waiting; /* bytes in the outbox */
    bool queued;    /* for the flush at the end of this turn */
    char filter[FILTER]; /* empty: subscribes to nothing */
};

struct reflector {
    int listener;
    int poll;
    struct client *subscribers[DESCRIPTORS];
    size_t subscriber_count;
    struct client *queue[DESCRIPTORS];
    size_t queue_length;
};

static void flush(struct client *client)
{
    size_t sent = 0;
    while (sent < client->waiting) {
        ssize_t taken = send(client->socket, client->outbox + sent, client->waiting - sent, MSG_NOSIGNAL);
        if (taken < 0)
            break; /* gone: its reading side will notice */
        sent += (size_t)taken;
    }
    client->waiting = 0;
}

static void append(struct reflector *reflector, struct client *client, const void *bytes, size_t length)
{
    if (client->waiting + length > OUTBOX)
        flush(client);
    memcpy(client->outbox + client->waiting, bytes, length);
    client->waiting += length;
    if (!client->queued)
        reflector->queue[reflector->queue_length++] = client;
    client->queued = true;
}

static bool matches(const char *filter, const struct mqtt_publish *publish)
{
    return strcmp(filter, "bench/+") == 0 || (strlen(filter) == publish->topic_length &&
                                              memcmp(filter, publish->topic, publish->topic_length) == 0);
}

static void reflect(struct reflector *reflector, struct client *from, const struct mqtt_frame *frame,
                    const uint8_t *packet, size_t size)
{
    struct mqtt_publish publish;
    if (!mqtt_read_publish(frame, &publish))
        fatal("malformed PUBLISH");
    for (size_t index = 0; index < reflector->subscriber_count; index++)
        if (matches(reflector->subscribers[index]->filter, &publish))
            append(reflector, reflector->subscribers[index], packet, size);
    if (publish.packet_id) {
        uint8_t ack[MQTT_PUBACK_SIZE];
        mqtt_puback(ack, publish.packet_id);
        append(reflector, from, ack, sizeof ack);
    }
}

static void subscribe(struct reflector *reflector, struct client *client, const struct mqtt_frame *frame)
{
    const uint8_t *filter = frame->body + 2;
    size_t length = get_u16(filter);
    if (length >= FILTER)
        fatal("a filter of %zu bytes is none of the generator's", length);
    memcpy(client->filter, filter + 2, length);
    reflector->subscribers[reflector->subscriber_count++] = client;
    const uint8_t suback[] = {0x90, 3, frame->body[0], frame->body[1], filter[2 + length]};
    append(reflector, client, suback, sizeof suback);
}

static void take(struct reflector *reflector, struct client *client, const struct mqtt_frame *frame,
                 const uint8_t *packet, size_t size)
{
    static const uint8_t connack[] = {0x20, 2, 0, 0};
    switch ((int)mqtt_type(frame)) {
    case CONNECT: append(reflector, client, connack, sizeof connack); break;
    case SUBSCRIBE: subscribe(reflector, client, frame); break;
    case MQTT_PUBLISH: reflect(reflector, client, frame, packet, size); break;
    default: break; /* PUBACK and DISCONNECT ask for nothing */
    }
}

static void accept_client(struct reflector *reflector)
{
    int descriptor = accept(reflector->listener, NULL, NULL);
    if (descriptor < 0 || descriptor >= DESCRIPTORS)
        fatal_errno("accept");
    int on = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct client *client = allocate(1, sizeof *client);
    client->socket = descriptor;
    client->inbox = allocate(INBOX, 1);
    client->outbox = allocate(OUTBOX, 1);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    epoll_ctl(reflector->poll, EPOLL_CTL_ADD, descriptor, &event);
}

static void forget(struct reflector *reflector, struct client *client)
{
    size_t kept = 0;
    for (size_t index = 0; index < reflector->subscriber_count; index++)
        if (reflector->subscribers[index] != client)
            reflector->subscribers[kept++] = reflector->subscribers[index];
    reflector->subscriber_count = kept;
    /* The client itself is leaked: it may still be queued, and the process lives for one benchmark. */
    close(client->socket);
    client->waiting = 0;
}

static void read_client(struct reflector *reflector, struct client *client)
{
    ssize_t got = recv(client->socket, client->inbox + client->held, INBOX - client->held, 0);
    if (got <= 0) {
        forget(reflector, client);
        return;
    }
    size_t available = client->held + (size_t)got;
    size_t at = 0;
    struct mqtt_frame frame;
    ssize_t size;
    while ((size = mqtt_next(client->inbox + at, available - at, &frame)) > 0) {
        take(reflector, client, &frame, client->inbox + at, (size_t)size);
        at += (size_t)size;
    }
    client->held = available - at;
    memmove(client->inbox, client->inbox + at, client->held);
}

static void turn(struct reflector *reflector)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(reflector->poll, events, EVENTS, -1);
    for (int index = 0; index < count; index++) {
        if (events[index].data.ptr == NULL)
            accept_client(reflector);
        else
            read_client(reflector, events[index].data.ptr);
    }
    for (size_t index = 0; index < reflector->queue_length; index++) {
        flush(reflector->queue[index]);
        reflector->queue[index]->queued = false;
    }
    reflector->queue_length = 0;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        fatal("usage: reflector PORT");
    static struct reflector reflector;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1]))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    reflector.listener = socket(AF_INET, SOCK_STREAM, 0);
    int on = 1;
    setsockopt(reflector.listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    bool bound = bind(reflector.listener, (struct sockaddr *)&address, sizeof address) == 0;
    if (!bound || listen(reflector.listener, 512) < 0)
        fatal_errno("port %s", argv[1]);
    reflector.poll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(reflector.poll, EPOLL_CTL_ADD, reflector.listener, &event);
    for (;;)
        turn(&reflector);
}
