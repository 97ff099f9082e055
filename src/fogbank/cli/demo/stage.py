"""All who act in the story, brought on and sent off together."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from fogbank.cli.demo.app import App
from fogbank.cli.demo.device_process import Credentials, DeviceProcess
from fogbank.cli.demo.observer import Observer
from fogbank.cli.demo.screen import Screen
from fogbank.cli.demo.server import Server
from fogbank.cli.demo.trace import TraceStream
from fogbank.ready import Ready


class Stage:
    """What a chapter works with."""

    lamp: Credentials
    """What the lamp connects with; from the first chapter on."""
    device: DeviceProcess
    """The lamp itself; likewise."""

    def __init__(self, screen: Screen, where: Ready, directory: Path, exits: ExitStack) -> None:
        self.screen = screen
        self.where = where
        self.directory = directory
        self.app = App(where, directory)
        self.trace = exits.enter_context(TraceStream(where))
        self._exits = exits
        own = self.app.policy(
            ("iot:Connect", "client/app"),
            ("iot:Subscribe", "topicfilter/*"),
            ("iot:Receive", "topic/*"),
        )
        self.observer = Observer(where, self.app.create_thing("app", own))
        exits.callback(self.observer.close)

    def start_device(self, credentials: Credentials) -> DeviceProcess:
        """A device process; it ends with the story at the latest."""
        device = DeviceProcess(self.where, credentials, self.directory / f"{credentials.thing}.errors")
        self._exits.callback(device.kill)
        return device


@contextmanager
def set_stage(screen: Screen, server: Server, directory: Path) -> Iterator[Stage]:
    """The stage on a server that has been started."""
    with ExitStack() as exits:
        yield Stage(screen, server.where, directory, exits)
