"""A Publisher that keeps what it is given, in the place of the broker."""

from typing import Any

import msgspec

from fogbank.message import Message


class Published:
    """What was published, in its order."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def publish(self, message: Message) -> None:
        self.messages.append(message)

    def take(self) -> list[tuple[str, dict[str, Any]]]:
        """Topics and documents since the last time."""
        taken = [(one.topic, msgspec.json.decode(one.payload)) for one in self.messages]
        self.messages.clear()
        return taken

    def topics(self) -> list[str]:
        """The topics since the last time."""
        return [topic for topic, _ in self.take()]
