"""MHA's configuration read and turned into ours, with an account of every parameter that was in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from failoverd.config.complaints import Complaint, ConfigErrors, Place
from failoverd.config.mha_parameters import PARAMETERS, Fate, Parameter
from failoverd.config.schema import CLUSTER_NAME, NAME

_SECTION: Final = re.compile(r"\[(?P<name>[^\]]+)\]")
_PAIR: Final = re.compile(r"(?P<key>[^=]+?)\s*=\s*(?P<value>.*)")
_SERVER: Final = re.compile(r"server[A-Za-z0-9_.-]*")
_DEFAULT: Final = "server default"
_SECRETS: Final = frozenset({"password", "repl_password"})
_KNOWN: Final = {parameter.name: parameter for parameter in PARAMETERS}
_LEVELS: Final = frozenset({"debug", "info", "warning", "error"})


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of MHA's files: which section it stands in, its value, and its place."""

    section: str
    key: str
    value: str
    place: Place

    @property
    def parameter(self) -> Parameter:
        """What becomes of it."""
        return _KNOWN[self.key]

    @property
    def shown(self) -> str:
        """The value as it may be shown: secrets are not."""
        return "(hidden)" if self.key in _SECRETS else self.value


@dataclass(frozen=True, slots=True)
class Imported:
    """Our configuration as data, and the settings it was made from, in their order."""

    config: Mapping[str, Any]
    settings: tuple[Setting, ...]

    def text(self) -> str:
        """The configuration file: what was mapped, and as comments what is left to a person."""
        left = [s for s in self.settings if s.parameter.fate is Fate.BY_HAND]
        lines = ["# Made by `failoverd import-mha`. Read it, do what is left by hand, then `failoverd config check`."]
        lines += [f"# by hand: [{s.section}] {s.key} = {s.shown}: {s.parameter.sentence}" for s in left]
        return "\n".join(lines) + "\n\n" + yaml.safe_dump(dict(self.config), sort_keys=False, default_flow_style=False)


def import_mha(app: Path, common: Path | None, cluster: str = "") -> Imported:
    """The configuration of one MHA application, with its common file under it; ConfigErrors tells all that is wrong.

    Without a name the cluster is named as the file is.
    """
    complaints: list[Complaint] = []
    above = _settings(common, complaints) if common else ()
    found = _settings(app, complaints)
    name = cluster or app.stem
    sections = tuple(dict.fromkeys(s.section for s in found if _SERVER.fullmatch(s.section)))
    if not sections and not complaints:
        complaints.append(Complaint("", Place(app, 1), "has no [serverN] section", "give the application's file first"))
    if not CLUSTER_NAME.form.fullmatch(name):
        hint = "name it with --cluster"
        complaints.append(Complaint("", Place(app, 1), f"'{name}' cannot be a cluster's name", hint))
    if complaints:
        raise ConfigErrors(tuple(complaints))
    defaults = _values(above, _DEFAULT) | _values(found, _DEFAULT)
    servers = [_server(section, defaults, _values(found, section), complaints, app) for section in sections]
    _alike(servers, complaints, app)
    if complaints:
        raise ConfigErrors(tuple(complaints))
    return Imported(_common(defaults) | {"clusters": {name: {"servers": servers}}}, (*above, *found))


def _settings(file: Path, complaints: list[Complaint]) -> tuple[Setting, ...]:
    """The lines of one file; what MHA would refuse is a complaint here too."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        complaints.append(Complaint("", Place(file, 1), f"cannot be read: {error}"))
        return ()
    section, found = "", []
    for number, raw in enumerate(lines, 1):
        line, place = raw.strip(), Place(file, number)
        if not line or line[0] in "#;":
            continue
        if named := _SECTION.fullmatch(line):
            section = named["name"].strip()
        elif (pair := _PAIR.fullmatch(line)) and section and pair["key"] in _KNOWN:
            found.append(Setting(section, pair["key"], pair["value"], place))
        else:
            complaints.append(_wrong(line, section, pair, place))
    return tuple(found)


def _wrong(line: str, section: str, pair: re.Match[str] | None, place: Place) -> Complaint:
    if pair is None:
        return Complaint("", place, "is neither [section] nor parameter=value", line[:40])
    if not section:
        return Complaint(pair["key"], place, "stands before the first section", "begin with [server default]")
    return Complaint(
        f"[{section}].{pair['key']}", place, "is no parameter of MHA 0.58", "take it out, or mend its name"
    )


def _values(settings: tuple[Setting, ...], section: str) -> dict[str, Setting]:
    return {s.key: s for s in settings if s.section == section}


def _server(
    section: str, defaults: Mapping[str, Setting], own: Mapping[str, Setting], complaints: list[Complaint], app: Path
) -> dict[str, Any]:
    """One server; its own values win over the defaults."""
    values = {**defaults, **own}
    host = values.get("ip") or values.get("hostname")
    if host is None:
        complaints.append(Complaint(f"[{section}]", Place(app, 1), "has no hostname", "give it one"))
        return {"name": section}
    short = values["hostname"].value.split(".")[0] if "hostname" in values else section
    made: dict[str, Any] = {"name": short if _is_name(short) else section, "host": host.value}
    if "port" in values:
        made["port"] = _number(values["port"], 65535, complaints)
    never, prefer = (_switched(values, key, complaints) for key in ("no_master", "candidate_master"))
    if never or prefer:
        made["promote"] = "never" if never else "prefer"
    if "ssh_port" in own:
        made["ssh"] = {"port": _number(own["ssh_port"], 65535, complaints)}
    return made


def _common(defaults: Mapping[str, Setting]) -> dict[str, Any]:
    """The sections that stand above the cluster."""
    made: dict[str, Any] = {}
    for parameter, section, key in (
        ("log_level", "manager", "log_level"),
        ("user", "mysql", "user"),
        ("repl_user", "replication", "user"),
        ("ssh_user", "ssh", "user"),
    ):
        value = defaults[parameter].value if parameter in defaults else ""
        if value and (key != "log_level" or value in _LEVELS):
            made.setdefault(section, {})[key] = value
    if "ssh_port" in defaults:
        made.setdefault("ssh", {})["port"] = _number(defaults["ssh_port"], 65535, [])
    return made


def _is_name(text: str) -> bool:
    return bool(NAME.form.fullmatch(text)) and not text.isdigit()


def _alike(servers: list[dict[str, Any]], complaints: list[Complaint], app: Path) -> None:
    """Where two hosts share their first label, all are named by their hosts; two with one address are an error."""
    if len({server["name"].lower() for server in servers}) < len(servers):
        for server in servers:
            server["name"] = f"{server.get('host', server['name'])}-{server.get('port', 3306)}".replace(":", "-")
    if len({server["name"].lower() for server in servers}) < len(servers):
        complaints.append(Complaint("", Place(app, 1), "names a server twice", "every [serverN] needs its own address"))


def _number(setting: Setting, most: int, complaints: list[Complaint]) -> int:
    if setting.value.isdigit() and 0 < int(setting.value) <= most:
        return int(setting.value)
    where = f"[{setting.section}].{setting.key}"
    complaints.append(Complaint(where, setting.place, f"'{setting.value}' is no number from 1 to {most}"))
    return 0


def _switched(values: Mapping[str, Setting], key: str, complaints: list[Complaint]) -> bool:
    setting = values.get(key)
    if setting is None:
        return False
    if setting.value not in {"0", "1"}:
        complaints.append(
            Complaint(f"[{setting.section}].{key}", setting.place, f"'{setting.value}' is neither 0 nor 1")
        )
    return setting.value == "1"
