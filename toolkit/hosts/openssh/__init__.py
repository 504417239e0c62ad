"""Hosts over the system's `ssh`: one connection (a ControlMaster) for each host, and commands over it."""
