"""Several processes that train like one with their joint batch."""

from __future__ import annotations

import torch
from mmengine.config import Config
from mmengine.dist import get_world_size, init_dist, is_distributed
from mmengine.model import is_model_wrapper
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce


def join_processes(cfg: Config) -> None:
    """Connect the processes of ``cfg.launcher``, before they share out files and data.

    On a machine without a GPU torchrun's are connected by gloo: MMEngine connects only those that
    have a GPU each, and tells DDP that the model is there.
    """
    if cfg.launcher == 'pytorch' and not torch.cuda.is_available():
        torch.distributed.init_process_group('gloo')
        if 'model_wrapper_cfg' not in cfg:
            cfg.model_wrapper_cfg = dict(
                type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False
            )
    elif cfg.launcher != 'none':
        init_dist(cfg.launcher, **cfg.get('env_cfg', {}).get('dist_cfg', {}))


def unwrapped(model: nn.Module) -> nn.Module:
    """The model itself, without what distributes it."""
    return model.module if is_model_wrapper(model) else model


def global_sum(value: Tensor) -> Tensor:
    """Sum a tensor over all processes, differentiably."""
    return all_reduce(value) if is_distributed() else value


def global_mean(value: Tensor) -> Tensor:
    """Mean of all elements over all processes, differentiably; a scalar."""
    if not is_distributed():
        return value.mean()
    total = torch.stack([value.sum(), value.new_tensor(value.numel())])
    summed, count = global_sum(total)
    return summed / count


def share_of_global_mean(summed: Tensor, count: Tensor, epsilon: float) -> Tensor:
    """Share of one process in ``Σ summed / (Σ count + epsilon)``, sums over all processes.

    DDP averages gradients over processes, so the share is scaled by their number: averaged
    shares are the mean over the joint batch, in value and in gradient.
    """
    return summed * get_world_size() / (global_sum(count.to(summed.dtype)) + epsilon)
