/* TLS for a connection: OpenSSL with the manners of recv(2) and send(2).
 *
 * Every handshake is a full one: no session is ever kept, so that no server can resume one. */
#ifndef SECURE_H
#define SECURE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct ssl_st; /* OpenSSL's SSL */

/* Whom to trust and what to prove oneself by: PEM files, for all connections from here on. */
void secure_configure(const char *ca, const char *certificate, const char *key);

/* A client's end on a connected or connecting socket. */
struct ssl_st *secure_client(int socket);

/* 1 where the handshake is done, 0 where the socket must be waited for (`want_write`: to take more), -1 on failure. */
int secure_handshake(struct ssl_st *tls, bool *want_write);

/* As recv(2) and send(2), errno EAGAIN where the socket must be waited for. A `secure_send` is repeated with the same. */
ssize_t secure_recv(struct ssl_st *tls, void *buffer, size_t length);
ssize_t secure_send(struct ssl_st *tls, const void *bytes, size_t length);

/* Whether bytes wait here that epoll knows nothing of. */
bool secure_pending(const struct ssl_st *tls);

void secure_free(struct ssl_st *tls);

#endif
