"""All files of a bot, read together."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pydantic import SecretStr

from supportbot.config import BotFiles, flow_findings, load, resolve_model_key
from supportbot.config.bundled import bundled
from supportbot.errors import ConfigError
from supportbot.types import ToolSpec

PERSONA = "name: Mia\nlanguages: [en]\n"
FLOW = "flow: hello\ndescription: Greets.\nstart:\n- phrases: [hello]\nsteps:\n- say: Hello.\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, "config.yaml", "bot: {name: Acme}\n")
    write(tmp_path, "prompts/persona.yaml", PERSONA)
    write(tmp_path, "flows/hello.yaml", FLOW)
    return tmp_path


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")


def loaded(folder: Path, **env: str) -> BotFiles:
    return load(folder / "config.yaml", env=env)


def problems(folder: Path, **env: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loaded(folder, **env)
    return [str(problem).removeprefix(f"{folder}/") for problem in caught.value.problems]


def findings(folder: Path) -> list[tuple[str, str]]:
    return [(found.level, str(found.problem).removeprefix(f"{folder}/")) for found in loaded(folder).findings]


def test_the_example_bot_loads_without_any_environment_and_without_findings(tmp_path: Path) -> None:
    for kind in ("flows", "prompts", "knowledge", "tools"):
        shutil.copytree(bundled(kind), tmp_path / kind)
    shutil.copy(bundled("shop_tools.py"), tmp_path)
    shutil.copy(bundled("config.example.yaml"), tmp_path / "config.yaml")
    files = loaded(tmp_path)
    assert files.findings == ()
    assert files.config.bot.name == "Acme Home"
    assert files.folder == tmp_path
    assert resolve_model_key(files.config, files.env) is None


def test_everything_is_read(folder: Path) -> None:
    write(folder, "prompts/system.j2", "You are {{ persona.name }}.")
    write(folder, "prompts/parts/tone.j2", "Be kind.")
    write(folder, "prompts/notes.txt", "not a template")
    write(folder, "flows/.hidden.yaml", "not: a flow")
    write(folder, "flows/bye.yml", FLOW.replace("hello", "bye"))
    files = loaded(folder, A="1")
    assert files.persona.name == "Mia"
    assert dict(files.templates) == {"system.j2": "You are {{ persona.name }}.", "parts/tone.j2": "Be kind."}
    assert sorted(files.flows.flows) == ["bye", "hello"]
    assert files.env == {"A": "1"}


def test_the_problems_of_all_files_come_together(folder: Path) -> None:
    write(folder, "config.yaml", "bot: {name: Acme}\nweb: {prot: 1}\n")
    write(folder, "prompts/persona.yaml", "name: Mia\ntoen: x\n")
    write(folder, "flows/hello.yaml", "flow: hello\nsteps: [a\n")
    assert problems(folder) == [
        "config.yaml:2:7: unknown key 'prot': did you mean 'port'?",
        "prompts/persona.yaml:2:1: unknown key 'toen': did you mean 'tone'?",
        "flows/hello.yaml:2:8: the '[' that opens here is never closed",
    ]


def test_a_config_that_cannot_be_parsed_does_not_hide_the_other_files(folder: Path) -> None:
    write(folder, "config.yaml", "bot: {name: Acme\n")
    write(folder, "prompts/persona.yaml", "- Mia\n")
    assert problems(folder) == [
        "config.yaml:1:6: the '{' that opens here is never closed",
        "prompts/persona.yaml:1:1: the file must be a mapping (key: value), not a list",
    ]


def test_a_missing_config_is_one_problem(tmp_path: Path) -> None:
    assert problems(tmp_path) == ["config.yaml: there is no such file"]


def test_missing_files_are_told_where_the_config_names_them(folder: Path) -> None:
    write(
        folder,
        "config.yaml",
        "bot:\n  name: Acme\n  persona: who.yaml\n  flows: talks\n"
        "tools: {modules: [a.py]}\nknowledge: {paths: [prompts, articles]}\n",
    )
    assert problems(folder) == [
        "config.yaml:5:19: there is no file 'a.py' in the config's folder",
        "config.yaml:6:30: there is no file or folder 'articles' in the config's folder",
        "config.yaml:3:12: there is no persona file 'who.yaml' in the config's folder",
        "config.yaml:4:10: there is no folder 'talks' for flows in the config's folder",
    ]


def test_a_template_that_the_persona_names_must_be_there(folder: Path) -> None:
    write(folder, "prompts/persona.yaml", PERSONA + "system: sytem.j2\n")
    assert problems(folder) == ["prompts/persona.yaml:3:9: there is no template 'sytem.j2' beside the persona"]


def test_a_missing_variable_is_one_problem_and_nothing_follows_from_it(folder: Path) -> None:
    write(folder, "config.yaml", "bot: {name: Acme}\nweb:\n  port: ${PORT}\n")
    assert problems(folder) == [
        "config.yaml:3:9: the environment variable PORT is not set: set it, or write ${PORT:-default}"
    ]
    assert loaded(folder, PORT="9000").config.web.port == 9000


def test_the_persona_may_be_named_by_a_variable(folder: Path) -> None:
    write(folder, "config.yaml", "bot: {name: Acme, persona: '${WHO}'}\n")
    assert loaded(folder, WHO="prompts/persona.yaml").persona.name == "Mia"


def test_two_flows_of_one_name_are_a_problem(folder: Path) -> None:
    write(folder, "flows/other.yaml", FLOW)
    assert problems(folder) == ["flows/other.yaml:1:7: the flow hello is also in hello.yaml; rename one of them"]


def test_a_template_that_is_not_text_is_a_problem(folder: Path) -> None:
    (folder / "prompts" / "a.j2").write_bytes(b"caf\xe9")
    assert problems(folder) == ["prompts/a.j2:1:4: the file is not UTF-8 text: save it with the encoding UTF-8"]


def test_a_template_with_a_mistake_is_an_error_that_lets_the_files_load(folder: Path) -> None:
    write(folder, "prompts/system.j2", "Hello\n{% if %}")
    ((level, message),) = findings(folder)
    assert level == "error"
    assert message.startswith("prompts/system.j2:2:1: ")


def test_a_changing_name_in_the_stable_template_is_a_warning(folder: Path) -> None:
    write(folder, "prompts/persona.yaml", PERSONA + "system: system.j2\n")
    write(folder, "prompts/system.j2", "You help\n{{ user.name }}.")
    assert findings(folder) == [
        (
            "warning",
            "prompts/system.j2:2:1: 'user' changes from turn to turn and makes every request dearer here:"
            " use it in the context template",
        )
    ]


def test_a_flow_that_goes_nowhere_is_told_with_its_place(folder: Path) -> None:
    write(folder, "flows/hello.yaml", FLOW + "- flow: nowhere\n")
    ((level, message),) = findings(folder)
    assert level == "error"
    assert message.startswith("flows/hello.yaml:7:")
    assert "nowhere" in message


def test_calls_are_checked_once_the_tools_are_known(folder: Path) -> None:
    write(folder, "flows/hello.yaml", FLOW + "- call: find_order\n")
    files = loaded(folder)
    assert files.findings == ()
    (finding,) = flow_findings(files, {})
    assert str(finding.problem).startswith(f"{folder}/flows/hello.yaml:7:")
    assert "find_order" in finding.problem.message
    tool = ToolSpec("find_order", "Finds an order.", {"type": "object", "properties": {}})
    assert flow_findings(files, {"find_order": tool}) == ()


def test_times_that_make_no_sense_together_are_warnings(folder: Path) -> None:
    write(
        folder,
        "config.yaml",
        "bot: {name: Acme}\nlimits:\n  answer_deadline: 10s\nhandoff: {deadline: 2h, ceiling: 1h}\n",
    )
    assert findings(folder) == [
        ("warning", "config.yaml:3:20: this is not longer than turn_deadline (45s), which has no effect then"),
        (
            "warning",
            "config.yaml:4:34: this is shorter than deadline (7200s): the bot speaks again before a human is late",
        ),
    ]


def test_the_digest_changes_with_every_file_and_only_then(folder: Path) -> None:
    write(folder, "prompts/system.j2", "Hello")
    write(folder, "secret", "hunter2")
    write(folder, "config.yaml", "bot: {name: Acme}\nmodel: {api_key_file: secret}\n")
    first = loaded(folder).digest
    assert loaded(folder, A="1").digest == first
    assert len(first) == 64
    seen = {first}
    for name in ("config.yaml", "prompts/persona.yaml", "prompts/system.j2", "flows/hello.yaml"):
        write(folder, name, (folder / name).read_text(encoding="utf-8") + "\n")
        seen.add(loaded(folder).digest)
    write(folder, "secret", "hunter3")
    seen.add(loaded(folder).digest)
    assert len(seen) == 6


def test_the_digest_is_the_same_in_another_folder(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other") / "bot"
    shutil.copytree(folder, other)
    assert loaded(other).digest == loaded(folder).digest


def test_the_models_key_is_looked_up(folder: Path) -> None:
    assert resolve_model_key(loaded(folder).config, {"OPENAI_API_KEY": " k1 "}) == SecretStr("k1")
    assert resolve_model_key(loaded(folder).config, {"OPENAI_API_KEY": " "}) is None
    write(folder, "key", "k2\n")
    write(folder, "config.yaml", "bot: {name: Acme}\nmodel: {api_key_file: key}\n")
    assert resolve_model_key(loaded(folder).config, {"OPENAI_API_KEY": "k1"}) == SecretStr("k2")
    write(folder, "config.yaml", "bot: {name: Acme}\nmodel: {api_key: '${K}'}\n")
    assert resolve_model_key(loaded(folder, K="k3").config, {"OPENAI_API_KEY": "k1"}) == SecretStr("k3")


def test_no_secret_is_in_the_representation_or_an_error(folder: Path) -> None:
    write(folder, "key", "hunter2")
    write(
        folder,
        "config.yaml",
        "bot: {name: Acme}\nmodel: {api_key_file: key}\nchannels: {a: {type: b, secrets: ['${S}']}}\n",
    )
    assert "hunter" not in repr(loaded(folder, S="hunter3"))
    write(folder, "config.yaml", "bot: {name: Acme}\nmodel: {timeout: '${S}'}\nweb: {port: '${S}'}\n")
    assert "hunter" not in "".join(problems(folder, S="hunter3"))


def test_a_place_in_the_config_can_be_named_later(folder: Path) -> None:
    write(folder, "config.yaml", "bot: {name: Acme}\nchannels:\n  desk:\n    type: webhook\n    secrets: []\n")
    problem = loaded(folder).problem(("channels", "desk", "secrets"), "no secret", key=True)
    assert (problem.line, problem.column) == (5, 5)
