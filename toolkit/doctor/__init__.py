"""The doctor: gathers facts from hosts, evaluates them in pure checks, and reports findings with hints."""
