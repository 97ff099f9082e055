"""Which actions there are, and how one is made from what the API was given."""

from collections.abc import Callable, Mapping

from fogbank.errors import InvalidRequest
from fogbank.rules.actions.base import Action, Context
from fogbank.rules.actions.cloudwatch_alarm import CloudwatchAlarmAction
from fogbank.rules.actions.cloudwatch_logs import CloudwatchLogsAction
from fogbank.rules.actions.cloudwatch_metric import CloudwatchMetricAction
from fogbank.rules.actions.dynamodb import DynamoDbAction
from fogbank.rules.actions.dynamodb_v2 import DynamoDbV2Action
from fogbank.rules.actions.elasticsearch import ElasticsearchAction, OpenSearchAction
from fogbank.rules.actions.firehose import FirehoseAction
from fogbank.rules.actions.http import HttpAction
from fogbank.rules.actions.iot_analytics import IotAnalyticsAction
from fogbank.rules.actions.iot_events import IotEventsAction
from fogbank.rules.actions.iot_sitewise import IotSiteWiseAction
from fogbank.rules.actions.kafka import KafkaAction
from fogbank.rules.actions.kinesis import KinesisAction
from fogbank.rules.actions.lambda_ import LambdaAction
from fogbank.rules.actions.location import LocationAction
from fogbank.rules.actions.republish import RepublishAction
from fogbank.rules.actions.s3 import S3Action
from fogbank.rules.actions.sns import SnsAction
from fogbank.rules.actions.sqs import SqsAction
from fogbank.rules.actions.step_functions import StepFunctionsAction
from fogbank.rules.actions.timestream import TimestreamAction
from fogbank.rules.definition import Members

MAKERS: Mapping[str, Callable[[object, Context], Action]] = {
    CloudwatchAlarmAction.kind: CloudwatchAlarmAction.make,
    CloudwatchLogsAction.kind: CloudwatchLogsAction.make,
    CloudwatchMetricAction.kind: CloudwatchMetricAction.make,
    DynamoDbAction.kind: DynamoDbAction.make,
    DynamoDbV2Action.kind: DynamoDbV2Action.make,
    ElasticsearchAction.kind: ElasticsearchAction.make,
    FirehoseAction.kind: FirehoseAction.make,
    HttpAction.kind: HttpAction.make,
    IotAnalyticsAction.kind: IotAnalyticsAction.make,
    IotEventsAction.kind: IotEventsAction.make,
    IotSiteWiseAction.kind: IotSiteWiseAction.make,
    KafkaAction.kind: KafkaAction.make,
    KinesisAction.kind: KinesisAction.make,
    LambdaAction.kind: LambdaAction.make,
    LocationAction.kind: LocationAction.make,
    OpenSearchAction.kind: OpenSearchAction.make,
    RepublishAction.kind: RepublishAction.make,
    S3Action.kind: S3Action.make,
    SnsAction.kind: SnsAction.make,
    SqsAction.kind: SqsAction.make,
    StepFunctionsAction.kind: StepFunctionsAction.make,
    TimestreamAction.kind: TimestreamAction.make,
}
"""By the member of the API's Action structure. What is not here is refused, by name, when a rule is created."""


def make_action(members: Members, context: Context) -> Action:
    """The action that `members`, an Action structure of the API, describes. Raises InvalidRequest and SqlParse."""
    named = sorted(kind for kind, parameters in members.items() if parameters is not None)
    if len(named) != 1:
        raise InvalidRequest(
            f"an action must name exactly one action type, this one names {', '.join(named) or 'none'}"
        )
    [kind] = named
    if kind not in MAKERS:
        supported = ", ".join(sorted(MAKERS))
        raise InvalidRequest(f'action "{kind}" is not supported yet; supported are: {supported}')
    return MAKERS[kind](members[kind], context)
