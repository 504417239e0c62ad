"""A host over ssh: the way to it, its key, connections that are shared and kept, commands that can be ended."""
