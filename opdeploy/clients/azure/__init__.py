"""Azure: its SDKs are used here, and nowhere else."""

from opdeploy.clients.azure.arm import Arm
from opdeploy.clients.azure.making import Making
from opdeploy.clients.azure.place import Place
from opdeploy.clients.azure.registry import Registries
from opdeploy.clients.azure.subscriptions import connected

__all__ = ["Arm", "Making", "Place", "Registries", "connected"]
