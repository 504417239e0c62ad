"""The name and the limit of a run's public record; a launch needs these, and not the models."""

SCHEMA = "urn:toolkit:run-record:1"
"""Names the form; the number is incremented when a reader of the old one could misunderstand the new one."""
MAX_BYTES = 64 << 20
"""Of a record: 20,000 results, as many files of code, and 1,024 ranks with their times take less."""
