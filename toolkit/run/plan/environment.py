"""The variables that every rank of a run sees. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from toolkit.agent.paths import CHECKPOINTS
from toolkit.run.plan.run_plan import CODE_FOLDER, RunPlan


def run_environment(plan: RunPlan) -> Mapping[str, str]:
    """The variables that every rank sees, the same on every learner: the image's, the manifest's, and those that a run
    guarantees, in increasing precedence."""
    image = dict(plan.image.environment)
    results = f"/mnt/results/{plan.results_bucket}"
    variables = {
        "DATA_DIR": plan.data_folder,
        "RESULT_DIR": f"{results}/{plan.training_id}",
        "CHECKPOINT_DIR": f"{results}/{CHECKPOINTS}",
        "MODEL_DIR": CODE_FOLDER,
        "LOG_DIR": f"{results}/{plan.training_id}/logs",
        "TRAINING_ID": plan.training_id,
        "NUM_LEARNERS": str(len(plan.learners)),
        "GPU_COUNT": str(plan.gpus_per_node),
        "PYTHONPATH": ":".join(filter(None, [CODE_FOLDER, image.get("PYTHONPATH", "")])),
        "PYTHONUNBUFFERED": "1",
    }
    if given := min(len(learner.placement.gpus) for learner in plan.learners):
        # A framework that sees none of them must fail, and not use the CPU.
        variables["TOOLKIT_GPUS"] = str(given)
    if not plan.gpus_per_node:
        variables["NVIDIA_VISIBLE_DEVICES"] = "void"  # NVIDIA's runtime as the engine's default gives all of them
    if plan.resume:
        variables["RESUME_DIR"] = f"{results}/{plan.resume}"
    ddl = {"DDL_OPTIONS": f"-mode p:{plan.ranks_per_node}x{len(plan.learners)}"}  # the one that users may override
    # sshd starts its sessions with a clean environment: what the image sets must be passed on like the rest.
    return image | ddl | dict(plan.environment) | variables
