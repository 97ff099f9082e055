"""`fogbank demo`: the whole platform at work, with AWS's own SDKs as device and app, each step checked as it is told.

The platform and the device are processes of their own, as they are in life: what the demo shows, it shows from
outside. `story` tells it, `app` and `device` act in it, `screen` prints.
"""

from fogbank.cli.demo.command import demo

__all__ = ["demo"]
