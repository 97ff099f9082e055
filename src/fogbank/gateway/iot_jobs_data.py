"""What devices ask of their executions over HTTP: the API `iot-jobs-data`, for keys and client certificates alike.

The functions behind it are those behind the reserved topics. Policies are asked for `iotjobsdata:UpdateJobExecution`
and so on, on the thing's ARN (service authorization reference, "AWS IoT Jobs DataPlane"), or for the same with `iot:`
(developer guide, iot-jobs-security-iam "Policies for devices"): either will do.
"""

from fogbank.clock import Clock
from fogbank.gateway.call import Call, Members, operation
from fogbank.gateway.device_rights import DeviceRights
from fogbank.jobs.service import JobService
from fogbank.jobs.topics import Operation, RequestTopic


class IotJobsDataApi:
    """GetPendingJobExecutions to UpdateJobExecution."""

    def __init__(self, service: JobService, rights: DeviceRights, clock: Clock) -> None:
        self._ledger = service.ledger
        self._device = service.device
        self._rights = rights
        self._clock = clock

    @operation("iot-jobs-data", "GetPendingJobExecutions")
    async def get_pending_job_executions(self, call: Call) -> Members:
        return await self._answer(call, Operation.GET_PENDING)

    @operation("iot-jobs-data", "StartNextPendingJobExecution")
    async def start_next_pending_job_execution(self, call: Call) -> Members:
        return await self._answer(call, Operation.START_NEXT)

    @operation("iot-jobs-data", "DescribeJobExecution")
    async def describe_job_execution(self, call: Call) -> Members:
        return await self._answer(call, Operation.DESCRIBE)

    @operation("iot-jobs-data", "UpdateJobExecution")
    async def update_job_execution(self, call: Call) -> Members:
        return await self._answer(call, Operation.UPDATE)

    async def _answer(self, call: Call, asked: Operation) -> Members:
        thing = call.params["thingName"]
        context = {"iot:JobId": call.params["jobId"]} if call.params.get("jobId") else None
        await self._rights.check(
            call, "thing", thing, also=f"iotjobsdata:{call.operation}", context=context, kind="job"
        )
        topic = RequestTopic(thing, asked, call.params.get("jobId") or "")
        reply = await self._ledger.run(self._device.work(topic, call.params))
        answer = await self._device.answer(reply, self._clock.time(), embedded=False)
        if "execution" in answer and reply.execution is not None:
            answer["execution"]["thingName"] = thing
        return answer
