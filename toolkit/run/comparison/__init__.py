"""Two runs, or a recorded run and what is here now: how they differ before they run, and in what they left."""
