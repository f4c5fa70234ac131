"""`python -m djangodesk create | serve PORT | read-mail`, in the folder that the environment names.

`create` makes the database, a queue that takes mail, two agents and the bot's user, and prints what it made; `serve`
prints its port once it takes connections; `read-mail` does what its cron job would do: it takes the customers' mails.
"""

from __future__ import annotations

import json
import os
import sys

PASSWORD = "agents only write in tests"


def create() -> None:
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from helpdesk.models import Queue
    from rest_framework.authtoken.models import Token

    from djangodesk.settings import FOLDER

    call_command("migrate", verbosity=0)
    users = {
        name: User.objects.create_user(name, f"{name}@shop.example", PASSWORD, is_staff=True)
        for name in ("ana", "ben", "bot")
    }
    (FOLDER / "mail").mkdir()
    queue = Queue.objects.create(
        title="Support",
        slug="support",
        email_address="support@shop.example",
        allow_public_submission=True,
        allow_email_submission=True,
        email_box_type="local",
        email_box_local_dir="mail/",
        email_box_interval=0,
        default_owner=users["bot"],
    )
    made = {
        "queue": queue.id,
        "token": Token.objects.create(user=users["bot"]).key,
        "password": PASSWORD,
        "users": {name: user.id for name, user in users.items()},
    }
    print(json.dumps(made))


def serve(port: int) -> None:
    from django.core.servers.basehttp import WSGIRequestHandler, WSGIServer, run
    from django.core.wsgi import get_wsgi_application

    WSGIRequestHandler.log_message = lambda *arguments: None  # type: ignore[method-assign]
    run(
        "127.0.0.1",
        port,
        get_wsgi_application(),
        threading=True,
        on_bind=lambda bound: print(json.dumps({"port": bound}), flush=True),
        server_cls=WSGIServer,
    )


def main() -> None:
    import django
    from django.core.management import call_command

    os.environ["DJANGO_SETTINGS_MODULE"] = "djangodesk.settings"
    django.setup()
    match sys.argv[1:]:
        case ["create"]:
            create()
        case ["serve", port]:
            serve(int(port))
        case ["read-mail"]:
            call_command("get_email", quiet=True)
        case _:
            sys.exit(__doc__)


main()
