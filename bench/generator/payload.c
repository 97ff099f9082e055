#include "payload.h"

#include <string.h>

#include "wire.h"

enum { MAGIC = 0xf09ba2c4, PUBLISHER_AT = 4, SEQUENCE_AT = 8, FILLER = 0x5a };

/* bench/rules/payload.py writes the same. */
static const char json_head[] = "{\"magic\":\"f09ba2c4\",\"publisher\":\"";
static const char json_neck[] = "\",\"sequence\":\"";
static const char json_body[] = "\",\"temperature\":21.5,\"humidity\":48,\"on\":true,"
                                "\"position\":{\"lat\":47.37,\"lon\":8.54},\"filler\":\"";
static const char json_foot[] = "\"}";

enum {
    PUBLISHER_DIGITS = 8,
    SEQUENCE_DIGITS = 16,
    HEAD = sizeof json_head - 1,
    NECK = sizeof json_neck - 1,
    BODY = sizeof json_body - 1,
    FOOT = sizeof json_foot - 1,
    JSON_NECK_AT = HEAD + PUBLISHER_DIGITS,
    JSON_SEQUENCE_AT = JSON_NECK_AT + NECK,
    JSON_BODY_AT = JSON_SEQUENCE_AT + SEQUENCE_DIGITS,
    JSON_FILLER_AT = JSON_BODY_AT + BODY,
};

static void put_digits(uint8_t *at, uint64_t value, int digits)
{
    for (int place = digits - 1; place >= 0; place--, value >>= 4)
        at[place] = (uint8_t)"0123456789abcdef"[value & 15];
}

static bool get_digits(const uint8_t *at, int digits, uint64_t *value)
{
    *value = 0;
    for (int place = 0; place < digits; place++) {
        uint8_t digit = at[place];
        if (digit >= '0' && digit <= '9')
            digit -= '0';
        else if (digit >= 'a' && digit <= 'f')
            digit -= 'a' - 10;
        else
            return false;
        *value = *value << 4 | digit;
    }
    return true;
}

size_t payload_least(enum payload_form form) { return form == PAYLOAD_JSON ? JSON_FILLER_AT + FOOT : SMALLEST_PAYLOAD; }

void payload_write(uint8_t *at, enum payload_form form, uint32_t publisher, size_t size)
{
    memset(at, FILLER, size);
    if (form == PAYLOAD_JSON) {
        memcpy(at, json_head, HEAD);
        put_digits(at + HEAD, publisher, PUBLISHER_DIGITS);
        memcpy(at + JSON_NECK_AT, json_neck, NECK);
        memcpy(at + JSON_BODY_AT, json_body, BODY);
        memcpy(at + size - FOOT, json_foot, FOOT);
    } else {
        put_u32(at, MAGIC);
        put_u32(at + PUBLISHER_AT, publisher);
    }
    payload_number(at, form, 0);
}

void payload_number(uint8_t *at, enum payload_form form, uint64_t sequence)
{
    if (form == PAYLOAD_JSON)
        put_digits(at + JSON_SEQUENCE_AT, sequence, SEQUENCE_DIGITS);
    else
        put_u64(at + SEQUENCE_AT, sequence);
}

/* A run of one byte equals itself shifted by one: `memcmp` does the comparison at memory speed. */
static bool all_filler(const uint8_t *at, size_t length)
{
    return length == 0 || (at[0] == FILLER && memcmp(at, at + 1, length - 1) == 0);
}

static bool read_bytes(const uint8_t *payload, size_t length, uint32_t *publisher, uint64_t *sequence)
{
    *publisher = get_u32(payload + PUBLISHER_AT);
    *sequence = get_u64(payload + SEQUENCE_AT);
    return get_u32(payload) == MAGIC && all_filler(payload + SMALLEST_PAYLOAD, length - SMALLEST_PAYLOAD);
}

static bool read_json(const uint8_t *payload, size_t length, uint32_t *publisher, uint64_t *sequence)
{
    uint64_t number;
    if (memcmp(payload, json_head, HEAD) != 0 || memcmp(payload + JSON_NECK_AT, json_neck, NECK) != 0 ||
        memcmp(payload + JSON_BODY_AT, json_body, BODY) != 0 || memcmp(payload + length - FOOT, json_foot, FOOT) != 0)
        return false;
    if (!get_digits(payload + HEAD, PUBLISHER_DIGITS, &number))
        return false;
    *publisher = (uint32_t)number;
    return get_digits(payload + JSON_SEQUENCE_AT, SEQUENCE_DIGITS, sequence) &&
           all_filler(payload + JSON_FILLER_AT, length - FOOT - JSON_FILLER_AT);
}

bool payload_read(const uint8_t *payload, size_t length, enum payload_form form, size_t expected_length,
                  uint32_t *publisher, uint64_t *sequence)
{
    if (length != expected_length || length < payload_least(form))
        return false;
    return form == PAYLOAD_JSON ? read_json(payload, length, publisher, sequence)
                                : read_bytes(payload, length, publisher, sequence);
}
