"""The canonical form: Watson ML's names and nesting, with everything explicit, and the tool's own fields.

`toolkit manifest convert` writes it. The readers of other dialects reuse its sections where theirs are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, get_args

from pydantic import Field

from toolkit.catalogue.model import Framework
from toolkit.errors import ToolkitError
from toolkit.manifest.commands import MAX_STEPS, read_commands
from toolkit.manifest.diagnostics import Diagnostics
from toolkit.manifest.dialect import Dialect, ManifestFile
from toolkit.manifest.dialects.stores import AnyData, AnyResults, allowed
from toolkit.manifest.fields import (
    Choice,
    ComputeName,
    Cpus,
    Duration,
    Environment,
    Label,
    Mca,
    Name,
    Nodes,
    Package,
    Prose,
    Relative,
    Retries,
    Size,
    StepCommand,
    Version,
)
from toolkit.manifest.model import Compute, Manifest, Ranks, Step
from toolkit.manifest.names import sounds_secret
from toolkit.manifest.units import bytes_of, seconds_of
from toolkit.metrics.regex_lines import NO_EXPRESSIONS, Extractor, read_extractor
from toolkit.yaml.source import Path_, Source
from toolkit.yaml.validate import Section, validate

DEFINITION: Path_ = ("model_definition",)
FRAMEWORK: Path_ = (*DEFINITION, "framework")


class Author(Section):
    name: Label
    email: Label | None = ""


class Runtime(Section):
    name: Annotated[str, Choice("runtime", ("python",))]
    version: Version


class FrameworkSection(Section):
    name: Name
    version: Version
    runtimes: Runtime
    compat: Label = ""

    def to_framework(self) -> Framework:
        return Framework(self.name, self.version, self.runtimes.version, self.compat)


class ComputeConfiguration(Section):
    """`memory` and `cpus` limit each node's container; without them it may use all that its host has."""

    name: ComputeName
    nodes: Nodes = 1
    memory: Size = ""
    cpus: Cpus | None = None

    def to_compute(self) -> Compute:
        return Compute(self.name, self.nodes, bytes_of(self.memory) if self.memory else 0, self.cpus or 0)


class StepSection(Section):
    command: StepCommand
    ranks: Annotated[Ranks, Choice("choice of ranks", get_args(Ranks))]
    folder: Relative = ""
    timeout: Duration = ""
    environment: Environment = Field(default_factory=dict)
    mca: Mca = Field(default_factory=dict)

    def to_step(self, diagnostics: Diagnostics, path: Path_) -> Step:
        if self.mca and self.ranks != "all":
            diagnostics.refuse((*path, "mca"), f"a command with `ranks: {self.ranks}` runs without Open MPI")
        warn_of_secrets(self.environment, diagnostics, (*path, "environment"))
        self._refuse_launcher(diagnostics, (*path, "command"))
        return Step(
            command=self.command,
            ranks=self.ranks,
            folder=self.folder.rstrip("/"),
            timeout=seconds_of(self.timeout) if self.timeout else 0,
            environment=tuple(self.environment.items()),
            mca=tuple(self.mca.items()),
        )

    def _refuse_launcher(self, diagnostics: Diagnostics, path: Path_) -> None:
        """A step states explicitly what a launcher's options state in the other dialects. A command that runs once per
        node may start ranks itself."""
        if self.ranks == "node":
            return
        try:
            commands = read_commands(self.command)
        except ValueError as error:
            diagnostics.refuse(path, str(error))
            return
        if any(command.front for command in commands):
            plain = "; ".join(command.text for command in commands)
            diagnostics.refuse(
                path,
                f"the tool starts the ranks by itself: write `{plain[:60]}`, and give `ranks`, `environment` and `mca` "
                "beside it",
            )


class Execution(Section):
    """The fields of every variant; `time_limit` is for all commands together, `retries` for each."""

    compute_configuration: ComputeConfiguration
    environment: Environment = Field(default_factory=dict)
    time_limit: Duration = ""
    retries: Retries = 0
    resume: Relative = ""


class ExecutionOfSteps(Execution):
    steps: Annotated[list[StepSection], Field(min_length=1, max_length=MAX_STEPS)]

    def to_steps(self, diagnostics: Diagnostics, path: Path_) -> tuple[Step, ...]:
        return tuple(step.to_step(diagnostics, (*path, "steps", index)) for index, step in enumerate(self.steps))


class ModelDefinition(Section):
    name: Name
    author: Author | None = None
    description: Prose = ""
    framework: FrameworkSection
    packages: list[Package] = Field(default_factory=list)
    execution: ExecutionOfSteps


class CanonicalManifest(ManifestFile):
    """The whole file."""

    model_definition: ModelDefinition
    training_data_reference: AnyData
    training_results_reference: AnyResults
    evaluation_metrics: dict[str, Any] = Field(default_factory=dict)

    def to_manifest(self, diagnostics: Diagnostics) -> Manifest:
        """The canonical value."""
        definition = self.model_definition
        data, results = self.training_data_reference, self.training_results_reference
        source = allowed(data.to_reference(), diagnostics, ("training_data_reference", "source", "bucket"))
        target = allowed(results.to_reference(), diagnostics, ("training_results_reference", "target", "bucket"))
        steps = definition.execution.to_steps(diagnostics, (*DEFINITION, "execution"))
        return Manifest(
            **whole_definition(definition, definition.framework.to_framework(), steps, diagnostics),
            training_data=source,
            training_results=target,
            collect=tuple(path.rstrip("/") for path in results.collect),
            metrics=extractor_of(self.evaluation_metrics, diagnostics),
            write_local=results.write == "local",
        )


def extractor_of(section: Mapping[str, Any], diagnostics: Diagnostics) -> Extractor:
    """The expressions of `evaluation_metrics`, in FfDL's form. Of another type there are none: what programs leave is
    read anyway."""
    try:
        return read_extractor(section)
    except ValueError as error:
        diagnostics.refuse(("evaluation_metrics",), str(error))
        return NO_EXPRESSIONS


def whole_definition(
    definition: Any, framework: Framework, steps: tuple[Step, ...], diagnostics: Diagnostics
) -> dict[str, Any]:
    """The fields of a `Manifest` that a `model_definition` of this form sets."""
    execution = definition.execution
    warn_of_secrets(execution.environment, diagnostics, (*DEFINITION, "execution", "environment"))
    return {
        **description_of(definition),
        "framework": framework,
        "packages": tuple(definition.packages),
        "steps": steps,
        "compute": execution.compute_configuration.to_compute(),
        "environment": tuple(execution.environment.items()),
        "time_limit": seconds_of(execution.time_limit) if execution.time_limit else 0,
        "retries": execution.retries,
        "resume": execution.resume.rstrip("/"),
    }


def description_of(definition: Any) -> dict[str, Any]:
    """The name, author and description of a `model_definition`; its author may be a string."""
    author = definition.author
    author = Author(name=author) if isinstance(author, str) else author or Author(name="")
    return {
        "name": definition.name,
        "author": author.name,
        "email": author.email or "",
        "description": definition.description,
    }


def warn_of_secrets(environment: dict[str, str], diagnostics: Diagnostics, path: Path_) -> None:
    """Variables are no place for secrets: everyone with access to the engine sees them."""
    for name in filter(sounds_secret, environment):
        what = f"{name} sounds like a secret, and `docker inspect`, the plan and `--dry-run` show every variable"
        diagnostics.warn((*path, name), what, at_key=True)


def _matches(source: Source) -> bool:
    """Whether the strict form accepts it; if not, it is read, and its errors are reported, as Watson ML's dialect."""
    if not source.has((*DEFINITION, "execution", "steps")):
        return False
    try:
        validate(source, CanonicalManifest)
    except ToolkitError:
        return False
    return True


DIALECT = Dialect(
    name="canonical",
    title="the canonical form",
    model=CanonicalManifest,
    matches=_matches,
    framework=FRAMEWORK,
    framework_model=FrameworkSection,
    signs=("model_definition",),
    references=("training_data_reference", "training_results_reference"),
    in_schema=False,  # Watson ML's accepts everything that this does
)
