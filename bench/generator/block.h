/* A run of ready-made PUBLISH packets: only sequence numbers and packet ids are patched in before each sending.
 *
 * Payload: magic (4 bytes), publisher (4), sequence number (8), then a fixed filler; a receiver verifies all of it. */
#ifndef BLOCK_H
#define BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SMALLEST_PAYLOAD = 16 };

struct block {
    uint8_t *bytes;
    size_t frame_size;
    size_t frames;
    size_t payload_at; /* offset of the payload within a frame */
    int qos;
};

struct block block_create(uint32_t publisher, const char *topic, size_t payload_size, int qos, size_t frames);

/* Makes frame `index` the message with this sequence number; the packet id counts only at QoS 1. */
void block_patch(struct block *block, size_t index, uint64_t sequence, uint16_t packet_id);

/* Reads and verifies a payload; false where it is not exactly what some publisher sent. */
bool payload_read(const uint8_t *payload, size_t length, size_t expected_length, uint32_t *publisher,
                  uint64_t *sequence);

#endif
