"""Checks that the graphs of an ONNX model are sound: order, names, operators and versions."""

from __future__ import annotations

from collections import Counter
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

from opdeploy.document import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import onnx

    Versions = dict[str, int]
    """The version of each domain of operators; the standard domain is the empty one."""

MAX_UNFOLDED = 1_000_000
"""The most nodes that a graph may have once its functions are written out."""


class UnsoundError(Exception):
    """Says what is wrong with a model, and what to do."""


class Key(NamedTuple):
    """What a node calls: an operator, or a function of the model's own."""

    domain: str
    name: str
    overload: str = ""


def check(model: onnx.ModelProto) -> None:
    """Raise UnsoundError for a model that no runtime could load, or that would unfold without end."""
    versions = opsets(model.opset_import)
    _check_versions(model.ir_version, versions)
    functions = {key_of_function(function): function for function in model.functions}
    _check_unfolded(model, functions)
    _check_graph(model.graph, (), _Known(versions, functions))
    for function in model.functions:
        own = opsets(function.opset_import)
        _check_versions(model.ir_version, own)
        _check_nodes(function.node, ({*function.input, ""},), _Known(own, functions))


def graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """Give a graph and the bodies of its loops and branches; they nest less than protobuf reads: 100 messages."""
    yield graph
    for inner in bodies(graph.node):
        yield from graphs(inner)


def bodies(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.GraphProto]:
    """Give the graphs that are attributes of nodes."""
    for node in nodes:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield attribute.g
            yield from attribute.graphs


def domain_of(name: str) -> str:
    """Return a domain under its one name: the standard one has two."""
    return "" if name == "ai.onnx" else name


def opsets(imports: Iterable[onnx.OperatorSetIdProto]) -> Versions:
    """Return the version of each domain."""
    return {domain_of(item.domain): item.version for item in imports}


@cache
def known_versions() -> Versions:
    """Return the newest version of each domain of the ONNX standard that the installed packages know."""
    import onnx

    newest = dict(onnx.defs.C.schema_version_map())
    known = {domain: int(versions[1]) for domain, versions in newest.items()}
    for domain in ("", "ai.onnx.ml"):
        while known[domain] > 1 and not _runs(onnx.IR_VERSION_2023_5_5, ((domain, known[domain]),)):
            known[domain] -= 1
    return known


@cache
def known_ir() -> int:
    """Return the newest version of the format that the installed packages know."""
    import onnx

    newest = int(onnx.IR_VERSION)
    while newest > onnx.IR_VERSION_2023_5_5 and not _runs(newest, ()):
        newest -= 1
    return newest


def _runs(ir_version: int, imports: tuple[tuple[str, int], ...]) -> bool:
    """Tell whether ONNX Runtime, if it is installed, takes a model of these versions; only trying tells."""
    if find_spec("onnxruntime") is None:
        return True
    import onnx
    import onnxruntime

    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", ["x"], ["y"])],
        "g",
        [value("x", onnx.TensorProto.FLOAT, [1])],
        [value("y", onnx.TensorProto.FLOAT, [1])],
    )
    versions = [onnx.helper.make_opsetid(*item) for item in ({"": 17} | dict(imports)).items()]
    model = onnx.helper.make_model(graph, ir_version=ir_version, opset_imports=versions)
    try:
        onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    except Exception:  # noqa: BLE001 - the runtime's errors have no base class of their own
        return False
    return True


def _check_versions(ir_version: int, versions: Versions) -> None:
    if ir_version > known_ir():
        raise UnsoundError(
            f"is of IR version {ir_version}, and the newest that the installed onnx and onnxruntime know is "
            f"{known_ir()}; install newer ones, or export the model with an older version"
        )
    for domain, version in versions.items():
        newest = known_versions().get(domain, version)
        if version > newest:
            raise UnsoundError(
                f"is of opset {version} of {_domain(domain)}, and the newest that the installed onnx and onnxruntime "
                f"know is {newest}; install newer ones, or export the model with an older opset"
            )
        if version < 1:
            raise UnsoundError(
                f"names opset {version} of {_domain(domain)}, which there is not; export the model again"
            )


def _domain(domain: str) -> str:
    return shown(domain or "ai.onnx")


def key_of_function(function: onnx.FunctionProto) -> Key:
    """Return what a node that calls a function names."""
    return Key(domain_of(function.domain), function.name, function.overload)


def key_of(node: onnx.NodeProto) -> Key:
    """Return what a node calls."""
    return Key(domain_of(node.domain), node.op_type, node.overload)


def calls(nodes: Iterable[onnx.NodeProto]) -> Counter[Key]:
    """Count what nodes call, in the bodies of loops and branches too."""
    nodes = list(nodes)
    counted = Counter(key_of(node) for node in nodes)
    for body in bodies(nodes):
        counted += calls(body.node)
    return counted


def _check_unfolded(model: onnx.ModelProto, functions: dict[Key, onnx.FunctionProto]) -> None:
    """Refuse functions that call themselves, or each other so often that no memory holds what comes out."""
    called = {key: calls(function.node) for key, function in functions.items()}
    try:
        order = list(
            TopologicalSorter(
                {key: counted.keys() & functions.keys() for key, counted in called.items()}
            ).static_order()
        )
    except CycleError:
        raise UnsoundError("has functions that call themselves, in a cycle; export the model again") from None
    sizes: dict[Key, int] = {}
    for key in order:
        sizes[key] = sum(times * sizes.get(callee, 1) for callee, times in called[key].items())
    total = sum(times * sizes.get(key, 1) for key, times in calls(model.graph.node).items())
    if total > MAX_UNFOLDED and functions:
        raise UnsoundError(
            f"has functions that unfold to more than {MAX_UNFOLDED:,} nodes; export the model without functions"
        )


class _Known(NamedTuple):
    """What the nodes of a graph may call."""

    versions: Versions
    functions: dict[Key, onnx.FunctionProto]


def _check_graph(graph: onnx.GraphProto, outer: Sequence[set[str]], known: _Known) -> None:
    """Check a graph within the names that the graphs around it have made so far."""
    given = [value.name for value in graph.input]
    stored = [tensor.name for tensor in graph.initializer]
    stored += [tensor.values.name for tensor in graph.sparse_initializer]
    for names in (given, stored):
        twice = next((name for name, times in Counter(names).items() if times > 1), None)
        if twice is not None:
            raise UnsoundError(f"has two tensors of the name {shown(twice)}; export the model again")
    scopes = (*outer, {*given, *stored, ""})
    _check_nodes(graph.node, scopes, known)
    for value in graph.output:
        if not value.name or not any(value.name in scope for scope in scopes):
            raise UnsoundError(f"has the output {shown(value.name)}, which no node makes; export the model again")


def _check_nodes(nodes: Sequence[onnx.NodeProto], scopes: Sequence[set[str]], known: _Known) -> None:
    made = scopes[-1]
    for node in nodes:
        _check_operator(node, known)
        for name in node.input:
            if not any(name in scope for scope in scopes):
                raise _missing(node, name, nodes)
        for body in bodies([node]):
            _check_graph(body, scopes, known)
        for name in filter(None, node.output):
            if name in made:
                raise UnsoundError(f"makes the tensor {shown(name)} twice, at {_place(node)}; export the model again")
            made.add(name)


def _missing(node: onnx.NodeProto, name: str, nodes: Sequence[onnx.NodeProto]) -> UnsoundError:
    later = any(name in other.output for other in nodes)
    why = "is made after it: the graph has a cycle, or its nodes are out of order" if later else "no node makes"
    return UnsoundError(f"{_place(node)} reads {shown(name)}, which {why}; export the model again")


def _place(node: onnx.NodeProto) -> str:
    return f"node {shown(node.name)} ({shown(node.op_type)[1:-1]})" if node.name else f"a {shown(node.op_type)[1:-1]}"


def _check_operator(node: onnx.NodeProto, known: _Known) -> None:
    """Refuse a standard operator that there is not, or that lacks inputs, outputs or attributes."""
    import onnx

    key = key_of(node)
    if key in known.functions or key.domain not in known_versions():
        return
    version = known.versions.get(key.domain)
    if version is None:
        raise UnsoundError(
            f"{_place(node)} is of the domain {_domain(key.domain)}, whose opset the file does not name; "
            "export the model again"
        )
    try:
        schema = onnx.defs.get_schema(key.name, version, key.domain)
    except onnx.defs.SchemaError:
        schema = None
    if schema is None or schema.deprecated:
        raise UnsoundError(
            f"{_place(node)}: opset {version} of {_domain(key.domain)} has no such operator; export the model again"
        )
    fits = schema.min_input <= len(node.input) <= schema.max_input
    if not (fits and schema.min_output <= len(node.output) <= schema.max_output):
        raise UnsoundError(f"{_place(node)} has too few or too many inputs or outputs; export the model again")
    _check_attributes(node, schema)


def _check_attributes(node: onnx.NodeProto, schema: onnx.defs.OpSchema) -> None:
    import onnx

    kinds = onnx.defs.OpSchema.AttrType
    found = {attribute.name: attribute for attribute in node.attribute}
    for name, wanted in schema.attributes.items():
        attribute = found.get(name)
        if attribute is None:
            if wanted.required:
                raise UnsoundError(f"{_place(node)} lacks the attribute {shown(name)}; export the model again")
        elif wanted.type != getattr(kinds, onnx.AttributeProto.AttributeType.Name(attribute.type), None):
            raise UnsoundError(
                f"{_place(node)} has the attribute {shown(name)} of a wrong type; export the model again"
            )
