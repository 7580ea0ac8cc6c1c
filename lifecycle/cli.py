"""The command line: a thin coat over :class:`lifecycle.workbench.Workbench`.

Nothing slow is imported until a verb needs it, so that ``lifecycle --help`` answers at once.
"""

from __future__ import annotations

import json
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lifecycle.errors import LifecycleError, UsageError

if TYPE_CHECKING:
    from lifecycle.workbench import Workbench
    from lifecycle.workbench.results import Result
    from lifecycle.workbench.workspace import Workspace

app = typer.Typer(
    name="lifecycle",
    help="Check, delete after 90 days, and prove it: data life cycle for eTermin and arztkonsultation.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
hold_app = typer.Typer(
    help="Except an appointment from deletion (Löschsperre).", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(hold_app, name="hold")
preview_app = typer.Typer(
    help="See templates as a patient will read them.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(preview_app, name="preview")
restore_app = typer.Typer(help="After a backup came back.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(restore_app, name="restore")


class Dataset(StrEnum):
    """The two datasets."""

    EVENTS = "events"
    APPOINTMENTS = "appointments"


AsJson = Annotated[bool, typer.Option("--json", help="Print exactly one JSON object on standard output.")]
AsOf = Annotated[str | None, typer.Option("--as-of", metavar="DATE", help="YYYY-MM-DD, or today (default).")]
Files = Annotated[list[Path], typer.Argument(help="Logs or exports; plain or gzip.")]
OptionalFiles = Annotated[list[Path] | None, typer.Argument(help="Files to read in place; default: the store.")]
Format = Annotated[str | None, typer.Option("--format", metavar="F", help="Instead of telling it by content.")]
OneDataset = Annotated[Dataset | None, typer.Option("--dataset", help="Refuse files of the other dataset.")]
Key = Annotated[Path | None, typer.Option("--key", metavar="SSHKEY", help="Sign with this SSH key.")]

_workspace: dict[str, Path | None] = {"path": None}


@app.callback()
def choose(
    workspace: Annotated[
        Path | None,
        typer.Option("--workspace", metavar="DIR", help="Else LIFECYCLE_WORKSPACE, else the nearest folder upwards."),
    ] = None,
) -> None:
    """Remember the workspace for the verb that follows."""
    _workspace["path"] = workspace


@app.command()
def init(folder: Annotated[Path, typer.Argument(metavar="DIR")], as_json: AsJson = False) -> None:
    """Make a new workspace that works unedited."""
    from lifecycle.workbench import Workbench

    _print(Workbench.init(folder).created(), as_json)


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
    wb = _workbench()
    _print(wb.ingest(*files, dataset=dataset, format=format, as_of=as_of, consume=consume), as_json)


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
    wb = _workbench()
    result = wb.check(*(files or ()), store=store, dataset=dataset, format=format, second_opinion=second_opinion)
    _print(result, as_json)


@app.command()
def plan(as_of: AsOf = None, as_json: AsJson = False) -> None:
    """Say what must go at a date, in every store."""
    _print(_workbench().plan(as_of), as_json)


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
        result = _workbench().approve_standing(role, max_rows=max_rows, max_percent=max_percent, until=until, key=key)
    elif run is None:
        raise UsageError("Which run?", "lifecycle approve RUN --role controller")
    else:
        result = _workbench().approve(run, role, key=key)
    _print(result, as_json)


@app.command()
def purge(
    run: Annotated[str | None, typer.Argument(metavar="RUN", help="An approved run.")] = None,
    as_of: AsOf = None,
    as_json: AsJson = False,
) -> None:
    """Carry out one approved plan; or, with --as-of, plan and go through if a standing approval covers it."""
    if (run is None) == (as_of is None):
        raise UsageError("Name either a run or a date.", "lifecycle purge RUN, or lifecycle purge --as-of today")
    _print(_workbench().purge(run, as_of=as_of), as_json)


@app.command()
def verify(
    size: Annotated[int | None, typer.Option("--size", help="Size of a checkpoint kept elsewhere.")] = None,
    root: Annotated[str | None, typer.Option("--root", help="Root of that checkpoint (base64).")] = None,
    as_json: AsJson = False,
) -> None:
    """Verify the evidence by the independent verifier, and the stores against it."""
    _print(_workbench().verify(size=size, root=root), as_json)


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
    _print(_workbench().report(run, formats=formats, language=language, second_opinion=second_opinion, **more), as_json)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Examine set-up, keys, clock and files."""
    _print(_workbench().doctor(), as_json)


@app.command()
def run(
    notebook: Annotated[str, typer.Argument(metavar="NOTEBOOK", help="A name such as 50_purge, or a file.")],
    values: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
    names: Annotated[list[str] | None, typer.Option("-p", metavar="NAME VALUE", help="A parameter.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run a notebook through papermill, guarded, and keep it under reports/."""
    if len(names or ()) != len(values or ()):
        raise UsageError("A parameter needs a name and a value.", "lifecycle run NOTEBOOK -p NAME VALUE")
    _print(_workbench().run_notebook(notebook, dict(zip(names or (), values or (), strict=True))), as_json)


@app.command()
def demo(folder: Annotated[Path | None, typer.Argument(metavar="DIR")] = None, as_json: AsJson = False) -> None:
    """Run the whole cycle on made-up data, then say where the report is."""
    from lifecycle.workbench.demo import demonstrate

    _print(demonstrate(folder), as_json)


@hold_app.command("add")
def hold_add(
    uid: Annotated[str, typer.Argument(metavar="UID", help="The appointment's uid.")],
    ground: Annotated[str, typer.Option("--ground", help="restriction, legal-duty, legal-claims or other.")] = "other",
    reference: Annotated[str, typer.Option("--reference", help="A file number; no names.")] = "",
    by: Annotated[str, typer.Option("--by", metavar="ROLE")] = "controller",
    review_on: Annotated[str | None, typer.Option("--review-on", metavar="DATE")] = None,
    as_json: AsJson = False,
) -> None:
    """Except an appointment from deletion."""
    _print(_workbench().hold_add(uid, ground, reference=reference, by=by, review_on=review_on), as_json)


@hold_app.command("lift")
def hold_lift(number: Annotated[int, typer.Argument(metavar="NUMBER")], as_json: AsJson = False) -> None:
    """End a hold by its number."""
    _print(_workbench().hold_lift(number), as_json)


@hold_app.command("list")
def hold_list(as_json: AsJson = False) -> None:
    """List all holds; the uids stay in the store."""
    _print(_workbench().hold_list(), as_json)


@restore_app.command("check")
def restore_check(as_json: AsJson = False) -> None:
    """Tell how old a restored store is, what is overdue in it, and what came back although it had been erased."""
    _print(_workbench().restore_check(), as_json)


@restore_app.command("apply")
def restore_apply(
    run: Annotated[str | None, typer.Argument(metavar="RUN", help="Default: the plan that still fits.")] = None,
    as_json: AsJson = False,
) -> None:
    """Erase what a restore brought back, as an ordinary, evidenced run."""
    _print(_workbench().restore_apply(run), as_json)


TemplatePaths = Annotated[
    list[Path] | None, typer.Argument(metavar="PATH", help="Templates anywhere; default: the workspace's.")
]


@preview_app.command("lint")
def preview_lint(paths: TemplatePaths = None, as_json: AsJson = False) -> None:
    """Look at every template with every check; no link is ever opened."""
    from lifecycle.workbench import previewing

    _print(previewing.lint_templates(_workspace_if_any(paths), paths or ()), as_json)


@preview_app.command("build")
def preview_build(
    paths: TemplatePaths = None,
    output: Annotated[Path | None, typer.Option("--output", metavar="DIR", help="Default: reports/preview.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write the texts to paste into eTermin, and a gallery as one self-contained page."""
    from lifecycle.workbench import previewing

    _print(previewing.build_gallery(_workspace_if_any(paths), paths or (), output), as_json)


@preview_app.command("serve")
def preview_serve(
    paths: TemplatePaths = None,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")] = 0,
    dump: Annotated[Path | None, typer.Option("--dump", help="A REST service dump to lay beside the texts.")] = None,
    record: Annotated[
        str | None, typer.Option("--record", metavar="UID", help="Show a real record, too; it is never written.")
    ] = None,
) -> None:
    """Serve a local page that follows every saved change, until interrupted."""
    from lifecycle.workbench import previewing

    previewing.serve(_workspace_if_any(paths), paths or (), port=port, dump=dump, record=record)


@preview_app.command("compare")
def preview_compare(
    mail: Annotated[Path, typer.Argument(metavar="FILE.eml", help="A test mail, sent to oneself.")],
    paths: TemplatePaths = None,
    template: Annotated[str | None, typer.Option("--template", help="Default: the one that fits best.")] = None,
    as_json: AsJson = False,
) -> None:
    """Lay a real test mail beside a template; its values are not kept."""
    from lifecycle.workbench import previewing

    _print(previewing.compare_mail(_workspace_if_any(paths), mail, paths or (), template), as_json)


def _workspace_if_any(paths: list[Path] | None) -> Workspace | None:
    from lifecycle.workbench.workspace import Workspace, find, utc_now

    try:
        return Workspace(find(_workspace["path"]), utc_now)
    except UsageError:
        if paths and _workspace["path"] is None:
            return None  # templates may lie anywhere
        raise


def _workbench() -> Workbench:
    from lifecycle.workbench import Workbench

    return Workbench.open(_workspace["path"])


def _print(result: Result, as_json: bool) -> None:
    problem = result.problem()
    try:
        if as_json:
            print(json.dumps(result.to_json(), ensure_ascii=False))
        else:
            from lifecycle.workbench.terminal import show

            show(result)
        sys.stdout.flush()
    except BrokenPipeError:
        _reader_gone()
        if problem is None:
            raise typer.Exit(141) from None
    if problem is not None:
        _complain(problem)
        raise typer.Exit(problem.exit_code)


def _reader_gone() -> None:
    # Whoever read our output has gone; Python would complain once more at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(error: LifecycleError) -> None:
    # Terminal output is free of control characters, whatever a file name brought along.
    print("".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in str(error)), file=sys.stderr)


def _misused(error: typer.TyperException) -> UsageError:
    """Say what is wrong with the words of the call, without repeating one: a name can have slipped into them."""
    context, parameter = getattr(error, "ctx", None), getattr(error, "param", None)
    hint = f"{context.command_path if context else 'lifecycle'} --help"
    kind, message = type(error).__name__, error.message
    if kind == "NoSuchOption":
        close = getattr(error, "possibilities", None)
        return UsageError("There is no such option.", f"did you mean {close[0]}? {hint}" if close else hint)
    if kind == "BadOptionUsage":
        takes = "no value" if "not take" in message else "a value"
        return UsageError(f"The option {getattr(error, 'option_name', '')} takes {takes}.", hint)
    if parameter is not None:
        name = str(parameter.get_error_hint()).strip("'")
        what = "is missing" if kind == "MissingParameter" else "was given a value that it cannot take"
        return UsageError(f"{name} {what}.", hint)
    if message.startswith("No such command") and context is not None:
        return UsageError("There is no such verb.", hint)
    return UsageError("More words were given than the verb takes.", hint)


def main() -> None:
    """Run the command line; every failure that a person can act on becomes a sentence and an exit code."""
    try:
        code = app(standalone_mode=False, prog_name="lifecycle") or 0
        sys.stdout.flush()
    except LifecycleError as error:
        _complain(error)
        code = error.exit_code
    except BrokenPipeError:
        _reader_gone()
        code = 141
    except typer.TyperException as error:
        code = 2
        if type(error).__name__ == "NoArgsIsHelpError":
            print(error.message, file=sys.stderr)
        else:
            _complain(_misused(error))
    except Exception as error:
        from lifecycle.workbench.guard import without_words

        _complain(without_words(error))
        code = 70
    if code == 130:  # so typer tells that somebody pressed Ctrl-C
        print("Stopped. Run the same command again to go on.", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
