"""The verbs that have verbs of their own: exceptions from deletion, restored backups, keys, template previews."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lifecycle.cli.app import AsJson, app, tell, workbench, workspace_if_any


def _group(name: str, says: str) -> typer.Typer:
    group = typer.Typer(help=says, no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(group, name=name)
    return group


hold_app = _group("hold", "Except an appointment from deletion (Löschsperre).")
preview_app = _group("preview", "See templates as a patient will read them.")
restore_app = _group("restore", "After a backup came back.")
key_app = _group("key", "The key that signs the evidence.")


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
    tell(workbench().hold_add(uid, ground, reference=reference, by=by, review_on=review_on), as_json)


@hold_app.command("lift")
def hold_lift(number: Annotated[int, typer.Argument(metavar="NUMBER")], as_json: AsJson = False) -> None:
    """End a hold by its number."""
    tell(workbench().hold_lift(number), as_json)


@hold_app.command("list")
def hold_list(as_json: AsJson = False) -> None:
    """List all holds; the uids stay in the store."""
    tell(workbench().hold_list(), as_json)


EveryKey = Annotated[
    bool, typer.Option("--every-key", help="Also where a copy was made by hand: ask every living key.")
]


@restore_app.command("check")
def restore_check(every_key: EveryKey = False, as_json: AsJson = False) -> None:
    """Tell how old a restored store is, what is overdue in it, and what came back although it had been erased."""
    tell(workbench().restore_check(every_key=every_key), as_json)


@restore_app.command("apply")
def restore_apply(
    run: Annotated[str | None, typer.Argument(metavar="RUN", help="Default: the plan that still fits.")] = None,
    every_key: EveryKey = False,
    as_json: AsJson = False,
) -> None:
    """Erase what a restore brought back, as an ordinary, evidenced run."""
    tell(workbench().restore_apply(run, every_key=every_key), as_json)


@key_app.command("rotate")
def key_rotate(as_json: AsJson = False) -> None:
    """Let another key sign from now on; the log goes on, and the first public key still verifies it."""
    tell(workbench().key_rotate(), as_json)


TemplatePaths = Annotated[
    list[Path] | None, typer.Argument(metavar="PATH", help="Templates anywhere; default: the workspace's.")
]


@preview_app.command("lint")
def preview_lint(paths: TemplatePaths = None, as_json: AsJson = False) -> None:
    """Look at every template with every check; no link is ever opened."""
    from lifecycle.workbench import previewing

    tell(previewing.lint_templates(workspace_if_any(paths), paths or ()), as_json)


@preview_app.command("build")
def preview_build(
    paths: TemplatePaths = None,
    output: Annotated[Path | None, typer.Option("--output", metavar="DIR", help="Default: reports/preview.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write the texts to paste into eTermin, and a gallery as one self-contained page."""
    from lifecycle.workbench import previewing

    tell(previewing.build_gallery(workspace_if_any(paths), paths or (), output), as_json)


@preview_app.command("serve")
def preview_serve(
    paths: TemplatePaths = None,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")] = 0,
    dump: Annotated[Path | None, typer.Option("--dump", help="A REST service dump to lay beside the texts.")] = None,
    record: Annotated[
        str | None, typer.Option("--record", metavar="UID", help="Show a real record, too; it is never written.")
    ] = None,
    mail: Annotated[
        Path | None, typer.Option("--mail", metavar="FILE.eml", help="A test mail to lay beside the texts.")
    ] = None,
) -> None:
    """Serve a local page that follows every saved change, until interrupted."""
    from lifecycle.workbench import previewing

    previewing.serve(workspace_if_any(paths), paths or (), port=port, dump=dump, record=record, mail=mail)


@preview_app.command("compare")
def preview_compare(
    mail: Annotated[Path, typer.Argument(metavar="FILE.eml", help="A test mail, sent to oneself.")],
    paths: TemplatePaths = None,
    template: Annotated[str | None, typer.Option("--template", help="Default: the one that fits best.")] = None,
    learn: Annotated[
        bool, typer.Option("--learn", help="Note kinds of values in learnt.yaml, for the linter.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Lay a real test mail beside a template; its values are not kept. As a page: preview serve --mail FILE.eml."""
    from lifecycle.workbench import previewing

    tell(previewing.compare_mail(workspace_if_any(paths), mail, paths or (), template, learn=learn), as_json)
