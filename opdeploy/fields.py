"""Forms that the values of a workload file have, and the types of fields that hold them."""

from ipaddress import ip_address, ip_network
from typing import Annotated

from pydantic import AfterValidator, Field

DNS_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
DNS_NAME = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
DURATION = r"^[0-9]{1,6}(\.[0-9]{1,3})?[smhd]$"
REGION = r"^[a-z][a-z0-9]{1,40}$"
NAME = r"^[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?$"
ONE_LINE = r"^[!-,./-~][!-~]*( [!-~]+)*$"
REGISTRY = r"^[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?(/[a-z0-9]([._-]*[a-z0-9])*)*/?$"
ADDRESS = r"^(localhost|[0-9]{1,3}(\.[0-9]{1,3}){3}|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*)$"
GROUP = r"^[A-Za-z0-9_(]([A-Za-z0-9_().-]*[A-Za-z0-9_()-])?$"
_ID = r"^/subscriptions/[0-9A-Fa-f-]{36}/resourceGroups/[A-Za-z0-9_().-]+/providers/"
IDENTITY = _ID + r"Microsoft\.ManagedIdentity/userAssignedIdentities/[A-Za-z0-9_-]+$"
PLAN = _ID + r"Microsoft\.Web/serverfarms/[A-Za-z0-9_-]+$"
SETTING = r"^[A-Za-z_][A-Za-z0-9_.:-]*$"
TAG = r"^[^-@<>%&\\?/][^<>%&\\?/]*$"
"""The name of a tag (learn.microsoft.com/azure/azure-resource-manager/management/tag-resources, "Limitations", read
2026-11-26) that `az` takes for no option and no file."""
SUBNET = _ID + r"Microsoft\.Network/virtualNetworks/[A-Za-z0-9_.-]+/subnets/[A-Za-z0-9_.-]+$"
SIZE = r"^Standard_[A-Z][A-Za-z0-9_-]*[A-Za-z0-9]$"
_CLUSTER = r"[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?$"
CLUSTER = rf"^{_CLUSTER[:-1]}$|{_ID}Microsoft\.ContainerService/managedClusters/{_CLUSTER}"
RELEASE = r"^[0-9]+\.[0-9]+$"
VAULT = r"^([A-Za-z][A-Za-z0-9-]{1,22}[A-Za-z0-9]|https://[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+/?)$"
ENVIRONMENT = _ID + r"Microsoft\.App/managedEnvironments/[A-Za-z0-9-]+$"
PROFILE = r"^(Consumption(-GPU-NC8as-T4|-GPU-NC24-A100)?|[DE](4|8|16|32)|NC24-A100)$"
WORKSPACE = r"^own$|" + _ID + r"Microsoft\.OperationalInsights/workspaces/[A-Za-z0-9-]+$"
"""Names and ids of Azure (learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules, read
2026-11-26)."""
HINTS = {
    NAME: "write letters, digits and dashes, such as animal-classifier",
    ONE_LINE: "write one line of printable ASCII, without a dash at its beginning",
    REGISTRY: "write a registry as Docker names it, such as me.azurecr.io or 127.0.0.1:5000",
    ADDRESS: "write an IP address of this machine, such as 127.0.0.1 or ::1, or localhost",
    DNS_LABEL: "write a DNS label: lower-case letters, digits and dashes, such as animal-classifier",
    DNS_NAME: "write a DNS name in lower case, such as models.example.com",
    DURATION: "write a time such as 90s, 15m, 4h or 7d",
    GROUP: "write letters, digits and any of -_.(), and no period at its end",
    IDENTITY: "write the id of a user-assigned identity, as az identity show tells it",
    PLAN: "write the id of a Linux plan, as az appservice plan show tells it",
    SETTING: "write the name of a variable, such as LOG_LEVEL",
    TAG: "write a name without any of <>%&\\?/, and without a dash or @ at its beginning",
    ENVIRONMENT: "write the id of a Container Apps environment, as az containerapp env show tells it",
    PROFILE: "write Consumption, D4 to D32, E4 to E32, or with a GPU Consumption-GPU-NC8as-T4, "
    "Consumption-GPU-NC24-A100 or NC24-A100",
    WORKSPACE: "write own, or the id of a Log Analytics workspace, as az monitor log-analytics workspace show tells it",
    CLUSTER: "write the name of a managed cluster, or its id, as az aks show tells it",
    RELEASE: "write a version such as 1.36",
    SUBNET: "write the id of a subnet, as az network vnet subnet show tells it",
    SIZE: "write a size of Azure as Azure does, such as Standard_D2s_v5",
    VAULT: "write the name of a Key Vault, or its address, such as https://me.vault.azure.net",
    REGION: "write an Azure region as Azure does, such as westeurope",
}
"""What to write where a pattern does not match."""

_MANAGED, _OURS = "managed-by", "opdeploy-"
"""The one, and how the others begin, of the tags by which what a deployment made is found again."""
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(duration: str) -> float:
    """Return a time such as `4h` in seconds."""
    return float(duration[:-1]) * _SECONDS[duration[-1]]


def _is_long(duration: str) -> str:
    if not seconds(duration):
        raise ValueError(f'"{duration}" is no time at all; write one such as 90s, 15m, 4h or 7d')
    return duration


def _address(host: str) -> str:
    """Return an address as it is usually written: one for localhost, and that of version 4 which version 6 maps."""
    if host == "localhost":
        return "127.0.0.1"
    try:
        address = ip_address(host)
    except ValueError:
        raise ValueError(f'"{host}" is no address; {HINTS[ADDRESS]}') from None
    return str(getattr(address, "ipv4_mapped", None) or address)


def _tags(named: dict[str, str]) -> dict[str, str]:
    """Return tags whose names are neither opdeploy's nor the same to Azure, which takes capitals for small letters."""
    seen: dict[str, str] = {}
    for name in named:
        small = name.lower()
        if small == _MANAGED or small.startswith(_OURS):
            raise ValueError(f'"{name}" is one of opdeploy\'s own tags; take another name')
        if small in seen:
            raise ValueError(f'"{seen[small]}" and "{name}" are the same tag in Azure; leave one out')
        seen[small] = name
    return named


def _sources(text: str) -> str:
    """Return an address, or a range of them, as it is usually written."""
    try:
        found = ip_network(text)
    except ValueError:
        raise ValueError(
            f'"{text}" is no address and no range; write one such as 203.0.113.7 or 203.0.113.0/24'
        ) from None
    return str(found.network_address) if found.num_addresses == 1 else str(found)


Amount = Annotated[float, Field(gt=0, le=1e12)]
Duration = Annotated[str, Field(pattern=DURATION), AfterValidator(_is_long)]
Port = Annotated[int, Field(ge=1, le=65535)]
Address = Annotated[str, Field(pattern=ADDRESS, max_length=45), AfterValidator(_address)]
Tags = Annotated[
    dict[Annotated[str, Field(pattern=TAG, max_length=512)], Annotated[str, Field(max_length=256)]],
    AfterValidator(_tags),
]
"""Names and values as Azure takes them; to it names are the same that differ in capitals alone (the page of `TAG`)."""
Sources = Annotated[str, Field(max_length=49), AfterValidator(_sources)]
OneLine = Annotated[str, Field(min_length=1, max_length=400, pattern=ONE_LINE)]
