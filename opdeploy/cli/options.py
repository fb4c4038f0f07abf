"""Options that several commands share."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar, get_args

import typer

from opdeploy.errors import InputError, NoPlatformError

if TYPE_CHECKING:
    from opdeploy.platform import Profile

DEFAULT = Path("workload.yaml")
"""The workload file, when none is named."""

EditionName = Literal["2018", "2026"]
Edition = Annotated[EditionName, typer.Option("--edition", help="Today's platforms, or those of the chapter.")]
AsOf = Annotated[
    datetime | None,
    typer.Option("--as-of", formats=["%Y-%m-%d"], metavar="DATE", help="As on this day; today if not given."),
]
WorkloadFile = Annotated[Path | None, typer.Option("--workload", metavar="FILE", help="A workload file.")]
File = Annotated[
    Path | None,
    typer.Option("--file", metavar="FILE", help="Write to this file; its suffix names the format unless -o does."),
]

Format = Literal["table", "json", "csv", "svg", "png", "html"]
FORMATS: tuple[Format, ...] = get_args(Format)
Output = Annotated[Format | None, typer.Option("--output", "-o", help="Format.", show_default="table")]


def size_names(incomplete: str) -> list[str]:
    """Complete the name of a size in the shell."""
    from opdeploy.catalogue import load_market

    return [name for name in load_market().sizes if name.startswith(incomplete)]


SizeName = Annotated[
    str | None,
    typer.Option(
        "--size",
        metavar="NAME",
        help="On which size of the cloud this runs, such as Standard_D2s_v5; recommend takes it as measured there.",
        autocompletion=size_names,
    ),
]

F = TypeVar("F", bound=str)

# A workload file is YAML too, and must not be taken for a place to write to by mistake.
_BY_SUFFIX = {"htm": ("html",), "md": ("markdown",), "txt": ("table", "text"), "yaml": (), "yml": ()}


def platform_ids(incomplete: str) -> list[str]:
    """Complete a platform's id in the shell."""
    from opdeploy.catalogue import load_catalogue

    return [platform for platform in load_catalogue().all_ids if platform.startswith(incomplete)]


def require_size(name: str | None) -> None:
    """Raise InputError for a size that is not known."""
    from opdeploy.catalogue import load_market
    from opdeploy.errors import nearest

    sizes = load_market().sizes if name else {}
    if name and name not in sizes:
        raise InputError(f"--size {name}: no such size is known{nearest(name, [*sizes])}")


def require_alive(profile: Profile) -> None:
    """Raise NoPlatformError for a platform that cannot be had any more."""
    today = day(None)
    if profile.lifecycle.ended(today):
        heirs = " or ".join(profile.lifecycle.successors) or "another platform"
        raise NoPlatformError(f"--target {profile.id}: {profile.lifecycle.on(today)}; take {heirs}")


def day(as_of: datetime | None) -> date:
    """Return the day that was asked about, else the user's own."""
    return as_of.date() if as_of else date.today()  # noqa: DTZ011  the user's own day


def format_of(output: F | None, file: Path | None, formats: tuple[F, ...]) -> F:
    """Return the format that was asked for, by name or by the file's suffix; else the first.

    Raises InputError for a suffix that names none.
    """
    if output or not file or not file.suffix:
        return output or formats[0]
    suffix = file.suffix[1:].lower()
    for name in _BY_SUFFIX.get(suffix, (suffix,)):
        for form in formats:
            if form == name:
                return form
    raise InputError(f"--file {file}: no format is called {file.suffix}; say it with -o: {', '.join(formats)}")
