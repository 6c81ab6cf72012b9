"""A drill as JUnit XML: each expectation a test case, for whatever collects test results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree as ET

Document = Mapping[str, Any]


def xml(told: Sequence[Document]) -> bytes:
    """One suite for each drill; an aborted or broken drill is an error of its own case."""
    root = ET.Element("testsuites", name="failoverd drills")
    for one in told:
        root.append(_suite(one))
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _suite(one: Document) -> ET.Element:
    failed = [found for found in one["expectations"] if found["outcome"] != "met"]
    broken = bool(one["problem"] or one["left"])
    suite = ET.Element(
        "testsuite",
        name=f"drill.{one['drill']}",
        tests=str(len(one["expectations"]) + 1),
        failures=str(len(failed)),
        errors=str(int(broken)),
        time=str(one["seconds"] or 0),
        timestamp=str(one["began"] or one["ended"]),
    )
    whole = _case(suite, one, "carried out and cleared away", one["seconds"] or 0)
    if broken:
        why = "; ".join(filter(None, [one["problem"], *one["left"]]))
        ET.SubElement(whole, "error", message=why, type=str(one["result"]))
    for found in one["expectations"]:
        case = _case(suite, one, found["title"], 0)
        if found["outcome"] != "met":
            failure = ET.SubElement(case, "failure", message=found["measured"], type=found["kind"])
            failure.text = f"{found['place']}\n{found['measured']}"
    return suite


def _case(suite: ET.Element, one: Document, name: str, seconds: float) -> ET.Element:
    return ET.SubElement(suite, "testcase", classname=f"drill.{one['drill']}", name=name, time=str(seconds))
