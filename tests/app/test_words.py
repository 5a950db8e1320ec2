import pytest

from mmseg_excel.app.words import parse_names


def test_names_are_separated_and_tidied():
    typed = ' red  disc, cat,\n cat ,, Öl-Lampe\n'
    assert parse_names(typed, 'class', 9) == ('red disc', 'cat', 'Öl-Lampe')
    assert parse_names(' ,\n', 'class', 9) == ()


def test_limits_are_told():
    with pytest.raises(ValueError, match='3 class names are too many: type at most 2'):
        parse_names('a, b, c', 'class', 2)
    with pytest.raises(ValueError, match='background name “xxxxxxxxxxxxxxxxxxxx…” is longer'):
        parse_names('a, ' + 'x' * 81, 'background', 9)
