"""The site says what its sources say, its code runs, and the notebooks do."""

import ast
import importlib
import pathlib
import re
import runpy

import nbformat
import pytest

ROOT = pathlib.Path(__file__).parents[1]
DOCS = ROOT / "docs"
NOTEBOOKS = sorted(path.stem for path in (DOCS / "notebooks").glob("*.ipynb"))


@pytest.fixture
def sources(monkeypatch):
    """The module that fills the pages; it imports neither MkDocs nor TensorFlow."""
    monkeypatch.syspath_prepend(DOCS)
    return importlib.import_module("sources")


@pytest.fixture
def pages(sources):
    """All pages but the notebooks', by place, as MkDocs gets them."""
    written = {
        path.relative_to(sources.PAGES).as_posix(): path.read_text("utf-8")
        for path in sources.PAGES.rglob("*.md")
    }
    made = {**written, **dict(sources.generated())}
    return {place: sources.expand(text) for place, text in made.items()}


def test_every_story_has_its_page_with_its_numbers_pictures_and_table(sources, pages):
    stories = sources.all_stories()
    gallery, readme = sources.gallery, sources.read("README.md")
    assert [story.name for story in stories] == [*gallery.STORIES, *gallery.DRAWN]
    for story in stories:
        page = pages[f"stories/{story.name}.md"]
        assert story.title in page
        if story.name in gallery.STORIES:
            assert story.numbers in page
            assert story.numbers in readme
            assert sources.read(f"examples/results/{story.name}.md").strip() in page
        assert all(f"examples/gallery/{name}.png" in page for name in story.pictures)
        assert f"stories/{story.name}.md" in pages["stories/index.md"]


def test_start_page_is_short_and_its_code_the_readme_s(sources, pages):
    written = (sources.PAGES / "index.md").read_text("utf-8")
    assert len([line for line in written.splitlines() if line]) <= 15
    first = re.search(r"```python\n.*?```", sources.read("README.md"), re.S)[0]
    assert first in pages["index.md"]


def test_costs_have_every_stored_table(sources, pages):
    files = list(sources.RESULTS.glob("*.md"))
    assert files
    for file in files:
        what, _, tables = file.read_text("utf-8").strip().partition("\n\n")
        for text in (what, tables):  # the pictures are between them
            assert text
            assert text in pages["costs.md"], file


def test_every_public_name_is_in_the_reference(sources, pages):
    parts = sources.parts()
    assert len(parts) > 5
    for part, names in parts.items():
        module = importlib.import_module(f"tfp_flows.{part}")
        assert list(names) == module.__all__
        for name, origin in names.items():
            assert getattr(importlib.import_module(origin), name) is getattr(module, name)
            assert f"::: {origin}.{name}\n" in pages[f"reference/{part}.md"] + "\n"


def test_pages_name_only_what_is_public(sources):
    parts = sources.parts()
    for path in sources.PAGES.rglob("*.md"):
        named = re.findall(r"`([a-z]+)\.(\w+)[(`]", path.read_text("utf-8"))
        wrong = [f"{a}.{b}" for a, b in named if a in parts and b not in parts[a]]
        assert wrong == [], path


@pytest.mark.parametrize("text", ["{{ section: No such }}", "{{ recipe: flows.no }}", "{{ no }}"])
def test_what_a_page_names_must_be_there(sources, text):
    with pytest.raises(LookupError):
        sources.expand(text)


def test_directives_keep_their_indentation(sources):
    expanded = sources.expand('=== "A"\n\n    {{ code: docs/coming_from/zuko.py }}\n')
    assert "\n    ```python\n    import numpy as np\n    import torch\n" in expanded
    assert expanded.endswith("    ```\n")


@pytest.mark.slow
def test_our_model_of_the_comparison():
    done = runpy.run_path(str(DOCS / "coming_from" / "ours.py"))
    assert done["nats"] < 2.1  # 4.9 before the training, 1.61 at best
    assert done["samples"].shape == (1000, 2)


def test_comparison_has_one_model_a_library(sources, pages):
    files = {path.stem for path in (DOCS / "coming_from").glob("*.py")}
    assert files == {"ours", "tfp", "normflows", "nflows", "zuko", "flowjax"}
    for name in files:
        text = sources.read(f"docs/coming_from/{name}.py")
        ast.parse(text)
        assert text.splitlines()[-1] in pages["coming_from.md"]


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    """A Jupyter kernel, in an empty folder, for all notebooks of a worker."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(DOCS)
        patch.setenv("PYTHONPATH", str(ROOT))
        notebooks = importlib.import_module("notebooks")
        manager = notebooks.start_kernel(tmp_path_factory.mktemp("notebooks"))
    yield lambda notebook: notebooks.cleaned(notebooks.run(manager, notebook))
    manager.shutdown_kernel(now=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook(name, kernel):
    path = DOCS / "notebooks" / f"{name}.ipynb"
    assert path.stat().st_size < 300_000
    stored = nbformat.read(path, as_version=4)
    fresh = kernel(nbformat.read(path, as_version=4))
    for new, old in zip(fresh.cells, stored.cells, strict=True):
        if old.cell_type == "code":
            assert displayed(new) == displayed(old)
            assert_prints_alike(new, old)


def displayed(cell):
    """What kinds of things a cell shows, beside what it prints."""
    return [sorted(output.data) for output in cell.outputs if "data" in output]


def assert_prints_alike(new, old):
    """A first run prints more, such as where it prepares a data set; last digits may differ."""
    lines = {re.sub(r"\d+\.\d+", "#", line): line for line in printed(new)}
    for line in printed(old):
        fresh = lines[re.sub(r"\d+\.\d+", "#", line)]
        assert numbers(fresh) == pytest.approx(numbers(line), rel=0.05)


def printed(cell):
    texts = [output.text for output in cell.outputs if output.output_type == "stream"]
    return "".join(texts).splitlines()


def numbers(text):
    return [float(number) for number in re.findall(r"\d+\.\d+", text)]


def test_check_of_the_site_sees_broken_links(monkeypatch):
    monkeypatch.syspath_prepend(DOCS)
    check = importlib.import_module("check")
    home = "http://127.0.0.1:1"
    facts = {
        f"{home}/a.html": {"anchors": ["x"], "links": [f"{home}/b.html#y", f"{home}/c.html"]},
        f"{home}/b.html": {"anchors": [], "links": [f"{home}/a.html#x", "https://arxiv.org/"]},
    }
    assert sorted(check.broken_links(facts)) == [
        (f"{home}/a.html", f"no such anchor: {home}/b.html#y"),
        (f"{home}/a.html", f"no such page: {home}/c.html"),
    ]
