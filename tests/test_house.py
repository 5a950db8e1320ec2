"""The laws of the house, read from its source: what may import what, and how long a function is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / 'mmseg_excel'
# From the ground up: a floor imports itself and what lies below.
FLOORS = (
    *('utils', 'ops', 'clip', 'text', 'models', 'datasets', 'densecrf', 'evaluation'),
    *(
        'inference',
        'export',
        'engine',
        'ablation',
        'visualization',
        'app',
        'reproduction',
        'commands',
    ),
)
EVERYWHERE = 'version'
MOST_LINES = 40
# Private names of libraries that have no public way to what they do.
FOREIGN = {
    'clip/towers.py': {'_build_text_tower', '_build_vision_tower'},
    'engine/run_guard_hook.py': {'_has_loaded', '_load_from', '_resume', '_train_loop'},
    'engine/small_checkpoint_hook.py': {'_load_from', '_resume'},
    'engine/warmup_poly.py': {'_ParamScheduler'},
    'registration.py': {'_imported', '_locations'},
    'utils/arguments.py': {'_parse_iterable'},
    'utils/config_file.py': {'_cfg_dict'},
    'utils/config_options.py': {'_cfg_dict'},
    'utils/parallel.py': {'_exit'},
    'utils/plain.py': {'_non_persistent_buffers_set'},
    'utils/room.py': {'_buffers', '_modules'},
}
# A report loads the run it is about; all other pictures are of answers.
ASKING_FIGURES = {'visualization/report_page.py'}
OPENING = {'open', 'read_text', 'read_bytes', 'write_text', 'write_bytes', 'touch', 'mkdir'}
FILE_LIBRARIES = {'cv2', 'PIL', 'pickle', 'yaml', 'safetensors', 'shutil', 'tempfile'}
IMAGE_LIBRARIES = {'cv2', 'PIL', 'torchvision', 'mmcv', 'matplotlib', 'skimage'}


def sources() -> list[Path]:
    return [path for path in sorted(PACKAGE.rglob('*.py')) if 'configs' not in path.parts]


def name_of(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding='utf-8'))


def floor_of(path: Path) -> str | None:
    """The floor a file is on; None for those of the package itself."""
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else None


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of all that a file imports, at its top or in a function."""
    own = (PACKAGE.name, *path.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = own[: len(own) - node.level + 1] if node.level else ()
            module = '.'.join((*above, *([node.module] if node.module else [])))
            yield from ((node.lineno, f'{module}.{alias.name}') for alias in node.names)


def inside(name: str) -> list[str]:
    """The path of an imported name inside the package; empty for other libraries."""
    package, *parts = name.split('.')
    return parts if package == PACKAGE.name else []


def is_private(name: str) -> bool:
    return name.startswith('_') and not name.startswith('__')


@pytest.mark.parametrize('floor', FLOORS)
def test_imports_run_downwards(floor):
    below = {*FLOORS[: FLOORS.index(floor) + 1], EVERYWHERE}
    upwards = [
        f'{name_of(path)}:{line} imports {name}'
        for path in sources()
        if floor_of(path) == floor
        for line, name in imported(path)
        if inside(name) and inside(name)[0] not in below
    ]
    assert not upwards


def test_every_folder_is_a_floor():
    assert {floor_of(path) for path in sources()} == {*FLOORS, None}


def private_names(path: Path) -> Iterator[tuple[int, str]]:
    """Private names that a file takes from elsewhere: imported, or of another's attributes."""
    for line, name in imported(path):
        if is_private(last := name.rsplit('.', 1)[-1]):
            yield line, last
    tree = tree_of(path)
    own = set(_defined(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr) and node.attr not in own:
            if not _is_self(node.value):
                yield node.lineno, node.attr


def _defined(tree: ast.Module) -> Iterator[str]:
    """Names of functions, classes and attributes that a module defines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and _is_self(node.value):
            yield node.attr


def _is_self(value: ast.expr) -> bool:
    """Whether an attribute is one's own: of self, cls or super()."""
    if isinstance(value, ast.Call):
        return isinstance(value.func, ast.Name) and value.func.id == 'super'
    return isinstance(value, ast.Name) and value.id in ('self', 'cls')


def test_private_names_stay_in_their_module():
    crossing = [
        f'{name_of(path)}:{line} uses {name}'
        for path in sources()
        for line, name in private_names(path)
        if name not in FOREIGN.get(name_of(path), ())
    ]
    assert not crossing


@pytest.mark.parametrize('file', FOREIGN)
def test_named_exceptions_are_still_needed(file):
    assert FOREIGN[file] <= {name for _, name in private_names(PACKAGE / file)}


def test_functions_are_short():
    long = [
        f'{name_of(path)}: {node.name} has {lines} lines of code'
        for path in sources()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := _lines_of_code(path, node)) > MOST_LINES
    ]
    assert not long


def _lines_of_code(path: Path, function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines that are neither blank nor a comment, nor the docstring's."""
    lines = path.read_text(encoding='utf-8').splitlines()
    numbers = set(range(function.lineno, function.end_lineno + 1))
    if ast.get_docstring(function) is not None:
        docstring = function.body[0]
        numbers -= set(range(docstring.lineno, docstring.end_lineno + 1))
    code = [lines[number - 1].strip() for number in numbers]
    return sum(bool(line) and not line.startswith('#') for line in code)


def test_models_open_no_file():
    opening = [
        f'{name_of(path)}:{node.lineno} calls {called}'
        for path in sources()
        if floor_of(path) == 'models'
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and (called := _opens(node.func))
    ]
    assert not opening
    assert not _libraries('models') & FILE_LIBRARIES


def _opens(function: ast.expr) -> str | None:
    """What opens a file: `open`, a method of a path, or loading and saving of torch and NumPy."""
    if isinstance(function, ast.Name):
        return function.id if function.id == 'open' else None
    if not isinstance(function, ast.Attribute):
        return None
    called = ast.unparse(function)
    stored = {'torch.load', 'torch.save', 'np.load', 'np.save', 'np.savez', 'json.load'}
    return called if function.attr in OPENING or called in stored else None


def test_text_knows_no_image():
    assert not _libraries('text') & IMAGE_LIBRARIES
    images = [
        f'{name_of(path)}:{line} imports {name}'
        for path in sources()
        if floor_of(path) == 'text'
        for line, name in imported(path)
        if inside(name)[:2] == ['utils', 'images']
    ]
    assert not images


def _libraries(floor: str) -> set[str]:
    """The libraries that a floor imports."""
    return {
        name.split('.')[0]
        for path in sources()
        if floor_of(path) == floor
        for _, name in imported(path)
    }


def test_figures_take_answers():
    asking = {name_of(p) for p in sources() if floor_of(p) == 'visualization' and _asks(p)}
    assert asking <= ASKING_FIGURES


def _asks(path: Path) -> bool:
    return any(inside(name)[:2] == ['inference', 'inferencer'] for _, name in imported(path))
