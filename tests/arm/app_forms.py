"""What bodies of environments and container apps may have."""

from __future__ import annotations

from tests.arm.kinds import IDENTITY

IDENTITIES = {
    **{name: each for name, each in IDENTITY.items() if name != "type"},
    "type!": ("SystemAssigned", "UserAssigned", "SystemAssigned,UserAssigned", "None"),
}
ENVIRONMENT_FORM = {
    "identity": IDENTITIES,
    "kind": str,
    "properties": {
        "appLogsConfiguration": {
            "destination": str, "logAnalyticsConfiguration": {"customerId": str, "sharedKey*": str}
        },
        "appInsightsConfiguration": {"connectionString*": str},
        "customDomainConfiguration": object,
        "daprAIConnectionString*": str,
        "daprAIInstrumentationKey*": str,
        "infrastructureResourceGroup=": str,
        "ingressConfiguration": {
            "headerCountLimit": int, "requestIdleTimeout": int, "terminationGracePeriodSeconds": int,
            "workloadProfileName": str,
        },
        "peerAuthentication": {"mtls": {"enabled": bool}},
        "peerTrafficConfiguration": {"encryption": {"enabled": bool}},
        "publicNetworkAccess": ("Enabled", "Disabled"),
        "vnetConfiguration=": {
            "dockerBridgeCidr": str, "infrastructureSubnetId": str, "internal": bool, "platformReservedCidr": str,
            "platformReservedDnsIP": str,
        },
        "workloadProfiles": [
            {"name!": str, "workloadProfileType!": str, "minimumCount": int, "maximumCount": int, "enableFips": bool}
        ],
        "zoneRedundant=": bool,
        "provisioningState-": str, "defaultDomain-": str, "staticIp-": str, "deploymentErrors-": str,
        "kedaConfiguration": object, "daprConfiguration": object, "eventStreamEndpoint-": str,
        "customDomainVerificationId-": str,
    },
}  # fmt: skip
HEADERS = [{"name!": str, "value!": str}]
PROBE = {
    "type": ("Liveness", "Readiness", "Startup"),
    "httpGet": {"host": str, "httpHeaders": HEADERS, "path": str, "port!": int, "scheme": ("HTTP", "HTTPS")},
    "tcpSocket": {"host": str, "port!": int},
    "initialDelaySeconds": int, "periodSeconds": int, "timeoutSeconds": int, "failureThreshold": int,
    "successThreshold": int, "terminationGracePeriodSeconds": int,
}  # fmt: skip
CONTAINER = {
    "name": str, "image": str, "imageType": str, "command": [str], "args": [str],
    "env": [{"name": str, "value": str, "secretRef": str}],
    "resources": {"cpu": float, "memory": str, "gpu": float, "ephemeralStorage-": str},
    "volumeMounts": [{"volumeName": str, "mountPath": str, "subPath": str}],
}  # fmt: skip
AUTH = {"auth": [{"secretRef": str, "triggerParameter": str}], "identity": str}
RULE = {"metadata": {"*": str}, **AUTH}
TEMPLATE = {
    "revisionSuffix": str,
    "terminationGracePeriodSeconds": int,
    "containers": [{**CONTAINER, "probes": [PROBE]}],
    "initContainers": [CONTAINER],
    "scale": {
        "minReplicas": int, "maxReplicas": int, "cooldownPeriod": int, "pollingInterval": int,
        "rules": [
            {"name": str, "http": RULE, "tcp": RULE, "custom": {"type": str, **RULE},
             "azureQueue": {"accountName": str, "queueName": str, "queueLength": int, **AUTH}}
        ],
    },
    "volumes": [
        {"name": str, "storageType": ("AzureFile", "EmptyDir", "Secret", "NfsAzureFile"), "storageName": str,
         "mountOptions": str, "secrets": [{"secretRef": str, "path": str}]}
    ],
    "serviceBinds": [{"name": str, "serviceId": str}],
}  # fmt: skip
APP_FORM = {
    "identity": IDENTITIES,
    "kind": ("workflowapp", "functionapp"),
    "managedBy": str,
    "extendedLocation": {"name": str, "type": ("CustomLocation",)},
    "properties!": {
        "environmentId=": str,
        "managedEnvironmentId": str,
        "workloadProfileName": str,
        "configuration": {
            "activeRevisionsMode": ("Multiple", "Single", "Labels"),
            "secrets": [{"name": str, "value*": str, "identity": str, "keyVaultUrl": str}],
            "registries": [{"server": str, "username": str, "passwordSecretRef": str, "identity": str}],
            "ingress": {
                "external": bool, "targetPort": int, "exposedPort": int,
                "transport": ("auto", "http", "http2", "tcp"),
                "traffic": [{"revisionName": str, "weight": int, "latestRevision": bool, "label": str}],
                "customDomains": [{"name!": str, "bindingType": str, "certificateId": str}],
                "allowInsecure": bool,
                "ipSecurityRestrictions": [
                    {"name!": str, "description": str, "ipAddressRange!": str, "action!": ("Allow", "Deny")}
                ],
                "stickySessions": {"affinity": ("sticky", "none")},
                "clientCertificateMode": ("ignore", "accept", "require"),
                "corsPolicy": object,
                "additionalPortMappings": [{"external!": bool, "targetPort!": int, "exposedPort": int}],
                "fqdn-": str,
            },
            "dapr": object, "maxInactiveRevisions": int, "runtime": object, "service": {"type!": str},
            "identitySettings": [{"identity!": str, "lifecycle": ("None", "Main", "Init", "All")}],
        },
        "template": TEMPLATE,
        "provisioningState-": str, "runningStatus-": str, "latestRevisionName-": str,
        "latestReadyRevisionName-": str, "latestRevisionFqdn-": str, "customDomainVerificationId-": str,
        "outboundIpAddresses-": [str], "eventStreamEndpoint-": str, "deploymentErrors-": str,
        "delegatedIdentities-": object,
    },
}  # fmt: skip
