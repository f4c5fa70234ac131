"""Files of the bot's own folder that a flow sends, as agents see them."""

from __future__ import annotations

import re
from pathlib import Path

from consoling import opened

FLOW = """flow: list
start: [{phrases: {en: [send the list please]}}]
steps: [{say: {text: Here., files: [{path: files/list.pdf}]}}]
"""


async def test_a_file_that_a_flow_has_sent_can_be_opened_in_the_conversation(tmp_path: Path) -> None:
    for folder in ("flows", "files"):
        (tmp_path / folder).mkdir()
    (tmp_path / "flows" / "list.yaml").write_text(FLOW, "utf-8")
    (tmp_path / "files" / "list.pdf").write_bytes(b"%PDF-1.7 prices")
    async with opened(tmp_path) as house:
        maya = await house.person()
        conversation = await house.customer("send the list please")
        page = (await maya.get(f"/console/c/{conversation.id}")).text
        address = re.search(r'class="file" href="([^"]+)"', page)
        assert address is not None and "was not kept" not in page
        assert (await maya.get(address[1])).content == b"%PDF-1.7 prices"
