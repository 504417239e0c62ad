"""Answers requests for a collected model over HTTP, from the image that trained it. For trying, not for production."""
