"""The website: `make site`. tools/website.py prepares its pages in build/site and starts Sphinx."""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import website  # noqa: E402

project = "gan_keras"
author = "the gan_keras authors"
language = "en"
extensions = ["myst_nb"]

nb_execution_mode = "off"  # the outputs are the stored ones
nb_merge_streams = True
nb_code_prompt_show = "Show: {type}"
nb_code_prompt_hide = "Hide: {type}"
myst_enable_extensions = ["dollarmath", "colon_fence", "attrs_inline"]
myst_heading_anchors = 3  # the glossary's words
myst_dmath_double_inline = True

html_theme = "sphinx_book_theme"
html_title = "gan_keras"
html_favicon = "static/icon.svg"
html_baseurl = website.address()
html_static_path = ["static", str(website.RUNTIME)]
html_extra_path = [str(website.DOWNLOADS)]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_show_sphinx = False
mathjax_path = "mathjax.js"  # npm's, so that a reader's browser asks no other address
html_context = {"default_mode": "auto"}  # light or dark as the reader's system; without it the theme logs an error
html_theme_options = {
    "show_toc_level": 2,
    "show_navbar_depth": 1,
    "use_download_button": False,  # each page of a notebook has its own
    "repository_url": website.repository(),
    "use_repository_button": bool(website.repository()),
    "home_page_in_toc": True,
    "navbar_persistent": [],  # the search field stands in the sidebar already
}
