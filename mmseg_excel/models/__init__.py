"""The rooms of ExCEL, registered with MMSegmentation."""

from .attribute_text_head import AttributeTextHead
from .clip_backbone import FrozenCLIP
from .clip_es import CLIPES, HalfScoreLabeler
from .excel import ExCEL
from .gradient_cam_head import GradientCAMHead
from .long_side_tta import LongSideTTAModel
from .losses import BalancedCrossEntropyLoss, DiversityLoss
from .lvc_adapter import LVCAdapter
from .pseudo_label import PseudoLabeler
from .svc_neck import SVCNeck
from .transformer_head import TransformerHead
from .tta import ExCELTTAModel
from .weclip import InnerProductAdapter, WeCLIP

__all__ = [
    'AttributeTextHead',
    'BalancedCrossEntropyLoss',
    'CLIPES',
    'DiversityLoss',
    'ExCEL',
    'ExCELTTAModel',
    'FrozenCLIP',
    'GradientCAMHead',
    'HalfScoreLabeler',
    'InnerProductAdapter',
    'LVCAdapter',
    'LongSideTTAModel',
    'PseudoLabeler',
    'SVCNeck',
    'TransformerHead',
    'WeCLIP',
]
