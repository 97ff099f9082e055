/* What a message says: who published it and the how manieth of his it is, in bytes or as JSON, and nothing but that.
 *
 * In bytes: magic (4), publisher (4), sequence number (8), filler. As JSON: the same in hexadecimal among readings such
 * as a device sends them, written as compactly as it can be, so that what takes it apart and puts it together again
 * arrives at the same bytes. A receiver verifies all of it either way. */
#ifndef PAYLOAD_H
#define PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum payload_form { PAYLOAD_BYTES, PAYLOAD_JSON };

enum { SMALLEST_PAYLOAD = 16 };

/* The least that a payload of this form can have. */
size_t payload_least(enum payload_form form);

/* Writes all of it, sequence number 0. */
void payload_write(uint8_t *at, enum payload_form form, uint32_t publisher, size_t size);

/* Writes the sequence number alone. */
void payload_number(uint8_t *at, enum payload_form form, uint64_t sequence);

/* Reads and verifies a payload; false where it is not exactly what some publisher sent. */
bool payload_read(const uint8_t *payload, size_t length, enum payload_form form, size_t expected_length,
                  uint32_t *publisher, uint64_t *sequence);

#endif
