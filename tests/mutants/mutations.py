"""One change to one line of a Python file, as a mutation run makes it. Text in, text out.

Only bodies of functions are changed. Left out: text, log lines, annotations, default values, decorators, and constants
of modules, which tests use by their names.
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
        for kind, part, text in _changes(node):
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
    for node in children:
        if _is_left_out(node):
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


def _changes(node: ast.expr | ast.stmt) -> Iterator[tuple[str, ast.expr | ast.stmt, str]]:
    """The names of changes, what each replaces (the node or its condition), and by which text."""
    if isinstance(node, ast.expr):
        yield from ((kind, node, text) for kind, text in _changes_of_expression(node))
    elif isinstance(node, ast.If | ast.While):
        if not _is_negated_elsewhere(node.test):
            yield "negated condition", node.test, f"(not ({ast.unparse(node.test)}))"
    elif text := _instead_of_statement(node):
        yield "return" if isinstance(node, ast.Return) else "removed statement", node, text


def _is_negated_elsewhere(test: ast.expr) -> bool:
    """Whether another change of it comes to the same."""
    if isinstance(test, ast.Compare):
        return len(test.ops) == 1 and isinstance(test.ops[0], _EITHER_WAY)
    return isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)


def _changes_of_expression(node: ast.expr) -> Iterator[tuple[str, str]]:
    match node:
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
        case ast.Return(value=ast.expr() as value) if not _is_none(value):
            return "return None"
        case ast.Expr() | ast.Assign(targets=[ast.Attribute() | ast.Subscript(), *_]) | ast.AugAssign():
            return "" if _yields(node) else "pass"
        case ast.Raise() | ast.Delete() | ast.Break() | ast.Continue():
            return "pass"
    return ""


def _sign(op: ast.cmpop) -> str:
    return ast.unparse(ast.Compare(ast.Name("a"), [op], [ast.Name("b")])).removeprefix("a ").removesuffix(" b")


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


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
