"""The rooms of ExCEL, registered with MMSegmentation."""

from .attribute_text_head import AttributeTextHead
from .clip_backbone import FrozenCLIP
from .excel import ExCEL
from .losses import BalancedCrossEntropyLoss, DiversityLoss
from .lvc_adapter import LVCAdapter
from .pseudo_label import PseudoLabeler
from .svc_neck import SVCNeck
from .transformer_head import TransformerHead
from .tta import ExCELTTAModel

__all__ = [
    'AttributeTextHead',
    'BalancedCrossEntropyLoss',
    'DiversityLoss',
    'ExCEL',
    'ExCELTTAModel',
    'FrozenCLIP',
    'LVCAdapter',
    'PseudoLabeler',
    'SVCNeck',
    'TransformerHead',
]
