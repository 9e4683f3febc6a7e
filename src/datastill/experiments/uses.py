"""The applications that papers name, and the paper's figures of embeddings, as specifications."""

from __future__ import annotations

from datastill.engine.policy import Policy
from datastill.evaluation import Protocol
from datastill.experiments.application import ApplicationExperiment, SetRow
from datastill.experiments.cell import REAL
from datastill.experiments.embeddings.specification import EmbeddingExperiment
from datastill.experiments.privacy.specification import PrivacyExperiment
from datastill.experiments.search.specification import SearchExperiment

HINGE = ("cc.form=hinge", "cc.weight=0.05", "cc.alpha=0.3", "balance=0")
HINGE_ON_DIGITS = ("cc.form=hinge", "cc.weight=0.3", "cc.alpha=0.02", "balance=0")
NOISE = ("initialisation=noise",)
SMALL = Policy("fp32", compile=False)

ATTACKED = (
    SetRow(REAL, ipc=0, epochs=100),
    SetRow("random", iterations=0),
    SetRow("dm"),
    SetRow("dm", NOISE, label="dm-noise"),
    SetRow("dm+iid"),
    SetRow("dm+iid", NOISE, label="dm+iid-noise"),
)
FEW = ("real_batch=32",)
ATTACKED_DIGITS = (
    SetRow(REAL, ipc=0, epochs=100),
    SetRow("random", iterations=0),
    SetRow("dm", FEW),
    SetRow("dm", (*FEW, *NOISE), label="dm-noise"),
)

USES: dict[str, ApplicationExperiment] = {
    "architecture-search-cifar10": SearchExperiment(
        title="Architecture search: ranking 720 ConvNets, CIFAR-10, IPC 10",
        data="cifar10",
        rows=(SetRow(REAL, ipc=0), SetRow("random", iterations=0), SetRow("dm"), SetRow("dm+iid")),
        iterations=2000,
        ipc=10,
        protocol=Protocol(epochs=200),
    ),
    "architecture-search-digits": SearchExperiment(
        title="Architecture search: ranking 24 ConvNets, scikit-learn's digits, IPC 2",
        data="digits",
        rows=(SetRow(REAL, ipc=0, epochs=10), SetRow("random", iterations=0), SetRow("dm", FEW), SetRow("dm+cm", FEW)),
        iterations=50,
        ipc=2,
        protocol=Protocol(epochs=60),
        policy=SMALL,
        architectures=24,
        widest=32,
        remark="A small version of architecture-search-cifar10: fewer and narrower networks, 10 epochs on the real images and 60 on the "
        "sets instead of 200. One network of each architecture is trained, so part of every rank is the luck of its weights. "
        "The processor was shared with other work, so the seconds are too many, and not by the same factor in every row. The best few "
        "networks differ so little that no small set ranks them: only the correlations over many networks say something.",
    ),
    "privacy-cifar10": PrivacyExperiment(
        title="Membership inference, CIFAR-10, IPC 50: sets made from 10,000 of 20,000 images",
        data="cifar10",
        rows=ATTACKED,
        iterations=2000,
        ipc=50,
        pool=20_000,
        models=32,
    ),
    "privacy-audit-cifar10": PrivacyExperiment(
        title="Membership inference on 500 mislabelled images, CIFAR-10, IPC 50",
        data="cifar10",
        rows=ATTACKED,
        iterations=2000,
        ipc=50,
        pool=20_000,
        audit=500,
        models=32,
    ),
    "privacy-digits": PrivacyExperiment(
        title="Membership inference, scikit-learn's digits, IPC 2",
        data="digits",
        rows=ATTACKED_DIGITS,
        iterations=30,
        ipc=2,
        protocol=Protocol(epochs=40),
        policy=SMALL,
        models=8,
        remark="A small version of privacy-cifar10, with 8 sets of each kind instead of 32: the likelihood ratio has 6 shadow models.",
    ),
    "privacy-audit-digits": PrivacyExperiment(
        title="Membership inference on 100 mislabelled images, scikit-learn's digits, IPC 2",
        data="digits",
        rows=ATTACKED_DIGITS,
        iterations=30,
        ipc=2,
        protocol=Protocol(epochs=40),
        policy=SMALL,
        pool=600,
        audit=100,
        models=8,
        remark="A small version of privacy-audit-cifar10, with 8 sets of each kind instead of 32.",
    ),
    "figure1": EmbeddingExperiment(
        title="Synthetic images in a pretrained ResNet18 (Figure 1 of the paper), CIFAR-10",
        data="cifar10",
        rows=tuple(SetRow(method, label=f"{method}-ipc{ipc}", ipc=ipc) for ipc in (10, 50) for method in ("dm", "dm+iid")),
        iterations=2000,
        ipc=10,
        remark="The paper draws synthetic images alone and says nothing of how its network was trained.",
    ),
    "figure1-digits": EmbeddingExperiment(
        title="Synthetic images in a pretrained ResNet18, scikit-learn's digits",
        data="digits",
        rows=tuple(SetRow(method, FEW, label=f"{method}-ipc{ipc}", ipc=ipc) for ipc in (2, 5) for method in ("dm", "dm+cm")),
        iterations=50,
        ipc=2,
        policy=SMALL,
        remark="A small version of figure1. `dm+cm` is the inter-feature constraint alone, which reads no pretrained network.",
    ),
    "figure3-digits": EmbeddingExperiment(
        title="Thresholds beta of class centralization in a pretrained ResNet18, scikit-learn's digits",
        data="digits",
        rows=(
            SetRow("dm", FEW),
            *(SetRow("dm+cc", (*FEW, *HINGE_ON_DIGITS, f"cc.beta={beta}"), label=f"beta{beta}") for beta in (0.0, 1.0, 1.1, 1.3)),
        ),
        iterations=60,
        ipc=10,
        preset="fast",
        policy=SMALL,
        remark="A small version of figure3. The sets of `beta0.0` and `beta1.0` differ in nothing but rounding, as the exponential of the "
        "hinge is never below 1.",
    ),
    "figure3": EmbeddingExperiment(
        title="Thresholds beta of class centralization in a pretrained ResNet18 (Figure 3 of the paper), CIFAR-10, IPC 10",
        data="cifar10",
        rows=tuple(SetRow("dm+cc", (*HINGE, f"cc.beta={beta}"), label=f"beta{beta}") for beta in (0.0, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0)),
        iterations=2000,
        ipc=10,
        remark="The form is that of Eq. 3. Its exponential is never below 1, so a beta below 1 changes the loss by a constant and no "
        "gradient: the sets of all betas to 1 are the same, bit for bit. The paper's figure shows them different.",
    ),
}
"""By name."""
