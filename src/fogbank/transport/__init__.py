"""The edge to the network: accepts connections, does TLS, tells protocols apart, identifies the peer."""
