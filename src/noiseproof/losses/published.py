r"""Published combinations: named expressions over the terms.

Defaults are the CIFAR-10 values of the JAL paper's supplement; :mod:`noiseproof.methods` has those of the
other data sets, and of published code where it differs.
"""

from __future__ import annotations

from noiseproof.losses import papers
from noiseproof.losses._base import Combination, Loss, parameter
from noiseproof.losses.definitions import AMSE, CE, MAE, RCE
from noiseproof.losses.operators import normalized


class NCE(Combination, name="nce"):
    r"""Normalised cross-entropy, :math:`\log p_y / \sum_k \log p_k`."""

    title = "Normalised cross-entropy"
    citation = papers.ma_2020("Eq. 2")

    def expression(self) -> Loss:
        return normalized(CE())


class SCE(Combination, name="sce"):
    r"""Symmetric cross-entropy, :math:`\alpha\,\mathrm{CE} + \beta\,\mathrm{RCE}(A)`."""

    title = "Symmetric cross-entropy"
    citation = papers.wang_2019("Sec. 4.1")

    alpha: float = parameter(default=0.1, domain="[0, inf)")
    beta: float = parameter(default=1.0, domain="[0, inf)")
    A: float = parameter(default=-4.0, domain="(-inf, 0)")

    def expression(self) -> Loss:
        return self.alpha * CE() + self.beta * RCE(A=self.A)


class NCERCE(Combination, name="nce+rce"):
    r""":math:`\alpha\,\mathrm{NCE} + \beta\,\mathrm{RCE}(A)`."""

    title = "NCE+RCE"
    citation = papers.ma_2020("Sec. 4")

    alpha: float = parameter(default=1.0, domain="[0, inf)")
    beta: float = parameter(default=1.0, domain="[0, inf)")
    A: float = parameter(default=-4.0, domain="(-inf, 0)")

    def expression(self) -> Loss:
        return self.alpha * NCE() + self.beta * RCE(A=self.A)


class NCEMAE(Combination, name="nce+mae"):
    r""":math:`\alpha\,\mathrm{NCE} + \beta\,(1-p_y)`: all published combinations take MAE without its factor 2."""

    title = "NCE+MAE"
    citation = papers.ma_2020("Sec. 4")

    alpha: float = parameter(default=1.0, domain="[0, inf)")
    beta: float = parameter(default=1.0, domain="[0, inf)")

    def expression(self) -> Loss:
        return self.alpha * NCE() + (self.beta / 2) * MAE()


class JALCE(Combination, name="jal-ce"):
    r"""Joint Asymmetric Loss, :math:`\alpha\,\mathrm{NCE} + \beta\,\mathrm{AMSE}(a, q=2)`."""

    title = "Joint Asymmetric Loss (JAL-CE)"
    citation = papers.wang_2025("Sec. 4")

    alpha: float = parameter(default=1.0, domain="[0, inf)")
    beta: float = parameter(default=1.0, domain="[0, inf)")
    a: float = parameter(default=30.0, domain="[1, inf)")

    def expression(self) -> Loss:
        return self.alpha * NCE() + self.beta * AMSE(a=self.a)
