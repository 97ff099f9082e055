"""The message broker: sessions, authorisation, routing, wills, lifecycle events."""

from fogbank import native

__path__[:0] = native.modules()
