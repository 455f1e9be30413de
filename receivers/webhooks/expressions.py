"""JMESPath with a bound on the work: the expression is an administrator's, the document a sender's. Pure: no I/O.

The language has no way back from a part to the whole, so an expression visits each part a few times at most. It can
copy references, though (`[@,@]|[@,@]`), and then a short expression makes a huge result. So each node that is visited
is charged, and each function by the size of what it is given, before it begins.
"""

from typing import Any, ClassVar

from jmespath import exceptions
from jmespath.parser import Parser
from jmespath.visitor import TreeInterpreter

LENGTH_LIMIT_CHARACTERS = 1_000
# How deep an expression may be nested.
DEPTH_LIMIT = 32
# For all expressions of one request. Each step takes about a microsecond.
STEPS_LIMIT = 100_000
# So many characters of a text count as one step: functions read them at the speed of memory.
CHARACTERS_PER_STEP = 64

Node = dict[str, Any]


class BadExpression(ValueError):
    """The text says what is wrong, without a word of the document."""


class TooMuchWork(Exception):
    """The expressions would take more than STEPS_LIMIT steps for this document."""


def compiled(text: str) -> Node:
    """The expression, ready for Work.result. Raises BadExpression."""
    if len(text) > LENGTH_LIMIT_CHARACTERS:
        raise BadExpression(f"at most {LENGTH_LIMIT_CHARACTERS} characters")
    try:
        node: Node = Parser().parse(text).parsed
    except exceptions.JMESPathError as error:
        raise BadExpression(f"no expression of JMESPath: {str(error).partition(chr(10))[0][:200]}") from None
    except (RecursionError, ValueError):
        raise BadExpression("no expression of JMESPath, or nested too deep") from None
    if _depth_of(node) > DEPTH_LIMIT:
        raise BadExpression(f"nested deeper than {DEPTH_LIMIT}")
    _check_functions(node)
    return node


class Work(TreeInterpreter):  # type: ignore[misc]  # jmespath has no types
    """Evaluates expressions for one request, and counts their steps together."""

    # Of these, the result takes as long as both arguments multiplied: the glue stands between all parts.
    _MULTIPLIED: ClassVar[frozenset[str]] = frozenset({"join"})

    def __init__(self, limit_steps: int = STEPS_LIMIT) -> None:
        super().__init__()
        self._left = limit_steps

    def result(self, node: Node, document: Any) -> Any:
        """Raises BadExpression for values that a function does not take, TooMuchWork."""
        try:
            found = self.visit(node, document)
        except exceptions.JMESPathTypeError as error:
            # Its text quotes the value, whose length only the sender knows.
            raise BadExpression(f"{error.function_name}() does not take a value of this type") from None
        except exceptions.JMESPathError as error:
            raise BadExpression(str(error)[:200]) from None
        except (ArithmeticError, RecursionError, TypeError, ValueError):
            raise BadExpression("it cannot be evaluated for this body") from None
        # What follows writes it as JSON, and what is referred to twice is written twice.
        self.charge_size(found)
        return found

    def visit(self, node: Node, *args: Any, **kwargs: Any) -> Any:
        self._charge(1)
        return super().visit(node, *args, **kwargs)

    def visit_function_expression(self, node: Node, value: Any) -> Any:
        arguments = [self.visit(child, value) for child in node["children"]]
        for argument in arguments:
            self.charge_size(argument)
        if node["value"] in self._MULTIPLIED and len(arguments) == 2:
            glue, parts = arguments
            if isinstance(glue, str) and isinstance(parts, list):
                self._charge(len(glue) * len(parts) // CHARACTERS_PER_STEP)
        return self._functions.call_function(node["value"], arguments)

    def visit_comparator(self, node: Node, value: Any) -> Any:
        left, right = (self.visit(child, value) for child in node["children"])
        self.charge_size(left)
        self.charge_size(right)
        literals = [{"type": "literal", "value": side, "children": []} for side in (left, right)]
        return super().visit_comparator({**node, "children": literals}, value)

    def visit_flatten(self, node: Node, value: Any) -> Any:
        base = self.visit(node["children"][0], value)
        if isinstance(base, list):
            self._charge(sum(len(item) if isinstance(item, list) else 1 for item in base))
        literal = {"type": "literal", "value": base, "children": []}
        return super().visit_flatten({**node, "children": [literal]}, value)

    def charge_size(self, value: Any) -> None:
        """A step for each value inside, as often as it is referred to, and for each piece of text."""
        pending = [value]
        while pending:
            item = pending.pop()
            self._charge(1)
            if isinstance(item, str):
                self._charge(len(item) // CHARACTERS_PER_STEP)
            elif isinstance(item, list):
                self._charge(len(item))
                pending.extend(item)
            elif isinstance(item, dict):
                self._charge(len(item) + sum(map(len, item)) // CHARACTERS_PER_STEP)
                pending.extend(item.values())

    def _charge(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise TooMuchWork


def _depth_of(node: Node) -> int:
    deepest = 0
    pending = [(node, 1)]
    while pending:
        item, depth = pending.pop()
        deepest = max(deepest, depth)
        pending.extend((child, depth + 1) for child in item["children"] if isinstance(child, dict))
    return deepest


def _check_functions(node: Node) -> None:
    """Raises BadExpression for a function that there is not: else the first delivery would find it out."""
    known = TreeInterpreter()._functions.FUNCTION_TABLE
    pending = [node]
    while pending:
        item = pending.pop()
        if item["type"] == "function_expression" and item["value"] not in known:
            raise BadExpression(f"there is no function {item['value'][:64]}()")
        pending.extend(child for child in item["children"] if isinstance(child, dict))
