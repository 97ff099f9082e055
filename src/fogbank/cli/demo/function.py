"""The Lambda function of the demo, deployed as it stands here: tells the app of a lamp that is too hot.

Written as for AWS: boto3 finds endpoint, region and credentials in the environment, here as there.
"""

import json
from typing import Any

import boto3

iot = boto3.client("iot-data")


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Pass on what the rule found, to where the app listens."""
    print(f"{event['deviceId']} has {event['temperature']} degrees")
    alarm = {**event, "function": context.function_name}
    iot.publish(topic=f"alarm/{event['deviceId']}", qos=1, payload=json.dumps(alarm))
    return {"told": True}
