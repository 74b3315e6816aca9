"""The library's registries as Python functions: what there is, with options, defaults and help."""
import inspect
import keyword

from . import _C


class Part:
    """A part of a network or a recipe with its options: ``st.neurons.lif(leak=0.9)``.

    Compares and prints as what it is; `config()` is what a recipe would say."""

    def __init__(self, kind, name, options):
        self.kind, self.name, self.options = kind, name, dict(options)

    def config(self):
        """{"name": ..., option: value} with nested parts written out."""
        return {"name": self.name, **{key: plain(value) for key, value in self.options.items()}}

    def __repr__(self):
        return f"{self.kind}.{self.name}({', '.join(f'{k}={v!r}' for k, v in self.options.items())})"

    def __eq__(self, other):
        return isinstance(other, Part) and (self.kind, self.config()) == (other.kind, other.config())

    def __hash__(self):
        return hash((self.kind, self.name))


def plain(value):
    """A value as the library takes it: parts and makers as dicts, containers element by element."""
    if isinstance(value, Part):
        return value.config()
    if isinstance(value, PartMaker):
        return {"name": value.name}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


_TYPES = {"bool": "bool", "number": "float", "integer": "int", "string": "str", "integers": "list[int]",
          "numbers": "list[float]", "strings": "list[str]"}


class PartMaker:
    """Makes parts of one name; called with options by keyword."""

    def __init__(self, kind, entry):
        self.kind, self.name, self.doc, self.options = kind, entry["name"], entry["doc"], entry["options"]
        self.__name__ = self.__qualname__ = self.name
        self.__module__ = "spiketrain." + kind
        self.__doc__ = self._docstring()
        self.__signature__ = inspect.Signature([
            inspect.Parameter(o["name"], inspect.Parameter.KEYWORD_ONLY, default=o["default"],
                              annotation=_TYPES.get(o["type"], "Part | str | dict"))
            for o in self.options if not keyword.iskeyword(o["name"])], return_annotation="Part")

    def _docstring(self):
        lines = [self.doc, ""]
        for o in self.options:
            allowed = f" ({o['allowed']})" if o["allowed"] else ""
            lines.append(f"    {o['name']} = {o['default']!r}: {o['help']}{allowed}")
        return "\n".join(lines if self.options else lines[:1])

    def __call__(self, **options):
        known = [o["name"] for o in self.options]
        for name in options:
            if name not in known:
                raise _C.UsageError(f"{self.kind}.{self.name}: unknown option '{name}'{near(name, known)}; "
                                    f"it has: {', '.join(known) or 'none'}")
        return Part(self.kind, self.name, options)

    def __repr__(self):
        return f"<{self.kind}.{self.name}: {self.doc}>"


def near(name, known):
    import difflib

    match = difflib.get_close_matches(name, known, 1)
    return f", did you mean '{match[0]}'?" if match else ""


class Kind:
    """All parts of one kind: an attribute each, and iterable."""

    def __init__(self, word, plural, entries):
        self.word, self.plural = word, plural
        self.__doc__ = f"What there is of {plural.replace('_', ' ')}: " + ", ".join(e["name"] for e in entries)
        self._fill(entries)

    def _fill(self, entries):
        self._makers = {e["name"]: PartMaker(self.plural, e) for e in entries}

    def __getattr__(self, name):
        makers = self.__dict__.get("_makers", {})
        if name in makers:
            return makers[name]
        if name.endswith("_") and name[:-1] in makers:  # `if_`: a word of Python's own
            return makers[name[:-1]]
        if name.startswith("_"):
            raise AttributeError(name)
        raise AttributeError(f"no {self.word} '{name}'{near(name, list(makers))}; there are: {', '.join(makers)}")

    def __getitem__(self, name):
        try:
            return self._makers[name]
        except KeyError:
            raise KeyError(f"no {self.word} '{name}'; there are: {', '.join(self._makers)}") from None

    def __iter__(self):
        return iter(self._makers.values())

    def __len__(self):
        return len(self._makers)

    def __contains__(self, name):
        return name in self._makers

    def __dir__(self):
        return [n + "_" if keyword.iskeyword(n) else n for n in self._makers]

    def __repr__(self):
        return f"<{self.plural}: {', '.join(self._makers)}>"


_kinds = {plural: Kind(word, plural, entries) for word, plural, entries in _C.kinds()}


def refresh():
    for _, plural, entries in _C.kinds():
        _kinds[plural]._fill(entries)


def config_of(kind, value):
    """Options of a part of this kind (its plural) from a Part, a maker, a name or a dict."""
    if isinstance(value, (Part, PartMaker)):
        if value.kind != kind:
            raise _C.UsageError(f"expected one of {kind}, got {value!r}")
        return plain(value)
    if isinstance(value, str):
        return {"name": value}
    if isinstance(value, dict) and isinstance(value.get("name"), str):
        return plain(value)
    raise _C.UsageError(f"expected one of {kind} (such as st.{kind}.{next(iter(_kinds[kind])).name}()), its name, or a dict with "
                        f"'name', got {value!r}")
