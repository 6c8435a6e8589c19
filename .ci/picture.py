"""Makes docs/report-light.webp and docs/report-dark.webp, the pictures of README.md: the report of a real run on the sandbox.

Usage: uv run --group browser python .ci/picture.py BROWSER    BROWSER is the path of Chromium
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from base64 import b64decode, b64encode
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
RUN = ["planner", "run", "--sandbox", "--consent-to-charge"]
TO_WEBP = """
async (png) => {
  const image = new Image();
  image.src = png;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = image.width;
  canvas.height = image.height;
  canvas.getContext("2d").drawImage(image, 0, 0);
  return canvas.toDataURL("image/webp", 0.85);
}
"""
"""A quarter of the size of the PNG."""


def main(browser: str) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(ROOT / "plans", folder / "plans")
        subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
        program = [str(Path(sys.executable).with_name(RUN[0])), *RUN[1:]]
        subprocess.run(program, cwd=folder, check=True)
        subprocess.run([*program, "--world", "regressed"], cwd=folder, check=False)  # its agent fails: exit code 1
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
            for scheme in ("light", "dark"):
                context = chromium.new_context(color_scheme=scheme, viewport={"width": 1000, "height": 700})
                page = context.new_page()
                page.goto((folder / "reports" / "report.html").as_uri())
                shot = b64encode(page.screenshot()).decode()
                blank = chromium.new_page()
                picture = b64decode(blank.evaluate(TO_WEBP, f"data:image/png;base64,{shot}").partition(",")[2])
                (ROOT / "docs" / f"report-{scheme}.webp").write_bytes(picture)
            chromium.close()


if __name__ == "__main__":
    main(sys.argv[1])
