"""PyTorch: ``ddl.torch.distribute(model, optimizer)``, or ``torch.distributed`` with the backend ``ddl``.

``distribution`` has the functions for programs; ``reduction`` passes PyTorch's tensors to the engine; ``process_group``
is the backend; ``gpu`` selects each rank's GPU. Nothing else in PyTorch is changed automatically: a program asks for
it, as with PyTorch's own tools.
"""

from ddl.torch.distribution import average_gradients, broadcast, distribute

__all__ = ["average_gradients", "broadcast", "distribute"]
