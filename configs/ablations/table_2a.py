# ExCEL supplement, Table 2a: types of text prompting.
name = '2a'
title = 'Types of text prompting'
head = 'text'
columns = ('M, training-free', 'Precision', 'Recall', 'Seg.')
setting = 'model.text_head.mode'
rows = [
    dict(
        label='Global',
        options={setting: 'global'},
        paper={'Precision': 83.6, 'Recall': 86.9, 'Seg.': 74.9},
    ),
    dict(
        label='Fuse',
        options={setting: 'fuse'},
        paper={'Precision': 83.8, 'Recall': 87.3, 'Seg.': 75.1},
    ),
    dict(
        label='Attributes',
        options={setting: 'attributes'},
        paper={'Precision': 85.0, 'Recall': 88.4, 'Seg.': 77.2},
    ),
]
