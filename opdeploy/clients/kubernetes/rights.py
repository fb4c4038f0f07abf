"""What the user of a kubeconfig may do."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from opdeploy.targets.kubernetes.kinds import KINDS, LEASE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from opdeploy.clients.kubernetes.api import Api
    from opdeploy.targets.kubernetes.kinds import Kind


class Right(NamedTuple):
    """One thing that a deployment does."""

    verb: str
    kind: Kind
    subresource: str = ""

    @property
    def shown(self) -> str:
        """How kubectl writes it."""
        resource = f"{self.kind.plural}{f'/{self.subresource}' if self.subresource else ''}"
        return f"{self.verb} {resource}{f'.{self.kind.group}' if self.kind.group else ''}"


def needed(kinds: Iterable[str]) -> Iterator[Right]:
    """Yield what a deployment that is made of some kinds does in its namespace."""
    pod = KINDS["Pod"]
    for name in kinds:
        for verb in ("get", "create", "patch", "delete"):
            yield Right(verb, KINDS[name])
        if name != "Secret":
            yield Right("list", KINDS[name])
    yield from (Right(verb, pod) for verb in ("get", "list", "create", "delete"))
    yield Right("get", pod, "log")
    # Both, for a WebSocket is asked for with GET, and servers differ in which verb that is.
    yield from (Right(verb, pod, part) for part in ("portforward", "exec") for verb in ("get", "create"))
    yield from (Right(verb, KINDS["ReplicaSet"]) for verb in ("get", "list", "delete"))
    yield from (Right(verb, LEASE) for verb in ("get", "create", "delete"))


def missing(api: Api, kinds: Iterable[str], namespace: str) -> Iterator[str]:
    """Yield a sentence with every right that a deployment needs and the user has not; nothing where all are there."""
    lacking = [right for right in dict.fromkeys(needed(kinds)) if not allowed(api, right, namespace)]
    if lacking:
        verbs = ", ".join(right.shown for right in lacking)
        yield f"the kubeconfig's user may not do in namespace {namespace}: {verbs}; ask for a Role with these verbs"
    if api.find_or_denied(KINDS["Namespace"].path(None, namespace)) is None:
        right = Right("create", KINDS["Namespace"])
        if not allowed(api, right, None):
            yield (
                f"the namespace {namespace} is not there, and the kubeconfig's user may not {right.shown}; have it "
                "made, or name another with --namespace or deploy.kubernetes.namespace"
            )


def allowed(api: Api, right: Right, namespace: str | None) -> bool:
    """Ask the server whether the user may do something."""
    attributes = {"verb": right.verb, "group": right.kind.group, "resource": right.kind.plural}
    if namespace:
        attributes["namespace"] = namespace
    if right.subresource:
        attributes["subresource"] = right.subresource
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer = api.send("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body)
    return bool(answer["status"].get("allowed"))
