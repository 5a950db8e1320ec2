# ExCEL supplement, Table 1f: weight of the diversity loss; static maps do not know it.
name = '1f'
title = 'Weight of the diversity loss'
head = '$\\gamma$'
columns = ('M', 'Seg.')
setting = 'model.loss_diversity.loss_weight'
rows = [
    dict(label='0.1', options={setting: 0.1}, paper={'M': 78.0, 'Seg.': 77.2}),
    dict(label='0.3', options={setting: 0.3}, paper={'M': 77.2, 'Seg.': 76.4}),
    dict(label='0.5', options={setting: 0.5}, paper={'M': 76.9, 'Seg.': 75.9}),
    dict(label='1.0', options={setting: 1.0}, paper={'M': 76.0, 'Seg.': 75.1}),
]
