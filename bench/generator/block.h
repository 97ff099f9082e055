/* A run of ready-made PUBLISH packets: only sequence numbers and packet ids are patched in before each sending. */
#ifndef BLOCK_H
#define BLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "payload.h"

struct block {
    uint8_t *bytes;
    size_t frame_size;
    size_t frames;
    size_t payload_at; /* offset of the payload within a frame */
    enum payload_form form;
    int qos;
};

struct block block_create(uint32_t publisher, const char *topic, enum payload_form form, size_t payload_size, int qos,
                          size_t frames);

/* Makes frame `index` the message with this sequence number; the packet id counts only at QoS 1. */
void block_patch(struct block *block, size_t index, uint64_t sequence, uint16_t packet_id);

#endif
