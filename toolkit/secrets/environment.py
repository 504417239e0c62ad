"""`${env:NAME}`: an environment variable of the operator."""

from __future__ import annotations

from collections.abc import Iterable

from toolkit.secrets.secret import Secret
from toolkit.secrets.source import KeySource, Lookup, Surroundings, leads_nowhere


class Environment(KeySource):
    """The operator's environment."""

    kind = "env"
    takes_name = True
    spelling = "${env:NAME}"

    def secret(self, name: str, lookup: Lookup) -> Secret:
        """The variable's value."""
        if name not in lookup.environment:
            raise leads_nowhere(self.kind, name, "no such environment variable", f"export {name}=…")
        return Secret(lookup.environment[name])

    def within_reach(self, name: str, around: Surroundings) -> Iterable[Secret]:
        """The variable's value."""
        return [Secret(around.environment[name])] if around.environment.get(name) else []
