"""The agent: what sees a run through on its hosts when nobody watches.

One of them runs in each host's side container. It is started before anything else of the run and is the last to go: it
owns the run's volume, mounts, learners and lease there, and takes all of it away at the end, whatever that end is. Once
it got its start signal, it needs no operator: it waits for the learners, stores what they wrote, determines the
outcome, reports it and exits.

    operator ── start ──► agent ── heartbeat ──► files, mounts, learners ── go ──► agent alone ──► record in the bucket

It runs in the side container's image, on Python's standard library alone; nothing here imports the rest of the tool.
"""
