"""The part of `StoreContract` about what channels bring and take: files, presses, privacy, deletions, what is unreadable."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from supportbot.testing.pairs import ANNA, BEN, NOW, Pair, Pairs, finish, message, receive, start, turn
from supportbot.types import (
    Action,
    Aside,
    Attachment,
    Button,
    ChatMessage,
    FlowState,
    Handoff,
    Message,
    Reply,
    User,
)

PICTURE = Attachment("a.png", "image/png", 12, "https://example.org/a", "file-1", "0f" * 32)
BUTTONS = (
    Button("b", "B", "v", "k.0.0", style="danger"),
    Button("l", "Link", press="k.0.1", url="https://example.org/?a=1&b=ü"),
    Button("p", "Phone", press="k.0.2", asks="phone"),
    Button("plain", "Plain"),
)
DELETED = "[deleted by the customer]"


def deletion(id: str, target: str, **more: Any) -> Message:
    return message(id, "", kind="message.deleted", target=target, **more)


async def said(
    pair: Pair, id: str, text: str, *, content: str = "", images: tuple[str, ...] = (), **more: Any
) -> None:
    """One turn in which a customer says the text; `content` is what history keeps of it."""
    spoken = ChatMessage("user", content or text, 1, images=images, source=id)
    await turn(pair, message(id, text, **more), turn=(spoken, ChatMessage("assistant", "Fine.", 1)))


async def delete(pair: Pair, id: str, *targets: str, **more: Any) -> None:
    await turn(pair, deletion(id, targets[0], **more), withdrawn=targets)


class ChannelsContract:
    """Part of `StoreContract`."""

    async def history(self, pair: Pair, chat: str = "anna") -> list[str]:
        """What the customers are remembered to have said, as the transcript has it."""
        found = await pair.store.find("shop", chat)
        assert found is not None
        turns = await pair.store.transcript(found.id)
        return [one.content for one_turn in turns for one in one_turn.messages if one.role == "user"]

    async def test_a_customer_without_a_name_gets_the_first_one_they_say(self, pairs: Pairs) -> None:
        nameless, ada = User("u-ada"), User("u-ada", "Ada")
        async with pairs() as pair:
            sent = [message("m1", user=nameless), message("m2", user=BEN), message("m3", user=ada)]
            sent.append(message("m4", user=User("u-ada", "Eve")))
            names = []
            for one in sent:
                (receipt,) = await receive(pair, one)
                names.append((await pair.store.conversation(receipt.conversation)).customer.name)
            assert names == ["", "", "Ada", "Ada"]

    async def test_words_that_were_taken_back_leave_the_summaries_too(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            await said(pair, "m1", "my pin is 1234")
            (receipt,) = await receive(pair, message("m2"))
            known = Handoff(
                "h_1", receipt.conversation, "requested", "d", "They said: my pin is 1234", NOW, NOW + 9, NOW + 99
            )
            known = replace(known, suggestion="Never tell your pin 1234.", rating=4)
            await finish(pair, await start(pair), handoff=known, cut=1, summary="Their pin is 1234.")
            await delete(pair, "d1", "m1")
            handoff = await pair.store.handoff("h_1")
            assert (handoff.summary, handoff.suggestion, handoff.rating) == ("", "", 4)
            assert (await pair.store.conversation(receipt.conversation)).summary == ""

    # --- nothing is lost on the way ---

    async def test_what_a_channel_says_of_a_message_comes_back_exactly(self, pairs: Pairs) -> None:
        sent = [
            message("m1", "new words", kind="message.edited", target="m0", shared=True),
            message("m2", "", kind="message.deleted", target="m\x000"),
            message("m3", "", kind="action", action=Action(press="k.0.1")),
            message("m4", "", kind="action", action=Action("b", "v", "k.0.1"), shared=True),
            message("m5", attachments=(PICTURE, Attachment("b", ref="r"), Attachment("c", digest="d"))),
        ]
        async with pairs() as pair:
            await receive(pair, *sent)
        async with pairs() as pair:
            assert [row.message for row in (await start(pair)).pending] == sent

    async def test_a_reply_comes_back_with_everything_that_it_shows(self, pairs: Pairs) -> None:
        replies = (
            Reply("menu", BUTTONS, menu=True),
            Reply("file", files=(PICTURE, Attachment("b.pdf", url="https://example.org/b.pdf"))),
            Reply("secret", BUTTONS[:1], (PICTURE,), private=True),
            Reply("plain"),
        )
        async with pairs() as pair:
            await turn(pair, message("m1"), replies=replies)
        async with pairs() as pair:
            found = await pair.store.replies_to("shop", "m1")
            assert tuple(row.reply for row in found) == replies

    async def test_the_buttons_that_are_open_come_back_with_their_presses(self, pairs: Pairs) -> None:
        state = FlowState(offered=BUTTONS, typed=2)
        async with pairs() as pair:
            await turn(pair, message("m1"), states={ANNA.id: state, BEN.id: FlowState(offered=BUTTONS[:1])})
        async with pairs() as pair:
            await receive(pair, message("m2"), message("m3", user=BEN))
            assert (await start(pair)).states == {ANNA.id: state, BEN.id: FlowState(offered=BUTTONS[:1])}

    async def test_history_keeps_which_pictures_came_with_a_message(self, pairs: Pairs) -> None:
        spoken = (ChatMessage("user", "see", 1, images=("a" * 64, "b" * 64)), ChatMessage("assistant", "Nice.", 1))
        async with pairs() as pair:
            begun = await turn(pair, message("m1"), turn=spoken)
            await receive(pair, message("m2"))
            assert (await start(pair)).turns[0].messages == spoken, "as it is remembered"
        async with pairs() as pair:
            (stored,) = await pair.store.transcript(begun.conversation.id)
            assert stored.messages == spoken, "as it is read"

    # --- deletions ---

    async def test_the_words_and_pictures_of_a_deleted_message_are_gone(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            await said(pair, "m1", "my pin is 1234", images=("a" * 64,))
            await said(pair, "m2", "thanks")
            await delete(pair, "m3", "m1")
            await receive(pair, message("m4"))
            first, *_ = (await start(pair)).turns
            assert [(one.content, one.images) for one in first.messages] == [(DELETED, ()), ("Fine.", ())]
            assert await self.history(pair) == [DELETED, "thanks"]
        async with pairs() as pair:
            assert await self.history(pair) == [DELETED, "thanks"]

    async def test_the_name_of_a_deleted_file_is_gone_with_its_words(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            await said(pair, "m1", "see", content="see [file: my-pin.png]", attachments=(PICTURE,))
            await said(pair, "m2", "", content="[file: my-pin.png]", attachments=(PICTURE,))
            await delete(pair, "m3", "m1", "m2")
            assert await self.history(pair) == [DELETED, DELETED]

    async def test_only_what_was_deleted_is_taken_out_of_a_burst(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            texts = {"m1": "one", "m2": "one more", "m3": "two"}
            spoken = tuple(ChatMessage("user", text, 1, source=id) for id, text in texts.items())
            burst = (message("m1", "one"), message("m2", "one more"), message("m3", "two"))
            await turn(pair, *burst, turn=spoken)
            await delete(pair, "m4", "m1")
            assert await self.history(pair) == [DELETED, "one more", "two"]

    async def test_what_a_deleted_message_was_changed_to_is_gone_too(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            await said(pair, "m1", "my pin is 1234")
            changed = message("m1.edit.1", "my pin is 4321", kind="message.edited", target="m1")
            await turn(pair, changed, turn=(ChatMessage("user", "it is 4321", 1, source="m1"),))
            await said(pair, "m10", "thanks")
            await delete(pair, "m2", "m1")
            assert await self.history(pair) == [DELETED, DELETED, "thanks"]

    async def test_what_only_one_may_read_is_kept_as_such(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            known = ChatMessage("assistant", "Yours is on its way.", 1, only="u-anna")
            await turn(pair, message("m1"), turn=(known,), states={"u-anna": FlowState(personal=True)})
            await receive(pair, message("m2"))
            begun = await start(pair)
            assert begun.turns[0].messages == (known,)
            assert begun.states == {"u-anna": FlowState(personal=True)}

    async def test_a_deletion_reaches_no_other_conversation(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            await said(pair, "m1", "over there", chat="other")
            await said(pair, "m2", "over there")
            await delete(pair, "m3", "m1")
            assert await self.history(pair, "other") == ["over there"]
            assert await self.history(pair) == ["over there"]

    async def test_deleting_what_never_was_changes_nothing(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            await said(pair, "m1", "mine")
            await delete(pair, "m2", "m0")
            assert await self.history(pair) == ["mine"]

    async def test_a_deletion_alone_is_pending_work_and_may_become_overdue(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            (receipt,) = await receive(pair, deletion("m1", "m0"))
            assert await pair.store.overdue(before=NOW + 1) == ((receipt.conversation, NOW),)
            await finish(pair, await start(pair), withdrawn=("m0",))
            assert await pair.store.overdue(before=NOW + 1) == ()

    # --- what cannot be read ---

    async def test_what_was_set_aside_is_kept_once_and_listed_newest_first(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            await pair.store.set_aside("shop", "u1", '{"a": 1}', "It has no sender.", now=NOW)
            await pair.store.set_aside("chat", "u1", "\x00\ud800", "It is no text.", now=NOW + 1)
            await pair.store.set_aside("shop", "u1", '{"a": 2}', "It came again.", now=NOW + 2)
        async with pairs() as pair:
            newest, first = await pair.store.aside()
            assert first == Aside("shop", "u1", '{"a": 1}', "It has no sender.", NOW)
            assert (newest.channel, newest.id, newest.reason, newest.at) == (
                "chat",
                "u1",
                "It is no text.",
                NOW + 1,
            )
            assert "\ud800" not in newest.content
            assert await pair.store.aside(limit=1) == (newest,)
            assert (await pair.store.counts())["aside"] == 2

    async def test_what_was_set_aside_is_no_message(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            await pair.store.set_aside("shop", "m1", "{}", "Unreadable.", now=NOW)
            assert await pair.store.find("shop", "anna") is None
            (receipt,) = await receive(pair, message("m1"))
            assert receipt.fresh
            assert [row.message.id for row in (await start(pair)).pending] == ["m1"]
