/* One run of traffic: connect everybody, warm up, measure, stop publishing, drain, account. */
#ifndef TRAFFIC_H
#define TRAFFIC_H

#include "options.h"
#include "outcome.h"

struct outcome run_traffic(const struct options *options);

#endif
