"""Pieces of Markdown: tables whose columns line up, headings, figures with captions, lists.

What others wrote (reasons, versions, questions, facts of a machine) goes through ``plain``, or
through ``code``: it is shown as it is and builds nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from slkbench.foreign_text import visible

__all__ = ["bullets", "code", "figure", "heading", "plain", "table"]

# What opens emphasis, code, links, images, mathematics, struck text, or escapes.
_MARKS = re.compile(r"[\\`*\[\]$~]")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_ENTITY = re.compile("[&<>]")
_WORD_EDGE = re.compile(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
# Addresses, of which GitHub makes links.
_ADDRESS = re.compile(r"(?i)(?<=[a-z])(:)(?=//)|(?<=www)(\.)|(@)")


def plain(text: str) -> str:
    """``text`` from outside, on one line, as text: no markup of its own has any effect."""
    flat = visible(" ".join(text.split()))
    flat = _MARKS.sub(lambda match: f"\\{match[0]}", flat)
    flat = _WORD_EDGE.sub(r"\\_", flat)
    flat = _ENTITY.sub(lambda match: _ENTITIES[match[0]], flat)
    return _ADDRESS.sub(lambda match: f"&#{ord(match[0])};", flat)


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
    return "\n".join(f"- {_begun(item)}" for item in items)


def _begun(item: str) -> str:
    """``item``, where its first characters would make it a list, a heading or a rule."""
    if re.match(r"[#+=-]+(?: |$)", item):
        return f"\\{item}"
    return re.sub(r"^(\d+)([.)])(?= |$)", r"\1\\\2", item)


def code(text: str) -> str:
    """``text`` as code, on one line, whatever it holds."""
    flat = visible(" ".join(text.split()))
    longest = max((len(run) for run in re.findall("`+", flat)), default=0)
    fence = "`" * (longest + 1)
    # Blanks keep a backtick at the edge apart; nothing at all would be no code.
    return f"{fence} {flat} {fence}" if longest or not flat else f"{fence}{flat}{fence}"


def _escaped(text: str) -> str:
    """A cell: no end of a line in it, and no pipe that ends it."""
    flat = visible(" ".join(text.split()))
    # After a backslash a backslash may count for nothing: then the pipe goes by its number.
    return re.sub(r"\\+\|", lambda match: match[0][:-1] + "&#124;", flat).replace("|", "\\|")
