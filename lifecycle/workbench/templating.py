"""The verb ``preview`` of the workbench. The mail room is imported when somebody asks for it: most verbs do not."""

from __future__ import annotations

from pathlib import Path

from lifecycle.workbench.results import Built, Compared, Linted, Shown
from lifecycle.workbench.workspace import Workspace


class TemplateVerbs:
    """The verb ``preview`` of the workbench."""

    _workspace: Workspace

    def preview(self, template: str, *, booking: str | None = None, scheme: str = "light") -> Shown:
        """Show a template inline in a notebook, as a made-up person would read it.

        Parameters
        ----------
        template : str
            A file name, or only its kind, such as ``confirmation``.
        booking : str, optional
            Name of a made-up booking; default: the plainest.
        scheme : {"light", "dark"}
        """
        from lifecycle.workbench import previewing

        return previewing.show(self._workspace, template, booking, scheme)

    def preview_lint(self, *paths: str | Path) -> Linted:
        """Look at the templates (default: the workspace's) with every check."""
        from lifecycle.workbench import previewing

        return previewing.lint_templates(self._workspace, [Path(path) for path in paths])

    def preview_build(self, *paths: str | Path, folder: str | Path | None = None) -> Built:
        """Write the texts to paste into eTermin, and a gallery of them as one self-contained page."""
        from lifecycle.workbench import previewing

        target = Path(folder) if folder is not None else None
        return previewing.build_gallery(self._workspace, [Path(path) for path in paths], target)

    def preview_compare(
        self, mail: str | Path, *paths: str | Path, template: str | None = None, learn: bool = False
    ) -> Compared:
        """Lay a real test mail, sent to oneself, beside a template; the mail's values are not kept.

        With ``learn`` the kinds of values are noted in ``learnt.yaml`` beside the templates, for the linter.
        """
        from lifecycle.workbench import previewing

        return previewing.compare_mail(
            self._workspace, Path(mail), [Path(path) for path in paths], template, learn=learn
        )

    def preview_serve(self, *paths: str | Path, port: int = 0) -> None:
        """Serve the preview on the loopback address until interrupted."""
        from lifecycle.workbench import previewing

        previewing.serve(self._workspace, [Path(path) for path in paths], port=port)
