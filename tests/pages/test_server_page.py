"""The page that the server shows: what runs there, and a form that scores; safe, and for everyone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
import onnx
import pytest
from axe_playwright_python.sync_playwright import Axe
from browsed import Opened
from onnx import TensorProto, helper
from playwright.sync_api import expect
from server_site import KEY, Site, settings, shown
from test_safety import HOSTILE, Nesting

from opdeploy.serving import page
from tests.runtime.processed import tensor
from tests.serving import scored
from tests.serving.servers import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request

KINDS = ("image", "table", "text", "bare")
MOST_BYTES = 25_000


class Visit(Protocol):
    """Opens an address in a context of its own."""

    def __call__(
        self, url: str, *, width: int = 1000, scheme: Literal["dark", "light"] = "light", **options: bool
    ) -> Opened:
        """Open it in a window so wide, in a colour scheme."""


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Return a function that opens an address."""
    contexts: list[BrowserContext] = []

    def opened(url: str, *, width: int = 1000, scheme: Literal["dark", "light"] = "light", **options: bool) -> Opened:
        size = {"width": width, "height": 800}
        contexts.append(browser.new_context(color_scheme=scheme, viewport=size, **options))  # type: ignore[arg-type]
        found = Opened(contexts[-1].new_page(), [], [])

        def heard(message: ConsoleMessage) -> None:
            found.said.append(f"{message.type}: {message.text}")

        def asked(request: Request) -> None:
            found.requests.append(request.url)

        found.page.on("console", heard)
        found.page.on("pageerror", lambda error: found.said.append(str(error)))
        found.page.on("request", asked)
        found.page.goto(url)
        return found

    yield opened
    for context in contexts:
        context.close()


def of(kind: str, folder: Path) -> Site:
    """Return a site with a model of a kind."""
    if kind == "image":
        return Site(scored.images(), {"logits": np.array([[0.25, 0.5, 0.125]], np.float32)})
    if kind == "table":
        return Site(scored.table(), {"y": np.array([[1234.5]], np.float32)})
    if kind == "text":
        return Site(scored.texts(folder), {"v": np.array([[0.25, -2]], np.float32)})
    return Site(scored.bare(), {"y": np.array([[np.nan, 1]], np.float32), "word": np.array(["<b>"], np.object_)})


@pytest.fixture(params=KINDS)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """Return a site with a model, of each kind in turn."""
    with shown(of(request.param, tmp_path)) as made:
        yield made


def fill(opened: Page) -> None:
    """Give what the form asks for."""
    for node in opened.locator("#fields :is(input, select, textarea)").all():
        if node.get_attribute("type") == "file":
            node.set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": scored.png()})
        elif node.evaluate("node => node.localName") == "input":
            node.fill(KEY if "key" in str(node.get_attribute("class")) else "7")
        elif not node.input_value():
            node.fill("the cat")


def sent(opened: Page) -> str:
    """Send the form and return what the page says then, or why it was refused."""
    opened.locator("#send").click()
    told = opened.locator("#said:not(:empty), #error:not(:empty)")
    told.wait_for()
    return str(told.text_content())


def test_an_image_is_shown_and_scored(visit: Visit, tmp_path: Path) -> None:
    """The file goes as it is; labels come back as bars, the best first, with the time."""
    with shown(of("image", tmp_path)) as site:
        opened = visit(site.url)
        assert not opened.page.locator("img").is_visible()
        fill(opened.page)
        expect(opened.page.get_by_alt_text("The image that was chosen")).to_be_visible()
        said = sent(opened.page)
        assert said.startswith("dog, 0.5. Answered in ")
        assert said.endswith(" ms.")
        assert site.bodies == [("image/png", scored.png())]
        rows = opened.page.locator(".bars tbody tr")
        assert rows.all_inner_texts() == ["dog\t0.5", "cat\t0.25"]
        widths = [row.locator(".bar").bounding_box() for row in rows.all()]
        assert [round(box["width"] / widths[1]["width"]) for box in widths if box and widths[1]] == [2, 1]


def test_a_row_is_asked_for_by_column(visit: Visit, tmp_path: Path) -> None:
    """A field for each column, a choice where there are few values; what may be missing may be left empty."""
    with shown(of("table", tmp_path)) as site:
        opened = visit(site.url).page
        assert sent_by_keyboard(opened) == ""
        assert opened.locator("#error").inner_text() == "Still missing: fare, port."
        assert site.bodies == []
        opened.get_by_label("fare").fill("7.5")
        opened.get_by_label("port").fill("Q")
        opened.get_by_label("alone").select_option("true")
        assert sent(opened).startswith("1234.5 EUR. Answered in ")
        assert site.json == {"age": None, "fare": "7.5", "port": "Q", "alone": "true"}
        assert opened.locator("datalist option").evaluate_all("nodes => nodes.map((node) => node.value)") == ["C", "Q"]


def sent_by_keyboard(opened: Page) -> str:
    """Press Enter in the first field, and return what the page says at once."""
    opened.locator("#fields input").first.press("Enter")
    return str(opened.locator("#said").text_content())


@pytest.mark.parametrize(
    ("kind", "keys", "missing", "first"),
    [
        ("image", "", "Still missing: Image.", "Image"),
        ("text", "", "Still missing: Text.", "Text"),
        ("text", KEY, "Still missing: Text, API key, which stays on this page.", "Text"),
        ("bare", KEY, "Still missing: API key, which stays on this page.", "API key, which stays on this page"),
    ],
)
def test_what_is_missing_is_told(visit: Visit, tmp_path: Path, kind: str, keys: str, missing: str, first: str) -> None:
    """By its name, which every reader of the page gets; the first such field is gone to, and nothing is sent."""
    with shown(replace(of(kind, tmp_path), keys=keys)) as site:
        opened = visit(site.url).page
        assert sent(opened) == missing
        field = opened.get_by_label(first)
        expect(field).to_be_focused()
        expect(field).to_have_attribute("aria-invalid", "true")
        assert site.bodies == []
        fill(opened)
        opened.locator("#send").click()
        expect(opened.locator("#said")).to_contain_text("Answered")
        expect(field).to_have_attribute("aria-invalid", "false")
        assert opened.locator("#error").inner_text() == ""


def test_an_empty_row_is_not_scored(visit: Visit) -> None:
    """Where every column may be missing, one at least is asked for: an answer to nothing tells nothing."""
    columns = [
        {"name": "age", "type": "number", "missing": 0},
        {"name": "alone", "type": "boolean", "missing": False},
    ]
    declared = {"input": {"kind": "table", "tensor": "x", "columns": columns}}
    model = scored.model([tensor("x", "FP32", "n", 2)], [tensor("y", "FP32", "n", 1)], declared)
    with shown(Site(model, {"y": np.ones((1, 1), np.float32)})) as site:
        opened = visit(site.url).page
        assert sent(opened) == "Nothing is filled in; give one at least of: age, alone."
        expect(opened.get_by_label("age")).to_be_focused()
        assert site.bodies == []
        opened.get_by_label("alone").select_option("true")
        opened.locator("#send").click()
        expect(opened.locator("#said")).to_contain_text("Answered")
        assert site.json == {"age": None, "alone": "true"}


def test_a_text_is_scored(visit: Visit, tmp_path: Path) -> None:
    """A text goes as one record, whatever is in it; a vector is listed."""
    text = 'zwölf "</script>\n😀'
    with shown(of("text", tmp_path)) as site:
        opened = visit(site.url).page
        opened.get_by_label("Text").fill(text)
        assert sent(opened).startswith(" Answered in")
        assert site.json == {"text": text}
        assert opened.locator("#answer table tbody").inner_text() == "embedding\t0.25, -2"


def test_tensors_are_sent_by_the_protocol(visit: Visit, tmp_path: Path) -> None:
    """The form holds a request of the right shape, which runs as it stands; outputs are listed by name and shape."""
    with shown(of("bare", tmp_path)) as site:
        opened = visit(site.url).page
        assert sent(opened).startswith(" Answered in")
        assert site.json == {"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [0, 0]}]}
        assert opened.locator("#answer table tbody").inner_text() == "y [1, 2]\tnot finite, 1\nword [1]\t<b>"
        opened.locator("summary").click()
        assert '"data":[null,1.0]' in opened.locator("#answer pre").inner_text()
        opened.get_by_label("A request").fill("{")
        assert sent(opened).startswith("This is no JSON: ")
        assert opened.locator("#answer").inner_text() == ""


def test_a_large_tensor_is_left_to_be_filled_in(visit: Visit) -> None:
    """An example of millions of zeros would stop the browser."""
    model = scored.model([tensor("x", "FP32", 1, 3, 2000, 2000), tensor("b", "BOOL", "n")], [tensor("y", "FP32")])
    with shown(Site(model, {})) as site:
        text = visit(site.url).page.get_by_label("A request").input_value()
        assert '"shape":[1,3,2000,2000],"datatype":"FP32","data":[]' in text
        assert '"datatype":"BOOL","data":[false]' in text


def test_a_wide_table_is_written_as_json(visit: Visit) -> None:
    """A table of more columns than a form should have is one text."""
    columns = [{"name": f"c{number}", "type": "number"} for number in range(101)]
    declared = {"input": {"kind": "table", "tensor": "x", "columns": columns}}
    model = scored.model([tensor("x", "FP32", "n", 101)], [tensor("y", "FP32", "n", 1)], declared)
    with shown(Site(model, {"y": np.ones((1, 1), np.float32)})) as site:
        opened = visit(site.url).page
        assert sent(opened).startswith(" Answered in")
        assert site.json == {f"c{number}": 0 for number in range(101)}


def test_what_is_refused_is_told_in_words(visit: Visit, tmp_path: Path) -> None:
    """The server's sentence is shown, and the next answer takes its place."""
    with shown(of("table", tmp_path)) as site:
        opened = visit(site.url)
        fill(opened.page)
        opened.page.get_by_label("fare").fill("seven")
        assert sent(opened.page) == "Refused: record 0: column \"fare\" is 'seven', which is no number."
        opened.page.get_by_label("fare").fill("7")
        opened.page.locator("#send").click()
        expect(opened.page.locator("#said")).to_contain_text("1234.5 EUR")
        assert opened.page.locator("#error").inner_text() == ""


def test_a_server_that_is_gone_is_told(visit: Visit, tmp_path: Path) -> None:
    """Where nothing answers, the page says so, and goes on asking."""
    with shown(of("text", tmp_path)) as site:
        opened = visit(site.url)
        expect(opened.page.locator("#state")).to_have_text("Ready.")
    fill(opened.page)
    assert sent(opened.page) == "The server does not answer."


def test_its_state_is_asked_for_again(visit: Visit, tmp_path: Path) -> None:
    """While it is not ready the page says why, and notices when it is."""
    with shown(replace(of("text", tmp_path), unready="the model is being loaded")) as site:
        state = visit(site.url).page.get_by_role("status").first
        expect(state).to_have_text("Not ready: the model is being loaded.")
        site.unready = ""
        expect(state).to_have_text("Ready.", timeout=20_000)


def test_a_key_is_sent_and_kept_nowhere(visit: Visit, tmp_path: Path) -> None:
    """A key is asked for where one is set; it goes in the header, into no storage, and is gone with the page."""
    with shown(replace(of("text", tmp_path), keys=KEY)) as site:
        opened = visit(site.url).page
        field = opened.get_by_label("API key")
        opened.get_by_label("Text").fill("a")
        field.fill("another")
        assert sent(opened) == "Refused: the API key is none of this server's."
        field.fill(KEY)
        opened.locator("#send").click()
        expect(opened.locator("#said")).to_contain_text("Answered")
        assert (field.get_attribute("type"), field.get_attribute("autocomplete")) == ("text", "off")
        assert field.evaluate("node => getComputedStyle(node).webkitTextSecurity") == "disc"
        assert opened.context.storage_state() == {"cookies": [], "origins": []}
        assert KEY not in opened.url
        assert KEY not in opened.content()
        assert '-H "Authorization: Bearer $KEY"' in opened.locator("#curl").inner_text()
        opened.reload()
        assert field.input_value() == ""


def test_behind_a_proxy_that_takes_a_prefix_away(visit: Visit, tmp_path: Path) -> None:
    """Every address is relative to the page's own."""
    with shown(replace(of("text", tmp_path), prefix="/models/one")) as site:
        opened = visit(site.url).page
        expect(opened.locator("#state")).to_have_text("Ready.")
        fill(opened)
        assert "Answered" in sent(opened)
        assert ("POST", "/models/one/score") in site.asked
        assert f"'{site.url}score'" in opened.locator("#curl").inner_text()


def test_it_tells_what_runs(visit: Visit, tmp_path: Path) -> None:
    """Name, version, variant, kind, labels, and each tensor with datatype and shape are there without a script."""
    with shown(of("image", tmp_path)) as site:
        opened = visit(site.url, java_script_enabled=False).page
        assert opened.title() == opened.locator("h1").inner_text() == "m"
        text = opened.locator("main").inner_text()
        assert "Version 1, variant fp32: image to classification." in text
        assert "cat, dog, owl" in text
        assert "needs JavaScript" in text
        assert [row.split("\t") for row in opened.locator(".list tbody tr").all_inner_texts()] == [
            ["takes"], ["image", "FP32", "n \u00d7 3 \u00d7 2 \u00d7 4"], ["gives"], ["logits", "FP32", "n \u00d7 3"],
        ]  # fmt: skip
        assert not opened.locator("#form").is_visible()


def test_it_loads_nothing_and_says_nothing(visit: Visit, site: Site) -> None:
    """The browser asks for the page, for readiness and for the answer, and complains of nothing."""
    opened = visit(site.url)
    fill(opened.page)
    assert "Answered" in sent(opened.page)
    assert {url.removeprefix(site.url) for url in opened.requests if not url.startswith("blob:")} == {
        "", "v2/health/ready", "v2/models/m/infer" if site.model.processing is None else "score",
    }  # fmt: skip
    assert opened.said == []


@pytest.mark.parametrize("text", HOSTILE)
def test_names_are_shown_as_they_are_and_never_run(visit: Visit, text: str) -> None:
    """Names of model, tensors, columns, labels and values stand on the page as text, in questions and in answers."""
    columns = [
        {"name": text, "type": "category", "categories": [text, "b"]},
        {"name": f"{text} 2", "type": "category", "categories": [text], "encode": "one_hot", "unknown": "zeros"},
    ]
    table = scored.model(
        [tensor(text, "FP32", text, 2)],
        [tensor("y", "FP32", "n", 1)],
        {
            "input": {"kind": "table", "tensor": text, "columns": columns},
            "output": {"kind": "regression", "tensor": "y", "unit": text},
        },
        name=text,
        variant=text,
    )
    labels = {"kind": "classification", "tensor": "logits", "labels": [text, "dog", "owl"]}
    bare = scored.model([tensor(text, "BYTES", "n")], [tensor(text, "BYTES", "n")], name=text)
    sites = [
        Site(table, {"y": np.ones((1, 1), np.float32)}),
        Site(scored.images(labels), {"logits": np.array([[1, 0, 0]], np.float32)}),
        Site(bare, {text: np.array([text], np.object_)}),
    ]
    for each in sites:
        with shown(each) as site:
            opened = visit(site.url)
            fill(opened.page)
            opened.page.locator("#send").click()
            expect(opened.page.locator("#answer")).to_contain_text("As JSON")
            assert opened.page.evaluate("() => window.ran") is None
            assert text in str(opened.page.locator("main").text_content())
            assert text in str(opened.page.locator("#said").text_content()) + str(
                opened.page.locator("#answer").text_content()
            )
            assert opened.said == []
            assert opened.page.locator("script").count() == 2
            assert opened.page.locator("[onerror], [onload], svg").count() == 0


def test_what_is_not_its_own_does_not_run(visit: Visit, tmp_path: Path) -> None:
    """Were a text ever to become markup, the policy would still run nothing and load nothing."""
    with shown(of("text", tmp_path)) as site:
        opened = visit(site.url)
        opened.page.evaluate(
            """() => {
                const script = Object.assign(document.createElement("script"), { textContent: "window.ran = 1" });
                document.body.append(script);
                const box = document.createElement("div");
                box.innerHTML = "<img src='data:,' onerror='window.ran = 2'><img src='https://example.com/x.png'>"
                    + "<a href='javascript:window.ran=3'>go</a><form action='https://example.com/'></form>"
                    + "<p style='color:red'>";
                document.body.append(box);
            }"""
        )
        opened.page.get_by_role("link", name="go").click()
        opened.page.evaluate("() => document.forms[1].submit()")
        assert opened.page.evaluate("() => window.ran") is None
        assert opened.page.url == site.url
        assert len([said for said in opened.said if "Content Security Policy" in said]) >= 5


def test_axe_finds_nothing_wrong(visit: Visit, site: Site) -> None:
    """No rule of axe is broken in light or dark, wide or narrow, before and after an answer or a refusal."""
    site.keys = KEY
    opened = visit(site.url, bypass_csp=True).page  # axe brings its own script
    broken = []
    for done in (False, True):
        if done:
            fill(opened)
            sent(opened)
            opened.locator("summary").click()
        for scheme in ("light", "dark"):
            opened.emulate_media(color_scheme=scheme)
            for width in (1000, 400):
                opened.set_viewport_size({"width": width, "height": 800})
                broken += Axe().run(opened).response["violations"]
    assert [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in broken] == []


def test_everything_is_reached_by_the_tab_key(visit: Visit, site: Site) -> None:
    """Tab goes through fields, button, answer, regions and links in the order of the page, each with a frame."""
    opened = visit(site.url).page
    fill(opened)
    sent(opened)
    opened.locator("h1").click()
    wanted = opened.evaluate(
        "() => [...document.querySelectorAll('input, select, textarea, button, summary, a, [tabindex]')]"
        ".filter((node) => node.checkVisibility({ contentVisibilityAuto: true })).map((node) => node.outerHTML)"
    )
    for html in wanted:
        opened.keyboard.press("Tab")
        found = opened.evaluate(
            "() => { const node = document.activeElement, style = getComputedStyle(node);"
            " return [node.outerHTML, style.outlineStyle, parseFloat(style.outlineWidth)]; }"
        )
        assert found == [html, "solid", 3]


@pytest.mark.parametrize("width", [320, 400])
def test_a_telephone_shows_all_without_scrolling_sideways(visit: Visit, site: Site, width: int) -> None:
    """Nothing is wider than the window, with an answer or not."""
    site.model = replace(site.model, name="a" * 60)
    opened = visit(site.url, width=width).page
    fill(opened)
    sent(opened)
    opened.locator("summary").click()
    assert opened.evaluate("() => document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_is_small_and_well_formed(tmp_path: Path, kind: str) -> None:
    """One file of few bytes, whose elements nest, with one heading above all."""
    html, _ = page.render(of(kind, tmp_path).model, settings(KEY))
    assert len(html) < MOST_BYTES
    parsed = Nesting()
    parsed.feed(html.decode())
    parsed.close()
    assert (parsed.wrong, parsed.open) == ([], [])
    assert len(parsed.ids) == len(set(parsed.ids))
    assert (parsed.seen.count("h1"), parsed.seen.count("main")) == (1, 1)


def test_the_servers_own_page(visit: Visit, tmp_path: Path) -> None:
    """The page that a server sends runs under the policy that it sends with it."""
    nodes = [helper.make_node("Identity", ["x"], ["y"])]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 2]) for name in ("x", "y"))
    graph = helper.make_graph(nodes, "same", [x], [y])
    onnx.save_model(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), tmp_path / "same.onnx"
    )
    with serving(tmp_path / "same.onnx") as server:
        opened = visit(f"http://127.0.0.1:{server.port}/")
        expect(opened.page.locator("#state")).to_have_text("Ready.")
        assert "Answered" in sent(opened.page)
        assert opened.page.locator("#answer table tbody").inner_text() == "y [1, 2]\t0, 0"
        assert opened.said == []
        policy = server.request("GET", "/").headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'sha256-")
