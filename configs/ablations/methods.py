# The methods beside each other, each with its own configs: maps, pseudo labels, predictions.
name = 'of methods'
title = 'Methods'
head = 'method'
columns = ('Maps', 'M, training-free', 'M', 'Seg.')
words, attention = 'model.text_head.mode', 'model.neck.mode'
rows = [
    dict(
        label='MaskCLIP',
        options={attention: 'v-v', 'model.neck.num_layers': 1, words: 'global'},
    ),
    dict(label='CLIP-ES', method='clip_es'),
    dict(label='WeCLIP', method='weclip'),
    dict(label='ExCEL'),
]
