"""`--keep`: the platform goes on, what it does appears on the screen, and the user is told what to try."""

from typing import Final

from fogbank.cli.demo.inbox import NotSeen
from fogbank.cli.demo.stage import Stage

INTRODUCTION: Final = (
    "The platform goes on until Ctrl-C, and what it does appears below. Open another terminal, and be the app and the "
    "lamp yourself:"
)

COMMANDS: Final = """\
  # the app: boto3 and the AWS CLI find the platform by their environment
  eval $(fogbank env --data {data})
  python
  >>> import boto3
  >>> data = boto3.client("iot-data")
  >>> data.get_thing_shadow(thingName="lamp")["payload"].read()
  >>> boto3.client("iot").list_topic_rules()["rules"]

  # the lamp: any MQTT client that has its certificate
  cd {directory}
  mosquitto_pub -h {host} -p {port} --cafile {ca} \\
    --cert lamp.cert.pem --key lamp.private.key -i lamp -q 1 \\
    -t {topic} -m '{{"temperature": 51, "color": "blue"}}'

  # whoever writes rules: SQL is tried without a server
  fogbank sql eval "SELECT * FROM 'a/+' WHERE temperature > 50" \\
    --topic a/b --payload '{{"temperature": 49}}'
"""


def look_around(stage: Stage, topic: str) -> None:
    """Print what to try, `topic` being the lamp's; then the trace, until Ctrl-C or the end of the platform."""
    where, events = stage.where, stage.trace.events
    stage.screen.section("Look around", INTRODUCTION)
    commands = COMMANDS.format(
        data=where.data_dir,
        directory=stage.directory,
        host=where.mqtts.host,
        port=where.mqtts.port,
        ca=where.ca_file,
        topic=topic,
    )
    stage.screen.say(commands)
    events.clear()
    try:
        while True:
            stage.screen.traced(events.take("an event", seconds=float("inf")))
    except (KeyboardInterrupt, NotSeen):
        stage.screen.say("\n  The platform has ended; its data directory is gone.")
