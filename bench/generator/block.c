#include "block.h"

#include <string.h>

#include "fatal.h"
#include "mqtt.h"
#include "wire.h"

struct block block_create(uint32_t publisher, const char *topic, enum payload_form form, size_t payload_size, int qos,
                          size_t frames)
{
    size_t frame_size = mqtt_publish_size(strlen(topic), payload_size, qos);
    struct block block = {.frame_size = frame_size, .frames = frames, .form = form, .qos = qos};
    block.bytes = allocate(frames, frame_size);
    for (size_t index = 0; index < frames; index++) {
        uint8_t *frame = block.bytes + index * frame_size;
        block.payload_at = mqtt_publish_header(frame, topic, payload_size, qos);
        payload_write(frame + block.payload_at, form, publisher, payload_size);
    }
    return block;
}

void block_patch(struct block *block, size_t index, uint64_t sequence, uint16_t packet_id)
{
    uint8_t *payload = block->bytes + index * block->frame_size + block->payload_at;
    payload_number(payload, block->form, sequence);
    if (block->qos)
        put_u16(payload - 2, packet_id);
}
