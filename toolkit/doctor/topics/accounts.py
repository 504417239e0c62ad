"""Who else may use the host: its accounts, and their share of the engine."""

from __future__ import annotations

from toolkit.catalogue.model import LEARNER_UID
from toolkit.doctor.facts import HostFacts
from toolkit.doctor.finding import Finding, ok, skipped, warn
from toolkit.doctor.printed import Printed
from toolkit.doctor.requirements import Asked
from toolkit.doctor.topic import Topic
from toolkit.shell_files import shell_program


def read(printed: Printed) -> dict[str, object]:
    """The account that has the learners' uid."""
    return {"learner_account": printed.first("learner").partition(":")[0]}


def accounts(facts: HostFacts, _asked: Asked) -> Finding:
    """Whether the host's accounts share the engine, which has their leases; whether it limits their processes; whether
    one of them has the learners' uid."""
    if not facts.engine.version:
        return skipped(facts.name, "accounts", "could not be determined")
    if facts.engine.own:
        hint = "let only one account launch here, or let all use the host's engine (a group such as `docker`)"
        found = "the engine belongs to this account: leases and runs of other accounts are not visible"
        return warn(facts.name, "accounts", found, hint)
    if facts.engine.pids is False:
        hint = "give the engine the `pids` cgroup controller: without it a fork bomb takes down the host"
        return warn(facts.name, "accounts", "the engine cannot limit a run's processes", hint)
    if facts.learner_account:
        found = f"account {facts.learner_account} has uid {LEARNER_UID}, like learners: it can read and kill them"
        return warn(facts.name, "accounts", found, "give that account another uid")
    return ok(facts.name, "accounts", "accounts share the engine, which keeps their leases and limits their processes")


TOPIC = Topic(
    script=shell_program("toolkit.doctor.topics", "accounts.sh"),
    variables={"learner_uid": str(LEARNER_UID)},
    read=read,
    checks={"accounts": accounts},
)
