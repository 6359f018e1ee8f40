"""The device that stages run on, and who shares it."""

from contextvars import ContextVar

import torch

SHARED: ContextVar[int] = ContextVar("shared", default=1)  # stages that have the device together, this one counted


def best_device() -> torch.device:
    """The GPU where there is one. There float32 means float32, not TF32.

    A stage that has it alone tries out which kernels are fastest. Beside others it must not: cuDNN then gives memory
    back to the driver, which spoils what another stream is recording (`imbnas.training.graphs`).
    """
    if not torch.cuda.is_available():
        return torch.device("cpu")
    torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark = False, SHARED.get() == 1
    return torch.device("cuda")


def at_once(device: torch.device, on_processor: int) -> int:
    """How many images are classified at once; their accuracy hardly depends on it."""
    return 2_500 if device.type == "cuda" else on_processor
