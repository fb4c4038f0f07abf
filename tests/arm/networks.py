"""Microsoft.Network, as far as a machine needs it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from tests.arm.answers import refused
from tests.arm.kinds import ASYNC, LOCATION, Kind, Resource

if TYPE_CHECKING:
    from tests.arm.arm import Arm

VERSIONS = ("2023-09-01", "2024-05-01", "2024-07-01", "2025-01-01", "2025-05-01", "2025-07-01")
ID = {"id": str}
ADDRESS = r"[A-Za-z0-9]([\w.-]{0,78}\w)?"
RULE = {
    "protocol!": ("Tcp", "Udp", "Icmp", "Esp", "*", "Ah"), "access!": ("Allow", "Deny"), "priority!": int,
    "direction!": ("Inbound", "Outbound"), "description": str, "provisioningState-": str,
    "sourcePortRange": str, "sourcePortRanges": [str], "destinationPortRange": str, "destinationPortRanges": [str],
    "sourceAddressPrefix": str, "sourceAddressPrefixes": [str],
    "destinationAddressPrefix": str, "destinationAddressPrefixes": [str],
    "sourceApplicationSecurityGroups": [ID], "destinationApplicationSecurityGroups": [ID],
}  # fmt: skip
SUBNET = {
    "addressPrefix": str, "addressPrefixes": [str], "networkSecurityGroup": ID, "routeTable": ID, "natGateway": ID,
    "serviceEndpoints": object, "delegations": object, "defaultOutboundAccess": bool,
    "privateEndpointNetworkPolicies": str, "privateLinkServiceNetworkPolicies": str, "provisioningState-": str,
    "ipConfigurations-": object, "purpose-": str,
}  # fmt: skip
PART = {"id": str, "etag-": str, "type-": str, "name": str}
NETWORK = {
    "addressSpace": {"addressPrefixes": [str]}, "dhcpOptions": {"dnsServers": [str]},
    "subnets": [{**PART, "properties": SUBNET}], "enableDdosProtection": bool, "enableVmProtection": bool,
    "flowTimeoutInMinutes": int, "encryption": object, "privateEndpointVNetPolicies": ("Disabled", "Basic"),
    "provisioningState-": str, "resourceGuid-": str, "virtualNetworkPeerings": object,
}  # fmt: skip
PUBLIC = {
    "publicIPAllocationMethod": ("Static", "Dynamic"), "publicIPAddressVersion": ("IPv4", "IPv6"),
    "dnsSettings": {"domainNameLabel": str, "domainNameLabelScope": str, "fqdn": str, "reverseFqdn": str},
    "idleTimeoutInMinutes": int, "deleteOption": ("Delete", "Detach"), "ipAddress": str, "ddosSettings": object,
    "ipTags": object, "publicIPPrefix": ID, "provisioningState-": str, "ipConfiguration-": object, "resourceGuid-": str,
}  # fmt: skip
INTERFACE = {
    "ipConfigurations": [
        {
            **PART,
            "properties": {
                "subnet": ID, "publicIPAddress": {"id": str, "properties": {"deleteOption": ("Delete", "Detach")}},
                "primary": bool, "privateIPAddress": str, "privateIPAddressVersion": ("IPv4", "IPv6"),
                "privateIPAllocationMethod": ("Static", "Dynamic"), "provisioningState-": str,
                "loadBalancerBackendAddressPools": [ID], "applicationSecurityGroups": [ID],
            },
        }
    ],
    "networkSecurityGroup": ID, "enableAcceleratedNetworking": bool, "enableIPForwarding": bool,
    "dnsSettings": {"dnsServers": [str], "internalDnsNameLabel": str}, "provisioningState-": str,
    "virtualMachine-": ID, "macAddress-": str, "primary-": bool, "nicType": str, "resourceGuid-": str,
}  # fmt: skip


def _missing(arm: Arm, new: Resource, value: object) -> None:
    """Refuse what names a resource that is not there."""
    if isinstance(value, list):
        for each in value:
            _missing(arm, new, each)
    if isinstance(value, dict):
        named = value.get("id")
        inside = isinstance(named, str) and not named.lower().startswith(f"{new.id}/".lower())
        if inside and arm.find(str(named)) is None:
            message = f"Resource {named} referenced by resource {new.id} was not found. Please make sure that the "
            message += "referenced resource exists, and that both resources are in the same region."
            raise refused(400, "InvalidResourceReference", message)
        for each in value.values():
            _missing(arm, new, each)


def check(arm: Arm, _old: Resource | None, new: Resource) -> None:
    """Refuse what names a resource that is not there."""
    _missing(arm, new, new.properties)


def _check_network(arm: Arm, old: Resource | None, new: Resource) -> None:
    if not old and not (new.properties.get("addressSpace") or {}).get("addressPrefixes"):
        raise refused(400, "InvalidRequestFormat", "Cannot parse the request: addressSpace is needed.")
    check(arm, old, new)
    for each in new.properties.get("subnets") or []:
        each["id"] = f"{new.id}/subnets/{each['name']}"


def _made_network(arm: Arm, network: Resource) -> None:
    """Have a resource of each subnet."""
    for each in network.properties.pop("subnets", None) or []:
        arm.resources[each["id"].lower()] = Resource(each["id"], SUBNETS, {"properties": dict(each["properties"])})


def _view_network(arm: Arm, network: Resource) -> dict[str, Any]:
    found = [
        {"id": each.id, "name": each.name, "properties": each.properties}
        for each in arm.below(network.id)
        if each.kind is SUBNETS
    ]
    own = {**network.properties, "subnets": network.properties.get("subnets", []) + found}
    return {**network.body, "properties": own}


def _made_rules(_arm: Arm, group: Resource) -> None:
    for each in group.properties.setdefault("securityRules", []):
        each["id"] = f"{group.id}/securityRules/{each['name']}"


def _made_public(arm: Arm, public: Resource) -> None:
    own = public.properties
    own.setdefault("publicIPAllocationMethod", "Dynamic")
    own.setdefault("ipAddress", arm.machines.address())
    if label := (own.get("dnsSettings") or {}).get("domainNameLabel"):
        own["dnsSettings"]["fqdn"] = f"{label}.{public.body['location']}.cloudapp.azure.com"


def _made_interface(_arm: Arm, interface: Resource) -> None:
    for number, each in enumerate(interface.properties.get("ipConfigurations") or []):
        own = each.setdefault("properties", {})
        each["id"] = f"{interface.id}/ipConfigurations/{each['name']}"
        own.setdefault("privateIPAllocationMethod", "Dynamic")
        own.setdefault("privateIPAddress", f"10.0.0.{4 + number}")
        own.setdefault("primary", number == 0)


def _kind(name: str, properties: dict[str, Any], code: str, **more: Any) -> Kind:  # noqa: ANN401 - of a kind
    common: dict[str, Any] = {"name": ADDRESS, "check": check, **more}
    return Kind(
        type=f"Microsoft.Network/{name}",
        versions=VERSIONS,
        form={
            "properties": copy.copy(properties), "zones": [str], "extendedLocation": object,
            "sku": {"name": ("Basic", "Standard", "StandardV2"), "tier": ("Regional", "Global")},
        },
        put=ASYNC,
        patch=None,
        delete=LOCATION,
        first_state="Updating",
        busy=("AnotherOperationInProgress", "Another operation on this or dependent resource is in progress."),
        in_use=(code, "{name} cannot be deleted because it is in use by {users}."),
        **common,
    )  # fmt: skip


SUBNETS = _kind("virtualNetworks/subnets", SUBNET, "InUseSubnetCannotBeDeleted", tracked=False)
NETWORKS = _kind(
    "virtualNetworks",
    NETWORK,
    "InUseSubnetCannotBeDeleted",
    check=_check_network,
    made=_made_network,
    view=_view_network,
)
RULES = {"securityRules": [{**PART, "properties": RULE}], "flushConnection": bool, "provisioningState-": str}
KINDS = (
    NETWORKS,
    SUBNETS,
    _kind("networkSecurityGroups", RULES, "InUseNetworkSecurityGroupCannotBeDeleted", made=_made_rules),
    _kind("publicIPAddresses", PUBLIC, "PublicIPAddressCannotBeDeleted", made=_made_public),
    _kind("networkInterfaces", INTERFACE, "NicInUse", made=_made_interface),
)
ROUTES: dict[Any, Any] = {}
