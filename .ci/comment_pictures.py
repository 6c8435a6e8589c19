"""Shows what planner writes to GitHub as GitHub renders it, on a desktop and on a phone, for people to look at.

Usage: PLANNER_COMMENTS=FOLDER uv run pytest tests/commands/situations     writes each text as FOLDER/NAME.md
       uv run --group browser python .ci/comment_pictures.py BROWSER CSS FOLDER

BROWSER is the path of Chromium; CSS that of github-markdown.css (`npm install github-markdown-css`). Each NAME.md of
FOLDER gets NAME-desktop.png and NAME-phone.png.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from markdown_it import MarkdownIt
from playwright.sync_api import sync_playwright

WIDTHS = {"desktop": 932, "phone": 390}
PAGE = """<!doctype html><meta charset=utf-8><meta name=viewport content="width=device-width"><style>{css}
body {{ margin: 0; padding: 16px; background: #f6f8fa }}
.comment {{ border: 1px solid #d0d7de; border-radius: 6px; padding: 16px; background: #fff }}
</style><div class="comment markdown-body">{html}</div>"""


def main(browser: str, css: str, folder: str) -> None:
    renderer = MarkdownIt("gfm-like", {"html": True, "linkify": False})
    style = Path(css).read_text(encoding="utf-8")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        for file in sorted(Path(folder).glob("*.md")):
            html = re.sub(r"<!--.*?-->", "", renderer.render(file.read_text(encoding="utf-8")))
            for device, width in WIDTHS.items():
                page = chromium.new_page(viewport={"width": width, "height": 100})
                page.set_content(PAGE.format(css=style, html=html))
                page.screenshot(path=file.with_name(f"{file.stem}-{device}.png"), full_page=True)
                page.close()
        chromium.close()


if __name__ == "__main__":
    main(*sys.argv[1:4])
