# What every recipe shares: scope, logging, hooks.
# Imports, not names: they register the whole package, also for models of others.
from mmseg_excel.engine import RunGuardHook
from mmseg_excel.visualization import run_visualizer

default_scope = 'mmseg'
custom_imports = dict(imports=['mmseg_excel'], allow_failed_imports=False)
env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)
randomness = dict(seed=0)
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type=run_visualizer, vis_backends=vis_backends)
log_processor = dict(by_epoch=False)
log_level = 'INFO'
load_from = None
resume = False

default_hooks = dict(
    runtime_info=dict(type='DeferredInfoHook'),
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    guard=dict(type=RunGuardHook),
    checkpoint=dict(type='AtomicCheckpointHook', by_epoch=False, interval=2000, max_keep_ckpts=2),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    visualization=dict(type='SegVisualizationHook'),
    class_names=dict(type='ClassNamesHook'),
    mask_count=dict(type='MaskCountHook'),
)
