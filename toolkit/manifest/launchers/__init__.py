"""Launchers: programs that start ranks, which a command may begin with, and which the run takes the place of.

Each has a file of its own with a table of its options. `find` tells whether a program is one; `translate` makes of a
command with a launcher the command that each rank runs.
"""
