"""Addresses that a deployment listens on: how they are written, and who is let in by them."""

from __future__ import annotations

import pytest

from opdeploy.cli.settings import Chosen, settings
from opdeploy.errors import InputError
from opdeploy.targets.base import is_public

HOSTS = {
    "127.0.0.1": ("127.0.0.1", False),
    "localhost": ("127.0.0.1", False),
    "::1": ("::1", False),
    "0:0:0:0:0:0:0:1": ("::1", False),
    "FD00::1": ("fd00::1", False),
    "fe80::1": ("fe80::1", False),
    "10.0.0.1": ("10.0.0.1", False),
    "::ffff:127.0.0.1": ("127.0.0.1", False),
    "::ffff:0.0.0.0": ("0.0.0.0", True),  # noqa: S104 - nothing listens there
    "0.0.0.0": ("0.0.0.0", True),  # noqa: S104 - nothing listens there
    "::": ("::", True),
    "8.8.8.8": ("8.8.8.8", True),
    "2606:4700::1111": ("2606:4700::1111", True),
    "::ffff:8.8.8.8": ("8.8.8.8", True),
}
"""By what is said: the address, and whether it may be reached from anywhere."""


@pytest.mark.parametrize("said", HOSTS)
def test_an_address_is_written_in_one_way(said: str) -> None:
    """Docker publishes a port on addresses and on no names; drift compares them as text."""
    address, public = HOSTS[said]
    found = settings(None, Chosen(host=said)).deploy.local.host
    assert found == address
    assert is_public(found) is is_public(said) is public


@pytest.mark.parametrize(
    "said",
    ["example.org", "localhost.", "1.2.3", "999.1.1.1", "01.2.3.4", "::g", ":::", "fe80::1%eth0", "[::1]", "1::2::3"],
)
def test_what_is_no_address_is_refused(said: str) -> None:
    """In one line, which says what to write."""
    with pytest.raises(InputError) as caught:
        settings(None, Chosen(host=said))
    assert str(caught.value).startswith("--host: ")
    assert str(caught.value).endswith("write an IP address of this machine, such as 127.0.0.1 or ::1, or localhost")
    assert len(str(caught.value).splitlines()) == 1
