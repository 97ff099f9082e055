/* One MQTT connection over plain TCP: a blocking handshake, then non-blocking under epoll. */
#ifndef CONNECTION_H
#define CONNECTION_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "mqtt.h"

struct connection {
    int socket;
    int poll;          /* the epoll instance; -1 until `connection_watch` */
    uint32_t interest; /* the events asked of it */
    char client_id[32];
    uint8_t *inbox;
    size_t capacity;
    size_t held; /* bytes of an incomplete packet at the start of the inbox */
    void (*on_ready)(struct connection *, uint32_t events);
    void (*on_frame)(struct connection *, const struct mqtt_frame *);
};

/* Connects and awaits CONNACK. `capacity` bytes is the most that one read takes and must hold the largest packet. */
void connection_open(struct connection *connection, const char *host, uint16_t port, size_t capacity);

/* Subscribes and awaits SUBACK. */
void connection_subscribe(struct connection *connection, const char *filter, int qos);

/* Makes the socket non-blocking and puts it under `poll`. */
void connection_watch(struct connection *connection, int poll, uint32_t interest);

/* Changes the events waited for; costs nothing where they stay the same. */
void connection_want(struct connection *connection, uint32_t interest);

/* One read; every complete packet in it goes to `on_frame`. */
void connection_read(struct connection *connection);

/* One write; returns how many bytes the socket took, which may be none. */
size_t connection_write(struct connection *connection, const uint8_t *bytes, size_t length);

/* Sends DISCONNECT and closes. */
void connection_close(struct connection *connection);

#endif
