"""The edge to the network: accepts connections, does TLS, tells protocols apart, identifies the peer."""

from fogbank import native

__path__[:0] = native.modules()
