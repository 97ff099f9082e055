/* The one epoll loop: every event's pointer is a connection, which knows what to do. */
#ifndef LOOP_H
#define LOOP_H

/* An epoll instance. */
int loop_create(void);

/* Waits for events, at most so long (0: not at all), and lets each connection act on its own. */
void loop_once(int poll, int milliseconds);

#endif
