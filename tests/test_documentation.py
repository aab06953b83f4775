"""Runs every Python block of the pages and of the docstrings, and checks what the pages name."""

import ast
import importlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "tfp_flows"
PAGES = ["README.md", "CONTRIBUTING.md"]

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>[^\n`]*)\n(?P<code>.*?)^ *```$", re.M | re.S)
_INLINE = re.compile(r"`([^`\n]+)`")
_PATH = re.compile(r"(?=.*/|.*\.(py|md|cfg|toml)$)[\w.\-]+(/[\w.\-]+)*/?")
# What is not run says so by one of these; a block without a language would be left out silently.
_NOT_RUN = {"none", "bash"}


class Block(NamedTuple):
    """A fenced block.

    Attributes:
      file: where it stands.
      line: of its first line of code, in that file.
      language: what follows the opening fence.
      code: its text, without the indentation of the fence.
    """

    file: Path
    line: int
    language: str
    code: str

    def run(self):
        """Runs it as a script of its own; a traceback shows the lines of the file."""
        code = "\n" * (self.line - 1) + self.code
        exec(compile(code, self.file, "exec"), {"__name__": "__main__"})  # noqa: S102 (our own)


def blocks_of(text: str, file: Path, first_line: int = 1) -> list[Block]:
    return [
        Block(
            file,
            first_line + text[: match.start("code")].count("\n"),
            match["language"],
            re.sub(f"^{match['indent']}", "", match["code"], flags=re.M),
        )
        for match in _FENCE.finditer(text)
    ]


class Docstring(NamedTuple):
    """A docstring of the package, public or not.

    Attributes:
      file: where it stands.
      line: of its opening quotes.
      owner: dotted name within the file; empty for the file itself.
      text: as written.
    """

    file: Path
    line: int
    owner: str
    text: str

    @property
    def name(self) -> str:
        return ".".join([*self.file.relative_to(PACKAGE).with_suffix("").parts, self.owner])

    def blocks(self) -> list[Block]:
        return blocks_of(self.text, self.file, self.line)


def docstrings_of(node: ast.AST, file: Path, owner: str = "") -> Iterator[Docstring]:
    if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
        text = ast.get_docstring(node, clean=False)
        if text is not None:
            yield Docstring(file, node.body[0].lineno, owner, text)
        for child in node.body:
            name = getattr(child, "name", "")
            yield from docstrings_of(child, file, f"{owner}.{name}" if owner else name)


DOCSTRINGS = [
    docstring
    for file in sorted(PACKAGE.rglob("*.py"))
    for docstring in docstrings_of(ast.parse(file.read_text("utf-8")), file)
]


def read(page: str) -> str:
    assert (ROOT / page).is_file(), f"{page} is missing"
    return (ROOT / page).read_text("utf-8")


def blocks_in_page(page: str) -> list[Block]:
    file = ROOT / page
    return blocks_of(file.read_text("utf-8"), file) if file.is_file() else []


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Blocks run in a folder of their own: what they write is gone afterwards."""
    monkeypatch.chdir(tmp_path)


BLOCKS = {
    f"{docstring.name}:{block.line}": block
    for docstring in DOCSTRINGS
    for block in docstring.blocks()
    if block.language == "python"
}
PAGE_BLOCKS = {
    f"{page}:{block.line}": block
    for page in PAGES
    for block in blocks_in_page(page)
    if block.language == "python"
}


@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS.keys())
def test_docstring(block, elsewhere):
    block.run()


@pytest.mark.parametrize("block", PAGE_BLOCKS.values(), ids=PAGE_BLOCKS.keys())
def test_page(block, elsewhere):
    block.run()


def test_readme_has_python_to_run():
    assert any(block.language == "python" for block in blocks_of(read("README.md"), ROOT))


@pytest.mark.parametrize("page", PAGES)
def test_page_names_targets_that_exist(page):
    # As make itself expands them; nothing is made.
    database = subprocess.run(
        ["make", "--question", "--print-data-base"],  # noqa: S607 (whichever make there is)
        capture_output=True, text=True, check=False, cwd=ROOT,
    ).stdout  # fmt: skip
    targets = set(re.findall(r"^([a-z][\w-]*):", database, re.M))
    # In code only: prose may make sure of something.
    code = [block.code for block in blocks_in_page(page) if block.language == "bash"]
    code += _INLINE.findall(_FENCE.sub("", read(page)))
    named = {target for text in code for target in re.findall(r"\bmake ([a-z][\w-]*)", text)}
    assert named
    assert named - targets == set()


def paths_in(text: str, known: set[str]) -> set[str]:
    """What is written in backticks as a path that begins in the repository's root.

    In a section about the folders that is each text with a slash or a known ending; elsewhere only
    what begins with one of the names `known`, too.
    """
    found = set()
    for section in re.split(r"^(?=#)", _FENCE.sub("", text), flags=re.M):
        is_map = re.match(r"#+ .*\b(folders?|map|layout)\b", section, re.I)
        for path in filter(_PATH.fullmatch, _INLINE.findall(section)):
            if is_map or path.split("/")[0] in known:
                found.add(path)
    return found


@pytest.mark.parametrize("page", PAGES)
def test_page_names_paths_that_exist(page):
    tracked = {path.name for path in ROOT.iterdir()} - {"outputs", "build", "dist"}
    paths = paths_in(read(page), tracked)
    assert paths
    assert {path for path in paths if not (ROOT / path).exists()} == set()


def test_no_block_is_left_out_silently():
    blocks = [block for docstring in DOCSTRINGS for block in docstring.blocks()]
    blocks += [block for page in PAGES for block in blocks_in_page(page)]
    strange = [f"{b.file}:{b.line}" for b in blocks if b.language not in {"python", *_NOT_RUN}]
    assert strange == []
    # A fence that the pattern misses, say one that is not closed, would leave its block out, too.
    texts = [docstring.text for docstring in DOCSTRINGS]
    texts += [read(page) for page in PAGES if (ROOT / page).is_file()]
    assert sum(len(re.findall(r"^ *```", text, re.M)) for text in texts) == 2 * len(blocks)
    assert len(BLOCKS) > 20


def public_names() -> list[tuple[str, str]]:
    """Pairs of a public part of the package and a name that it exports."""
    parts = sorted(
        path.stem for path in PACKAGE.iterdir() if re.match(r"[a-z]\w*(\.py)?$", path.name)
    )
    modules = [(part, importlib.import_module(f"tfp_flows.{part}")) for part in parts]
    return [(part, name) for part, module in modules for name in module.__all__]


@pytest.mark.parametrize(("part", "name"), public_names(), ids=map(".".join, public_names()))
def test_public_name_is_documented_with_an_example(part, name):
    (own,) = [
        docstring
        for docstring in DOCSTRINGS
        if docstring.owner == name and docstring.name.split(".")[0] == part
    ]
    public = getattr(importlib.import_module(f"tfp_flows.{part}"), name)
    if hasattr(public, "_fields"):
        # A tuple that a function returns; the example is the function's.
        assert "Attributes:" in own.text
    # `numerics` is what transforms are built from, and the examples of those show it at work.
    elif part != "numerics":
        assert "#### Examples" in own.text
        assert any(block.language == "python" for block in own.blocks())


def test_extraction():
    text = "A.\n\n  ```python\n  if x:\n    y\n  ```\n\n```bash\nmake z\n```\n"
    python, bash = blocks_of(text, ROOT, first_line=10)
    assert python == (ROOT, 13, "python", "if x:\n  y\n")
    assert (bash.line, bash.language, bash.code) == (18, "bash", "make z\n")
    with pytest.raises(ZeroDivisionError):
        Block(ROOT, 1, "python", "1 / 0").run()


def test_paths_are_found():
    text = "`a/b.py` `x/y` `f(a/b)`\n## Folder map\n`gone/` `gone.py` `tfb.Chain`\n## Then\n`1/2`"
    assert paths_in(text, {"a"}) == {"a/b.py", "gone/", "gone.py"}


# Tables that the pages show are those that a command has stored: none is typed in by hand.


def shown_tables(text: str) -> list[tuple[str, str]]:
    """Each stored table that a page shows: the file named in the comment above it, its lines."""
    return re.findall(r"^<!-- table: (\S+) -->\n((?:^\|.*\n)+)", text, flags=re.M)


@pytest.mark.parametrize("page", PAGES)
def test_tables_are_those_that_were_stored(page):
    text = (ROOT / page).read_text("utf-8")
    shown = shown_tables(text)
    assert len(shown) == text.count("<!-- table:")
    for file, lines in shown:
        stored = (ROOT / file).read_text("utf-8").splitlines(keepends=True)
        assert lines == "".join(line for line in stored if line.startswith("|")), file
