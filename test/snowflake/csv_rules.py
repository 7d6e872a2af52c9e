"""Reads a file as COPY INTO does, by what Snowflake's documentation says of the options
of a FILE_FORMAT of the type CSV.  The emulation has no ESCAPE_UNENCLOSED_FIELD, and takes
"" for a null."""

import re

# Without the options, by the documentation.
DEFAULTS = {"SKIP_HEADER": "0", "FIELD_DELIMITER": ",", "FIELD_OPTIONALLY_ENCLOSED_BY": "NONE", "ESCAPE": "NONE",
            "ESCAPE_UNENCLOSED_FIELD": "\\", "NULL_IF": ["\\N"], "EMPTY_FIELD_AS_NULL": "TRUE", "TRIM_SPACE": "FALSE",
            "COMPRESSION": "AUTO", "TYPE": "CSV"}
SEQUENCES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "0": "\0"}


def text_of(literal):
    """What a literal in Snowflake's SQL says."""
    return re.sub(r"\\(.)", lambda found: SEQUENCES.get(found[1], found[1]), literal.replace("''", "'"))


def options(statement):
    """The options of a COPY INTO, with the defaults of those that it does not have."""
    found = dict(DEFAULTS)
    body = re.search(r"FILE_FORMAT = \((.*)\)\s*$", re.sub(r"--.*", "", statement), re.S)[1]
    for name, value in re.findall(r"([A-Z_]+) = (\([^)]*\)|'(?:[^'\\]|''|\\.)*'|\w+)", body):
        if name not in DEFAULTS:
            raise ValueError(f"{name}: this reader does not know it")
        if value.startswith("("):
            found[name] = [text_of(literal) for literal in re.findall(r"'((?:[^'\\]|''|\\.)*)'", value)]
        else:
            found[name] = text_of(value[1:-1]) if value.startswith("'") else value
    return found


class Reader:
    """A text, read field by field."""

    def __init__(self, text, chosen):
        self.text, self.at = text, 0
        self.delimiter, self.quote = chosen["FIELD_DELIMITER"], chosen["FIELD_OPTIONALLY_ENCLOSED_BY"]
        self.escape, self.null_if = chosen["ESCAPE_UNENCLOSED_FIELD"], chosen["NULL_IF"]
        self.empty_is_null, self.skip = chosen["EMPTY_FIELD_AS_NULL"] == "TRUE", int(chosen["SKIP_HEADER"])

    def rows(self):
        for _ in range(self.skip):
            self.at = self.text.index("\n", self.at) + 1
        while self.at < len(self.text):
            yield self.row()

    def row(self):
        fields = [self.field()]
        while self.text[self.at : self.at + 1] == self.delimiter:
            self.at += 1
            fields.append(self.field())
        end = re.compile(r"\r?\n|\Z").match(self.text, self.at)
        if not end:
            raise ValueError(f"neither a delimiter nor a line's end: {self.text[self.at - 20 : self.at + 20]!r}")
        self.at = end.end()
        return fields

    def field(self):
        enclosed = self.text[self.at : self.at + 1] == self.quote
        value = self.enclosed() if enclosed else self.unenclosed()
        # NULL_IF knows nothing of quotes
        if value in self.null_if or (value == "" and not enclosed and self.empty_is_null):
            return None
        return value if enclosed or self.escape == "NONE" else self.without_escapes(value)

    def enclosed(self):
        """Up to a quote that is not doubled."""
        pieces, start = [], self.at + 1
        while True:
            end = self.text.index(self.quote, start)
            pieces.append(self.text[start:end])
            if self.text[end + 1 : end + 2] != self.quote:
                self.at = end + 1
                return self.quote.join(pieces)
            start = end + 2

    def unenclosed(self):
        start = self.at
        while self.at < len(self.text) and self.text[self.at] not in (self.delimiter, "\n", "\r"):
            # what is escaped ends no field
            self.at += 2 if self.text[self.at] == self.escape else 1
        return self.text[start : self.at]

    def without_escapes(self, value):
        return re.sub(re.escape(self.escape) + "(.?)", lambda found: SEQUENCES.get(found[1], found[1]), value, flags=re.S)


def read(text, chosen):
    return list(Reader(text, chosen).rows())
