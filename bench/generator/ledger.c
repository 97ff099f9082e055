#include "ledger.h"

#include <stdlib.h>
#include <string.h>

#include "fatal.h"

enum { BITS = 64, FIRST_WORDS = 1024 };

static void grow(struct ledger *ledger, size_t word)
{
    size_t words = ledger->words ? ledger->words : FIRST_WORDS;
    while (words <= word)
        words *= 2;
    uint64_t *seen = realloc(ledger->seen, words * sizeof *seen);
    if (seen == NULL)
        fatal("out of memory for %zu sequence numbers", words * BITS);
    memset(seen + ledger->words, 0, (words - ledger->words) * sizeof *seen);
    ledger->seen = seen;
    ledger->words = words;
}

bool ledger_record(struct ledger *ledger, uint64_t sequence)
{
    size_t word = sequence / BITS;
    uint64_t bit = UINT64_C(1) << sequence % BITS;
    if (word >= ledger->words)
        grow(ledger, word);
    if (ledger->seen[word] & bit) {
        ledger->duplicated++;
        return false;
    }
    ledger->seen[word] |= bit;
    ledger->received++;
    if (sequence < ledger->next)
        ledger->out_of_order++;
    else
        ledger->next = sequence + 1;
    return true;
}
