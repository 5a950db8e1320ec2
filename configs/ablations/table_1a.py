# ExCEL supplement, Table 1a: weight of the attributes beside the prompt.
name = '1a'
title = 'Attribute weight'
head = '$\\lambda$'
columns = ('M, training-free', 'M', 'Seg.')
setting = 'model.text_head.attribute_weight'
rows = [
    dict(label='0.1', options={setting: 0.1}, paper={'M': 76.6, 'Seg.': 75.7}),
    dict(label='0.5', options={setting: 0.5}, paper={'M': 77.3, 'Seg.': 76.5}),
    dict(label='1.0', options={setting: 1.0}, paper={'M': 78.0, 'Seg.': 77.2}),
    dict(label='2.0', options={setting: 2.0}, paper={'M': 77.4, 'Seg.': 76.7}),
]
