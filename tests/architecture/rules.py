"""The rules of the house, each a function from a syntax tree to what breaks it. Empty means well built."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.architecture.source import Function, functions

FILE_LINES = 400
FUNCTION_LINES = 60
SHORT_BODY = 5
"""A public function of fewer lines may go without a docstring: its name says it."""

FORBIDDEN_IMPORTS = {
    "pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "code", "runpy",  # run what a file says
    "socket", "ssl", "ftplib", "smtplib", "telnetlib", "requests", "httpx", "aiohttp", "urllib3",  # speak to the network
    "urllib.request", "http.client", "huggingface_hub",
}  # fmt: skip
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "breakpoint", "input"}
FORBIDDEN_ATTRIBUTES = {
    ("torch", "load"), ("torch", "save"), ("os", "system"), ("os", "popen"), ("yaml", "load"), ("yaml", "unsafe_load"),
    ("torch", "hub"),
}  # fmt: skip
FORBIDDEN_KEYWORDS = {"shell": True, "allow_pickle": True, "weights_only": False}


def long_functions(tree: ast.Module) -> list[str]:
    """Functions of `FUNCTION_LINES` lines or more, counted from `def` to the last line."""
    lengths = ((node, (node.end_lineno or 0) - node.lineno + 1) for node in functions(tree))
    return [f"{node.name} has {lines} lines (line {node.lineno})" for node, lines in lengths if lines >= FUNCTION_LINES]


def _forbidden(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            yield from (f"import {n.name}" for n in names if {n.name, n.name.split(".")[0]} & FORBIDDEN_IMPORTS)
        case ast.ImportFrom(module=str(module), names=names, level=0):
            whole = {module, module.split(".")[0], *(f"{module}.{n.name}" for n in names)}
            yield from (f"from {found}" for found in sorted(whole & FORBIDDEN_IMPORTS))
        case ast.Call(func=ast.Name(id=name)) if name in FORBIDDEN_CALLS:
            yield f"{name}()"
        case ast.Attribute(value=ast.Name(id=owner), attr=attr) if (owner, attr) in FORBIDDEN_ATTRIBUTES:
            yield f"{owner}.{attr}"
        case ast.keyword(arg=str(arg), value=ast.Constant(value=value)) if arg in FORBIDDEN_KEYWORDS:
            if FORBIDDEN_KEYWORDS[arg] is value:
                yield f"{arg}={value}"


def unsafe(tree: ast.Module) -> list[str]:
    """What could execute a file's content, run a shell or speak to the network."""
    return [f"{what} (line {getattr(node, 'lineno', '?')})" for node in ast.walk(tree) for what in _forbidden(node)]


def _hands_on(node: ast.stmt) -> bool:
    match node:
        case ast.Import() | ast.ImportFrom() | ast.Expr(value=ast.Constant(value=str())):
            return True
        case ast.Assign(targets=[ast.Name(id="__all__")]) | ast.AnnAssign(target=ast.Name(id="__all__")):
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING"), body=body, orelse=[]):
            return all(_hands_on(inner) for inner in body)
        case ast.FunctionDef(name="__getattr__" | "__dir__"):
            return True
        case ast.Expr(value=ast.Call(func=ast.Name(id="polite"), args=[], keywords=[])):
            return True  # must happen before anything can load torch, and importing the package is the first thing that happens
    return False


def own_code(tree: ast.Module) -> list[str]:
    """What an `__init__.py` does beyond handing names on (also lazily, by a module's `__getattr__`)."""
    return [f"line {node.lineno}: {ast.unparse(node)[:60]}" for node in tree.body if not _hands_on(node)]


def _public(name: str) -> bool:
    return not name.startswith("_")


def _body_lines(node: Function) -> int:
    return (node.end_lineno or 0) - node.body[0].lineno + 1


def _is_catalogue_entry(node: ast.ClassDef) -> bool:
    """An error's `en` and `zh` texts are its description."""
    assigned = {
        target.id
        for item in node.body
        if isinstance(item, ast.Assign)
        for target in item.targets
        if isinstance(target, ast.Name)
    }
    return {"en", "zh"} <= assigned


def undocumented(tree: ast.Module) -> list[str]:
    """Modules, public classes and public functions of `SHORT_BODY` lines or more that lack a docstring.

    Methods are free: their class, or the contract that they fulfil, describes them.
    """
    missing = [] if ast.get_docstring(tree) or not tree.body else ["the module"]
    for node in tree.body:
        if not isinstance(node, ast.ClassDef | Function) or not _public(node.name) or ast.get_docstring(node):
            continue
        if isinstance(node, ast.ClassDef):
            missing += [] if _is_catalogue_entry(node) or "Error" in node.name else [f"class {node.name}"]
        elif _body_lines(node) >= SHORT_BODY:
            missing.append(f"function {node.name}")
    return missing


def public_names(tree: ast.Module) -> list[str]:
    """What a module defines for others: functions and methods with their parameters, classes, constants."""
    found: list[str] = []
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name) if _public(name):
                found.append(_signature(node))
            case ast.ClassDef(name=name) if _public(name):
                found.append(name)
                methods = [item for item in node.body if isinstance(item, Function) and _public(item.name)]
                found += [f"{name}.{_signature(item)}" for item in methods]
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)) if _public(name):
                found.append(name)
    return sorted(found)


def _signature(node: Function) -> str:
    arguments = node.args
    names = [a.arg for a in (*arguments.posonlyargs, *arguments.args)]
    names += [f"*{arguments.vararg.arg}"] if arguments.vararg else ["*"] if arguments.kwonlyargs else []
    names += [a.arg for a in arguments.kwonlyargs]
    names += [f"**{arguments.kwarg.arg}"] if arguments.kwarg else []
    decorated = {ast.unparse(d) for d in node.decorator_list}
    return node.name if "property" in decorated else f"{node.name}({', '.join(n for n in names if n not in ('self', 'cls'))})"
