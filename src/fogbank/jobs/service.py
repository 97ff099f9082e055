"""Jobs in one piece: their parts, introduced to one another."""

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.jobs.agenda import Agenda
from fogbank.jobs.device import DeviceJobs
from fogbank.jobs.documents import JobDocuments
from fogbank.jobs.events import JobEvents
from fogbank.jobs.execution_control import ExecutionControl
from fogbank.jobs.executions import Executions
from fogbank.jobs.followers import Followers
from fogbank.jobs.job_control import KIND, JobControl
from fogbank.jobs.ledger import Ledger
from fogbank.jobs.lifecycle import Lifecycle
from fogbank.jobs.limits import JobLimits
from fogbank.jobs.notifier import Notifier
from fogbank.jobs.records import Records
from fogbank.jobs.subscriber import JobsSubscriber
from fogbank.jobs.targets import Targets
from fogbank.jobs.templates import KIND as TEMPLATE
from fogbank.jobs.templates import JobTemplates
from fogbank.ports import Answers, Documents, EventSink, Fleet, Publisher, ResourceTags, Subscriptions
from fogbank.trace import Trace


class JobService:
    """Everything about jobs, behind one door."""

    def __init__(
        self,
        documents: Documents,
        publisher: Publisher,
        ways_back: Answers,
        fleet: Fleet,
        events: EventSink,
        tags: ResourceTags,
        job_documents: JobDocuments,
        arns: Arns,
        clock: Clock,
        trace: Trace,
        limits: JobLimits,
    ) -> None:
        self.records = records = Records(documents)
        self.job_documents = job_documents
        self._clock = clock
        self._notifier = Notifier(records, publisher, events, job_documents, clock)
        self.ledger = ledger = Ledger(documents, records, clock, self._notifier.tell, self._notifier.told)
        self._notifier.on_idle = ledger.tidy
        job_events = JobEvents(events, arns)
        executions = Executions(records, job_events)
        lifecycle = Lifecycle(
            records,
            executions,
            job_events,
            fleet,
            limits,
            trace,
            delete_tags=lambda job: tags.deleting(arns.iot(KIND, job)),
        )
        self.templates = JobTemplates(records, ledger, job_documents, tags, arns, limits)
        self.jobs = JobControl(
            records,
            ledger,
            lifecycle,
            job_documents,
            self.templates,
            Targets(fleet, arns, limits.targets),
            tags,
            arns,
            clock,
            limits,
        )
        tags.register(KIND, records.jobs.presence)
        tags.register(TEMPLATE, records.templates.presence)
        self.executions = ExecutionControl(records, ledger, executions, lifecycle, fleet, trace)
        self.device = DeviceJobs(records, executions, lifecycle, job_documents, fleet)
        self._agenda = Agenda(records, ledger, lifecycle, clock)
        self._followers = Followers(records, ledger, executions, lifecycle, fleet, clock)
        self._subscriber = JobsSubscriber(self.device, ledger, ways_back, clock, trace, limits)

    async def start(self, subscriptions: Subscriptions) -> None:
        """Go on where the last run ended, and take requests."""
        await self._notifier.recover()
        self._subscriber.subscribe(subscriptions)
        self._agenda.start()
        self._followers.start()

    async def close(self, subscriptions: Subscriptions) -> None:
        """Take no more requests, and finish those that were taken."""
        self._subscriber.unsubscribe(subscriptions)
        await self._followers.close()
        await self._agenda.close()
        await self._subscriber.close()
        await self.ledger.close()
        await self._notifier.close()
        await self.ledger.forget_told()
