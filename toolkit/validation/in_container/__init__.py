"""Programs that run inside an image, with its own Python: plain standard library, the grammar of 2.7 and of 3.5."""
