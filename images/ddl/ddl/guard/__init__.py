"""The divergence guard: ranks that train one model must keep identical weights; the guard checks that they do.

``settings`` reads the interval and the tolerance; ``names`` has the exclusions; ``weights`` describes what is compared;
``compare`` determines over the engine whether ranks differ, and by how much; ``history`` stores digests of the weights
with the run; ``process`` is the guard of this process, which aborts the job if ranks have diverged; ``unsynchronised``
detects ranks that train without averaging. `ddl.tensorflow.guard` and `ddl.torch.guard` know a framework's variables,
and when a step is over.
"""
