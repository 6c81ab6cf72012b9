"""Whatever stands in a file, loading gives a configuration or complaints with a place, never anything else."""

from __future__ import annotations

import tempfile
from pathlib import Path

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from failoverd.config.complaints import Complaint, ConfigErrors
from tests.unit.config.folder import HEAD, prepared

SAMPLE = (Path(__file__).parents[2] / "conf/failoverd.yml").read_text()
PLAIN = "\n".join(line.partition("#")[0].rstrip() for line in SAMPLE.splitlines())
WORDS = st.sampled_from(
    [
        "{",
        "}",
        "[",
        "]",
        ": ",
        "- ",
        "&a ",
        "*a",
        "<<",
        "? ",
        "!!int ",
        "null",
        "\n",
        "\t",
        "'",
        '"',
        "|",
        "0x1",
        "1e999",
        "\x07",
        "é",
        "${env:A}",
    ]
)
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=4), st.integers(), max_size=2),
)


def survives(text: str) -> None:
    """The text is loaded, or refused with complaints that have a place and a sentence."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            assert prepared(Path(folder)).load(text.replace("/etc/failoverd", folder)).config.clusters
        except ConfigErrors as errors:
            assert_placed(errors.complaints)


def assert_placed(complaints: tuple[Complaint, ...]) -> None:
    """At least one complaint, each with a line and a sentence."""
    assert complaints
    assert all(c.place.line >= 1 and c.sentence for c in complaints)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(PLAIN)), st.integers(0, 9), WORDS), min_size=1, max_size=4))
def test_damaged_text(edits: list[tuple[int, int, str]]) -> None:
    text = PLAIN
    for place, cut, word in edits:
        text = text[:place] + word + text[place + cut :]
    survives(text)


@st.composite
def replaced(draw: st.DrawFn) -> str:
    """The sample with one value anywhere replaced by something odd."""
    tree = yaml.safe_load(PLAIN)
    inside, key = tree, draw(st.sampled_from(list(tree)))
    while isinstance(inside[key], dict | list) and inside[key] and draw(st.booleans()):
        inside = inside[key]
        key = draw(st.sampled_from(list(inside) if isinstance(inside, dict) else range(len(inside))))
    inside[key] = draw(ODD)
    return yaml.safe_dump(tree)


@settings(max_examples=150, deadline=None)
@given(replaced())
def test_odd_values(text: str) -> None:
    survives(text)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_any_text(text: str) -> None:
    survives(HEAD + text)
