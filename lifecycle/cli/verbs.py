"""The verbs, one function each: words in, one call of the workbench, its result told.

Nothing slow is imported until a verb needs it, so that ``lifecycle --help`` answers at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lifecycle.cli.app import (
    AsJson,
    AsOf,
    Files,
    Format,
    Key,
    MaxRuntime,
    OneDataset,
    OptionalFiles,
    app,
    tell,
    workbench,
)
from lifecycle.errors import UsageError


@app.command()
def init(folder: Annotated[Path, typer.Argument(metavar="DIR")], as_json: AsJson = False) -> None:
    """Make a new workspace that works unedited."""
    from lifecycle.workbench import Workbench

    tell(Workbench.init(folder).created(), as_json)


@app.command()
def ingest(
    files: Files,
    dataset: OneDataset = None,
    format: Format = None,
    as_of: AsOf = None,
    consume: Annotated[bool, typer.Option("--consume", help="Remove each file once it is stored.")] = False,
    as_json: AsJson = False,
) -> None:
    """Read logs or exports into the workspace store."""
    wb = workbench()
    tell(wb.ingest(*files, dataset=dataset, format=format, as_of=as_of, consume=consume), as_json)


@app.command()
def check(
    files: OptionalFiles = None,
    store: Annotated[str | None, typer.Option("--store", metavar="S", help="One store only.")] = None,
    dataset: OneDataset = None,
    format: Format = None,
    second_opinion: Annotated[
        bool, typer.Option("--second-opinion", help="Ask Great Expectations, too, on a random sample.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check what is stored against the contracts; with files, read them in place and store nothing."""
    wb = workbench()
    result = wb.check(*(files or ()), store=store, dataset=dataset, format=format, second_opinion=second_opinion)
    tell(result, as_json)


@app.command()
def plan(as_of: AsOf = None, as_json: AsJson = False) -> None:
    """Say what must go at a date, in every store."""
    tell(workbench().plan(as_of), as_json)


@app.command()
def approve(
    run: Annotated[str | None, typer.Argument(metavar="RUN", help="The run to approve; none with --standing.")] = None,
    role: Annotated[str, typer.Option("--role", metavar="R", help="controller or delegate.")] = "",
    standing: Annotated[bool, typer.Option("--standing", help="A limited standing order for the nightly job.")] = False,
    max_rows: Annotated[int | None, typer.Option("--max-rows", metavar="N", min=0)] = None,
    max_percent: Annotated[float | None, typer.Option("--max-percent", metavar="P", min=0, max=100)] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="DATE")] = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Approve one plan as the second person, or give a standing approval."""
    if not role:
        raise UsageError("An approval needs a role.", "--role controller, or --role delegate")
    if standing:
        if run or max_rows is None or max_percent is None or until is None:
            raise UsageError(
                "A standing approval needs limits and an end, and no run.", "--max-rows N --max-percent P --until DATE"
            )
        result = workbench().approve_standing(role, max_rows=max_rows, max_percent=max_percent, until=until, key=key)
    elif run is None:
        raise UsageError("Which run?", "lifecycle approve RUN --role controller")
    else:
        result = workbench().approve(run, role, key=key)
    tell(result, as_json)


@app.command()
def purge(
    run: Annotated[str | None, typer.Argument(metavar="RUN", help="An approved run.")] = None,
    as_of: AsOf = None,
    max_runtime: MaxRuntime = None,
    as_json: AsJson = False,
) -> None:
    """Carry out one approved plan; or, with --as-of, plan and go through if a standing approval covers it."""
    if (run is None) == (as_of is None):
        raise UsageError("Name either a run or a date.", "lifecycle purge RUN, or lifecycle purge --as-of today")
    tell(workbench().purge(run, as_of=as_of, max_runtime=max_runtime), as_json)


@app.command()
def verify(
    size: Annotated[int | None, typer.Option("--size", help="Size of a checkpoint kept elsewhere.")] = None,
    root: Annotated[str | None, typer.Option("--root", help="Root of that checkpoint (base64).")] = None,
    as_json: AsJson = False,
) -> None:
    """Verify the evidence by the independent verifier, and the stores against it."""
    tell(workbench().verify(size=size, root=root), as_json)


@app.command()
def report(
    run: Annotated[str | None, typer.Argument(metavar="RUN", help="Default: the latest run.")] = None,
    format: Annotated[str, typer.Option("--format", metavar="html,json", help="One or several.")] = "html,json",
    language: Annotated[str | None, typer.Option("--language", metavar="de|en")] = None,
    second_opinion: Annotated[bool, typer.Option("--second-opinion/--no-second-opinion")] = True,
    inspection: Annotated[bool, typer.Option("--inspection", help="Instead, one ZIP for an authority.")] = False,
    document: Annotated[str | None, typer.Option("--document", metavar="concept|record|month")] = None,
    month: Annotated[str | None, typer.Option("--month", metavar="YYYY-MM", help="Of --document month.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write what an auditor or data protection officer reads."""
    formats = [one for one in format.split(",") if one]
    more: dict[str, Any] = {"inspection": inspection, "document": document, "month": month}
    tell(workbench().report(run, formats=formats, language=language, second_opinion=second_opinion, **more), as_json)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Examine set-up, keys, clock and files."""
    tell(workbench().doctor(), as_json)


@app.command()
def run(
    notebook: Annotated[str, typer.Argument(metavar="NOTEBOOK", help="A name such as 50_purge, or a file.")],
    values: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
    names: Annotated[list[str] | None, typer.Option("-p", metavar="NAME VALUE", help="A parameter.")] = None,
    max_runtime: MaxRuntime = None,
    as_json: AsJson = False,
) -> None:
    """Run a notebook through papermill, guarded, and keep it under reports/."""
    if len(names or ()) != len(values or ()):
        raise UsageError("A parameter needs a name and a value.", "lifecycle run NOTEBOOK -p NAME VALUE")
    given = dict(zip(names or (), values or (), strict=True))
    tell(workbench().run_notebook(notebook, given, max_runtime=max_runtime), as_json)


@app.command()
def serve(
    folders: Annotated[
        list[Path] | None, typer.Argument(metavar="DIR", help="Workspaces to show side by side; default: the one.")
    ] = None,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")] = 0,
) -> None:
    """Serve the local web pages, live and read-only, until interrupted."""
    from lifecycle.workbench import Workbench

    first, *others = [Workbench.open(folder) for folder in folders] if folders else [workbench()]
    first.serve(*(other.path for other in others), port=port)


@app.command()
def demo(folder: Annotated[Path | None, typer.Argument(metavar="DIR")] = None, as_json: AsJson = False) -> None:
    """Run the whole cycle on made-up data, then say where the report is."""
    from lifecycle.workbench.demo import demonstrate

    tell(demonstrate(folder), as_json)
