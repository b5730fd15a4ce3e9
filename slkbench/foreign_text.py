"""Text that slkbench did not write: names, reasons, versions, files from others.

A terminal obeys escape sequences and a spreadsheet computes what begins like a formula.  Here such
text becomes what it looks like.  This module imports nothing of slkbench.
"""

from __future__ import annotations

import re

__all__ = ["NAME_RULE", "guarded", "is_name", "unguarded", "visible"]

NAME_RULE = "letters, digits and . _ + - %, a letter or digit first, 64 at most"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+%-]{0,63}")
# Controls, lone surrogates, and what turns or hides the letters around it.
_UNSEEN = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ud800-\\udfff\\ufeff]"
)
# What a spreadsheet takes for the beginning of a formula, after marks that were added before.
_FORMULA = re.compile(r"'*[=+\-@\t\r|]")


def is_name(text: str) -> bool:
    """Whether ``text`` may name a contender, as ``NAME_RULE`` says."""
    return _NAME.fullmatch(text) is not None


def visible(text: str, *, keep: str = "") -> str:
    r"""``text`` with control characters as ``\x1b`` and the like, but those in ``keep``."""

    def shown(match: re.Match[str]) -> str:
        letter = match[0]
        if letter in keep:
            return letter
        return f"\\x{ord(letter):02x}" if ord(letter) < 0x100 else f"\\u{ord(letter):04x}"

    return _UNSEEN.sub(shown, text)


def guarded(text: str) -> str:
    """``text`` for a cell of a CSV file; marked with an apostrophe if it looks like a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def unguarded(cell: str) -> str:
    """The text whose ``guarded`` is ``cell``."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
