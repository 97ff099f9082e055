/* A subscriber that is away: what is published for its session meanwhile, and what it finds when it returns. */
#ifndef OFFLINE_H
#define OFFLINE_H

#include "options.h"
#include "outcome.h"

/* The subscriber subscribes with a persistent session and leaves; then all messages are published and acknowledged. */
struct outcome run_store(const struct options *options);

/* It returns, and takes and acknowledges all that is there. */
struct outcome run_drain(const struct options *options);

#endif
