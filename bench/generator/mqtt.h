/* The little of MQTT 3.1.1 a load generator speaks: it builds five packets and reads four. */
#ifndef MQTT_H
#define MQTT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum mqtt_type {
    MQTT_CONNACK = 2,
    MQTT_PUBLISH = 3,
    MQTT_PUBACK = 4,
    MQTT_SUBACK = 9,
};

enum { MQTT_PUBACK_SIZE = 4, MQTT_HANDSHAKE_SIZE = 256 };

/* One control packet, pointing into the buffer it was found in. */
struct mqtt_frame {
    uint8_t first; /* type and flags */
    const uint8_t *body;
    size_t length;
};

struct mqtt_publish {
    const uint8_t *topic;
    size_t topic_length;
    uint16_t packet_id; /* 0 at QoS 0 */
    const uint8_t *payload;
    size_t payload_length;
};

/* The builders return the packet's size; `out` holds at least MQTT_HANDSHAKE_SIZE bytes. */
size_t mqtt_connect(uint8_t *out, const char *client_id, uint16_t keep_alive, bool persistent);
size_t mqtt_subscribe(uint8_t *out, const char *filter, int qos);
size_t mqtt_disconnect(uint8_t *out);
void mqtt_puback(uint8_t *out, uint16_t packet_id);

/* Size of a PUBLISH with this topic and payload. */
size_t mqtt_publish_size(size_t topic_length, size_t payload_length, int qos);

/* Writes everything of a PUBLISH that goes before the payload, packet id 0; returns where the payload begins. */
size_t mqtt_publish_header(uint8_t *out, const char *topic, size_t payload_length, int qos);

/* Finds the packet at the start of `data`: its size, 0 where it isn't complete yet, -1 where it is malformed. */
ssize_t mqtt_next(const uint8_t *data, size_t available, struct mqtt_frame *frame);

static inline enum mqtt_type mqtt_type(const struct mqtt_frame *frame) { return (enum mqtt_type)(frame->first >> 4); }

/* Takes a PUBLISH apart; false where its lengths contradict each other. */
bool mqtt_read_publish(const struct mqtt_frame *frame, struct mqtt_publish *publish);

#endif
