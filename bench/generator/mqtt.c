#include "mqtt.h"

#include <string.h>

#include "wire.h"

enum { FIXED_HEADER_SIZE = 2, LENGTH_SIZE = 2, PACKET_ID_SIZE = 2, LONGEST_REMAINING_LENGTH = 4 };

static uint8_t *put_string(uint8_t *at, const char *text)
{
    size_t length = strlen(text);
    put_u16(at, (uint16_t)length);
    memcpy(at + LENGTH_SIZE, text, length);
    return at + LENGTH_SIZE + length;
}

static size_t put_remaining_length(uint8_t *at, size_t length)
{
    size_t used = 0;
    do {
        uint8_t digit = length & 0x7f;
        length >>= 7;
        at[used++] = length ? digit | 0x80 : digit;
    } while (length);
    return used;
}

/* Handshake packets stay below 128 bytes, so that their remaining length is one byte. */
static size_t close_short_packet(uint8_t *out, uint8_t first, const uint8_t *end)
{
    out[0] = first;
    out[1] = (uint8_t)(end - out - FIXED_HEADER_SIZE);
    return (size_t)(end - out);
}

size_t mqtt_connect(uint8_t *out, const char *client_id, uint16_t keep_alive, bool persistent)
{
    enum { LEVEL_3_1_1 = 4, CLEAN_SESSION = 2 };
    uint8_t *at = put_string(out + FIXED_HEADER_SIZE, "MQTT");
    *at++ = LEVEL_3_1_1;
    *at++ = persistent ? 0 : CLEAN_SESSION;
    put_u16(at, keep_alive);
    return close_short_packet(out, 0x10, put_string(at + 2, client_id));
}

size_t mqtt_subscribe(uint8_t *out, const char *filter, int qos)
{
    uint8_t *at = out + FIXED_HEADER_SIZE;
    put_u16(at, 1);
    at = put_string(at + PACKET_ID_SIZE, filter);
    *at++ = (uint8_t)qos;
    return close_short_packet(out, 0x82, at);
}

size_t mqtt_disconnect(uint8_t *out) { return close_short_packet(out, 0xe0, out + FIXED_HEADER_SIZE); }

void mqtt_puback(uint8_t *out, uint16_t packet_id)
{
    out[0] = 0x40;
    out[1] = PACKET_ID_SIZE;
    put_u16(out + FIXED_HEADER_SIZE, packet_id);
}

static size_t publish_remaining_length(size_t topic_length, size_t payload_length, int qos)
{
    return LENGTH_SIZE + topic_length + (qos ? PACKET_ID_SIZE : 0) + payload_length;
}

size_t mqtt_publish_size(size_t topic_length, size_t payload_length, int qos)
{
    uint8_t scratch[LONGEST_REMAINING_LENGTH];
    size_t remaining = publish_remaining_length(topic_length, payload_length, qos);
    return 1 + put_remaining_length(scratch, remaining) + remaining;
}

size_t mqtt_publish_header(uint8_t *out, const char *topic, size_t payload_length, int qos)
{
    out[0] = (uint8_t)(0x30 | qos << 1);
    uint8_t *at = out + 1;
    at += put_remaining_length(at, publish_remaining_length(strlen(topic), payload_length, qos));
    at = put_string(at, topic);
    if (qos) {
        put_u16(at, 0);
        at += PACKET_ID_SIZE;
    }
    return (size_t)(at - out);
}

ssize_t mqtt_next(const uint8_t *data, size_t available, struct mqtt_frame *frame)
{
    size_t length = 0;
    size_t at = 1;
    for (unsigned shift = 0;; shift += 7) {
        if (at > LONGEST_REMAINING_LENGTH)
            return -1;
        if (at >= available)
            return 0;
        uint8_t digit = data[at++];
        length |= (size_t)(digit & 0x7f) << shift;
        if (!(digit & 0x80))
            break;
    }
    if (available - at < length)
        return 0;
    *frame = (struct mqtt_frame){.first = data[0], .body = data + at, .length = length};
    return (ssize_t)(at + length);
}

bool mqtt_read_publish(const struct mqtt_frame *frame, struct mqtt_publish *publish)
{
    size_t id_size = frame->first & 0x06 ? PACKET_ID_SIZE : 0;
    if (frame->length < LENGTH_SIZE)
        return false;
    size_t topic_length = get_u16(frame->body);
    size_t header_length = LENGTH_SIZE + topic_length + id_size;
    if (frame->length < header_length)
        return false;
    publish->topic = frame->body + LENGTH_SIZE;
    publish->topic_length = topic_length;
    publish->packet_id = id_size ? get_u16(publish->topic + topic_length) : 0;
    publish->payload = frame->body + header_length;
    publish->payload_length = frame->length - header_length;
    return true;
}
