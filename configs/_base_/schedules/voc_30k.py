# PASCAL VOC: 30 000 iterations of batch 4 (docs/method.md, section 8).
train_cfg = dict(type='IterBasedTrainLoop', max_iters=30000, val_interval=2000)
val_cfg = dict(type='ValLoop')
# DenseCRF runs on the model's GPU, or in worker processes beside it; interrupted tests go on.
test_cfg = dict(type='ResumableTestLoop')

# The paper's learning rate is 1e-4; the reference trains adapter and decoder, which is all
# that is trained, at ten times that.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='FusedAdamW', lr=1e-3, betas=(0.9, 0.999), weight_decay=1e-2),
)
param_scheduler = [
    dict(
        type='WarmupPolyLR',
        by_epoch=False,
        max_iters=30000,
        warmup_iters=50,
        warmup_ratio=1e-6,
        power=1.0,
    )
]
custom_hooks = [
    dict(type='PhaseScheduleHook', dynamic_from=14000, prediction_pairs_from=24000),
    dict(type='IterationSeedHook'),
    dict(type='SmallCheckpointHook'),
    dict(type='PseudoLabelVisualizationHook', interval=1000),
]
