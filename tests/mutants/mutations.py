"""One change to one line of a Python file, as a mutation run makes it. Text in, text out.

Only bodies of functions are changed. Left out: text, log lines, annotations, default values, decorators, and constants
of modules, which tests use by their names. Left out too is what no test can notice, each with its reason below:
branches that a run on SQLite never takes, None where a caller gets something as false or as empty, and the moment at
which a clock shows exactly a limit.
"""

import ast
import dataclasses
import difflib
from collections.abc import Iterator

_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=", ast.NotEq: "==",
    ast.Is: "is not", ast.IsNot: "is", ast.In: "not in", ast.NotIn: "in",
}  # fmt: skip
_ARITHMETIC: dict[type[ast.operator], str] = {
    ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*", ast.FloorDiv: "*", ast.Mod: "*",
}  # fmt: skip
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_EITHER_WAY = (ast.Eq, ast.NotEq, ast.Is, ast.IsNot, ast.In, ast.NotIn)
# Two moments that were read with nanoseconds are never the same one, so `<` for `<=` changes nothing: such a comparison
# is turned round instead.
_TURNED_ROUND: dict[type[ast.cmpop], str] = {ast.Lt: ">=", ast.LtE: ">", ast.Gt: "<=", ast.GtE: "<"}
_CLOCKS = frozenset({"time.monotonic", "time.time", "time.perf_counter", "loop.time", "uptime_seconds"})
Function = ast.FunctionDef | ast.AsyncFunctionDef
Node = ast.expr | ast.stmt


@dataclasses.dataclass(frozen=True)
class Mutant:
    """A file with one change. `inner` and `outer` are first lines: of the function that was changed, and of the one
    around all of it, which is the same unless functions are nested.
    """

    path: str
    line: int
    kind: str
    function: str
    inner: int
    outer: int
    before: str = dataclasses.field(repr=False)
    after: str = dataclasses.field(repr=False)

    def diff(self) -> str:
        lines = difflib.unified_diff(self.before.splitlines(), self.after.splitlines(), n=1, lineterm="")
        return "\n".join(list(lines)[3:])


def mutants_of(path: str, source: str) -> list[Mutant]:
    """All mutants of a file, in the order of its lines."""
    found = []
    for outer, inner, node in _nodes(ast.parse(source)):
        for kind, part, text in _changes(node, inner):
            after = _replaced(source, part, text)
            places = (_first_line(inner), _first_line(outer))
            found.append(Mutant(path, part.lineno, kind, inner.name, *places, source, after))
    return sorted(found, key=lambda mutant: mutant.line)


def _nodes(tree: ast.AST) -> Iterator[tuple[Function, Function, Node]]:
    """What stands in bodies of functions, with the outermost and the innermost function around it."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, _FUNCTIONS):
            yield from _inside(node, node, node)
        elif isinstance(node, ast.ClassDef | ast.If):
            yield from _nodes(node)


def _inside(outer: Function, inner: Function, parent: ast.AST) -> Iterator[tuple[Function, Function, Node]]:
    children = parent.body if isinstance(parent, _FUNCTIONS) else ast.iter_child_nodes(parent)
    never_run = set(map(id, _not_on_sqlite(parent)))
    for node in children:
        if _is_left_out(node) or id(node) in never_run:
            continue
        if isinstance(node, _FUNCTIONS):
            yield from _inside(outer, node, node)
            continue
        if isinstance(node, ast.expr | ast.stmt):
            yield outer, inner, node
        if isinstance(node, ast.AnnAssign):
            # Its annotation is never run.
            yield from _inside(outer, inner, ast.Expr(node.value)) if node.value else ()
            continue
        yield from _inside(outer, inner, node)


def _is_left_out(node: ast.AST) -> bool:
    # In Python 3.11, parts of an f-string do not know where they stand.
    if isinstance(node, ast.JoinedStr | ast.Assert | ast.arguments):
        return True
    if not isinstance(node, ast.Expr):
        return False
    called = node.value.func if isinstance(node.value, ast.Call) else None
    is_log_line = called is not None and ast.unparse(called).startswith("logger.")
    return is_log_line or isinstance(node.value, ast.Constant)


def _not_on_sqlite(parent: ast.AST) -> Iterator[ast.AST]:
    """Children of the node that a run on SQLite never reaches: `make test-scaled` runs them on PostgreSQL."""
    if isinstance(parent, ast.If | ast.IfExp) and (taken := _taken_on_sqlite(parent.test)) is not None:
        never = parent.orelse if taken else parent.body
        yield from never if isinstance(never, list) else [never]
    if isinstance(parent, _FUNCTIONS):
        for place, node in enumerate(parent.body):
            if isinstance(node, ast.If) and _taken_on_sqlite(node.test) and isinstance(node.body[-1], ast.Return):
                yield from parent.body[place + 1 :]


def _taken_on_sqlite(test: ast.expr) -> bool | None:
    """What `connection.vendor == "..."` comes to on SQLite; None for any other condition."""
    match test:
        case ast.Compare(left=ast.Attribute(attr="vendor"), ops=[op], comparators=[ast.Constant(value=vendor)]):
            return (vendor == "sqlite") is isinstance(op, ast.Eq)
    return None


def _changes(node: ast.expr | ast.stmt, function: Function) -> Iterator[tuple[str, ast.expr | ast.stmt, str]]:
    """The names of changes, what each replaces (the node or its condition), and by which text."""
    if isinstance(node, ast.expr):
        yield from ((kind, node, text) for kind, text in _changes_of_expression(node))
    elif isinstance(node, ast.If | ast.While):
        if not _is_negated_elsewhere(node.test):
            yield "negated condition", node.test, f"(not ({ast.unparse(node.test)}))"
    elif isinstance(node, ast.Return):
        if text := _instead_of_return(node.value, function):
            yield "return", node, text
    elif text := _instead_of_statement(node):
        yield "removed statement", node, text


def _instead_of_return(value: ast.expr | None, function: Function) -> str:
    """ "" if it stays."""
    if value is None or _is_empty(value):
        # None instead of "" or of no rows: as empty for each caller, and mypy refuses it where None may not come.
        return ""
    if not isinstance(function.returns, ast.Name) or function.returns.id != "bool":
        return "return None"
    # None would be as false as False.
    return (
        ""
        if isinstance(value, ast.Constant) or _is_negated_elsewhere(value)
        else f"return (not ({ast.unparse(value)}))"
    )


def _is_empty(value: ast.expr) -> bool:
    match value:
        case ast.Constant(value=found):
            return found in (None, "", b"")
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Dict(keys=parts):
            return not parts
    return False


def _is_negated_elsewhere(test: ast.expr) -> bool:
    """Whether another change of it comes to the same."""
    if isinstance(test, ast.Compare):
        return len(test.ops) == 1 and (isinstance(test.ops[0], _EITHER_WAY) or _reads_a_clock(test))
    return isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)


def _reads_a_clock(compared: ast.Compare) -> bool:
    parts = (part for side in (compared.left, *compared.comparators) for part in ast.walk(side))
    return any(isinstance(part, ast.Call) and ast.unparse(part.func) in _CLOCKS for part in parts)


def _changes_of_expression(node: ast.expr) -> Iterator[tuple[str, str]]:
    match node:
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _TURNED_ROUND and _reads_a_clock(
            node
        ):
            yield "comparison", f"({ast.unparse(left)} {_TURNED_ROUND[type(op)]} {ast.unparse(right)})"
        case ast.Compare(ops=[first, *others]) if sign := _COMPARISONS.get(type(first)):
            signs = [sign, *map(_sign, others)]
            compared = " ".join(f"{sign} {ast.unparse(one)}" for sign, one in zip(signs, node.comparators, strict=True))
            yield "comparison", f"({ast.unparse(node.left)} {compared})"
        case ast.BoolOp(op=op, values=values):
            joined = " or " if isinstance(op, ast.And) else " and "
            yield "and/or", f"({joined.join(f'({ast.unparse(value)})' for value in values)})"
        case ast.BinOp(left=left, op=op, right=right) if text := _ARITHMETIC.get(type(op)):
            yield "arithmetic", f"(({ast.unparse(left)}) {text} ({ast.unparse(right)}))"
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield "not", f"({ast.unparse(operand)})"
        case ast.Constant(value=bool() as value):
            yield "constant", str(not value)
        case ast.Constant(value=int() | float() as number):
            yield "constant", f"({number + 1})"
            yield "constant", f"({number - 1})"
        case ast.IfExp(test=test, body=body, orelse=orelse):
            negated = f"{ast.unparse(body)} if not ({ast.unparse(test)}) else {ast.unparse(orelse)}"
            yield "negated condition", f"({negated})"


def _instead_of_statement(node: ast.stmt) -> str:
    """ "" if it stays."""
    match node:
        case ast.Expr() | ast.Assign(targets=[ast.Attribute() | ast.Subscript(), *_]) | ast.AugAssign():
            return "" if _yields(node) else "pass"
        case ast.Raise() | ast.Delete() | ast.Break() | ast.Continue():
            return "pass"
    return ""


def _sign(op: ast.cmpop) -> str:
    return ast.unparse(ast.Compare(ast.Name("a"), [op], [ast.Name("b")])).removeprefix("a ").removesuffix(" b")


def _yields(node: ast.AST) -> bool:
    """Without it the function might be no generator any more."""
    return any(isinstance(part, ast.Yield | ast.YieldFrom) for part in ast.walk(node))


def _first_line(function: Function) -> int:
    """As its code object has it."""
    return min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])


def _replaced(source: str, node: ast.expr | ast.stmt, text: str) -> str:
    """The source with other text where the node stands; as many lines as before, so that all keep their numbers."""
    lines = source.encode().splitlines(keepends=True)
    end_line, end_column = node.end_lineno or node.lineno, node.end_col_offset or 0
    head, tail = lines[node.lineno - 1][: node.col_offset], lines[end_line - 1][end_column:]
    broken = b"\\\n" * (end_line - node.lineno) if not isinstance(node, ast.stmt) else b""
    kept = b"\n" * (end_line - node.lineno) if isinstance(node, ast.stmt) else b""
    changed = head + broken + text.encode() + tail + kept
    return b"".join([*lines[: node.lineno - 1], changed, *lines[end_line:]]).decode()
