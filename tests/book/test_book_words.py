"""The text of the book: figures have names, captions and a place in the text, equations that are
referred to are numbered, and a word of the glossary is linked where a page first uses it."""

import ast
import re
from html.parser import HTMLParser

import jupytext
import pytest
import yaml
from opened_book import ROOT, pages

BOOK = ROOT / "book"
LISTS = ("glossary", "api", "bibliography", "changelog")  # pages without a text of their own
PROSE = [name for name in pages() if name not in LISTS]
# links to the glossary, and what is no text: cells and code, front matter, headings, code by
# indentation or in backticks, tables, formulas, other roles, and the paper's title
NO_TEXT = re.compile(
    r"(?P<link>\{term\}`[^`]*`)|^---\n.*?^---\n|^```.*?^```[ ]*$|^#.*?$|^ {4,}\S.*?$|^\|.*?$"
    r"|\$\$.*?\$\$|\$[^$]*\$|\{[\w:]+\}`[^`]*`|`[^`]*`|\"Regularizing.*?\"",
    re.MULTILINE | re.DOTALL,
)
INLINE = ("span", "a", "code", "em", "strong", "sub", "sup")
LINK = r"\{term\}`(?P<shown>[^`<]*?)(?:\s*<(?P<target>[^`>]*)>)?`"
# words of the glossary that are words of everyday language too, or letters of formulas
EVERYDAY = {"scale", "record", "point", "target", "candidate", "skeleton", "focal weight",
            "width factor", "interval", "decoding", "principal component"}  # fmt: skip
PHRASES = (
    "grouping loss",
    "AE, D = 8",
    "Coupled Embedding",
)  # that have a word of the glossary and are not about it


def page(name: str) -> str:
    """The source of a page."""
    return (BOOK / f"{name}.md").read_text(encoding="utf-8")


def glossary() -> dict[str, tuple[str, str]]:
    """Every word of the glossary: the first word of its entry, and the page that explains it, or
    ""."""
    found = {}
    for entry in page("glossary").split(":sorted:")[1].split("\n\n"):
        words = [word.lower() for word in re.findall(r"^(?=\S)([^`\n]+)$", entry, re.MULTILINE)]
        home = re.search(r"\{doc\}`([\w-]+)`", entry)
        found |= dict.fromkeys(words, (*words[:1], home[1] if home else ""))
    return found


def figures(name: str) -> list[dict]:
    """Name, caption and alt text of the figures that a page's cells draw. A picture's alt text is
    an option of its cell, that of a figure with switches an argument."""
    cells = r"^```\{code-cell\} ipython3\n---\n(.*?)^---\n(.*?)^```"
    found = []
    for options, code in re.findall(cells, page(name), re.MULTILINE | re.DOTALL):
        shown = yaml.safe_load(options).get("mystnb", {})
        if "figure" in shown:
            found.append(shown["figure"] | shown.get("image", {"alt": alt_in(code)}))
    return found


def alt_in(code: str) -> str:
    """The argument `alt` that a cell's code gives to some function."""
    given = [word.value for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)
             for word in node.keywords if word.arg == "alt"]  # fmt: skip
    return ast.literal_eval(given[0]) if given else ""


def played(name: str) -> list[str]:
    """The names of the figures that one can play with."""
    kinds = "crowd-knobs|result-knobs|embedding-explorer|threshold-slider|training-steps|try-it"
    return re.findall(rf"^```\{{(?:{kinds})\}}\n:name: (\S+)\n\n\S", page(name), re.MULTILINE)


def test_the_glossary_is_read():
    found = glossary()
    assert len(found) > 30
    assert found["ae"] == found["associative embedding"] == ("associative embedding", "idea")
    assert found["output stride"] == ("output stride", "")


@pytest.mark.parametrize("name", PROSE)
def test_figures_have_a_caption_and_a_place_in_the_text(name):
    drawn = figures(name)
    for figure in drawn:
        assert figure["name"].startswith("fig-"), figure
        assert re.search(r"[\w$][.:]( |$)", figure["caption"]), figure["name"]  # a sentence
        assert len(figure["alt"]) > 20, figure["name"]
    text = re.sub(r"^```.*?^```[ ]*$", "", page(name), flags=re.MULTILINE | re.DOTALL)
    for label in [figure["name"] for figure in drawn] + played(name):
        assert f"{{numref}}`{label}`" in text, f"{name} shows {label} and does not speak of it"


def test_every_figure_has_a_name_of_its_own():
    labels = [figure["name"] for name in PROSE for figure in figures(name)]
    labels += [label for name in PROSE for label in played(name)]
    assert len(labels) > 25
    assert len(labels) == len(set(labels))


def unlinked(text: str, words: dict[str, tuple[str, str]]) -> dict[str, str]:
    """The entries of the glossary that a text first uses without a link: where. Of words that begin
    alike the longest is meant."""
    text = NO_TEXT.sub(lambda found: found["link"] or " ", text)
    names = "|".join(map(re.escape, sorted([*words, *PHRASES], key=len, reverse=True)))
    mention = re.compile(rf"{LINK}|(?<![\w-])(?P<plain>{names})s?(?![\w-])", re.IGNORECASE)
    first = {}
    for found in mention.finditer(re.sub(r"\s+", " ", text)):
        word = (found["plain"] or found["target"] or found["shown"]).lower()
        if word in words:
            first.setdefault(words[word][0], found)
    return {word: found.string[max(0, found.start() - 30) : found.end() + 30]
            for word, found in first.items() if found["plain"]}  # fmt: skip


def test_a_first_use_without_its_link_is_found():
    text = "# Grouping\n\n`grouping` of an {term}`embedding`, {doc}`grouping`, embedding, the\n"
    assert unlinked(text + "{term}`threshold <grouping threshold>`, grouping", glossary()) == {
        "grouping": "eshold <grouping threshold>`, grouping"}  # fmt: skip
    assert unlinked("the grouping loss of {term}`AE` and associative embedding", glossary()) == {}


@pytest.mark.parametrize("name", PROSE)
def test_words_are_linked_at_their_first_use(name):
    """The page that explains a word need not link it."""
    homes = dict(glossary().values())
    missing = unlinked(page(name), glossary())
    assert {word: where for word, where in missing.items()
            if word not in EVERYDAY and homes[word] != name} == {}  # fmt: skip


@pytest.mark.parametrize("name", PROSE)
def test_the_cells_of_a_page_are_python(name):
    """A wrong indentation is seen here, and not only when the book is built."""
    cells = jupytext.read(BOOK / f"{name}.md").cells
    for cell in cells:
        if cell.cell_type == "code" and not cell.source.startswith(("%", "!")):
            compile(cell.source, f"{name}.md", "exec", dont_inherit=True)


class ArticleText(HTMLParser):
    """Collects the text of a built page's article, without scripts and pictures."""

    def __init__(self):
        super().__init__()
        self.inside, self.hidden, self.parts = 0, 0, []

    def handle_starttag(self, tag, _attrs):
        self.inside += tag == "article"
        self.hidden += tag in ("script", "style", "svg")
        self.parts += [] if tag in INLINE else [" "]

    def handle_endtag(self, tag):
        self.inside -= tag == "article"
        self.hidden -= tag in ("script", "style", "svg")
        self.parts += [] if tag in INLINE else [" "]

    def handle_data(self, data):
        if self.inside and not self.hidden:
            self.parts.append(data)


def test_the_book_is_short(book):
    """Words, code, tables and output included; and of the prose."""
    counts = {}
    for name in pages():
        if not name.startswith(LISTS):
            parser = ArticleText()
            parser.feed((book / f"{name}.html").read_text(encoding="utf-8"))
            counts[name] = len("".join(parser.parts).split())
    assert min(counts.values()) > 100, counts
    assert sum(counts.values()) <= 14_400, counts
    cells = re.compile(r"^---\n.*?^---\n|^```.*?^```[ ]*$", re.MULTILINE | re.DOTALL)
    prose = {name: len(cells.sub(" ", page(name)).split()) for name in counts}
    assert sum(prose.values()) <= 8_000, prose
