"""The load generator as Python sees it: compiled where out of date, run once per measurement, its JSON understood."""

import functools
import subprocess
import tempfile
from pathlib import Path

import msgspec

from bench.affinity import pinned
from bench.broker import Endpoint
from bench.process import LOOPBACK
from bench.scenario import Scenario

HERE = Path(__file__).parent
BUILD = HERE / "build"
GENERATOR_SOURCES = HERE / "generator"
REFLECTOR_SOURCES = HERE / "reflector"

COMPILE = ("gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Wshadow")
LONGEST_DRAIN = 60
LONGEST_QOS_0_DRAIN = 10
"""Seconds; the generator's own bounds."""
CONNECTING = 30
"""Seconds allowed for all handshakes."""


class RunError(Exception):
    """A measurement that came to nothing, with the generator's own words."""


class Cpu(msgspec.Struct, frozen=True):
    """Seconds of CPU time."""

    user: float
    system: float

    @property
    def total(self) -> float:
        """User and system time together."""
        return self.user + self.system


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What one run measured (first four fields) and what became of every message of it, warm-up and drain included."""

    seconds: float
    delivered: int
    broker_cpu: Cpu
    generator_cpu: Cpu
    published: int
    acknowledged: int
    expected: int
    received: int
    missing: int
    duplicated: int
    out_of_order: int
    corrupt: int
    drain_seconds: float
    delay_p50: float = 0.0
    """Seconds from when a message was due to its arrival; where there was a schedule."""
    delay_p99: float = 0.0

    @property
    def rate(self) -> float:
        """Distinct messages delivered per second."""
        return self.delivered / self.seconds

    @property
    def broker_share(self) -> float:
        """How much of one core the broker used; may pass 1 where it has threads and more than one core."""
        return self.broker_cpu.total / self.seconds

    @property
    def generator_share(self) -> float:
        """How much of one core the generator used, 0 to 1; near 1 means that it may have been the bottleneck."""
        return self.generator_cpu.total / self.seconds

    def broken_promises(self, qos: int) -> list[str]:
        """What no broker may do at this quality of service. At QoS 0 it may drop."""
        broken = []
        if self.corrupt:
            broken.append(f"{self.corrupt:,} messages were corrupt or went where they did not belong")
        if qos and self.missing:
            broken.append(f"{self.missing:,} QoS 1 messages were lost")
        if qos and self.acknowledged < self.published:
            broken.append(f"{self.published - self.acknowledged:,} QoS 1 messages were never acknowledged")
        if self.out_of_order:
            broken.append(f"{self.out_of_order:,} messages were out of order")  # [MQTT-4.6.0-6]
        if not self.delivered:
            broken.append("nothing was delivered")
        return broken


def _compile(target: Path, sources: list[Path], watched: list[Path]) -> Path:
    if target.exists() and all(source.stat().st_mtime < target.stat().st_mtime for source in watched):
        return target
    target.parent.mkdir(exist_ok=True)
    # Whoever else is building or running it (tests do so in parallel) never sees half a file.
    with tempfile.TemporaryDirectory(dir=target.parent) as fresh:
        _run_gcc(Path(fresh) / target.name, sources)
        (Path(fresh) / target.name).rename(target)
    return target


def _run_gcc(target: Path, sources: list[Path]) -> None:
    tls = ("-DWITH_TLS", "-lssl", "-lcrypto") if has_openssl() else ()
    try:
        subprocess.run([*COMPILE, "-o", str(target), *map(str, sources), *tls], check=True)
    except FileNotFoundError:
        raise RunError("the load generator is written in C: install gcc") from None
    except subprocess.CalledProcessError:
        raise RunError(f"gcc could not build {target.name}; its messages are above") from None


@functools.cache
def has_openssl() -> bool:
    """Whether OpenSSL's headers are there, without which the generator knows no TLS."""
    probe = ("gcc", "-E", "-include", "openssl/ssl.h", "-x", "c", "/dev/null")
    try:
        return subprocess.run(probe, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def _everything() -> list[Path]:
    return [path for directory in (GENERATOR_SOURCES, REFLECTOR_SOURCES) for path in directory.iterdir()]


def build_generator(target: Path = BUILD / "generator") -> Path:
    """The generator's executable."""
    return _compile(target, sorted(GENERATOR_SOURCES.glob("*.c")), _everything())


def build_reflector(target: Path = BUILD / "reflector") -> Path:
    """The reflector's executable: the least a broker can do, to show what the generator can."""
    shared = [GENERATOR_SOURCES / "mqtt.c", GENERATOR_SOURCES / "fatal.c"]
    return _compile(target, [*REFLECTOR_SOURCES.glob("*.c"), *shared], _everything())


def arguments(scenario: Scenario) -> list[str]:
    """The scenario in the generator's options."""
    return [
        *("--mode", scenario.mode.value, "--count", str(scenario.count), "--rate", str(scenario.rate)),
        *("--topology", scenario.topology.value),
        *("--publishers", str(scenario.publishers)),
        *("--subscribers", str(scenario.subscribers)),
        *("--qos", str(scenario.qos)),
        *("--window", str(scenario.window)),
        *("--payload", str(scenario.payload), "--form", scenario.form.value),
        *("--topic", scenario.topic, "--arrives", scenario.arrives),
    ]


def _certificates(endpoint: Endpoint) -> list[str]:
    client = endpoint.client
    if client is None:
        return []
    return ["--ca", str(client.ca), "--certificate", str(client.certificate), "--key", str(client.key)]


def drive(
    generator: Path,
    scenario: Scenario,
    endpoint: Endpoint,
    *,
    core: int | None,
    seconds: float,
    warm_up: float,
    patience: float = 5.0,
) -> Outcome:
    """Run the scenario once against a broker's endpoint. Raises RunError where it cannot be finished."""
    command = [
        *(str(generator), "--host", LOOPBACK, "--port", str(endpoint.port), "--pid", str(endpoint.pid)),
        *("--seconds", str(seconds), "--warm-up", str(warm_up), "--patience", str(patience)),
        *arguments(scenario),
        *_certificates(endpoint),
    ]
    try:
        with pinned(None if core is None else {core}):
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with process:
            out, err = _communicate(process, timeout=CONNECTING + warm_up + seconds + LONGEST_DRAIN)
    except OSError as error:
        raise RunError(f"cannot run {generator}: {error}") from error
    if process.returncode != 0:
        raise RunError(err.decode().strip() or f"the generator ended with status {process.returncode}")
    return msgspec.json.decode(out, type=Outcome)


def _communicate(process: subprocess.Popen[bytes], timeout: float) -> tuple[bytes, bytes]:
    try:
        return process.communicate(timeout=timeout)
    except BaseException as error:
        process.kill()
        process.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            raise RunError(f"the generator was not finished after {timeout:.0f} s") from None
        raise
