"""The pages about helpdesks say what is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from supportbot_helpdesk.checking import findings
from supportbot_helpdesk.mapping import RESERVED, Requests, Word
from supportbot_helpdesk.reading import parse, preset, presets

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", presets())
def test_a_presets_page_names_each_of_its_options_and_whether_it_is_needed(name: str) -> None:
    page = (DOCS / "helpdesks" / f"{name}.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", page, re.M))
    rules = preset(name).options
    assert rows.keys() - {"url"} == rules.keys()
    for option, rule in rules.items():
        default = (
            "required"
            if rule.default is None and rule.needed
            else "none"
            if rule.default is None
            else f"`{rule.default}`"
        )
        assert rows[option] == default, option


def test_the_mapping_on_the_page_is_one_and_its_samples_pass() -> None:
    page = (DOCS / "helpdesks" / "your-own.md").read_text()
    (whole,) = [
        block for block in re.findall(r"^```yaml\n(.*?)^```$", page, re.M | re.S) if block.startswith("helpdesk:")
    ]
    assert findings(parse(whole.encode(), "your-own.md")) == []


def test_the_pages_name_every_common_option_event_and_request() -> None:
    common = (DOCS / "helpdesks.md").read_text()
    own = (DOCS / "helpdesks" / "your-own.md").read_text()
    assert [name for name in RESERVED if f"`{name}`" not in common] == []
    assert [word for word in Word.__args__ if f"`{word}`" not in own] == []
    assert [name for name in Requests.model_fields if f"`{name}`" not in own] == []


def test_the_config_on_the_page_has_a_channel_and_a_desk_on_it() -> None:
    block = re.findall(r"^```yaml\n(.*?)^```$", (DOCS / "helpdesks.md").read_text(), re.M | re.S)[0]
    written = yaml.safe_load(block)
    assert written["desks"]["tickets"]["channel"] in written["channels"]
