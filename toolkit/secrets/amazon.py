"""`${profile:NAME}`, a profile in Amazon's own files, and `${chain}`, the standard credentials chain."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from toolkit.secrets.secret import Secret
from toolkit.secrets.source import PairSource, Surroundings, leads_nowhere, short_text


class _Amazon(PairSource):
    """Keys as found by Amazon's own tools. Their files are in the operator's home, and are not code."""

    def pair(self, name: str) -> tuple[Secret, Secret, Secret | None]:
        from botocore.exceptions import BotoCoreError
        from botocore.session import Session

        try:
            session = Session(profile=name or None)
            found = session.get_credentials()
            keys = found.get_frozen_credentials() if found else None
        except BotoCoreError as error:
            raise leads_nowhere(self.kind, name, str(error)) from None
        if keys is None or not keys.access_key or not keys.secret_key:
            hint = "aws configure, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            raise leads_nowhere(self.kind, name, "no keys were found", hint)
        return Secret(keys.access_key), Secret(keys.secret_key), Secret(keys.token) if keys.token else None


class Profile(_Amazon):
    """A profile by its name."""

    kind = "profile"
    takes_name = True
    spelling = "${profile:NAME}"
    means = "a profile of ~/.aws"
    name_pattern = r"[^}\x00-\x1f\x7f]{1,100}"

    def within_reach(self, name: str, around: Surroundings) -> Iterable[Secret]:
        """All of the profile's values in the credentials file."""
        import configparser

        file = Path(around.environment.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials").expanduser()
        profiles = configparser.RawConfigParser()
        try:
            profiles.read_string(short_text(file))
            return [Secret(value) for value in dict(profiles.items(name)).values()]
        except configparser.Error:
            return []


class Chain(_Amazon):
    """Environment, files, and an Amazon machine's metadata, in the order of Amazon's own tools.

    None of its secrets is within reach: it would have to be queried for them.
    """

    kind = "chain"
    takes_name = False
    spelling = "${chain}"
    means = "the standard chain of credentials"
    name_pattern = ""
