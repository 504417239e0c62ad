"""Run the same training twice: versioned images, runs over plain hosts, models that come home checked."""

__version__ = "0.1.0"
