"""The divergence guard: ranks that train one model have the same weights, and this sees to it that they still do.

``settings`` reads how often, and what a difference may be; ``names`` has what is excluded; ``weights`` is what is
compared; ``compare`` finds out over the engine whether ranks differ,
and by how much; ``history`` keeps digests of the weights with the run; ``process`` is the guard of this process, which
ends the job where ranks have diverged; ``alone`` finds ranks that train by themselves. What a framework's variables
are, and when a step is over, `ddl.tensorflow.guard` and `ddl.torch.guard` know.
"""
