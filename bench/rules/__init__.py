"""The rules engine: how fast a statement is decided, alone and behind a socket, and how fast what fires is done."""
