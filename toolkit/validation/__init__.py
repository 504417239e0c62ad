"""The proof that runs after a build: what an image must do, and what it must not hold, before it gets its name."""
