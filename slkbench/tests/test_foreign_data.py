"""Files and names of others are data: nothing computes, marks up, steers or leads elsewhere."""

from __future__ import annotations

import ast
import csv
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from slkbench.cli.main import cli
from slkbench.contenders import parse_lib
from slkbench.errors import ContenderError
from slkbench.foreign_text import guarded, unguarded, visible
from slkbench.model import Cell, Pattern, Sample, Scenario, Status, Transport
from slkbench.profile.accounting import Account, Difference, Measured
from slkbench.report.builds import builds_section
from slkbench.report.explain import explain_section
from slkbench.report.markdown import bullets, code, heading, plain, table
from slkbench.runner.builds import BuildEffect
from slkbench.runner.explaining import Explanation
from slkbench.runner.session import Request, run_request
from slkbench.schema import row_of, sample_of
from slkbench.store import RunStore, find_run, read_run

PACKAGE = Path(__file__).resolve().parents[1]
EVIL = (
    '=HYPERLINK("http://evil") | `x` <script>alert(1)</script> ![i](http://evil/x.png) '
    "[l](http://evil) \x1b[2J\x1b]0;owned\x07 \u202e **b** $x$ {{7*7}} &lt; www.evil.org"
)
MARKUP = st.text(
    st.sampled_from("|`\\<>![]()*_~#-+=1.)&;:/$@ \n\r\t\x0b\x1b\u2028\u202eaB") | st.characters(),
    max_size=40,
)
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
HARMLESS = {"text", "softbreak"}


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def inline_kinds(markdown: str) -> set[str]:
    """Every kind of inline element in a document, and every kind of block with HTML in it."""
    found = set()
    for token in MARKDOWN.parse(markdown):
        found |= {child.type for child in token.children or ()}
        if token.type == "html_block":
            found.add(token.type)
    return found


# --- Markdown


@given(st.lists(st.lists(MARKUP, min_size=3, max_size=3), min_size=1, max_size=4))
def test_a_table_has_the_same_rows_and_columns_whatever_the_text(rows: list[list[str]]) -> None:
    for form in (str, plain, code):
        shown = table(["a", "b", "c"], [[form(cell) for cell in row] for row in rows])
        assert len(shown.splitlines()) == 2 + len(rows)
        tokens = [token.type for token in MARKDOWN.parse(f"Before.\n\n{shown}\n\nAfter.")]
        assert tokens.count("table_open") == 1
        assert tokens.count("tr_open") == 1 + len(rows)
        assert tokens.count("th_open") == 3
        assert tokens.count("td_open") == 3 * len(rows)
        assert tokens.count("paragraph_open") == 2
        # As GitHub divides a row: at every pipe that no backslash is before, or an even number.
        for line in shown.splitlines():
            assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) == 4


@given(MARKUP)
def test_plain_text_is_text_alone(text: str) -> None:
    for document in (plain(text), bullets([plain(text)]), heading(2, f"A {plain(text)}")):
        assert inline_kinds(document) <= HARMLESS
    tokens = MARKDOWN.parse(bullets([plain(text), "second"]))
    assert [t.type for t in tokens].count("list_item_open") == 2
    assert not {"heading_open", "hr", "code_block", "fence"} & {t.type for t in tokens}


@given(MARKUP)
def test_plain_text_reads_as_it_was(text: str) -> None:
    (paragraph, *_) = [t for t in MARKDOWN.parse(f"A {plain(text)} Z") if t.type == "inline"]
    read = "".join(child.content for child in paragraph.children or ())
    assert read.split() == f"A {visible(' '.join(text.split()))} Z".split()


@given(MARKUP)
def test_code_is_code_alone(text: str) -> None:
    assert inline_kinds(code(text)) <= {"code_inline"}
    assert "html_block" not in {token.type for token in MARKDOWN.parse(code(text))}


# --- Spreadsheets and terminals


@given(st.text())
def test_no_cell_is_a_formula_and_every_text_comes_back(text: str) -> None:
    assert unguarded(guarded(text)) == text
    assert guarded(text)[:1] not in {"=", "+", "-", "@", "\t", "\r", "|"}
    row = row_of(Sample(reason=text, library_version=text))
    assert not any(cell[:1] in {"=", "+", "@"} for cell in row)
    assert sample_of(row).reason in {" ".join(text.splitlines()), None}


@given(st.text())
def test_what_is_shown_cannot_steer_a_terminal(text: str) -> None:
    shown = visible(text)
    assert shown.isprintable() or not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e]", shown)
    assert visible(shown) == shown


# --- A run of somebody else's


@pytest.fixture
def foreign_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake_world: Any) -> Path:
    """A run in which every text that another could have chosen is hostile."""
    monkeypatch.chdir(tmp_path)

    def spoil(number: int, _cell: Cell, slot: Any, sample: Sample) -> Sample:
        spoilt = replace(sample, library_version=EVIL, options='{"=1|<b>":"' + "`|<img>" + '"}')
        if slot.arm.name != "serverlink" or number % 2:
            return spoilt
        return replace(spoilt, status=Status.FAILED, reason=EVIL, elapsed_ns=None, messages=None)

    fake_world.on_sample = spoil
    cells = (Cell(Pattern.PUSH_PULL, Transport.TCP, 64, messages=1000),)
    scenario = Scenario(f"=x|{EVIL[:30]}", EVIL, cells, seed=1, rounds=2, affinity=())
    path = run_request(Request(scenario), backend=fake_world.backend).path
    run = read_run(path)
    with RunStore.reopen(path) as store:
        machine = {**run.metadata["machine"], "fingerprint": EVIL, "cpu_model": EVIL}
        libraries = [{**each, "build_flags": EVIL} for each in run.metadata["libraries"]]
        store.update({"machine": machine, "libraries": libraries, "status": f"complete {EVIL}"})
    return path


def test_a_foreign_run_is_reported_as_text(foreign_run: Path) -> None:
    result = invoke("report", "--format", "md")
    assert result.exit_code == 0, result.output
    text = (Path("reports") / foreign_run.name / "report.md").read_text()
    assert inline_kinds(text) <= {
        *HARMLESS,
        *("code_inline", "strong_open", "strong_close", "em_open", "em_close", "hardbreak"),
        *("link_open", "link_close"),
    }
    links = re.findall(r"(?<!\\)\]\(([^)]*)\)", text)
    assert all(link.startswith("#") for link in links)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e]", text)
    assert "&lt;script&gt;" in text
    assert "{{7" in text  # no template was filled in


def test_a_foreign_run_is_shown_and_listed_without_control_characters(foreign_run: Path) -> None:
    for arguments in (("show", "latest"), ("list", "runs")):
        result = invoke(*arguments)
        assert result.exit_code == 0, result.output
        assert r"\x1b[2J" in result.stdout
        assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e]", result.output)
    assert len(invoke("list", "runs").stdout.splitlines()) == 2


def test_a_foreign_table_opens_in_a_spreadsheet_without_formulas(foreign_run: Path) -> None:
    with (foreign_run / "samples.csv").open(newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert any(cell.startswith("'=") for cell in cells)
    assert not [cell for cell in cells if cell[:1] in {"=", "+", "-", "@"}]


def test_foreign_claims_are_shown_as_text(tmp_path: Path) -> None:
    evil = json.dumps(EVIL)
    file = tmp_path / "claims.toml"
    file.write_text(
        f"[claims]\nabout = {evil}\nsubject = {evil}\n"
        f"[[claim]]\nsection = {evil}\nquote = {evil}\nuntestable = {evil}\n"
    )
    for more in ((), ("--markdown",)):
        result = invoke("claims", str(file), "--results", str(tmp_path), *more)
        assert result.exit_code == 0, result.output
        assert r"\x1b" in result.output.replace("\\\\", "\\")
        assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e]", result.output)
    assert inline_kinds(result.output) <= HARMLESS


def test_foreign_builds_and_accounts_are_reported_as_text() -> None:
    cell = Cell(Pattern.PUSH_PULL, Transport.TCP, 64)
    effect = BuildEffect(EVIL, EVIL, EVIL, cell, 1.0, None, None, 2, 0.1)
    assert inline_kinds("\n\n".join(builds_section([effect]))) <= HARMLESS
    account = Account(EVIL, EVIL, 1.0, {"idle": 1.0})
    measured = Measured(1.0, 1.0, 0.0, None, None, 6)
    difference = Difference(EVIL, EVIL, EVIL, account, account, measured)
    section = explain_section(Explanation(((difference,),), ()), [])
    assert inline_kinds("\n\n".join(section[1:])) <= {*HARMLESS, "strong_open", "strong_close"}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("contender", "<script>"),
        ("contender", "../../etc/passwd"),
        ("contender", "a|b"),
        ("arm", "=1+1"),
        ("arm", "x" * 65),
        ("arm", ""),
    ],
)
def test_a_contender_of_an_impossible_name_is_refused(
    foreign_run: Path, column: str, value: str
) -> None:
    file = foreign_run / "samples.csv"
    with file.open(newline="") as opened:
        head, *rows = csv.reader(opened)
    rows[1][head.index(column)] = value
    with file.open("w", newline="") as opened:
        csv.writer(opened, lineterminator="\n").writerows([head, *rows])
    result = invoke("report")
    assert result.exit_code == 2
    expected = f"samples.csv, line 3: column {column} holds {value!r} instead of a contender's name"
    assert expected in result.output


# --- Names become paths


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/b", "", ".x", "-x", "=x", "a b", "placebo"])
def test_a_contender_cannot_be_named_like_a_path_or_a_formula(name: str) -> None:
    with pytest.raises(ContenderError, match="--lib"):
        parse_lib(f"{name}=/no/such/lib.so")


@pytest.mark.parametrize("label", ["../../x", "/etc", "..", "a/../b", "x\x00y", "<b>", "é" * 300])
def test_a_label_cannot_lead_out_of_the_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake_world: Any, label: str
) -> None:
    monkeypatch.chdir(tmp_path)
    cells = (Cell(Pattern.PUSH_PULL, Transport.TCP, 64, messages=1000),)
    scenario = Scenario("test", "?", cells, seed=1, rounds=1, affinity=())
    path = run_request(Request(scenario, label=label), backend=fake_world.backend).path
    assert path.parent == Path("results")
    assert [each.name for each in tmp_path.iterdir() if each.is_dir()] == ["results"]
    assert re.fullmatch(r"[A-Za-z0-9._-]+", path.name)


def test_a_run_named_by_dots_is_reported_under_its_own_name(
    foreign_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = foreign_run.resolve() / "inside"
    inside.mkdir()
    for folder, name in ((foreign_run, "."), (inside, "..")):
        with monkeypatch.context() as patched:
            patched.chdir(folder.resolve())
            assert find_run(name).name == foreign_run.name


# --- Sources

FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen"}
FORBIDDEN_IMPORTS = {
    "pickle",
    "cPickle",
    "marshal",
    "shelve",
    "dill",
    "joblib",
    "yaml",
    "jsonpickle",
}


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(PACKAGE.rglob("*.py")) if "tests" not in path.parts],
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_no_source_runs_a_shell_or_what_it_reads(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            assert not {name.partition(".")[0] for name in names} & FORBIDDEN_IMPORTS
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in FORBIDDEN_CALLS, ast.unparse(node)
            assert not [word for word in node.keywords if word.arg == "shell"], ast.unparse(node)
            if called.startswith("subprocess.") and node.args:
                # A command is a list, made there or before; a text would be one for a shell.
                assert not isinstance(node.args[0], (ast.Constant, ast.JoinedStr, ast.BinOp))
