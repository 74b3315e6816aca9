# The documentation as a site, built by tools/site.sh.  Sphinx reads the repository's pages as they are: what an index page links to, in its order,
# is the navigation.
import pathlib
import re

import furo

root = pathlib.Path(__file__).resolve().parents[2]
project, author, copyright = "Spiketrain", "The Spiketrain developers", "the Spiketrain developers"
version = release = re.search(r"VERSION (\d+\.\d+\.\d+)", (root / "CMakeLists.txt").read_text()).group(1)
extensions = ["myst_parser", "sphinx.ext.autodoc"]
root_doc = "docs/README"
include_patterns = ["*.md", "docs/**.md", "docs/site/*.rst", "examples/README.md"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
myst_heading_anchors = 4
suppress_warnings = ["myst.header"]  # sections that begin at a lower level than the one before
html_theme = "furo"
html_title = f"Spiketrain {version}"
html_copy_source = False
html_extra_path = []
html_static_path = ["static"]
html_css_files = ["spiketrain.css"]
# Debian's theme is compiled without the rule that makes "auto" dark where the system is: its dark colours, once more, where the theme has such a rule.
styles = (pathlib.Path(furo.__file__).parent / "theme/furo/static/styles/furo.css").read_text()
dark = re.search(r'body\[data-theme="?dark"?\]\s*{([^}]*)}', styles)
html_theme_options = {"dark_css_variables": dict(re.findall(r"--([\w-]+):\s*([^;}]+)", dark[1]) if dark else {})}
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True


def navigation(page, text):
    """Hidden toctrees of the pages that an index page links to, one for each of its headings."""
    here, seen, trees = pathlib.PurePosixPath(page).parent, set(), []
    first, *sections = re.split(r"^## ", text, flags=re.M)
    for caption, body in [("", first)] + [tuple(section.split("\n", 1)) for section in sections]:
        entries = []
        for link in re.findall(r"\]\(([^)#\s]+\.md)", body):
            target = (root / here / link).resolve().relative_to(root).with_suffix("").as_posix()
            if target not in seen and target != page:
                seen.add(target)
                entries.append("/" + target)
        trees.append((caption, entries))
    return trees


def on_source_read(app, page, source):
    if page not in ("docs/README", "docs/methods/README", "docs/adr/README"):
        return
    trees = navigation(page, source[0])
    if page == "docs/README":
        trees.append(("Reference", ["/docs/site/python-api", "/README"]))
        source[0] += '\nThe installed headers, class by class: <a href="../cpp/index.html">C++ reference</a>.\n'
    for caption, entries in trees:
        if entries:
            source[0] += "\n```{toctree}\n:hidden:\n" + (f":caption: {caption}\n" if caption else "") + "\n" + "\n".join(entries) + "\n```\n"


def on_docstring(app, what, name, thing, options, lines):
    """Docstrings say `name: what it is` for each argument, with lines that go on indented: a list for a page."""
    joined = []
    for line in lines:
        goes_on = line.startswith("    ") and joined and joined[-1].strip() and not joined[-1].startswith("    ")
        if goes_on:
            joined[-1] += " " + line.strip()
        else:
            joined.append(line)
    lines[:] = [re.sub(r"^([a-z_]\w*(?:\([^)]*\))?(?:, [a-z_]\w*(?:\([^)]*\))?)*): ", r"- **\1**: ", line) for line in joined]
    for k in range(len(lines) - 1, 0, -1):  # a list begins and ends with a blank line
        if lines[k].strip() and lines[k - 1].strip() and lines[k].startswith("- ") != lines[k - 1].startswith("- "):
            lines.insert(k, "")


def on_page(app, page, template, context, document):
    """Tables of options have rules of their own on narrow screens."""
    if "body" in context:
        context["body"] = re.sub(r'<table class="([^"]*)">(\s*<thead>\s*<tr[^>]*><th[^>]*><p>option</p>)', r'<table class="\1 options">\2', context["body"])


def on_finished(app, error):
    """Debian's script of the theme imports another one, which a browser refuses outside of a module: both in one file."""
    script = pathlib.Path(app.outdir) / "_static/scripts/furo.js"
    text = script.read_text() if script.exists() else ""
    if error is None and text.startswith("import Gumshoe"):
        script.write_text((script.parent / "gumshoe-patched.js").read_text() + text.split("\n", 1)[1])


def setup(app):
    app.connect("html-page-context", on_page)
    app.connect("build-finished", on_finished)
    app.connect("source-read", on_source_read)
    app.connect("autodoc-process-docstring", on_docstring)
