"""Secrets: values that print as redacted, the references to them in a manifest, and their resolution."""

from toolkit.secrets.reference import SecretReference, gives_pair, parse_secret, resolve_pair, resolve_secret
from toolkit.secrets.secret import Secret

__all__ = ["Secret", "SecretReference", "gives_pair", "parse_secret", "resolve_pair", "resolve_secret"]
