"""Which variables and Open MPI parameters a person may set: not those that select hosts or that the run promises."""

from __future__ import annotations

RESERVED = (
    *("DATA_DIR", "RESULT_DIR", "CHECKPOINT_DIR", "MODEL_DIR", "LOG_DIR", "RESUME_DIR"),
    *("TRAINING_ID", "LEARNER_ID", "NUM_LEARNERS", "GPU_COUNT", "PYTHONPATH"),
)
RANK_VARIABLES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR")
"""Set for each rank, for torch.distributed's `env://`."""
_OWN = (*RESERVED, *RANK_VARIABLES)
"""Variables that the run sets itself; so are all that begin with Open MPI's own prefixes."""
VARIABLE = rf"(?!(?:{'|'.join(_OWN)})$)(?!OMPI_|PMIX_|PRTE_|TOOLKIT_)[A-Za-z_][A-Za-z0-9_]{{0,99}}"
VARIABLE_WRONG = f"letters, digits and _, and none of the run's own ({', '.join(_OWN)}, OMPI_…, TOOLKIT_…)"
ONE_LINE = r"[^\x00-\x1f\x7f]"
VALUE = rf"(?!\$\{{(?:env|file|embedded|profile):){ONE_LINE}{{0,4000}}"
# With other parameters, nothing starts, or something else does.
MCA = r"(?!plm_|oob_|orte_|prte_|ras_|rmaps_)(?!.*_if_(?:in|ex)clude)[a-z][a-z0-9_]{0,99}"
MCA_WRONG = "how hosts are reached and ranks are placed is the run's own business"
MCA_VALUE = r"[^\s\x00-\x1f\x7f]{1,400}"
_SECRET_WORDS = ("SECRET", "PASSWORD", "PASSWD", "TOKEN", "ACCESS_KEY", "API_KEY", "CREDENTIAL")


def sounds_secret(name: str) -> bool:
    """Whether a variable of this name may hold a secret."""
    return any(word in name.upper() for word in _SECRET_WORDS)
