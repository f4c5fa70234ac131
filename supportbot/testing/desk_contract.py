"""The suite that every desk passes, ours and yours.

    class TestMyDesk(DeskContract):
        def platform(self): return MyFakePlatform()          # async with; stands in for the platform's API
        def adapter(self, platform): return MyAdapter("mine", {"token": "…", "api": platform.url})
        def desk_options(self, platform): return {"place": "C0123"}      # desks.front in the config
        def act_wire(self, platform, kind, place, id, text, agent): …    # what it sends when an agent does something
        def shown(self, platform, place): …                              # the texts that stand at a place
        …

Each test starts the adapter with its desk on a real HTTP server on loopback, with a `FakeDesks` as the house; the
hooks (`supportbot.testing.desk_stage`) say how your platform talks, and those that it has no use for stay as they are.
"""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import Any

import pytest

from supportbot.errors import ChannelBusy, ChannelError, ChannelGone, ChannelRefused, UsageError
from supportbot.testing.adapter_contract import AWKWARD
from supportbot.testing.adapter_stage import Failure, Wire, acknowledged, error_of, words
from supportbot.testing.desk_contract_in import Acts
from supportbot.testing.desk_stage import BRIEF, CUSTOMER, FACTS, STATES, DeskScene, DeskStage
from supportbot.types import Attachment

__all__ = ["DeskContract", "DeskStage", "Failure", "Wire"]

_BRIEF_WORDS = (
    *(CUSTOMER["name"], FACTS["detail"], FACTS["summary"], BRIEF["why"], *BRIEF["tried"], BRIEF["suggestion"]),
    *(f"{name} {value}" for name, value in BRIEF["slots"].items() if value is not True),
    *(line["text"] for line in BRIEF["transcript"]),
)


HOSTILE = (
    *AWKWARD,
    "```\n@all @here @channel <!here> @ana\n```\n@all out of the code [label](https://evil.example) ```` ~~~~",
    "</code></pre><a href='https://evil.example'>tag</a> <script>alert</script> &lt;b&gt; <img src=x>",
    "Resolved by Grace Hopper.\n*Status:* resolved\n<https://evil.example|Log in> tg://user?id=7",
    "!resolve /claim #close @channel :wave: \u202ereversed\u202c {{ handoff }} {agent}",
)
"""Words that would call people, close code, make tags or look like the desk's own, if they were more than words."""

_RATED = re.compile(r"(?<!\d)4(?!\d)|★{4}|⭐{4}|(:star: ?){4}")


class DeskContract(Acts):
    """Subclass it, name the subclass Test…, and fill in the hooks."""

    # --- a handoff's place -----------------------------------------------------------------------------------

    def test_a_handoff_makes_one_place_and_the_whole_brief_stands_there(self) -> None:
        async def scene(stage: DeskStage) -> None:
            place = await self.opened(stage)
            assert list(self.places(stage.platform)) == [place]
            missing = self.missing(stage.platform, place, *_BRIEF_WORDS)
            assert not missing, f"the brief lacks {missing}: {self.shown(stage.platform, place)}"
            assert not self.public(stage.platform, place), "the customer can read the brief"

        self.play(scene)

    def test_two_handoffs_have_two_places_and_nothing_of_one_stands_at_the_other(self) -> None:
        async def scene(stage: DeskStage) -> None:
            first = await self.opened(stage, "h_one", summary="Customer: the lampshade cracked.")
            second = await self.opened(stage, "h_two", summary="Customer: the bicycle rattles.")
            assert first != second and list(self.places(stage.platform)) == [first, second]
            await stage.desk.send(self.said("o-1", "h_one", first, "It is the porcelain one."))
            await stage.desk.send(self.said("o-2", "h_two", second, "It is the tandem."))
            for here, there in ((first, ("bicycle", "tandem")), (second, ("lampshade", "porcelain"))):
                assert self.missing(stage.platform, here, *there) == list(there)
            assert not self.missing(stage.platform, first, "lampshade", "porcelain")
            assert not self.missing(stage.platform, second, "bicycle", "tandem")

        self.play(scene)

    def test_a_request_whose_answer_was_lost_makes_no_second_place(self) -> None:
        async def scene(stage: DeskStage) -> None:
            row = self.requested("h_one")
            if not self.lose_answer(stage.platform):
                return
            error = await error_of(stage.desk.send(row))
            assert isinstance(error, ChannelBusy), repr(error)
            place = await stage.desk.send(replace(row, attempt=1))
            self._stands_whole(stage, place)
            again = await stage.desk.send(replace(row, attempt=2))
            self._stands_whole(stage, again)
            assert not self.finds_again or again == place

        self.play(scene)

    def test_a_request_that_comes_again_after_a_restart_makes_no_second_place(self) -> None:
        async def scene(stage: DeskStage) -> None:
            row = replace(self.requested("h_one"), created_at=time.time() - 60)
            place = await stage.desk.send(row)
            async with self.restarted(stage) as desk:
                again = await desk.send(replace(row, attempt=1))
            self._stands_whole(stage, again)
            assert not self.finds_again or again == place

        self.play(scene)

    def _stands_whole(self, stage: DeskStage, place: str) -> None:
        places = list(self.places(stage.platform))
        assert place in places
        assert not self.missing(stage.platform, place, *_BRIEF_WORDS)
        if self.finds_again:
            assert places == [place], f"one handoff has the places {places}"
            texts = list(self.shown(stage.platform, place))
            assert len(texts) == len(set(texts)), f"something stands there twice: {texts}"

    def test_words_whose_answer_was_lost_stand_there_once(self) -> None:
        async def scene(stage: DeskStage) -> None:
            place = await self.opened(stage)
            row = self.said("o-2", "h_one", place, "Is anybody there?")
            if not self.lose_answer(stage.platform):
                return
            assert isinstance(await error_of(stage.desk.send(row)), ChannelBusy)
            await stage.desk.send(replace(row, attempt=1))
            copies = [text for text in self.shown(stage.platform, place) if "Is anybody there?" in text]
            assert len(copies) == 1 or (not self.finds_again and len(copies) == 2), copies

        self.play(scene)

    def test_a_handoff_that_is_opened_again_shows_that_it_is(self) -> None:
        async def scene(stage: DeskStage) -> None:
            place = await self.opened(stage)
            await self._change(stage, "h_one", place, "resolved")
            before = self.looks(stage.platform, place)
            row = self.requested("h_one", reopened=True, summary="Customer: the second parcel leaks.")
            again = await stage.desk.send(replace(row, id="o-again", place=place))
            assert again in self.places(stage.platform)
            assert again != place or self.looks(stage.platform, place) != before
            assert not self.missing(stage.platform, again, "second parcel leaks")

        self.play(scene)

    def test_a_long_brief_is_taken(self) -> None:
        slots = {f"field_{number}": f"value {number} <&>*_" for number in range(100)}
        lines = [
            {
                "role": ("user", "assistant")[number % 2],
                "name": "",
                "text": f"line{number} " + "lorem <ipsum> & " * 25,
            }
            for number in range(60)
        ]
        summary = "The beginning of it. " + "word & more, " * 3_076

        async def scene(stage: DeskStage) -> None:
            place = await self.opened(stage, slots=slots, transcript=lines, summary=summary[:40_000])
            assert list(self.places(stage.platform)) == [place]
            missing = self.missing(stage.platform, place, CUSTOMER["name"], "beginning of it", "line59", "value 0")
            assert not missing, f"the brief lacks {missing}"
            await stage.desk.send(self.said("o-2", "h_one", place, "And one more thing."))
            assert not self.missing(stage.platform, place, "one more thing")

        self.play(scene, seconds=90)

    def test_a_brief_without_anything_to_tell_is_taken_too(self) -> None:
        bare = {
            "slots": {},
            "transcript": [],
            "tried": [],
            "earlier": [],
            "suggestion": "",
            "why": "",
            "cause": {},
        }
        nobody: dict[str, Any] = {
            "identity": {},
            "customer": {"id": "u-7", "name": ""},
            "detail": "",
            "summary": "",
            "tags": [],
        }

        async def scene(stage: DeskStage) -> None:
            place = await self.opened(stage, **(bare | nobody))
            assert list(self.places(stage.platform)) == [place]
            assert any(text.strip() for text in self.shown(stage.platform, place))

        self.play(scene)

    # --- words and files -------------------------------------------------------------------------------------

    def test_words_come_to_the_place_in_order_under_their_authors_name(self) -> None:
        said = (
            ("customer", "Ada Lovelace", "first of all"),
            ("bot", "Mia", "second thoughts"),
            ("agent", "Grace Hopper", "third party"),
            ("customer", "Ada Lovelace", "fourth wall"),
        )

        async def scene(stage: DeskStage) -> None:
            place = await self.opened(stage, transcript=[])
            start = len(self.shown(stage.platform, place))
            for at, (role, name, text) in enumerate(said):
                await stage.desk.send(self.said(f"o-{at}", "h_one", place, text, role=role, name=name))
            came = "\n".join(list(self.shown(stage.platform, place))[start:])
            found = [came.find(text) for _, _, text in said]
            assert -1 not in found and found == sorted(found), came
            assert {"Ada", "Mia", "Grace"} <= set(words(came))

        self.play(scene)

    def test_awkward_and_hostile_text_arrives_whole_and_as_words_only(self) -> None:
        async def scene(stage: DeskStage) -> None:
            for number, text in enumerate(HOSTILE):
                handoff, name = f"h_{number}", text.replace("\n", " ")[:60]
                everywhere = {"customer": {"id": "u-7", "name": name}, "slots": {"wish": text}, "tried": [text]}
                lines = [{"role": "user", "name": name, "text": text}]
                place = await self.opened(
                    stage, handoff, **everywhere, detail=text, summary=text, transcript=lines, suggestion=text
                )
                await stage.desk.send(self.said(f"o-{number}", handoff, place, text, name=name))
                await stage.desk.send(self.row(f"n-{number}", "handoff.note", handoff, place, by=name, note=text))
                missing = self.missing(stage.platform, place, text)
                assert not missing, f"{missing[:5]} of {text[:80]!r} did not arrive"
                live = self.live(stage.platform, place)
                assert not live, f"{text[:80]!r} became {live}"

        self.play(scene, seconds=60)

    def test_long_words_arrive_whole(self) -> None:
        text = "\n\n".join(f"mark{number} " + "lorem <ipsum> 🙂 & " * 40 for number in range(20))

        async def scene(stage: DeskStage) -> None:
            place = await self.opened(stage)
            await stage.desk.send(self.said("o-2", "h_one", place, text))
            shown = [word for part in self.shown(stage.platform, place) for word in words(part)]
            assert [word for word in shown if word.startswith("mark")] == [f"mark{number}" for number in range(20)]

        self.play(scene, seconds=60)

    def test_a_customers_files_come_to_the_place(self) -> None:
        files = (
            ("bon & <b>.pdf", b"%PDF-1.7 " + bytes(range(256))),
            ("photo.jpg", b"\xff\xd8\xff" + b"x" * 5_000),
        )

        async def scene(stage: DeskStage) -> None:
            first, second = [await self.opened(stage, handoff) for handoff in ("h_one", "h_two")]
            sent = [
                Attachment(name, "application/octet-stream", len(content), digest=stage.files.add(content))
                for name, content in files
            ]
            await stage.desk.send(self.said("o-2", "h_one", first, "Here they are.", files=tuple(sent)))
            assert not self.missing(stage.platform, first, "Here they are")
            if self.takes_files:
                assert [content for _, content in self.files_at(stage.platform, first)] == [c for _, c in files]
                assert list(self.files_at(stage.platform, second)) == []
                assert {"bon", "photo"} <= {
                    w for name, _ in self.files_at(stage.platform, first) for w in words(name)
                }
            else:
                assert not self.missing(stage.platform, first, "bon", "photo")

        self.play(scene)

    def test_a_file_that_is_not_kept_any_more_is_named(self) -> None:
        async def scene(stage: DeskStage) -> None:
            place = await self.opened(stage)
            lost = Attachment("receipt.pdf", "application/pdf", 12, digest="0" * 64)
            await stage.desk.send(self.said("o-2", "h_one", place, "My receipt.", files=(lost,)))
            await stage.desk.send(self.said("o-3", "h_one", place, "", files=(lost,)))
            assert not self.missing(stage.platform, place, "My receipt", "pdf")

        self.play(scene)

    def test_a_colleagues_note_stands_at_the_place_and_is_for_no_customer(self) -> None:
        async def scene(stage: DeskStage) -> None:
            place = await self.opened(stage)
            note = self.row("o-2", "handoff.note", "h_one", place, by="Ben Okri", note="He has a new address.")
            await stage.desk.send(note)
            assert not self.missing(stage.platform, place, "Ben Okri", "He has a new address.")
            assert not any("new address" in text for text in self.public(stage.platform, place))

        self.play(scene)

    # --- what changes ----------------------------------------------------------------------------------------

    def test_every_change_of_state_shows_at_the_place(self) -> None:
        async def scene(stage: DeskStage) -> None:
            for change in STATES:
                handoff = f"h_{change}"
                place = await self.opened(stage, handoff)
                before = self.looks(stage.platform, place)
                await self._change(stage, handoff, place, change)
                after = self.looks(stage.platform, place)
                assert after != before, f"{change} does not show"
                there = {word.casefold() for word in words(str(after))}
                assert {word.casefold() for word in words(STATES[change][2])} <= there, f"{change}: {after}"
                assert change != "rated" or _RATED.search(str(after)), f"4 of 5 does not show: {after}"
                assert not self.public(stage.platform, place), f"the customer can read of {change}"

        self.play(scene, seconds=60)

    def test_a_handoff_can_go_through_all_its_states(self) -> None:
        order = ("late", "assigned", "claimed", "gathered", "undelivered", "released", "refused")
        ends = ("claimed", "transferred", "returned", "resolved", "rated")

        async def scene(stage: DeskStage) -> None:
            place = await self.opened(stage)
            for at, change in enumerate((*order, *ends)):
                await self._change(stage, "h_one", place, change, id=f"o-{at}")
            assert list(self.places(stage.platform)) == [place]

        self.play(scene)

    def test_a_change_that_is_invented_tomorrow_does_no_harm(self) -> None:
        async def scene(stage: DeskStage) -> None:
            place = await self.opened(stage)
            await stage.desk.send(
                self.row("o-2", "handoff.updated", "h_one", place, change="of_tomorrow", by=None)
            )
            await stage.desk.send(self.said("o-3", "h_one", place, "Still alive?"))
            assert not self.missing(stage.platform, place, "Still alive")

        self.play(scene)

    async def _change(self, stage: DeskStage, handoff: str, place: str, change: str, *, id: str = "") -> None:
        kind, data, _ = STATES[change]
        more: dict[str, Any] = {"change": change} if kind == "handoff.updated" else {}
        row = self.row(id or f"o-{handoff}-{change}", kind, handoff, place, **data, **more)
        assert isinstance(await stage.desk.send(row), str)

    # --- failures --------------------------------------------------------------------------------------------

    def test_send_says_how_the_platform_failed_and_shows_no_secret(self) -> None:
        for failure, expected in self.failures.items():
            self.play(self._failing(failure, expected, opening=True))
            self.play(self._failing(failure, expected, opening=False))

    def _failing(self, failure: Failure, expected: type[ChannelError], *, opening: bool) -> DeskScene:
        async def scene(stage: DeskStage) -> None:
            place = "" if opening else await self.opened(stage)
            before = [tuple(self.shown(stage.platform, one)) for one in self.places(stage.platform)]
            self.fail(stage.platform, failure)
            row = self.requested("h_two") if opening else self.said("o-2", "h_one", place, "hello")
            error = await error_of(stage.desk.send(row))
            assert type(error) is expected, f"{failure}: {error!r}"
            if isinstance(error, ChannelBusy) and failure == "busy":
                assert error.retry_after == self.busy_seconds
            assert str(error) and "\n" not in str(error)
            assert not any(secret in str(error) for secret in self.secrets)
            assert [tuple(self.shown(stage.platform, one)) for one in self.places(stage.platform)] == before

        return scene

    def test_words_for_a_place_that_is_gone_are_refused_or_stand_elsewhere(self) -> None:
        async def scene(stage: DeskStage) -> None:
            place = await self.opened(stage)
            if not self.remove(stage.platform, place):
                return
            error = await error_of(stage.desk.send(self.said("o-2", "h_one", place, "Hello in there?")))
            if error is None:
                texts = [text for one in self.places(stage.platform) for text in self.shown(stage.platform, one)]
                assert any("Hello in there?" in text for text in texts), "the words went nowhere"
            else:
                assert isinstance(error, ChannelRefused | ChannelGone), repr(error)

        self.play(scene)

    def test_an_option_that_does_not_exist_is_one_sentence_that_begins_with_its_name(self) -> None:
        async def scene(stage: DeskStage) -> None:
            options = {**self.desk_options(stage.platform), "colour": "red"}
            with pytest.raises(UsageError, match=r"^colour") as caught:
                self.adapter(stage.platform).desk("odd", options)
            assert "\n" not in str(caught.value)

        self.play(scene)

    def test_after_stop_nothing_is_taken_or_sent(self) -> None:
        async def scene(stage: DeskStage) -> None:
            place = await self.opened(stage)
            await stage.adapter.stop()
            kind = self.kinds[0]
            assert not acknowledged(await self.perform(stage, kind, place, id="a-1", text="some words"))
            assert stage.desks.acts == []
            error = await error_of(stage.desk.send(self.said("o-2", "h_one", place, "hello")))
            assert isinstance(error, ChannelError), repr(error)

        self.play(scene)
