"""What things are called in a cluster, and the labels and annotations that are the record of deployments. Pure."""

from __future__ import annotations

from opdeploy.platform import NameRule

RULE = NameRule(min_length=1, max_length=57, pattern="^[a-z]([-a-z0-9]*[a-z0-9])?$")
"""A Service's name is a label of RFC 1035, of up to 63 characters, and a trial's is six longer than its deployment's
(kubernetes.io/docs/concepts/overview/working-with-objects/names/, read 2026-11-26)."""
DEPLOYMENT = "opdeploy.name"
"""The label of everything that belongs to a deployment, with its name. It is another than that on a Docker engine, of
which a cluster's node may have its pods: the engine's containers get the labels of pods."""
COMPONENT = "app.kubernetes.io/component"
INSTANCE = "app.kubernetes.io/instance"
MANAGED_BY = "app.kubernetes.io/managed-by"
VERSION = "app.kubernetes.io/version"
NUMBER = "opdeploy.number"
CONFIG = "opdeploy.config"
ARTEFACT = "opdeploy.artefact"
AT = "opdeploy.at"
BY = "opdeploy.by"
WANTED = "opdeploy.wanted"
"""The annotation with what an object was applied as."""
PROVEN = "opdeploy.proven"
"""The annotation of a Deployment with the numbers of the versions that were found to be ready and right."""
LOCK = "opdeploy.lock"
SERVER = "server"
"""The component, and the container, that answers requests."""
KEY = "api-keys"
"""The key of a Secret that has the API keys."""


def trial(deployment: str) -> str:
    """Return the name of the pod in which a version is tried before it answers."""
    return f"{deployment}-trial"


def namespace(deployment: str, chosen: str | None) -> str:
    """Return the namespace of a deployment."""
    return chosen or deployment


def selector(deployment: str) -> dict[str, str]:
    """Return the labels by which a deployment's servers are found, and nothing else is."""
    return {INSTANCE: deployment, COMPONENT: SERVER}


def labels(deployment: str, workload: str) -> dict[str, str]:
    """Return the labels of an object, by the names that Kubernetes recommends, and of opdeploy's own.

    kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/, read 2026-11-26.
    """
    return {
        "app.kubernetes.io/name": "model-server",
        INSTANCE: deployment,
        COMPONENT: SERVER,
        "app.kubernetes.io/part-of": workload,
        MANAGED_BY: "opdeploy",
        DEPLOYMENT: deployment,
    }
