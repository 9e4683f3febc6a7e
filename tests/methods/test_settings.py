"""What can be set by name, and what is suggested for a name that cannot."""

from __future__ import annotations

import pytest

import datastill
from datastill import UserError
from datastill.configuration import paths


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("weight=1", "has no 'weight' of its own, but it has mm.weight, cc.weight, cm.weight: name one of them"),
        ("wieght=1", "has no 'wieght'. Did you mean mm.weight or cc.weight or cm.weight?"),
        ("epcohs=3", "has no 'epcohs'. Did you mean pretrained.recipe.epochs?"),
        ("real_bath=3", "unknown setting of dm+iid 'real_bath'. Did you mean 'real_batch'?"),
        ("cc.wieght=1", "unknown setting of cc 'wieght'. Did you mean 'weight'?"),
    ],
)
def test_a_setting_that_does_not_exist_leads_to_those_that_do(setting: str, said: str) -> None:
    with pytest.raises(UserError) as refused:
        datastill.method("dm+iid", settings=[setting])
    assert said in str(refused.value)


@pytest.mark.parametrize("name", ["name", "added"])
def test_what_follows_from_the_name_is_no_setting(name: str) -> None:
    method = datastill.method("dm+iid")
    assert name not in set(paths(method))
    assert name in method.describe()
    with pytest.raises(UserError, match=f"unknown setting of dm[+]iid '{name}'"):
        datastill.method("dm+iid", settings=[f"{name}=cm"])
