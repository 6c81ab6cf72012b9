"""Which mysqld is used, by the layouts in which it comes."""

from __future__ import annotations

from pathlib import Path

import pytest

from failoverd.lab.software import find_mysql
from failoverd.model.errors import ConfigError


def make(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_a_named_folder_comes_first(tmp_path: Path) -> None:
    server = make(tmp_path / "bin/mysqld")
    found = find_mysql({"FAILOVERD_MYSQL_BASEDIR": str(tmp_path), "PATH": "/nowhere"})
    assert found.command == (str(server),)
    assert found.options == (f"--basedir={tmp_path}",)


def test_a_named_folder_without_mysqld_is_an_error_and_no_other_is_taken(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="FAILOVERD_MYSQL_BASEDIR"):
        find_mysql({"FAILOVERD_MYSQL_BASEDIR": str(tmp_path), "PATH": "/usr/sbin"})


def test_an_unpacked_distribution_runs_on_its_own_loader_and_libraries(tmp_path: Path) -> None:
    server = make(tmp_path / "usr/sbin/mysqld")
    loader = make(tmp_path / "usr/lib64/ld-linux-x86-64.so.2")
    libraries = tmp_path / "usr/lib/x86_64-linux-gnu"
    libraries.mkdir(parents=True)
    found = find_mysql({"FAILOVERD_MYSQL_BASEDIR": str(tmp_path), "PATH": ""})
    assert found.command == (str(loader), "--library-path", str(libraries), str(server))
    assert f"--plugin-dir={tmp_path}/usr/lib/mysql/plugin" in found.options


def test_one_on_the_path_is_taken_as_it_is(tmp_path: Path) -> None:
    server = make(tmp_path / "mysqld")
    assert find_mysql({"PATH": str(tmp_path)}).command == (str(server),)
