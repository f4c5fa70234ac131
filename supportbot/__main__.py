"""`python -m supportbot`."""

from supportbot.cli import main

main()
