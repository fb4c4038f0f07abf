"""The requests with which a plan changes something in Azure, in order; what is only read is left out. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from opdeploy.errors import OpdeployError
from opdeploy.targets.azure.compare import KEYS, REF, SECRET, ref
from opdeploy.targets.azure.kinds import GROUP, KINDS, kind_of
from opdeploy.targets.azure.machine import TELL
from opdeploy.targets.azure.requests import TASKS, kept, order
from opdeploy.targets.container_apps.bodies import patched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from opdeploy.plan import Plan
    from opdeploy.targets.azure.names import Where

NOT_SHOWN = "(what opdeploy keeps of the deployment)"
"""In the place of a note, which is not known before: it has times."""

_TOLD = "(where pip gets its packages, if that is set)"


class Call(NamedTuple):
    """One request."""

    why: str
    method: str
    path: str
    """Below Azure Resource Manager; whole, where something else is asked."""
    api: str = ""
    body: Mapping[str, Any] | None = None
    """With what stands for secrets, and for properties of other resources."""


def calls(plan: Plan, at: Where, *, in_group: bool = True) -> Iterator[Call]:
    """Yield the requests of a plan, those for its lock first and last.

    `in_group` tells whether notes and lock are kept in the group: what is kept elsewhere takes no request to Azure
    Resource Manager. Raises OpdeployError for a step whose requests are not known.
    """
    found = _calls(plan, at) if in_group else (call for call in _steps(plan, at) if kind_of(call.path) != KINDS["note"])
    yield from found


def _calls(plan: Plan, at: Where) -> Iterator[Call]:
    made = next((step for step in plan.steps if step.call == "azure.put" and step.kind == GROUP.name), None)
    if made and made.action == "create":
        yield from _put(made.title, made.args, at, noted=False)
    yield _kept("take the lock", at.lock)
    yield from _steps(plan, at)
    yield _dropped("give the lock back", at.lock)


def _steps(plan: Plan, at: Where) -> Iterator[Call]:
    for step in plan.steps:
        if not step.call.startswith(("azure.", "machine.")) or step.call == "machine.again":
            continue
        if step.call not in REQUESTS:
            raise OpdeployError(f"{step.call}: its requests are not known; leave out --calls")
        yield from REQUESTS[step.call](step.title, step.args, at)


def masked(body: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return a body without what stands for something: a secret is hidden, a property of another resource is named."""
    if isinstance(body, dict):
        if body.keys() & {SECRET, KEYS}:
            return "***"
        if REF in body:
            return f"({body['path']} of {body[REF]})"
        return {key: masked(item) for key, item in body.items()}
    return [masked(item) for item in body] if isinstance(body, list) else body


def _kept(why: str, note: str) -> Call:
    return Call(why, "PUT", note, KINDS["note"].api, kept(NOT_SHOWN))


def _dropped(why: str, note: str) -> Call:
    return Call(why, "DELETE", note, KINDS["note"].api)


def _put(title: str, args: Mapping[str, Any], at: Where, *, noted: bool = True) -> Iterator[Call]:
    resource = str(args["resource"])
    kind = kind_of(resource)
    is_group = kind is GROUP
    noting = [_kept(f"note what is about to be made, to {title}", at.note)] if noted else []
    yield from () if is_group else noting
    yield Call(title, "PUT", resource, kind.api if kind else "", args["body"])
    yield from noting if is_group else ()


def _delete(title: str, args: Mapping[str, Any], at: Where) -> Iterator[Call]:
    resource = str(args["resource"])
    kind = kind_of(resource)
    yield Call(title, "DELETE", resource, kind.api if kind else "")
    if kind is not GROUP:
        yield _kept(f"note that it is gone, to {title}", at.note)


def _note(title: str, _args: Mapping[str, Any], at: Where) -> Iterator[Call]:
    yield _kept(title, at.note)


def _forget(title: str, args: Mapping[str, Any], at: Where) -> Iterator[Call]:
    for image in args.get("images") or ():
        yield Call(f"remove the image {image}, to {title}", "DELETE", _manifest(str(image)))
    yield _kept(title, at.note)


def _keep_key(title: str, args: Mapping[str, Any], at: Where) -> Iterator[Call]:
    noting = _kept(f"note where the key is, to {title}", at.note)
    keeping = Call(title, "PUT", _secret(args), "", {"value": {SECRET: "api-key"}})
    yield from (keeping, noting) if "before" in args else (noting, keeping)


def _drop_key(title: str, args: Mapping[str, Any], at: Where) -> Iterator[Call]:
    yield Call(title, "DELETE", _secret(args))
    yield _kept(f"note that it is gone, to {title}", at.note)


def _secret(args: Mapping[str, Any]) -> str:
    return f"{args['vault']}/secrets/{args['name']}"


def _manifest(image: str) -> str:
    """Return the address of an image in its registry."""
    server, _, path = image.partition("/")
    repository, _, tag = path.rpartition(":")
    return f"https://{server}/v2/{repository}/manifests/{tag}"


def _close(title: str, _args: Mapping[str, Any], at: Where) -> Iterator[Call]:
    yield _dropped(title, at.note)


def _push(title: str, args: Mapping[str, Any], _at: Where) -> Iterator[Call]:
    yield Call(title, "PUT", _manifest(str(args["name"])))


def _build(title: str, args: Mapping[str, Any], _at: Where) -> Iterator[Call]:
    ask = f"{args['registry']}/listBuildSourceUploadUrl"
    yield Call(f"ask where files are uploaded, to {title}", "POST", ask, TASKS)
    body = order(str(args["name"]), str(args["platform"]), ref(ask, "relativePath"), _TOLD)
    yield Call(title, "POST", f"{args['registry']}/scheduleRun", TASKS, body)


def _serve(title: str, args: Mapping[str, Any], at: Where) -> Iterator[Call]:
    resource = str(args["resource"])
    kind = kind_of(resource)
    yield _kept(f"note what is about to change, to {title}", at.note)
    yield Call(title, "PATCH", resource, kind.api if kind else "", patched(args["body"]))


def _told(below: str) -> Callable[..., Iterator[Call]]:
    """Return what yields the request that tells a resource to do something; `below` is its path, with arguments."""

    def told(title: str, args: Mapping[str, Any], _at: Where) -> Iterator[Call]:
        resource = str(args["resource"])
        kind = kind_of(resource)
        yield Call(title, "POST", f"{resource}/{below.format(**args)}", kind.api if kind else "")

    return told


def _swap(title: str, args: Mapping[str, Any], at: Where) -> Iterator[Call]:
    resource = str(args["resource"])
    kind = kind_of(resource)
    yield _kept(f"note what is swapped, to {title}", at.note)
    swapped = {"targetSlot": args["slot"], "preserveVnet": True}
    yield Call(title, "POST", f"{resource}/slotsswap", kind.api if kind else "", swapped)
    yield _kept(f"note that it is done, to {title}", at.note)


def _learn(title: str, args: Mapping[str, Any], at: Where) -> Iterator[Call]:
    resource = str(args["resource"])
    kind = kind_of(resource)
    yield Call(title, "POST", f"{resource}/runCommand", kind.api if kind else "", TELL)
    yield _kept(f"{title}: note it", at.note)


REQUESTS: dict[str, Callable[..., Iterator[Call]]] = {
    "azure.put": _put,
    "azure.delete": _delete,
    "azure.note": _note,
    "azure.prove": _note,
    "azure.forget": _forget,
    "azure.keep_key": _keep_key,
    "azure.drop_key": _drop_key,
    "azure.close": _close,
    "azure.push": _push,
    "azure.build": _build,
    "azure.revise": _put,
    "azure.serve": _serve,
    "azure.activate": _told("revisions/{revision}/activate"),
    "azure.deactivate": _told("revisions/{revision}/deactivate"),
    "azure.start": _told("start"),
    "azure.swap": _swap,
    "machine.learn": _learn,
    "machine.ready": _note,
    "machine.start": _told("start"),
}
"""What yields the requests of a step, by its call: it takes the step's title, its arguments, and where that is."""
