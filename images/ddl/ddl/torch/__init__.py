"""PyTorch: ``ddl.torch.distribute(model, optimizer)``, or ``torch.distributed`` with the backend ``ddl``.

``distribution`` holds what programs call; ``reduction`` gives the engine PyTorch's tensors; ``process_group`` is the
backend; ``gpu`` gives each rank its own. Nothing else is changed in PyTorch by itself: a program says what it wants, as
it does with PyTorch's own tools.
"""

from ddl.torch.distribution import average_gradients, broadcast, distribute

__all__ = ["average_gradients", "broadcast", "distribute"]
