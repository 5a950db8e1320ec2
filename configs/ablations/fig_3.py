# ExCEL supplement, Fig. 3, in numbers: the method's parts that need no training, one by one, and
# the baselines of configs/baselines. The paper draws them, it gives no scores.
name = 'of Fig. 3'
title = 'Baselines and parts of the method, without training'
head = 'maps'
columns = ('M, training-free',)
words, attention = 'model.text_head.mode', 'model.neck.mode'
rows = [
    dict(label='CLIP, q-k', options={attention: 'q-k', words: 'global'}),
    dict(
        label='MaskCLIP',
        options={attention: 'v-v', 'model.neck.num_layers': 1, words: 'global'},
    ),
    dict(label='SVC', options={words: 'global'}),
    dict(label='SVC + TSE', options={}),
]
