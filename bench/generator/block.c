#include "block.h"

#include <string.h>

#include "fatal.h"
#include "mqtt.h"
#include "wire.h"

enum { MAGIC = 0xf09ba2c4, PUBLISHER_AT = 4, SEQUENCE_AT = 8, FILLER = 0x5a };

static void put_payload(uint8_t *at, uint32_t publisher, size_t size)
{
    memset(at, FILLER, size);
    put_u32(at, MAGIC);
    put_u32(at + PUBLISHER_AT, publisher);
}

struct block block_create(uint32_t publisher, const char *topic, size_t payload_size, int qos, size_t frames)
{
    size_t frame_size = mqtt_publish_size(strlen(topic), payload_size, qos);
    struct block block = {.frame_size = frame_size, .frames = frames, .qos = qos};
    block.bytes = allocate(frames, frame_size);
    for (size_t index = 0; index < frames; index++) {
        uint8_t *frame = block.bytes + index * frame_size;
        block.payload_at = mqtt_publish_header(frame, topic, payload_size, qos);
        put_payload(frame + block.payload_at, publisher, payload_size);
    }
    return block;
}

void block_patch(struct block *block, size_t index, uint64_t sequence, uint16_t packet_id)
{
    uint8_t *payload = block->bytes + index * block->frame_size + block->payload_at;
    put_u64(payload + SEQUENCE_AT, sequence);
    if (block->qos)
        put_u16(payload - 2, packet_id);
}

/* A run of one byte equals itself shifted by one: `memcmp` does the comparison at memory speed. */
static bool all_filler(const uint8_t *at, size_t length)
{
    return length == 0 || (at[0] == FILLER && memcmp(at, at + 1, length - 1) == 0);
}

bool payload_read(const uint8_t *payload, size_t length, size_t expected_length, uint32_t *publisher,
                  uint64_t *sequence)
{
    if (length != expected_length || get_u32(payload) != MAGIC)
        return false;
    *publisher = get_u32(payload + PUBLISHER_AT);
    *sequence = get_u64(payload + SEQUENCE_AT);
    return all_filler(payload + SMALLEST_PAYLOAD, length - SMALLEST_PAYLOAD);
}
