"""The action `cloudwatchMetric`: put a data point of a CloudWatch metric.

Developer Guide, "CloudWatch metrics" rule action. Without a timestamp it is the time at which the message came.
"""

import math

import msgspec

from fogbank.rules.actions.aws import AwsAction, AwsCall
from fogbank.rules.actions.base import ActionFailed, Context, Firing, Need, Plan, filled


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True):
    """The API's CloudwatchMetricAction."""

    role_arn: str
    metric_namespace: str
    metric_name: str
    metric_value: str
    metric_unit: str
    metric_timestamp: str | None = None


class CloudwatchMetricAction(AwsAction):
    """Puts data points."""

    kind = "cloudwatchMetric"
    title = "CloudwatchMetricAction"
    parameters = Parameters
    service = "cloudwatch"
    complaint = "Failed to put CloudWatch metric"

    def __init__(self, parameters: Parameters, context: Context) -> None:
        super().__init__(context, parameters.metric_name, parameters.role_arn)
        self._namespace = self.template("metricNamespace", parameters.metric_namespace)
        self._name = self.template("metricName", parameters.metric_name)
        self._value = self.template("metricValue", parameters.metric_value)
        self._unit = self.template("metricUnit", parameters.metric_unit)
        self._timestamp = self.optional("metricTimestamp", parameters.metric_timestamp)

    def plan(self, firing: Firing) -> Plan:
        name = filled(self._name, firing, "metricName", self.target)
        timestamp = firing.event.timestamp_ms / 1000
        if self._timestamp is not None:
            timestamp = _number("metricTimestamp", firing.render(self._timestamp), name)
        datum = {
            "MetricName": name,
            "Value": _number("metricValue", firing.render(self._value), name),
            "Unit": filled(self._unit, firing, "metricUnit", name),
            "Timestamp": timestamp,
        }
        namespace = filled(self._namespace, firing, "metricNamespace", name)
        params = {"Namespace": namespace, "MetricData": [datum]}
        return Plan(name, AwsCall("PutMetricData", params), Need("cloudwatch:PutMetricData", "*"))


def _number(field: str, text: str, resource: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ActionFailed(f"{field} must be a number, for this message it is {text!r}", resource=resource)
    return value
