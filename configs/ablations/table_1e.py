# ExCEL supplement, Table 1e: shifting factor of the dynamic relation; static maps do not know it.
name = '1e'
title = 'Shifting factor of the dynamic relation'
head = '$\\beta$'
columns = ('M', 'Seg.')
setting = 'model.adapter.beta'
rows = [
    dict(label='0.5', options={setting: 0.5}, paper={'M': 77.6, 'Seg.': 76.9}),
    dict(label='1.0', options={setting: 1.0}, paper={'M': 78.0, 'Seg.': 77.2}),
    dict(label='1.5', options={setting: 1.5}, paper={'M': 75.7, 'Seg.': 74.7}),
    dict(label='2.0', options={setting: 2.0}, paper={'M': 67.6, 'Seg.': 65.3}),
]
