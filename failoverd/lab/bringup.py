"""The making of a lab, side by side where nothing depends on each other, and its end."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from failoverd.lab import config_text, disks, hosts, keeping, network, servers, state, zookeeper
from failoverd.lab.layout import STATE_PARENT, STATE_PREFIX, Host, Kind, Layout, Options, namespace_prefix, state_folder
from failoverd.lab.processes import end, run, side_by_side
from failoverd.lab.software import MySQL, find_mysql, provide, require_programs
from failoverd.lab.template import Passwords, Template, copy, ready_template
from failoverd.model.counted import counted

Say = Callable[[str], None]


class BringUp:
    """One lab on its way up: what its parts have in common."""

    def __init__(self, layout: Layout, mysql: MySQL, template: Template) -> None:
        self.layout = layout
        self.mysql = mysql
        self.template = template
        self.folder = Path(layout.folder)
        self.keys = self.folder / "keys"

    def run(self, say: Say) -> None:
        """Make everything, in the order that lets the slow parts begin first."""
        options = self.layout.options
        network.build(self.layout)
        hosts.write_etc(self.layout)
        self.keys.mkdir(mode=0o700)
        between = "the lab's own switch" if options.switch else "a bridge"
        say(f"{len(self.layout.hosts)} hosts on {between}, 198.18.{self.layout.index}.0/24")
        members = self.layout.of_kind(Kind.ZOOKEEPER)
        with ThreadPoolExecutor(max_workers=len(self.layout.hosts) + 1) as pool:
            keys = pool.submit(self._keys)
            ensemble = [pool.submit(self._start_zookeeper, host, members) for host in members]
            started = [pool.submit(self._start_server, host, keys) for host in self.layout.servers]
            for future in started:
                future.result()
            say(f"{len(started)} mysqld and sshd answer")
            self._replicate()
            say(f"{counted(options.replicas, 'replica follows', 'replicas follow')} {self.layout.servers[0].name}")
            for member in ensemble:
                member.result()
            if ensemble:
                say(counted(len(ensemble), "ZooKeeper serves", "ZooKeeper serve"))
        self.write_configuration()

    def _keys(self) -> tuple[Path, str, str]:
        """The agent's zipapp and the two public keys that hosts let in."""
        zipapp = self.folder / "failoverd-agent.pyz"
        run([sys.executable, "-m", "failoverd.agent.build", str(zipapp)])
        client = hosts.make_key(self.keys / "manager_ed25519", "managers")
        install = hosts.make_key(self.keys / "install_ed25519", "installer")
        return zipapp, client, install

    def _prepare(self, host: Host) -> None:
        hosts.make_folders(host)
        disks.mount(host, self.layout.options.disk_mb)

    def _start_zookeeper(self, host: Host, members: tuple[Host, ...]) -> None:
        self._prepare(host)
        Path(host.folder / "zoo.cfg").write_text(zookeeper.configuration_text(host, members), encoding="utf-8")
        Path(host.disk / "zookeeper/myid").write_text(f"{host.number}\n", encoding="utf-8")
        keeping.write_specification(host, (zookeeper.service(host),))
        keeping.power_on(host)
        zookeeper.wait_for_start(host)

    def _start_server(self, host: Host, keys: Future[tuple[Path, str, str]]) -> None:
        options = self.layout.options
        self._prepare(host)
        hosts.make_key(Path(host.folder / "ssh/host_key"), host.name)
        copy(self.template, Path(host.datadir), host.user)
        text = servers.configuration_text(servers.settings(host, options))
        Path(host.folder / "my.cnf").write_text(text, encoding="utf-8")
        mysqld = servers.service(host, self.mysql, supervised=options.supervised)
        keeping.write_specification(host, (mysqld, hosts.sshd_service(host)))
        keeping.power_on(host)
        hosts.install_agent(host, *keys.result())
        servers.wait_for_start(host)

    def _replicate(self) -> None:
        primary, *replicas = self.layout.servers
        servers.open_primary(primary)
        passwords = self.template.passwords
        side_by_side([lambda replica=replica: servers.follow(replica, primary, passwords) for replica in replicas])  # type: ignore[misc]
        side_by_side([lambda replica=replica: servers.caught_up(replica, primary) for replica in replicas])  # type: ignore[misc]
        if self.layout.options.lossless:
            servers.wait_for_acknowledgers(primary, len(replicas))

    def write_configuration(self) -> None:
        """Write the secrets, the known hosts, and a configuration for each manager and one for people."""
        passwords = self.template.passwords
        known = "".join(self._known(host) for host in self.layout.servers)
        for name, content in (
            ("mysql.secret", passwords.manager),
            ("repl.secret", passwords.replication),
            ("app.secret", passwords.application),
            ("known_hosts", known.rstrip()),
        ):
            _private(self.keys / name, content + "\n")
        write_configurations(self.layout)

    def _known(self, host: Host) -> str:
        public = Path(host.folder / "ssh/host_key.pub").read_text(encoding="utf-8").split()
        return f"{host.address},{host.name} {public[0]} {public[1]}\n"


def write_configurations(layout: Layout, changes: dict[str, object] | None = None) -> None:
    """Write all configuration files anew, with `changes` laid over what the options ask for."""
    for manager in (*layout.of_kind(Kind.MANAGER), None):
        folder = Path(layout.folder / (manager.name if manager else config_text.PEOPLE))
        for name in ("state", "run"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        root = config_text.merged(config_text.document(layout, manager), changes or {})
        target = folder / "failoverd.yml" if manager else Path(layout.folder / "failoverd.yml")
        _private(target, config_text.text(root))


def _private(path: Path, content: str) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(content, encoding="utf-8")


def bring_up(options: Options, say: Say) -> tuple[Layout, Passwords]:
    """Make a lab; when a part fails, what was made is taken away again and the error is raised."""
    begun = time.monotonic()

    def timed(text: str) -> None:
        say(f"{time.monotonic() - begun:5.2f} s  {text}")

    network.require_namespaces()
    require_programs(options.zookeepers)
    mysql = find_mysql()
    template = ready_template(mysql, timed)
    timed("template ready")
    layout = state.claim(options)
    try:
        provide(Path(state_folder(options.name)) / "bin", mysql)
        BringUp(layout, mysql, template).run(timed)
    except BaseException:
        take_down(options.name)
        raise
    timed("up")
    return layout, template.passwords


def take_down(name: str) -> None:
    """End everything of the lab of that name, whatever is left of it: processes, mounts, namespaces, links, files."""
    folder = Path(state_folder(name))
    layout = state.find(name)
    recorded = [keeping.recorded_pid(host) for host in layout.hosts] if layout else []
    end(pid for pid in recorded if pid)
    while left := network.members(name):
        end(left)
    network.demolish(name)
    hosts.remove_etc(namespace_prefix(name))
    if folder.parent == Path(STATE_PARENT) and folder.name.startswith(STATE_PREFIX):
        disks.unmount_all(folder)
        shutil.rmtree(folder, ignore_errors=True)
