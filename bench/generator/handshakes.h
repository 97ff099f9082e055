/* Connections that come and go: TLS handshake where there is TLS, CONNECT, CONNACK, DISCONNECT, and the next.
 *
 * `publishers` of them are under way at any time. One counts when its CONNACK is there: only then has the broker
 * certainly verified the client's side, for in TLS 1.3 the client is done first. */
#ifndef HANDSHAKES_H
#define HANDSHAKES_H

#include "options.h"
#include "outcome.h"

struct outcome run_handshakes(const struct options *options);

#endif
