"""What is asked before a plan is carried out, by what the plan makes: as data, without a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from opdeploy import targets
from opdeploy.deploy.planning import to_deploy
from opdeploy.deployment import Observed
from opdeploy.targets import aks
from opdeploy.targets.azure.before import to_ask
from opdeploy.targets.azure.names import where
from opdeploy.targets.azure.questions import Question, Said
from opdeploy.targets.vm import MADE
from tests.azure import aks_values, apps_imagined, imagined_web
from tests.azure.test_container_apps_plans import ELSE, SHARED, SUBNET, WORKSPACE
from tests.azure.test_vm_machine_plans import FACTS
from tests.azure.test_vm_machine_plans import asked as machine
from tests.azure.test_vm_machine_plans import there as machine_there
from tests.deploy.imagined import NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opdeploy.targets.azure.before import Asking
    from opdeploy.targets.base import Wanted

APPS: Any = targets.find("container-apps")
SITES: Any = targets.find("webapp")
REGIONS = [{"name": "westeurope"}, {"name": "eastus"}]
READER = [{"actions": ["*/read"]}]


def all_of(target: Asking, want: Wanted, observed: Observed) -> list[Question | Said]:
    """Return the questions of a plan, those of a region which there is, too, and what is known without asking."""
    found: list[Question | Said] = []
    for item in to_ask(target, want, where(want.settings, want.deployment), observed):
        is_region = isinstance(item, Question) and item.about == "which regions there are"
        found += item.judge(REGIONS) if isinstance(item, Question) and is_region else [item]
    return found


def asked(target: Asking, want: Wanted, observed: Observed) -> list[Question]:
    """Return the questions of a plan."""
    return [item for item in all_of(target, want, observed) if isinstance(item, Question)]


def problems(target: Asking, want: Wanted, observed: Observed, answers: Mapping[str, Any]) -> list[str]:
    """Return what keeps a plan from being carried out; of the questions, some are answered, by what they are about."""
    found = all_of(target, want, observed)
    told = [item for item in found if isinstance(item, Said)]
    for item in found:
        if isinstance(item, Question) and item.about in answers:
            told += [said for said in item.judge(answers[item.about]) if isinstance(said, Said)]
    return [said.text for said in told if said.stops]


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


DELEGATED = "is not delegated to Microsoft.App/environments; delegate it with: az network vnet subnet update --ids "
NAMED: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "a subnet that is not there": (
        {"subnet": SUBNET},
        {"subnet s": None},
        ["deploy.container_apps.subnet: s is not there, or you may not see it; name another"],
    ),
    "a subnet that is not delegated": (
        {"subnet": SUBNET},
        {"subnet s": {"properties": {"delegations": []}}},
        [f"deploy.container_apps.subnet: s {DELEGATED}{SUBNET} --delegations Microsoft.App/environments"],
    ),
    "a subnet that can be used": (
        {"subnet": SUBNET},
        {"subnet s": {"properties": {"delegations": [{"properties": {"serviceName": "microsoft.app/ENVIRONMENTS"}}]}}},
        [],
    ),
    "a workspace that is not there": (
        {"workspace": WORKSPACE},
        {"log workspace w": None},
        ["deploy.container_apps.workspace: there is no w; name one that is there"],
    ),
    "a workspace that is there": ({"workspace": WORKSPACE}, {"log workspace w": {"id": WORKSPACE}}, []),
    "a region without Consumption": ({}, {"which workload profiles westeurope has": [{"name": "D4"}]}, []),
    "a region without a profile": (
        {"profile": "E4"},
        {"which workload profiles westeurope has": [{"name": "D4"}]},
        [
            (
                "deploy.container_apps.profile: westeurope has no workload profile E4; take one that it has, D4, or "
                "another region with --location"
            )
        ],
    ),
    "an environment that is not there": (
        {"environment": SHARED},
        {},
        ["deploy.container_apps.environment: there is no shared; name one that is there"],
    ),
}


@pytest.mark.parametrize("case", NAMED)
def test_what_is_named_around_an_app_is_asked_for(case: str) -> None:
    """Before anything is made, and each thing once."""
    chosen, answers, expected = NAMED[case]
    want = apps_imagined.wanted(**chosen)
    assert problems(APPS, want, apps_imagined.Imagined().observe(), answers) == expected


ENVIRONMENTS: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "one that fits": ({}, {"location": "West Europe", "profiles": {"Consumption": "Consumption"}}, []),
    "in another region": (
        {},
        {"location": "East US", "profiles": {"Consumption": "Consumption"}},
        ["deploy.azure.location: westeurope is not where the environment is: eastus; say --location eastus"],
    ),
    "without the profile": (
        {"profile": "D4"},
        {"location": "westeurope", "profiles": {"Consumption": "Consumption"}},
        [
            (
                "deploy.container_apps.profile: shared has no D4, it has: Consumption; take one of these, or add it: "
                "az containerapp env workload-profile add --workload-profile-type D4"
            )
        ],
    ),
    "beside what is of one that is made": (
        {"subnet": SUBNET, "workspace": WORKSPACE},
        {"location": "westeurope", "profiles": {"Consumption": "Consumption"}},
        [
            f"deploy.container_apps.{key}: is of an environment that is made, and shared is there already; leave one "
            "of the two out"
            for key in ("subnet", "workspace")
        ],
    ),
}


@pytest.mark.parametrize("case", ENVIRONMENTS)
def test_an_environment_that_was_there_is_held_against_what_is_wanted(case: str) -> None:
    """As it was looked at, and not asked for again."""
    chosen, found, expected = ENVIRONMENTS[case]
    made = apps_imagined.Imagined()
    made.facts["environment"] = {"id": SHARED, **found}
    want = apps_imagined.wanted(environment=SHARED, **chosen)
    assert problems(APPS, want, made.observe(), {}) == expected


def test_what_does_not_change_is_not_asked_for() -> None:
    """Neither profiles nor what is named around an environment that is there already."""
    made = apps({"subnet": SUBNET, "workspace": WORKSPACE})
    want = apps_imagined.wanted(subnet=SUBNET, workspace=WORKSPACE)
    told = {item.about for item in asked(APPS, want, made.observe())}
    assert told.isdisjoint({"subnet s", "log workspace w", "which workload profiles westeurope has"})


def test_a_profile_that_is_added_is_asked_for() -> None:
    """Of an environment that is there; but nothing is made that would count to a quota."""
    told = {item.about for item in asked(APPS, apps_imagined.wanted(profile="D4"), apps({}).observe())}
    assert "which workload profiles westeurope has" in told
    assert "the quota of environments in westeurope" not in told


def test_what_keeps_a_site_from_being_made_is_told() -> None:
    """By what was looked at: there is no such plan."""
    plan = f"{ELSE}/Microsoft.Web/serverfarms/large"
    want = imagined_web.wanted(plan=plan)
    said = problems(SITES, want, imagined_web.Imagined().observe(), {})
    assert said == [f"deploy.webapp.plan: {plan}: is not there; name one that az appservice plan list shows"]


def test_a_registry_of_others_is_named_with_what_it_would_do() -> None:
    """It is told of a cluster, too, whose image is built here."""
    want = aks_values.wanted(registry="other.azurecr.io")
    place = aks_values.Subscription(want.settings, facts={"builds": "here", "registry": None})
    (said,) = problems(aks.MANAGED, want, place.observe(), {})
    assert said.startswith("deploy.registry: other.azurecr.io is no registry of the subscription that you may see, ")
    assert "and so none that gives it its image; name one that is" in said


@pytest.mark.parametrize("case", ["there", "not there"])
def test_the_subnet_of_a_machine_is_asked_for(case: str) -> None:
    """It has to be there; it is delegated to nothing."""
    observed = Observed(target="vm", deployment=NAME, facts=FACTS)
    answers: dict[str, Any] = {"subnet s": {"properties": {}} if case == "there" else None}
    gone = ["deploy.vm.subnet: s is not there, or you may not see it; name another"]
    assert problems(MADE, machine(subnet=SUBNET), observed, answers) == ([] if case == "there" else gone)


@pytest.mark.parametrize(
    ("gpu", "memory_gb", "cpus", "size"),
    [
        (False, 1.0, None, "Standard_D2as_v5"),
        (False, 7.5, None, "Standard_D4as_v5"),
        (False, 1.0, 6, "Standard_D8as_v5"),
        (False, 900.0, None, "Standard_D96as_v5"),
        (True, 1.0, None, "Standard_NC4as_T4_v3"),
        (True, 40.0, None, "Standard_NC8as_T4_v3"),
    ],
)
def test_a_size_is_proposed_that_has_what_is_needed(gpu: bool, memory_gb: float, cpus: int | None, size: str) -> None:  # noqa: FBT001
    """A GPU where it computes on one, memory also for the system, and processors."""
    observed = Observed(target="vm", deployment=NAME, facts=FACTS)
    want = machine(gpu, size=None, cpus=cpus).model_copy(update={"memory_gb": memory_gb})
    (said,) = problems(MADE, want, observed, {})
    assert said == f"deploy.vm.size: names no size of a machine; name one: --set vm.size={size}"


MOVED = (
    "location is westeurope and cannot become eastus; say --location westeurope, or remove it first, or deploy it "
    "under another --name"
)


def elsewhere(want: Wanted) -> Wanted:
    """Return the same in another region."""
    azure = want.settings.azure.model_copy(update={"location": "eastus"})
    return want.model_copy(update={"settings": want.settings.model_copy(update={"azure": azure})})


def sites() -> imagined_web.Imagined:
    """Return a cloud to which a site was deployed."""
    made = imagined_web.Imagined()
    made.carry_out(to_deploy(SITES, imagined_web.wanted(), made.observe(), ()).steps)
    return made


def clusters() -> aks_values.Subscription:
    """Return a subscription with a cluster."""
    made = aks_values.Subscription()
    made.carry_out(to_deploy(aks.MANAGED, aks_values.wanted(), made.observe(), ()).steps)
    return made


MOVES: dict[str, Callable[[], tuple[Asking, Wanted, Observed]]] = {
    "a container app": lambda: (APPS, apps_imagined.wanted(), apps({}).observe()),
    "a site": lambda: (SITES, imagined_web.wanted(), sites().observe()),
    "a cluster": lambda: (aks.MANAGED, aks_values.wanted(), clusters().observe()),
    "a machine": lambda: (MADE, machine(), machine_there(machine())),
}


@pytest.mark.parametrize("case", MOVES)
def test_nothing_moves_to_another_region(case: str) -> None:
    """Azure would refuse it with the first write; it is one line, however many resources there are."""
    target, want, observed = MOVES[case]()
    assert problems(target, want, observed, {}) == []
    assert {*problems(target, elsewhere(want), observed, {})} == {f"{observed.deployment}: {MOVED}"}


def test_an_app_does_not_move_to_another_environment() -> None:
    """It says what would have to be removed first."""
    made = apps({})
    made.facts["environment"] = {"id": SHARED, "location": "westeurope", "profiles": {"Consumption": "Consumption"}}
    own = f"/subscriptions/{apps_imagined.SUBSCRIPTION}/resourceGroups/models/providers/Microsoft.App/"
    (said,) = problems(APPS, apps_imagined.wanted(environment=SHARED), made.observe(), {})
    assert said == (
        f"net: environmentId is {own}managedEnvironments/net-env and cannot become {SHARED}; remove it first, or "
        "deploy it under another --name"
    )


SIZES: dict[str, tuple[Callable[[], tuple[Asking, Wanted, Observed]], str]] = {
    "a plan": (
        lambda: (SITES, imagined_web.wanted(), imagined_web.Imagined().observe()),
        "make the app service plan net (P0v3, 1 machine)",
    ),
    "a cluster": (
        lambda: (aks.MANAGED, aks_values.wanted(), aks_values.Subscription().observe()),
        "(Free tier, 1 node Standard_D2as_v5)",
    ),
    "nodes": (
        lambda: (
            aks.MANAGED,
            aks_values.wanted(aks={"min_nodes": 0, "max_nodes": 3, "size": "Standard_D4as_v5", "priority": "Spot"}),
            aks_values.Subscription().observe(),
        ),
        "(1 node Standard_D4as_v5, 0 to 3 by load, Spot)",
    ),
    "a machine": (
        lambda: (MADE, machine(), Observed(target="vm", deployment=NAME, facts=FACTS)),
        "(Standard_D2s_v5, a disk of 64 GB)",
    ),
    "a machine whose size is yet to be named": (
        lambda: (MADE, machine(size=None), Observed(target="vm", deployment=NAME, facts=FACTS)),
        "(a disk of 64 GB)",
    ),
    "a registry": (
        lambda: (APPS, apps_imagined.wanted(), apps_imagined.Imagined().observe()),
        "(Basic)",
    ),
}


@pytest.mark.parametrize("case", SIZES)
def test_what_costs_by_its_size_is_said_with_it(case: str) -> None:
    """Beside what is made: whoever looks at a plan sees what is paid for."""
    make, said = SIZES[case]
    target, want, observed = make()
    titles = [step.title for step in to_deploy(target, want, observed, ()).steps]  # type: ignore[arg-type]
    assert [title for title in titles if title.endswith(said)]


def tagged(want: Wanted, **azure: Any) -> Wanted:  # noqa: ANN401 - any setting
    """Return the same with other settings of Azure."""
    changed = want.settings.azure.model_copy(update=azure)
    return want.model_copy(update={"settings": want.settings.model_copy(update={"azure": changed})})


def test_tags_that_are_taken_away_are_told() -> None:
    """Once for all resources, nodes among them; those that are given again stay."""
    before = tagged(aks_values.wanted(), tags={"team": "a", "shift": "b"}, owner="ann")
    made = aks_values.Subscription(before.settings)
    made.carry_out(to_deploy(aks.MANAGED, before, made.observe(), ()).steps)

    def told(want: Wanted) -> list[str]:
        found = to_ask(aks.MANAGED, want, where(want.settings, want.deployment), made.observe())
        return [item.text for item in found if isinstance(item, Said) and "tags are taken away" in item.text]

    assert told(before) == []
    assert told(tagged(before, tags={"team": "c"}, owner=None)) == [
        (
            "tags are taken away that are there: opdeploy-owner, shift; to keep them, say them again (--tags, and "
            "azure.owner for opdeploy-owner), or write them into the workload file"
        )
    ]
