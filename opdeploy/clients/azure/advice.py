"""What to do about a refusal of Azure, by its code, and by words of its message where a code says too little."""

from __future__ import annotations

_QUOTA = "ask for more quota in the portal, or take another region or a smaller size"
_ROOM = "try again later, or take another size or another region"
_ROLE = "have somebody give you a role with that right there (az role assignment create)"
_PULL = "see that the image is in its registry, and that the identity may pull it"
_SIGN_IN = "sign in again: az login"
_WAIT = "wait until that has ended, and run the command again"
_SUBNET = "take another subnet, or one with more addresses"
_REPORT = "use a newer opdeploy, or tell its makers what it says"
_PLACE = "take one of the regions that are named there"

TO_DO = {
    # Who asks, and what they may do
    "AuthorizationFailed": _ROLE,
    "LinkedAuthorizationFailed": "have somebody give you a role with that right on what is named there",
    "InvalidAuthenticationToken": _SIGN_IN,
    "ExpiredAuthenticationToken": _SIGN_IN,
    "InvalidAuthenticationTokenTenant": "sign in to the subscription's own directory: az login --tenant ID",
    "SubscriptionNotFound": "name a subscription that you may use: az account list",
    "ReadOnlyDisabledSubscription": "enable the subscription in the portal, or name another with --subscription",
    "DisallowedProvider": "take a subscription that may use this provider",
    "MissingSubscriptionRegistration": "register the provider: az provider register --namespace NAME",
    "MissingRegistrationForLocation": "register the provider again, or take a region that it offers",
    "SubscriptionNotRegistered": "register the provider: az provider register --namespace NAME",
    "InvalidSubscriptionRegistrationState": "wait until the provider is registered: az provider show --namespace NAME",
    "RequestDisallowedByPolicy": "ask who manages the policy that is named there, or take what it allows",
    "ScopeLocked": "remove the lock that is named there, or ask who set it",
    "RoleAssignmentExists": "remove the assignment of that role that is there, or name the identity that has it",
    "RoleAssignmentUpdateNotPermitted": "remove the assignment that is there: the identity was made anew since",
    "RoleAssignmentLimitExceeded": "remove assignments that nobody needs: a subscription has at most 4,000",
    "PrincipalNotFound": "run the command again: the identity was made a moment ago",
    "ServicePrincipalValidationClientError": "give the cluster's principal a new secret, or use an identity instead",
    # How much there is
    "QuotaExceeded": _QUOTA,
    "ResourceQuotaExceeded": "remove what is not needed, or ask for more quota in the portal",
    "OperationNotAllowed": _QUOTA,
    "ContainerGroupQuotaReached": _QUOTA,
    "PublicIPCountLimitReached": "remove addresses that nobody needs, or ask for more quota in the portal",
    "MaxNumberOfRegionalEnvironmentsInSubExceeded": "name an environment that is there, or take another region",
    "MaxNumberOfGlobalEnvironmentsInSubExceeded": "name an environment that is there, or ask for more quota",
    "SubscriptionIsOverQuotaForSku": _QUOTA,
    "InternalSubscriptionIsOverQuotaForSku": _QUOTA,
    "DeploymentQuotaExceeded": "remove old deployments of the group: az deployment group list, and delete",
    "SubscriptionRequestsThrottled": "wait as long as it says, and run the command again",
    "TooManyRequests": "wait as long as it says, and run the command again",
    "Throttled": "wait as long as it says, and run the command again",
    # Whether there is room
    "SkuNotAvailable": "take another size or another region",
    "NotAvailableForSubscription": "take another size or another region",
    "AvailabilityZoneNotSupported": "take one of the zones that are named there, or none",
    "AllocationFailed": _ROOM,
    "ZonalAllocationFailed": "try again later, or take another zone, size or region",
    "OverconstrainedAllocationRequest": "ask for less at once: another size, and no placement group",
    "ServiceUnavailable": "try again later, or take another region",
    "AksCapacityHeavyUsage": "try again later, or take another region",
    "RegionDoesNotAllowProvisioning": "take another region, or ask for access to this one in the portal",
    "LocationNotAvailableForResourceType": _PLACE,
    "NoRegisteredProviderFound": _PLACE,
    "LocationRequired": "name a region with --location, such as westeurope",
    # Spot
    "SpotPriorityContainerGroupNotSupportedForInboundConnectivity": "take deploy.aci.priority Regular",
    "SpotPriorityContainerGroupNotSupportedInSku": "take deploy.aci.priority Regular",
    "SpotPriorityContainerGroupWithGPUResourcesNotSupported": "take a platform with GPUs, such as container-apps",
    "AzureSpotFeatureNotEnabledForSubscription": "take another subscription, or no Spot",
    "AzureSpotIsNotSupportedForThisVMSize": "take another size, or no Spot",
    "SpotPriceGreaterThanProvidedMaxPrice": "offer more, or take no Spot",
    # Names
    "AlreadyInUse": "take another name: all of Azure shares them",
    "DnsNameLabelTaken": "take another deploy.aci.dns_label",
    "DnsNameLabelNotAvailable": "take another deploy.aci.dns_label",
    "DnsRecordInUse": "take another DNS label",
    "ReservedResourceName": "take another --name",
    "ContainerAppInvalidName": "take another --name: small letters, digits and single dashes, 2 to 32 of them",
    "ContainerAppInvalidSecretName": _REPORT,
    "DeploymentNameLengthLimitExceeded": "take a shorter --name",
    "DeploymentNameInvalidCharacters": "take another --name",
    # What is there, or is not
    "ResourceGroupNotFound": "run the command again: the group was removed meanwhile",
    "ResourceGroupBeingDeleted": "wait until that is gone, or take another group with --resource-group",
    "ParentResourceNotFound": "run the command again: what it belongs to was removed meanwhile",
    "InvalidResourceReference": "see that what is named there exists, and run the command again",
    "LinkedInvalidPropertyId": "see that the id that is named there is whole",
    "ImageNotFound": "name another image of the machine: az vm image list",
    "InaccessibleImage": _PULL,
    "RegistryErrorResponse": "the registry did not answer; try again, or take a registry of Azure",
    "InvalidImageRegistryIdentity": "name an identity with deploy.azure.identity that is there",
    "InvalidImageRegistryCredentialType": _REPORT,
    "AmbiguousImageResitryCredentialType": _REPORT,
    "OsVersionNotSupported": "build the image on a Linux that Azure runs: --base-image",
    # What is at work
    "AnotherOperationInProgress": _WAIT,
    "DeploymentActive": _WAIT,
    "DeploymentActiveAndUneditable": _WAIT,
    "ContainerGroupTransitioning": _WAIT,
    "ContainerAppOperationInProgress": _WAIT,
    "ManagedEnvironmentOperationInProgress": _WAIT,
    "AKSOperationPreempted": _WAIT,
    "AKSOperationPreemptedByDelete": "wait until that is gone, and run the command again",
    "OperationPreempted": _WAIT,
    # What cannot be changed, or does not go together
    "PropertyChangeNotAllowed": "remove the deployment and deploy again, or take back the change",
    "InvalidContainerGroupUpdate": "remove the deployment and deploy again, or take back the change",
    "NodePoolMcVersionIncompatible": "upgrade the cluster first, or take a version that it allows",
    "InvalidRequestContent": _REPORT,
    "InvalidParameter": "change the setting that is named there",
    "PriorityNotSpecified": "take deploy.aci.priority Regular",
    # State in a storage account
    "AuthorizationPermissionMismatch": "have somebody give you the role Storage Blob Data Contributor on the container",
    "AuthorizationFailure": "see that the network of the storage account lets you in, and that you have a role there",
    "ContainerNotFound": "make the container (az storage container create), or name another with deploy.state",
    # Networks
    "SubnetIsFull": _SUBNET,
    "SubnetIsDelegated": "take a subnet that is delegated to nothing else",
    "SubnetWithExternalResourcesCannotBeUsedByOtherResources": "take a subnet of its own",
}
"""By the codes of Azure Resource Manager and its services; tests/azure/refusals.yaml has where each is documented."""
_BY_WORDS = (
    ("Unauthorized", "quota", _QUOTA),
    ("ServiceUnavailable", "quota", "deploy one container group at a time, or ask for more quota in the portal"),
    ("ServiceUnavailable", "GPU", "take a platform with GPUs, such as container-apps"),
    ("Conflict", "already exists", "take another --name: all of Azure shares them"),
    ("BadRequest", "hosting Linux", "take another group with --resource-group: this one's region hosts other plans"),
    ("InvalidParameterValueInContainerTemplate", "UNAUTHORIZED", _PULL),
    ("InvalidParameterValueInContainerTemplate", "MANIFEST_UNKNOWN", _PULL),
    ("WebhookInvalidParameterValue", "UNAUTHORIZED", _PULL),
)
"""Where a code says too little: a word of the message with it."""
ELSE = "see what it says, and run the command again"


def advice(code: str, message: str) -> str:
    """Return what to do about a refusal."""
    by_words = (todo for known, word, todo in _BY_WORDS if known == code and word.lower() in message.lower())
    return next(by_words, TO_DO.get(code, ELSE))
