import subprocess
import sys
import warnings

import pytest

from mmseg_excel.utils.import_noise import PRINTED, WARNED, without_import_noise


def test_importing_the_package_says_nothing():
    done = subprocess.run(
        [sys.executable, '-c', 'import mmseg_excel.parts'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == '' and PRINTED not in done.stderr and WARNED not in done.stderr


def test_anything_else_is_heard(capsys):
    with pytest.warns(UserWarning, match='disk is full'), pytest.raises(ImportError):
        with without_import_noise():
            print(PRINTED)
            print('Could not import torch')
            warnings.warn('the disk is full', stacklevel=1)
            raise ImportError
    assert capsys.readouterr().out == 'Could not import torch\n'
