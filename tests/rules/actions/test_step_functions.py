"""The action `stepFunctions`, against moto."""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

from tests.rules.actions.workbench import ROLE, Workbench

from fogbank.ports import OutboundError
from fogbank.testing import FakeClock

Aws = Callable[[str], Any]


def start(machine: str, **more: Any) -> dict[str, Any]:
    return {"stepFunctions": {"stateMachineName": machine, "roleArn": ROLE, **more}}


async def test_the_execution_that_is_started(bench: Workbench, aws: Aws) -> None:
    client = aws("stepfunctions")
    name = f"m-{uuid4()}"
    definition = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}})
    machine = client.create_state_machine(name=name, definition=definition, roleArn=ROLE)["stateMachineArn"]
    bench.rule(start(name, executionNamePrefix="from-${topic(2)}-"), sql="SELECT a FROM '#'")
    assert await bench.send({"a": 1, "b": 2}) == []
    [execution] = client.list_executions(stateMachineArn=machine)["executions"]
    prefix, _, unique = execution["name"].partition("lamp-")
    assert prefix == "from-"
    assert UUID(unique)
    described = client.describe_execution(executionArn=execution["executionArn"])
    assert json.loads(described["input"]) == {"a": 1}


async def test_a_further_try_is_of_the_same_execution(recorded: Workbench, clock: FakeClock) -> None:
    """An execution that was started although the answer was lost is not started twice."""
    lost = OutboundError("lost", code="Connection", transient=True)
    recorded.aws.answers["StartExecution"] = [lost, {}]
    recorded.rule(start("m"))
    recorded.publish({})
    await clock.advance(10)
    first, second = recorded.aws.calls
    assert first == second
    assert recorded.counters.success == 1


async def test_a_machine_that_is_not_there(bench: Workbench) -> None:
    bench.rule(start("gone"))
    [failed] = await bench.send({})
    assert "StateMachineDoesNotExist" in failed
