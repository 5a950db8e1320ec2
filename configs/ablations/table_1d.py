# ExCEL supplement, Table 1d: scaling factor of the dynamic relation; static maps do not know it.
name = '1d'
title = 'Scaling factor of the dynamic relation'
head = '$\\alpha$'
columns = ('M', 'Seg.')
setting = 'model.adapter.alpha'
rows = [
    dict(label='1.0', options={setting: 1.0}, paper={'M': 77.5, 'Seg.': 76.6}),
    dict(label='2.0', options={setting: 2.0}, paper={'M': 77.6, 'Seg.': 76.4}),
    dict(label='3.0', options={setting: 3.0}, paper={'M': 78.0, 'Seg.': 77.2}),
    dict(label='5.0', options={setting: 5.0}, paper={'M': 77.7, 'Seg.': 76.9}),
]
