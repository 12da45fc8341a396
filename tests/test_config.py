"""The configuration: what is right is taken; what is wrong is told with file, line, key, value, expectation."""

import os

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from guard.config import Agent, Config, Node
from guard.config_file import ConfigError, find, load
from guard.config_mistake import describe
from guard.config_text import TextError, parse
from guard.identity import instance_id, node_name


@pytest.fixture
def file(tmp_path):
    def write(content):
        path = tmp_path / "guard.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def mistake(path):
    with pytest.raises(ConfigError) as caught:
        load(path)
    text = str(caught.value)
    assert text.startswith(f"{path}:")
    assert "\n" not in text
    return text.removeprefix(str(path))


@pytest.mark.parametrize("content", ["", "# nothing yet\n", "agent:\n  # period: 5\n", "---\n", "{}"])
def test_what_a_file_does_not_say_is_the_default(file, content):
    assert load(file(content)) == load(None) == Config()


def test_every_default_written_out_is_read_back_as_it_was(file):
    assert load(file(yaml.safe_dump(msgspec.to_builtins(Config())))) == Config()


def test_what_a_file_says_holds_and_the_rest_stays(file):
    config = load(file("cluster: use1\nagent: {period: 5}\nnode:\n  labels: {rack: 2026-01-02, 'on': x}\n"))
    assert config == Config(
        cluster="use1", agent=Agent(period=5), node=Node(labels={"rack": "2026-01-02", "on": "x"})
    )


MISTAKES = {
    "\nagent:\n  perod: 3\n": ":3: agent.perod: unknown key, did you mean 'period'?",
    "agent:\n\n  period: -1\n": ":3: agent.period: -1 (expected a number >= 0.1)",
    "agent:\n  period: soon\n": ":2: agent.period: soon (expected a number)",
    "agent: {period: .nan}": ":1: agent.period: nan (expected a number >= 0.1)",
    "spool: /x": ":1: spool: unknown key, did you mean 'agent.spool'?",
    "zzz: 1": (
        ":1: zzz: unknown key; known here: "
        "cluster, bus, node, agent, detect, detector, remediation, page, report, kafka, topics"
    ),
    "node:\n  labels:\n    a: x\n    rack: 17\n": ":4: node.labels.rack: 17 (expected text; put it in quotes)",
    "agent:\n  disabled:\n  - efa\n  - 3\n": ":4: agent.disabled.1: 3 (expected text; put it in quotes)",
    "agent: 7": ":1: agent: 7 (expected keys and values)",
    "- a": ":1: top: ['a'] (expected keys and values)",
    "cluster: a\nbus: file:b\ncluster: c": ":3: cluster: the key is there twice, first on line 1",
    "a: &x [1]\nb: *x": ":2: YAML aliases (*x) are not used here; write the value out",
    "cluster: !!python/object:os.system x": ":1: cluster: YAML tags (!name) are not used here",
    "[a]: b": ":1: top: a key is text, not a list or a mapping",
    "a:\n\t- x": ":2: not YAML: found character that cannot start any token",
    "[" * 100_000 + "]" * 100_000: ":1: nested more than 16 levels deep",
    "agent: {metrics: ':70000'}": ":1: agent.metrics: :70000 (expected something like '127.0.0.1:9464')",
    "agent: {metrics: 'x:70000'}": ":1: agent: metrics is x:70000, expected a port up to 65535",
    "detect:\n  fast:\n    held: 9\n": ":2: detect.fast: fast.held is 9, expected at most fast.of, 7",
    "detect: {floor: 0}": ":1: detect.floor: 0 (expected a number > 0)",
    "remediation:\n  cluster: {kind: nomad}": (
        ":2: remediation.cluster.kind: nomad"
        " (expected one of slurm, kubernetes, hyperpod-slurm, hyperpod-kubernetes, command)"
    ),
    "remediation: {cluster: {kind: slurm, queue: x}}": ":1: remediation.cluster.queue: unknown key",
    "agent: {spool_bytes: 1.5}": ":1: agent.spool_bytes: 1.5 (expected a whole number)",
}


@pytest.mark.parametrize(("content", "told"), MISTAKES.items(), ids=lambda text: text[:30])
def test_a_mistake_names_line_key_value_and_expectation(file, content, told):
    assert mistake(file(content)) == told


@pytest.mark.parametrize("bus", ["kafka://me:hunter2@host:9092", "kafka:me:h/unter2@h", "file://me:hunter2@h/x"])
def test_a_password_in_the_address_is_refused_and_never_shown(file, bus):
    told = mistake(file(f"bus: {bus}\n"))
    assert told.startswith(":1: bus: ")
    assert "unter2" not in told
    assert "expected something like 'file:/var/lib/guard/bus.sqlite'" in told


def test_files_that_are_no_configuration_are_refused(file, tmp_path):
    assert mistake(file(bytes(range(256)))) == ": not UTF-8 text (byte 128)"
    assert "more than 262144 bytes" in mistake(file("#" * (256 << 10) + "\n"))
    assert (
        mistake(tmp_path / "none")
        == ": No such file or directory; name another file with --config or GUARD_CONFIG"
    )
    assert mistake(tmp_path) == ": Is a directory"
    os.mkfifo(tmp_path / "pipe")
    assert mistake(tmp_path / "pipe") == ": not a regular file"


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_text_gives_anything_but_a_configuration_or_an_explained_mistake(raw):
    try:
        text = parse(raw.decode())
    except (TextError, UnicodeDecodeError):
        return
    try:
        msgspec.convert(text.content, Config)
    except msgspec.ValidationError as error:
        line, told = describe(text, str(error))
        assert line >= 1
        assert told.isprintable()


_words = st.sampled_from([*Config.__struct_fields__, *Agent.__struct_fields__, "labels", "x y", "[...]", "a`b"])
_plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
_content = st.recursive(
    _plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_words, inner, max_size=3)
)


@given(st.dictionaries(_words, _content, max_size=4))
def test_no_shape_of_content_gives_anything_but_a_configuration_or_an_explained_mistake(content):
    text = parse(yaml.safe_dump(content))
    try:
        msgspec.convert(text.content, Config)
    except msgspec.ValidationError as error:
        line, told = describe(text, str(error))
        assert line >= 1
        assert told.isprintable()


def test_the_file_is_the_one_given_else_the_environments_else_the_usual_one(tmp_path, monkeypatch):
    usual = tmp_path / "guard.yaml"
    monkeypatch.setattr("guard.config_file.DEFAULT_PATH", usual)
    assert find(None, {}) is None
    usual.touch()
    assert find(None, {}) == usual
    assert str(find(None, {"GUARD_CONFIG": "/e"})) == "/e"
    assert str(find("/g", {"GUARD_CONFIG": "/e"})) == "/g"


def test_the_type_documents_every_key():
    def undocumented(type_, path):
        for field in msgspec.structs.fields(type_):
            if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
                yield from undocumented(field.type, f"{path}.{field.name}")
            elif "description=" not in repr(field.type):
                yield f"{path}.{field.name}"

    assert list(undocumented(Config, "")) == []


def test_the_node_is_named_by_the_configuration_else_by_the_host(monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "ip-10-0-0-1.ec2.internal")
    assert node_name(Config()) == "ip-10-0-0-1"
    assert node_name(Config(node=Node(name="n7"))) == "n7"


@pytest.mark.parametrize(
    ("asset", "machine", "instance"),
    [
        ("i-0a1b2c3d4e5f60718\n", "0" * 32, "i-0a1b2c3d4e5f60718"),
        ("Not Specified\n", "3d1219c7c4c5404aaa1f6d2a48adfda4\n", "3d1219c7c4c5404aaa1f6d2a48adfda4"),
        ("", "uninitialized\n", "host-n7"),
    ],
)
def test_the_instance_is_what_the_firmware_says_else_the_machine_id(
    tmp_path, monkeypatch, asset, machine, instance
):
    dmi = tmp_path / "class/dmi/id"
    dmi.mkdir(parents=True)
    (dmi / "board_asset_tag").write_text(asset)
    (tmp_path / "machine-id").write_text(machine)
    monkeypatch.setattr("guard.identity._MACHINE_ID", tmp_path / "machine-id")
    config = msgspec.convert({"node": {"name": "n7"}, "agent": {"roots": {"sys": str(tmp_path)}}}, Config)
    assert instance_id(config) == instance
    assert instance_id(Config(node=Node(instance="hw"))) == "hw"
