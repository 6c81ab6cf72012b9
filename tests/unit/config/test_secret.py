"""Secrets: where they may come from, who may read their files, and that they show themselves nowhere."""

from __future__ import annotations

import copy
import os
import pickle
import stat
from pathlib import Path

import pytest

from failoverd.config.complaints import Wrong
from failoverd.config.explain import explain
from failoverd.config.secret import Secret, check_private, read_secret
from tests.unit.config.folder import HEAD, SHOP, prepared


def test_a_file_gives_its_one_line(tmp_path: Path) -> None:
    prepared(tmp_path).put("s", "p w\n")
    assert read_secret("s", tmp_path).reveal() == "p w"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o666])
def test_a_file_that_others_can_touch_is_refused(tmp_path: Path, mode: int) -> None:
    prepared(tmp_path).put("s", "pw", mode)
    with pytest.raises(Wrong, match=f"can be read by others .mode {mode:04o}") as raised:
        read_secret("s", tmp_path)
    assert raised.value.hint == f"chmod 0600 {tmp_path}/s"


@pytest.mark.parametrize("text", ["", "\n", "a\nb\n"])
def test_a_file_must_hold_exactly_one_line(tmp_path: Path, text: str) -> None:
    prepared(tmp_path).put("s", text)
    with pytest.raises(Wrong, match="instead of one with the password"):
        read_secret("s", tmp_path)


def test_a_folder_and_a_missing_file_are_no_secrets(tmp_path: Path) -> None:
    with pytest.raises(Wrong, match="is not a file"):
        read_secret(str(tmp_path), tmp_path)
    with pytest.raises(Wrong, match="No such file"):
        read_secret("none", tmp_path)


@pytest.mark.parametrize(("owner", "we", "taken"), [(7, 7, True), (0, 7, True), (7, 0, True), (8, 7, False)])
def test_whose_file_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: int, we: int, taken: bool) -> None:
    file = prepared(tmp_path).put("s", "pw")
    seen = os.stat_result((stat.S_IFREG | 0o600, 0, 0, 1, owner, owner, 3, 0, 0, 0))
    monkeypatch.setattr("failoverd.config.secret.check_file", lambda _: seen)
    monkeypatch.setattr("os.geteuid", lambda: we)
    if taken:
        check_private(file)
        return
    with pytest.raises(Wrong, match=f"belongs to user id {owner}"):
        check_private(file)


def test_the_environment_gives_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PW", "from-env")
    secret = read_secret("${env:SHOP_PW}", tmp_path)
    assert (secret.reveal(), secret.origin) == ("from-env", "${env:SHOP_PW}")
    monkeypatch.delenv("SHOP_PW")
    with pytest.raises(Wrong, match="SHOP_PW is not set"):
        read_secret("${env:SHOP_PW}", tmp_path)


def test_systemd_gives_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared(tmp_path).put("mysql", "from-systemd\n", 0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert read_secret("${credential:mysql}", tmp_path).reveal() == "from-systemd"
    with pytest.raises(Wrong, match="cannot be read: No such file"):
        read_secret("${credential:none}", tmp_path)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    with pytest.raises(Wrong, match="no systemd credentials"):
        read_secret("${credential:mysql}", tmp_path)


def test_systemd_gives_a_key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = prepared(tmp_path)
    laid = folder.put("laid/key", "key", 0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(laid.parent))
    head = HEAD.replace("key_file: id", "key_file: '${credential:key}'")
    assert folder.load(head + SHOP).config.access("shop", "db1").ssh.key_file == laid
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    [complaint] = folder.complaints(head + SHOP)
    assert complaint.startswith("3 ssh.key_file: there are no systemd credentials here")


@pytest.mark.parametrize("written", ["${vault:x}", "${env:}", "${env:A} ", "x${env:A}", "${credential:../x}"])
def test_another_source_is_refused(tmp_path: Path, written: str) -> None:
    with pytest.raises(Wrong, match="is no place for a secret"):
        read_secret(written, tmp_path)


def test_a_secret_shows_itself_nowhere(tmp_path: Path) -> None:
    loaded = prepared(tmp_path).load(HEAD + SHOP)
    shown = repr(loaded) + str(loaded.config) + repr(explain(loaded)) + f"{loaded.config.mysql.password_file}"
    assert "canary" not in shown
    assert "***" in shown


def test_a_secret_is_written_nowhere() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(Secret("pw", "test"))
    with pytest.raises(TypeError):
        copy.deepcopy(Secret("pw", "test"))


def test_secrets_are_equal_by_their_text() -> None:
    assert Secret("a", "x") == Secret("a", "y")
    assert Secret("a", "x") != Secret("b", "x")
    assert hash(Secret("a", "x")) == hash(Secret("a", "y"))
