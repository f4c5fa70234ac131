"""A running django-helpdesk and the people in front of it, who use it as people do: its pages, its mail, its API."""

from __future__ import annotations

import contextlib
import email
import email.policy
import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx2

OPEN, RESOLVED = 1, 3
_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
_numbers = itertools.count(1)


@dataclass
class Helpdesk:
    """One django-helpdesk over a folder, to be stopped and started again at the same address."""

    folder: Path
    made: Mapping[str, Any]
    port: int = 0
    process: subprocess.Popen[str] | None = None
    _people: dict[str, httpx2.Client] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def bot(self) -> int:
        """The id of the bot's user."""
        return int(self.made["users"]["bot"])

    @property
    def runs(self) -> bool:
        return self.process is not None

    def start(self) -> None:
        """Returns once it takes connections."""
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(
                _command("serve", str(self.port)),
                cwd=self.folder,
                env=_environment(self.folder),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, (self.folder / "log").read_text("utf-8")
        self.port = json.loads(line)["port"]

    def stop(self) -> None:
        for browser in self._people.values():
            browser.close()
        self._people.clear()
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None

    def posts_to(self, *urls: str) -> None:
        """Has it post every new ticket and follow-up there from now on."""
        (self.folder / "hooks").write_text("\n".join(urls), "utf-8")

    # --- a customer: the public form, then mail ---------------------------------------------------------------

    def submit(self, title: str, body: str, sender: str) -> int:
        """The customer `sender` opens a ticket on the public page; its number."""
        with httpx2.Client(base_url=self.url, trust_env=False, timeout=30) as browser:
            fields = {
                "queue": str(self.made["queue"]),
                "title": title,
                "body": body,
                "priority": "3",
                "submitter_email": sender,
            }
            answer = _fill_in(browser, "/tickets/submit/", fields)
        found = re.search(r"ticket=support-(\d+)", answer.headers.get("location", ""))
        assert found, (answer.status_code, answer.text)
        return int(found[1])

    def mail(self, ticket: int, body: str, sender: str) -> None:
        """The customer answers by mail, and the helpdesk fetches it."""
        message = EmailMessage()
        message["From"], message["To"] = sender, "support@shop.example"
        message["Subject"] = f"Re: [support-{ticket}]"
        message["Message-Id"] = f"<{next(_numbers)}@customers.example>"
        message.set_content(body)
        (self.folder / "mail" / f"{next(_numbers)}.eml").write_text(message.as_string(), "utf-8")
        self.read_mail()

    def read_mail(self) -> None:
        """What cron does every few minutes. A mail whose hook nobody takes is kept, but stays in the box."""
        run(self.folder, "read-mail")

    def mails_to(self, recipient: str) -> list[str]:
        """The bodies of the mails that it has sent there."""
        files = sorted((self.folder / "sent").glob("*"), key=lambda path: path.stat().st_mtime_ns)
        pieces = [piece for path in files for piece in path.read_text("utf-8").split("-" * 79 + "\n")]
        mails = [email.message_from_string(piece.strip(), policy=email.policy.default) for piece in pieces]
        return [_plain(one) for one in mails if recipient in str(one["To"])]

    # --- an agent: signed in, on the pages --------------------------------------------------------------------

    def take(self, ticket: int, who: str) -> None:
        """The agent presses "Take"."""
        answer = self._browser(who).get(f"/tickets/{ticket}/?take")
        assert answer.status_code == 302, (answer.status_code, answer.text)

    def answer(
        self,
        ticket: int,
        text: str,
        who: str,
        *,
        public: bool = True,
        status: int | None = None,
        heard: bool = True,
    ) -> None:
        """The agent fills in "Respond to this ticket". Its page fails (`heard=False`) if nobody takes the hook."""
        fields = {"comment": text, **({"public": "1"} if public else {})}
        if status is not None:
            fields["new_status"] = str(status)
        self._update(ticket, who, fields, 302 if heard else 500)

    def assign(self, ticket: int, who: str, *, to: str) -> None:
        """The agent `who` chooses another owner, or none."""
        owner = self.made["users"][to] if to else 0
        self._update(ticket, who, {"comment": "", "owner": str(owner)})

    def _update(self, ticket: int, who: str, fields: Mapping[str, str], expected: int = 302) -> None:
        """Sends off the ticket's form with these fields, the others as they are."""
        now = self.ticket(ticket)
        form = {
            "new_status": str(now["status"]),
            "title": now["title"],
            "queue": str(now["queue"]),
            "priority": str(now["priority"]),
            "owner": str(now["assigned_to"] or 0),
            **fields,
        }
        answer = _fill_in(self._browser(who), f"/tickets/{ticket}/", form, f"/tickets/{ticket}/update/")
        assert answer.status_code == expected, (answer.status_code, answer.text)

    def _browser(self, who: str) -> httpx2.Client:
        if who not in self._people:
            browser = httpx2.Client(base_url=self.url, trust_env=False, timeout=30)
            self._people[who] = browser
            answer = _fill_in(browser, "/login/", {"username": who, "password": self.made["password"]})
            assert answer.status_code == 302, (answer.status_code, answer.text)
        return self._people[who]

    # --- anybody who looks ------------------------------------------------------------------------------------

    def ticket(self, number: int) -> dict[str, Any]:
        """The ticket with its `followup_set`, as the REST API shows it."""
        answer = self._browser("ana").get(f"/api/tickets/{number}/")
        assert answer.status_code == 200, (answer.status_code, answer.text)
        found: dict[str, Any] = answer.json()
        return found

    def tickets(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._browser("ana").get("/api/tickets/").json()["results"]
        return found

    def said(self, number: int, *, public: bool = True, by: str = "") -> list[str]:
        """The ticket's public or internal comments in their order, of one user if `by` is given."""
        return [
            one["comment"]
            for one in self.ticket(number)["followup_set"]
            if one["public"] is public and one["comment"] and (not by or one["user"] == self.made["users"][by])
        ]


def install(folder: Path) -> Path:
    """Makes a new helpdesk in the folder, which may be copied to run several."""
    folder.mkdir(parents=True)
    (folder / "made.json").write_text(run(folder, "create"), "utf-8")
    return folder


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Helpdesk]:
    """The helpdesk in the folder on a free port while the block lasts."""
    here = Helpdesk(folder, json.loads((folder / "made.json").read_text("utf-8")))
    try:
        here.start()
        yield here
    finally:
        here.stop()


def run(folder: Path, command: str) -> str:
    """Runs one of the project's commands to its end; what it printed."""
    done = subprocess.run(
        _command(command),
        cwd=folder,
        env=_environment(folder),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "djangodesk", *arguments]


def _environment(folder: Path) -> dict[str, str]:
    own = {"DJANGODESK_FOLDER": str(folder), "PYTHONPATH": str(Path(__file__).parents[1])}
    return {**os.environ, **own, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


def _fill_in(browser: httpx2.Client, page: str, fields: Mapping[str, str], action: str = "") -> httpx2.Response:
    """Opens a page, fills in its form and sends it off."""
    shown = browser.get(page)
    found = _TOKEN.search(shown.text)
    assert shown.status_code == 200 and found, (shown.status_code, shown.text)
    data = {"csrfmiddlewaretoken": found[1], **fields}
    return browser.post(action or page, data=data, headers={"referer": str(shown.url)})


def _plain(message: Any) -> str:
    part = message.get_body(("plain",))
    return "" if part is None else str(part.get_content())
