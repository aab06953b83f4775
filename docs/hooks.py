"""MkDocs calls these: pages are generated, directives expanded, links led into the site."""

import posixpath
import re
from pathlib import PurePosixPath

import notebook_pages
import sources
from mkdocs.structure.files import File

# Where what the repository's pages link to stands on the site; other files of it are named only.
_PLACES = [
    (r"examples/gallery/.*\.png", None),
    (r"benchmarks/results/.*\.png", None),
    (r"notebooks/.*\.(png|ipynb)", None),
    (r"((stories|reference|notebooks)/)?[a-z0-9_]+\.md", None),
    (r"examples/results/(?P<name>\w+)\.md", r"stories/\g<name>.md"),
    (r"CONTRIBUTING\.md", "contributing.md"),
    (r"benchmarks/README\.md", "costs.md"),
]
_LINK = re.compile(r"(?P<is_image>!?)\[(?P<text>[^\]\[]*)\]\((?P<target>[^)\s#:]+)\)")
_ATTRIBUTE = re.compile(r'(?P<name>src|href)="(?P<target>[^":#]+)"')
_ARXIV = re.compile(r"arXiv:(\d{4}\.\d{4,5})")
_NAME = re.compile(r"<code>(?P<path>(?:tfp_flows\.|tff\.)?(?P<part>\w+)\.(?P<name>\w+))</code>")
_CLOSED = re.compile(r"(<a\b.*?</a>|<h\d.*?</h\d>|<pre\b.*?</pre>)", re.S)


def on_config(config):
    """The stories and the parts of the package follow the pages of their sections."""
    more = {
        "Stories": [{story.name: f"stories/{story.name}.md"} for story in sources.all_stories()],
        "Reference": [{part: f"reference/{part}.md"} for part in sources.parts()],
    }
    for section in config.nav:
        for name in section.keys() & more.keys():
            section[name] = [{"Overview": section[name]}, *more[name]]
    return config


def on_files(files, config):
    """Adds the generated pages, the notebooks and the pictures."""
    for place, text in (*sources.generated(), *notebook_pages.pages()):
        files.append(File.generated(config, place, content=text))
    for folder in ("examples/gallery", "benchmarks/results"):
        for picture in sorted((sources.ROOT / folder).glob("*.png")):
            place = f"{folder}/{picture.name}"
            files.append(File.generated(config, place, abs_src_path=str(picture)))
    for place, picture in notebook_pages.pictures():
        files.append(File.generated(config, place, content=picture))
    for notebook in sorted(sources.NOTEBOOKS.glob("*.ipynb")):
        place = f"notebooks/{notebook.name}"
        files.append(File.generated(config, place, abs_src_path=str(notebook)))
    return files


def on_page_markdown(markdown, page, config, files):
    """Expands directives, and leads links from the page to where things stand."""
    del config, files
    here = str(PurePosixPath(page.file.src_uri).parent)
    text = sources.expand(markdown)
    code = re.compile(r"(^ *```.*?^ *```$)", re.M | re.S)
    return "".join(
        part if k % 2 else _relinked(part, here) for k, part in enumerate(code.split(text))
    )


def _relinked(text, here):
    def link(found):
        target = _place(found["target"])
        if target is None and found["is_image"]:
            raise LookupError(f"The site has no picture {found['target']!r}.")
        if target is None:
            return found["text"]
        return f"{found['is_image']}[{found['text']}]({posixpath.relpath(target, here)})"

    def attribute(found):
        target = _place(found["target"])
        if target is None:
            return found[0]  # the check in the browser will find where it leads
        # Raw HTML is not followed by MkDocs, so pages are named as they will be.
        target = re.sub(r"\.md$", ".html", posixpath.relpath(target, here))
        return f'{found["name"]}="{target}"'

    return _ATTRIBUTE.sub(attribute, _LINK.sub(link, text))


def _place(target):
    for pattern, place in _PLACES:
        found = re.fullmatch(pattern, target)
        if found:
            return target if place is None else found.expand(place)
    return None


def on_page_content(html, page, config, files):
    """Public names in prose lead to the reference, and papers to where they can be read."""
    del page, config, files
    modules = sources.parts()

    def reference(found):
        module = modules.get(found["part"], {}).get(found["name"])
        if module is None:
            return found[0]
        return f'<autoref identifier="{module}.{found["name"]}">{found[0]}</autoref>'

    def linked(text):
        paper = r'<a href="https://arxiv.org/abs/\1">arXiv:\1</a>'
        return _ARXIV.sub(paper, _NAME.sub(reference, text))

    return "".join(part if k % 2 else linked(part) for k, part in enumerate(_CLOSED.split(html)))
