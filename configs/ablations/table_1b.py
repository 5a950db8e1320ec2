# ExCEL supplement, Table 1b: share of the attributes that a class keeps.
name = '1b'
title = 'Share of attributes a class keeps'
head = '$K_r$'
columns = ('M, training-free', 'M', 'Seg.')
setting = 'model.text_head.keep_ratio'
rows = [
    dict(label='0.1', options={setting: 0.1}, paper={'M': 75.6, 'Seg.': 74.8}),
    dict(label='0.5', options={setting: 0.5}, paper={'M': 76.5, 'Seg.': 75.8}),
    dict(label='0.9', options={setting: 0.9}, paper={'M': 78.0, 'Seg.': 77.2}),
    dict(label='1.0', options={setting: 1.0}, paper={'M': 77.8, 'Seg.': 76.9}),
]
