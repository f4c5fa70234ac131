"""Every statement of the SQLite store, by name. `?` stands in the order in which the caller hands the values."""

from __future__ import annotations

# --- the way in ----------------------------------------------------------------------------------------------

FIND_REPEAT = """SELECT inbox.id, inbox.digest, conversations.public, inbox.done_at IS NOT NULL
    FROM inbox JOIN conversations ON conversations.id = inbox.conversation
    WHERE inbox.channel = ? AND inbox.message = ?"""
FIND_ADDRESS = """SELECT id, public, turn, attempt, customer_name FROM conversations
    WHERE channel = ? AND chat = ? AND thread = ?"""
NAME_CUSTOMER = "UPDATE conversations SET customer_name = ? WHERE id = ? AND customer = ?"
ADD_CONVERSATION = """INSERT INTO conversations
    (public, channel, chat, thread, customer, customer_name, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
ADD_INBOUND = """INSERT INTO inbox
    (conversation, channel, message, kind, digest, user, user_name, text, extra, received_at, ready_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""

# --- a turn --------------------------------------------------------------------------------------------------

FENCE = """SELECT id, turn, attempt, channel, chat, thread, customer, customer_name
    FROM conversations WHERE public = ?"""
SET_ATTEMPT = "UPDATE conversations SET attempt = ? WHERE id = ?"
BEGIN_TURN = "UPDATE conversations SET attempt = ?, tries = tries + 1 WHERE id = ? RETURNING tries"
GOT_ON = "UPDATE conversations SET tries = 0 WHERE id = ? AND tries > 1"
PENDING = """SELECT id, message, kind, digest, user, user_name, text, extra, received_at
    FROM inbox WHERE conversation = ? AND id > ? AND done_at IS NULL ORDER BY id LIMIT ?"""
MESSAGES_AFTER = """SELECT turn, role, content, tokens, name, tool_calls, tool_call_id, images, source, only_for, files
    FROM messages WHERE conversation = ? AND turn > ? ORDER BY turn, id"""
STATE = "SELECT body FROM states WHERE conversation = ? AND author = ?"
JOURNAL = (
    "SELECT position, kind, digest, result FROM journal WHERE conversation = ? AND turn = ? ORDER BY position"
)
WRITE_JOURNAL = """INSERT INTO journal (conversation, turn, position, kind, digest, result) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (conversation, turn, position)
    DO UPDATE SET kind = excluded.kind, digest = excluded.digest, result = excluded.result"""

# --- a turn's commit -----------------------------------------------------------------------------------------

CONSUME = """UPDATE inbox SET done_at = ?, turn = ? WHERE id = ? AND conversation = ? AND done_at IS NULL
    RETURNING kind, message, user, user_name"""
ADD_MESSAGE = """INSERT INTO messages
    (conversation, turn, role, content, tokens, name, tool_calls, tool_call_id, images, source, only_for, files)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
WITHDRAW_MESSAGE = (
    "UPDATE messages SET content = ?, images = NULL, files = NULL WHERE conversation = ? AND source = ?"
)
# a summary may have the words in others
WITHDRAW_RECAP = """UPDATE conversations SET summary = '' WHERE id = ? AND EXISTS (
    SELECT 1 FROM messages WHERE messages.conversation = ? AND source = ? AND messages.turn <= cut)"""
WITHDRAW_SUMMARY = """UPDATE handoffs SET summary = '', more = json_remove(more, '$.suggestion')
    WHERE conversation = ?"""
WITHDRAW_INBOUND = """UPDATE inbox SET text = '', extra = NULL
    WHERE channel = ? AND conversation = ? AND (message = ? OR (message > ? AND message < ?))"""
SET_STATE = """INSERT INTO states (conversation, author, body) VALUES (?, ?, ?)
    ON CONFLICT (conversation, author) DO UPDATE SET body = excluded.body"""
DROP_STATES = "DELETE FROM states WHERE conversation = ?"
DROP_STATE = "DELETE FROM states WHERE conversation = ? AND author = ?"
SET_TIMER = """INSERT INTO timers (conversation, name, due_at, data) VALUES (?, ?, ?, ?)
    ON CONFLICT (conversation, name) DO UPDATE SET due_at = excluded.due_at, data = excluded.data"""
DROP_TIMER = "DELETE FROM timers WHERE conversation = ? AND name = ?"
SET_HANDOFF = """INSERT INTO handoffs
    (public, conversation, reason, detail, summary, requested_at, deadline, ceiling, status, agent, claimed_at,
     ended_at, noticed, notes, user, user_name, desk, assignee, priority, more)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (public) DO UPDATE SET
     reason = excluded.reason, detail = excluded.detail, summary = excluded.summary,
     requested_at = excluded.requested_at, deadline = excluded.deadline, ceiling = excluded.ceiling,
     status = excluded.status, agent = excluded.agent, claimed_at = excluded.claimed_at,
     ended_at = excluded.ended_at, noticed = excluded.noticed, notes = excluded.notes,
     user = excluded.user, user_name = excluded.user_name, desk = excluded.desk, assignee = excluded.assignee,
     priority = excluded.priority, more = excluded.more
    WHERE handoffs.conversation = excluded.conversation"""
ADD_USAGE = """INSERT INTO usage (conversation, turn, at, model, purpose, prompt_tokens, cached_tokens,
    completion_tokens, cost, outcome, seconds) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
ADD_TRACE = "INSERT INTO traces (conversation, turn, at, body) VALUES (?, ?, ?, ?)"
ADD_OUTGOING = """INSERT INTO outbox
    (public, conversation, turn, channel, kind, user, user_name, in_reply_to, part, parts, text, extra, preview,
     handoff, created_at, due_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
DROP_JOURNAL = "DELETE FROM journal WHERE conversation = ?"
END_TURN = """UPDATE conversations SET turn = ?, attempt = 0, tries = 0, updated_at = ?,
    cut = coalesce(?, cut), summary = coalesce(?, summary), locale = coalesce(?, locale) WHERE id = ?"""
LANE_WAITS = """SELECT EXISTS (SELECT 1 FROM outbox
    WHERE conversation = ? AND channel = ? AND finished_at IS NULL AND turn < ?)"""
HAS_PENDING = "SELECT EXISTS (SELECT 1 FROM inbox WHERE conversation = ? AND done_at IS NULL)"

# --- what may be done, and what was ---------------------------------------------------------------------------

STANDINGS = "SELECT author, body FROM standings WHERE conversation = ?"
SET_STANDING = """INSERT INTO standings (conversation, author, body) VALUES (?, ?, ?)
    ON CONFLICT (conversation, author) DO UPDATE SET body = excluded.body"""
_CALL = """SELECT calls.public, tool, arguments, author, author_name, question, digest, shared, bound, answer, waits_for, by, asked_at, expires_at, consents,
    status, decided_by, note"""
WAITING_CALLS = _CALL + " FROM calls WHERE conversation = ? AND status IN ('waiting', 'ended') ORDER BY id"
_OWNED_CALL = (
    _CALL + ", conversations.public FROM calls JOIN conversations ON conversations.id = calls.conversation"
)
CALL = _OWNED_CALL + " WHERE calls.public = ?"
CALLS = _OWNED_CALL + " WHERE status = 'waiting' AND waits_for = ? ORDER BY calls.id LIMIT ?"
SET_CALL = """INSERT INTO calls (public, conversation, tool, arguments, author, author_name, question, digest, shared,
    bound, answer, waits_for, by, asked_at, expires_at, consents, status, decided_by, note) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (public) DO UPDATE SET question = excluded.question, bound = excluded.bound,
     answer = excluded.answer, asked_at = excluded.asked_at,
     digest = excluded.digest, waits_for = excluded.waits_for, expires_at = excluded.expires_at,
     consents = excluded.consents, status = excluded.status, decided_by = excluded.decided_by, note = excluded.note
    WHERE calls.conversation = excluded.conversation"""
EARLIER = "SELECT outcome FROM ledger WHERE key = ?"
COUNT_SCOPE = "SELECT count(*), coalesce(sum(amount), 0) FROM counted WHERE scope = ? AND at > ?"
ADD_COUNTED = "INSERT OR IGNORE INTO counted (scope, at, key, amount) VALUES (?, ?, ?, ?)"
ADD_LEDGER = """INSERT INTO ledger (key, tool, conversation, customer, arguments, consents, at, outcome)
    VALUES (?, ?, ?, ?, ?, ?, ?, 'started')"""
SETTLE = "UPDATE ledger SET outcome = ?, finished_at = ? WHERE key = ?"
UNCOUNT = "DELETE FROM counted WHERE key = ?"
LEDGER = """SELECT key, tool, conversation, customer, arguments, consents, at, outcome, finished_at
    FROM ledger ORDER BY id DESC LIMIT ?"""

# --- desks ---------------------------------------------------------------------------------------------------

# a seat that was taken a moment ago counts although its turn has not been committed yet
TAKE_SEAT = """INSERT INTO seats (conversation, desk, agent, priority, since, taken_at, state)
    VALUES (?, ?, ?, ?, ?, ?, 0)
    ON CONFLICT (conversation) DO UPDATE SET desk = excluded.desk, agent = excluded.agent,
     priority = excluded.priority, since = excluded.since, taken_at = excluded.taken_at, state = 0"""
SETTLE_SEAT = "UPDATE seats SET state = ? WHERE conversation = ?"
LOADS = """SELECT agent, count(*) FROM seats WHERE desk = ? AND agent <> '' AND conversation <> ?
    AND (state > 0 OR taken_at > ?) GROUP BY agent"""
AHEAD = """SELECT count(*) FROM seats WHERE desk = ? AND conversation <> ?
    AND (state = 1 OR (state = 0 AND taken_at > ?)) AND (priority > ? OR (priority = ? AND since < ?))"""
# who was never claimed has waited at least until the end
WAITS = """SELECT requested_at, coalesce(claimed_at, ended_at) FROM handoffs
    WHERE desk = ? AND requested_at > ? AND reason <> 'human' AND coalesce(claimed_at, ended_at) IS NOT NULL
    ORDER BY requested_at DESC LIMIT ?"""
ROTA = "SELECT agent, at FROM rota WHERE desk = ?"
SET_ROTA = (
    "INSERT INTO rota (desk, agent, at) VALUES (?, ?, ?) ON CONFLICT (desk, agent) DO UPDATE SET at = excluded.at"
)
SEAT = "SELECT desk, agent FROM seats WHERE conversation = ?"
LEAVE_SEAT = "DELETE FROM seats WHERE conversation = ? RETURNING desk, agent"
CALL_NEXT = """UPDATE timers SET due_at = min(due_at, ?) WHERE name = 'handoff.route' AND conversation IN (
    SELECT conversation FROM seats WHERE desk = ? AND agent = '' ORDER BY priority DESC, since LIMIT ?)"""
_PLACED = """SELECT handoffs.public, conversations.channel, conversations.chat, conversations.thread,
    conversations.customer, conversations.customer_name
    FROM handoffs JOIN conversations ON conversations.id = handoffs.conversation"""
PLACED = (
    _PLACED
    + """ JOIN places ON places.handoff = handoffs.public
    WHERE places.desk = ? AND places.place = ? ORDER BY places.id DESC LIMIT 1"""
)
PLACE_OF = "SELECT place FROM places WHERE desk = ? AND handoff = ?"
_BEEN_AT = """handoffs.desk = ? OR EXISTS (
    SELECT 1 FROM places WHERE places.handoff = handoffs.public AND places.desk = ?)"""
PLACED_HANDOFF = f"{_PLACED} WHERE handoffs.public = ? AND ({_BEEN_AT})"
UNPLACED = """SELECT EXISTS (SELECT 1 FROM outbox INDEXED BY outbox_places
    WHERE channel = ? AND kind = 'handoff.requested' AND finished_at IS NULL AND attempt <= 3)"""
EARLIER_HANDOFFS = """SELECT coalesce(ended_at, requested_at), conversations.channel, handoffs.summary, reason, status
    FROM handoffs JOIN conversations ON conversations.id = handoffs.conversation
    WHERE conversations.id IN ({keys}) AND status NOT IN ('waiting', 'claimed') ORDER BY handoffs.id DESC LIMIT ?"""
SAME_USER = """SELECT id FROM conversations WHERE channel = ? AND customer = ? AND customer <> ''
    ORDER BY updated_at DESC LIMIT ?"""
SAME_CUSTOMER = "SELECT conversation FROM standings WHERE json_extract(body, '$.identity.customer') = ? LIMIT ?"
EARLIER_TALKS = """SELECT updated_at, channel, summary, (SELECT content FROM messages
        WHERE messages.conversation = conversations.id AND role = 1 ORDER BY messages.id LIMIT 1)
    FROM conversations WHERE id IN ({keys}) AND NOT EXISTS (
        SELECT 1 FROM handoffs WHERE handoffs.conversation = conversations.id)
    ORDER BY updated_at DESC LIMIT ?"""
LAST_TRACES = "SELECT body FROM traces WHERE conversation = ? ORDER BY turn DESC LIMIT ?"

# --- the way out ---------------------------------------------------------------------------------------------

DUE = """SELECT outbox.id, outbox.channel, conversations.public
    FROM outbox INDEXED BY outbox_due JOIN conversations ON conversations.id = outbox.conversation
    WHERE outbox.finished_at IS NULL AND outbox.due_at <= ? AND NOT EXISTS (
        SELECT 1 FROM outbox AS earlier INDEXED BY outbox_lanes
        WHERE earlier.conversation = outbox.conversation AND earlier.channel = outbox.channel
        AND earlier.finished_at IS NULL AND earlier.id < outbox.id)
    ORDER BY outbox.id"""
_OUTGOING = """SELECT outbox.public, conversations.public, outbox.channel, conversations.chat, conversations.thread,
    outbox.kind, outbox.user, outbox.user_name, outbox.in_reply_to, outbox.part, outbox.parts, outbox.created_at,
    outbox.text, outbox.extra, outbox.attempt, outbox.preview, (
        SELECT place FROM places WHERE desk = substr(outbox.channel, 7) AND places.handoff = outbox.handoff),
    outbox.error
    FROM outbox JOIN conversations ON conversations.id = outbox.conversation"""
OUTGOING = _OUTGOING + " WHERE outbox.id = ?"
REPLIES_TO = (
    _OUTGOING
    + """ JOIN inbox ON inbox.conversation = outbox.conversation AND inbox.turn = outbox.turn
    WHERE inbox.channel = ? AND inbox.message = ? AND outbox.kind = 'message.reply' ORDER BY outbox.part"""
)
DEAD_LETTERS = _OUTGOING + " WHERE outbox.dead = 1 ORDER BY outbox.id DESC LIMIT ?"
DELIVERED = "UPDATE outbox SET finished_at = ?, handle = ? WHERE public = ? AND finished_at IS NULL"
SET_PLACE = """INSERT INTO places (desk, place, handoff)
    SELECT substr(channel, 7), ?, handoff FROM outbox
    WHERE public = ? AND kind = 'handoff.requested' AND handoff IS NOT NULL AND finished_at IS NULL
    ON CONFLICT (desk, handoff) DO UPDATE SET place = excluded.place"""
TELL_UNDELIVERED = """INSERT INTO timers (conversation, name, due_at, data)
    SELECT conversation, 'handoff.undelivered', ?, ? FROM outbox
    WHERE public = ? AND kind = 'message.reply' AND EXISTS (
        SELECT 1 FROM handoffs WHERE handoffs.conversation = outbox.conversation AND status = 'claimed')
    ON CONFLICT (conversation, name) DO UPDATE SET due_at = excluded.due_at, data = excluded.data"""
TELL_UNPLACED = """INSERT INTO timers (conversation, name, due_at, data)
    SELECT conversation, 'handoff.unplaced', ?, json_object('handoff', handoff, 'error', ?) FROM outbox
    WHERE public = ? AND kind = 'handoff.requested' AND handoff IS NOT NULL
    ON CONFLICT (conversation, name) DO UPDATE SET due_at = excluded.due_at, data = excluded.data"""
POSTPONE = (
    "UPDATE outbox SET attempt = attempt + 1, due_at = ?, error = ? WHERE public = ? AND finished_at IS NULL"
)
LANE_FULL = """SELECT EXISTS (SELECT 1 FROM outbox INDEXED BY outbox_lanes
    JOIN conversations ON conversations.id = outbox.conversation
    WHERE conversations.public = ? AND outbox.channel = ? AND outbox.finished_at IS NULL)"""
UNSENT = "SELECT EXISTS (SELECT 1 FROM outbox WHERE public = ? AND finished_at IS NULL)"
BURY = """UPDATE outbox SET attempt = attempt + 1, finished_at = ?, dead = 1, error = ?
    WHERE public = ? AND finished_at IS NULL"""

# --- time ----------------------------------------------------------------------------------------------------

NEXT_TIMER = "SELECT min(due_at) FROM timers"
DUE_TIMERS = """SELECT timers.conversation, timers.name, timers.data, conversations.public, conversations.turn,
    conversations.attempt, conversations.channel, conversations.customer, conversations.customer_name
    FROM timers JOIN conversations ON conversations.id = timers.conversation
    WHERE timers.due_at <= ? ORDER BY timers.due_at LIMIT ?"""
OVERDUE = """SELECT conversations.public, waiting.since FROM (
        SELECT conversation, min(received_at) AS since FROM inbox
        WHERE done_at IS NULL AND kind IN ('message', 'message.edited', 'message.deleted', 'action', 'event') GROUP BY conversation) AS waiting
    JOIN conversations ON conversations.id = waiting.conversation WHERE waiting.since < ? ORDER BY waiting.since"""
JOBS = """SELECT conversations.public, waiting.ready_at, conversations.turn, conversations.attempt FROM (
        SELECT conversation, min(ready_at) AS ready_at FROM inbox WHERE done_at IS NULL GROUP BY conversation
    ) AS waiting JOIN conversations ON conversations.id = waiting.conversation ORDER BY waiting.ready_at"""
SWEEP_INBOX = "DELETE FROM inbox WHERE id IN (SELECT id FROM inbox WHERE done_at < ? LIMIT ?)"
SWEEP_OUTBOX = """DELETE FROM outbox WHERE id IN (
    SELECT id FROM outbox WHERE finished_at < ? AND finished_at IS NOT NULL AND dead = 0 LIMIT ?)"""
SWEEP_JOURNAL = """DELETE FROM journal WHERE EXISTS (
    SELECT 1 FROM conversations WHERE conversations.id = journal.conversation
    AND conversations.turn >= journal.turn AND conversations.updated_at < ?)"""

SET_ASIDE = "INSERT OR IGNORE INTO aside (channel, message, content, reason, at) VALUES (?, ?, ?, ?, ?)"

# --- reading, for people -------------------------------------------------------------------------------------

_CONVERSATION = """SELECT public, channel, chat, thread, customer, customer_name, created_at, updated_at, turn, cut,
    summary, locale, id, attempt FROM conversations"""
CONVERSATION = _CONVERSATION + " WHERE public = ?"
CONVERSATION_AT = _CONVERSATION + " WHERE channel = ? AND chat = ? AND thread = ?"
CONVERSATIONS = _CONVERSATION + " WHERE updated_at < ? ORDER BY updated_at DESC, id DESC LIMIT ?"
OLDEST_SHOWN = """SELECT min(turn) FROM (
    SELECT DISTINCT turn FROM messages WHERE conversation = ? ORDER BY turn DESC LIMIT ?)"""
_HANDOFF = """SELECT handoffs.public, conversations.public, reason, detail, handoffs.summary, requested_at, deadline,
    ceiling, status, agent, claimed_at, ended_at, noticed, notes, user, user_name, desk, assignee, priority, more
    FROM handoffs JOIN conversations ON conversations.id = handoffs.conversation"""
HANDOFF = _HANDOFF + " WHERE handoffs.public = ?"
OPEN_HANDOFF = (
    _HANDOFF
    + """ WHERE handoffs.conversation = ? AND handoffs.status IN ('waiting', 'claimed')
    ORDER BY handoffs.id DESC LIMIT 1"""
)
ENDED_HANDOFF = _HANDOFF + " WHERE handoffs.conversation = ? ORDER BY handoffs.id DESC LIMIT 1"
OPEN_HANDOFFS = (
    _HANDOFF + " WHERE handoffs.status IN ('waiting', 'claimed') ORDER BY requested_at, handoffs.id LIMIT ?"
)
HANDOFFS = _HANDOFF + " ORDER BY handoffs.id DESC LIMIT ?"
TRACES = "SELECT turn, at, body FROM traces WHERE conversation = ? ORDER BY turn DESC LIMIT ?"
_USAGE = "model, purpose, prompt_tokens, cached_tokens, completion_tokens, cost, outcome, seconds, at"
USAGE_OF_TURN = f"SELECT {_USAGE} FROM usage WHERE conversation = ? AND turn = ? ORDER BY id"  # noqa: S608 - constants
USAGE = (
    "SELECT conversations.public, conversations.channel, "  # noqa: S608 - constants
    + _USAGE
    + " FROM usage JOIN conversations ON conversations.id = usage.conversation WHERE at >= ? ORDER BY usage.id"
)
ASIDE = "SELECT channel, message, content, reason, at FROM aside ORDER BY id DESC LIMIT ?"
COUNT = "SELECT count(*) FROM {table}"
COUNT_INBOX_PENDING = "SELECT count(*) FROM inbox WHERE done_at IS NULL"
COUNT_OUTBOX_PENDING = "SELECT count(*) FROM outbox WHERE finished_at IS NULL"
COUNT_OUTBOX_DEAD = "SELECT count(*) FROM outbox WHERE dead = 1"

# --- checking ------------------------------------------------------------------------------------------------

CHECK_TURNS = """SELECT count(*) FROM messages JOIN conversations ON conversations.id = messages.conversation
    WHERE messages.turn > conversations.turn"""
CHECK_CUTS = "SELECT count(*) FROM conversations WHERE cut > turn"
CHECK_DONE = "SELECT count(*) FROM inbox WHERE done_at IS NOT NULL AND turn IS NULL"
CHECK_INBOX = "SELECT count(*) FROM inbox WHERE done_at IS NULL AND received_at < ?"
CHECK_OUTBOX = "SELECT count(*) FROM outbox WHERE finished_at IS NULL AND created_at < ?"
