import re

import numpy as np

from mmseg_excel.app.pictures import enlarged, enlargement, figures, legend, mark_point
from mmseg_excel.inference.label_map import LabelMap


def test_the_legend_tells_colour_name_and_share():
    labels = np.array([[0, 0], [1, 2]], np.uint8)
    classes = ('background', '<b>cat</b>', 'dog')
    text = legend(LabelMap(labels, classes, ((0, 0, 0), (1, 2, 3), (4, 5, 6))))
    entries = re.findall(r'background:([^"]+)"></i>(.*?) <small>(.*?) %', text)
    assert entries == [
        ('transparent', 'background', '50.0'),
        ('rgb(1,2,3)', '&lt;b&gt;cat&lt;/b&gt;', '25.0'),
        ('rgb(4,5,6)', 'dog', '25.0'),
    ]


def test_captions_are_text():
    page = figures([(np.zeros((4, 4, 3), np.uint8), '"><script>')])
    assert '<script>' not in page and page.count('<figure>') == 1


def test_small_pictures_are_enlarged_whole():
    small = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    assert enlargement(small) == 107
    large = enlarged(small)
    assert large.shape == (214, 321, 3) and np.array_equal(large[::107, ::107], small)
    photo = np.zeros((480, 640, 3), np.uint8)
    assert enlarged(photo) is photo


def test_the_star_is_where_the_point_is():
    picture = np.zeros((100, 200, 3), np.uint8)
    marked = mark_point(picture.copy(), (25, 10), (50, 100, 3))
    assert marked[21, 51].tolist() == [230, 0, 0]
    rows, columns = np.nonzero(marked.any(axis=2))
    assert abs(rows.mean() - 21) < 2 and abs(columns.mean() - 51) < 2
    assert (marked == 255).all(axis=2).any()
