"""`opdeploy prices`, with a server that answers as the Azure Retail Prices API does."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from retail_form import LOGS, MACHINE, REQUESTS, row

from opdeploy.market.prices import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import Opdeploy

PAGE = 2
"""Rows on a page, of which the service has 1,000."""


class Service(ThreadingHTTPServer):
    """The service: rows by region, and what it answers first."""

    daemon_threads = True

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        """Listen on a free port."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.rows = rows
        self.first: list[tuple[int, dict[str, str], bytes]] = []
        self.asked: list[dict[str, list[str]]] = []
        self.elsewhere: str | None = None

    @property
    def url(self) -> str:
        """Where it is asked."""
        return f"http://127.0.0.1:{self.server_port}/api/retail/prices"


class _Handler(BaseHTTPRequestHandler):
    server: Service
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer with a page of what is asked for."""
        if self.server.first:
            self._answer(*self.server.first.pop(0))
            return
        query = parse_qs(urlsplit(self.path).query)
        self.server.asked.append(query)
        terms = dict(term.split(" eq ") for term in query["$filter"][0].split(" and "))
        found = [
            item
            for item in self.server.rows
            if (terms["serviceName"], terms["armRegionName"], terms["priceType"])
            == (f"'{item['serviceName']}'", f"'{item['armRegionName']}'", f"'{item['type']}'")
        ]
        start = int(query.get("$skip", ["0"])[0])
        following = None
        if len(found) > start + PAGE:
            where = self.server.elsewhere or self.server.url
            # As the service writes it: what was asked, encoded, and where to go on.
            following = f"{where}?{urlsplit(self.path).query.partition('&$skip')[0]}&$skip={start + PAGE}"
        items = found[start : start + PAGE]
        whole = {
            "BillingCurrency": "USD",
            "CustomerEntityId": "Default",
            "CustomerEntityType": "Retail",
            "Items": items,
            "NextPageLink": following,
            "Count": len(items),
        }
        self._answer(200, {"Content-Type": "application/json; charset=utf-8"}, json.dumps(whole).encode())

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving(rows: list[dict[str, Any]]) -> Iterator[Service]:
    """Run the service."""
    with Service(rows) as service:
        thread = threading.Thread(target=service.serve_forever)
        thread.start()
        try:
            yield service
        finally:
            service.shutdown()
            thread.join()


ROWS = [
    row(MACHINE, retailPrice=0.12),
    row(MACHINE, retailPrice=0.2, productName="Virtual Machines Dsv5 Series Windows"),
    row(MACHINE, retailPrice=0.03, meterName="D2s v5 Spot"),
    row(REQUESTS, retailPrice=0.6),
    row(LOGS, retailPrice=0.0),
    row(LOGS, retailPrice=3.0, tierMinimumUnits=5.0),
    row(MACHINE, retailPrice=0.1, armRegionName="eastus2"),
]
TOLD = {
    "vm/Standard_D2s_v5": 0.12,
    "vm-spot/Standard_D2s_v5": 0.03,
    "container-apps/requests": 0.6,
    "logs/ingestion": 3,
}


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Return where prices are kept."""
    return tmp_path / "own.csv"


@pytest.fixture
def refresh(opdeploy: Opdeploy, own: Path) -> Callable[..., Any]:
    """Return what fetches prices of westeurope."""

    def run(service: Service, *more: str) -> Any:  # noqa: ANN401 - what the fixture gives
        arguments = ("prices", "refresh", "--region", "westeurope", "--url", service.url, *more)
        return opdeploy(*arguments, OPDEPLOY_PRICES=str(own))

    return run


def kept(own: Path) -> dict[str, float]:
    """Return the prices that are kept, by meter."""
    return {price.meter: float(price.usd) for price in parse(own.read_text(encoding="utf-8"), "own")}


def test_todays_prices_are_fetched_page_after_page_and_count(
    refresh: Callable[..., Any], opdeploy: Opdeploy, own: Path
) -> None:
    """Of every service, in the regions that are named; then they are shown, and stand beside those of before."""
    with serving(ROWS) as service:
        done = refresh(service)
    assert done.code == 0, done.err
    assert f"4 prices of 6 rows, kept in {own}" in done.err
    assert kept(own) == TOLD
    first = next(query for query in service.asked if "'Virtual Machines'" in query["$filter"][0])
    assert first["api-version"] == ["2023-01-01-preview"]
    assert first["currencyCode"] == ["'USD'"]
    shown = opdeploy(
        "prices", "show", "vm/Standard_D2s_v5", "--region", "westeurope", "-o", "json", OPDEPLOY_PRICES=str(own)
    )
    assert shown.json[0]["usd"] == 0.12
    assert shown.json[0]["source"].startswith("Azure Retail Prices API, meter")
    before = opdeploy(
        "prices", "show", "vm/Standard_D2s_v5", "--region", "westeurope", "--as-of", "2026-10-01", "-o", "json",
        OPDEPLOY_PRICES=str(own),
    )  # fmt: skip
    assert before.json[0]["usd"] == 0.115


def test_what_was_fetched_twice_a_day_is_kept_once(refresh: Callable[..., Any], own: Path) -> None:
    """The later counts; prices of other days and regions stay."""
    with serving(ROWS) as service:
        assert refresh(service).code == 0
        older = own.read_text(encoding="utf-8").splitlines()
        old_day = older[1].replace(older[1].split(",")[4], "2020-01-01")
        own.write_text("\n".join([*older, old_day]) + "\n", encoding="utf-8")
        service.rows = [row(MACHINE, retailPrice=0.13), row(MACHINE, retailPrice=0.1, armRegionName="eastus2")]
        assert refresh(service, "--region", "eastus2").code == 0
    found = [(p.meter, p.region, float(p.usd), p.date) for p in parse(own.read_text(encoding="utf-8"), "own")]
    machines = [item for item in found if item[0] == "vm/Standard_D2s_v5"]
    assert sorted(item[1:3] for item in machines) == [("eastus2", 0.1), ("westeurope", 0.13)]
    assert ("container-apps/requests", "westeurope", 0.6) in [item[:3] for item in found]
    assert any(item[3] == "2020-01-01" for item in found)


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_service_is_waited_for(refresh: Callable[..., Any], own: Path, status: int) -> None:
    """As long as it asks for."""
    with serving(ROWS) as service:
        service.first = [(status, {"Retry-After": "1"}, b"busy")]
        done = refresh(service)
    assert done.code == 0, done.err
    assert kept(own) == TOLD


WRONG: dict[str, tuple[tuple[int, bytes], str]] = {
    "a refusal": (
        (400, b'{"Error": {"Code": "BadRequest", "Message": "Invalid OData parameters supplied"}}'),
        'gave no prices: 400 {"Error": {"Code": "BadRequest"',
    ),
    "no JSON": ((200, b"<html>Sign in</html>"), "gave no prices: 200 <html>Sign in</html>"),
    "other JSON": ((200, b"[]"), "gave no prices: 200 []"),
    "another row": (
        (200, b'{"Items": [{"meterName": 1}]}'),
        "gave a row of another form than before: {'meterName': 1}",
    ),
}


@pytest.mark.parametrize(("answer", "said"), WRONG.values(), ids=WRONG)
def test_what_is_no_answer_changes_nothing(
    refresh: Callable[..., Any], own: Path, answer: tuple[int, bytes], said: str
) -> None:
    """What was kept stays as it was, byte for byte."""
    with serving(ROWS) as service:
        assert refresh(service).code == 0
        before = own.read_bytes()
        service.first = [(answer[0], {}, answer[1])]
        done = refresh(service)
    assert (done.code, said in done.err) == (1, True), done.err
    assert own.read_bytes() == before


def test_a_page_that_is_elsewhere_is_not_asked_for(refresh: Callable[..., Any], own: Path) -> None:
    """Whatever the service says."""
    with serving(ROWS) as service:
        service.elsewhere = "http://example.invalid/api/retail/prices"
        done = refresh(service)
    assert done.code == 1
    assert "says that the next page is at example.invalid, which is not asked" in done.err
    assert not own.exists()


def test_a_service_that_is_not_there(opdeploy: Opdeploy, own: Path) -> None:
    """One line, soon, and nothing is written."""
    with serving([]) as service:
        url = service.url
    done = opdeploy("prices", "refresh", "--url", url, OPDEPLOY_PRICES=str(own))
    assert (done.code, done.err.count("\n")) == (1, 1), done.err
    assert f"{url}: got no answer: " in done.err
    assert done.err.endswith("Connection refused; check the connection, and try again\n")
    assert not own.exists()


def test_a_redirection_is_not_followed(refresh: Callable[..., Any], own: Path) -> None:
    """A page of prices is where it was asked for."""
    with serving(ROWS) as service, serving(ROWS) as other:
        service.first = [(302, {"Location": other.url}, b"")]
        done = refresh(service)
    assert (done.code, "gave no prices: 302" in done.err, other.asked) == (1, True, []), done.err
    assert not own.exists()


def test_a_proxy_of_the_environment_is_asked(opdeploy: Opdeploy, own: Path) -> None:
    """As by other programs; not for what it is not for."""
    url = "http://prices.invalid/api/retail/prices"
    arguments = ("prices", "refresh", "--region", "westeurope", "--url", url)
    with serving(ROWS) as proxy:
        through = proxy.url.removesuffix("/api/retail/prices")
        proxy.elsewhere = url
        done = opdeploy(*arguments, http_proxy=through, no_proxy="", OPDEPLOY_PRICES=str(own))
        assert done.code == 0, done.err
        asked = len(proxy.asked)
        done = opdeploy(*arguments, http_proxy=through, no_proxy="prices.invalid", OPDEPLOY_PRICES=str(own))
    assert kept(own) == TOLD
    assert (done.code, len(proxy.asked)) == (1, asked), done.err


def test_a_service_that_tells_nothing_is_not_believed(refresh: Callable[..., Any], own: Path) -> None:
    """Else all prices would seem to be fresh."""
    with serving([]) as service:
        done = refresh(service)
    assert done.code == 1
    assert "the service tells no price of any meter" in done.err
    assert not own.exists()


def test_what_has_no_price_any_more_is_said(refresh: Callable[..., Any]) -> None:
    """The service may have renamed a meter."""
    with serving(ROWS) as service:
        done = refresh(service)
    assert "warning: no price of App Service plan P1v3, Linux in westeurope: the service tells none" in done.err


def test_prices_of_a_file_that_is_none(opdeploy: Opdeploy, own: Path) -> None:
    """The line is named, by `refresh` too, which leaves it alone."""
    own.write_text("a,b\n1,2\n", encoding="utf-8")
    for command in ("show", "check", "refresh"):
        done = opdeploy("prices", command, OPDEPLOY_PRICES=str(own))
        assert (done.code, f"{own}:1: is no list of prices" in done.err) == (2, True), done.err
    assert own.read_text(encoding="utf-8") == "a,b\n1,2\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe", "cannot be read: it is no text in UTF-8"),
        (b"meter,region,usd,per,date,state,source,note\nvm,eastus,1,1,,listed,me,\n", "no meter is called 'vm'"),
    ],
)
def test_a_file_of_prices_that_does_not_fit(opdeploy: Opdeploy, own: Path, content: bytes, said: str) -> None:
    """The file is named, and what to do."""
    own.write_bytes(content)
    done = opdeploy("prices", "show", OPDEPLOY_PRICES=str(own))
    assert (done.code, said in done.err, str(own) in done.err) == (2, True, True), done.err


def test_what_is_said_of_prices(opdeploy: Opdeploy, own: Path) -> None:
    """Stale ones end with 1 and with what to do; borrowed ones are only said."""
    done = opdeploy(
        "prices", "check", "--region", "westeurope", "--as-of", "2026-09-01", "-o", "json", OPDEPLOY_PRICES=str(own)
    )
    assert done.code == 1
    found = {item["meter"]: item["finding"] for item in done.json}
    assert found["hdinsight/E2s_v3"] == "stale"
    assert found["databricks/jobs"] == "borrowed"
    assert found["aks/free"] == "disputed"
    assert "vm/Standard_D2s_v5" not in found
    assert "fetch today's with: opdeploy prices refresh --region westeurope" in done.err
    later = opdeploy(
        "prices", "check", "--region", "westeurope", "--as-of", "2027-12-01", "-o", "json", OPDEPLOY_PRICES=str(own)
    )
    assert {item["finding"] for item in later.json} == {"stale"}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("show", "zzz"), 2, "no meter starts with 'zzz'; valid: aci, aci-spot, acr"),
        (("show", "vm/Standard_D2s_v4"), 2, 'did you mean "vm/Standard_D2s_v6"?'),
        (("show", "--region", "westeurop"), 2, "--region: no region 'westeurop'; did you mean \"westeurope\"?"),
        (("check", "--region", "mars"), 2, "--region: no region 'mars'"),
        (("refresh", "--file", "/nowhere/x.csv"), 2, "there is no folder /nowhere"),
    ],
)
def test_what_is_refused(opdeploy: Opdeploy, arguments: tuple[str, ...], code: int, said: str) -> None:
    """One line says what to do."""
    done = opdeploy("prices", *arguments)
    assert (done.code, said in done.err, done.err.count("\n")) == (code, True, 1), done.err


def test_prices_as_a_table_and_as_csv(opdeploy: Opdeploy, own: Path) -> None:
    """CSV is what a file of one's own may hold."""
    shown = opdeploy("prices", "show", "vm/Standard_D2s", "--region", "northeurope", OPDEPLOY_PRICES=str(own))
    assert "US dollars in northeurope" in shown.out
    assert "borrowed: that of westeurope" in shown.out
    told = opdeploy("prices", "show", "disk", "--all", "-o", "csv", OPDEPLOY_PRICES=str(own))
    rows = parse(told.out, "out")
    assert {price.meter for price in rows} == {"disk/E10", "disk/P10"}
    own.write_text(told.out, encoding="utf-8")
    again = opdeploy("prices", "show", "disk/P10", "--region", "westeurope", "-o", "json", OPDEPLOY_PRICES=str(own))
    assert again.json[0]["usd"] == 21.68
