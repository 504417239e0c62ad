"""Run the same training twice: versioned images, runs on plain hosts, verified models."""

__version__ = "0.1.0"
