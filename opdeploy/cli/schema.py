"""`opdeploy schema`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer


def schema(
    document: Annotated[Literal["workload"], typer.Argument(metavar="workload", help="Which file.")],  # noqa: ARG001  one today
) -> None:
    """Print the JSON Schema of a file, for editors and validators."""
    import json

    from opdeploy import ui
    from opdeploy.workload_file import json_schema

    ui.deliver(json.dumps(json_schema(), indent=2))
