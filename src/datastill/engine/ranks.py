"""The processes that share one run: which classes each of them owns, and how they tell one another what they found."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Self

import torch
from safetensors.torch import load, save
from torch import Tensor, distributed

from datastill import stopping
from datastill.engine.memory import exhausted
from datastill.errors import LostRankError, UserError

PATIENCE = timedelta(days=7)
"""How long processes wait for what the first one does alone, such as a validation. One that has ended is noticed at once."""
DIGEST = 8
"""Bytes that a text is compared by."""
ERROR = "error"


class Ranks:
    """The processes that share a run; by default this one alone, which then exchanges nothing.

    Every process holds all pixels and takes the same step on them. Each of them computes the gradient of its own classes, and one
    all-gather a step puts the gradients together, so the sum over classes is that of one process.

    Args:
        rank: Number of this process, from 0.
        count: How many there are.

    Attributes:
        asked: A scalar, the number of the signal that asked any of them to stop before the latest exchange; 0 for none.

    Example:
        >>> [list(Ranks(rank, 3).own(10)) for rank in range(3)]
        [[0, 1, 2], [3, 4, 5], [6, 7, 8, 9]]
    """

    def __init__(self, rank: int = 0, count: int = 1) -> None:
        self.rank, self.count = rank, count
        self.asked = torch.zeros(())
        self._group: distributed.ProcessGroup | None = None

    @classmethod
    def joined(cls) -> Self:
        """All processes of the group that ``torch.distributed`` was initialised with.

        Raises:
            UserError: If it was not.
        """
        if not distributed.is_available() or not distributed.is_initialized():
            raise UserError(
                "there are no processes to share the run with: start them with torchrun and initialise its group, or use `share=False`"
            )
        return cls(distributed.get_rank(), distributed.get_world_size())

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and speaks."""
        return self.rank == 0

    def own(self, classes: int) -> range:
        """The classes that this process computes.

        Args:
            classes: Number of classes in all.
        """
        return range(*(rank * classes // self.count for rank in (self.rank, self.rank + 1)))

    def exchange(
        self, by_class: Sequence[Tensor], sums: Sequence[Tensor], classes: int, asked: int = 0
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Put together what the processes found, in one all-gather.

        Args:
            by_class: Tensors with a leading axis of the own classes; the other axes are the same in every process.
            sums: Scalars, to be summed over processes.
            classes: How many there are in all processes.
            asked: The signal that asked this process to stop; 0 for none.

        Returns:
            The first with all classes in order, and the sums. A tensor of one process is the same to the bit in all of them.

        Raises:
            LostRankError: If another process has ended.
        """
        if self.count == 1:
            self.asked = torch.tensor(float(asked))
            return list(by_class), list(sums)
        owned = [Ranks(rank, self.count).own(classes) for rank in range(self.count)]
        most, mine, device = max(map(len, owned)), len(owned[self.rank]), sums[0].device if sums else by_class[0].device
        rows = [each.detach().reshape(mine, -1).float() for each in by_class]
        padded = [torch.cat([each, each.new_zeros(most - mine, each.shape[1])]).flatten() for each in rows]
        flag = torch.tensor([float(asked)], device=device)
        sent = torch.cat([*padded, *(each.detach().reshape(1).float() for each in sums), flag])
        received = torch.empty(self.count * len(sent), device=device)
        with _talking():
            distributed.all_gather_into_tensor(received, sent)
        parts = torch.split(received.reshape(self.count, -1), [*map(len, padded), *([1] * len(sums)), 1], 1)
        self.asked = parts[-1].max()
        places = torch.tensor([rank * most + row for rank, each in enumerate(owned) for row in range(len(each))], device=device)
        whole = [
            part.reshape(self.count * most, -1)[places].reshape(classes, *each.shape[1:]).to(each.dtype)
            for part, each in zip(parts, by_class, strict=False)
        ]
        return whole, [part.sum() for part in parts[len(by_class) : -1]]

    def summed(self, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Tensors of the same shapes in every process, summed over processes in one all-reduce.

        Raises:
            LostRankError: If another process has ended.
        """
        if self.count == 1:
            return tuple(tensors)
        flat = torch.cat([each.detach().flatten() for each in tensors])
        with _talking():
            distributed.all_reduce(flat)
        parts = torch.split(flat, [each.numel() for each in tensors])
        return tuple(part.reshape(each.shape) for part, each in zip(parts, tensors, strict=True))

    def from_first(self, make: Callable[[], Mapping[str, Tensor]]) -> dict[str, Tensor]:
        """Have the first process make tensors, which all of them get, on the CPU; what it refuses, all of them refuse.

        Raises:
            UserError: If `make` does.
            LostRankError: If another process has ended.
        """
        if self.count == 1:
            return dict(make())
        refused: UserError | None = None
        packed = b""
        if self.first:
            try:
                packed = save({name: value.detach().cpu().contiguous() for name, value in make().items()})
            except UserError as error:
                refused, packed = error, save({ERROR: _bytes(str(error).encode())})
        size = torch.tensor(len(packed))
        with _talking():
            distributed.broadcast(size, 0, self._patient)
            content = _bytes(packed) if self.first else torch.empty(int(size), dtype=torch.uint8)
            distributed.broadcast(content, 0, self._patient)
        if refused is not None:
            raise refused
        tensors = load(bytes(content.numpy()))
        if set(tensors) == {ERROR}:
            raise UserError(bytes(tensors[ERROR].numpy()).decode())
        return tensors

    def same(self, text: str, what: str) -> None:
        """Refuse to go on where a text is not the same in all processes.

        Args:
            text: Of this process.
            what: What it says, for the message.

        Raises:
            UserError: If it is not.
            LostRankError: If another process has ended.
        """
        if self.count == 1:
            return
        mine = _bytes(hashlib.blake2b(text.encode(), digest_size=DIGEST).digest())
        found = [torch.empty_like(mine) for _ in range(self.count)]
        with _talking():
            distributed.all_gather(found, mine, self._patient)
        for rank, each in enumerate(found):
            if not torch.equal(each, found[0]):
                raise UserError(f"process {rank} does not have the same {what} as process 0: give all of them the same files and options")

    def wait(self) -> None:
        """Wait for all processes, however long the first one takes.

        Raises:
            LostRankError: If another process has ended.
        """
        if self.count > 1:
            with _talking():
                distributed.barrier(self._patient)

    def leave(self) -> None:
        """Give up what belongs to this run; the caller's group stays."""
        if self._group is not None:
            distributed.destroy_process_group(self._group)
            self._group = None

    @property
    def _patient(self) -> distributed.ProcessGroup | None:
        """The same processes, which wait for one another as long as it takes; made when all of them have found nothing to refuse."""
        if self._group is None:
            group = distributed.new_group(backend="gloo", timeout=PATIENCE)
            self._group = group if isinstance(group, distributed.ProcessGroup) else None
        return self._group


@contextlib.contextmanager
def _talking() -> Iterator[None]:
    """Turn what torch says when a process is gone into one line; where this one was asked to stop as well, it stops."""
    try:
        yield
    except RuntimeError as error:
        if exhausted(error):
            raise
        stopping.check()
        raise LostRankError("another process of this run has ended or does not answer; `datastill.resume` continues the run") from error


def _bytes(content: bytes) -> Tensor:
    return torch.frombuffer(bytearray(content), dtype=torch.uint8) if content else torch.empty(0, dtype=torch.uint8)
