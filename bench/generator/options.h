/* What a run is told on its command line. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "payload.h"

enum topology {
    PAIRS,   /* publisher i to subscriber i, and to nobody else */
    FAN_OUT, /* one publisher to every subscriber */
    FAN_IN,  /* every publisher, each on a topic of its own, to one subscriber */
    NOWHERE, /* publishers alone: what becomes of their messages somebody else counts */
};

enum mode {
    TRAFFIC,    /* publishers to subscribers, for a time */
    HANDSHAKES, /* connections that come and go, for a time */
    STORE,      /* a subscriber with a persistent session leaves, then `count` messages are published for it */
    DRAIN,      /* the subscriber returns and takes them */
};

struct options {
    enum mode mode;
    const char *host; /* IPv4 address */
    uint16_t port;
    enum topology topology;
    uint32_t publishers;
    uint32_t subscribers;
    int qos;
    uint32_t window; /* messages outstanding per publisher; 0: as fast as the socket takes them (QoS 0 only) */
    enum payload_form form;
    size_t payload;      /* bytes */
    const char *topic;   /* publisher i publishes to `topic`/i... */
    const char *arrives; /* ...and that arrives at `arrives`/i */
    double warm_up;  /* seconds */
    double seconds;  /* measured */
    double patience; /* seconds without progress after which draining gives up */
    uint64_t count;  /* messages per publisher; 0: without end */
    double rate;     /* messages per second on a schedule, of all publishers together; 0: no schedule */
    const char *ca;  /* PEM files for TLS; all NULL: plain */
    const char *certificate;
    const char *key;
    pid_t broker;    /* whose CPU time is measured; 0: nobody's */
};

/* Parses and checks the command line; explains itself and exits where it cannot be meant. */
struct options options_parse(int argc, char **argv);

#endif
