#include "handshakes.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connection.h"
#include "fatal.h"
#include "loop.h"
#include "secure.h"

enum { INBOX = 256, KEEP_ALIVE = 1200 };

struct visitor {
    struct connection connection; /* first: epoll hands this back */
    struct desk *desk;
    bool connected; /* the handshake is done and CONNECT is sent */
    bool answered;  /* CONNACK is there */
};

struct desk {
    const struct options *options;
    int poll;
    struct sockaddr_in address;
    uint64_t comers;
    uint64_t done;
};

static void come(struct visitor *visitor)
{
    struct connection *connection = &visitor->connection;
    struct desk *desk = visitor->desk;
    snprintf(connection->client_id, sizeof connection->client_id, "bench-pub-%lu", (unsigned long)desk->comers++);
    connection->held = 0;
    visitor->connected = visitor->answered = false;
    connection->socket = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (connection->socket < 0)
        fatal_errno("socket");
    int on = 1;
    setsockopt(connection->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(connection->socket, (struct sockaddr *)&desk->address, sizeof desk->address) < 0 &&
        errno != EINPROGRESS)
        fatal_errno("%s: cannot connect", connection->client_id);
    if (desk->options->ca)
        connection->tls = secure_client(connection->socket);
    connection_watch(connection, desk->poll, EPOLLOUT);
}

static void greet(struct connection *connection)
{
    uint8_t packet[MQTT_HANDSHAKE_SIZE];
    size_t size = mqtt_connect(packet, connection->client_id, KEEP_ALIVE, false);
    if (connection_write(connection, packet, size) != size)
        fatal("%s: a fresh socket takes no CONNECT", connection->client_id);
    connection_want(connection, EPOLLIN);
}

static void take_frame(struct connection *connection, const struct mqtt_frame *frame)
{
    struct visitor *visitor = (struct visitor *)connection;
    if (mqtt_type(frame) != MQTT_CONNACK || frame->length != 2 || frame->body[1] != 0)
        fatal("%s: the broker refuses the connection", connection->client_id);
    visitor->answered = true;
}

static void ready(struct connection *connection, uint32_t events)
{
    struct visitor *visitor = (struct visitor *)connection;
    if (!visitor->connected) {
        if (events & (EPOLLERR | EPOLLHUP))
            fatal("%s: cannot connect, or the broker closed amid the handshake", connection->client_id);
        bool want_write = false;
        int done = connection->tls ? secure_handshake(connection->tls, &want_write) : 1;
        if (done < 0)
            fatal("%s: the TLS handshake failed", connection->client_id);
        connection_want(connection, want_write ? EPOLLOUT : EPOLLIN);
        if (!done)
            return;
        visitor->connected = true;
        greet(connection);
        if (!connection_pending(connection))
            return;
    }
    connection_read(connection);
    if (!visitor->answered)
        return;
    visitor->desk->done++;
    connection_close(connection);
    come(visitor);
}

static void go_on_until(const struct desk *desk, double deadline)
{
    double left;
    while ((left = deadline - clock_now()) > 0)
        loop_once(desk->poll, (int)(left * 1000) + 1);
}

struct outcome run_handshakes(const struct options *options)
{
    struct desk desk = {
        .options = options, .poll = loop_create(), .address = connection_address(options->host, options->port)};
    struct visitor *visitors = allocate(options->publishers, sizeof *visitors);
    for (uint32_t index = 0; index < options->publishers; index++) {
        struct connection *connection = &visitors[index].connection;
        visitors[index].desk = &desk;
        connection->inbox = allocate(INBOX, 1);
        connection->capacity = INBOX;
        connection->on_ready = ready;
        connection->on_frame = take_frame;
        come(&visitors[index]);
    }
    go_on_until(&desk, clock_now() + options->warm_up);
    uint64_t done = desk.done;
    struct cpu broker = cpu_of(options->broker), generator = cpu_own();
    double begin = clock_now();
    go_on_until(&desk, begin + options->seconds);
    return (struct outcome){
        .seconds = clock_now() - begin,
        .delivered = desk.done - done,
        .broker = cpu_between(broker, cpu_of(options->broker)),
        .generator = cpu_between(generator, cpu_own()),
    };
}
