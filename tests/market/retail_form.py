"""Rows in the form that the Azure Retail Prices API gives them (Microsoft Learn, version 2023-01-01-preview)."""

from __future__ import annotations

from typing import Any

MACHINE = {
    "serviceName": "Virtual Machines",
    "productName": "Virtual Machines Dsv5 Series",
    "skuName": "Standard_D2s_v5",
    "meterName": "D2s v5",
    "armSkuName": "Standard_D2s_v5",
    "retailPrice": 0.115,
}
REQUESTS = {
    "serviceName": "Azure Container Apps",
    "productName": "Azure Container Apps",
    "skuName": "Standard",
    "meterName": "Standard Requests",
    "unitOfMeasure": "1M",
    "retailPrice": 0.56,
}
LOGS = {
    "serviceName": "Log Analytics",
    "productName": "Log Analytics",
    "skuName": "Analytics Logs",
    "meterName": "Analytics Logs Data Ingestion",
    "unitOfMeasure": "1 GB",
}


def row(of: dict[str, Any], **other: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    """Return a whole row; what is not named is as for a size of machine in westeurope."""
    found = {
        "currencyCode": "USD",
        "tierMinimumUnits": 0.0,
        "retailPrice": 0.1,
        "unitPrice": 0.1,
        "armRegionName": "westeurope",
        "location": "EU West",
        "effectiveStartDate": "2021-11-01T00:00:00Z",
        "meterId": "00000000-0000-0000-0000-000000000001",
        "productId": "DZH318Z00000",
        "skuId": "DZH318Z00000/0001",
        "serviceId": "DZH313Z00000",
        "serviceFamily": "Compute",
        "unitOfMeasure": "1 Hour",
        "type": "Consumption",
        "isPrimaryMeterRegion": True,
        "armSkuName": "",
        **of,
        **other,
    }
    found["unitPrice"] = found["retailPrice"]
    return found
