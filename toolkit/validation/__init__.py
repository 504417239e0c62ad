"""Validation after a build: what an image must do, and what it must not contain, before it is tagged."""
