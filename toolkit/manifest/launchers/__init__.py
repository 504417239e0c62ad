"""Launchers: programs that start ranks; a command may begin with one, and the run does its work.

Each has its own file with a table of its options. `find` recognizes launchers; `translate` turns a command with a
launcher into the command that each rank runs.
"""
