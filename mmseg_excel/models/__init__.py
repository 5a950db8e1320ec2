"""The rooms of ExCEL, registered with MMSegmentation."""

from ..clip.frozen_clip import FrozenCLIP
from .attribute_text_head import AttributeTextHead
from .clip_es import CLIPES, HalfScoreLabeler
from .data_preprocessor import AsyncDataPreProcessor
from .excel import ExCEL
from .gradient_cam_head import GradientCAMHead
from .losses import BalancedCrossEntropyLoss, DiversityLoss
from .lvc_adapter import LVCAdapter
from .pseudo_label import PseudoLabeler
from .svc_neck import SVCNeck
from .transformer_head import TransformerHead
from .weclip import InnerProductAdapter, WeCLIP

__all__ = [
    'AsyncDataPreProcessor',
    'AttributeTextHead',
    'BalancedCrossEntropyLoss',
    'CLIPES',
    'DiversityLoss',
    'ExCEL',
    'FrozenCLIP',
    'GradientCAMHead',
    'HalfScoreLabeler',
    'InnerProductAdapter',
    'LVCAdapter',
    'PseudoLabeler',
    'SVCNeck',
    'TransformerHead',
    'WeCLIP',
]
