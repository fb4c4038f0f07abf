"""What a target is told, and what it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from opdeploy.deploy_settings import Deploy
from opdeploy.frozen import Frozen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opdeploy.deployment import Found, Observed
    from opdeploy.plan import Plan, Step
    from opdeploy.platform import NameRule


class Wanted(Frozen):
    """What is to run: everything that a plan depends on beside what is there."""

    deployment: str
    """Its name, as the platform allows it."""
    settings: Deploy
    artefact: str
    """Digest of the model's artefact."""
    bundle: str
    """Digest of the files that the image is made of, and of how it is built."""
    image: str
    """Name of the image, with its registry where there is one."""
    platform: str
    """Of the image: `linux/amd64`."""
    port: int
    """That the server listens on in its container."""
    gpu: bool = False
    """Whether it computes on a GPU."""
    memory_gb: float
    """Of one server."""
    public: bool
    """Whether it is reached from anywhere, so that an API key is needed."""
    keyed: bool
    """Whether requests need an API key."""
    tls: bool = False
    """Whether what is on the way cannot read along."""
    keep: int
    """Versions that are kept, the current one included."""
    ready_s: float
    """How long a server may take to get ready."""
    manifests: tuple[dict[str, Any], ...] = ()
    """What a cluster is told, as data."""


class Measured(NamedTuple):
    """What was measured of a model; None where nothing was."""

    ready_s: float | None = None
    """From the start of a server until it was ready."""
    peak_memory_mb: float | None = None
    """The most that it held, in MB (10^6 bytes)."""
    threads: int | None = None
    """With which it was best."""
    knee: int | None = None
    """Records in a batch beyond which more add little."""


class Reach(NamedTuple):
    """Who reaches a version."""

    public: bool
    """Whether it is reached from anywhere."""
    keyed: bool
    """Whether requests need an API key."""
    tls: bool = False
    """Whether what is on the way cannot read along."""


class Target(Protocol):
    """A platform that can be deployed to."""

    ids: tuple[str, ...]
    """The profiles that it serves."""
    rule: NameRule | None
    """What a deployment may be called, where that is another rule than that of the profile."""

    def config(self, wanted: Wanted) -> str:
        """Return the digest of everything that decides how a version runs."""

    def plan(self, wanted: Wanted, observed: Observed, number: int) -> Iterator[Step]:
        """Yield the steps that make a version current: a new one, or one that is there."""

    def back(self, observed: Observed, to: int, undone: Plan | None = None) -> Iterator[Step]:
        """Yield the steps that make a kept version current again, after a plan that failed or on demand."""

    def reach(self, observed: Observed, to: int) -> Reach:
        """Tell who reaches a kept version once it answers again."""

    def drift(self, observed: Observed) -> Iterator[Found]:
        """Yield what is not as it was made, and what is missing, as it should be."""

    def teardown(self, observed: Observed) -> Iterator[Step]:
        """Yield the steps that delete everything that the deployment made, and nothing else."""


_EVERYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - nothing listens there
"""All addresses of a machine, and where it reaches itself."""


def reached(host: str) -> str:
    """Return the address at which a machine reaches what listens there at an address, which may be all of its own."""
    return _EVERYWHERE.get(host, host)


def overlap(one: str, another: str) -> bool:
    """Tell whether two addresses to listen on cannot have one port: they are the same, or one of them is all."""
    return one == another or not _EVERYWHERE.keys().isdisjoint({one, another})


def is_beyond(host: str) -> bool:
    """Tell whether an address to listen on may be reached from elsewhere: in a cloud a private one may be, too."""
    return host not in {"localhost", "127.0.0.1", "::1"}


def is_public(host: str) -> bool:
    """Tell whether an address to listen on may be reached from anywhere: all addresses may."""
    from ipaddress import ip_address

    try:
        address = ip_address(host)
    except ValueError:  # a name: `localhost` is the only one that says where it leads
        return host != "localhost"
    address = getattr(address, "ipv4_mapped", None) or address  # ::ffff:0.0.0.0 is every address of version 4
    return address.is_unspecified or not (address.is_private or address.is_loopback or address.is_link_local)
