r"""Published combinations: named expressions over the terms.

Defaults are the CIFAR-10 values of the papers, which are also taken wherever nothing is published for the data;
``make_loss(…, preset=…)`` has those of the other data sets, and of published code where it differs.
"""

from __future__ import annotations

from noiseproof.losses import papers
from noiseproof.losses.base import Combination, Limit, Loss, flag, parameter
from noiseproof.losses.definitions import AEL, AGCE, AMSE, AUL, CE, FL, MAE, RCE
from noiseproof.losses.operators import negative, normalized


class NCE(Combination, name="nce"):
    r"""Normalized cross-entropy, :math:`\log p_y / \sum_k \log p_k`."""

    title = "Normalized cross-entropy"
    citation = papers.ma_2020("Eq. 2")

    def expression(self) -> Loss:
        return normalized(CE())


class NFL(Combination, name="nfl"):
    r"""Normalized focal loss, :math:`\varphi_y / \sum_k \varphi_k` with :math:`\varphi_k = -(1-p_k)^\gamma\log p_k`."""

    title = "Normalized focal loss"
    citation = papers.ma_2020("Eq. 5")
    limits = (Limit({"gamma": 0.0}, "nce"),)

    gamma: float = parameter(default=0.5, domain="[0, 1e30]")
    detached: bool = flag(default=True)

    def expression(self) -> Loss:
        return normalized(FL(gamma=self.gamma, detached=self.detached))


class NNCE(Combination, name="nnce"):
    r"""Normalized negative cross-entropy, :math:`1 - u_y/\sum_k u_k`, :math:`u_k = \log(\max(p_k, p_{\min})/p_{\min})`.

    The floor matters: as it tends to 0 the gradient shrinks like :math:`1/\log p_{\min}`. The ANL code has 1e-7, the
    JAL code 1e-8.
    """

    title = "Normalized negative cross-entropy"
    citation = papers.ye_2023("Sec. 3")

    p_min: float = parameter(default=1e-8, domain="(0, 0.5)")

    def expression(self) -> Loss:
        return negative(CE(), self.p_min)


class NNFL(Combination, name="nnfl"):
    r"""Normalized negative focal loss: :class:`NNCE` with the focal loss in place of cross-entropy."""

    title = "Normalized negative focal loss"
    citation = papers.ye_2023("Sec. 3")
    limits = (Limit({"gamma": 0.0}, "nnce"),)

    gamma: float = parameter(default=0.5, domain="[0, 1e30]")
    p_min: float = parameter(default=1e-8, domain="(0, 0.5)")
    detached: bool = flag(default=True)

    def expression(self) -> Loss:
        return negative(FL(gamma=self.gamma, detached=self.detached), self.p_min)


class SymmetricCrossEntropyLoss(Combination, name="sce"):
    r"""Symmetric cross-entropy, :math:`\alpha\,\mathrm{CE} + \beta\,\mathrm{RCE}(A)`."""

    title = "Symmetric cross-entropy"
    citation = papers.wang_2019("Sec. 4.1")

    alpha: float = parameter(default=0.1, domain="[0, 1e30]")
    beta: float = parameter(default=1.0, domain="[0, 1e30]")
    A: float = parameter(default=-4.0, domain="[-1e30, 0)")

    def expression(self) -> Loss:
        return self.alpha * CE() + self.beta * RCE(A=self.A)


class _Pair(Combination):
    """Two weighted parts."""

    alpha: float = parameter(default=1.0, domain="[0, 1e30]")
    beta: float = parameter(default=1.0, domain="[0, 1e30]")


class ActivePassiveLoss(_Pair, name="nce+rce"):
    r"""Active passive loss, :math:`\alpha\,\mathrm{NCE} + \beta\,\mathrm{RCE}(A)`."""

    title = "NCE+RCE"
    citation = papers.ma_2020("Sec. 4")

    A: float = parameter(default=-4.0, domain="[-1e30, 0)")

    def expression(self) -> Loss:
        return self.alpha * NCE() + self.beta * RCE(A=self.A)


class NCEMAE(_Pair, name="nce+mae"):
    r""":math:`\alpha\,\mathrm{NCE} + \beta\,(1-p_y)`: the published combination has no factor 2 in MAE."""

    title = "NCE+MAE"
    citation = papers.ma_2020("Sec. 4")

    def expression(self) -> Loss:
        return self.alpha * NCE() + (self.beta / 2) * MAE()


class NFLRCE(_Pair, name="nfl+rce"):
    r""":math:`\alpha\,\mathrm{NFL}(\gamma) + \beta\,\mathrm{RCE}(A)`."""

    title = "NFL+RCE"
    citation = papers.ma_2020("Sec. 4")

    gamma: float = parameter(default=0.5, domain="[0, 1e30]")
    A: float = parameter(default=-4.0, domain="[-1e30, 0)")

    def expression(self) -> Loss:
        return self.alpha * NFL(gamma=self.gamma) + self.beta * RCE(A=self.A)


class NFLMAE(_Pair, name="nfl+mae"):
    r""":math:`\alpha\,\mathrm{NFL}(\gamma) + \beta\,(1-p_y)`: the published combination has no factor 2 in MAE."""

    title = "NFL+MAE"
    citation = papers.ma_2020("Sec. 4")

    gamma: float = parameter(default=0.5, domain="[0, 1e30]")

    def expression(self) -> Loss:
        return self.alpha * NFL(gamma=self.gamma) + (self.beta / 2) * MAE()


class NCEAUL(_Pair, name="nce+aul"):
    r""":math:`\alpha\,\mathrm{NCE} + \beta\,\mathrm{AUL}(a, p)`."""

    title = "NCE+AUL"
    citation = papers.zhou_2021("Sec. 5")

    beta: float = parameter(default=3.0, domain="[0, 1e30]")
    a: float = parameter(default=6.3, domain="(1, inf)")
    p: float = parameter(default=1.5, domain="(0, inf)")

    def expression(self) -> Loss:
        return self.alpha * NCE() + self.beta * AUL(a=self.a, p=self.p)


class NCEAGCE(_Pair, name="nce+agce"):
    r""":math:`\alpha\,\mathrm{NCE} + \beta\,\mathrm{AGCE}(a, q)`."""

    title = "NCE+AGCE"
    citation = papers.zhou_2021("Sec. 5")

    alpha: float = parameter(default=10.0, domain="[0, 1e30]")
    beta: float = parameter(default=4.0, domain="[0, 1e30]")
    a: float = parameter(default=6.0, domain="[0, inf)")
    q: float = parameter(default=1.5, domain="(0, inf)")

    def expression(self) -> Loss:
        return self.alpha * NCE() + self.beta * AGCE(a=self.a, q=self.q)


class NCEAEL(_Pair, name="nce+ael"):
    r""":math:`\alpha\,\mathrm{NCE} + \beta\,\mathrm{AEL}(a)`."""

    title = "NCE+AEL"
    citation = papers.zhou_2021("Sec. 5")

    beta: float = parameter(default=4.0, domain="[0, 1e30]")
    a: float = parameter(default=5.0, domain="(0, inf)")

    def expression(self) -> Loss:
        return self.alpha * NCE() + self.beta * AEL(a=self.a)


class NFLAUL(_Pair, name="nfl+aul"):
    r""":math:`\alpha\,\mathrm{NFL}(\gamma) + \beta\,\mathrm{AUL}(a, p)`."""

    title = "NFL+AUL"
    citation = papers.zhou_2021("Sec. 5")

    beta: float = parameter(default=3.0, domain="[0, 1e30]")
    gamma: float = parameter(default=0.5, domain="[0, 1e30]")
    a: float = parameter(default=6.3, domain="(1, inf)")
    p: float = parameter(default=1.5, domain="(0, inf)")

    def expression(self) -> Loss:
        return self.alpha * NFL(gamma=self.gamma) + self.beta * AUL(a=self.a, p=self.p)


class NFLAGCE(_Pair, name="nfl+agce"):
    r""":math:`\alpha\,\mathrm{NFL}(\gamma) + \beta\,\mathrm{AGCE}(a, q)`."""

    title = "NFL+AGCE"
    citation = papers.zhou_2021("Sec. 5")

    alpha: float = parameter(default=10.0, domain="[0, 1e30]")
    beta: float = parameter(default=4.0, domain="[0, 1e30]")
    gamma: float = parameter(default=0.5, domain="[0, 1e30]")
    a: float = parameter(default=6.0, domain="[0, inf)")
    q: float = parameter(default=1.5, domain="(0, inf)")

    def expression(self) -> Loss:
        return self.alpha * NFL(gamma=self.gamma) + self.beta * AGCE(a=self.a, q=self.q)


class NFLAEL(_Pair, name="nfl+ael"):
    r""":math:`\alpha\,\mathrm{NFL}(\gamma) + \beta\,\mathrm{AEL}(a)`."""

    title = "NFL+AEL"
    citation = papers.zhou_2021("Sec. 5")

    beta: float = parameter(default=4.0, domain="[0, 1e30]")
    gamma: float = parameter(default=0.5, domain="[0, 1e30]")
    a: float = parameter(default=5.0, domain="(0, inf)")

    def expression(self) -> Loss:
        return self.alpha * NFL(gamma=self.gamma) + self.beta * AEL(a=self.a)


class AGCEMAE(_Pair, name="agce+mae"):
    r""":math:`\alpha\,\mathrm{AGCE}(a, q) + \beta\,(1-p_y)`: the published combination has no factor 2 in MAE."""

    title = "AGCE+MAE"
    citation = papers.wang_2025("Supplement, Table 1")

    a: float = parameter(default=6.0, domain="[0, inf)")
    q: float = parameter(default=1.5, domain="(0, inf)")

    def expression(self) -> Loss:
        return self.alpha * AGCE(a=self.a, q=self.q) + (self.beta / 2) * MAE()


class ActiveNegativeLoss(_Pair, name="anl-ce"):
    r"""Active negative loss, :math:`\alpha\,\mathrm{NCE} + \beta\,\mathrm{NNCE}(p_{\min})`."""

    title = "ANL-CE"
    citation = papers.ye_2023("Sec. 3")

    alpha: float = parameter(default=5.0, domain="[0, 1e30]")
    beta: float = parameter(default=5.0, domain="[0, 1e30]")
    p_min: float = parameter(default=1e-8, domain="(0, 0.5)")

    def expression(self) -> Loss:
        return self.alpha * NCE() + self.beta * NNCE(p_min=self.p_min)


class ANLFL(_Pair, name="anl-fl"):
    r"""Active negative loss, :math:`\alpha\,\mathrm{NFL}(\gamma) + \beta\,\mathrm{NNFL}(\gamma, p_{\min})`."""

    title = "ANL-FL"
    citation = papers.ye_2023("Sec. 3")
    limits = (Limit({"gamma": 0.0}, "anl-ce"),)

    alpha: float = parameter(default=5.0, domain="[0, 1e30]")
    beta: float = parameter(default=5.0, domain="[0, 1e30]")
    gamma: float = parameter(default=0.5, domain="[0, 1e30]")
    p_min: float = parameter(default=1e-8, domain="(0, 0.5)")

    def expression(self) -> Loss:
        return self.alpha * NFL(gamma=self.gamma) + self.beta * NNFL(gamma=self.gamma, p_min=self.p_min)


class JointAsymmetricLoss(_Pair, name="jal-ce"):
    r"""Joint Asymmetric Loss, :math:`\alpha\,\mathrm{NCE} + \beta\,\mathrm{AMSE}(a, q=2)`."""

    title = "JAL-CE"
    citation = papers.wang_2025("Sec. 4")

    a: float = parameter(default=30.0, domain="[1, inf)")

    def expression(self) -> Loss:
        return self.alpha * NCE() + self.beta * AMSE(a=self.a)


class JALFL(_Pair, name="jal-fl"):
    r"""Joint Asymmetric Loss, :math:`\alpha\,\mathrm{NFL}(\gamma) + \beta\,\mathrm{AMSE}(a, q=2)`."""

    title = "JAL-FL"
    citation = papers.wang_2025("Sec. 4")
    limits = (Limit({"gamma": 0.0}, "jal-ce"),)

    a: float = parameter(default=30.0, domain="[1, inf)")
    gamma: float = parameter(default=0.5, domain="[0, 1e30]")

    def expression(self) -> Loss:
        return self.alpha * NFL(gamma=self.gamma) + self.beta * AMSE(a=self.a)


SCE = SymmetricCrossEntropyLoss
NCERCE = ActivePassiveLoss
ANLCE = ActiveNegativeLoss
JALCE = JointAsymmetricLoss
