/* An MQTT load generator that means never to be the bottleneck: one process, one epoll loop, packets built beforehand.
 *
 * main     options in, one run, one line of JSON out
 *   traffic      phases, totals             handshakes   connections that come and go
 *   offline      a session whose client is away
 *     publisher    windows, packet ids      subscriber   verification, acknowledgements
 *       block        ready-made packets       ledger       sequence numbers; delays
 *         payload      what they say, and whether they still do
 *       connection   socket, handshake, reading packet by packet
 *         secure       TLS
 *         mqtt         the protocol's bytes */
#include <inttypes.h>
#include <stdio.h>

#include "handshakes.h"
#include "offline.h"
#include "options.h"
#include "secure.h"
#include "traffic.h"

static void print_cpu(const char *name, struct cpu cpu)
{
    printf(", \"%s\": {\"user\": %.4f, \"system\": %.4f}", name, cpu.user, cpu.system);
}

static void print_count(const char *name, uint64_t count) { printf(", \"%s\": %" PRIu64, name, count); }

static void print_outcome(const struct outcome *outcome)
{
    printf("{\"seconds\": %.6f", outcome->seconds);
    print_count("delivered", outcome->delivered);
    print_cpu("broker_cpu", outcome->broker);
    print_cpu("generator_cpu", outcome->generator);
    print_count("published", outcome->published);
    print_count("acknowledged", outcome->acknowledged);
    print_count("expected", outcome->expected);
    print_count("received", outcome->received);
    print_count("missing", outcome->missing);
    print_count("duplicated", outcome->duplicated);
    print_count("out_of_order", outcome->out_of_order);
    print_count("corrupt", outcome->corrupt);
    printf(", \"delay_p50\": %.9f, \"delay_p99\": %.9f", outcome->delay_p50, outcome->delay_p99);
    printf(", \"drain_seconds\": %.3f}\n", outcome->drain_seconds);
}

static struct outcome run(const struct options *options)
{
    switch (options->mode) {
    case HANDSHAKES: return run_handshakes(options);
    case STORE: return run_store(options);
    case DRAIN: return run_drain(options);
    default: return run_traffic(options);
    }
}

int main(int argc, char **argv)
{
    struct options options = options_parse(argc, argv);
    if (options.ca)
        secure_configure(options.ca, options.certificate, options.key);
    struct outcome outcome = run(&options);
    print_outcome(&outcome);
    return 0;
}
