"""The page of the book that lists the library: every public name, its signature and its docstring, as Markdown.

Read from the sources, without importing them, when the book is built.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = ROOT / "imbnas"
MARK = "% The library is listed here when the book is built (tools/api.py)."
FIRST = ("data", "losses", "space", "models", "training", "darts", "evolution", "adaptation", "evaluation", "benchmark")
CODE = re.compile(r"(`[^`]*`)")
PARAMETER = re.compile(r"(\w+(?:, \w+)*): (?=\S)")

Definition = ast.FunctionDef | ast.ClassDef


def modules() -> list[Path]:
    """The library's modules and packages, in the order in which the book needs them.

    A package that names nothing in `__all__` is followed by its modules: each of them is a door of its own.
    """
    found = {path.stem: path for path in LIBRARY.glob("[!_]*.py")}
    found |= {path.parent.name: path.parent for path in LIBRARY.glob("*/__init__.py")}
    order = {name: position for position, name in enumerate(FIRST)}
    doors = [found[name] for name in sorted(found, key=lambda name: (order.get(name, len(order)), name))]
    return [module for door in doors for module in (door, *(inner(door) if door.is_dir() else ()))]


def inner(package: Path) -> list[Path]:
    """The modules of a package that names nothing in `__all__`; none of any other."""
    tree = ast.parse((package / "__init__.py").read_text())
    return [] if any(map(assigns_all, tree.body)) else sorted(package.glob("[!_]*.py"))


def definitions(body: list[ast.stmt]) -> list[Definition]:
    """The public functions and classes of a module or class that say what they do."""
    found = [node for node in body if isinstance(node, Definition)]
    return [node for node in found if not node.name.startswith("_") and ast.get_docstring(node)]


def public(module: Path) -> tuple[str, list[Definition]]:
    """A module's docstring and its public definitions; of a package, those that `__all__` names."""
    if module.is_file():
        tree = ast.parse(module.read_text())
        return ast.get_docstring(tree) or "", definitions(tree.body)
    tree = ast.parse((module / "__init__.py").read_text())
    names = next((ast.literal_eval(node.value) for node in tree.body if assigns_all(node)), ())
    bodies = [definitions(ast.parse(path.read_text()).body) for path in sorted(module.glob("*.py"))]
    nodes = [node for body in bodies for node in body if node.name in names]
    return ast.get_docstring(tree) or "", sorted(nodes, key=lambda node: node.name.lower())


def assigns_all(node: ast.stmt) -> bool:
    """Whether a statement is `__all__ = …`."""
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"


def signature(node: Definition, owner: str = "") -> str:
    """What a caller sees: the arguments of a function, the fields or the constructor of a class."""
    if isinstance(node, ast.FunctionDef):
        if any(ast.unparse(decorator).endswith("property") for decorator in node.decorator_list):
            return f"{owner}{node.name}: {ast.unparse(node.returns)}" if node.returns else f"{owner}{node.name}"
        return call(owner + node.name, [arguments(node)], node.returns)
    made = next((item for item in node.body if isinstance(item, ast.FunctionDef) and item.name == "__init__"), None)
    fields = [ast.unparse(item) for item in node.body if isinstance(item, ast.AnnAssign)]
    bases = [ast.unparse(base) for base in node.bases]
    return call(f"class {node.name}", [arguments(made)] if made else fields or bases, None)


def arguments(function: ast.FunctionDef) -> str:
    """The arguments that a caller gives, defaults set apart."""
    listed = re.sub(r"^(self|cls)(, )?", "", ast.unparse(function.args))
    return re.sub(r"(?<=[\w\])'])=(?=\S)", " = ", listed)


def call(name: str, arguments: list[str], returns: ast.expr | None) -> str:
    """One line, or one line per argument where that is too long."""
    end = f" -> {ast.unparse(returns)}" if returns else ""
    line = f"{name}({', '.join(arguments)}){end}"
    if len(line) <= 76:
        return line
    parts = [part for argument in arguments for part in split(argument)]
    return f"{name}(\n" + "".join(f"    {part},\n" for part in parts) + f"){end}"


def split(arguments: str) -> Iterator[str]:
    """The arguments of a list, cut at the commas that stand outside all brackets and quotes."""
    depth, quote, part = 0, "", ""
    for character in arguments:
        if quote or character in "'\"":
            quote = "" if character == quote else quote or character
        depth += (character in "([{") - (character in ")]}")
        if character == "," and not depth and not quote:
            yield part.strip()
            part = ""
        else:
            part += character
    if part.strip():
        yield part.strip()


def plain(text: str) -> str:
    """A docstring's words as Markdown: code stays code, everything else stands for itself."""
    pieces = CODE.split(text)
    return "".join(
        p if p.startswith("`") and len(p) > 1 else re.sub(r"([\\*_$<>\[\]{}|#~^])", r"\\\1", p) for p in pieces
    )


def markdown(docstring: str) -> str:
    """A docstring as Markdown, with its `name: meaning` lines and the rows of its tables as lists: they fit a phone."""
    lines, head = [], []
    for line in docstring.splitlines():
        match = PARAMETER.match(line)
        if match:
            if lines and lines[-1] and not lines[-1].startswith(("- ", "  ")):
                lines.append("")
            names = ", ".join(f"`{name}`" for name in match[1].split(", "))
            lines.append(f"- {names}: {plain(line[match.end() :])}")
        elif line.startswith("|"):
            cells = [plain(cell.strip()) for cell in line.strip("|").split("|")]
            if not head:
                head = cells
            elif set(line) - set("|-: "):
                lines.append("- " + " · ".join(f"{name}: {cell}" for name, cell in zip(head, cells, strict=True)))
        elif lines and lines[-1].startswith(("- ", "  ")) and line.strip():
            lines.append(f"  {plain(line.strip())}")
        else:
            lines.append(plain(line.strip()))
    return "\n".join(lines)


def entry(node: Definition, owner: str = "") -> Iterator[str]:
    """The Markdown of one definition and, under a class, of its public methods."""
    yield f"```python\n{signature(node, owner)}\n```\n\n{markdown(ast.get_docstring(node) or '')}\n"
    if isinstance(node, ast.ClassDef):
        for method in definitions(node.body):
            yield from entry(method, f"{node.name}.")


def page() -> str:
    """Every module of the library, one section each."""
    sections = []
    for module in modules():
        about, nodes = public(module)
        entries = [f"### `{node.name}`\n\n" + "\n".join(entry(node)) for node in nodes]
        parts = module.relative_to(LIBRARY).with_suffix("").parts
        title = f"(api-{'-'.join(parts)})=\n## `imbnas.{'.'.join(parts)}`"  # the glossary leads here
        sections.append("\n".join([f"{title}\n\n{markdown(about)}\n", *entries]))
    return "\n".join(sections)
