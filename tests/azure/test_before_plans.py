"""What is asked before a plan is carried out, by what the plan makes: as data, without a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opdeploy import targets
from opdeploy.deploy.planning import to_deploy
from opdeploy.targets import aks
from opdeploy.targets.azure.before import to_ask
from opdeploy.targets.azure.names import where
from opdeploy.targets.azure.questions import Question
from tests.azure import aks_values, apps_imagined

if TYPE_CHECKING:
    from opdeploy.deployment import Observed
    from opdeploy.targets.azure.before import Asking
    from opdeploy.targets.base import Wanted

APPS: Any = targets.find("container-apps")
READER = [{"actions": ["*/read"]}]


def asked(target: Asking, want: Wanted, observed: Observed) -> list[Question]:
    """Return the questions of a plan."""
    found = to_ask(target, want, where(want.settings, want.deployment), observed)
    return [item for item in found if isinstance(item, Question)]


def lacking(target: Asking, want: Wanted, observed: Observed) -> str:
    """Return what is said to somebody who may only read."""
    rights = [item for item in asked(target, want, observed) if item.about.startswith("what you may do in")]
    return " ".join(str(said) for item in rights for said in item.judge(READER))


def apps(*wants: dict[str, Any]) -> apps_imagined.Imagined:
    """Return a subscription to which container apps were deployed, one after the other."""
    made = apps_imagined.Imagined()
    for want in wants:
        made.carry_out(to_deploy(APPS, apps_imagined.wanted(**want), made.observe(), ()).steps)
    return made


def test_a_version_that_is_kept_takes_no_right_to_build() -> None:
    """What is asked is what the plan does: it goes back to that version, and makes none."""
    made = apps({}, {"bundle": "2" * 64})
    back, new = apps_imagined.wanted(), apps_imagined.wanted("3" * 64)
    assert "registries/scheduleRun/action" in lacking(APPS, new, made.observe())
    said = lacking(APPS, back, made.observe())
    assert "Microsoft.App/containerApps/revisions/activate/action" in said
    assert "registries/scheduleRun/action" not in said


def test_a_region_is_asked_once_for_all_nodes() -> None:
    """Those of the cluster itself, and those for the pods, as many as there may be."""
    want = aks_values.wanted(aks={"max_nodes": 5})
    place = aks_values.Subscription(want.settings)
    sizes = [item for item in asked(aks.MANAGED, want, place.observe()) if item.about.startswith("which sizes")]
    assert len(sizes) == 1
