"""Devices that provision themselves, with all that it takes beyond the registry: functions, connections, time."""

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.ports import Answers, Documents, Invoker, Witness, nobody_watches
from fogbank.registry.provisioning.deadlines import Deadlines
from fogbank.registry.provisioning.fleet import FleetProvisioning
from fogbank.registry.provisioning.hooks import Hooks
from fogbank.registry.provisioning.just_in_time_provisioning import JustInTimeProvisioning
from fogbank.registry.provisioning.ownership import OwnershipTokens
from fogbank.registry.provisioning.rates import ProvisioningRates
from fogbank.registry.provisioning.records import ProvisioningRecords
from fogbank.registry.provisioning.subscriber import ProvisioningSubscriber
from fogbank.registry.registry import Registry
from fogbank.settings import Limits
from fogbank.trace import Trace


class Onboarding:
    """Fleet provisioning and just-in-time provisioning. `subscriber` is for the topics in `topics`."""

    def __init__(
        self,
        registry: Registry,
        documents: Documents,
        answers: Answers,
        invoker: Invoker,
        arns: Arns,
        clock: Clock,
        trace: Trace,
        limits: Limits,
        witness: Witness = nobody_watches,
    ) -> None:
        records = ProvisioningRecords(documents)
        templates, certificates = registry.provisioning_templates, registry.certificates
        provisioner = registry.provisioner
        self._hooks = Hooks(invoker, arns, clock, trace)
        self._fleet = FleetProvisioning(
            certificates, templates, OwnershipTokens(records, clock), provisioner, self._hooks, witness
        )
        self._deadlines = Deadlines(records, certificates, registry.thing_principals, clock, busy=self._fleet.busy)
        self.subscriber = ProvisioningSubscriber(self._fleet, answers, ProvisioningRates(limits, clock), clock, trace)
        just_in_time = JustInTimeProvisioning(templates, provisioner, self._hooks, arns, clock, trace, witness)
        registry.just_in_time.witness = witness
        registry.just_in_time.provision = just_in_time.provision
        registry.ca_certificates.check_registration = just_in_time.check

    def start(self) -> None:
        """See to what was left when the platform last ended, and to what becomes due."""
        self._deadlines.start()

    async def close(self) -> None:
        """End what is under way."""
        await self._deadlines.close()
        await self.subscriber.close()
        await self._fleet.close()
        await self._hooks.close()
