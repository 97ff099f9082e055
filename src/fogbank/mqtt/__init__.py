"""The MQTT language: bytes to packets and back. Pure: no sockets, no clock, no state beyond the bytes at hand."""
