"""Pieces of Markdown: tables whose columns line up, headings, figures with captions, lists."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["bullets", "code", "figure", "heading", "table"]


def heading(level: int, text: str) -> str:
    """A heading of ``level`` number signs."""
    return f"{'#' * level} {text}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> str:
    """A table; the first ``left`` columns are aligned left, the others right."""
    cells = [[_escaped(one) for one in row] for row in (header, *rows)]
    widths = [max(3, *(len(row[column]) for row in cells)) for column in range(len(header))]
    rule = [
        "-" * width if column < left else "-" * (width - 1) + ":"
        for column, width in enumerate(widths)
    ]
    lines = []
    for row in (cells[0], rule, *cells[1:]):
        padded = [
            text.ljust(width) if column < left else text.rjust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(f"| {' | '.join(padded)} |")
    return "\n".join(lines)


def figure(file_name: str, caption: str) -> str:
    """An image with its caption below, the start of which stands in where there is no image."""
    return f"![{caption.split(';', 1)[0]}]({file_name})\n\n*{caption}*"


def bullets(items: Sequence[str]) -> str:
    """A list, one line per item."""
    return "\n".join(f"- {item}" for item in items)


def code(text: str) -> str:
    """``text`` as code, on one line, whatever it holds."""
    flat = " ".join(text.split())
    return f"`` {flat} ``" if "`" in flat else f"`{flat}`"


def _escaped(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
