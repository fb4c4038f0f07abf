"""Azure: its SDKs are used here, and nowhere else."""

from opdeploy.clients.azure.arm import Arm
from opdeploy.clients.azure.clustered import Clustered
from opdeploy.clients.azure.clusters import Clusters
from opdeploy.clients.azure.clusters import found as named_cluster
from opdeploy.clients.azure.making import Making
from opdeploy.clients.azure.place import Place
from opdeploy.clients.azure.registry import Registries
from opdeploy.clients.azure.subscriptions import connected
from opdeploy.clients.azure.within import Inside, Within

__all__ = [
    "Arm",
    "Clustered",
    "Clusters",
    "Inside",
    "Making",
    "Place",
    "Registries",
    "Within",
    "connected",
    "named_cluster",
]
