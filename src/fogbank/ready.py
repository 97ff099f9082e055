"""The ready file: what a running instance tells of itself, for whoever wants in."""

import msgspec


class Address(msgspec.Struct, frozen=True):
    """Where a listener accepts."""

    host: str
    port: int


class Ready(msgspec.Struct, frozen=True):
    """What `--ready-file` and the data directory's own ready file hold, as JSON. The secret stays out of `repr`."""

    pid: int
    api: str
    """The URL of the HTTP API, for AWS_ENDPOINT_URL."""
    mqtts: Address
    https: Address
    wss: Address
    """MQTT over WebSocket: `wss://host:port/mqtt`."""
    plain_mqtt: Address | None
    ca_file: str
    region: str
    account_id: str
    access_key_id: str
    secret_access_key: str
    data_dir: str

    def __repr__(self) -> str:
        return f"Ready(pid={self.pid}, api={self.api!r}, data_dir={self.data_dir!r}, ...)"
