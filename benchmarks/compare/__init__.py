"""Benchmarks of the tool beside what people would use instead, both in the same run, in turn."""
