"""What of shadows is measured, by name.

    shadows-mqtt       200 devices without TLS: what is named in updates per second
    shadows-mqtt-tls   the same over mutual TLS, turn by turn with MiniStack, which takes MQTT in no other way
    shadows-http       four clients, each request signed, turn by turn with MiniStack

An update counts when its answer is there, and that is sent when the update is on disk (MiniStack: in memory).
"""

import contextlib
from collections.abc import Callable

import msgspec

from bench.broker import Broker, Setup
from bench.driver import RunError
from bench.figure import OURS, Aim, Bound, Figure, Tally
from bench.process import BrokerError
from bench.rules import ministack
from bench.rules.site import Site
from bench.shadows.exchange import Outcome, Task, run

DEVICES, CALLERS = 200, 4

MQTT_AIM = Aim(Bound.LEAST, 8_000.0, None)
HTTP_AIM = Aim(Bound.LEAST, 4_000.0, None)


def measure_mqtt(site: Site) -> list[Figure]:
    """Without TLS."""
    tally = Tally()
    with site.start("mqtt") as broker:
        for _ in range(site.repeat):
            _enter(tally, broker, over_mqtt(site, broker, tls=False))
    return _figures("shadows-mqtt", f"shadow updates over MQTT, {DEVICES} devices", tally, MQTT_AIM)


def measure_mqtt_tls(site: Site) -> list[Figure]:
    """Over mutual TLS."""
    tally = _turn_by_turn(site, Setup(tls=True), lambda broker: over_mqtt(site, broker, tls=True))
    return _figures("shadows-mqtt-tls", f"shadow updates over mutual TLS, {DEVICES} devices", tally, None)


def measure_http(site: Site) -> list[Figure]:
    """Without TLS, by SigV4."""
    tally = _turn_by_turn(site, Setup(), lambda broker: over_http(site, broker))
    return _figures("shadows-http", f"shadow updates over HTTP, {CALLERS} clients", tally, HTTP_AIM)


TRIALS: dict[str, Callable[[Site], list[Figure]]] = {
    "shadows-mqtt": measure_mqtt,
    "shadows-mqtt-tls": measure_mqtt_tls,
    "shadows-http": measure_http,
}


def measure(name: str, site: Site) -> list[Figure]:
    """One of `TRIALS`; a failure is a result too."""
    try:
        return TRIALS[name](site)
    except (BrokerError, RunError, OSError) as error:
        return [Figure(name=name, title=name, unit="/s", values={}, failures={OURS: [str(error)]})]


def over_mqtt(site: Site, broker: Broker, *, tls: bool) -> Outcome:
    """One run of the devices and their app. Raises RunError."""
    endpoint = broker.endpoint(tls=tls)
    assert endpoint is not None
    client = endpoint.client
    task = Task(
        port=endpoint.port,
        pid=endpoint.pid,
        clients=DEVICES,
        seconds=site.seconds,
        warm_up=site.warm_up,
        ca=None if client is None else str(client.ca),
        certificate=None if client is None else str(client.certificate),
        key=None if client is None else str(client.key),
    )
    return run("fleet", task, site.cores.generator)


def over_http(site: Site, broker: Broker) -> Outcome:
    """One run of the callers. Raises RunError."""
    api = broker.api
    assert api is not None
    task = Task(
        port=int(api.url.rpartition(":")[2]),
        pid=broker.plain.pid,
        clients=CALLERS,
        seconds=site.seconds,
        warm_up=site.warm_up,
        access_key_id=api.access_key_id,
        secret_access_key=api.secret_access_key,
        region=api.region,
    )
    return run("callers", task, site.cores.generator)


def _turn_by_turn(site: Site, setup: Setup, once: Callable[[Broker], Outcome]) -> Tally:
    """Ours and MiniStack, where that is installed."""
    tally = Tally()
    with contextlib.ExitStack() as stack:
        running = [stack.enter_context(site.start("fogbank", setup))]
        if ministack.installed():
            running.append(stack.enter_context(ministack.ministack(site.directory / ministack.NAME, site.cores.broker)))
        for _ in range(site.repeat):
            for broker in running:
                try:
                    _enter(tally, broker, once(broker))
                except RunError as error:
                    tally.fail(broker.name, str(error))
    return tally


def _enter(tally: Tally, broker: Broker, outcome: Outcome) -> None:
    tally.add("rate", broker.name, outcome.rate)
    tally.add("cpu", broker.name, outcome.cost)
    tally.add("p50", broker.name, outcome.p50 * 1e3)
    tally.add("p99", broker.name, outcome.p99 * 1e3)
    tally.add("core", broker.name, outcome.server_cpu / outcome.seconds * 100)
    tally.add("clients", broker.name, outcome.client_cpu / outcome.seconds * 100)


def _figures(name: str, title: str, tally: Tally, aim: Aim | None) -> list[Figure]:
    rows = {
        "rate": (name, title, "/s"),
        "cpu": (f"{name}-cpu", f"{title}: CPU per update", "us"),
        "p50": (f"{name}-p50", f"{title}: median time to the answer", "ms"),
        "p99": (f"{name}-p99", f"{title}: 99th percentile of it", "ms"),
        "core": (f"{name}-core", f"{title}: the server's core", "%"),
        "clients": (f"{name}-clients", f"{title}: the clients' core", "%"),
    }
    figures = []
    for key, (full, what, unit) in rows.items():
        figure = tally.figure(key, what, unit, aim if key == "rate" else None, ministack.NAME)
        figures.append(msgspec.structs.replace(figure, name=full))
    return figures
