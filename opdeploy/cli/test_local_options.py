"""Options of `opdeploy test-local`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from opdeploy.cli.options import platform_ids

OutputName = Literal["table", "json"]
RuntimeName = Literal["docker", "process"]

Model = Annotated[
    Path | None,
    typer.Argument(metavar="[MODEL]", help="An artefact or an ONNX file.", show_default="that of the workload"),
]
Target = Annotated[
    str | None,
    typer.Option(
        "--target", metavar="ID", help="The platform within whose limits it runs.", autocompletion=platform_ids
    ),
]
Runtime = Annotated[
    RuntimeName | None,
    typer.Option(
        "--runtime",
        help="A container of the image that would be deployed, or a process.",
        show_default="docker where an engine answers",
    ),
]
Cpus = Annotated[
    float | None,
    typer.Option(
        "--cpus",
        min=0.01,
        max=1024,
        metavar="N",
        help="Processors for it.",
        show_default="all of the target, or of the machine",
    ),
]
Memory = Annotated[
    float | None,
    typer.Option(
        "--memory",
        min=0.01,
        max=1e6,
        metavar="GB",
        help="Memory of the container.",
        show_default="as the workload needs",
    ),
]
Slo = Annotated[
    float | None,
    typer.Option("--slo-ms", min=0.001, metavar="MS", help="Latency wanted at p95.", show_default="as the workload"),
]
Records = Annotated[
    int | None,
    typer.Option(
        "--records", min=1, max=4096, metavar="N", help="Records in a request.", show_default="as the workload, or 1"
    ),
]
Send = Annotated[
    Literal["tensors", "records"],
    typer.Option("--send", help="What requests carry: the model's tensors, or records for the server to prepare."),
]
Seconds = Annotated[
    float, typer.Option("--seconds", min=1, max=3600, metavar="S", help="How long the load takes, about.")
]
Timeout = Annotated[
    float, typer.Option("--timeout", min=1, max=3600, metavar="S", help="How long it may take to get ready.")
]
Setting = Annotated[
    list[str] | None,
    typer.Option("--setting", metavar="NAME=VALUE", help="Of the server, such as max-batch=1; may be repeated."),
]
BaseImage = Annotated[str | None, typer.Option("--base-image", metavar="NAME", help="What the image is built on.")]
Wheels = Annotated[
    Path | None, typer.Option("--wheels", metavar="FOLDER", help="Build the image from these, and without a network.")
]
KeepImage = Annotated[bool, typer.Option("--keep-image", help="Leave the image in the engine.")]
NoSave = Annotated[bool, typer.Option("--no-save", help="Leave the artefact as it is.")]
Output = Annotated[OutputName | None, typer.Option("--output", "-o", help="Format.", show_default="table")]
