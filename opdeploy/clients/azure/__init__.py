"""Azure: its SDKs are used here, and nowhere else."""

from opdeploy.clients.azure.arm import Arm
from opdeploy.clients.azure.first_start import Lazily, MachineMaking
from opdeploy.clients.azure.machine import MachinePlace
from opdeploy.clients.azure.making import Making
from opdeploy.clients.azure.place import Place
from opdeploy.clients.azure.reached import Way
from opdeploy.clients.azure.registry import Registries
from opdeploy.clients.azure.subscriptions import connected

__all__ = [
    "Arm",
    "Lazily",
    "MachineMaking",
    "MachinePlace",
    "Making",
    "Place",
    "Registries",
    "Way",
    "connected",
]
