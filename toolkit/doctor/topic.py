"""A topic of the doctor: its fact script, parser and checks in one place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from toolkit.doctor.facts import HostFacts
from toolkit.doctor.finding import Finding
from toolkit.doctor.printed import Printed
from toolkit.doctor.requirements import Asked

if TYPE_CHECKING:
    from toolkit.doctor.probes import Trial  # it imports the connections to hosts, which few topics need

Check = Callable[[HostFacts, Asked], Finding]
"""A check of one host alone. Pure."""
Comparison = Callable[[Sequence[HostFacts], Asked], Sequence[Finding]]
"""A check that compares all hosts that answered: a finding for each of them. Pure."""
Probe = Callable[["Trial"], Sequence[Finding]]
"""A check that has to try something on the hosts that answered: a finding for each of them."""


@dataclass(frozen=True)
class Topic:
    """A topic. `toolkit.doctor.topics.registry` lists them all.

    Attributes:
        script: its part of the sh program that every host runs: lines that begin with `at SECTION`. It must not write,
            hang, exit, or need a program that may be missing. `toolkit/doctor/fact_script.sh` says what it may use.
        variables: additional variables for the script.
        read: from what the host printed to facts by name: a field of `HostFacts`, or a name of its own, stored in
            `HostFacts.more`. Invalid values become None or empty, and nothing is raised.
        before_launch: checks by name that every launch runs, too.
        checks: those that only the doctor runs.
        compared_before_launch, compared: the same for checks that compare hosts.
        tried: checks that have to try something.
        tried_where_asked: those of them that are reported only if the manifest requires them.
    """

    script: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    read: Callable[[Printed], Mapping[str, object]] = lambda _printed: {}
    before_launch: Mapping[str, Check] = field(default_factory=dict)
    checks: Mapping[str, Check] = field(default_factory=dict)
    compared_before_launch: Mapping[str, Comparison] = field(default_factory=dict)
    compared: Mapping[str, Comparison] = field(default_factory=dict)
    tried: Mapping[str, Probe] = field(default_factory=dict)
    tried_where_asked: Mapping[str, Probe] = field(default_factory=dict)
