/* One MQTT connection over TCP, plain or with TLS: a blocking handshake, then non-blocking under epoll. */
#ifndef CONNECTION_H
#define CONNECTION_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "mqtt.h"
#include "options.h"

struct connection {
    int socket;
    struct ssl_st *tls; /* NULL: plain */
    int poll;          /* the epoll instance; -1 until `connection_watch` */
    uint32_t interest; /* the events asked of it */
    char client_id[32];
    uint8_t *inbox;
    size_t capacity;
    size_t held; /* bytes of an incomplete packet at the start of the inbox */
    void (*on_ready)(struct connection *, uint32_t events);
    void (*on_frame)(struct connection *, const struct mqtt_frame *);
};

/* Where the broker is. */
struct sockaddr_in connection_address(const char *host, uint16_t port);

/* Connects and awaits CONNACK; whether the broker had a session. `capacity` bytes is the most that one read takes and
 * must hold the largest packet. */
bool connection_open(struct connection *connection, const struct options *options, size_t capacity, bool persistent);

/* Subscribes and awaits SUBACK. */
void connection_subscribe(struct connection *connection, const char *filter, int qos);

/* Makes the socket non-blocking and puts it under `poll`. */
void connection_watch(struct connection *connection, int poll, uint32_t interest);

/* Changes the events waited for; costs nothing where they stay the same. */
void connection_want(struct connection *connection, uint32_t interest);

/* One read from the socket; every complete packet in it goes to `on_frame`. */
void connection_read(struct connection *connection);

/* Whether TLS holds bytes already read from the socket, of which epoll will not tell: read again. */
bool connection_pending(const struct connection *connection);

/* One write; returns how many bytes the socket took, which may be none. */
size_t connection_write(struct connection *connection, const uint8_t *bytes, size_t length);

/* Sends DISCONNECT and closes. */
void connection_close(struct connection *connection);

#endif
