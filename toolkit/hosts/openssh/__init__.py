"""A host by the system's `ssh`: one connection of its own (a ControlMaster) for each host, and commands over it."""
