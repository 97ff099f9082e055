#include "options.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fatal.h"

/* Half of MQTT's packet ids: an id is never needed again while it is still outstanding. */
enum { LARGEST_WINDOW = 32767, MOST_CONNECTIONS = 20000, LARGEST_PAYLOAD = 64 * 1024,
       MOST_MESSAGES = 100 * 1000 * 1000, LONGEST_TOPIC = 20 };

static const char usage[] =
    "usage: generator --port N [--host 127.0.0.1] [--topology pairs|fan-out|fan-in|nowhere]\n"
    "                 [--publishers N] [--subscribers N] [--qos 0|1] [--window N] [--payload BYTES]\n"
    "                 [--form bytes|json] [--topic NAME] [--arrives NAME] [--warm-up S] [--seconds S]\n"
    "                 [--patience S] [--pid PID] [--mode traffic|handshakes|store|drain] [--count N] [--rate N]\n"
    "                 [--ca FILE --certificate FILE --key FILE]\n"
    "Drives an MQTT 3.1.1 broker and prints one line of JSON: what was delivered, how fast, and what was lost.";

static const struct option long_options[] = {
    {"host", required_argument, NULL, 'h'},      {"port", required_argument, NULL, 'p'},
    {"topology", required_argument, NULL, 't'},  {"publishers", required_argument, NULL, 'P'},
    {"subscribers", required_argument, NULL, 'S'}, {"qos", required_argument, NULL, 'q'},
    {"window", required_argument, NULL, 'w'},    {"payload", required_argument, NULL, 'l'},
    {"warm-up", required_argument, NULL, 'u'},   {"seconds", required_argument, NULL, 's'},
    {"patience", required_argument, NULL, 'd'},  {"pid", required_argument, NULL, 'i'},
    {"mode", required_argument, NULL, 'm'},      {"count", required_argument, NULL, 'n'},
    {"rate", required_argument, NULL, 'r'},      {"ca", required_argument, NULL, 'a'},
    {"certificate", required_argument, NULL, 'c'}, {"key", required_argument, NULL, 'k'},
    {"form", required_argument, NULL, 'f'},      {"topic", required_argument, NULL, 'T'},
    {"arrives", required_argument, NULL, 'A'},   {NULL, 0, NULL, 0},
};

static uint32_t whole(const char *name, const char *text, long least, long most)
{
    char *end;
    long value = strtol(text, &end, 10);
    if (*text == '\0' || *end != '\0' || value < least || value > most)
        fatal("--%s: '%s' is not a whole number from %ld to %ld", name, text, least, most);
    return (uint32_t)value;
}

static double duration(const char *name, const char *text)
{
    char *end;
    double value = strtod(text, &end);
    if (*text == '\0' || *end != '\0' || !(value >= 0 && value <= 3600))
        fatal("--%s: '%s' is not a number of seconds up to 3600", name, text);
    return value;
}

static int one_of(const char *option, const char *text, const char *const *names, int count)
{
    for (int each = 0; each < count; each++)
        if (strcmp(text, names[each]) == 0)
            return each;
    fprintf(stderr, "--%s: '%s' is none of", option, text);
    for (int each = 0; each < count; each++)
        fprintf(stderr, " %s", names[each]);
    fatal(".");
}

static enum topology topology(const char *text)
{
    static const char *const names[] = {
        [PAIRS] = "pairs", [FAN_OUT] = "fan-out", [FAN_IN] = "fan-in", [NOWHERE] = "nowhere"};
    return (enum topology)one_of("topology", text, names, NOWHERE + 1);
}

static enum mode mode(const char *text)
{
    static const char *const names[] = {
        [TRAFFIC] = "traffic", [HANDSHAKES] = "handshakes", [STORE] = "store", [DRAIN] = "drain"};
    return (enum mode)one_of("mode", text, names, DRAIN + 1);
}

static enum payload_form form(const char *text)
{
    static const char *const names[] = {[PAYLOAD_BYTES] = "bytes", [PAYLOAD_JSON] = "json"};
    return (enum payload_form)one_of("form", text, names, PAYLOAD_JSON + 1);
}

static const char *topic(const char *name, const char *text)
{
    if (*text == '\0' || strlen(text) > LONGEST_TOPIC)
        fatal("--%s: '%s' does not have 1 to %d bytes", name, text, LONGEST_TOPIC);
    return text;
}

static void take(struct options *options, int letter, const char *text)
{
    switch (letter) {
    case 'h': options->host = text; break;
    case 'p': options->port = (uint16_t)whole("port", text, 1, UINT16_MAX); break;
    case 't': options->topology = topology(text); break;
    case 'P': options->publishers = whole("publishers", text, 1, MOST_CONNECTIONS); break;
    case 'S': options->subscribers = whole("subscribers", text, 0, MOST_CONNECTIONS); break;
    case 'q': options->qos = (int)whole("qos", text, 0, 1); break;
    case 'w': options->window = whole("window", text, 0, LARGEST_WINDOW); break;
    case 'l': options->payload = whole("payload", text, SMALLEST_PAYLOAD, LARGEST_PAYLOAD); break;
    case 'u': options->warm_up = duration("warm-up", text); break;
    case 's': options->seconds = duration("seconds", text); break;
    case 'd': options->patience = duration("patience", text); break;
    case 'i': options->broker = (pid_t)whole("pid", text, 0, INT32_MAX); break;
    case 'm': options->mode = mode(text); break;
    case 'n': options->count = whole("count", text, 0, MOST_MESSAGES); break;
    case 'r': options->rate = whole("rate", text, 0, MOST_MESSAGES); break;
    case 'a': options->ca = text; break;
    case 'c': options->certificate = text; break;
    case 'k': options->key = text; break;
    case 'f': options->form = form(text); break;
    case 'T': options->topic = topic("topic", text); break;
    case 'A': options->arrives = topic("arrives", text); break;
    default: fatal("%s", usage);
    }
}

static void check(const struct options *options)
{
    if (options->port == 0)
        fatal("--port is missing\n%s", usage);
    if (options->topology == PAIRS && options->publishers != options->subscribers)
        fatal("pairs need as many publishers as subscribers");
    if (options->topology == FAN_OUT && options->publishers != 1)
        fatal("fan-out has one publisher");
    if (options->topology == FAN_IN && options->subscribers != 1)
        fatal("fan-in has one subscriber");
    if ((options->topology == NOWHERE) != (options->subscribers == 0))
        fatal("publishers have no subscribers where their messages go nowhere, and only there");
    if (options->topology == NOWHERE && options->mode != TRAFFIC)
        fatal("only traffic goes nowhere");
    if (options->payload < payload_least(options->form))
        fatal("--payload: this form takes at least %zu bytes", payload_least(options->form));
    if (options->qos == 1 && options->window == 0)
        fatal("QoS 1 needs a --window of unacknowledged messages");
    /* Without acknowledgements a message is known to be through when it arrives, which has to be in one place. */
    if (options->qos == 0 && options->window && (options->topology == FAN_OUT || options->topology == NOWHERE))
        fatal("a --window at QoS 0 needs one subscriber per publisher");
    if (!options->ca != !options->certificate || !options->ca != !options->key)
        fatal("TLS needs --ca, --certificate and --key");
    if ((options->mode == STORE || options->mode == DRAIN) && (options->count == 0 || options->qos == 0))
        fatal("storing and draining need a --count and QoS 1");
    if ((options->mode == STORE || options->mode == DRAIN) && (options->publishers != 1 || options->subscribers != 1))
        fatal("storing and draining have one publisher and one subscriber");
    if (options->rate > 0 && options->mode != TRAFFIC)
        fatal("a --rate is for traffic");
}

struct options options_parse(int argc, char **argv)
{
    struct options options = {
        .host = "127.0.0.1", .topology = PAIRS, .publishers = 1, .subscribers = 1, .payload = 64,
        .warm_up = 0.5,      .seconds = 3,      .patience = 5,   .topic = "bench",
    };
    int letter;
    while ((letter = getopt_long(argc, argv, "", long_options, NULL)) != -1)
        take(&options, letter, optarg);
    if (optind < argc)
        fatal("unexpected argument '%s'\n%s", argv[optind], usage);
    if (options.arrives == NULL)
        options.arrives = options.topic;
    check(&options);
    return options;
}
