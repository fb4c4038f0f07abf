"""What the steps of plans call of container apps: revisions are made, started and ended, and requests sent to them."""

from __future__ import annotations

from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from opdeploy.clients.azure.refused import RefusedError
from opdeploy.errors import OpdeployError
from opdeploy.targets.azure.compare import resolved
from opdeploy.targets.azure.kinds import KINDS
from opdeploy.targets.azure.record import Made
from opdeploy.targets.container_apps.bodies import APP, patched, settled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opdeploy.clients.azure.arm import Arm
    from opdeploy.clients.azure.place import Place
    from opdeploy.targets.azure.record import Record

_API = KINDS[APP].api
_LOG_LINES = 20


class Revising:
    """Changes container apps; every method may be called again."""

    def __init__(self, arm: Arm, place: Place) -> None:
        """Take a connection, and the place that keeps records."""
        self._arm = arm
        self._place = place

    def revise(self, *, resource: str, body: Mapping[str, Any], revision: str, api_key: str | None = None) -> None:
        """Have an app make a revision; where that fails, the error has what its server wrote."""
        self._noted(self._place.known(), resource, settled(dict(body)))
        try:
            self._arm.put(resource, resolved(dict(body), {}, {"api-key": api_key or ""}))
        except RefusedError as error:
            self._explain(error, revision)
            raise

    def serve(self, *, resource: str, body: Mapping[str, Any], number: int) -> None:
        """Have an app be as a body says, which names the revision that requests go to; its secrets stay as they are."""
        record = self._place.known()
        kept = record.version(number)
        if kept:  # so that a rollback to it has the app so again
            properties = {**body["properties"], "template": kept.body["properties"]["template"]}
            record = record.with_version(kept.model_copy(update={"body": {**body, "properties": properties}}))
        self._noted(record, resource, body)
        self._arm.patch(resource, patched(dict(body)))

    def activate(self, *, resource: str, revision: str) -> None:
        """Start a revision again."""
        self._arm.settled(resource)
        self._arm.ask("POST", f"{resource}/revisions/{revision}/activate", _API)

    def deactivate(self, *, resource: str, revision: str) -> None:
        """End a revision, and keep it; one that is not there any more is no error."""
        self._arm.settled(resource)
        try:
            self._arm.ask("POST", f"{resource}/revisions/{revision}/deactivate", _API)
        except RefusedError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise

    def _explain(self, error: RefusedError, revision: str) -> None:
        """Add what the server of a revision wrote to an error."""
        with suppress(OpdeployError):  # where there is none of it, or nobody may read it
            for line in self._place.logs(revision, _LOG_LINES):
                error.add_note(line)

    def _noted(self, record: Record, resource: str, body: Mapping[str, Any]) -> None:
        """Note what an app is to be, before it is: so it is known however this ends."""
        self._place.keep(record.with_made(Made(id=resource, body=dict(body))))
