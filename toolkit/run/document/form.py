"""The name and the limit of a run's public record; a launch needs these, and not the models."""

SCHEMA = "urn:toolkit:run-record:2"
"""Names the form; the number is incremented when a record of the new one is none of the old one. 2 adds `host_stages`.
"""
MAX_BYTES = 64 << 20
"""Of a record: 20,000 results, as many files of code, and 1,024 ranks with their times take less."""
