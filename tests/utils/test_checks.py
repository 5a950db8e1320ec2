import math

import numpy as np
import pytest

from mmseg_excel.utils.bad_input import BadInput
from mmseg_excel.utils.checks import (
    check_choice,
    check_flag,
    check_keys,
    check_number,
    check_sequence,
    check_text,
    check_whole,
)


@pytest.mark.parametrize('value', [0.5, 1, 1.0, np.float32(0.25)])
def test_numbers_inside_pass(value):
    check_number('A.b', value, '(0, 1]')


@pytest.mark.parametrize('value', [0, -1, 1.01, math.nan, math.inf, True, '0.5', None, [0.5]])
def test_numbers_outside_are_refused_by_name_value_and_range(value):
    with pytest.raises(BadInput, match=r'A\.b is .*, but must be a number in \(0, 1\]\.') as caught:
        check_number('A.b', value, '(0, 1]')
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize('value', [1, 12, np.int64(3)])
def test_whole_numbers_inside_pass(value):
    check_whole('A.b', value, '[1, inf)')


@pytest.mark.parametrize('value', [0, 1.0, True, '1', math.inf])
def test_no_whole_numbers_are_refused(value):
    with pytest.raises(BadInput, match='must be a whole number'):
        check_whole('A.b', value, '[1, inf)')


def test_flags_and_choices():
    check_flag('A.b', False)
    check_choice('A.b', 'x', ('x', 'y'))
    with pytest.raises(BadInput, match='must be True or False'):
        check_flag('A.b', 1)
    for value in ('z', None, ['x']):
        with pytest.raises(BadInput, match="must be one of 'x', 'y'"):
            check_choice('A.b', value, ('x', 'y'))


def test_sequences():
    check_sequence('A.b', [1])
    check_sequence('A.b', (1, 2), length=2)
    for value in ('cat', [], None, 3):
        with pytest.raises(BadInput, match='must be a list'):
            check_sequence('A.b', value)
    with pytest.raises(BadInput, match='a list of 2'):
        check_sequence('A.b', [1], length=2)


def test_texts_and_keys():
    check_text('A.b', 'x')
    for value in ('', ' ', None, b'x', 3):
        with pytest.raises(BadInput, match='must be a text'):
            check_text('A.b', value)
    check_keys('A.b', dict(x=1), ('x', 'y'))
    with pytest.raises(BadInput, match="A.b has the key 'z', but may only have 'x', 'y'"):
        check_keys('A.b', dict(x=1, z=2), ('x', 'y'))
    with pytest.raises(BadInput, match='must be a dict'):
        check_keys('A.b', ['x'], ('x', 'y'))


@pytest.mark.parametrize('digits', [400, 5000])
def test_numbers_beyond_floats_are_refused_and_shortened(digits):
    with pytest.raises(BadInput, match='must be a number') as caught:
        check_number('A.b', 10**digits, '[0, 1]')
    assert len(str(caught.value)) < 200


def test_long_values_are_shortened():
    with pytest.raises(BadInput) as caught:
        check_number('A.b', 'x' * 70000, '[0, 1]')
    assert len(str(caught.value)) < 200


def test_a_data_loader_worker_keeps_the_sentence():
    wrapped = (
        'Caught BadInput in DataLoader worker process 0.\nOriginal Traceback (most recent call '
        'last):\n  File "x.py", line 1\nmmseg_excel.utils.bad_input.BadInput: a.jpg is empty.\n'
    )
    assert str(BadInput(wrapped)) == 'a.jpg is empty.'
