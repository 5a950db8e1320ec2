"""Settings out of range, images and questions that make no sense: one sentence each."""

from __future__ import annotations

import copy
import math
import os
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.structures import LabelData
from mmengine.utils import digit_version
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from mmseg.utils import register_all_modules

from mmseg_excel.datasets.transforms import ResizeToPatches
from mmseg_excel.densecrf import CLIPESDenseCRF, CRFPool, DenseCRF, ResumableTestLoop
from mmseg_excel.densecrf.engines import PACKAGES
from mmseg_excel.engine import (
    AtomicCheckpointHook,
    CompileHook,
    PhaseScheduleHook,
    WarmupPolyLR,
    compile_hook,
)
from mmseg_excel.inference import LogitTTAModel, LongSideTTAModel
from mmseg_excel.inference.inferencer import TagInferencer
from mmseg_excel.inference.loading import read_config
from mmseg_excel.models import (
    AttributeTextHead,
    BalancedCrossEntropyLoss,
    DiversityLoss,
    FrozenCLIP,
    LVCAdapter,
    PseudoLabeler,
    SVCNeck,
    TransformerHead,
)
from mmseg_excel.models.clip_es import HalfScoreLabeler
from mmseg_excel.models.excel import ExCELSettings
from mmseg_excel.ops.pixel_adaptive import PixelAdaptiveRefinement
from mmseg_excel.utils.checks import shown
from mmseg_excel.visualization.hook import PseudoLabelVisualizationHook

from .case import Case

NAN, INF = math.nan, math.inf
NO_NUMBERS = ('3', None, NAN, INF, -INF, True, [1])
NO_WHOLES = ('3', None, 1.5, NAN, True, 10**400)


def cases_of(name, make, bad, **good):
    """A case for each bad value of each setting of a constructor, the others being good.

    `bad` is a dict of setting -> (bad values, what the sentence says after setting and value).
    """
    for setting, (values, says) in bad.items():
        for value in values:
            yield Case(
                f'{name}({setting}={shown(value, 30)})',
                lambda _, setting=setting, value=value: make(**good | {setting: value}),
                rf'{name}[\w.]*\.{setting}.* is .*{says}',
            )


def number(interval, *values):
    """Bad values of a number."""
    return (*NO_NUMBERS, *values), r'must be a number in ' + _escaped(interval)


def optional_whole(interval, *values):
    """Bad values of a whole number that may be None."""
    bad, says = whole(interval, *values)
    return tuple(value for value in bad if value is not None), says


def whole(interval, *values):
    """Bad values of a whole number."""
    return (*NO_WHOLES, *values), r'must be a whole number in ' + _escaped(interval)


def choice(*values):
    """Bad values of a choice."""
    return ('', None, 3, *values), 'must be one of'


def flag():
    """Bad values of a flag."""
    return (1, 'yes', None), 'must be True or False'


def _escaped(interval):
    return ''.join('\\' + letter if letter in '[]().' else letter for letter in interval)


# Rooms, losses, hooks --------------------------------------------------------------------

WIDTH = whole('[1, 8192]', 0, -1, 10**6)
OPTIMIZER = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1)
ROOMS = [
    *cases_of(
        'SVCNeck',
        SVCNeck,
        dict(
            num_layers=whole('[0, 256]', -1, 1000),
            mode=choice('qq', 'qkv '),
            num_attention=whole('[1, 256]', 0, -6),
        ),
    ),
    *cases_of(
        'AttributeTextHead',
        AttributeTextHead,
        dict(
            in_channels=((0, -1, 10**6, 2.5, '3', True), r'must be a whole number in \[1, 8192\]'),
            mode=choice('attribute'),
            num_attributes=whole('[1, 1e6]', 0, -5),
            keep_ratio=number('(0, 1]', 0, -0.1, 1.01, 2),
            attribute_weight=number('[0, 1e6]', -1, 1e30),
            descriptions=((3, ''), 'must be a text'),
        ),
        vocabulary='toy',
        descriptions='toy',
    ),
    *cases_of(
        'LVCAdapter',
        LVCAdapter,
        dict(
            in_channels=WIDTH,
            channels=WIDTH,
            num_layers=whole('[1, 256]', 0, 1000),
            dropout=number('[0, 1)', -0.1, 1, 2),
            alpha=number('(0, 1e6]', 0, -3, 1e30),
            beta=number('[0, 1e6]', -0.5, 1e30),
        ),
        in_channels=16,
        num_layers=2,
    ),
    *cases_of(
        'TransformerHead',
        TransformerHead,
        dict(
            in_channels=WIDTH,
            num_layers=whole('[1, 256]', 0),
            num_classes=whole('[2, 255]', 0, 1, 256),
            num_heads=whole('[1, 256]', 0),
            dropout_ratio=number('[0, 1)', 1),
            align_corners=flag(),
            ignore_index=whole('[0, 255]', -1, 256),
            loss_decode=(([dict(type='BalancedCrossEntropyLoss')],), 'a single loss'),
        ),
        in_channels=16,
        num_classes=11,
    ),
    *cases_of(
        'PseudoLabeler',
        PseudoLabeler,
        dict(
            box_threshold=number('[0, 1]', -0.1, 79),
            pixel_adaptive=(([1], 'par', 20), 'must be a dict'),
        ),
    ),
    *cases_of(
        'PixelAdaptiveRefinement',
        PixelAdaptiveRefinement,
        dict(
            iterations=whole('[0, 1000]', -1, 10**6),
            dilations=((None, [], '1,2', 3, [0], [-1], [1.5], ['a'], [10**9]), 'must be'),
            colour_scale=number('[0.001, 1e6]', 0, -1),
            position_weight=number('[0, 1e6]', -0.01),
        ),
    ),
    *cases_of(
        'BalancedCrossEntropyLoss',
        BalancedCrossEntropyLoss,
        dict(
            loss_weight=number('[0, 1e6]', -1),
            loss_name=((None, 3, '', 'seg'), "must hold the word 'loss'"),
        ),
    ),
    *cases_of(
        'DiversityLoss',
        DiversityLoss,
        dict(
            radius=whole('[0, 10000]', -1),
            loss_weight=number('[0, 1e6]', -0.1),
            ignore_index=whole('[0, 255]', -1, 300),
        ),
    ),
    *cases_of(
        'PhaseScheduleHook',
        PhaseScheduleHook,
        dict(
            dynamic_from=whole('[0, 1e9]', -1),
            prediction_pairs_from=optional_whole('[0, 1e9]', -1),
        ),
        dynamic_from=3,
    ),
    *cases_of(
        'WarmupPolyLR',
        WarmupPolyLR,
        dict(
            max_iters=whole('[1, 1e9]', 0, -1),
            warmup_iters=whole('[0, 1e9]', -1),
            warmup_ratio=number('[0, 1]', -1, 2),
            power=number('[0, 100]', -1),
            by_epoch=flag(),
            verbose=flag(),
            begin=whole('[0, 1e9]', -1),
            end=whole('[1, 1e9]', 0),
            last_step=whole('[-1, 1e9]', -2),
        ),
        optimizer=OPTIMIZER,
    ),
    *cases_of(
        'PseudoLabelVisualizationHook',
        PseudoLabelVisualizationHook,
        dict(
            interval=whole('[1, 1e9]', 0, -1),
            indices=((3, '0', [], [-1], [0.5], [None]), 'must be'),
        ),
    ),
    *cases_of(
        'FrozenCLIP',
        FrozenCLIP,
        dict(model=((None, '', 3), 'must be a text'), pretrained=((None, '', 3), 'must be a text')),
    ),
    *cases_of(
        'DenseCRF',
        DenseCRF,
        dict(
            iterations=whole('[0, 1000]', -1, 10**6),
            min_probability=number('[0, 1]', -0.1, 1.1),
            gaussian=((3, 'sxy', [1, 3]), 'must be a dict'),
            bilateral=((3, 'sxy', [67, 3, 4]), 'must be a dict'),
            engine=choice('gpu'),
        ),
    ),
    *cases_of(
        'CLIPESDenseCRF',
        CLIPESDenseCRF,
        dict(confidence=number('[0, 1]', -0.1, 1.1)),
    ),
    *cases_of(
        'HalfScoreLabeler',
        HalfScoreLabeler,
        dict(
            box_threshold=number('[0, 1]', -0.1, 2),
            background_power=number('(0, 100]', 0, -1, 101),
        ),
    ),
    *cases_of(
        'ResizeToPatches', ResizeToPatches, dict(patch_size=whole('[1, 1024]', 0, -16, 10**6))
    ),
    *cases_of(
        'AtomicCheckpointHook',
        AtomicCheckpointHook,
        dict(
            interval=whole('[-1, 1e9]', -2),
            max_keep_ckpts=whole('[-1, 1e9]', -2),
            save_begin=whole('[0, 1e9]', -1),
            by_epoch=flag(),
            save_last=flag(),
            save_optimizer=flag(),
            out_dir=((3, '', [1]), 'must be a text'),
            save_best=((3, '', ['']), 'must be a text'),
        ),
    ),
    *cases_of(
        'CRFPool',
        CRFPool,
        dict(crf=((None, 3, 'DenseCRF', {}), 'must be a DenseCRF')),
    ),
    *cases_of(
        'CRFPool',
        lambda **sizes: CRFPool(DenseCRF(), **sizes),
        dict(
            workers=optional_whole('[1, 1024]', 0, -1, 10**6),
            queue_size=optional_whole('[1, 1024]', 0, -1),
        ),
    ),
    *cases_of(
        'ResumableTestLoop',
        lambda **settings: ResumableTestLoop(None, None, None, **settings),
        dict(
            workers=optional_whole('[1, 1024]', 0, -1),
            queue_size=optional_whole('[1, 1024]', 0, -1),
            fp16=flag(),
        ),
    ),
    *cases_of(
        'LogitTTAModel',
        lambda **settings: LogitTTAModel(toy_model(), **settings),
        dict(
            size=optional_whole('[1, 4096]', 0, -64, 10**6),
            scales=((None, [], 1.0, '1', [0], [-1], [NAN], [INF], ['1'], [True]), 'must be'),
            flip=flag(),
            post_processor=(('DenseCRF', 3, {}, dict(iterations=3)), "a dict with a 'type'"),
        ),
        size=64,
        scales=(1.0,),
    ),
    *cases_of(
        'ExCELSettings',
        ExCELSettings,
        dict(
            calibration=choice('qq'),
            num_layers=whole('[0, 256]', -1),
            texts=choice('attribute'),
            attribute_weight=number('[0, 1e6]', -1),
            keep_ratio=number('(0, 1]', 0, 2),
            box_threshold=number('[0, 1]', 1.5),
            par_iterations=whole('[0, 1000]', -1),
            dynamic=flag(),
            crf=flag(),
        ),
        calibration='qkv',
        num_layers=5,
        texts='global',
        attribute_weight=1.0,
        keep_ratio=0.9,
        box_threshold=0.8,
        par_iterations=20,
        dynamic=False,
    ),
]
KERNELS = [
    Case(
        f'DenseCRF({kernel}.{key}={value})',
        lambda _, kernel=kernel, bad=good | {key: value}: DenseCRF(**{kernel: bad}),
        rf'DenseCRF\.{kernel}\.{key} is .* must be a number in',
    )
    for kernel, good in (
        ('gaussian', dict(sxy=1, compat=3)),
        ('bilateral', dict(sxy=67, srgb=3, compat=4)),
    )
    for key in good
    for value in (0, -1, NAN, INF, '3', None, 1e9)
]


def refused(name, act, says):
    return Case(name, lambda _: act(), says)


# What an option says that torch.compile does not have, where CompileHook may compile at all.
NOT_COMPILED = (
    'CompileHook cannot compile.*{}'
    if digit_version(torch.__version__) >= digit_version(compile_hook.OLDEST_TORCH)
    else f'CompileHook needs PyTorch {compile_hook.OLDEST_TORCH}'
)


def compiling(**options):
    return lambda: CompileHook(**options)


SINGLE = [
    refused(
        'keys of a kernel',
        lambda: DenseCRF(gaussian=dict(sxy=1, compat=3, srgb=3)),
        "DenseCRF.gaussian has the key 'srgb', but may only have 'sxy', 'compat'",
    ),
    refused(
        'incomplete kernel',
        lambda: DenseCRF(bilateral=dict(sxy=1, compat=3)),
        'DenseCRF.bilateral is .* but srgb is missing',
    ),
    refused(
        'key of PAR',
        lambda: PseudoLabeler(pixel_adaptive=dict(rounds=3)),
        "PseudoLabeler.pixel_adaptive has the key 'rounds', but may only have 'iterations'",
    ),
    refused(
        'setting of PAR',
        lambda: PseudoLabeler(pixel_adaptive=dict(iterations=-3)),
        'PixelAdaptiveRefinement.iterations is -3',
    ),
    refused(
        'heads that do not divide',
        lambda: TransformerHead(256, num_heads=7, num_classes=21),
        r'TransformerHead.num_heads is 7, which does not divide in_channels \(256\)',
    ),
    refused(
        'head without classes', lambda: TransformerHead(256), 'TransformerHead.num_classes is None'
    ),
    refused(
        'unused setting of the head',
        lambda: TransformerHead(256, num_classes=3, sampler={}),
        "TransformerHead has the key 'sampler', but may only have",
    ),
    refused(
        'unused setting of the schedule',
        lambda: WarmupPolyLR(OPTIMIZER, gamma=0.5),
        "WarmupPolyLR has the key 'gamma', but may only have",
    ),
    refused(
        'schedule that ends before it begins',
        lambda: WarmupPolyLR(OPTIMIZER, begin=5, end=5),
        'WarmupPolyLR.begin is 5, but must be below end, 5',
    ),
    *(
        refused(
            f'schedule of {value!r}',
            lambda value=value: WarmupPolyLR(value),
            'WarmupPolyLR.optimizer is .*, which is none',
        )
        for value in (None, 'SGD', {})
    ),
    *(
        refused(
            f'{room.__name__}.init_cfg is {value!r}',
            lambda room=room, given=given, value=value: room(*given, init_cfg=value),
            rf"{room.__name__}\.init_cfg is .*a dict with a 'type'",
        )
        for room, *given in (
            *([SVCNeck], [LVCAdapter, 16, 2], [PseudoLabeler], [HalfScoreLabeler], [FrozenCLIP]),
        )
        for value in (3, 'Xavier', {}, [], [None], dict(layer='Linear'))
    ),
    *(
        refused(
            f'checkpoint hook with {name}',
            lambda name=name: AtomicCheckpointHook(**{name: 'x'}),
            f"AtomicCheckpointHook has the key '{name}', but may only have 'interval'",
        )
        for name in ('filename_tmpl', 'backend_args', 'file_client_args', 'intervall')
    ),
    refused(
        'best checkpoint by an unknown rule',
        lambda: AtomicCheckpointHook(save_best='mIoU', rule='highest'),
        "cannot keep the best checkpoints by save_best='mIoU', rule='highest'",
    ),
    refused(
        'compiling a foreign model',
        lambda: compile_hook.compile_rooms(torch.nn.Linear(1, 1)),
        'CompileHook compiles the rooms of ExCEL or WeCLIP, not a Linear: leave it out',
    ),
    refused(
        'mode without descriptions',
        lambda: AttributeTextHead('voc', mode='fuse'),
        "AttributeTextHead.mode is 'fuse', which needs descriptions",
    ),
    refused(
        'a single text',
        lambda: AttributeTextHead(dict(classes=['cat'], backgrounds=[]), mode='global'),
        "'cat' alone competes with nothing: add a class or a background",
    ),
    refused(
        'option of torch.compile',
        compiling(speed='high'),
        NOT_COMPILED.format('speed'),
    ),
    refused(
        'mode of torch.compile',
        compiling(mode='max'),
        NOT_COMPILED.format('max'),
    ),
    refused(
        'old PyTorch',
        lambda: compile_hook.check_torch('2.2.2+cpu'),
        rf'needs PyTorch {compile_hook.OLDEST_TORCH} or newer, but this is 2.2.2',
    ),
]

# The segmentor -----------------------------------------------------------------------------


@cache
def toy_config() -> Config:
    register_all_modules(init_default_scope=True)
    config = read_config('excel_toy')
    config.model.text_head.update(mode='global')
    return config


@cache
def toy_model():
    return MODELS.build(toy_config().model).eval()


def slide(**settings):
    return dict(mode='slide', crop_size=(64, 64), stride=(32, 32)) | settings


def built_with(room, **settings):
    """Build the toy segmentor with other settings of a room, or None of it."""
    config = copy.deepcopy(toy_config()).model
    config[room].update(settings)
    return lambda: MODELS.build(config)


def with_room(room, config):
    changed = copy.deepcopy(toy_config()).model
    changed[room] = config
    return lambda: MODELS.build(changed)


NECK, LABELS = dict(type='SVCNeck'), dict(type='PseudoLabeler')
GRADIENTS = dict(type='GradientCAMHead', vocabulary='toy', in_channels=64)
ATTRIBUTES = dict(type='AttributeTextHead', vocabulary='toy', in_channels=64, mode='global')
#: Rooms that are registered, but of another kind than where they stand.
OTHERS = dict(
    excel_toy=dict(
        backbone=[NECK],
        neck=[LABELS],
        text_head=[NECK, GRADIENTS],
        adapter=[NECK],
        decode_head=[NECK],
        pseudo_labeler=[NECK, dict(type='HalfScoreLabeler'), dict(type='DenseCRF')],
        loss_diversity=[NECK, dict(type='CrossEntropyLoss')],
    ),
    weclip_toy=dict(text_head=[NECK, ATTRIBUTES], pseudo_labeler=[dict(type='HalfScoreLabeler')]),
    clip_es_toy=dict(text_head=[NECK, ATTRIBUTES], pseudo_labeler=[LABELS]),
)


def with_stranger(name, room, stranger):
    return lambda: MODELS.build(dict(read_config(name).model, **{room: stranger}))


ROOM_NAMES = (
    *('backbone', 'neck', 'text_head', 'adapter', 'decode_head', 'pseudo_labeler'),
    *('loss_diversity', 'data_preprocessor'),
)
SEGMENTOR = [
    *(
        refused(f'{room} is {value!r}', with_room(room, value), rf'model\.{room} is .*must be a')
        for room in ROOM_NAMES
        for value in (None, 'SVCNeck', {}, dict(num_layers=3), [])
    ),
    *(
        refused(
            f'{room} of unknown type',
            with_room(room, dict(type='Nothing', mean=[0, 0, 0], std=[1, 1, 1])),
            rf"model\.{room}\.type is 'Nothing', which is not registered",
        )
        for room in ROOM_NAMES
    ),
    *(
        refused(f'{room}.foo', built_with(room, foo=1), rf'model\.{room} .*foo|key .foo.')
        for room in ROOM_NAMES
        if room != 'decode_head'
    ),
    *(
        refused(
            f'{name}.{room} is a {stranger["type"]}',
            with_stranger(name, room, stranger),
            rf"model\.{room}\.type is '{stranger['type']}'",
        )
        for name, rooms in OTHERS.items()
        for room, strangers in rooms.items()
        for stranger in strangers
    ),
    *(
        refused(
            f'train_cfg is {value!r}',
            with_room('train_cfg', value),
            'model.train_cfg is .*nothing reads it',
        )
        for value in (3, 'x', [1], dict(max_iters=3))
    ),
    refused(
        'weights of a model',
        with_room('pretrained', 'ViT-B-16.pt'),
        "model.pretrained is 'ViT-B-16.pt', but nothing reads it: .* model.backbone.pretrained",
    ),
    refused('init_cfg of a model', with_room('init_cfg', 'Xavier'), "model.init_cfg is 'Xavier'"),
    *(
        refused(
            f'{name}.{setting} is {value}',
            lambda name=name, setting=setting, value=value: MODELS.build(
                dict(read_config(name).model, **{setting: value})
            ),
            rf'\.{setting} is .*(must be a whole number in|set it to at most 8)',
        )
        for name, settings in dict(
            weclip_toy=('static_layers', 'dynamic_layers'), clip_es_toy=('attention_layers',)
        ).items()
        for setting in settings
        for value in (0, -1, 9, 1.5, '8', None, True)
    ),
    refused(
        'more blocks than CLIP has',
        built_with('neck', num_layers=13),
        "SVCNeck.num_layers is 13, but CLIP 'excel-toy' has 8 blocks: set it to at most 8",
    ),
    refused(
        'more attention than CLIP has',
        built_with('neck', num_attention=9),
        'SVCNeck.num_attention is 9, but CLIP .* set it to at most 8',
    ),
    refused(
        'layers of the adapter',
        built_with('adapter', num_layers=12),
        'LVCAdapter.num_layers is 12, but CLIP .* set it to 8',
    ),
    refused(
        'width of the adapter',
        built_with('adapter', in_channels=768),
        'LVCAdapter.in_channels is 768, but the tokens of CLIP .* set it to 128',
    ),
    refused(
        'width of the texts',
        built_with('text_head', in_channels=512),
        'AttributeTextHead.in_channels is 512, but CLIP .* set it to 64',
    ),
    refused(
        'width of the decoder',
        built_with('decode_head', in_channels=128),
        'TransformerHead.in_channels is 128, but LVCAdapter.channels is 256: set it to 256',
    ),
    refused(
        'outputs of the decoder',
        built_with('decode_head', num_classes=81),
        'decode_head.num_classes is 81, but the text head has 10 classes .* set it to 11',
    ),
    *(
        refused(f'test_cfg is {value!r}', with_room('test_cfg', value), says)
        for value, says in (
            (3, 'model.test_cfg is 3, but must be a dict'),
            (dict(source='cams'), "model.test_cfg.source is 'cams', but must be one of 'decoder'"),
            (dict(source=None), 'model.test_cfg.source is None'),
            (dict(mode='slide'), "mode is 'slide', which needs crop_size.*mode='whole'"),
            (dict(mode='slide', crop_size=(64, 64)), "mode is 'slide', which needs stride"),
            (slide(stride=(80, 64)), 'stride is .*gaps between windows .* at most that'),
            (slide(stride=(0, 64)), 'model.test_cfg.stride is 0'),
            (slide(stride=32), 'model.test_cfg.stride is 32'),
            (slide(crop_size=(64,)), 'model.test_cfg.crop_size is .64'),
            (slide(crop_size=(64, 64.0)), 'model.test_cfg.crop_size is 64.0'),
            (slide(crop_size=(10**6, 64)), 'model.test_cfg.crop_size is 1000000'),
            (dict(mode='hole'), "model.test_cfg.mode is 'hole'"),
            (dict(stride=(32, 32)), 'model.test_cfg.stride is set, but images are taken whole'),
            (dict(sorce='cam'), "model.test_cfg has the key 'sorce'"),
        )
    ),
    *(
        refused(
            f'{setting} of the data preprocessor is {value}',
            built_with('data_preprocessor', **{setting: value}),
            rf'model\.data_preprocessor\.{setting} is ',
        )
        for setting, values in dict(
            mean=(None, 3, 'rgb', [1, 2], [1, 2, NAN], [-1, 0, 0], [1, 2, '3']),
            std=(None, [1, 1, 0], [1, 1, -1], [1, 1, INF], [1] * 4, 1.0),
            size=(64, '64', [64], [64, 0], [64, -64], [64, 1.5], [64, 10**6]),
            pad_val=('0', NAN, None),
            seg_pad_val=(256, -1, 'ignored'),
            bgr_to_rgb=(1, 'yes', None),
            test_cfg=([64], 'whole'),
        ).items()
        for value in values
    ),
    refused(
        'two kinds of padding',
        built_with('data_preprocessor', size_divisor=16),
        'has a size and a size_divisor: give one of them',
    ),
    refused(
        'padding of no size',
        built_with('data_preprocessor', size=None, size_divisor=0),
        'model.data_preprocessor.size_divisor is 0',
    ),
    refused(
        'both colour orders',
        built_with('data_preprocessor', rgb_to_bgr=True),
        'bgr_to_rgb and rgb_to_bgr are both True: .* leave one out',
    ),
    refused(
        'views that cut patches',
        lambda: LogitTTAModel(toy_model(), size=64, scales=(0.7,)),
        '45x45 pixels does not consist of whole patches: choose size and scales',
    ),
    refused(
        'views of a million pixels a side',
        lambda: LogitTTAModel(toy_model(), 4000, [100]),
        'LogitTTAModel.size times one of its scales is 400000',
    ),
    refused(
        'views of no model',
        lambda: LogitTTAModel(None),
        "LogitTTAModel.module is None, but must be a dict with a 'type'",
    ),
    refused(
        'views by sliding windows',
        lambda: LogitTTAModel(dict(toy_config().model, test_cfg=slide())),
        "mode is 'slide', but LogitTTAModel shrinks .* tta_model.size=None",
    ),
    refused(
        'windows that cut patches',
        lambda: MODELS.build(
            dict(read_config('clip_es_toy').model, test_cfg=slide(crop_size=(64, 60)))
        ),
        'crop_size has a side of 60 pixels, but CLIP-ES sees whole patches: .* multiples of 8',
    ),
    refused(
        'views of no size that keep proportions',
        lambda: LongSideTTAModel(toy_model(), size=None),
        'LongSideTTAModel.size is None',
    ),
    refused(
        'loop with another post-processor',
        lambda: ResumableTestLoop(None, None, None, post_processor=dict(type='SVCNeck')),
        'ResumableTestLoop.post_processor is .* must be a DenseCRF',
    ),
]


# What a segmentor sees -----------------------------------------------------------------------

GOOD = torch.zeros(1, 3, 16, 16)


def sample(hot=(1,) + (0,) * 9, **metainfo):
    made = SegDataSample(metainfo=dict(img_path='dog.jpg', ori_shape=(16, 16)) | metainfo)
    if hot is not None:
        made.gt_tags = LabelData(multi_hot=torch.tensor(hot, dtype=torch.float32))
    return made


def at(value):
    images = GOOD.clone()
    images[0, 1, 2, 3] = value
    return images


IMAGES = {
    'an array': (np.zeros((1, 3, 16, 16), np.float32), 'must be normalised floats.*float32'),
    'bytes': (GOOD.byte(), 'must be normalised floats.*torch.uint8'),
    'None': (None, 'must be normalised floats.*NoneType'),
    'one image': (GOOD[0], r'must have the shape \(B, 3, height, width\), not \(3, 16, 16\)'),
    'grey': (GOOD[:, :1], r'not \(1, 1, 16, 16\)'),
    'no image': (GOOD[:0], r'not \(0, 3, 16, 16\)'),
    'no pixel': (GOOD[..., :0], r'not \(1, 3, 16, 0\)'),
    'NaN': (at(NAN), 'infinite or not numbers'),
    'infinity': (at(INF), 'infinite or not numbers'),
    'half precision': (GOOD.half(), 'must be torch.float32.*not torch.float16: convert'),
    'double precision': (GOOD.double(), 'must be torch.float32.*not torch.float64'),
    'sparse numbers': (GOOD.to_sparse(), 'no sparse or empty tensors'),
    'no numbers': (GOOD.to('meta'), 'no sparse or empty tensors'),
    'a million pixels a side': (GOOD[..., :1, :1].expand(1, 3, 1, 10**6), 'at most 16384 a side'),
}
VERBS = {
    'loss': lambda images, samples=None: toy_model().loss(images, samples or [sample()]),
    'predict': lambda images, samples=None: toy_model().predict(images, samples or [sample()]),
    'pseudo_labels': lambda images, samples=None: toy_model().pseudo_labels(
        images, samples or [sample()]
    ),
    'class_activation_maps': lambda images: toy_model().class_activation_maps(images),
    'encode_decode': lambda images: toy_model().encode_decode(images),
    'lowres_logits': lambda images: toy_model().lowres_logits(images),
}
SAMPLES = {
    'no tags': ([sample(None)], 'dog.jpg has no gt_tags.*add LoadImageTags'),
    'tags of other classes': ([sample((1, 0, 1))], r'must have the shape \(10,\).*not \(3,\)'),
    'tags in a row': ([sample(((1,) * 10,))], r'must have the shape \(10,\).*not \(1, 10\)'),
    'half a tag': ([sample((0.5,) + (0,) * 9)], 'dog.jpg must hold 0 and 1 only'),
    'tags that are not numbers': ([sample((NAN,) * 10)], 'dog.jpg must hold 0 and 1 only'),
    'negative tags': ([sample((-1,) * 10)], 'dog.jpg must hold 0 and 1 only'),
    'too many samples': ([sample()] * 2, '1 images need as many data samples, not 2'),
    'a single sample': (sample(), 'Data samples must be a list'),
    'a number for a sample': ([3], 'must be SegDataSamples, not 3'),
    'nothing for a sample': ([None], 'must be SegDataSamples, not None'),
    'classes that are no list': ([sample(foreground=3)], 'foreground of a data sample is 3'),
}
SEEN = [
    *(
        refused(f'{verb} of {what}', lambda verb=verb, given=given: VERBS[verb](given), says)
        for verb in VERBS
        for what, (given, says) in IMAGES.items()
    ),
    *(
        refused(
            f'{verb} with {what}', lambda verb=verb, given=given: VERBS[verb](GOOD, given), says
        )
        for verb in ('loss', 'pseudo_labels')
        for what, (given, says) in SAMPLES.items()
    ),
    refused('loss without samples', lambda: toy_model().loss(GOOD, None), 'has no gt_tags'),
    refused(
        'prediction of unknown size',
        lambda: toy_model().predict(GOOD, [SegDataSample()]),
        'has no ori_shape.*PackSegInputs',
    ),
    *(
        refused(
            f'prediction of size {size!r}',
            lambda size=size: toy_model().predict(GOOD, [sample(ori_shape=size)]),
            'ori_shape of a data sample is .*must be',
        )
        for size in ((0, 16), (-1, 16), '16', (16,), (16, 16, 3), (1.5, 2), (10**6, 10**6))
    ),
    *(
        refused(
            f'{verb} with dynamic={value!r}',
            lambda act=act, value=value: act(value),
            'dynamic is .*must be True or False',
        )
        for verb, act in dict(
            maps=lambda value: toy_model().class_activation_maps(GOOD, dynamic=value),
            labels=lambda value: toy_model().pseudo_labels(GOOD, [sample()], dynamic=value),
        ).items()
        for value in (1, 'yes', None)
    ),
    *(
        refused(
            f'maps of tags {name}',
            lambda tags=tags: toy_model().class_activation_maps(GOOD, tags),
            r'tags must be zeros and ones of shape \(1, 10\)',
        )
        for name, tags in {
            'of other classes': torch.ones(1, 3),
            'of one axis': torch.ones(10),
            'that are halves': torch.full((1, 10), 0.5),
            'that are not numbers': torch.full((1, 10), NAN),
            'in an array': np.ones((1, 10)),
            'in a text': 'boat',
        }.items()
    ),
    *(
        refused(
            f'step with {name}',
            lambda batch=batch: toy_model().test_step(batch),
            "a dict with a list of 'inputs'|must have the shape .3, H, W.",
        )
        for name, batch in {
            'nothing': None,
            'no images': dict(inputs=[], data_samples=[]),
            'a number': dict(inputs=3),
            'grey': dict(inputs=[GOOD[0, :1]], data_samples=[sample()]),
            'two axes': dict(inputs=[GOOD[0, 0]], data_samples=[sample()]),
            'RGBA': dict(inputs=[torch.zeros(4, 16, 16)], data_samples=[sample()]),
        }.items()
    ),
    *(
        refused(
            f'resizing {name}',
            lambda image=image: ResizeToPatches()(dict(img=image)),
            'ResizeToPatches .*(img|image)',
        )
        for name, image in dict(nothing=None, path='a.jpg', floats=np.zeros((2, 2, 3))).items()
    ),
]

# DenseCRF --------------------------------------------------------------------------------------

ENGINES = list(filter(find_spec, PACKAGES))
PHOTOGRAPH = np.zeros((4, 5, 3), np.uint8)
EVEN = np.full((2, 4, 5), 0.5, np.float32)


def probabilities(value, where=(0, 1, 2)):
    changed = EVEN.copy()
    changed[where] = value
    return changed


PROBABILITIES = {
    'NaN': (probabilities(NAN), r'0\.\.1, but these reach nan'),
    'infinity': (probabilities(INF), r'0\.\.1, but these reach 0.5..inf'),
    'negative': (probabilities(-0.1), r'0\.\.1, but these reach -0.1'),
    'above one': (probabilities(1.5), r'0\.\.1, but these reach 0.5..1.5'),
    'not summing to one': (probabilities(0.4), 'sum to 1.*they sum to 0.9: take the softmax'),
    'integers': (np.ones((2, 4, 5), np.uint8), 'an array of floats, not uint8'),
    'list': ([[0.5]], 'an array of floats, not list'),
    'None': (None, 'an array of floats, not NoneType'),
    'two axes': (EVEN[0], r'of shape \(classes, H, W\), not \(4, 5\)'),
    'no class': (EVEN[:0], r'not \(0, 4, 5\)'),
    'no pixel': (EVEN[:, :0], r'not \(2, 0, 5\)'),
    'many classes': (np.full((256, 4, 5), 1 / 256, np.float32), '256 classes.*at most 255'),
    'logits': (8 * EVEN, r'0\.\.1, but these reach 4..4'),
}
PHOTOGRAPHS = {
    'floats': (PHOTOGRAPH.astype(float), 'needs an uint8 RGB image of 4x5 pixels.*float64'),
    'grey': (PHOTOGRAPH[..., 0], r'got uint8 of shape \(4, 5\)'),
    'RGBA': (np.zeros((4, 5, 4), np.uint8), r'shape \(4, 5, 4\)'),
    'another size': (PHOTOGRAPH[:3], r'shape \(3, 5, 3\)'),
    'None': (None, 'got NoneType'),
    'a path': ('photo.jpg', 'got str'),
}
CRF = [
    *(
        refused(
            f'DenseCRF({engine}) of {what}',
            lambda given=given, engine=engine: DenseCRF(engine=engine)(PHOTOGRAPH, given),
            says,
        )
        for engine in ENGINES
        for what, (given, says) in PROBABILITIES.items()
    ),
    *(
        refused(
            f'DenseCRF({engine}) on {what}',
            lambda given=given, engine=engine: DenseCRF(engine=engine)(given, EVEN),
            says,
        )
        for engine in ENGINES
        for what, (given, says) in PHOTOGRAPHS.items()
    ),
    *(
        refused(f'CRFPool of {what}', lambda given=given: pooled(torch.from_numpy(given)), says)
        for what, (given, says) in PROBABILITIES.items()
        if isinstance(given, np.ndarray) and given.dtype == np.float32
    ),
]


def pooled(given):
    with CRFPool(DenseCRF(), workers=1) as pool:
        return pool.submit('photo.jpg', given)


# The inferencer --------------------------------------------------------------------------------


@cache
def inferencer() -> TagInferencer:
    return TagInferencer(toy_config(), device='cpu')


@cache
def encoded():
    return inferencer().encode(np.full((20, 30, 3), 90, np.uint8))


def otherwise(**changes) -> ExCELSettings:
    settings = dict(
        calibration='qkv',
        num_layers=5,
        texts='global',
        attribute_weight=1.0,
        keep_ratio=0.9,
        box_threshold=0.8,
        par_iterations=2,
    )
    return ExCELSettings(**settings | changes)


def asked(**question):
    return lambda: inferencer().ask(**dict(image=encoded(), tags=['boat']) | question)


def called(*given, **question):
    return lambda: inferencer()(*given, **dict(tags=['boat']) | question)


def question(name, act, says):
    return Case(name, act, says)


ARRAYS = {
    'floats': np.zeros((4, 4, 3)),
    'grey': np.zeros((4, 4), np.uint8),
    'RGBA': np.zeros((4, 4, 4), np.uint8),
    'no pixel': np.zeros((0, 4, 3), np.uint8),
    'wide integers': np.zeros((4, 4, 3), np.int64),
    'objects': np.array([None]),
}
QUESTIONS = [
    refused(
        'huge array',
        called(np.broadcast_to(np.uint8(0), (10**5, 10**5, 3))),
        'An image of 100000 x 100000 pixels is too large: shrink it to at most 80 million',
    ),
    *(
        refused(f'array of {what}', called(array), 'must be uint8 BGR of shape')
        for what, array in ARRAYS.items()
    ),
    *(
        refused(f'input {value!r}', called(value), says)
        for value, says in (
            (None, 'None is neither an image file'),
            (3, '3 is neither an image file'),
            ('', "'' is neither an image file"),
            ([], 'There is no image'),
            ([None], 'None is neither an image file'),
            ({}, 'is neither an image file'),
            ('no_such_photo.jpg', 'no_such_photo.jpg'),
        )
    ),
    *(
        refused(f'tags {value!r}', asked(tags=value), says)
        for value, says in (
            ('boat', "tags is 'boat', but must be a list of names"),
            (3, 'tags is 3, but must be a list'),
            (['unicorn'], "'unicorn' is none of the classes"),
            (['boat', 'boat'], "tags names 'boat' twice"),
            ([None], 'tags has a name that is None'),
            ([['boat']], 'tags has a name that is'),
            ([''], "tags has a name that is ''"),
        )
    ),
    *(
        refused(f'classes {str(value)[:30]}', asked(tags=None, classes=value), says)
        for value, says in (
            ('boat', "classes is 'boat', but must be a list"),
            ([], r'classes is \[\], but must be a list'),
            (3, 'classes is 3'),
            (['boat', 'boat'], "classes names 'boat' twice"),
            ([None, 'boat'], 'classes has a name that is None'),
            (['boat', ' '], "classes has a name that is ' '"),
            ([f'class {i}' for i in range(300)], '300 classes are too many: name at most 254'),
        )
    ),
    refused('a text for backgrounds', asked(backgrounds='sky'), "backgrounds is 'sky', but must"),
    refused('a number among backgrounds', asked(backgrounds=[3]), 'backgrounds has a name that'),
    refused(
        'one class against nothing',
        asked(tags=None, classes=['boat'], backgrounds=[]),
        "'boat' alone competes with nothing",
    ),
    refused('tags needed', asked(tags=None), 'Say which classes the image shows'),
    refused('settings of another kind', asked(settings=dict(crf=True)), 'must be ExCELSettings'),
    refused('a picture that was not encoded', asked(image='photo.jpg'), 'is no encoded image'),
    refused(
        'dynamic maps of nothing trained',
        asked(settings=otherwise(dynamic=True)),
        'need a trained adapter: give a checkpoint',
    ),
    refused(
        'more blocks than there are',
        asked(settings=otherwise(num_layers=9)),
        r'Settings.num_layers is 9, but must be a whole number in \[0, 8\]',
    ),
    refused(
        'prediction of nothing trained',
        lambda: inferencer().predict(encoded()),
        'needs a trained decoder: give a checkpoint',
    ),
    refused(
        'name that is a path',
        lambda: inferencer().encode(np.zeros((4, 4, 3), np.uint8), name='../there'),
        "name is '../there', but must be the name of a file",
    ),
    question('folder without images', lambda folder: called(folder)(), 'holds no image'),
    question(
        'out_dir is a file',
        lambda folder: called(picture(), out_dir=file_in(folder))(),
        'out_dir .*file.* cannot be a folder.*choose another one',
    ),
    question(
        'out_dir below a file',
        lambda folder: called(picture(), out_dir=file_in(folder) / 'deeper')(),
        'cannot be a folder',
    ),
    question('out_dir is a number', lambda _: called(picture(), out_dir=3)(), 'out_dir is 3'),
    question(
        'two images of one name',
        lambda folder: called(twins(folder), out_dir=folder / 'out')(),
        "Two images are named 'photo'.*would overwrite",
    ),
    question('image is a device', lambda _: called('/dev/zero')(), "'/dev/zero' is a device"),
    question(
        'image is a fifo',
        lambda folder: called(fifo_in(folder))(),
        "fifo.jpg' is a device or a pipe",
    ),
    question('image is a text', lambda folder: called(file_in(folder))(), 'file'),
    *(
        refused(
            f'device {device!r}',
            lambda device=device: TagInferencer('excel_toy', None, device),
            'is no device of this machine: choose from',
        )
        for device in ('cuda:99', 'gpu', '', 3, 'meta', 'cpu:x')
    ),
    *(
        refused(
            f'config {config!r}', lambda config=config: TagInferencer(config, device='cpu'), says
        )
        for config, says in (
            (None, 'A config is given by the name of its file, not by None'),
            (3, 'A config is given by the name of its file, not by 3'),
            ('', "A config is given by the name of its file, not by ''"),
            ({}, 'A config is given by the name of its file'),
            ('excel_mars', "There is no config 'excel_mars'.*excel_voc"),
            (Config({}), 'does not set `test_dataloader.dataset.type`, which this needs'),
            (Config(dict(model=dict(type='ExCEL'))), 'does not set `test_dataloader'),
        )
    ),
    refused(
        'config of another segmentor',
        lambda: TagInferencer(Config(toy_config().to_dict() | dict(model=dict(type='Nothing')))),
        'The config',
    ),
    refused(
        'config without its rooms',
        lambda: TagInferencer(Config(toy_config().to_dict() | dict(model=dict(type='ExCEL')))),
        'The config does not set `model.backbone`, which this needs',
    ),
    question(
        'checkpoint is missing',
        lambda folder: TagInferencer(toy_config(), folder / 'iter_3.pth', 'cpu'),
        'iter_3.pth',
    ),
    question(
        'checkpoint is a text',
        lambda folder: TagInferencer(toy_config(), file_in(folder), 'cpu'),
        'file',
    ),
]


def picture():
    return np.full((8, 8, 3), 90, np.uint8)


def file_in(folder: Path) -> Path:
    (folder / 'file').write_text('text')
    return folder / 'file'


def fifo_in(folder: Path) -> Path:
    os.mkfifo(folder / 'fifo.jpg')
    return folder / 'fifo.jpg'


def twins(folder: Path) -> list[Path]:
    return [folder / 'a' / 'photo.jpg', folder / 'b' / 'photo.jpg']


CASES = [*ROOMS, *KERNELS, *SINGLE, *SEGMENTOR, *SEEN, *CRF, *QUESTIONS]


@pytest.mark.parametrize('case', CASES, ids=str)
def test_bad_settings_are_refused(case, tmp_path):
    case.check(tmp_path)
