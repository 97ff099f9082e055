"""The message broker: sessions, authorisation, routing, wills, lifecycle events."""
