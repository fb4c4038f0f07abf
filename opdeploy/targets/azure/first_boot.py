"""What a new machine does when it starts for the first time: cloud-init installs Docker, and drivers. Pure."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from typing import NamedTuple

BEFORE = "/var/lib/opdeploy-boot"
"""Where the machine notes which of its starts the driver was installed in: it works from the next one on."""
SSH = 22
"""Where an SSH server listens that nothing is said to."""
_PORT = "Port "
_KEYRING = "/usr/share/keyrings/nvidia-container-toolkit.gpg"
_TOOLKIT = "https://nvidia.github.io/libnvidia-container"
"""Where NVIDIA's packages are, as public scripts take them after its installation guide (read 2026-11-26)."""
_SOURCES = "/etc/apt/sources.list.d/nvidia-container-toolkit.list"


class Booted(NamedTuple):
    """What a first start gave a machine for good."""

    ssh_port: int
    gpu: bool
    """Whether it installed the driver of a GPU."""


def first_boot(user: str, *, ssh_port: int | None, gpu: bool) -> str:
    """Return the text that cloud-init reads: YAML, of which JSON is a part (cloudinit.readthedocs.io)."""
    commands: list[list[str] | str] = [["usermod", "-aG", "docker", user]]
    told: dict[str, object] = {"package_update": True, "packages": ["docker.io", "docker-buildx"]}
    if ssh_port:
        told["write_files"] = [{"path": "/etc/ssh/sshd_config.d/10-opdeploy.conf", "content": f"{_PORT}{ssh_port}\n"}]
        commands += [["systemctl", "daemon-reload"], ["systemctl", "restart", "ssh.socket"]]
    if gpu:
        told["packages"] = ["docker.io", "docker-buildx", "ubuntu-drivers-common", "gnupg"]
        source = f"deb [signed-by={_KEYRING}] {_TOOLKIT}/stable/deb/$(ARCH) /\n"
        commands += [
            ["ubuntu-drivers", "install"],
            f"curl -fsSL {_TOOLKIT}/gpgkey | gpg --dearmor -o {_KEYRING}",
            ["sh", "-c", 'printf "%s" "$1" > "$2"', "sh", source, _SOURCES],
            ["apt-get", "update"],
            ["apt-get", "install", "-y", "--no-install-recommends", "nvidia-container-toolkit"],
            ["nvidia-ctk", "runtime", "configure", "--runtime=docker"],
            ["cp", "/proc/sys/kernel/random/boot_id", BEFORE],
        ]
        told["power_state"] = {"mode": "reboot", "delay": "now"}
    return f"#cloud-config\n{json.dumps({**told, 'runcmd': commands}, indent=1)}\n"


def encoded(text: str) -> str:
    """Return a text as Azure takes it (osProfile.customData)."""
    return b64encode(text.encode()).decode()


def booted(data: str) -> Booted:
    """Return what a first start gave, by its text as Azure took it."""
    told = json.loads(b64decode(data).decode().partition("\n")[2])
    ports = [int(file["content"].removeprefix(_PORT)) for file in told.get("write_files", ())]
    return Booted(ports[0] if ports else SSH, any("nvidia-ctk" in command for command in told["runcmd"]))
