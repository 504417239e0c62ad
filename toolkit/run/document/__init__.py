"""A run's public record, `record.json` beside its results: its form, how it is made, checked, signed and exported."""
