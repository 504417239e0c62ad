"""What runs inside a learner's container, in whatever Python the image has (3.5 is the oldest)."""
