from .voc import prepare_voc

__all__ = ['prepare_voc']
