"""Options that the commands of `opdeploy model` share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import typer

if TYPE_CHECKING:
    from opdeploy.artifact.data import Data, Declared
    from opdeploy.runtime.session import Session
    from opdeploy.runtime.tolerance import Tolerance

Output = Literal["table", "json"]
Format = Annotated[Output | None, typer.Option("--output", "-o", help="Format.", show_default="table")]
Target = Annotated[
    Path, typer.Option("--output", "-o", metavar="PATH", help="The artefact to write: a folder, or one file (.zip).")
]
DataFile = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="FILE",
        help="Records to try it on: an .npz file with an array for each input, and `labels` if there are any; with "
        "--processing also .csv, .jsonl, .txt, or a folder of images. Without it, records are drawn at random.",
    ),
]
Processing = Annotated[
    Path | None,
    typer.Option(
        "--processing", metavar="FILE", help="Declares pre- and post-processing, in YAML (docs/processing.md)."
    ),
]
Label = Annotated[
    str, typer.Option("--label", metavar="NAME", help="Column of .csv, or key of .jsonl, with the right answer.")
]
_FOUND = "from the answers; 0 where only the other is given"
Rtol = Annotated[
    float | None,
    typer.Option("--rtol", min=0, metavar="X", help="Relative difference that is still right.", show_default=_FOUND),
]
Atol = Annotated[
    float | None,
    typer.Option("--atol", min=0, metavar="X", help="Absolute difference that is still right.", show_default=_FOUND),
]
Name = Annotated[
    str | None,
    typer.Option("--name", metavar="NAME", help="Name of the artefact.", show_default="that of the model's file"),
]
Rounds = Annotated[int, typer.Option("--rounds", min=1, max=1000, metavar="N", help="Repetitions of each measurement.")]
Seconds = Annotated[
    float, typer.Option("--seconds", min=0.01, max=600, metavar="S", help="Length of one repetition, in seconds.")
]


def declared(processing: Path | None) -> Declared | None:
    """Read the declaration that was named."""
    from opdeploy.artifact.data import declaration

    return declaration(processing) if processing else None


class Source(NamedTuple):
    """Where records come from."""

    path: Path | None
    declared: Declared | None
    label: str

    def read(self, session: Session, *, judged: bool = True) -> Data:
        """Read the records that were named, else draw some, and say so where answers are judged by them."""
        from opdeploy import ui
        from opdeploy.artifact import data

        found = data.read(self.path, session, self.declared, self.label)
        if found.samples.synthetic and judged:
            ui.warn(
                f"no data was given: {len(found.samples)} records were {found.samples.source}, "
                "which shows that a model runs, not that its answers are right; give real ones with --data"
            )
        return found


def tolerance(rtol: float | None, atol: float | None) -> Tolerance | None:
    """Return the tolerance that was asked for; None where none was."""
    from opdeploy.runtime.tolerance import Tolerance

    return None if rtol is None and atol is None else Tolerance(rtol=rtol or 0.0, atol=atol or 0.0)


def name_of(name: str | None, model: Path) -> str:
    """Return the name that was asked for, else one from the model's file or folder.

    Raises InputError for one that is no DNS label.
    """
    from opdeploy.cli.init import title
    from opdeploy.errors import InputError
    from opdeploy.starter import label

    if name is not None and label(name) != name:
        raise InputError(f"--name {name}: is no DNS label; write small letters, digits and hyphens, up to 40")
    return name or label(title(model))
