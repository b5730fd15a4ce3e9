"""Render stored runs as Markdown with charts. Importing this loads no pandas and no matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

__all__ = ["render_report"]


def render_report(
    run_dirs: Sequence[Path], out_dir: Path, formats: Sequence[str] = ("md", "png")
) -> list[Path]:
    """Render each run into ``out_dir``/<run>/ and return the files written.

    Raises ``UsageError`` for an unknown format or a folder that cannot be written, ``StoreError``
    for a run that cannot be read.
    """
    from slkbench.report.document import render_report as render

    return render(run_dirs, out_dir, formats)
