"""A project of dbt that uses the package, as README.md there says."""

import pathlib

PACKAGE = pathlib.Path(__file__).resolve().parents[2] / "snowflake" / "dbt"
PROJECT = """
name: shop
version: 1.0.0
profile: reengage
flags:
  require_generic_test_arguments_property: true
"""


def make_project(place, messages):
    """messages: the query of a model chat_messages, which reengage_messages may name."""
    (place / "models").mkdir()
    (place / "dbt_project.yml").write_text(PROJECT)
    (place / "packages.yml").write_text(f"packages:\n  - local: {PACKAGE}\n")
    (place / "models" / "chat_messages.sql").write_text(messages)
