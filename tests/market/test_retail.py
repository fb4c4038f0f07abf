"""Which rows of the Azure Retail Prices API are the price of a meter."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from retail_form import LOGS, MACHINE, REQUESTS, row

from opdeploy.catalogue import load_market
from opdeploy.market import retail

MARKET = load_market()
TODAY = date(2026, 11, 27)
SPOT = {**MACHINE, "skuName": "Standard_D2s_v5 Spot", "meterName": "D2s v5 Spot", "retailPrice": 0.021252}
DISK = {"serviceName": "Storage", "skuName": "P10 LRS", "meterName": "P10 LRS Disk", "unitOfMeasure": "1/Month"}


def told(*rows: dict[str, Any]) -> list[tuple[str, str, float, float, str]]:
    """Return what rows are taken for."""
    found = retail.prices(rows, MARKET, TODAY)
    return [(item.meter, item.region, float(item.usd), float(item.per), item.state) for item in found]


WINDOWS = "Virtual Machines Dsv5 Series Windows"
CLOUD, CLOUDS = "Dsv5 Series Cloud Services", "Virtual Machines Dsv5 Series CloudServices"
FREE = {
    "serviceName": "Azure Kubernetes Service",
    "productName": "Azure Kubernetes Service",
    "skuName": "FreeTierInfrastructureCost",
    "meterName": "FreeTierInfrastructureCost Uptime SLA",
}
ENDED = "2026-09-30T23:59:00Z"
D2S = ("vm/Standard_D2s_v5", "westeurope", 0.115, 1.0, "listed")
RULES: dict[str, tuple[list[dict[str, Any]], list[tuple[str, str, float, float, str]]]] = {
    "a machine": ([row(MACHINE)], [D2S]),
    "whose SKU may be spelt otherwise": ([row(MACHINE, skuName="D2s v5")], [D2S]),
    "Spot is another meter": ([row(SPOT)], [("vm-spot/Standard_D2s_v5", "westeurope", 0.021252, 1.0, "listed")]),
    "Spot by the name of the meter alone": (
        [row(SPOT, skuName="D2s v5")],
        [("vm-spot/Standard_D2s_v5", "westeurope", 0.021252, 1.0, "listed")],
    ),
    "neither Windows": ([row(MACHINE), row(MACHINE, productName=WINDOWS, retailPrice=0.207)], [D2S]),
    "nor Cloud Services": ([row(MACHINE), row(MACHINE, productName=CLOUD, retailPrice=0.13)], [D2S]),
    "nor CloudServices": ([row(MACHINE, productName=CLOUDS, retailPrice=0.13)], []),
    "nor low priority": ([row(MACHINE), row(MACHINE, meterName="D2s v5 Low Priority", retailPrice=0.023)], [D2S]),
    "nor a reservation, whose price is of the whole term": (
        [row(MACHINE), row(MACHINE, type="Reservation", reservationTerm="1 Year", retailPrice=519.0)],
        [D2S],
    ),
    "nor for development": ([row(MACHINE), row(MACHINE, type="DevTestConsumption", retailPrice=0.115)], [D2S]),
    "nor what has an end": ([row(MACHINE), row(MACHINE, effectiveEndDate=ENDED, retailPrice=0.01)], [D2S]),
    "nor another currency": ([row(MACHINE, currencyCode="EUR")], []),
    "nor a size that is not known": ([row(MACHINE, armSkuName="Standard_D2s_v99")], []),
    "rows beyond the primary region count": ([row(MACHINE, isPrimaryMeterRegion=False)], [D2S]),
    "for a million": ([row(REQUESTS)], [("container-apps/requests", "westeurope", 0.56, 1e6, "listed")]),
    "for ten thousand": (
        [row({"serviceName": "Storage", "productName": "General Block Blob v2", "skuName": "Hot LRS",
              "meterName": "Hot Read Operations", "unitOfMeasure": "10K"}, retailPrice=0.0043)],
        [("blob/hot-reads", "westeurope", 0.0043, 1e4, "listed")],
    ),
    "for a day": (
        [row({"serviceName": "Container Registry", "productName": "Container Registry", "skuName": "Basic",
              "meterName": "Basic Registry Unit", "unitOfMeasure": "1/Day"}, retailPrice=0.1666)],
        [("acr/basic", "westeurope", 0.1666, 1.0, "listed")],
    ),
    "of tiers the first that costs something": (
        [row(LOGS, retailPrice=0.0), row(LOGS, tierMinimumUnits=5.0, retailPrice=2.99)],
        [("logs/ingestion", "westeurope", 2.99, 1.0, "listed")],
    ),
    "in any order, and not the cheapest": (
        [row(LOGS, tierMinimumUnits=100.0, retailPrice=1.99), row(LOGS, tierMinimumUnits=5.0, retailPrice=2.99)],
        [("logs/ingestion", "westeurope", 2.99, 1.0, "listed")],
    ),
    "of a product of its own, not of another with the same meter": (
        [row(DISK, productName="Premium SSD Managed Disks", retailPrice=21.68),
         row(DISK, productName="Premium Page Blob", retailPrice=22.0)],
        [("disk/P10", "westeurope", 21.68, 1.0, "listed")],
    ),
    "what holds everywhere has no region": (
        [row({"serviceName": "Load Balancer", "productName": "Load Balancer", "skuName": "Standard",
              "meterName": "Standard Data Processed", "unitOfMeasure": "1 GB"}, armRegionName="", retailPrice=0.005)],
        [("load-balancer/data", "Global", 0.005, 1.0, "listed")],
    ),
    "a surcharge of nothing is a price": (
        [row({"serviceName": "Azure Machine Learning", "productName": "Machine Learning service", "skuName": "Standard",
              "meterName": "Standard vCPU Surcharge"}, retailPrice=0.0)],
        [("aml/vcpu-surcharge", "westeurope", 0.0, 1.0, "listed")],
    ),
    "rows that contradict each other are disputed": (
        [row(MACHINE), row(MACHINE, retailPrice=0.2)],
        [(*D2S[:4], "disputed"), ("vm/Standard_D2s_v5", "westeurope", 0.2, 1.0, "disputed")],
    ),
    "the same row twice is one": ([row(MACHINE), row(MACHINE)], [D2S]),
    "what the API is not believed is disputed": (
        [row(FREE, retailPrice=0.05)],
        [("aks/free", "westeurope", 0.05, 1.0, "disputed")],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("rows", "wanted"), RULES.values(), ids=RULES)
def test_what_rows_are_taken_for(rows: list[dict[str, Any]], wanted: list[tuple[str, str, float, float, str]]) -> None:
    """Each rule, with rows of today's prices."""
    assert told(*rows) == wanted
    assert sorted(told(*reversed(rows))) == sorted(wanted)


def test_a_price_tells_its_meter_and_since_when() -> None:
    """And the day on which it was asked for."""
    (found,) = retail.prices([row(MACHINE)], MARKET, TODAY)
    assert found.date == "2026-11-27"
    assert found.source == (
        "Azure Retail Prices API, meter 00000000-0000-0000-0000-000000000001, in force since 2021-11-01"
    )


def test_each_service_is_asked_for_once() -> None:
    """And everywhere where it has meters that hold everywhere."""
    found = retail.services(MARKET)
    assert found["Load Balancer"]
    assert not found["Virtual Machines"]
    assert {"Container Instances", "Azure Container Apps", "Azure App Service", "Storage"} <= found.keys()
