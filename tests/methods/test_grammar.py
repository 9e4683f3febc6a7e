from __future__ import annotations

import pytest

from datastill.encoders import FreshNetwork, PretrainedPool
from datastill.errors import UserError
from datastill.methods import METHODS, DistributionMatching
from datastill.setting import PRESETS, Setting
from datastill.terms import TERMS, ClassCentralization, CovarianceMatching, KernelMatching, MeanMatching
from small_methods import matching as method


def test_the_base_method_is_the_papers() -> None:
    dm = method("dm")
    assert dm.terms == (MeanMatching(weight=1.0),)
    assert (dm.learning_rate, dm.momentum, dm.real_batch, dm.initialisation, dm.augment) == (1.0, 0.5, 256, "real", True)
    assert dm.encoders == {"matching": FreshNetwork("convnet")}


@pytest.mark.parametrize(("data", "ipc", "rate"), [("cifar10", 99, 1), ("cifar10", 100, 10), ("cifar10", 200, 10), ("cifar100", 100, 1)])
def test_the_learning_rate_of_many_images(data: str, ipc: int, rate: float) -> None:
    assert method("dm", data=data, ipc=ipc).learning_rate == rate


@pytest.mark.parametrize(
    ("name", "terms"),
    [
        ("dm", ["mm"]),
        ("dm+cc", ["mm", "cc"]),
        ("dm+cm", ["mm", "cm"]),
        ("dm+cm+cc", ["mm", "cm", "cc"]),
        ("dm+iid", ["mm", "cc", "cm"]),
        ("DM+IID", ["mm", "cc", "cm"]),
    ],
)
def test_names_compose(name: str, terms: list[str]) -> None:
    composed = method(name)
    assert [term.name for term in composed.terms] == terms
    assert composed.name == name.lower()


def test_iid_is_both_constraints_at_every_setting() -> None:
    for ipc in (2, 10, 50):
        for preset in PRESETS:
            iid, both = (method(name, ipc=ipc, preset=preset) for name in ("dm+iid", "dm+cc+cm"))
            assert iid.terms == both.terms


def test_the_fast_preset_takes_bigger_steps_averages_them_and_sees_fewer_real_images() -> None:
    fast, paper = (method("dm+iid", preset=preset) for preset in ("fast", "paper"))
    assert (fast.learning_rate, fast.real_batch, fast.averaging, fast.encoders["pretrained"].every) == (5.0, 64, 0.99, 1)
    assert (paper.learning_rate, paper.real_batch, paper.averaging, paper.encoders["pretrained"].every) == (1.0, 256, 0.0, 1)
    assert fast.terms == paper.terms
    assert [method("dm", ipc=ipc, preset="fast").learning_rate for ipc in (1, 2, 10, 50)] == [1.0, 1.0, 5.0, 10.0]


def test_terms_come_with_their_published_values() -> None:
    for ipc in (1, 10, 50):
        assert method("dm+iid", ipc=ipc).terms[1:] == (ClassCentralization(), CovarianceMatching(weight=0.01))
    assert method("dm+iid", ipc=50, preset="code").terms[1:] == (
        ClassCentralization(weight=0.003, form="squared"),
        CovarianceMatching(weight=0.01),
    )


def test_settings_change_fields_and_keep_their_types() -> None:
    changed = method(
        "dm+iid",
        settings=[
            "cc.weight=1", "cc.form=squared", "cm.weight=2e-3", "real_batch=64", "learning_rate=5", "augment=no", "initialisation=noise",
            "pretrained.count=3", "pretrained.network=convnet", "matching.network=alexnet",
        ],
    )  # fmt: skip
    _, cc, cm = changed.terms
    assert isinstance(cc, ClassCentralization)
    assert (cc.weight, type(cc.weight), cc.form) == (1.0, float, "squared")
    assert cm.weight == 0.002
    assert (changed.real_batch, type(changed.real_batch)) == (64, int)
    assert (changed.learning_rate, type(changed.learning_rate)) == (5.0, float)
    assert (changed.augment, changed.initialisation) == (False, "noise")
    pool = changed.encoders["pretrained"]
    assert isinstance(pool, PretrainedPool)
    assert (pool.count, pool.network) == (3, "convnet")
    assert changed.encoders["matching"].network == "alexnet"
    assert changed.terms[0] == MeanMatching()
    assert changed.momentum == 0.5


@pytest.mark.parametrize(("text", "expected"), [("5,10", (5, 10)), ("7", (7,)), ("", ()), ("3,", (3,)), ("12000,16000", (12000, 16000))])
def test_several_numbers_are_separated_by_commas(text: str, expected: tuple[int, ...]) -> None:
    for base in ("dm", "cafe"):  # with none before, and with three
        changed = method(base, settings=[f"halve_at={text}"])
        assert changed.halve_at == expected
        assert {type(number) for number in changed.halve_at} <= {int}


def test_numbers_of_a_term_keep_their_type() -> None:
    (kernel,) = method("m3d", settings=["km.scales=0.5,1"]).terms
    assert isinstance(kernel, KernelMatching)
    assert kernel == KernelMatching(scales=(0.5, 1.0))
    assert {type(scale) for scale in kernel.scales} == {float}


def test_settings_count_together_whatever_their_order() -> None:
    assert method("cafe", settings=["views=2", "augment=yes"]) == method("cafe", settings=["augment=yes", "views=2"])
    assert not method("idm+dl", settings=["by_class=no"]).by_class


def test_the_last_setting_counts_and_none_changes_the_next_method() -> None:
    assert method("dm", settings=["real_batch=64", "real_batch=32"]).real_batch == 32
    assert method("dm").real_batch == 256


@pytest.mark.parametrize(("text", "expected"), [("true", True), ("Yes", True), ("1", True), ("false", False), ("no", False), ("0", False)])
def test_switches(text: str, expected: bool) -> None:
    assert method("dm", settings=[f"augment={text}"]).augment is expected


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("dn", {}, "unknown method 'dn'. Did you mean 'dm'"),
        ("", {}, "unknown method ''"),
        ("iid", {}, "METHOD.+TERM"),
        ("dm+iiid", {}, "unknown term 'iiid'. Did you mean 'iid'.*in the method 'dm.iiid'"),
        ("dm+", {}, "unknown term ''"),
        ("dm+cc+cc", {}, "a term twice: mm, cc, cc"),
        ("dm+iid+cm", {}, "a term twice: mm, cc, cm, cm"),
        ("dm+mm", {}, "a term twice"),
        ("dm", {"preset": "papier"}, "unknown preset 'papier'. Did you mean 'paper'"),
        ("dm", {"settings": ["real_bath=3"]}, "unknown setting of dm 'real_bath'. Did you mean 'real_batch'"),
        ("dm", {"settings": ["name=other"]}, "unknown setting of dm 'name'"),
        ("dm", {"settings": ["terms=mm"]}, "unknown setting of dm 'terms'"),
        ("dm", {"settings": ["encoders=fresh"]}, "unknown setting of dm 'encoders'"),
        ("dm", {"settings": ["halve_at=5;10"]}, "dm.halve_at must be whole numbers separated by commas, got '5;10'"),
        ("dm", {"settings": ["halve_at=1.5"]}, "dm.halve_at must be whole numbers separated by commas, got '1.5'"),
        ("m3d", {"settings": ["km.scales=wide"]}, "km.scales must be numbers separated by commas, got 'wide'"),
        ("m3d", {"settings": ["km.scales="]}, "scales of kernel matching must be numbers above 0, got .."),
        ("m3d", {"settings": ["km.scales=1,0"]}, "scales of kernel matching must be numbers above 0, got .1.0, 0.0."),
        ("dm", {"settings": ["real_batch"]}, "'real_batch' is not a setting; expected FIELD=VALUE or TERM.FIELD=VALUE"),
        ("dm", {"settings": ["=3"]}, "'=3' is not a setting"),
        ("dm", {"settings": ["cc.=3"]}, "'cc.=3' is not a setting"),
        ("dm", {"settings": ["real_batch=many"]}, "dm.real_batch must be a whole number such as 256, got 'many'"),
        ("dm", {"settings": ["real_batch=2.5"]}, "dm.real_batch must be a whole number such as 256, got '2.5'"),
        ("dm", {"settings": ["real_batch=2.0"]}, "dm.real_batch must be a whole number such as 256, got '2.0'"),
        ("dm", {"settings": ["learning_rate=fast"]}, "dm.learning_rate must be a number such as 1.0, got 'fast'"),
        ("dm", {"settings": ["augment=maybe"]}, "dm.augment must be true or false, got 'maybe'"),
        ("dm", {"settings": ["real_batch=0"]}, "a real batch of at least 1"),
        ("dm", {"settings": ["learning_rate=-1"]}, "a learning rate above 0"),
        ("dm", {"settings": ["momentum=1"]}, "a momentum in .0, 1"),
        ("dm", {"settings": ["initialisation=zeros"]}, "unknown initialisation 'zeros'"),
        ("dm", {"settings": ["cc.weight=1"]}, "dm has no 'cc', which came in the setting 'cc.weight=1'.*It has: mm, matching"),
        ("dm+cc", {"settings": ["c.weight=1"]}, "dm.cc has no 'c', .*Did you mean 'cc.weight'"),
        ("dm+cc", {"settings": ["weight=1"]}, "dm.cc has no 'weight' of its own, but it has mm.weight, cc.weight"),
        ("dm+cc", {"settings": ["recipe.epochs=4"]}, "no 'recipe.epochs' of its own, but it has pretrained.recipe.epochs"),
        ("dm", {"settings": ["pretrained.count=2"]}, "dm has no 'pretrained'"),
        ("dm", {"settings": ["lr=1"]}, "unknown setting of dm 'lr'. Did you mean 'learning_rate'"),
        ("dm", {"settings": ["bs=64"]}, "unknown setting of dm 'bs'. Did you mean 'real_batch'"),
        ("dm", {"settings": ["init=real"]}, "unknown setting of dm 'init'. Did you mean 'initialisation'"),
        ("dm+cc", {"settings": ["wd=1"]}, "has no 'wd'. Did you mean pretrained.recipe.weight_decay"),
        ("dm+cc", {"settings": ["pretrained.lr=1"]}, "has no 'pretrained.lr'. Did you mean pretrained.recipe.learning_rate"),
        ("dm+cc", {"settings": ["n_teachers=1"]}, "has no 'n_teachers'. Did you mean matching.count or pretrained.count"),
        ("mtt", {"settings": ["lr_img=1"]}, "unknown setting of mtt 'lr_img'. Did you mean 'learning_rate'"),
        ("dm", {"settings": ["steps=5"]}, "'steps' is no setting of dm: it is given beside the settings, as `iterations`"),
        ("dm", {"settings": ["ipc=5"]}, "'ipc' is no setting of dm: it is given beside the settings, as `ipc`"),
        ("coreset", {}, "unknown method 'coreset'. Did you mean 'k-center'"),
        ("dm", {"settings": ["wants=cc"]}, "unknown setting of dm 'wants'"),
        ("dm", {"settings": ["mm.name=x"]}, "unknown setting of mm 'name'"),
        ("dm", {"settings": ["mm.weight.more=1"]}, "dm has no 'mm.weight'"),
        ("dm+cc", {"settings": ["cc.wait=1"]}, "unknown setting of cc 'wait'"),
        ("dm+cc", {"settings": ["cc.form=cubed"]}, "unknown form of class centralization 'cubed'"),
        ("dm+cc", {"settings": ["cc.alpha=0"]}, "alpha of class centralization must be above 0"),
        ("dm+cc", {"settings": ["pretrained.count=0"]}, "a pool needs at least one network"),
        ("dm+cc", {"settings": ["pretrained.recipe.epoch=3"]}, "unknown setting of pretrained.recipe 'epoch'"),
    ],
)
def test_what_is_unknown_or_senseless_is_refused(name: str, options: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        method(name, **options)


@pytest.mark.parametrize("name", TERMS)
def test_every_public_term_can_be_added_by_name(name: str) -> None:
    bases = [
        base
        for base in METHODS
        if METHODS[base](Setting("digits", 10, 10)).kind == DistributionMatching.kind
        and name not in [term.name for term in method(base).terms]
        and ((method(base).encoders.get(TERMS[name].encoder) or TERMS[name].brings or FreshNetwork()).trains or not TERMS[name].trusts)
    ]
    assert bases
    for base in bases:
        composed = method(f"{base}+{name}")
        assert isinstance(composed, DistributionMatching)
        assert isinstance(composed.terms[-1], TERMS[name])
