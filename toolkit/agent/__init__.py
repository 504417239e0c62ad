"""The agent: supervises a run on its hosts, with or without an operator.

One agent runs on each host, in the image of the side containers. It is the first container of a run and the last to be
removed: it owns the run's volume, mounts, learners and lease on its host, and removes them all at the end, whatever the
outcome. After the start signal it needs no operator: it waits for the learners, stores their results, determines the
outcome, reports it and exits.

    operator ── start ──► agent ── heartbeat ──► files, mounts, learners ── go ──► agent alone ──► record in the bucket

It uses only Python's standard library; nothing here imports the rest of the tool.
"""
