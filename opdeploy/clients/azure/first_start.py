"""What the steps of plans call to have a machine ready that is made in Azure: started, known, and set up."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

from opdeploy.clients.ssh import LastingError
from opdeploy.errors import OpdeployError, TransientError
from opdeploy.targets.azure.first_boot import BEFORE
from opdeploy.targets.azure.kinds import name_of
from opdeploy.targets.azure.machine import TELL
from opdeploy.targets.azure.record import Machine

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import JsonValue

    from opdeploy.clients.azure.arm import Arm
    from opdeploy.clients.azure.machine import MachinePlace
    from opdeploy.clients.ssh import Connection

_KEY = re.compile(r"^ssh-ed25519 [A-Za-z0-9+/]+={0,2}", re.MULTILINE)
_FIRST = "cloud-init status --long"
_SAID = "sudo -n tail -n 20 /var/log/cloud-init-output.log"
_STATUS = re.compile(r"^status: (\w+)", re.MULTILINE)
_ENDED = "done"
"""What cloud-init says once it has ended well, warnings or not (its cmd/status.py, read 2026-11-26)."""
_GPU = f"nvidia-smi -L >/dev/null && ! cmp -s /proc/sys/kernel/random/boot_id {BEFORE}"
"""Whether the driver works, and the machine has started since it was installed."""
_BETWEEN_S = 5.0


class FirstStartError(OpdeployError):
    """The first start of a machine failed, which does not pass by waiting."""


class MachineMaking:
    """Has a machine ready; every method may be called again."""

    def __init__(self, arm: Arm, place: MachinePlace, sleep: Callable[[float], None] = time.sleep) -> None:
        """Take a connection, and the place that knows the machine."""
        self._arm = arm
        self._place = place
        self._sleep = sleep

    def start(self, *, resource: str) -> None:
        """Start a machine that was stopped."""
        self._place.way.close()
        self._arm.settled(resource)
        self._arm.act(resource, "start")

    def learn(self, *, resource: str, user: str, port: int) -> None:
        """Have Azure tell the host key of a machine, and note it: it is what SSH must show from now on."""
        self._arm.settled(resource)  # where a command was killed that made it
        told = self._arm.act(resource, "runCommand", TELL) or {}
        said = "\n".join(str(item.get("message")) for item in told.get("value") or ())
        found = _KEY.search(said)
        there = self._arm.find(resource)
        if found is None or there is None:
            short = " ".join(said.split())[:300]
            raise OpdeployError(f"{name_of(resource)}: its agent does not tell its host key: {short}; deploy again")
        machine = Machine(id=there["properties"]["vmId"], host_key=found[0], user=user, port=port)
        self._place.keep(self._place.known().model_copy(update={"machine": machine}))

    def ready(self, *, gpu: bool, ready_s: float) -> dict[str, JsonValue]:
        """Wait until a machine's first start has ended, and its engine answers.

        Raises FirstStartError where that failed, with what it wrote, OpdeployError where it takes too long.
        """
        started = time.monotonic()
        while why := self._missing(gpu=gpu):
            if time.monotonic() - started > ready_s:
                raise OpdeployError(f"the machine was not ready within {ready_s / 60:g} minutes: {why}")
            self._sleep(_BETWEEN_S)
        record = self._place.known()
        if record.machine:
            self._place.keep(record.model_copy(update={"machine": record.machine.model_copy(update={"ready": True})}))
        return {"ready_s": round(time.monotonic() - started, 1)}

    def again(self) -> None:
        """Raise OpdeployError: what runs on a machine is known once it is reached, and a plan is made of that."""
        raise OpdeployError("the machine is reached now; run the same command again, which sees what runs on it")

    def _missing(self, *, gpu: bool) -> str | None:
        """Say what a machine is not ready for; raises FirstStartError where that will not come."""
        machine = self._place.machine()
        if machine is None:
            raise TransientError("the machine is not there yet; deploy again")
        way, at = self._place.way, self._place.at
        way.close()
        try:
            why = _unfinished(way.connection(at, machine), gpu=gpu)
            if why is None:
                way.close()  # who logged in before the first start had ended is not in its group docker yet
                way.host(at, machine)
        except (FirstStartError, LastingError):
            raise
        except OpdeployError as error:
            return str(error)
        return why


def _unfinished(connection: Connection, *, gpu: bool) -> str | None:
    """Say what the first start of a machine has still to do; raises FirstStartError where it failed."""
    first = connection.run(_FIRST)
    found = _STATUS.search(first.out)
    word = found[1] if found else "nothing"
    if word == "error":
        error = FirstStartError(f"{connection.to.shown}: cloud-init failed; see its log above, remove it, deploy again")
        for line in (*first.out.splitlines(), *connection.run(_SAID).out.splitlines()):
            error.add_note(line)
        raise error
    if word != _ENDED:
        return f"cloud-init says {word}; see cloud-init status --long there"
    if gpu and connection.run(_GPU).code:
        return "the driver of the GPU does not answer; see nvidia-smi there"
    return None


class Lazily:
    """What steps call on a machine's engine, which is there once the machine is."""

    def __init__(self, give: Callable[[], object]) -> None:
        """Take what gives it."""
        self._give = give

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Return a method that asks for it when it is called."""

        def call(*args: Any, **more: Any) -> Any:  # noqa: ANN401 - what the method takes and returns
            return getattr(self._give(), name)(*args, **more)

        return call
