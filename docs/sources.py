"""What the pages are made of: parts of the README, the stories' and the benchmarks' tables.

A page says `{{ name: argument }}` on a line of its own, or in the cells of a table, and gets the
text from where it stands. What is not found is an error: a page never has less than it names.
"""

import ast
import html
import importlib.util
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "docs" / "pages"
NOTEBOOKS = ROOT / "docs" / "notebooks"
RESULTS = ROOT / "benchmarks" / "results"
PACKAGE = ROOT / "tfp_flows"

_DIRECTIVE = re.compile(r"(?P<indent>^ *)?\{\{ (?P<name>\w+)(?:: (?P<argument>.+?))? \}\}", re.M)
_FENCE = re.compile(r"^```.*?^```$", re.M | re.S)


def _gallery():
    """The module examples/gallery.py, which no package holds."""
    spec = importlib.util.spec_from_file_location("gallery", ROOT / "examples" / "gallery.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


gallery = _gallery()


def read(path: str) -> str:
    """A text of the repository."""
    return (ROOT / path).read_text(encoding="utf-8")


def expand(text: str) -> str:
    """A page with all that it names put in."""

    def put_in(found):
        made = _DIRECTIVES[found["name"]](*filter(None, [found["argument"]]))
        return textwrap.indent(made, found["indent"] or "")

    return _DIRECTIVE.sub(put_in, text)


def intro() -> str:
    """The README's first paragraph: what this is."""
    return read("README.md").split("\n\n")[1]


def install() -> str:
    """How the README says it is set up: its commands, and what they need."""
    return re.search(r"^```bash\n.*?^```\n\n.*?(?=\n\n)", read("README.md"), re.M | re.S)[0]


def section(name: str) -> str:
    """A section of the README, without its heading."""
    for part in re.split(r"^## ", _masked(read("README.md")), flags=re.M):
        heading, _, body = part.partition("\n")
        if heading == name:
            return _unmasked(body).strip()
    raise LookupError(f"README.md has no section {name!r}.")


def block(number: str) -> str:
    """The README's Python block of that number, from 1."""
    blocks = re.findall(r"^```python\n.*?^```$", read("README.md"), re.M | re.S)
    return blocks[int(number) - 1]


def page(path: str) -> str:
    """A page of the repository, whole."""
    return read(path)


def code(path: str) -> str:
    """A Python file without its docstring, as a block."""
    text = read(path)
    docstring = ast.parse(text).body[0]
    body = "\n".join(text.splitlines()[docstring.end_lineno :]).strip()
    return f"```python\n{body}\n```"


def docstring(path: str) -> str:
    """The docstring of a Python file."""
    return ast.get_docstring(ast.parse(read(path)))


def recipe(name: str) -> str:
    """Three cells for a recipe: its name, its paper, and what it costs in which direction."""
    for line in section("What is in it").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0] == f"`{name}`":
            _, _, paper, cheap, log_det = cells
            return f"`{name}` | {paper} | {cheap}; log-det {log_det}"
    raise LookupError(f"The README's table of recipes has no row `{name}`.")


def results(name: str = "") -> str:
    """The tables of one benchmark, or of all: the log-dets' first."""
    files = [RESULTS / f"{name}.md"] if name else sorted(RESULTS.glob("*.md"), key=_log_det_first)
    return "\n\n".join(_result(file) for file in files)


def _log_det_first(file: Path):
    return file.stem != "log_det", file.stem


def _result(file: Path) -> str:
    question = docstring(f"benchmarks/{file.stem}.py").partition("\n")[0]
    what, _, tables = file.read_text("utf-8").strip().partition("\n\n")
    pictures = (
        f"![{question}]({picture.relative_to(ROOT)})"
        for picture in sorted(RESULTS.glob(f"{file.stem}*.png"))
    )
    return "\n\n".join([f"## {question}", what, *pictures, tables])


def all_stories() -> list:
    """Everything in examples/ that has a picture."""
    return [*gallery.stories(), *gallery.drawn()]


def stories() -> str:
    """A card for each story, with its picture, its title and its numbers."""
    cards = []
    for story in all_stories():
        cards.append(
            f'<a class="card" href="stories/{story.name}.md">'
            f'<img src="examples/gallery/{story.pictures[0]}.png" alt="{story.name}" '
            'loading="lazy">'
            f"<strong>{html.escape(story.title)}</strong>"
            f"<span>{html.escape(story.numbers)}</span></a>"
        )
    return '<div class="cards">\n' + "\n".join(cards) + "\n</div>"


def story_page(story) -> str:
    """The page of a story: what it asks, its picture, its table, its code."""
    pictures = "\n\n".join(
        f"![{story.title}](examples/gallery/{name}.png)" for name in story.pictures
    )
    parts = [f"# {story.title}", story.numbers, pictures, _story_text(story), story.table]
    source = code(f"examples/{story.name}.py").replace("\n", "\n    ")
    parts.append(f'??? example "examples/{story.name}.py"\n\n    {source}')
    return "\n\n".join(filter(None, parts))


def _story_text(story) -> str:
    """What the docstring says beside its title; its commands as code."""
    paragraphs = docstring(f"examples/{story.name}.py").split("\n\n")[1:]
    return "\n\n".join(map(_commands_as_code, paragraphs))


def _commands_as_code(paragraph):
    if not paragraph.startswith("    "):
        return paragraph
    return f"```bash\n{textwrap.dedent(paragraph)}\n```"


def parts() -> dict[str, dict[str, str]]:
    """By part of the package: its public names, and the module that each is defined in."""
    return {part: _exported(f"tfp_flows/{part}") for part in _exported("tfp_flows")}


def _exported(folder: str) -> dict[str, str]:
    """What an `__init__.py` exports, in the order of its `__all__`, and where it gets that from."""
    tree = ast.parse(read(f"{folder}/__init__.py"))
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    origins = {alias.name: node.module for node in imports for alias in node.names}
    for node in tree.body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "__all__":
            return {name: origins[name] for name in ast.literal_eval(node.value)}
    raise LookupError(f"{folder}/__init__.py has no `__all__`.")


def reference_page(part: str) -> str:
    """The reference of one part of the package."""
    names = parts()[part]
    # By the module that defines it: a module may have the name of its function.
    entries = [f"::: {module}.{name}" for name, module in names.items()]
    head = docstring(f"tfp_flows/{part}/__init__.py")
    return "\n\n".join([f"# `tfp_flows.{part}`", head, _listed(part, names), *entries])


def reference_index() -> str:
    """The parts of the package, and what is in each of them."""
    lines = ["# Reference"]
    for part, names in parts().items():
        head = docstring(f"tfp_flows/{part}/__init__.py").partition("\n")[0]
        lines += [f"## [{part}](reference/{part}.md)", head, _listed(part, names)]
    return "\n\n".join(lines)


def _listed(part, names):
    return " ".join(f"`{part}.{name}`" for name in names) + "\n{ .names }"


def generated() -> Iterator[tuple[str, str]]:
    """The pages that are written wholly from sources: where they stand, and what they say."""
    for story in all_stories():
        yield f"stories/{story.name}.md", story_page(story)
    yield "reference/index.md", reference_index()
    for part in parts():
        yield f"reference/{part}.md", reference_page(part)


def _masked(text: str) -> str:
    """Headings inside of code are none."""
    return _FENCE.sub(lambda found: found[0].replace("\n#", "\n\0#"), text)


def _unmasked(text: str) -> str:
    return text.replace("\0", "")


_DIRECTIVES = {
    function.__name__: function
    for function in (
        block, code, docstring, install, intro, page, recipe, results, section, stories,
    )
}  # fmt: skip
