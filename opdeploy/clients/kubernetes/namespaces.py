"""What is in a namespace beside a deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opdeploy.errors import OpdeployError
from opdeploy.targets.kubernetes.names import DEPLOYMENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from opdeploy.clients.kubernetes.api import Api

_COMES_ALONG = {"Event", "Endpoints", "EndpointSlice"}
"""Kinds that come with others, and go with them."""


def others(api: Api, apis: Iterable[str], namespace: str, deployment: str) -> Iterator[str]:
    """Yield what is in a namespace that a deployment did not make, and that does not come with every namespace."""
    for group in ("v1", *(group for group in apis if not group.startswith("metrics."))):
        root = f"/apis/{group}" if "/" in group else f"/api/{group}"
        try:
            resources = api.get(root)["resources"]
        except OpdeployError:  # a group whose server does not answer
            continue
        for resource in resources:
            if resource["namespaced"] and "list" in resource["verbs"] and resource["kind"] not in _COMES_ALONG:
                path = f"{root}/namespaces/{namespace}/{resource['name']}"
                yield from _strangers(api, path, resource["kind"], deployment)


def _strangers(api: Api, path: str, kind: str, deployment: str) -> Iterator[str]:
    try:
        items = api.get(path)["items"]
    except OpdeployError:
        yield f"a {kind} perhaps, which may not be listed"
        return
    for item in items:
        meta = item["metadata"]
        if (meta.get("labels") or {}).get(DEPLOYMENT) != deployment and not _is_usual(kind, meta):
            yield f"{kind} {meta['name']}"


def _is_usual(kind: str, meta: dict[str, Any]) -> bool:
    """Tell whether an object comes with every namespace, or belongs to another."""
    name = meta["name"]
    return (
        (kind == "ServiceAccount" and name == "default")
        or (kind == "ConfigMap" and name == "kube-root-ca.crt")
        or (kind == "Secret" and name.startswith("default-token-"))
        or bool(meta.get("ownerReferences"))
    )
