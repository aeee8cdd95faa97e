"""Forward correction: the loss of what the network would say if it told of noisy labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from noiseproof.losses import parameter
from noiseproof.methods._robust_loss import RobustLoss

if TYPE_CHECKING:
    from torch import Tensor

    from noiseproof.methods._base import Batch, EpochStart


class ForwardCorrection(RobustLoss, name="forward"):
    r"""The loss of the noisy labels under the noisy probabilities :math:`T^\top p`.

    The transition matrix T[true, noisy] is estimated from a first network, which is trained with the plain loss for
    ``share`` of the epochs: row k is what it says of the training sample that it holds most surely for class k. Then a
    network begins anew. With cross-entropy the loss is :math:`-\log (T^\top p)_{\tilde y}`; another loss is applied to
    the logarithms of the noisy probabilities in place of logits, whose softmax they are.

    Source: Patrini, Rozza, Menon, Nock, Qu, "Making Deep Neural Networks Robust to Label Noise: a Loss Correction
    Approach", CVPR 2017. There a high quantile takes the place of the surest sample for CIFAR.
    """

    share: float = parameter(default=0.3, domain="(0, 1)")
    compiles = False

    matrix: Tensor
    corrects = False

    def begin(self, num_samples: int, num_classes: int) -> None:  # noqa: ARG002
        """See :meth:`noiseproof.methods.Method.begin`."""
        self.register_buffer("matrix", torch.eye(num_classes))

    def phases(self, epochs: int) -> tuple[int, ...]:
        """See :meth:`noiseproof.methods.Method.phases`; a run of one epoch has no first network."""
        first = min(max(1, round(self.share * epochs)), epochs - 1)
        return (first, epochs - first) if first else (epochs,)

    def start_epoch(self, state: EpochStart) -> None:
        """See :meth:`noiseproof.methods.Method.start_epoch`."""
        first, *rest = self.phases(state.epochs)
        if rest and state.epoch == first:
            self.matrix.copy_(estimate_transition_matrix(state.probabilities()))
            self.corrects = True

    def get_extra_state(self) -> bool:
        """What a checkpoint holds besides the matrix: whether it has been estimated."""
        return self.corrects

    def set_extra_state(self, state: bool) -> None:
        """Take it back from a checkpoint."""
        self.corrects = state

    def criterion_of(self, logits: Tensor, batch: Batch) -> Tensor:
        """The loss under the noisy probabilities; of a label that was checked, under the clean ones."""
        if not self.corrects:
            return super().criterion_of(logits, batch)
        clean = logits.softmax(1)
        noisy = clean @ self.matrix.to(logits.dtype)
        if batch.trusted is not None:
            noisy = torch.where(batch.trusted[:, None], clean, noisy)
        return super().criterion_of(noisy.log(), batch)


_LEAST = 1e-8
"""Of an estimated probability, so that no label is impossible."""


def estimate_transition_matrix(probabilities: Tensor) -> Tensor:
    """T[true, noisy], whose row k is the row of ``probabilities`` with the largest value in column k.

    Args:
        probabilities: ``(N, classes)``, what a network that was trained on noisy labels says of its training samples.

    Returns:
        ``(classes, classes)``, rows that sum to 1, without zeros.
    """
    rows = probabilities[probabilities.argmax(0)].clamp_min(_LEAST)
    return rows / rows.sum(1, keepdim=True)
