"""Azure: its SDKs are used here, and nowhere else."""

from opdeploy.clients.azure.arm import Arm
from opdeploy.clients.azure.clustered import Clustered
from opdeploy.clients.azure.clusters import Clusters
from opdeploy.clients.azure.clusters import found as named_cluster
from opdeploy.clients.azure.first_start import Lazily, MachineMaking
from opdeploy.clients.azure.machine import MachinePlace
from opdeploy.clients.azure.making import Making
from opdeploy.clients.azure.place import Place
from opdeploy.clients.azure.reached import Way
from opdeploy.clients.azure.registry import Registries
from opdeploy.clients.azure.subscriptions import connected
from opdeploy.clients.azure.within import Within

__all__ = [
    "Arm",
    "Clustered",
    "Clusters",
    "Lazily",
    "MachineMaking",
    "MachinePlace",
    "Making",
    "Place",
    "Registries",
    "Way",
    "Within",
    "connected",
    "named_cluster",
]
