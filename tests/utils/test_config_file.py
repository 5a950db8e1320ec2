"""Configs are files, or packaged recipes by name."""

from __future__ import annotations

import pytest

from mmseg_excel.utils.config_file import CONFIGS, config_path, read_settings


@pytest.fixture(autouse=True)
def somebody_elses_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_packaged_recipe_is_found_by_its_name():
    cfg = read_settings('excel_toy', {'train_cfg.max_iters': 2})
    assert cfg.filename == str(CONFIGS / 'excel_toy.py')
    assert config_path('maskclip') == CONFIGS / 'baselines/maskclip.py'


def test_a_folder_of_that_name_is_no_config(somebody_elses_folder):
    (somebody_elses_folder / 'excel_toy').mkdir()
    assert config_path('excel_toy') == CONFIGS / 'excel_toy.py'


def test_ones_own_file_comes_first(somebody_elses_folder):
    (somebody_elses_folder / 'excel_toy').touch()
    assert str(config_path('excel_toy')) == 'excel_toy'


def test_other_names_are_refused_with_those_there_are():
    with pytest.raises(FileNotFoundError, match="no config 'excel_mars'.*excel_voc.*maskclip"):
        read_settings('excel_mars')
