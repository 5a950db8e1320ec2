# ExCEL supplement, Table 2b: types of intra-correlation.
name = '2b'
title = 'Types of intra-correlation'
head = 'attention'
columns = ('M, training-free', 'Precision', 'Recall', 'Seg.')
setting = 'model.neck.mode'
rows = [
    dict(
        label='q-k',
        options={setting: 'q-k'},
        paper={'Precision': 19.2, 'Recall': 21.5, 'Seg.': 12.0},
    ),
    dict(
        label='q-q',
        options={setting: 'q-q'},
        paper={'Precision': 84.4, 'Recall': 86.6, 'Seg.': 75.1},
    ),
    dict(
        label='k-k',
        options={setting: 'k-k'},
        paper={'Precision': 82.9, 'Recall': 82.9, 'Seg.': 75.6},
    ),
    dict(
        label='v-v',
        options={setting: 'v-v'},
        paper={'Precision': 84.6, 'Recall': 85.2, 'Seg.': 75.0},
    ),
    dict(
        label='q-q, k-k, v-v',
        options={setting: 'qkv'},
        paper={'Precision': 85.0, 'Recall': 88.4, 'Seg.': 77.2},
    ),
]
