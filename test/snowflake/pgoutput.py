"""Reads what PostgreSQL's logical decoding plugin pgoutput sends (protocol 1).

A stream is a list of transactions, a transaction a list of rows, a row its
table's name and a dictionary of text values, as a connector gets them.
"""

import struct

TYPE_NAMES = {20: "bigint", 21: "smallint", 23: "integer", 25: "text", 1184: "timestamptz", 2950: "uuid", 3802: "jsonb"}


class Message:
    """The bytes of one message, read from left to right."""

    def __init__(self, data):
        self.data, self.position = data, 0

    def number(self, format_):
        (value,) = struct.unpack_from(">" + format_, self.data, self.position)
        self.position += struct.calcsize(">" + format_)
        return value

    def letter(self):
        return chr(self.number("B"))

    def name(self):
        end = self.data.index(b"\0", self.position)
        value = self.data[self.position : end].decode()
        self.position = end + 1
        return value

    def bytes(self, length):
        self.position += length
        return self.data[self.position - length : self.position]


class Relation:
    """A table as the stream announces it: its name, and its columns' types by name."""

    def __init__(self, message):
        message.name()
        self.name = message.name()
        message.letter()
        self.columns = {}
        for _ in range(message.number("H")):
            message.number("B")
            column, type_oid, _modifier = message.name(), message.number("I"), message.number("i")
            self.columns[column] = TYPE_NAMES[type_oid]

    def row(self, message):
        if message.letter() != "N" or message.number("H") != len(self.columns):
            raise ValueError("not a new row of " + self.name)
        return {column: self.value(message) for column in self.columns}

    @staticmethod
    def value(message):
        kind = message.letter()
        if kind == "n":
            return None
        if kind != "t":
            raise ValueError(f"a value of kind {kind}")
        return message.bytes(message.number("I")).decode()


def decode(lines):
    """Transactions and relations of a stream whose messages are lines in hex."""
    relations, transactions, open_rows = {}, [], None
    for line in lines:
        message = Message(bytes.fromhex(line))
        kind = message.letter()
        if kind == "B":
            open_rows = []
        elif kind == "C":
            transactions.append(open_rows)
            open_rows = None
        elif kind == "R":
            relation_id = message.number("I")
            relations[relation_id] = Relation(message)
        elif kind == "I":
            relation = relations[message.number("I")]
            open_rows.append((relation.name, relation.row(message)))
        elif kind != "O":  # from where a subscriber, which sends on, had it
            raise ValueError(f"a message of kind {kind}: the publication is for INSERT only")
    return transactions, {relation.name: relation.columns for relation in relations.values()}
