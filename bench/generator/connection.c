#include "connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "fatal.h"
#include "secure.h"

/* The longest keep-alive AWS IoT takes; a run never gets there, so no PINGREQ is needed. */
enum { KEEP_ALIVE = 1200, HANDSHAKE_PATIENCE = 10, GRANTED_AT = 2, REFUSED = 0x80 };

static ssize_t take(struct connection *connection, uint8_t *buffer, size_t length)
{
    return connection->tls ? secure_recv(connection->tls, buffer, length) : recv(connection->socket, buffer, length, 0);
}

static ssize_t give(struct connection *connection, const uint8_t *bytes, size_t length)
{
    return connection->tls ? secure_send(connection->tls, bytes, length)
                           : send(connection->socket, bytes, length, MSG_NOSIGNAL);
}

static void send_all(struct connection *connection, const uint8_t *bytes, size_t length)
{
    if (give(connection, bytes, length) != (ssize_t)length)
        fatal_errno("%s: cannot send", connection->client_id);
}

/* Waits for one short packet of this type, which the broker sends before anything else; returns its body. */
static const uint8_t *await(struct connection *connection, enum mqtt_type type, size_t length)
{
    size_t size = 2 + length;
    size_t held = 0;
    while (held < size) {
        ssize_t got = take(connection, connection->inbox + held, size - held);
        if (got < 0)
            fatal_errno("%s: no answer to the handshake", connection->client_id);
        if (got == 0)
            break;
        held += (size_t)got;
    }
    struct mqtt_frame frame;
    bool whole = held == size && mqtt_next(connection->inbox, size, &frame) == (ssize_t)size;
    if (!whole || mqtt_type(&frame) != type)
        fatal("%s: the broker closed or gave a wrong answer while packet type %d was due", connection->client_id, type);
    return frame.body;
}

struct sockaddr_in connection_address(const char *host, uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1)
        fatal("'%s' is not an IPv4 address", host);
    return address;
}

static int connected_socket(const char *host, uint16_t port)
{
    struct sockaddr_in address = connection_address(host, port);
    int descriptor = socket(AF_INET, SOCK_STREAM, 0);
    if (descriptor < 0)
        fatal_errno("socket");
    int on = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct timeval patience = {.tv_sec = HANDSHAKE_PATIENCE};
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(descriptor, (struct sockaddr *)&address, sizeof address) < 0)
        fatal_errno("cannot connect to %s:%d", host, port);
    return descriptor;
}

static void secure(struct connection *connection)
{
    bool want_write;
    connection->tls = secure_client(connection->socket);
    if (secure_handshake(connection->tls, &want_write) != 1)
        fatal("%s: the TLS handshake failed", connection->client_id);
}

bool connection_open(struct connection *connection, const struct options *options, size_t capacity, bool persistent)
{
    connection->inbox = allocate(capacity, 1);
    connection->capacity = capacity;
    connection->held = 0;
    connection->poll = -1;
    connection->socket = connected_socket(options->host, options->port);
    if (options->ca)
        secure(connection);

    uint8_t packet[MQTT_HANDSHAKE_SIZE];
    send_all(connection, packet, mqtt_connect(packet, connection->client_id, KEEP_ALIVE, persistent));
    const uint8_t *body = await(connection, MQTT_CONNACK, 2);
    if (body[1] != 0)
        fatal("%s: the broker refuses the connection, return code %d", connection->client_id, body[1]);
    return body[0] & 1; /* Session Present */
}

void connection_subscribe(struct connection *connection, const char *filter, int qos)
{
    uint8_t packet[MQTT_HANDSHAKE_SIZE];
    send_all(connection, packet, mqtt_subscribe(packet, filter, qos));
    const uint8_t *body = await(connection, MQTT_SUBACK, 3);
    if (body[GRANTED_AT] == REFUSED)
        fatal("%s: the broker refuses the subscription to '%s'", connection->client_id, filter);
    if (body[GRANTED_AT] != qos)
        fatal("%s: asked for QoS %d, was granted %d", connection->client_id, qos, body[GRANTED_AT]);
}

void connection_watch(struct connection *connection, int poll, uint32_t interest)
{
    int flags = fcntl(connection->socket, F_GETFL);
    if (flags < 0 || fcntl(connection->socket, F_SETFL, flags | O_NONBLOCK) < 0)
        fatal_errno("fcntl");
    struct epoll_event event = {.events = interest, .data.ptr = connection};
    if (epoll_ctl(poll, EPOLL_CTL_ADD, connection->socket, &event) < 0)
        fatal_errno("epoll_ctl");
    connection->poll = poll;
    connection->interest = interest;
}

void connection_want(struct connection *connection, uint32_t interest)
{
    if (interest == connection->interest)
        return;
    struct epoll_event event = {.events = interest, .data.ptr = connection};
    if (epoll_ctl(connection->poll, EPOLL_CTL_MOD, connection->socket, &event) < 0)
        fatal_errno("epoll_ctl");
    connection->interest = interest;
}

static size_t dispatch(struct connection *connection, size_t available)
{
    size_t at = 0;
    struct mqtt_frame frame;
    ssize_t size;
    while ((size = mqtt_next(connection->inbox + at, available - at, &frame)) > 0) {
        connection->on_frame(connection, &frame);
        at += (size_t)size;
    }
    if (size < 0)
        fatal("%s: the broker sent a malformed packet", connection->client_id);
    return at;
}

void connection_read(struct connection *connection)
{
    size_t room = connection->capacity - connection->held;
    if (room == 0)
        fatal("%s: the broker sent a packet larger than any that is due", connection->client_id);
    ssize_t got = take(connection, connection->inbox + connection->held, room);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got < 0)
        fatal_errno("%s: the connection failed", connection->client_id);
    if (got == 0)
        fatal("%s: the broker closed the connection", connection->client_id);

    size_t available = connection->held + (size_t)got;
    size_t used = dispatch(connection, available);
    connection->held = available - used;
    memmove(connection->inbox, connection->inbox + used, connection->held);
}

bool connection_pending(const struct connection *connection)
{
    return connection->tls && secure_pending(connection->tls);
}

size_t connection_write(struct connection *connection, const uint8_t *bytes, size_t length)
{
    ssize_t taken = give(connection, bytes, length);
    if (taken >= 0)
        return (size_t)taken;
    if (errno == EAGAIN || errno == EINTR)
        return 0;
    fatal_errno("%s: cannot send", connection->client_id);
}

void connection_close(struct connection *connection)
{
    uint8_t packet[MQTT_HANDSHAKE_SIZE];
    connection_write(connection, packet, mqtt_disconnect(packet));
    if (connection->tls)
        secure_free(connection->tls);
    close(connection->socket);
}
