"""`${embedded:access_key_id}` and `${embedded:secret_access_key}`: the keys of this machine's embedded S3 server."""

from __future__ import annotations

import json
from collections.abc import Iterable

from toolkit.secrets.secret import Secret
from toolkit.secrets.source import KeySource, Lookup, Surroundings, leads_nowhere, short_text


class Embedded(KeySource):
    """The embedded store's own keys, from a file in the tool's own folder, which has no code."""

    kind = "embedded"
    takes_name = True
    spelling = "${embedded:NAME}"

    def secret(self, name: str, lookup: Lookup) -> Secret:
        """The key of that name."""
        if name not in lookup.embedded:
            known = ", ".join(sorted(lookup.embedded))
            raise leads_nowhere(self.kind, name, f"the embedded store has no such value; it has {known}")
        return lookup.embedded[name]

    def within_reach(self, _name: str, around: Surroundings) -> Iterable[Secret]:
        """Both keys, if they have been created."""
        try:
            return [Secret(key) for key in json.loads(short_text(around.home / "embedded-keys.json")).values()]
        except (ValueError, AttributeError):
            return []
