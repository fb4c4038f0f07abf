"""Asks the Azure Retail Prices API, which is public and takes no credentials."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from opdeploy.errors import OpdeployError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from urllib3 import BaseHTTPResponse, PoolManager

URL = "https://prices.azure.com/api/retail/prices"
VERSION = "2023-01-01-preview"
TRIES = 8
"""Of a service that is busy; one that does not answer at all is asked twice again."""
MOST_PAGES = 200
"""Of one answer, of 1,000 rows each: all prices of the largest service in one region are some 10."""
_WAIT_S = 1.0
_MOST_WAIT_S = 60.0
_TIMEOUT_S = 60.0
_TEXTS = (
    *("armRegionName", "currencyCode", "effectiveStartDate", "meterId", "meterName", "productName", "serviceName"),
    *("skuName", "type", "unitOfMeasure"),
)
_NUMBERS = ("retailPrice", "tierMinimumUnits")
"""What every row has (Microsoft Learn, Azure Retail Prices REST API overview)."""
_BUSY = (429, 500, 502, 503, 504)


def items(service: str, region: str, watch: Callable[[str], None], url: str = URL) -> Iterator[dict[str, Any]]:
    """Yield the rows of a service's consumption in a region, page after page.

    Waits as long as the service asks for, and tries again, where it is busy. Raises TransientError where it stays so,
    OpdeployError for what is no answer, or for a page that is said to be elsewhere.
    """
    http = _pool(url)
    # The values are case-sensitive; a quote within one is doubled (OData 4.0, Url Conventions, section 5.1.1.6.2).
    asked = {"serviceName": service, "armRegionName": region, "priceType": "Consumption"}
    terms = " and ".join(f"{name} eq '{value.replace(chr(39), 2 * chr(39))}'" for name, value in asked.items())
    page, fields = url, {"api-version": VERSION, "currencyCode": "'USD'", "$filter": terms}
    for number in range(1, MOST_PAGES + 1):
        watch(f"{service}, {region}, page {number}")
        answer = _page(_asked(http, page, fields), page)
        yield from _whole(answer["Items"], page)
        following = answer.get("NextPageLink")
        if not following:
            return
        if _host(following) != _host(url):
            elsewhere = urlsplit(following).netloc
            raise OpdeployError(f"{page}: says that the next page is at {elsewhere}, which is not asked; report it")
        page, fields = following, {}
    raise OpdeployError(f"{url}: more than {MOST_PAGES} pages of {service} in {region}; report it")


def _pool(url: str) -> PoolManager:
    """Return what asks a service: through the proxy of the environment, where there is one."""
    from urllib.request import getproxies, proxy_bypass

    import urllib3

    # Waits 1, 2, 4 … seconds, or as long as Retry-After says.
    retries = urllib3.Retry(
        TRIES,
        connect=2,
        read=2,
        status_forcelist=_BUSY,
        backoff_factor=_WAIT_S,
        backoff_max=_MOST_WAIT_S,
        raise_on_status=False,
    )
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme)
    if proxy and not proxy_bypass(parts.hostname or ""):
        return urllib3.ProxyManager(proxy, retries=retries, timeout=_TIMEOUT_S)
    return urllib3.PoolManager(retries=retries, timeout=_TIMEOUT_S)


def _asked(http: PoolManager, page: str, fields: dict[str, str]) -> BaseHTTPResponse:
    from urllib3.exceptions import HTTPError

    try:
        return http.request("GET", page, fields=fields or None, redirect=False)  # to where nobody said
    except HTTPError as error:
        why = " ".join(str(getattr(error, "reason", None) or error).split())
        raise TransientError(f"{page}: got no answer: {why}; check the connection, and try again") from None


def _page(answer: BaseHTTPResponse, page: str) -> dict[str, Any]:
    if answer.status in _BUSY:
        raise TransientError(f"{page}: is busy ({answer.status}) after {TRIES} tries; try again in some minutes")
    try:
        found = json.loads(answer.data)
        if answer.status == 200 and isinstance(found["Items"], list):  # noqa: PLR2004  OK
            told: dict[str, Any] = found
            return told
    except (ValueError, KeyError, TypeError):
        pass
    said = " ".join(answer.data[:200].decode(errors="replace").split())
    raise OpdeployError(f"{page}: gave no prices: {answer.status} {said}; report it")


def _whole(rows: list[Any], page: str) -> list[dict[str, Any]]:
    """Return the rows of a page; raises OpdeployError where one is not of the form that they have."""
    for row in rows:
        texts = isinstance(row, dict) and all(isinstance(row.get(name), str) for name in _TEXTS)
        if not texts or not all(isinstance(row.get(name), int | float) for name in _NUMBERS):
            raise OpdeployError(f"{page}: gave a row of another form than before: {str(row)[:200]}; report it")
    return rows


def _host(url: str) -> tuple[str, str | None, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
