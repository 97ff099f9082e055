"""Fogbank as a contestant: authorisation on, rights for exactly what the generator does, and its limits lifted."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Collection, Iterator, Sequence
from importlib import metadata
from pathlib import Path

import msgspec

from bench.broker import Api, Broker, Endpoint, Setup
from bench.credentials import Credentials, new_key, signing_request, write_key
from bench.process import STOP_WITHIN, await_ready, process

POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "iot:Connect",
            "Resource": [
                "arn:aws:iot:us-east-1:123456789012:client/bench-pub-*",
                "arn:aws:iot:us-east-1:123456789012:client/bench-sub-*",
            ],
        },
        {
            "Effect": "Allow",
            "Action": ["iot:Publish", "iot:Receive"],
            "Resource": [
                "arn:aws:iot:us-east-1:123456789012:topic/bench/*",
                "arn:aws:iot:us-east-1:123456789012:topic/$aws/things/bench-*",
            ],
        },
        {
            "Effect": "Allow",
            "Action": "iot:Subscribe",
            "Resource": [
                "arn:aws:iot:us-east-1:123456789012:topicfilter/bench/*",
                "arn:aws:iot:us-east-1:123456789012:topicfilter/$aws/things/+/shadow/*",
                "arn:aws:iot:us-east-1:123456789012:topicfilter/$aws/things/bench-*",
            ],
        },
    ],
}
"""Just what the generator does is allowed, nothing else."""


class _Address(msgspec.Struct, frozen=True):
    host: str
    port: int


class _ReadyFile(msgspec.Struct, frozen=True):
    pid: int
    api: str
    region: str
    mqtts: _Address
    plain_mqtt: _Address
    ca_file: str
    access_key_id: str
    secret_access_key: str


def default_command() -> list[str]:
    """`fogbank up` of the environment this runs in, its limits lifted as Mosquitto's are."""
    beside = Path(sys.executable).with_name("fogbank")
    return [str(beside) if beside.exists() else "fogbank", "up", "--limits", "open"]


@contextlib.contextmanager
def fogbank(directory: Path, cores: Collection[int] | None, setup: Setup, command: Sequence[str]) -> Iterator[Broker]:
    """Fogbank with its data in `directory`, which may be one it has used before. Ready when this is entered."""
    directory.mkdir(exist_ok=True)
    ready_file, policy, log = directory / "ready.json", directory / "policy.json", directory / "log"
    ready_file.unlink(missing_ok=True)
    policy.write_bytes(msgspec.json.encode(POLICY))
    full = [
        *command,
        *("--data", str(directory / "data"), "--region", "us-east-1", "--account-id", "123456789012"),
        *("--api-port", "0", "--mqtt-port", "0", "--https-port", "0"),
        *("--plain-mqtt-port", "0", "--plain-policy", str(policy), "--ready-file", str(ready_file)),
    ]
    with process(full, log, cores, setup.environment) as started:
        await_ready("fogbank", started, ready_file.exists, log)
        ready = msgspec.json.decode(ready_file.read_bytes(), type=_ReadyFile)
        api = Api(ready.api, ready.region, ready.access_key_id, ready.secret_access_key)
        try:
            client = registered(api, Path(ready.ca_file), directory) if setup.tls else None
            yield Broker(
                name="fogbank",
                version=metadata.version("fogbank"),
                plain=Endpoint(ready.plain_mqtt.port, ready.pid),
                secure=None if client is None else Endpoint(ready.mqtts.port, ready.pid, client),
                api=api,
            )
        finally:
            if ready.pid != started.pid:
                _end_wrapped(ready.pid, started)


def _end_wrapped(pid: int, wrapper: subprocess.Popen[bytes]) -> None:
    """A profiler around the broker writes its findings once the broker has ended, not when it is itself told to."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        wrapper.wait(STOP_WITHIN)


def registered(api: Api, ca: Path, directory: Path) -> Credentials:
    """A device's certificate, active, with the policy attached; all connections share it."""
    credentials = Credentials(ca, directory / "client.pem", directory / "client.key")
    if credentials.certificate.exists():
        return credentials
    iot = api.client("iot")
    key = new_key()
    write_key(key, credentials.key)
    made = iot.create_certificate_from_csr(certificateSigningRequest=signing_request(key), setAsActive=True)
    iot.create_policy(policyName="bench", policyDocument=msgspec.json.encode(POLICY).decode())
    iot.attach_policy(policyName="bench", target=made["certificateArn"])
    credentials.certificate.write_text(made["certificatePem"])
    return credentials
