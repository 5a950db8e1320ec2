"""The method that docs/extending.md adds before the reader's eyes, cut out of that page."""

from __future__ import annotations

import importlib
import re
import sys
import tempfile
from pathlib import Path

PAGE = Path(__file__).parents[2] / 'docs/extending.md'


def cut_out(folder: Path) -> dict[str, Path]:
    """Write the page's files, each a block of code that begins with its name."""
    blocks = re.findall(r'```python\n# (\w+\.py)\n(.*?)```', PAGE.read_text(), flags=re.DOTALL)
    for name, code in blocks:
        (folder / name).write_text(code)
    return {name: folder / name for name, _ in blocks}


FILES = cut_out(Path(tempfile.mkdtemp(prefix='extending')))
sys.path.append(str(FILES['clear_clip.py'].parent))
OwnTests = importlib.import_module('test_clear_clip').TestClearCLIP


class TestClearCLIP(OwnTests):
    recipe = FILES['clear_clip_toy.py']


def test_the_page_names_what_a_method_is_asked():
    from mmseg_excel.models.tag_segmentor import TagSegmentor

    for name in TagSegmentor.__abstractmethods__:
        if name.isidentifier() and name in vars(TagSegmentor):
            assert f'`{name}' in PAGE.read_text(), name
