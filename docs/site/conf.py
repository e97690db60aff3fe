"""The notebooks as a website: ``make site``. Nothing is executed, nothing is fetched."""

import os

project = "RNNs for trading"
author = copyright = "the authors of RNNs for trading"
# sphinx-mathjax-offline puts MathJax beside the pages.
extensions = ["myst_nb", "sphinx-mathjax-offline"]
exclude_patterns = ["_static", "conf.py", "build"]

# Outputs are those in the files. Cells tagged hide-input fold; the others stand open.
nb_execution_mode = "off"
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "amsmath", "html_image"]
myst_heading_anchors = 3
suppress_warnings = ["mystnb.unknown_mime_type", "myst.xref_missing"]

html_theme = "sphinx_book_theme"
html_title = project
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = True
html_theme_options = {
    "use_download_button": True,
    "use_fullscreen_button": False,
    "home_page_in_toc": True,
    "show_navbar_depth": 1,
    "navbar_persistent": [],  # search stands in the sidebar
}
# Set by tools/site.py from [project.urls], where whoever publishes has filled it in.
if os.environ.get("SITE_REPOSITORY"):
    html_theme_options["repository_url"] = os.environ["SITE_REPOSITORY"]
    html_theme_options["use_repository_button"] = True
    html_theme_options["repository_branch"] = "main"
    html_theme_options["path_to_docs"] = ""  # pages lie here as they lie in the repository
    html_theme_options["launch_buttons"] = {"colab_url": "https://colab.research.google.com"}
