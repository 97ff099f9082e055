#include "loop.h"

#include <errno.h>
#include <sys/epoll.h>

#include "connection.h"
#include "fatal.h"

enum { EVENTS = 256 };

int loop_create(void)
{
    int poll = epoll_create1(EPOLL_CLOEXEC);
    if (poll < 0)
        fatal_errno("epoll_create1");
    return poll;
}

void loop_once(int poll, int milliseconds)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(poll, events, EVENTS, milliseconds);
    if (count < 0 && errno != EINTR)
        fatal_errno("epoll_wait");
    for (int index = 0; index < count; index++) {
        struct connection *connection = events[index].data.ptr;
        connection->on_ready(connection, events[index].events);
    }
}
