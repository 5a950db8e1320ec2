# ExCEL supplement, Table 1c: how many of the last layers are calibrated.
name = '1c'
title = 'Number of calibrated layers'
head = '$N$'
columns = ('M, training-free', 'M', 'Seg.')
setting = 'model.neck.num_layers'
rows = [
    dict(label='1', options={setting: 1}, paper={'M': 71.9, 'Seg.': 71.1}),
    dict(label='3', options={setting: 3}, paper={'M': 76.3, 'Seg.': 75.4}),
    dict(label='5', options={setting: 5}, paper={'M': 78.0, 'Seg.': 77.2}),
    dict(label='8', options={setting: 8}, paper={'M': 76.8, 'Seg.': 75.9}),
]
