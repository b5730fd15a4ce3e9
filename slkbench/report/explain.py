"""Where the time goes: the gap of each cell by what threads do, as tables and a stacked chart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from slkbench.profile.accounting import ACCOUNT_PARTS, Difference
from slkbench.profile.side_by_side import Table
from slkbench.report.markdown import figure, heading, plain, table
from slkbench.runner.explaining import Explanation

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["EXPLAIN_NOTE", "difference_table", "draw_accounts", "explain_section"]

EXPLAIN_NOTE = (
    "ns per message. At every moment a thread is on a core, runnable without a core, or blocked "
    "(idle); its time on a core is shared out as perf's samples are, so the parts of a thread add "
    "up to the time per message. The first table is of the threads that limit, which are those "
    "blocked least; in the second, of all threads, each part is divided by the number of cores. "
    "Measured is of the run's samples: the median of the first, and what the paired ratio of the "
    "second makes of it [95 %]; the parts are of the profile's runs, and unexplained is what is "
    "between them: other processes at another time; its interval has the uncertainty of both. "
    "Profile / run is how long a message took in the profile's runs, as a multiple of the run's."
)
_SHOWN_PER_CHART = 6
# Okabe-Ito, and grey for what is no work; hatches for print.
_LOOKS = (
    ("#0072B2", ""),
    ("#56B4E9", ""),
    ("#009E73", ""),
    ("#D55E00", "///"),
    ("#E69F00", "///"),
    ("#CC79A7", "xxx"),
    ("#F0E442", "..."),
    ("#999999", ""),
    ("#cfcfcf", "\\\\\\"),
    ("#f2f2f2", ""),
)


def difference_table(one: Difference) -> Table:
    """The parts side by side, what they sum to, and what was measured."""
    lines: list[tuple[str, ...]] = []
    for part in ACCOUNT_PARTS:
        first, second = one.first.parts_ns.get(part, 0.0), one.second.parts_ns.get(part, 0.0)
        if max(abs(first), abs(second)) >= 0.05:
            lines.append((part, f"{first:.1f}", f"{second:.1f}", f"{second - first:+.1f}"))
    sums = [sum(account.parts_ns.values()) for account in (one.first, one.second)]
    lines.append(("**sum of parts**", *(f"{ns:.1f}" for ns in sums), f"{one.explained_ns:+.1f}"))
    lines.append(
        (
            "**measured**",
            f"{one.measured.first_ns:.1f}",
            f"{one.measured.second_ns:.1f}",
            f"{one.measured.difference_ns:+.1f} {_bounds(one)}",
        )
    )
    lines.append(("**unexplained**", "", "", _unexplained(one)))
    unlike = "" if one.is_like_the_run else "not alike"
    lines.append(("profile / run", *(f"{ratio:.2f}x" for ratio in one.ratios_to_run), unlike))
    head = (
        "part",
        f"{one.first_name} ({one.first.of})",
        f"{one.second_name} ({one.second.of})",
        "difference",
    )
    return Table(f"{one.title}: {one.second_name} against {one.first_name}", head, tuple(lines), 1)


def _unexplained(one: Difference) -> str:
    bounds = one.unexplained_bounds_ns
    if bounds is None:
        return f"{one.unexplained_ns:+.1f}"
    within = " (none for sure)" if one.is_within else ""
    return f"{one.unexplained_ns:+.1f} [{bounds[0]:+.1f}, {bounds[1]:+.1f}]{within}"


def _bounds(one: Difference) -> str:
    low, high = one.measured.low_ns, one.measured.high_ns
    if low is None or high is None:
        return "[too few blocks]"
    return f"[{low:+.1f}, {high:+.1f}]"


def explain_section(explanation: Explanation, charts: Sequence[tuple[str, str]]) -> list[str]:
    """The section of a report; empty where nothing is explained."""
    if not explanation.gaps and not explanation.patterns:
        return []
    parts = [EXPLAIN_NOTE, *(figure(name, caption) for name, caption in charts)]
    for title, groups in (
        ("The gap, cell by cell", explanation.gaps),
        ("ROUTER-ROUTER against PUSH-PULL, by library", explanation.patterns),
    ):
        if groups:
            parts.append(heading(3, title))
        for group in groups:
            for index, one in enumerate(group):
                shown = difference_table(one)
                if index == 0:
                    parts.append(heading(4, plain(shown.title)))
                head = [plain(name) for name in shown.head]
                parts.append(table(head, shown.rows, left=shown.left))
    return parts


def draw_accounts(explanation: Explanation, folder: Path, run_id: str) -> list[tuple[str, str]]:
    """Draw stacked bars into ``folder``; their file names and captions."""
    drawn = []
    for name, groups, what in (
        ("explain", explanation.gaps, "Where the time of a message goes"),
        ("explain-patterns", explanation.patterns, "ROUTER-ROUTER against PUSH-PULL"),
    ):
        for start in range(0, len(groups), _SHOWN_PER_CHART):
            suffix = "" if len(groups) <= _SHOWN_PER_CHART else f"-{start // _SHOWN_PER_CHART + 1}"
            file_name = f"{name}{suffix}.png"
            _draw(groups[start : start + _SHOWN_PER_CHART], folder / file_name)
            caption = (
                f"{what}, run `{run_id}`; for each cell the limiting threads above, all threads "
                "below; ns per message."
            )
            drawn.append((file_name, caption))
    return drawn


def _draw(groups: Sequence[Sequence[Difference]], path: Path) -> None:
    from slkbench.report.appearance import chart, new_figure, save

    with chart():
        drawing = new_figure(0.9 + 1.75 * len(groups))
        every = drawing.subplots(len(groups), 1, squeeze=False)[:, 0]
        for axes, group in zip(every, groups, strict=True):
            _bars(axes, group)
        handles, labels = every[0].get_legend_handles_labels()
        drawing.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
        save(drawing, path)


def _bars(axes: Axes, group: Sequence[Difference]) -> None:
    names, positions = [], []
    for level, one in enumerate(group):
        for side, (name, account) in enumerate(
            ((one.first_name, one.first), (one.second_name, one.second))
        ):
            positions.append(-(level * 2.4 + side))
            names.append(f"{name}: {account.of}")
    accounts = [account for one in group for account in (one.first, one.second)]
    left = [0.0] * len(accounts)
    for part, (colour, hatch) in zip(ACCOUNT_PARTS, _LOOKS, strict=True):
        widths = [max(0.0, account.parts_ns.get(part, 0.0)) for account in accounts]
        axes.barh(
            positions,
            widths,
            left=left,
            height=0.85,
            color=colour,
            hatch=hatch,
            edgecolor="#555555",
            linewidth=0.4,
            label=part,
        )
        left = [a + b for a, b in zip(left, widths, strict=True)]
    axes.set_yticks(positions, names, fontsize=7.5)
    axes.grid(visible=False, axis="y")
    axes.set_title(group[0].title, loc="left")
    axes.set_xlabel("ns per message")
